//! Each row of the two tables that decide how a store is read, and whether what was read is believed.

use ReadMethod::{CopyOfFiles, Immutable, LockedCopy, PrivateIndex, SharedIndex, UnderLock};
use Situation::{
    Closed, Crashed, EmptyWal, FinishedJournal, HotJournal, Live, NotAWal, Rollback, RollbackLive, StaleIndex,
    WalWithoutIndex,
};

use super::*;

/// A small store that is read whole for the first time, on a machine where nothing is in the way.
fn lies(situation: Situation) -> Facts {
    Facts {
        is_alone: false,
        situation,
        in_place: match situation {
            Live | Crashed | WalWithoutIndex | NotAWal => InPlace::FileAndWal,
            _ => InPlace::File,
        },
        is_large: false,
        has_folder: true,
        need: Need::Everything,
        disturbed: 0,
    }
}

/// The ways that are tried one after the other as long as something moves.
fn ways(facts: Facts) -> Vec<ReadMethod> {
    (0..5).map(|disturbed| ReadMethod::choose(&Facts { disturbed, ..facts })).collect()
}

#[test]
fn a_way_without_a_lock_comes_first_and_one_with_a_lock_where_the_store_is_never_left_alone() {
    let table = [
        (Closed, [Immutable; 5]),
        (Live, [PrivateIndex, PrivateIndex, PrivateIndex, SharedIndex, SharedIndex]),
        (Crashed, [PrivateIndex, PrivateIndex, PrivateIndex, SharedIndex, SharedIndex]),
        (WalWithoutIndex, [PrivateIndex; 5]),
        (EmptyWal, [Immutable; 5]),
        (StaleIndex, [Immutable; 5]),
        (NotAWal, [PrivateIndex; 5]),
        (Rollback, [Immutable, Immutable, Immutable, LockedCopy, LockedCopy]),
        (FinishedJournal, [Immutable, Immutable, Immutable, LockedCopy, LockedCopy]),
        (RollbackLive, [CopyOfFiles, CopyOfFiles, CopyOfFiles, LockedCopy, LockedCopy]),
        (HotJournal, [CopyOfFiles; 5]),
    ];
    for (situation, expected) in table {
        assert_eq!(ways(lies(situation)), expected, "{situation:?}");
    }
}

#[test]
fn a_large_store_is_read_without_a_lock_once_only() {
    let large = |situation| {
        ways(Facts {
            is_large: true,
            ..lies(situation)
        })
    };
    assert_eq!(large(Live)[..2], [PrivateIndex, SharedIndex]);
    assert_eq!(large(Rollback)[..2], [Immutable, LockedCopy]);
    assert_eq!(large(RollbackLive)[..2], [CopyOfFiles, LockedCopy]);
}

#[test]
fn a_wal_too_long_for_an_index_in_memory_is_read_through_an_index_on_disk() {
    let too_long = |situation| {
        ReadMethod::choose(&Facts {
            in_place: InPlace::FileAndLongWal,
            ..lies(situation)
        })
    };
    assert_eq!([Live, Crashed, WalWithoutIndex].map(too_long), [SharedIndex, CopyOfFiles, CopyOfFiles]);
}

#[test]
fn the_ledger_alone_is_never_a_reason_to_copy_all_pages() {
    let ledger = |facts| {
        ways(Facts {
            need: Need::Ledger,
            ..facts
        })
    };
    let large = |situation| Facts {
        is_large: true,
        ..lies(situation)
    };
    assert_eq!(ledger(lies(Rollback))[2..4], [Immutable, UnderLock]);
    assert_eq!(ledger(large(Rollback))[..3], [Immutable, UnderLock, UnderLock]);
    assert_eq!(ledger(large(FinishedJournal))[..2], [Immutable, UnderLock]);
    assert_eq!(ledger(lies(RollbackLive))[2..4], [CopyOfFiles, UnderLock]);
    // A writer that keeps all readers out for long has a journal from which a copy can be made whole.
    assert_eq!(ledger(large(RollbackLive))[..4], [UnderLock, CopyOfFiles, UnderLock, CopyOfFiles]);
    // With a WAL a reader is in nobody's way.
    assert_eq!(ledger(large(Live))[..2], [PrivateIndex, SharedIndex]);
}

#[test]
fn without_a_folder_a_store_that_is_being_written_to_is_read_under_a_lock() {
    for is_large in [false, true] {
        let facts = Facts {
            has_folder: false,
            is_large,
            ..lies(RollbackLive)
        };
        assert_eq!(ways(facts), [LockedCopy; 5]);
        let need = Need::Ledger;
        assert_eq!(ways(Facts { need, ..facts }), [UnderLock; 5]);
    }
    // What must be rolled back cannot be read otherwise: that there is no folder is then the answer.
    let facts = Facts {
        has_folder: false,
        ..lies(HotJournal)
    };
    assert_eq!(ways(facts), [CopyOfFiles; 5]);
}

#[test]
fn what_sqlite_must_not_open_in_place_is_copied_whatever_else_holds() {
    for situation in [Closed, Live, Crashed, WalWithoutIndex, NotAWal, Rollback, RollbackLive] {
        for is_large in [false, true] {
            for need in [Need::Ledger, Need::Everything] {
                let facts = Facts {
                    in_place: InPlace::Nothing,
                    is_large,
                    need,
                    ..lies(situation)
                };
                assert_eq!(ways(facts), [CopyOfFiles; 5], "{facts:?}");
            }
        }
    }
}

#[test]
fn a_lock_that_others_wait_for_is_held_well_under_their_five_seconds() {
    for way in [Immutable, PrivateIndex, SharedIndex, CopyOfFiles] {
        assert_eq!(way.longest_hold(), None, "{way:?}");
    }
    for way in [UnderLock, LockedCopy] {
        let most = way.longest_hold().unwrap();
        assert!(most * 2 < Duration::from_millis(super::super::BUSY_TIMEOUT_MS.into()), "{way:?}");
    }
}

const ALL: [ReadMethod; 6] = [Immutable, PrivateIndex, SharedIndex, UnderLock, LockedCopy, CopyOfFiles];

/// A store of which nothing moved.
const STILL: Observed = Observed {
    database: FileChange::Same,
    wal: FileChange::Same,
    wal_has_content: false,
    shm: FileChange::Same,
    journal: FileChange::Same,
    write_locked: false,
    failed: false,
};

/// The ways whose answer is believed when this was seen.
fn believed(seen: Observed) -> Vec<ReadMethod> {
    let facts = lies(Rollback);
    ALL.into_iter().filter(|way| way.is_still_valid(&facts, seen)).collect()
}

#[test]
fn what_moved_is_believed_only_where_the_way_in_stands_it() {
    use FileChange::{Changed, Grew, Replaced};
    let database = |database| Observed { database, ..STILL };
    let wal = |wal| Observed {
        wal,
        wal_has_content: true,
        ..STILL
    };
    let locked = [SharedIndex, UnderLock, LockedCopy];
    let table = [
        ("nothing", STILL, &ALL[..]),
        ("the database changed", database(Changed), &locked),
        ("it grew", database(Grew), &locked),
        ("it is another file", database(Replaced), &[]),
        ("the log was appended to", wal(Grew), &[PrivateIndex, SharedIndex, UnderLock, LockedCopy]),
        ("the log was begun anew", wal(Changed), &locked),
        ("the log is another file", wal(Replaced), &[UnderLock, LockedCopy]),
        (
            "an empty log appeared",
            Observed { wal: Replaced, ..STILL },
            &[Immutable, UnderLock, LockedCopy],
        ),
        (
            "the index is another file",
            Observed { shm: Replaced, ..STILL },
            &[Immutable, PrivateIndex, UnderLock, LockedCopy, CopyOfFiles],
        ),
        ("the index changed", Observed { shm: Changed, ..STILL }, &ALL),
        (
            "a journal appeared",
            Observed {
                journal: Replaced,
                ..STILL
            },
            &[PrivateIndex, SharedIndex, UnderLock, LockedCopy],
        ),
        (
            "somebody may be writing without a journal",
            Observed {
                write_locked: true,
                ..STILL
            },
            &[PrivateIndex, SharedIndex, UnderLock, LockedCopy],
        ),
    ];
    for (what, seen, expected) in table {
        assert_eq!(believed(seen), expected, "{what}");
    }
}

#[test]
fn why_a_store_could_not_be_opened_is_believed_where_nothing_moved() {
    let failed = Observed { failed: true, ..STILL };
    assert_eq!(believed(failed), ALL);
    for moved in [
        Observed {
            database: FileChange::Changed,
            ..failed
        },
        Observed {
            wal: FileChange::Grew,
            ..failed
        },
        Observed {
            journal: FileChange::Replaced,
            ..failed
        },
    ] {
        assert_eq!(believed(moved), [], "{moved:?}");
    }
    // The index changes with every reader.
    let shm = FileChange::Changed;
    assert_eq!(believed(Observed { shm, ..failed }), ALL);
}

#[test]
fn a_writer_that_keeps_readers_out_is_no_answer_as_long_as_a_copy_was_not_tried() {
    let failed = Observed { failed: true, ..STILL };
    let first = lies(RollbackLive);
    let answers = |facts: Facts| UnderLock.is_still_valid(&facts, failed);
    assert!(!answers(first));
    assert!(answers(Facts { disturbed: 2, ..first }));
    assert!(answers(Facts {
        has_folder: false,
        ..first
    }));
    assert!(UnderLock.is_still_valid(&first, STILL));
}

#[test]
fn a_writer_with_a_journal_on_disk_is_no_reason_to_doubt_a_copy_of_the_files() {
    let writing = Observed {
        write_locked: true,
        ..STILL
    };
    for (situation, believed) in [
        (HotJournal, true),
        (RollbackLive, true),
        (Rollback, false),
        (FinishedJournal, false),
        (Closed, false),
    ] {
        assert_eq!(CopyOfFiles.is_still_valid(&lies(situation), writing), believed, "{situation:?}");
        assert!(!Immutable.is_still_valid(&lies(situation), writing), "{situation:?}");
    }
}
