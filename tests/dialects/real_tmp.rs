use super::harness::*;
use banger_doctor::dialects::folder::{self, Limits};
use banger_doctor::dialects::{KnownSet, Script};
#[test]
fn real() {
    for entry in std::fs::read_dir("/tmp/tools/real").unwrap() {
        let path = entry.unwrap().path();
        let folder = folder::read(&path, &Limits::default()).unwrap();
        let possible = KnownSet::possible(&folder);
        println!("== {} {:?}", path.file_name().unwrap().to_str().unwrap(), possible);
        for dialect in possible {
            let set = KnownSet::of(&folder, dialect).unwrap();
            let mut modes = std::collections::BTreeMap::<String, usize>::new();
            let store = rusqlite::Connection::open_in_memory().unwrap();
            let mut failed = Vec::new();
            for known in &set.known {
                match &known.script {
                    Script::Sql { batches, transaction } => {
                        *modes.entry(format!("{transaction:?}")).or_default() += 1;
                        for sql in batches { if let Err(e) = store.execute_batch(sql) { failed.push(format!("{}: {e}", known.file.display())); let _ = store.execute_batch("ROLLBACK"); break; } }
                    }
                    Script::NotReplayable(why) => *modes.entry(why.words()).or_default() += 1,
                }
            }
            println!("   {:?}: {} known, {:?} beside {:?} unlisted {} failed {} {:?}", dialect, set.known.len(), modes, set.beside.iter().map(|b| b.file.display().to_string()).collect::<Vec<_>>(), set.unlisted.len(), failed.len(), failed.iter().take(3).collect::<Vec<_>>());
        }
    }
}
