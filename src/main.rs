//! Parses, examines, renders, and ends with an exit code that means what it says.

mod cli;
mod gate;

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::panic;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use banger_doctor::private::PrivateFolder;
use banger_doctor::render::table::Style;
use banger_doctor::render::{json, table};
use banger_doctor::sandbox::Sandbox;
use banger_doctor::stop::Stop;
use banger_doctor::store::Means;
use banger_doctor::{Options, Report, checks, examine, locate};
use clap::Parser;
use clap::error::ErrorKind;

use cli::{Args, EXIT_USAGE, Format, When};

/// The doctor itself failed (`EX_SOFTWARE` in `sysexits.h`).
const EXIT_SOFTWARE: u8 = 70;

/// Ended by Ctrl-C: 128 and the signal's number.
const EXIT_INTERRUPTED: u8 = 130;

/// The most memory that SQLite may take, in bytes; with the rest of the program this stays below 64 MiB.
const HEAP_LIMIT: u64 = 40 << 20;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    // A caller of the gate reads 0, 1 and 2 as answers; nothing else may end so while it is asked.
    let gate = arguments.iter().any(|argument| argument == "--check-migrations");
    panic::set_hook(Box::new(|_| {}));
    let ended = panic::catch_unwind(|| run(arguments, gate)).unwrap_or_else(|panic| Err(what_panicked(&panic)));
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

fn what_panicked(panic: &Box<dyn std::any::Any + Send>) -> anyhow::Error {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("of an unknown kind");
    anyhow::anyhow!("a mistake in the doctor, please report it: panic: {words}")
}

fn run(arguments: Vec<OsString>, gate: bool) -> Result<u8> {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => return say_usage(&error, gate),
    };
    if args.list_checks {
        print(&list_checks())?;
        return Ok(0);
    }
    let checks = match args.checks() {
        Ok(checks) => checks,
        Err(error) => return say_usage(&error, gate),
    };
    let stores = stores(&args)?;
    if gate && stores.len() > 1 {
        return say_usage(&cli::usage("--check-migrations takes one store"), gate);
    }
    let interrupted = catch_signals()?;
    let private = PrivateFolder::for_stores(&stores, true);
    let sandbox = Sandbox::enter(private.as_ref().ok());
    let stop = || Stop::after(args.time_limit, interrupted.clone());
    let mut failed = false;
    for path in &stores {
        let stop = stop();
        let means = Means {
            private: private.as_ref().map_err(String::as_str),
            metadata_is_safe: sandbox.metadata_is_safe(),
            heap_limit: Some(HEAP_LIMIT),
            stop: &stop,
        };
        if gate {
            let answer = gate::ask(path, &means, args.rehearse, args.format);
            print(&answer.line)?;
            return Ok(answer.exit);
        }
        let options = Options {
            checks: checks.clone(),
            artifacts: args.stores.is_empty(),
            sandbox: &sandbox,
            means,
        };
        let report = examine(path, &options);
        failed |= report.failed();
        print(&rendered(&report, &args))?;
        if interrupted.load(Ordering::Relaxed) {
            return Ok(EXIT_INTERRUPTED);
        }
    }
    Ok(u8::from(failed))
}

/// Help and version to standard output, mistakes to standard error; 0 only for help that was asked for by itself.
fn say_usage(error: &clap::Error, gate: bool) -> Result<u8> {
    error.print()?;
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    Ok(if asked && !gate { 0 } else { EXIT_USAGE })
}

fn stores(args: &Args) -> Result<Vec<PathBuf>> {
    if args.system {
        return Ok(vec![locate::SYSTEM_STORE.into()]);
    }
    if !args.stores.is_empty() {
        return Ok(args.stores.clone());
    }
    let store = locate::user_store()
        .context("no store is named, and there is no home folder to look in; give a path, or --system")?;
    Ok(vec![store])
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

fn list_checks() -> String {
    let widest = checks::CHECKS.iter().map(|check| check.id.len()).max().unwrap_or(0);
    checks::CHECKS
        .iter()
        .map(|check| format!("{:widest$}  {}\n", check.id, check.summary))
        .collect()
}

fn rendered(report: &Report, args: &Args) -> String {
    match args.format {
        Format::Json => json::report(report),
        Format::Table => table::report(report, style(args.color)),
    }
}

fn style(color: When) -> Style {
    let terminal = io::stdout().is_terminal();
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || env::var_os("TERM").is_some_and(|term| term == "dumb");
    Style {
        width: terminal.then(|| rustix::termios::tcgetwinsize(io::stdout()).map_or(80, |size| size.ws_col)),
        color: match color {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && !plain,
        },
    }
}

/// Prints data. Nobody is told of a pipe that was closed on the other side: the exit code still says what was found.
fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("cannot print the report"),
        _ => Ok(()),
    }
}
