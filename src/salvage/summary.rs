//! What a salvage gave, and what not. It holds no value of a cell but ids that are UUIDs.

/// So many rows of each kind are named in an account; of the rest, only the number is told.
pub const MOST_NAMED: usize = 1000;

/// What a salvage gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SalvageSummary {
    /// For each known table.
    pub tables: Vec<TableSummary>,
    /// Why nothing could be looked for, where nothing could.
    pub nothing: Option<NothingSaved>,
    /// Migrations whose rows in the ledger were lost, and are written anew.
    pub restored_ledger_rows: Vec<i64>,
    /// Frames of the log that are damaged.
    pub damaged_frames: u64,
    /// Pages whose newest frame is damaged: their rows may be older than the last commit.
    pub stale_pages: u64,
    /// Whether the file in the log's place is none of this store's, so that what may have been committed to it is not there.
    pub has_unrelated_log: bool,
    /// Why nobody can tell which rows are the committed ones, where that is so.
    pub uncertain_commits: Option<UncertainCommits>,
    /// Rows too long to be held, in any table.
    pub too_long: u64,
    /// Whether the output ends with COMMIT: all was looked at, and the files did not change meanwhile.
    pub committed: bool,
}

/// Why nothing could be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NothingSaved {
    /// Nothing in the file looks like a database's pages.
    NoPages,
    /// Migrations are applied that are not known.
    Newer,
}

/// Why nobody can tell which rows are the committed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UncertainCommits {
    /// The journal of a transaction that was never finished is damaged, so that not all of it can be put back.
    Journal,
    /// No part of the log can be verified.
    Log,
}

impl UncertainCommits {
    /// The same in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Journal => {
                "the -journal that a crash left is damaged, so that rows may be as they were never committed"
            }
            Self::Log => "no commit in the -wal can be verified, so that rows may be older than the last commit",
        }
    }
}

/// What a salvage gave of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableSummary {
    /// The table.
    pub name: String,
    /// Rows that are given.
    pub given: u64,
    /// Of these, rows of which all is whole but the number that stands before them: they are given under the one by which
    /// their index names them.
    pub renumbered: u64,
    /// Of those given, rows that hold a value which the application never writes, or that an index contradicts.
    pub flagged: NamedRows,
    /// Rows that an index names, and that are nowhere.
    pub lost: NamedRows,
    /// Rows that are whole, and that are perhaps none of the store's: they stand in comments.
    pub doubtful: NamedRows,
    /// Lost rows of which an older state stands in a comment.
    pub older: u64,
    /// Rows that were deleted, and of which something was found. Nothing of them is printed.
    pub deleted: u64,
    /// Rows with values of columns that the schema has no more.
    pub missing_a_column: u64,
    /// Whether an index of it is whole, so that what is given and what is lost are all the rows that it had.
    pub is_fully_indexed: bool,
    /// Whether nobody knows how many rows it had: a page of it is gone or damaged, and no index tells what was on it.
    pub has_unknown_count: bool,
}

/// Some rows: how many, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedRows {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub rows: Vec<Row>,
}

/// A row, by what may be told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The rowid, where it is known.
    pub rowid: Option<i64>,
    /// Its id, where that is a UUID.
    pub id: Option<String>,
}

impl NamedRows {
    /// One more.
    pub fn add(&mut self, rowid: Option<i64>, id: Option<&[u8]>) {
        self.count += 1;
        if self.rows.len() < MOST_NAMED {
            let id = id.filter(|id| crate::application::values::address::is_uuid(id));
            let id = id.map(|id| String::from_utf8_lossy(id).into_owned());
            self.rows.push(Row { rowid, id });
        }
    }
}

impl TableSummary {
    /// How many rows stand whole: every byte of them is what was committed, as far as anybody can tell.
    pub fn whole(&self) -> u64 {
        self.given.saturating_sub(self.flagged.count + self.renumbered)
    }
}

impl SalvageSummary {
    /// How many rows are given.
    pub fn given(&self) -> u64 {
        self.tables.iter().map(|table| table.given).sum()
    }

    /// Whether all that the store names is given, and nothing of it is doubtful.
    pub fn is_complete(&self) -> bool {
        let whole = |table: &TableSummary| {
            table.lost.count + table.doubtful.count + table.flagged.count + table.missing_a_column == 0
                && !table.has_unknown_count
        };
        self.committed
            && !self.has_unrelated_log
            && self.uncertain_commits.is_none()
            && self.damaged_frames + self.stale_pages + self.too_long == 0
            && self.restored_ledger_rows.is_empty()
            && self.tables.iter().all(whole)
    }
}
