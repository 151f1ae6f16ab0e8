//! The signals that ask the doctor to end.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU, SIGXFSZ};
use signal_hook::flag;

/// Signals that ask it to end. Without a handler they would leave the private folder behind.
const ENDING: [i32; 6] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGXCPU];

/// Stands beside a signal's number once the watchdog has seen it.
const SEEN: usize = 1 << 16;

/// The signals that have come.
#[derive(Debug, Clone, Default)]
pub(super) struct Signals {
    /// The last signal's number, and [`SEEN`].
    last: Arc<AtomicUsize>,
    /// True if everything shall end: a signal has come, or the doctor itself wants to end.
    ends: Arc<AtomicBool>,
}

impl Signals {
    /// Catches them from here on: whatever is running then ends in order.
    ///
    /// Those that the caller has the doctor ignore (`nohup`, a shell's background job) stay ignored.
    ///
    /// # Errors
    /// Fails if the system refuses to install the handlers.
    pub(super) fn catch() -> Result<Self> {
        let signals = Self::default();
        let ignored = ignored();
        let is_caught = |signal: &i32| ignored >> (signal - 1) & 1 == 0;
        for signal in ENDING.into_iter().filter(is_caught) {
            let number = usize::try_from(signal).unwrap_or_default();
            // In this order, so that a thread that sees the end also sees the reason.
            flag::register_usize(signal, signals.last.clone(), number).context("cannot catch signals")?;
            flag::register(signal, signals.ends.clone()).context("cannot catch signals")?;
        }
        if is_caught(&SIGXFSZ) {
            // A write beyond `ulimit -f` then fails, and the error says so.
            flag::register(SIGXFSZ, Arc::default()).context("cannot catch signals")?;
        }
        Ok(signals)
    }

    /// Returns the flag that is set as soon as everything must end.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        self.ends.clone()
    }

    /// Ends everything in order, as a signal does.
    pub(super) fn interrupt(&self) {
        self.ends.store(true, Ordering::Relaxed);
    }

    /// Returns true if everything shall end.
    pub(super) fn is_interrupted(&self) -> bool {
        self.ends.load(Ordering::Relaxed)
    }

    /// 128 and the last signal's number, where one has come.
    pub(super) fn exit_code(&self) -> Option<u8> {
        let number = self.last.load(Ordering::Relaxed) & !SEEN;
        (number > 0).then(|| u8::try_from(128 + number).unwrap_or(u8::MAX))
    }

    /// Returns true if a signal has come since this was asked last.
    pub(super) fn take_new_signal(&self) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        let is_new = last != 0 && last & SEEN == 0;
        is_new
            && self
                .last
                .compare_exchange(last, last | SEEN, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

/// Returns the signals that this process was started with ignored, one bit each, the lowest for signal 1. None where the kernel
/// does not say.
fn ignored() -> u64 {
    let mut status = [0; 4096];
    let length = File::open("/proc/self/status").and_then(|mut file| file.read(&mut status)).unwrap_or(0);
    let mut lines = status[..length].split(|byte| *byte == b'\n');
    let mask = lines.find_map(|line| str::from_utf8(line.strip_prefix(b"SigIgn:")?).ok());
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_is_seen_once_and_the_exit_code_is_the_last_ones() {
        let signals = Signals::default();
        assert_eq!((signals.take_new_signal(), signals.exit_code()), (false, None));
        signals.last.store(2, Ordering::Relaxed);
        assert_eq!(
            (signals.take_new_signal(), signals.take_new_signal(), signals.exit_code()),
            (true, false, Some(130))
        );
        signals.last.store(15, Ordering::Relaxed);
        assert_eq!(
            (signals.take_new_signal(), signals.take_new_signal(), signals.exit_code()),
            (true, false, Some(143))
        );
    }
}
