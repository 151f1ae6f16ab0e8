#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs
)]
use banger_doctor::format::check::{Ask, PagesDone};
use banger_doctor::format::reader::Reader;
use banger_doctor::format::row::*;
use banger_doctor::format::schema::Table;
use banger_doctor::stop::Stop;
use std::num::NonZero;
struct All;
impl Visitor for All {
    type State = (u64, u64);
    fn wants(&self, _: usize, _: &Table) -> bool {
        true
    }
    fn begin(&self) -> (u64, u64) {
        (0, 0)
    }
    fn row(&self, s: &mut (u64, u64), row: &Row<'_>) {
        for at in 0..row.columns() {
            s.0 += 1;
            match row.value(at) {
                Ok(Value::Text(t)) => s.1 += t.len() as u64 + u64::from(t.first().copied().unwrap_or(0)),
                Ok(Value::Long(l)) => s.1 += l.len() as u64,
                _ => {}
            }
        }
    }
    fn merge(&self, a: &mut (u64, u64), b: (u64, u64)) {
        a.0 += b.0;
        a.1 += b.1
    }
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let file = std::fs::File::open(&args[1]).unwrap();
    let threads = args.get(2).and_then(|t| t.parse().ok()).and_then(NonZero::new);
    let runs: usize = args.get(3).and_then(|t| t.parse().ok()).unwrap_or(1);
    for _ in 0..runs {
        let begun = std::time::Instant::now();
        let done = PagesDone::default();
        match Reader::open(&file, None, true, &Stop::never()) {
            Ok(reader) => {
                let checked = reader
                    .check(
                        &All,
                        &Ask {
                            threads,
                            progress: Some(&done),
                        },
                        &Stop::never(),
                    )
                    .unwrap();
                println!(
                    "{:?} {:?} {:?} pages {:?} fk {:?}",
                    begun.elapsed(),
                    checked.store,
                    checked.visited,
                    done.now(),
                    checked.foreign_keys
                );
                if args.len() > 4 {
                    println!("{:#?}", checked.tables);
                }
            }
            Err(answer) => println!("{answer:?}"),
        }
    }
}
