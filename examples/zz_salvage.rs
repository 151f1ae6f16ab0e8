//! Throw-away: `--salvage STORE` for the bench.
use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

use banger_doctor::salvage::{Files, known, salvage};
use banger_doctor::stop::Stop;

/// Every file below a folder: how many give rows, and which are slow.
fn corpus(folder: &std::path::Path, counts: &mut (u64, u64, u64, f64)) {
    let known = known().unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            corpus(&path, counts);
            continue;
        }
        let database = File::open(&path).unwrap();
        let began = std::time::Instant::now();
        let stop = Stop::after(Duration::from_secs(20), Default::default());
        let files = Files {
            database: &database,
            journal: None,
            log: None,
        };
        let ended = salvage(files, &known, &mut std::io::sink(), &|| true, &stop);
        let took = began.elapsed().as_secs_f64();
        counts.0 += 1;
        counts.3 = counts.3.max(took);
        if took > 0.5 {
            eprintln!("{} took {took:.1} s", path.display());
        }
        match ended {
            Ok(account) => {
                let doubtful: u64 = account
                    .tables
                    .iter()
                    .map(|table| table.doubtful.count + table.deleted + table.lost.count)
                    .sum();
                if account.given() + doubtful > 0 {
                    eprintln!("{}: given {} doubtful {doubtful}", path.display(), account.given());
                }
                counts.1 += account.given();
            }
            Err(error) => {
                counts.2 += 1;
                eprintln!("{}: {error}", path.display());
            }
        }
    }
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--corpus") {
        let mut counts = (0, 0, 0, 0.0);
        corpus(std::env::args().nth(2).unwrap().as_ref(), &mut counts);
        eprintln!("{counts:?}");
        return ExitCode::SUCCESS;
    }
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
            if std::env::var_os("BRIEF").is_some() {
                for table in &account.tables {
                    let rows = |named: &banger_doctor::salvage::account::Named| -> String {
                        let one = |row: &banger_doctor::salvage::account::Row| {
                            format!("{}:{}", row.rowid.unwrap_or(-1), row.id.clone().unwrap_or_default())
                        };
                        named.rows.iter().map(one).collect::<Vec<_>>().join(",")
                    };
                    eprintln!(
                        "{} given={} deleted={} older={} flagged={} lost={} doubtful={}",
                        table.name,
                        table.given,
                        table.deleted,
                        table.older,
                        rows(&table.flagged),
                        rows(&table.lost),
                        rows(&table.doubtful)
                    );
                }
            } else {
                eprintln!("{account:#?}");
            }
            ExitCode::from(if account.given() == 0 {
                3
            } else {
                u8::from(!account.is_complete())
            })
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(1)
        }
    }
}
