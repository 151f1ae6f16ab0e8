//! Prints: data to standard output, in the format that was asked for.

use std::env;
use std::fs::{File, Metadata};
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::checks;
use crate::findings::check_id::CheckId;
use crate::probe::FileStat;
use crate::program::cli::{self, Args, Format, Subject, When};
use crate::program::gate::GateAnswer;
use crate::report::Report;
use crate::report::render::explain;
use crate::report::render::table::{self, Style};

/// The widest that running text is folded to: longer lines are hard to follow.
const WIDEST_TEXT: u16 = 100;

/// The format and style of the output.
#[derive(Debug)]
pub(super) struct Output {
    format: Format,
    style: Style,
}

impl Output {
    /// As the arguments, the environment and the terminal ask.
    pub(super) fn new(args: &Args) -> Self {
        Self {
            format: args.format,
            style: Style {
                width: terminal_width(&io::stdout()),
                color: uses_color(args.color, &io::stdout()),
            },
        }
    }

    /// Returns the one report.
    pub(super) fn report(&self, report: &Report) -> String {
        match self.format {
            Format::Table => report.to_table(self.style.width, self.style.color),
            Format::Markdown => report.to_markdown(),
            Format::Json => report.to_json(),
            Format::Html => report.to_html(),
        }
    }

    /// Returns one of several reports.
    pub(super) fn one_of_many(&self, report: &Report) -> String {
        match self.format {
            Format::Table => table::one_of_many(report, self.style),
            _ => self.report(report),
        }
    }

    /// Returns the text after several reports.
    pub(super) fn total(&self, stores: usize, failed: usize, skipped: usize) -> String {
        match self.format {
            Format::Table => table::total(stores, failed, skipped, self.style),
            _ => String::new(),
        }
    }
}

/// Returns the gate's answer in this format.
pub(super) fn gate_text(answer: &GateAnswer, format: Format) -> String {
    match format {
        Format::Json => answer.json(),
        Format::Table | Format::Markdown | Format::Html => answer.line(),
    }
}

/// Returns the text that the arguments request instead of an examination.
pub(super) fn informational_output(args: &Args) -> Option<Vec<u8>> {
    if args.list_checks {
        return Some(list_checks().into_bytes());
    }
    if let Some(subject) = args.explain {
        let width = terminal_width(&io::stdout()).unwrap_or(80).clamp(40, WIDEST_TEXT);
        let text = match subject {
            Subject::Check(check) => {
                let summary = || format!("{}\n", checks::get(check).summary);
                explain::section(check, width).unwrap_or_else(summary)
            }
            Subject::Sign(sign) => explain::section_of_sign(sign, width).unwrap_or_default(),
        };
        return Some(text.into_bytes());
    }
    args.generate.map(cli::generate)
}

fn list_checks() -> String {
    let widest = CheckId::ALL.iter().map(|check| check.id().len()).max().unwrap_or(0);
    let line = |check: &CheckId| format!("{check:widest$}  {}\n", checks::get(*check).summary);
    CheckId::ALL.iter().map(line).collect()
}

/// Returns the style of standard error.
pub(super) fn style_of_errors(color: When) -> Style {
    Style {
        width: terminal_width(&io::stderr()),
        color: uses_color(color, &io::stderr()),
    }
}

fn terminal_width(stream: &(impl IsTerminal + AsFd)) -> Option<u16> {
    stream
        .is_terminal()
        .then(|| rustix::termios::tcgetwinsize(stream).map_or(80, |size| size.ws_col))
        .map(|columns| if columns == 0 { 80 } else { columns })
}

fn uses_color(color: When, stream: &impl IsTerminal) -> bool {
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || env::var_os("TERM").is_some_and(|term| term == "dumb");
    match color {
        When::Always => true,
        When::Never => false,
        When::Auto => stream.is_terminal() && !plain,
    }
}

/// The standard streams that lead into a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamIntoStore {
    /// Standard output alone.
    Output,
    /// Standard error, or both.
    Error,
}

/// Returns the standard stream that leads into one of these stores, or into a file that lies beside one and belongs to it: what is
/// printed would be written there.
pub(super) fn stream_into_store(stores: &[PathBuf]) -> Option<StreamIntoStore> {
    let id = |file: Metadata| file.is_file().then(|| (file.dev(), file.ino()));
    let output = metadata(&io::stdout()).and_then(id);
    let error = metadata(&io::stderr()).and_then(id);
    // A terminal, a pipe or a device is no store, and most often there is nothing else.
    if output.is_none() && error.is_none() {
        return None;
    }
    let mut found = None;
    for store in stores {
        // A sidecar file lies beside the file to which a link leads.
        let store = std::fs::canonicalize(store).unwrap_or_else(|_| store.clone());
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let mut path = store.clone().into_os_string();
            path.push(suffix);
            let id = FileStat::of(Path::new(&path)).ok().flatten().map(|stat| stat.id);
            if id.is_some() && id == error {
                return Some(StreamIntoStore::Error);
            }
            if id.is_some() && id == output {
                found = Some(StreamIntoStore::Output);
            }
        }
    }
    found
}

/// Returns the file behind a standard stream.
pub(super) fn metadata(stream: &impl AsFd) -> Option<Metadata> {
    let fd = stream.as_fd().try_clone_to_owned().ok()?;
    File::from(fd).metadata().ok()
}

/// Prints data. Breaks if the reader has closed the pipe, which is no error.
pub(super) fn print(bytes: &[u8]) -> Result<ControlFlow<()>> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(error).context("cannot print the report"),
    }
}
