//! Fixed words for what is wrong, by which the reports of a fleet are sorted without reading prose. `docs/json.md` lists them.

/// Lists the kinds: each variant with its word and its meaning.
macro_rules! kinds {
    ($($(#[doc = $meaning:literal])+ $variant:ident => $name:literal,)+) => {
        /// A fixed word for what is wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Kind {
            $($(#[doc = $meaning])+ $variant,)+
        }

        impl Kind {
            /// Every kind.
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the word: lower case, with hyphens.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

kinds! {
    /// A check tried and could not look.
    CouldNotLook => "could-not-look",
    /// The time limit ended a check.
    TimeLimit => "time-limit",
    /// The user ended a check.
    Interrupted => "interrupted",
    /// The doctor itself failed.
    InternalError => "internal-error",
    /// There is no file at the path.
    FileMissing => "file-missing",
    /// The path is a symbolic link to nothing.
    DanglingLink => "dangling-link",
    /// A folder, a pipe or a device is at the path.
    NotAFile => "not-a-file",
    /// A file may not be read.
    Unreadable => "unreadable",
    /// The file has no bytes.
    FileEmpty => "file-empty",
    /// The file ends before its last page.
    FileCut => "file-cut",
    /// The file is not an SQLite database.
    NotADatabase => "not-a-database",
    /// The file is not an SQLite database, and pages of one are in it.
    Overwritten => "overwritten",
    /// The file's first page is gone, or its header, and other pages of a database are in it.
    FirstPageGone => "first-page-gone",
    /// Other bytes stand before the database.
    BytesBefore => "bytes-before",
    /// The file was converted as if it were text.
    TextConversion => "text-conversion",
    /// Bytes lie behind the last page.
    BytesBehind => "bytes-behind",
    /// A field of the header is out of range, or it counts too few pages.
    HeaderDamaged => "header-damaged",
    /// SQLite refuses an object of the schema.
    SchemaRefused => "schema-refused",
    /// A newer SQLite wrote the store than the doctor has.
    NewerSqlite => "newer-sqlite",
    /// The `-wal` or `-shm` is damaged, or has lost commits.
    WalDamaged => "wal-damaged",
    /// The rollback journal is damaged.
    JournalDamaged => "journal-damaged",
    /// A program has the store open, and its `-wal` or `-shm` was deleted.
    LogDeleted => "log-deleted",
    /// A program has another database open than the one that lies there.
    StoreReplaced => "store-replaced",
    /// A program has the store open without the locks that SQLite always holds.
    LocksLost => "locks-lost",
    /// The owner or the mode of a file keeps the store's owner from using the store.
    Owner => "owner",
    /// The `-wal` is many times the size of the store.
    LargeLog => "large-log",
    /// The store lies on a file system on which SQLite's locks cannot be relied on.
    FileSystem => "file-system",
    /// A version of SQLite wrote last that can damage the store.
    LastWriter => "last-writer",
    /// The `-wal` is another store's, or this store's of another time.
    WalOfAnotherStore => "wal-of-another-store",
    /// The rollback journal is another store's, or this store's of another time.
    JournalOfAnotherStore => "journal-of-another-store",
    /// The `-wal` was last written long before its file.
    OlderLog => "older-log",
    /// The doctor left a file beside the store.
    LeftBehind => "left-behind",
    /// Pages that hold rows are damaged.
    Damaged => "damaged",
    /// Rows are lost.
    RowsLost => "rows-lost",
    /// A row is intact, and nothing tells if it is live.
    RowDoubtful => "row-doubtful",
    /// A row has a damaged value, or an index contradicts it.
    RowDamaged => "row-damaged",
    /// An index names a row that its table does not have.
    KeysWithoutRows => "keys-without-rows",
    /// Pages that nothing leads to hold rows.
    RowsOutOfReach => "rows-out-of-reach",
    /// The freelist lists pages that are in use, or fewer than the header counts.
    FreelistWrong => "freelist-wrong",
    /// An index and its table disagree, and it could not be counted how.
    IndexDisagrees => "index-disagrees",
    /// An index and its table hold different keys for the same row.
    IndexDiffers => "index-differs",
    /// Two rows have the same key in a unique index.
    DuplicateKey => "duplicate-key",
    /// An index is wrong and no row of its table is.
    IndexOnly => "index-only",
    /// A row holds a value that its column or a unique index forbids.
    Constraint => "constraint",
    /// A full-text index is damaged or out of step with its rows.
    FullTextIndex => "full-text-index",
    /// A spatial index is damaged.
    SpatialIndex => "spatial-index",
    /// The statistics of the query planner are damaged.
    PlannerStatistics => "planner-statistics",
    /// An index holds numbers that differ in their last digits from those that this SQLite computes.
    IndexRounded => "index-rounded",
    /// Pages belong to nothing.
    PagesUnaccounted => "pages-unaccounted",
    /// The module of a virtual table refuses to open it.
    VirtualTableRefused => "virtual-table-refused",
    /// A row of `sqlite_schema` says something else than its object is.
    SchemaRow => "schema-row",
    /// Migrations are applied that are not known.
    UnknownMigrations => "unknown-migrations",
    /// A migration did not come to its end.
    MigrationUnfinished => "migration-unfinished",
    /// The lock of a migration tool is held.
    LedgerLocked => "ledger-locked",
    /// The ledger is empty and what the migrations make is there.
    NeverRecorded => "never-recorded",
    /// The ledger and the folder of migrations disagree.
    FolderDiffers => "folder-differs",
    /// The ledger does not match the known history.
    LedgerWrong => "ledger-wrong",
    /// The schema is not what the applied migrations give.
    ShapeDiffers => "shape-differs",
    /// An index that no migration makes.
    IndexExtra => "index-extra",
    /// The pending migrations would go wrong.
    RehearsalFails => "rehearsal-fails",
    /// A row references a missing row.
    DanglingReference => "dangling-reference",
    /// A foreign key that seems never to have been enforced: its dangling rows are no loss.
    KeyNotEnforced => "key-not-enforced",
    /// The counter of an AUTOINCREMENT table is at its end.
    CounterAtEnd => "counter-at-end",
    /// The counter of an AUTOINCREMENT table is there more than once, or is no integer.
    CounterWrong => "counter-wrong",
    /// A value is one that the application does not write.
    WrongValue => "wrong-value",
    /// A file that the store names is missing or of the wrong kind.
    NamedFileMissing => "named-file-missing",
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_kind_has_a_word_of_its_own_that_the_page_on_json_explains() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json.md")).unwrap();
        let names: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        for name in names {
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}");
            assert!(page.contains(&format!("| `{name}` |")), "docs/json.md does not explain `{name}`");
        }
    }
}
