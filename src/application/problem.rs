//! The problems of a store, as values: the checks say which it is, and the application says what to do.

use crate::findings::Loss;
use crate::findings::kind::Kind;

/// Something that is wrong, with its figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// A check could not look.
    CouldNotCheck(Obstacle),
    /// No store can be read at the path.
    NoStore(NoStore),
    /// The header of the file is damaged.
    Header {
        /// The number of its fields that are out of range.
        faults: u64,
    },
    /// Fields of the header are wrong, and the rest of the file tells what is right.
    HeaderFields {
        /// The bytes that are right, with the offset of the first of them.
        right: Vec<(u32, Vec<u8>)>,
        /// The version of SQLite that wrote the store, where it is newer than the doctor's.
        newer: Option<String>,
    },
    /// The header counts fewer pages than the schema needs, and the file has them.
    PageCount {
        /// The number of pages in the file.
        pages: u32,
    },
    /// The file is cut short.
    CutShort {
        /// The number of pages that are missing at its end, as far as that is known.
        missing_pages: u64,
        /// The number of bytes of an incomplete page at its end.
        odd_bytes: u64,
    },
    /// A sidecar file is not the store's, or has lost commits.
    SidecarWrong {
        /// The suffix of the file: `-wal`, `-shm` or `-journal`.
        suffix: &'static str,
    },
    /// The header of the hot journal gives another size of the store than the rest of the journal does.
    JournalSize {
        /// The size in pages by the rest of the journal.
        pages: u32,
    },
    /// The log or the journal is another store's, or this store's of another time.
    SidecarForeign {
        /// The suffix of the file: `-wal` or `-journal`.
        suffix: &'static str,
        /// True when a `-shm` lies beside it.
        has_index: bool,
        /// True when the file may have been copied before its log.
        is_ahead: bool,
    },
    /// A sidecar file cannot be read.
    SidecarUnreadable {
        /// The suffix of the file: `-wal`, `-shm` or `-journal`.
        suffix: &'static str,
    },
    /// A sidecar file keeps the database's owner from writing.
    Owner {
        /// The suffixes of the files.
        suffixes: Vec<&'static str>,
    },
    /// A program has the store open and does not work with the files that lie there, or will soon not.
    InUse {
        /// The worst fault.
        fault: UseFault,
        /// The descriptors that still give the program's files.
        copies: Vec<OpenCopy>,
        /// True where a `-wal` lies beside the store, which is not the program's.
        log_lies_here: bool,
    },
    /// The doctor left sidecar files behind.
    LeftBehind {
        /// The suffixes of the files: `-wal`, `-shm` or `-journal`.
        suffixes: Vec<&'static str>,
    },
    /// SQLite's integrity check found something; this is the worst of it.
    Structure(Damage),
    /// Only indexes are wrong, in a store with collations that no other program has.
    StaleIndexes {
        /// Those that any program can rebuild, when that is all of them and their names are plain words.
        names: Vec<String>,
    },
    /// Full-text or spatial indexes, or the statistics of the query planner, are wrong.
    Derived {
        /// The subject of the gravest fault.
        subject: DerivedSubject,
        /// The number of rows that they name and that their own tables lack.
        lost_rows: u64,
        /// True if pages that nothing leads to hold rows, which may be theirs.
        has_unreached_rows: bool,
        /// The way to mend each of them.
        mends: Vec<Mend>,
    },
    /// Rows of `sqlite_schema` say something else than their objects are. Those that can be mended: the rowid, and the assignment that
    /// puts the row right.
    SchemaRows(Vec<(i64, String)>),
    /// SQLite refuses an object of the schema, and so the store.
    SchemaRefused {
        /// The statements that take the object out of the schema, where that costs no row.
        statement: Option<String>,
        /// True if the object is an index, whose pages then belong to nothing.
        leaves_pages: bool,
        /// The version of SQLite that wrote the store, where it is newer than the doctor's.
        newer: Option<String>,
    },
    /// Migrations are applied that this binary, or the folder, does not have.
    Newer {
        /// Their number.
        unknown: u64,
    },
    /// The ledger of a migration tool says that a migration did not come to its end.
    Unfinished {
        /// The tool that keeps the ledger.
        tool: &'static str,
        /// The command that tells the tool what became of it.
        settled_by: Option<&'static str>,
        /// The extent to which it was applied.
        reached: Reached,
    },
    /// The lock by which a migration tool keeps two programs from migrating at once is held.
    LedgerLocked {
        /// The tool.
        tool: &'static str,
        /// The command that releases it.
        released_by: Option<&'static str>,
    },
    /// The ledger is empty, and what the migrations make is there.
    NeverRecorded {
        /// The tool that keeps the ledger.
        tool: &'static str,
    },
    /// The ledger and the folder do not agree; this is the worst of it.
    Folder(FolderFault),
    /// The ledger does not match the known history; this is the worst of it.
    History(HistoryFault),
    /// The applied migrations cannot be replayed, and so cannot have made any store.
    ImpossibleHistory {
        /// Their number.
        applied: u64,
    },
    /// The schema is not what the applied migrations give.
    Shape {
        /// The impact of the worst difference.
        worst: Impact,
        /// The number of differences.
        differences: u64,
    },
    /// A table is empty, and its rows are in another table.
    RowsElsewhere {
        /// The table that should have the rows.
        table: String,
        /// True if it is missing, and not only empty.
        is_missing: bool,
        /// The table that holds the rows.
        holder: String,
        /// The columns that both have.
        columns: Vec<String>,
    },
    /// The pending migrations would go wrong.
    Rehearsal {
        /// The number of faults.
        faults: u64,
        /// True if all of them were wrong before the migrations.
        were_there: bool,
        /// True if a cascade takes rows or references that no statement names.
        by_cascade: bool,
    },
    /// Rows refer to rows that are not there.
    Dangling {
        /// Their number.
        rows: u64,
    },
    /// The foreign keys of some tables could not be checked, and nothing is wrong with those of the others.
    KeysNotChecked {
        /// The number of tables.
        tables: u64,
    },
    /// Values that the application does not write.
    Values {
        /// Their number.
        values: u64,
    },
    /// Tables could not be read to their end.
    NotReadToEnd {
        /// Their number.
        tables: u64,
    },
    /// Files that the store names are not there, or of the wrong kind.
    NamedFiles {
        /// Their number.
        wrong: u64,
    },
    /// The doctor may not look where the store names files.
    FilesNotAllowed {
        /// Their number.
        paths: u64,
    },
}

/// The faults of a program that has the store open, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UseFault {
    /// Its `-wal`, or `-wal` and `-shm`, were deleted.
    LogDeleted,
    /// The store was replaced under it.
    Replaced,
    /// It writes to the log that lies here, and has another database open.
    OtherDatabase,
    /// Its `-shm` alone was deleted.
    IndexDeleted,
    /// It has lost its locks.
    LocksLost,
}

/// A file that a program has open, from which it can be copied while the program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenCopy {
    /// The program's number.
    pub pid: u32,
    /// The number of its descriptor.
    pub fd: u32,
    /// The end of the name that the file had beside the database.
    pub suffix: &'static str,
}

impl Problem {
    /// Returns the knowledge about data that is lost by it, before rows are counted.
    pub(crate) fn loss(&self) -> Loss {
        match self {
            Self::CutShort { missing_pages, .. } if *missing_pages > 0 => Loss::Yes,
            Self::NoStore(NoStore::BytesBefore { is_whole: true, .. }) | Self::SchemaRefused { .. } => Loss::No,
            Self::NoStore(NoStore::Converted(conversion)) if conversion.is_reversible() => Loss::No,
            Self::SidecarWrong { .. }
            | Self::SidecarForeign { .. }
            | Self::SidecarUnreadable { .. }
            | Self::NoStore(_)
            | Self::CouldNotCheck(_)
            // What is missing was deleted, was never there, or is lost; and the older of two states may be the table's.
            | Self::Dangling { .. }
            | Self::Structure(Damage::Differ)
            | Self::Shape { worst: Impact::Reads, .. } => Loss::Unknown,
            Self::InUse { fault, .. } if *fault != UseFault::LocksLost => Loss::Unknown,
            problem if problem.can_lose_rows() => Loss::Unknown,
            _ => Loss::No,
        }
    }

    /// Returns the fixed word by which reports of many stores are sorted.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::CouldNotCheck(obstacle) => match obstacle {
                Obstacle::TimeLimit => Kind::TimeLimit,
                Obstacle::Interrupted => Kind::Interrupted,
                Obstacle::InternalError => Kind::InternalError,
                Obstacle::Damage => Kind::Damaged,
                Obstacle::Schema => Kind::SchemaRow,
                _ => Kind::CouldNotLook,
            },
            Self::NoStore(what) => match what {
                NoStore::Missing => Kind::FileMissing,
                NoStore::DanglingLink => Kind::DanglingLink,
                NoStore::WrongKind => Kind::NotAFile,
                NoStore::Unreadable | NoStore::LockedByMode => Kind::Unreadable,
                NoStore::Empty | NoStore::EmptyWithoutLog | NoStore::EmptyWithSidecar { .. } => Kind::FileEmpty,
                NoStore::SizeUnknown => Kind::CouldNotLook,
                NoStore::NotSqlite | NoStore::GitLfsPointer | NoStore::Noise => Kind::NotADatabase,
                NoStore::FirstPageGone { .. } => Kind::FirstPageGone,
                NoStore::BytesBefore { .. } => Kind::BytesBefore,
                NoStore::Converted(_) => Kind::TextConversion,
                NoStore::Overwritten => Kind::Overwritten,
                NoStore::CutInHeader => Kind::FileCut,
            },
            Self::HeaderFields { newer: Some(_), .. } | Self::SchemaRefused { newer: Some(_), .. } => Kind::NewerSqlite,
            Self::Header { .. } | Self::HeaderFields { .. } | Self::PageCount { .. } => Kind::HeaderDamaged,
            Self::CutShort { .. } => Kind::FileCut,
            Self::SidecarWrong { suffix } if *suffix == "-journal" => Kind::JournalDamaged,
            Self::JournalSize { .. } => Kind::JournalDamaged,
            Self::SidecarWrong { .. } => Kind::WalDamaged,
            Self::SidecarForeign { suffix, .. } if *suffix == "-journal" => Kind::JournalOfAnotherStore,
            Self::SidecarForeign { .. } => Kind::WalOfAnotherStore,
            Self::SidecarUnreadable { .. } => Kind::Unreadable,
            Self::Owner { .. } => Kind::Owner,
            Self::InUse { fault, .. } => match fault {
                UseFault::LogDeleted | UseFault::IndexDeleted => Kind::LogDeleted,
                UseFault::Replaced | UseFault::OtherDatabase => Kind::StoreReplaced,
                UseFault::LocksLost => Kind::LocksLost,
            },
            Self::LeftBehind { .. } => Kind::LeftBehind,
            Self::Structure(damage) => match damage {
                Damage::Rows => Kind::Damaged,
                Damage::Keys => Kind::KeysWithoutRows,
                Damage::OutOfReach => Kind::RowsOutOfReach,
                Damage::Freelist => Kind::FreelistWrong,
                Damage::Disagree => Kind::IndexDisagrees,
                Damage::Differ => Kind::IndexDiffers,
                Damage::Duplicate => Kind::DuplicateKey,
                Damage::Index => Kind::IndexOnly,
                Damage::Constraint => Kind::Constraint,
                Damage::Unaccounted => Kind::PagesUnaccounted,
                Damage::NotChecked => Kind::CouldNotLook,
                Damage::Refused => Kind::VirtualTableRefused,
            },
            Self::StaleIndexes { .. } => Kind::IndexOnly,
            Self::Derived { lost_rows: 1.., .. } => Kind::RowsLost,
            Self::Derived { subject, .. } => subject.kind(),
            Self::SchemaRows(_) => Kind::SchemaRow,
            Self::SchemaRefused { .. } => Kind::SchemaRefused,
            Self::Newer { .. } => Kind::UnknownMigrations,
            Self::Unfinished { .. } => Kind::MigrationUnfinished,
            Self::LedgerLocked { .. } => Kind::LedgerLocked,
            Self::NeverRecorded { .. } => Kind::NeverRecorded,
            Self::Folder(_) => Kind::FolderDiffers,
            Self::History(_) | Self::ImpossibleHistory { .. } => Kind::LedgerWrong,
            Self::Shape { .. } | Self::RowsElsewhere { .. } => Kind::ShapeDiffers,
            Self::Rehearsal { .. } => Kind::RehearsalFails,
            Self::Dangling { .. } => Kind::DanglingReference,
            Self::KeysNotChecked { .. } | Self::NotReadToEnd { .. } | Self::FilesNotAllowed { .. } => {
                Kind::CouldNotLook
            }
            Self::Values { .. } => Kind::WrongValue,
            Self::NamedFiles { .. } => Kind::NamedFileMissing,
        }
    }

    /// Returns true if it only says that damaged pages kept a check from looking.
    pub(crate) fn follows_damage(&self) -> bool {
        matches!(
            self,
            Self::CouldNotCheck(Obstacle::Damage) | Self::NotReadToEnd { .. } | Self::KeysNotChecked { .. }
        )
    }

    /// Returns true if rows may be lost, or seem to be.
    pub(crate) fn can_lose_rows(&self) -> bool {
        match self {
            Self::CouldNotCheck(obstacle) => *obstacle == Obstacle::Damage,
            Self::NoStore(what) => {
                matches!(what, NoStore::NotSqlite | NoStore::Noise | NoStore::FirstPageGone { .. })
            }
            Self::Header { .. }
            | Self::HeaderFields { .. }
            | Self::PageCount { .. }
            | Self::CutShort { .. }
            | Self::SchemaRefused { .. } => true,
            Self::Structure(damage) => matches!(
                damage,
                Damage::Rows | Damage::NotChecked | Damage::Keys | Damage::OutOfReach | Damage::Disagree
            ),
            Self::Derived {
                lost_rows,
                has_unreached_rows,
                mends,
                ..
            } => *lost_rows > 0 || *has_unreached_rows || mends.contains(&Mend::ByProgramFromBackup),
            _ => false,
        }
    }
}

/// The reason why a check could not look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The time limit ran out.
    TimeLimit,
    /// The store's writers would have to wait too long.
    WritersWait,
    /// Ctrl-C.
    Interrupted,
    /// A bound of the doctor's own: memory, or the length of a value.
    ResourceLimit,
    /// The doctor itself failed.
    InternalError,
    /// The ledger is not the application's.
    ForeignLedger,
    /// Another process holds the write lock, without a journal on disk.
    WriteLocked,
    /// The store changed during each attempt to read it.
    KeepsChanging,
    /// A private copy is needed and could not be made.
    NoCopy,
    /// The file itself is damaged.
    Damage,
    /// The schema says something else than SQLite reads, or the ledger's pages are not its own.
    Schema,
    /// Something else, which the detail says.
    Other,
}

/// The thing at a path that is not a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoStore {
    /// Nothing.
    Missing,
    /// A symbolic link to nothing.
    DanglingLink,
    /// A folder, a pipe, a device.
    WrongKind,
    /// A file that may not be read.
    Unreadable,
    /// A file of the caller's whose mode keeps the caller from reading it.
    LockedByMode,
    /// A file of no bytes.
    Empty,
    /// A database in WAL mode with no table and no log.
    EmptyWithoutLog,
    /// An empty file with a sidecar file that holds its content.
    EmptyWithSidecar {
        /// The file that holds it: `-wal` or `-journal`.
        suffix: &'static str,
    },
    /// A file that does not say how large it is.
    SizeUnknown,
    /// Another format, in which nothing of a database was found.
    NotSqlite,
    /// The place-holder of a file that Git LFS has not fetched.
    GitLfsPointer,
    /// Random bytes: noise, or a database that is encrypted as a whole.
    Noise,
    /// A database whose first page is gone, or whose header is.
    FirstPageGone {
        /// The remains of the first page.
        intact: FirstPage,
        /// The size of its pages in bytes, by their form.
        page_size: u32,
        /// The number of pages in the file.
        pages: u32,
    },
    /// A database that begins further on in the file.
    BytesBefore {
        /// The number of bytes before it.
        bytes: u64,
        /// The file is as long as its header says.
        is_whole: bool,
    },
    /// A database that went through a conversion of text.
    Converted(Conversion),
    /// Another format, in which rows of the application's still lie.
    Overwritten,
    /// A database that ends within its header.
    CutInHeader,
}

/// The remains of the first page of a database that does not begin like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstPage {
    /// All of it but the first 18 bytes: the magic and the page size.
    AllButMagic,
    /// All of it but the header of 100 bytes.
    AllButHeader,
    /// Nothing that can be used.
    Nothing,
}

/// A conversion that a file went through as if it were text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conversion {
    /// A carriage return was put before each line feed: undone exactly by taking away those.
    CarriageReturnsAdded {
        /// The number of line feeds.
        count: u64,
    },
    /// Each byte was taken for a Latin-1 character and written as UTF-8: undone exactly.
    Latin1ToUtf8 {
        /// The number of bytes that the file had.
        original_size: u64,
    },
    /// Bytes that are not UTF-8 were replaced by U+FFFD: cannot be undone.
    Replaced {
        /// The number of replacement characters.
        count: u64,
    },
    /// No carriage return is left in the file, without which no page of a table can begin: cannot be undone.
    CarriageReturnsLost,
}

impl Conversion {
    /// Returns true when the file can be had again as it was, byte for byte.
    pub(crate) fn is_reversible(self) -> bool {
        matches!(self, Self::CarriageReturnsAdded { .. } | Self::Latin1ToUtf8 { .. })
    }
}

/// The subject of a fault that SQLite's integrity check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Damage {
    /// Rows of a table.
    Rows,
    /// An index names rows that its table does not have.
    Keys,
    /// Pages that nothing leads to hold rows.
    OutOfReach,
    /// The freelist lists pages that are in use, or fewer than the header counts.
    Freelist,
    /// An index and its table disagree, and it could not be counted how.
    Disagree,
    /// An index and its table hold different keys for the same row.
    Differ,
    /// Two rows have the same key in a unique index.
    Duplicate,
    /// An index lacks entries: no row is lost.
    Index,
    /// A value that its column forbids: nothing is lost.
    Constraint,
    /// Pages that belong to nothing: nothing is lost.
    Unaccounted,
    /// A part that could not be checked.
    NotChecked,
    /// A virtual table that its own module refuses.
    Refused,
}

/// The kinds of what SQLite makes from rows and keeps in tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DerivedSubject {
    /// A full-text index.
    FullText,
    /// A spatial index.
    Spatial,
    /// A table with statistics for the query planner.
    Statistics,
}

impl DerivedSubject {
    /// Returns the fixed word for a fault in it.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::FullText => Kind::FullTextIndex,
            Self::Spatial => Kind::SpatialIndex,
            Self::Statistics => Kind::PlannerStatistics,
        }
    }
}

/// The way to mend what is made from rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mend {
    /// To rebuild it, by these scripts of SQL if its name can be typed.
    Rebuild(Option<Vec<String>>),
    /// It cannot be rebuilt from what is there: to drop it, by these scripts.
    Drop(Option<Vec<String>>),
    /// To have SQLite make statistics anew, by these scripts.
    Analyze(Vec<String>),
    /// Only its program can make it anew.
    ByProgram,
    /// Only its program can make it anew, and rows that it held itself are gone.
    ByProgramFromBackup,
    /// It names rows that are not there, and must be kept for them.
    KeepFirst,
}

/// A fault in a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HistoryFault {
    /// Migrations under names that they had in development: what they do now was never done.
    FormerName {
        /// Their ids.
        ids: Vec<i64>,
    },
    /// Rows are gone, and the tables show that their migrations ran.
    RowsGone {
        /// Their ids.
        ids: Vec<i64>,
        /// True if the ledger itself is gone with them.
        is_ledger_gone: bool,
    },
    /// Known migrations are missing below one that is applied.
    Gap {
        /// Their ids.
        missing: Vec<i64>,
    },
    /// Known migrations are applied under other names.
    OtherName {
        /// Their ids.
        ids: Vec<i64>,
    },
    /// Names or times that the application does not write.
    Malformed {
        /// Their number.
        values: u64,
    },
}

/// The extent to which an unfinished migration was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    /// It is not known.
    Unknown,
    /// Nothing of it is there.
    Nothing,
    /// All of it is there.
    Everything,
    /// A part of it is there.
    Partial,
}

/// A disagreement between a ledger and a folder, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FolderFault {
    /// A migration was never applied, a later one was, and the tool refuses that.
    Gap,
    /// A file is not there, and the tool runs nothing without it.
    NotThere,
    /// Several files have one version.
    Twice,
    /// The tool will never run a file.
    NeverRun,
    /// A file was changed after it was applied.
    Edited,
    /// A file has other line ends than when it was applied.
    LineEnds,
}

/// The impact of a difference between a store's schema and the known one, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Impact {
    /// Reads of the daemon fail, because a table or column is missing.
    Reads,
    /// Rows change without a statement that says so, as by a trigger.
    SilentChange,
    /// Writes of the daemon may be refused.
    Writes,
    /// Values are accepted that the daemon expects to be refused.
    Unguarded,
    /// Everything works, only slower or with another definition.
    Equivalent,
    /// An object that the daemon does not use.
    Extra,
}
