//! A program examines its own store, against the migrations that it has as a slice. There is no folder of them anywhere.
//!
//! `cargo run --example own_application -- STORE` prints the report, and ends with 0 where no row failed, with 1 where one did.
//! With `--gate` before the store it prints one line instead, and ends as `doctor --check-migrations --rehearse` does: 0 compatible,
//! 1 migrations needed, 2 do not swap, 3 cannot tell. With `--migrate` it applies what is pending; that alone writes.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use banger_doctor::{Application, Compatibility, Examination, Migration};

/// The history of the ferry company's store: id, name, SQL. Its runner keeps in `ferry_migrations` what was applied.
pub const HISTORY: &[(i64, &str, &str)] = &[
    (1, "ferries", "CREATE TABLE ferries(id INTEGER PRIMARY KEY, name TEXT NOT NULL)"),
    (
        2,
        "rides",
        "CREATE TABLE rides(id INTEGER PRIMARY KEY, ferry INTEGER NOT NULL REFERENCES ferries(id), passengers INTEGER)",
    ),
    (3, "one_name_each", "CREATE UNIQUE INDEX ferries_by_name ON ferries(name)"),
];

/// What the doctor has to know of it.
pub fn ferry_company() -> Application {
    let migrations: Vec<Migration> = HISTORY.iter().map(|(id, name, sql)| Migration::new(*id, *name, *sql)).collect();
    Application::new("the ferry company", migrations).ledger("ferry_migrations")
}

fn examination(store: &Path) -> Examination {
    Examination::new(store).application(ferry_company()).time_limit(Duration::from_secs(60))
}

/// The report, and the exit code.
pub fn report(store: &Path) -> (String, u8) {
    let report = examination(store).run();
    (report.to_table(None, false), u8::from(report.failed()))
}

/// One line, and the exit code: may this program take the store over? What is pending is tried on a private copy with the real rows.
pub fn gate(store: &Path) -> (String, u8) {
    match examination(store).rehearse() {
        Err(error) => (format!("cannot tell: {error}"), 3),
        Ok(rehearsal) => match rehearsal.failure() {
            Some(why) => (format!("incompatible: {why} (do not swap)"), 2),
            None => (
                rehearsal.state().to_string(),
                match rehearsal.state().compatibility {
                    Compatibility::Compatible => 0,
                    Compatibility::MigrationsNeeded => 1,
                    Compatibility::Incompatible => 2,
                },
            ),
        },
    }
}

/// Applies what is pending, and makes the store where there is none.
pub fn migrate(store: &Path) -> (String, u8) {
    match ferry_company().migrate(store) {
        Ok(applied) => (format!("applied: {applied:?}"), 0),
        Err(error) => (format!("not migrated: {error}"), 1),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let (said, code) = match arguments.as_slice() {
        [store] => report(Path::new(store)),
        [flag, store] if flag == "--gate" => gate(Path::new(store)),
        [flag, store] if flag == "--migrate" => migrate(Path::new(store)),
        _ => {
            eprintln!("usage: own_application [--gate | --migrate] STORE");
            return ExitCode::from(64);
        }
    };
    println!("{}", said.trim_end());
    ExitCode::from(code)
}
