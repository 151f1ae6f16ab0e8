//! Parses, examines, renders, and ends with an exit code that means what it says.

mod cli;
mod gate;
mod meter;
mod output;
mod pool;
mod run;

use std::any::Any;
use std::cell::RefCell;
use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use banger_doctor::locate;
use clap::Parser;
use clap::error::ErrorKind;

use cli::{Args, EXIT_USAGE, Format};
use run::Run;

/// The doctor itself failed (`EX_SOFTWARE` in `sysexits.h`).
const EXIT_SOFTWARE: u8 = 70;

/// Ended by Ctrl-C: 128 and the signal's number.
const EXIT_INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    // A caller of the gate reads 0, 1 and 2 as answers; nothing else may end so while it is asked.
    let gate = arguments.iter().any(|argument| argument == "--check-migrations");
    panic::set_hook(Box::new(note_panic));
    let ended = panic::catch_unwind(|| run(arguments, gate)).unwrap_or_else(|panic| Err(what_panicked(panic.as_ref())));
    let code = match ended {
        Ok(code) => code,
        Err(error) if gate => {
            let answer = gate::cannot_tell(&format!("{error:#}"), Format::Table);
            // Nothing more can be done where this cannot be printed; the exit code says it.
            let _ = io::stdout().write_all(answer.line.as_bytes());
            answer.exit
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "doctor: {error:#}");
            EXIT_SOFTWARE
        }
    };
    ExitCode::from(code)
}

thread_local! {
    /// Where this thread panicked last.
    static PANICKED_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps a panic from standard error, and remembers where it was.
fn note_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or_else(String::new, |at| {
        // A dependency's path begins in somebody's home folder.
        let file = if at.file().starts_with('/') {
            at.file().rsplit('/').next()
        } else {
            Some(at.file())
        };
        format!(" at {}:{}", file.unwrap_or_default(), at.line())
    });
    PANICKED_AT.with(|at| at.replace(place));
}

/// Says where a panic was, and its words where they are the program's own: others may hold what a store holds.
fn what_panicked(panic: &(dyn Any + Send)) -> anyhow::Error {
    let words = panic.downcast_ref::<&str>().map_or_else(String::new, |words| format!(": {words}"));
    let place = PANICKED_AT.with(RefCell::take);
    anyhow::anyhow!("a mistake in the doctor, please report it: panic{place}{words}")
}

fn run(arguments: Vec<OsString>, gate: bool) -> Result<u8> {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => return say_usage(&error, gate),
    };
    if let Some(text) = output::instead(&args) {
        let _ = output::print(&text)?;
        return Ok(0);
    }
    let checks = match args.checks() {
        Ok(checks) => checks,
        Err(error) => return say_usage(&error, gate),
    };
    let Some(stores) = stores(&args) else {
        let error = "no store is named, and there is no home folder to look in; give a path, or --system";
        return if gate {
            Err(anyhow::anyhow!(error))
        } else {
            say_usage(&cli::usage(error), gate)
        };
    };
    if gate && stores.len() > 1 {
        return say_usage(&cli::usage("--check-migrations takes one store"), gate);
    }
    let run = Run::prepare(&args, checks, stores, catch_signals()?);
    if gate { run.gate() } else { run.doctor() }
}

/// Help and version to standard output, mistakes to standard error; 0 only for help that was asked for by itself.
fn say_usage(error: &clap::Error, gate: bool) -> Result<u8> {
    // A closed pipe is nobody's mistake.
    match error.print() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    Ok(if asked && !gate { 0 } else { EXIT_USAGE })
}

/// The stores to examine; `None` where none is named and there is no home folder.
fn stores(args: &Args) -> Option<Vec<PathBuf>> {
    if args.system {
        return Some(vec![locate::SYSTEM_STORE.into()]);
    }
    if !args.stores.is_empty() {
        return Some(args.stores.clone());
    }
    locate::user_store().map(|store| vec![store])
}

/// A flag that Ctrl-C, SIGTERM and SIGHUP set; whatever is running then ends in order.
fn catch_signals() -> Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, flag.clone()).context("cannot catch signals")?;
    }
    Ok(flag)
}
