//! Counts the rows of a damaged store of which nothing is known: those that its trees still lead to, and those that only an index names.

use std::cmp::Reverse;

use crate::application::values::address::is_uuid;
use crate::findings::kind::Kind;
use crate::findings::{CountedTable, Finding, LONGEST_NAME, Loss};
use crate::limits::stop::Stop;
use crate::probe::Probe;
use crate::report::outcome::Failure;
use crate::store::Access;
use crate::store::introspect::is_sqlites_own;
use crate::store::page_reader::cross_check;
use crate::text::escape::escape_untrusted;
use crate::text::words::{plural, thousands};
use sqlite_format::cross_check::{IndexFacts, RowName, TableFacts};

/// The most tables that a sentence names.
const MOST_TABLES: usize = 4;

/// The most rows that a sentence names.
const MOST_ROWS: usize = 3;

/// The rows of the tables.
#[derive(Debug)]
pub(super) struct RowCounts {
    /// The tables, those with damage first, then the largest.
    tables: Vec<TableFacts>,
    /// True if pages that nothing leads to hold rows: then a row that only an index names may be one of them, and is not called lost.
    has_rows_out_of_reach: bool,
}

impl RowCounts {
    /// Reads a store; `None` if its files can only be read by SQLite, or it is time to stop, or no table has damage.
    pub(super) fn read(probe: &Probe, access: &Access<'_>, stop: &Stop) -> Option<Self> {
        let facts = cross_check(probe, access, stop).ok()??;
        let is_counted = |table: &TableFacts| !is_sqlites_own(table.name.as_bytes()) && table.root > 1;
        let mut tables: Vec<TableFacts> = facts.tables.into_iter().filter(is_counted).collect();
        tables.sort_by_key(|table| (table.is_whole, Reverse(table.rows)));
        let has_rows_out_of_reach = facts.pages.rows > 0 || facts.pages.at_least;
        tables.first().is_some_and(|table| !table.is_whole).then_some(Self {
            tables,
            has_rows_out_of_reach,
        })
    }

    /// Adds the rows to a failure.
    pub(super) fn add_to(&self, mut failure: Failure) -> Failure {
        let damaged = self.tables.iter().filter(|table| !table.is_whole).count();
        let mut parts: Vec<String> = self
            .tables
            .iter()
            .take(MOST_TABLES.max(damaged.min(2 * MOST_TABLES)))
            .map(|table| self.describe(table))
            .collect();
        let more = self.tables.len() - parts.len();
        if more > 0 {
            parts.push(format!("and {} more", plural(more as u64, "table", "tables")));
        }
        failure.detail += &format!("; {}", parts.join("; "));
        for table in self.tables.iter().filter(|table| !table.is_whole) {
            let Some((index, _)) = witness(table).filter(|_| !self.has_rows_out_of_reach) else {
                continue;
            };
            let lost = &index.keys_without_rows;
            for row in &lost.first {
                let is_there = |finding: &Finding| {
                    finding.row == row.rowid
                        && finding.table.as_deref() == Some(table.name.as_str())
                        && row.rowid.is_some()
                };
                if !failure.findings.kept.iter().any(is_there) {
                    failure.findings.add(|| name(row).table(&table.name));
                }
            }
            failure.findings.total += lost.count.saturating_sub(lost.first.len() as u64);
        }
        failure.counted = Some(self.loss());
        failure
    }

    /// Returns the rows of each table, counted.
    pub(super) fn counted_tables(&self) -> Vec<CountedTable> {
        let counted = |table: &TableFacts| {
            let witness = witness(table).filter(|_| !self.has_rows_out_of_reach);
            CountedTable {
                name: escape_untrusted(&table.name, LONGEST_NAME),
                intact: table.rows - table.torn_rows,
                lost: witness.map_or(0, |(index, _)| index.keys_without_rows.count),
                at_least: !table.is_whole && witness.is_none_or(|(_, is_complete)| !is_complete),
            }
        };
        self.tables.iter().map(counted).collect()
    }

    /// Describes the rows of a table: `people: 1,994 of 2,000 rows stand whole, 6 are lost: row 17, row 18, row 19 and 3 more`.
    fn describe(&self, table: &TableFacts) -> String {
        let whole = table.rows - table.torn_rows;
        let mut words = format!("{}: ", crate::text::words::cut(&table.name, LONGEST_NAME));
        let stand = plural(whole, "row stands", "rows stand");
        if table.is_whole {
            return words
                + &match whole {
                    0 => "no row, and no damaged page".to_owned(),
                    1 => "its only row stands whole".to_owned(),
                    many => format!("all {} rows stand whole", thousands(many)),
                };
        }
        if self.has_rows_out_of_reach {
            words += &format!("{} in reach", plural(whole, "row is", "rows are"));
            if let Some((index, _)) = witness(table).filter(|(index, _)| index.keys_without_rows.count > 0) {
                words += &format!(
                    ", and an index names {}, which may be on pages that nothing leads to",
                    plural(index.keys_without_rows.count, "more", "more")
                );
            }
            return words + &describe_damage(table);
        }
        match witness(table).filter(|(index, is_complete)| *is_complete || index.keys_without_rows.count > 0) {
            Some((index, is_complete)) => {
                let lost = &index.keys_without_rows;
                if is_complete {
                    let of = plural(table.rows + lost.count, "row", "rows");
                    let stand = if whole == 1 { "stands" } else { "stand" };
                    words += &format!(
                        "{} of {of} {stand} whole, {} lost",
                        thousands(whole),
                        plural(lost.count, "is", "are")
                    );
                } else {
                    words += &format!("{stand} whole, at least {} lost", plural(lost.count, "is", "are"));
                }
                let named: Vec<String> = lost
                    .first
                    .iter()
                    .take(MOST_ROWS)
                    .filter_map(|row| Some(format!("row {}", row.rowid?)))
                    .collect();
                let more = lost.count - named.len() as u64;
                match (named.is_empty(), more) {
                    (true, _) => {}
                    (false, 0) => words += &format!(": {}", named.join(", ")),
                    (false, more) => words += &format!(": {} and {} more", named.join(", "), thousands(more)),
                }
            }
            None => words += &format!("{stand} whole, how many it had is not known"),
        }
        if table.torn_rows > 0 {
            words += &format!(", {} without their end", plural(table.torn_rows, "is", "are"));
        }
        words + &describe_damage(table)
    }

    fn loss(&self) -> Loss {
        let has_lost = |table: &TableFacts| witness(table).is_some_and(|(index, _)| index.keys_without_rows.count > 0);
        if !self.has_rows_out_of_reach && self.tables.iter().any(|table| !table.is_whole && has_lost(table)) {
            Loss::Yes
        } else {
            Loss::Unknown
        }
    }
}

/// Returns the index of a table that names the most rows which are not there, and true if it has an entry for each row.
fn witness(table: &TableFacts) -> Option<(&IndexFacts, bool)> {
    let is_complete = |index: &IndexFacts| {
        index.is_whole
            && index.rows_without_keys.count == 0
            && index.entries == table.rows + index.keys_without_rows.count
    };
    let indexes = table.indexes.iter().map(|index| (index, is_complete(index)));
    indexes.max_by_key(|(index, is_complete)| (*is_complete, index.keys_without_rows.count))
}

/// Describes the damaged pages of a table, if there are any.
fn describe_damage(table: &TableFacts) -> String {
    let damaged = table.damaged;
    if damaged.count == 0 {
        return String::new();
    }
    let pages = plural(damaged.count, "page of it is", "pages of it are");
    let what = match damaged.zeroes {
        0 => String::new(),
        zeroes if zeroes == damaged.count => {
            format!(", and {} nothing but zero bytes", if zeroes == 1 { "holds" } else { "hold" })
        }
        zeroes => format!(", {} of them nothing but zero bytes", thousands(zeroes)),
    };
    format!("; {pages} damaged{what}")
}

/// Returns the finding for a row that is lost.
fn name(row: &RowName) -> Finding {
    let key = row.key.as_ref().filter(|key| is_uuid(key));
    Finding {
        row: row.rowid,
        key: key.map(|key| String::from_utf8_lossy(key).into_owned()),
        ..Finding::note(Kind::RowsLost, "lost: an index names it, and its table does not have it")
    }
}
