//! `--salvage`: the one store as SQL to standard output, and what it gave to standard error.

use std::fs::Metadata;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use crate::application::{Remedy, load_command};
use crate::error::Error;
use crate::error::internal_error;
use crate::probe::in_use::Sighting;
use crate::program::EXIT_PIPE_CLOSED;
use crate::program::meter::Meter;
use crate::program::output::{self, metadata};
use crate::program::session::Session;
use crate::report::render::salvaged;
use crate::report::render::table::Style;
use crate::salvage::store::{NoSummary, describe_any, salvage_store};
use crate::salvage::{SalvageError, SalvageSummary, describe_stores};
use crate::text::escape::escape_untrusted;
use crate::text::paths;
use crate::text::shell::quote_path;

/// Something is lost or doubtful, or the salvage ended early.
const EXIT_NOT_ALL: u8 = 1;

/// There is nothing to save, or nothing could be read.
const EXIT_NOTHING: u8 = 3;

/// The longest path that is shown, in characters.
const LONGEST_PATH: usize = 1_000;

/// The size of a write, in bytes.
const BUFFER: usize = 64 << 10;

/// Returns the reason why standard output cannot take what a salvage writes, if it cannot.
pub(super) fn output_fault(stores: &[PathBuf]) -> Option<String> {
    if stores.len() != 1 {
        return Some("--salvage takes one store".to_owned());
    }
    let out = io::stdout();
    if out.is_terminal() {
        return Some(
            "--salvage prints everything that the store holds; redirect it to a file: doctor --salvage STORE > saved.sql"
                .to_owned(),
        );
    }
    let output = metadata(&out)?;
    if is_discarded(&out, &output) {
        return Some(
            "standard output leads nowhere, and what a salvage prints would be lost; redirect it to a file: doctor --salvage STORE > saved.sql"
                .to_owned(),
        );
    }
    let is_one = |errors: Metadata| !is_device(&output) && (errors.dev(), errors.ino()) == (output.dev(), output.ino());
    metadata(&io::stderr()).is_some_and(is_one).then(|| {
        "standard output and standard error are one file, in which the account would be mixed into the SQL; redirect only the output: doctor --salvage STORE > saved.sql"
            .to_owned()
    })
}

/// Returns true if the stream leads nowhere: it was closed when the program began, and Rust's runtime opened `/dev/null` in its place for
/// reading and writing, or a caller did the same. A shell that throws an output away opens it for writing.
fn is_discarded(stream: &impl AsFd, file: &Metadata) -> bool {
    let is_null = std::fs::metadata("/dev/null").is_ok_and(|null| is_device(file) && null.rdev() == file.rdev());
    let flags = rustix::fs::fcntl_getfl(stream);
    is_null && flags.is_ok_and(|flags| flags & OFlags::RWMODE == OFlags::RDWR)
}

/// Returns true if it is a device, as `/dev/null` is, which keeps nothing that could be mixed.
fn is_device(file: &Metadata) -> bool {
    file.file_type().is_char_device() || file.file_type().is_block_device()
}

/// Salvages the one store; the exit code.
pub(super) fn salvage(session: &Arc<Session>) -> u8 {
    let meter = Arc::new(Meter::new());
    let mut stop = session.stop();
    // Elsewhere, the account is all that stands on standard error.
    if meter.on_terminal() {
        stop = stop.showing(meter.ticker(&[]));
    }
    let style = output::style_of_errors(session.args.color);
    let watch = {
        let (theirs, meter) = (session.clone(), meter.clone());
        session.watchdog.watch(&stop, move |why| {
            meter.clear();
            print_error(&salvaged::failure_line(&describe_abort(&Error::Stuck(why)), style));
            theirs.exit_process(theirs.signals.exit_code().unwrap_or(EXIT_NOT_ALL))
        })
    };
    let asked = internal_error::catch_panic(|| {
        let application = &session.application;
        let known = if session.args.any || session.args.migrations.is_some() {
            describe_any(application, session.args.like.as_deref(), session.args.with_triggers, &stop)?
        } else {
            describe_stores(application).map_err(NoSummary::NotRead)?
        };
        let mut out = BufWriter::with_capacity(BUFFER, io::stdout().lock());
        salvage_store(session.store(), application, &known, &mut out, &stop)
    });
    watch.end();
    meter.clear();
    let asked = match asked {
        Ok(asked) => asked,
        Err(mistake) => Err(NoSummary::Ended(SalvageError::Schema(mistake))),
    };
    let interrupted = session.signals.exit_code();
    let (said, code) = match asked {
        Ok(mut account) => {
            account.hidden_commits = session.users(session.store()).and_then(Sighting::hidden_commits);
            let code = exit(&account);
            let code = if account.committed {
                code
            } else {
                interrupted.unwrap_or(code)
            };
            (describe_account(session, &account, style), code)
        }
        // The reader has closed the pipe, which is no error.
        Err(NoSummary::Ended(SalvageError::Output(error))) if error.kind() == io::ErrorKind::BrokenPipe => {
            return EXIT_PIPE_CLOSED;
        }
        Err(NoSummary::Ended(ended)) => (
            salvaged::failure_line(&describe_abort(&ended), style),
            interrupted.unwrap_or(EXIT_NOT_ALL),
        ),
        Err(NoSummary::Undoable { why, remedy }) => {
            let why = format!("{}: {why}", displayed_path(session.store()));
            let said = salvaged::undo_first(&escape_untrusted(&why, 2 * LONGEST_PATH), &remedy.steps, style);
            (said, EXIT_NOTHING)
        }
        Err(NoSummary::NotRead(error)) => {
            let why = format!("{}: {error}", displayed_path(session.store()));
            let code = if error.stopped().is_some() {
                EXIT_NOT_ALL
            } else {
                EXIT_NOTHING
            };
            (
                salvaged::failure_line(&escape_untrusted(&why, 2 * LONGEST_PATH), style),
                interrupted.unwrap_or(code),
            )
        }
    };
    print_error(&said);
    code
}

/// Returns the account in words, and what to type next.
fn describe_account(session: &Session, account: &SalvageSummary, style: Style) -> String {
    let (application, store) = (&session.application, session.store());
    let output = output_name().unwrap_or_else(|| "saved.sql".to_owned());
    let load = load_command(&output, &application.files_of(store));
    let mut next = Remedy::default().run("Make a store of what was printed, and examine that:", [load]);
    if account.tables.iter().any(|table| table.lost.count > 0) {
        next = next.run(
            "All that is known of the lost rows, names too, is in the same file:",
            [format!("grep '^-- lost' {output}")],
        );
    }
    salvaged::account(&displayed_path(store), account, &next.steps, style)
}

/// Returns the name of the file that standard output leads to, as a word of a command.
fn output_name() -> Option<String> {
    let path = std::fs::read_link("/proc/self/fd/1").ok()?;
    let file = std::fs::metadata(&path).ok()?;
    let is_output =
        metadata(&io::stdout()).is_some_and(|output| (output.dev(), output.ino()) == (file.dev(), file.ino()));
    let is_here = path.parent() == std::env::current_dir().ok().as_deref();
    let shown = if is_here {
        path.file_name().map_or(path.as_path(), Path::new)
    } else {
        &path
    };
    (is_output && file.is_file()).then(|| quote_path(shown))
}

fn displayed_path(store: &Path) -> String {
    escape_untrusted(&paths::display_path(store), LONGEST_PATH)
}

fn describe_abort(why: &impl ToString) -> String {
    format!("broken off, and the output has no COMMIT and loads nothing: {}", why.to_string())
}

/// Returns the exit code of an account.
fn exit(account: &SalvageSummary) -> u8 {
    match account {
        _ if account.given() == 0 && !(account.is_any && account.committed) => EXIT_NOTHING,
        _ if account.is_complete() => 0,
        _ => EXIT_NOT_ALL,
    }
}

/// Says something on standard error. Nothing more can be done where it is closed.
fn print_error(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
