//! Prints: data to standard output, in the format that was asked for.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;

use anyhow::{Context, Result};
use banger_doctor::render::table::{self, Style};
use banger_doctor::render::{explain, json, markdown};
use banger_doctor::{Report, checks};

use crate::cli::{self, Args, Format, When};

/// The widest that running text is folded to: longer lines are hard to follow.
const WIDEST_TEXT: u16 = 100;

/// How reports are printed.
#[derive(Debug)]
pub struct Output {
    format: Format,
    style: Style,
    /// What the doctor runs on.
    system: String,
}

impl Output {
    /// As the arguments, the environment and the terminal ask.
    pub fn new(args: &Args) -> Self {
        Self {
            format: args.format,
            style: Style {
                width: terminal_width(),
                color: colored(args.color),
            },
            system: system(),
        }
    }

    /// The one report.
    pub fn report(&self, report: &Report) -> String {
        match self.format {
            Format::Table => table::report(report, self.style),
            Format::Markdown => markdown::report(report, &self.system),
            Format::Json => json::report(report),
        }
    }

    /// One of several reports.
    pub fn one_of_many(&self, report: &Report) -> String {
        match self.format {
            Format::Table => table::one_of_many(report, self.style),
            _ => self.report(report),
        }
    }

    /// What comes after several reports.
    pub fn total(&self, stores: usize, failed: usize, skipped: usize) -> String {
        match self.format {
            Format::Table => table::total(stores, failed, skipped, self.style),
            _ => String::new(),
        }
    }
}

/// What the arguments ask for instead of an examination.
pub fn instead(args: &Args) -> Option<Vec<u8>> {
    if args.list_checks {
        return Some(list_checks().into_bytes());
    }
    if let Some(check) = args.explain {
        let width = terminal_width().unwrap_or(80).clamp(40, WIDEST_TEXT);
        let summary = || checks::find(check).map_or_else(String::new, |check| format!("{}\n", check.summary));
        return Some(explain::section(check, width).unwrap_or_else(summary).into_bytes());
    }
    args.generate.map(cli::generated)
}

fn list_checks() -> String {
    let widest = checks::CHECKS.iter().map(|check| check.id.len()).max().unwrap_or(0);
    checks::CHECKS
        .iter()
        .map(|check| format!("{:widest$}  {}\n", check.id, check.summary))
        .collect()
}

fn terminal_width() -> Option<u16> {
    io::stdout()
        .is_terminal()
        .then(|| rustix::termios::tcgetwinsize(io::stdout()).map_or(80, |size| size.ws_col))
        .map(|columns| if columns == 0 { 80 } else { columns })
}

fn colored(color: When) -> bool {
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || env::var_os("TERM").is_some_and(|term| term == "dumb");
    match color {
        When::Always => true,
        When::Never => false,
        When::Auto => io::stdout().is_terminal() && !plain,
    }
}

/// The operating system, its release and the architecture.
fn system() -> String {
    let name = rustix::system::uname();
    let words = [name.sysname(), name.release(), name.machine()].map(|word| word.to_string_lossy());
    banger_doctor::report::escape_untrusted(&words.join(" "), 200)
}

/// Prints data. Breaks where the pipe is closed on the other side: nobody is told, and nobody reads any more.
pub fn print(bytes: &[u8]) -> Result<ControlFlow<()>> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(error).context("cannot print the report"),
    }
}
