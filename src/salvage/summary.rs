//! The summary of a salvage: what was given, and what not. It holds no value of a cell but ids that are UUIDs.

use super::schema::statements::Remark;

/// The most rows of each kind that a summary names; the rest it only counts.
pub const MOST_NAMED: usize = 1000;

/// The summary of a salvage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct SalvageSummary {
    /// The summary of each known table.
    pub tables: Vec<TableSummary>,
    /// The reason why nothing could be salvaged, if so.
    pub nothing: Option<NothingSaved>,
    /// The number of tables that the store names and the application does not have: they are not made anew.
    pub other_tables: u64,
    /// The names of the first of them, safe to print.
    pub other_names: Vec<String>,
    /// The ids of migrations whose rows in the ledger were lost and are restored.
    pub restored_ledger_rows: Vec<i64>,
    /// The objects that are not made anew, or not as they were.
    pub remarks: Vec<Remark>,
    /// True if the store's own schema could not be read as a whole.
    pub is_schema_damaged: bool,
    /// True if the schema is the store's own or another one's, and not that of a known application.
    pub is_any: bool,
    /// Frames of the log that are damaged.
    pub damaged_frames: u64,
    /// Pages whose newest frame is damaged: their rows may be older than the last commit.
    pub stale_pages: u64,
    /// True if the file in the log's place belongs to another store, so that commits may be missing.
    pub has_unrelated_log: bool,
    /// The suffix of the log or the journal that is not this store's, and in words why it was left out.
    pub left_out: Option<(&'static str, String)>,
    /// The reason why the committed rows cannot be told from others, if so.
    pub uncertain_commits: Option<UncertainCommits>,
    /// The program whose commits are in a file that has no name any more, in words, if there is one.
    pub hidden_commits: Option<String>,
    /// Rows too long to be held, in any table.
    pub too_long: u64,
    /// True if the output ends with COMMIT: every page was read, and the files did not change meanwhile.
    pub committed: bool,
}

/// The reason why nothing could be salvaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NothingSaved {
    /// Nothing in the file looks like a database's pages.
    NoPages,
    /// The schema is intact and names none of the application's tables.
    NotOurs,
    /// Migrations are applied that are not known.
    Newer,
}

/// The reason why the committed rows cannot be told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UncertainCommits {
    /// The journal of a transaction that was never finished is damaged, so that not all of it can be put back.
    Journal,
    /// No part of the log can be verified.
    Log,
}

impl UncertainCommits {
    /// Returns the reason in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Journal => {
                "the -journal that a crash left is damaged, so that rows may be as they were never committed"
            }
            Self::Log => "no commit in the -wal can be verified, so that rows may be older than the last commit",
        }
    }
}

/// The summary of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct TableSummary {
    /// Its name.
    pub name: String,
    /// Rows that are given.
    pub given: u64,
    /// Given rows that an index names with their key: a second witness on another page. The others stand by their page alone.
    pub confirmed: u64,
    /// True if the account says how many rows have a second witness: where no values are known, nothing else tells a wrong row.
    pub is_counted_by_witness: bool,
    /// True if it is only a part of another table.
    pub is_part: bool,
    /// True if its statement cannot be used, and its rows are given with numbered columns.
    pub is_nameless: bool,
    /// Given rows of which only the rowid is damaged: they are given under the rowid that their index has.
    pub renumbered: u64,
    /// Given rows with a value that the application never writes, or that an index contradicts.
    pub flagged: NamedRows,
    /// Lost rows: an index names them, and they are nowhere.
    pub lost: NamedRows,
    /// Intact rows that are perhaps not live: they are in comments.
    pub doubtful: NamedRows,
    /// Lost rows of which an older state is in a comment.
    pub older: u64,
    /// Rows that were found, and that the freelist or a page's free space proves deleted. Nothing of them is printed.
    pub deleted: u64,
    /// Rows that were found, that no index names, and of which nothing proves that they were deleted. Nothing of them is printed.
    pub unnamed: u64,
    /// Given rows without the values of columns that the schema does not have.
    pub missing_a_column: u64,
    /// True if an index of it is whole, so that what is given and what is lost are all the rows that it had.
    pub is_fully_indexed: bool,
    /// True if the number of its rows is not known: a page of it is gone or damaged, and no index tells what was on it.
    pub has_unknown_count: bool,
}

/// Rows of a kind: their number, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedRows {
    /// Their number.
    pub count: u64,
    /// The first of them.
    pub rows: Vec<Row>,
}

/// A row, without its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The rowid, where it is known.
    pub rowid: Option<i64>,
    /// Its id, where that is a UUID.
    pub id: Option<String>,
}

impl NamedRows {
    /// Adds a row. Its id is named if it is a UUID.
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
    /// Returns the number of intact rows: every byte of them is what was committed, as far as can be told.
    pub fn whole(&self) -> u64 {
        self.given.saturating_sub(self.flagged.count + self.renumbered)
    }
}

impl SalvageSummary {
    /// Returns the number of rows that are given.
    pub fn given(&self) -> u64 {
        self.tables.iter().map(|table| table.given).sum()
    }

    /// Returns true if all that the store names is given, and nothing of it is doubtful.
    pub fn is_complete(&self) -> bool {
        let whole = |table: &TableSummary| {
            table.lost.count + table.doubtful.count + table.flagged.count + table.missing_a_column == 0
                && !table.has_unknown_count
                && !table.is_nameless
        };
        self.committed
            && !self.is_schema_damaged
            && !self.has_unrelated_log
            && self.left_out.is_none()
            && self.uncertain_commits.is_none()
            && self.hidden_commits.is_none()
            && self.damaged_frames + self.stale_pages + self.too_long == 0
            && self.restored_ledger_rows.is_empty()
            && self.tables.iter().all(whole)
    }
}
