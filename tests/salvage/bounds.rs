//! Time, memory, and what ends a salvage.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use banger_doctor::inside::known;
use banger_doctor::limits::stop::Stop;
use banger_doctor::salvage::{Files, PassLimits, SalvageError, salvage, salvage_within};

use super::damage::damage;
use super::random::Random;
use super::saved::{Saved, save};
use super::stores::make;

#[test]
fn many_small_passes_give_what_one_gives() {
    let folder = tempfile::tempdir().unwrap();
    let room = PassLimits {
        blocks: 2,
        candidates: 8,
    };
    for seed in 0..40 {
        let made = make(seed, folder.path());
        let mut bytes = made.bytes.clone();
        if seed % 2 == 1 {
            damage(&mut bytes, made.page_size, &mut Random(seed));
        }
        let files = Files {
            database: &bytes,
            journal: None,
            log: made.log.as_ref().map(|log| log as _),
        };
        let one = save(&bytes, made.log.as_ref());
        let mut out = Vec::new();
        let account = salvage_within(files, &known().unwrap(), &mut out, &|| true, &Stop::never(), room).unwrap();
        let many = Saved {
            sql: String::from_utf8(out).unwrap(),
            account,
        };
        assert_eq!(many.vms(), one.vms(), "seed {seed}");
        if seed % 2 == 0 {
            assert_eq!(many.account, one.account, "seed {seed}");
        }
    }
}

#[test]
fn what_is_broken_off_has_no_commit() {
    let folder = tempfile::tempdir().unwrap();
    let made = make(4, folder.path());
    let files = Files {
        database: &made.bytes,
        journal: None,
        log: None,
    };
    let mut out = Vec::new();
    let late = Stop::after(Duration::ZERO, Arc::new(AtomicBool::new(false)));
    assert!(matches!(
        salvage(files, &known().unwrap(), &mut out, &|| true, &late),
        Err(SalvageError::Stopped(_))
    ));
    assert!(!String::from_utf8_lossy(&out).contains("COMMIT;"));
    out.clear();
    let account = salvage(files, &known().unwrap(), &mut out, &|| false, &Stop::never()).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!account.committed && !text.contains("COMMIT;") && text.ends_with("ROLLBACK;\n"));
}

#[test]
fn an_output_that_is_full_ends_it() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let made = make(4, folder.path());
    let files = Files {
        database: &made.bytes,
        journal: None,
        log: None,
    };
    let ended = salvage(files, &known().unwrap(), &mut Full(3000), &|| true, &Stop::never());
    assert!(matches!(ended, Err(SalvageError::Output(_))), "{ended:?}");
}
