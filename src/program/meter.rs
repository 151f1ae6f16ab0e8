//! The progress line on standard error: redrawn in place on a terminal, and elsewhere a new line now and then.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::findings::check_id::CheckId;
use crate::limits::progress::{Progress, Ticker};
use crate::text::words::{plural, thousands};

/// The time before the line is drawn first.
const FIRST: Duration = Duration::from_millis(500);

/// The interval between two drawings on a terminal.
const REDRAWN: Duration = Duration::from_millis(100);

/// The interval between two lines if standard error is no terminal.
const NEW_LINE: Duration = Duration::from_secs(10);

/// The columns of `^C`, which a terminal writes behind the line.
const ECHO: usize = 2;

/// The line.
#[derive(Debug)]
pub(super) struct Meter {
    /// The terminal's width, where there is one.
    width: Option<usize>,
    /// The number of columns that are drawn over.
    drawn: AtomicUsize,
    begun: Instant,
    due: Mutex<Duration>,
}

impl Meter {
    /// Creates a line that has not been drawn yet.
    pub(super) fn new() -> Self {
        let width = io::stderr()
            .is_terminal()
            .then(|| rustix::termios::tcgetwinsize(io::stderr()).map_or(80, |size| usize::from(size.ws_col.max(20))));
        Self {
            width,
            drawn: AtomicUsize::new(0),
            begun: Instant::now(),
            due: Mutex::new(if width.is_some() { FIRST } else { NEW_LINE }),
        }
    }

    /// Returns true if standard error is a terminal.
    pub(super) fn on_terminal(&self) -> bool {
        self.width.is_some()
    }

    /// Returns a ticker that draws here, of an examination with these checks.
    pub(super) fn ticker(self: &Arc<Self>, checks: &[CheckId]) -> Arc<Ticker> {
        let (first, every) = if self.on_terminal() {
            (FIRST, REDRAWN)
        } else {
            (NEW_LINE, NEW_LINE)
        };
        let (meter, checks) = (self.clone(), checks.to_vec());
        Arc::new(Ticker::new(first, every, move |now| meter.draw(&words(now, &checks))))
    }

    /// Draws how many stores are done, if it is time to.
    pub(super) fn stores(&self, done: usize, of: usize) {
        let Ok(mut due) = self.due.lock() else { return };
        let elapsed = self.begun.elapsed();
        if elapsed >= *due {
            *due = elapsed + if self.on_terminal() { REDRAWN } else { NEW_LINE };
            self.draw(&format!("{done} of {of} stores examined, {} s", elapsed.as_secs()));
        }
    }

    fn draw(&self, text: &str) {
        let mut err = io::stderr().lock();
        // If this cannot be written, there is no reader.
        let _ = match self.width {
            Some(width) => {
                let text: String = text.chars().take(width - 1 - ECHO).collect();
                let columns = text.chars().count();
                let before = self.drawn.swap(columns, Ordering::Relaxed);
                write!(err, "\r{text}{}", " ".repeat(before.saturating_sub(columns)))
            }
            None => writeln!(err, "doctor: {text}"),
        };
        let _ = err.flush();
    }

    /// Takes the line away, before anything else is printed.
    pub(super) fn clear(&self) {
        let drawn = self.drawn.swap(0, Ordering::Relaxed);
        if drawn > 0 {
            let _ = write!(io::stderr(), "\r{}\r", " ".repeat(drawn + ECHO));
        }
    }
}

/// `page-structure (4 of 12): 48,828 of 146,484 pages read, 6 s left, 3 s`.
fn words(now: &Progress, checks: &[CheckId]) -> String {
    let place = |check| Some((check, checks.iter().position(|asked| *asked == check)?));
    let mut text = match now.check.and_then(place) {
        Some((check, at)) => format!("{check} ({} of {}): ", at + 1, checks.len()),
        None => "looking: ".to_owned(),
    };
    if now.rows > 0 {
        text += &format!("{} rows read, ", thousands(now.rows));
    }
    if now.pages_read > 0 {
        text += &format!("{} of {} read, ", thousands(now.pages_read), plural(now.pages, "page", "pages"));
        if let Some(left) = now.left.filter(|left| left.as_secs() > 0) {
            text += &format!("{} s left, ", left.as_secs());
        }
    } else if now.pages > 0 {
        text += &format!("a store of {}, ", plural(now.pages, "page", "pages"));
    }
    text + &format!("{} s", now.elapsed.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_which_check_and_how_far() {
        let mut now = Progress {
            check: Some(CheckId::PageStructure),
            rows: 0,
            pages: 146_484,
            pages_read: 0,
            left: None,
            elapsed: Duration::from_millis(3_900),
        };
        let checks = [CheckId::File, CheckId::PageStructure];
        assert_eq!(words(&now, &checks), "page-structure (2 of 2): a store of 146,484 pages, 3 s");
        now.rows = 1_200_128;
        assert_eq!(
            words(&now, &checks),
            "page-structure (2 of 2): 1,200,128 rows read, a store of 146,484 pages, 3 s"
        );
        now = Progress {
            rows: 0,
            pages_read: 48_828,
            left: Some(Duration::from_millis(7_800)),
            ..now
        };
        assert_eq!(
            words(&now, &checks),
            "page-structure (2 of 2): 48,828 of 146,484 pages read, 7 s left, 3 s"
        );
        now = Progress {
            check: None,
            pages_read: 0,
            rows: 0,
            pages: 0,
            ..now
        };
        assert_eq!(words(&now, &checks), "looking: 3 s");
    }
}
