//! Examines a store and prints the report as JSON: `cargo run --example report_as_json -- STORE`.
//!
//! It ends with 0 where no row failed, with 1 where one did.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use std::process::ExitCode;
use std::time::Duration;

use banger_doctor::Examination;

fn main() -> ExitCode {
    let Some(store) = std::env::args_os().nth(1) else {
        eprintln!("usage: report_as_json STORE");
        return ExitCode::from(64);
    };
    let report = Examination::new(store.as_os_str()).time_limit(Duration::from_secs(60)).run();
    print!("{}", report.to_json());
    ExitCode::from(u8::from(report.failed()))
}
