//! The program `doctor`: parses, examines, renders, and ends with an exit code that means what it says.
//!
//! Not part of the library's interface: [`main`] is public only because a binary is another crate.

mod cli;
mod fleet;
mod gate;
mod meter;
mod migrations;
mod output;
mod panics;
mod pool;
mod salvage;
mod session;
mod signals;
mod watchdog;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::Parser;
use clap::error::ErrorKind;

use crate::banger::APPLICATION;
use crate::error::{Error, internal_error};
use crate::report::Report;

use cli::{Args, EXIT_USAGE, Format};
use gate::{EXIT_CANNOT_TELL, GateAnswer};
use meter::Meter;
use output::StreamIntoStore;
use session::Session;
use signals::Signals;

/// The doctor itself failed (`EX_SOFTWARE` in `sysexits.h`).
const EXIT_SOFTWARE: u8 = 70;

/// The reader closed the output before all was printed: 128 and the number of SIGPIPE.
const EXIT_PIPE_CLOSED: u8 = 141;

const NO_STORE: &str = "no store is named, and there is no home folder to look in; give a path, or --system";

/// Runs the program and returns its exit code.
pub fn main() -> ExitCode {
    panic::set_hook(Box::new(panics::remember_place));
    let arguments: Vec<OsString> = env::args_os().collect();
    let parsed = Args::try_parse_from(&arguments).map(Args::with_format);
    // Any argument may be the path of a store where they cannot be parsed.
    let named = match &parsed {
        Ok(args) => stores(args).unwrap_or_default(),
        Err(_) => arguments.iter().skip(1).map(PathBuf::from).collect(),
    };
    if let Some(stream) = output::stream_into_store(&named) {
        return ExitCode::from(refuse_stream(stream));
    }
    ExitCode::from(match parsed {
        Err(error) => print_usage(&cli::escape_error(error, &arguments), has_gate_option(&arguments)),
        Ok(args) if args.check_migrations => run_gate(args),
        Ok(args) => exit_code(internal_error::catch_panic(|| run_doctor(args)).map_err(anyhow::Error::from).flatten()),
    })
}

/// Refuses to print into a store. Where standard error is the one that leads there, the refusal would be written into it as well.
fn refuse_stream(stream: StreamIntoStore) -> u8 {
    if stream == StreamIntoStore::Output {
        let why = "standard output leads into the store itself, or into a file beside it that belongs to it; redirect it to another file";
        return print_usage(&cli::usage_error(why), true);
    }
    EXIT_USAGE
}

/// Returns true if the gate was meant, where the arguments cannot be parsed.
fn has_gate_option(arguments: &[OsString]) -> bool {
    let mut options = arguments.iter().take_while(|argument| *argument != "--");
    options.any(|argument| argument == "--check-migrations")
}

/// Runs the gate, which prints exactly one line, whatever happens. A caller reads 0, 1 and 2 as answers, so no error may use them.
fn run_gate(args: Args) -> u8 {
    if args.stores.len() > 1 {
        return print_usage(&cli::usage_error("--check-migrations takes one store"), true);
    }
    if let Err(error) = args.check_combination() {
        return print_usage(&error, true);
    }
    let format = args.format;
    let mut session = None;
    let asked = internal_error::catch_panic(|| -> Result<GateAnswer> {
        let stores = stores(&args).ok_or_else(|| anyhow::anyhow!(NO_STORE))?;
        let application = migrations::application(&args).map_err(anyhow::Error::msg)?;
        let session = session.insert(Session::prepare(args, application, Vec::new(), stores, Signals::catch()?));
        Ok(gate::ask(session))
    });
    let answer = asked
        .map_err(anyhow::Error::from)
        .flatten()
        .unwrap_or_else(|error| GateAnswer::cannot_tell(&format!("{error:#}")));
    // Nothing more can be done where this cannot be printed; the exit code says it.
    let printed = output::print(output::gate_text(&answer, format).as_bytes());
    if let Some(session) = session {
        clean_up(session);
    }
    printed.map_or(EXIT_CANNOT_TELL, |_| answer.exit())
}

fn run_doctor(args: Args) -> Result<u8> {
    if let Some(text) = output::informational_output(&args) {
        let _ = output::print(&text)?;
        return Ok(0);
    }
    let checks = match args.check_combination().and_then(|()| args.checks()) {
        Ok(checks) => checks,
        Err(error) => return Ok(print_usage(&error, false)),
    };
    let Some(stores) = stores(&args) else {
        return Ok(print_usage(&cli::usage_error(NO_STORE), false));
    };
    if let Some(why) = cli::command_fault(&args.stores) {
        return Ok(print_usage(&cli::usage_error(&why), false));
    }
    if args.salvage
        && let Some(why) = salvage::output_fault(&stores)
    {
        return Ok(print_usage(&cli::usage_error(&why), false));
    }
    if args.format == Format::Html && stores.len() > 1 {
        return Ok(print_usage(&cli::usage_error("--format html takes one store"), false));
    }
    let application = match migrations::application(&args) {
        Ok(application) => application,
        Err(why) => return Ok(print_usage(&cli::usage_error(&why), false)),
    };
    let session = Session::prepare(args, application, checks, stores, Signals::catch()?);
    let code = internal_error::catch_panic(|| match session.stores.len() {
        1 if session.args.salvage => Ok(salvage::salvage(&session)),
        1 => examine_one(&session),
        _ => fleet::examine(&session),
    });
    clean_up(session);
    code?
}

/// Examines the one store, prints its report and returns the exit code.
fn examine_one(session: &Arc<Session>) -> Result<u8> {
    let meter = Arc::new(Meter::new());
    let stop = session.stop().showing(meter.ticker(&session.checks));
    let answers = session.answers(session.store(), &stop);
    let watch = {
        let (theirs, answers, meter) = (session.clone(), answers.clone(), meter.clone());
        session.watchdog.watch(&stop, move |why| {
            let report = answers.report_aborted(&Error::Stuck(why));
            let printed = internal_error::catch_panic(|| print_report(&theirs, &report, &meter));
            theirs.exit_process(exit_code(printed.map_err(anyhow::Error::from).flatten()))
        })
    };
    let report = session.report(&answers, session.store(), &stop);
    watch.end();
    print_report(session, &report, &meter)
}

fn print_report(session: &Session, report: &Report, meter: &Meter) -> Result<u8> {
    meter.clear();
    let _ = output::print(output::Output::new(&session.args).report(report).as_bytes())?;
    Ok(session.exit_code(report.failed()))
}

/// Returns the exit code; an error is printed to standard error and has its own code.
fn exit_code(code: Result<u8>) -> u8 {
    code.unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "doctor: {error:#}");
        EXIT_SOFTWARE
    })
}

/// Removes the private folder. What is in the way of that, even a panic of the standard library's where a folder cannot be
/// closed, changes no answer.
fn clean_up(session: Arc<Session>) {
    session.watchdog.disarm();
    let _ = panic::catch_unwind(AssertUnwindSafe(|| session.remove_private_folder()));
    let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(session)));
}

/// Help and version to standard output, mistakes to standard error; 0 only for help that was asked for by itself.
fn print_usage(error: &clap::Error, gate: bool) -> u8 {
    // A closed pipe is nobody's mistake.
    match error.print() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return EXIT_SOFTWARE,
        _ => {}
    }
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if asked && !gate { 0 } else { EXIT_USAGE }
}

/// Returns the stores to examine; `None` where none is named and there is no home folder.
fn stores(args: &Args) -> Option<Vec<PathBuf>> {
    if args.system {
        return APPLICATION.places().map(|places| vec![places.system_store().to_path_buf()]);
    }
    if !args.stores.is_empty() {
        return Some(args.stores.clone());
    }
    APPLICATION.places()?.user_store().map(|store| vec![store])
}
