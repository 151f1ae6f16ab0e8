//! Throw-away: `--salvage STORE` for the bench.
use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

use banger_doctor::salvage::{Files, known, salvage};
use banger_doctor::stop::Stop;

fn main() -> ExitCode {
    let path = std::env::args().nth(2).unwrap();
    let database = File::open(&path).unwrap();
    let log = File::open(format!("{path}-wal")).ok();
    let journal = File::open(format!("{path}-journal")).ok();
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let stop = Stop::after(Duration::from_secs(300), Default::default());
    let files = Files {
        database: &database,
        journal: journal.as_ref().map(|journal| journal as _),
        log: log.as_ref().map(|log| log as _),
    };
    let ended = salvage(files, &known().unwrap(), &mut out, &|| true, &stop);
    let _ = out.flush();
    match ended {
        Ok(account) => {
            eprintln!("{account:#?}");
            ExitCode::from(if account.given() == 0 { 3 } else { u8::from(!account.is_complete()) })
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(1)
        }
    }
}
