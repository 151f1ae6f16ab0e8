//! The tables in which full-text and spatial indexes and the planner's statistics lie, where pages of them are damaged: which they are, and
//! the scripts that put new ones in their place.
//!
//! SQLite refuses to clear or to drop a table with a page that it cannot read, and so does the module that would rebuild it. Its row
//! is taken out of the schema, an empty table gets its name, and VACUUM gives the pages back. What is in a new table is that of a new index
//! (`fts3CreateTables`, `sqlite3Fts5CreateTable` and `sqlite3Fts5IndexReinit` in SQLite's source).

use std::collections::{BTreeMap, BTreeSet};

use super::derived::Module;
use super::lines::Line;
use crate::error::{Error, Result};
use crate::findings::LONGEST_NAME;
use crate::store::ReadOnly;
use crate::text::words::cut;

/// The tables of statistics that SQLite ever had.
const STATISTICS: [&str; 4] = ["sqlite_stat1", "sqlite_stat2", "sqlite_stat3", "sqlite_stat4"];

/// The script that gives pages back which nothing leads to.
const VACUUM: &str = "VACUUM";

/// Returns true for the name of a table of statistics.
pub(super) fn is_statistics(name: &str) -> bool {
    STATISTICS.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// The trees of tables that are made from rows, and of the indexes of these tables.
#[derive(Debug, Default)]
pub(super) struct DerivedTrees {
    tables_by_root: BTreeMap<u64, String>,
    tables_of_indexes: BTreeMap<String, String>,
}

impl DerivedTrees {
    /// Looks up the trees of tables with these names, in lower case, and of statistics.
    ///
    /// # Errors
    /// SQLite's error.
    pub(super) fn read(handle: &ReadOnly, names: &BTreeMap<String, String>) -> Result<Self> {
        let mut out = Self::default();
        let sql = "SELECT rootpage, name, tbl_name, type = 'index' FROM sqlite_schema WHERE rootpage > 0";
        handle.rows(sql, [], |row| {
            let mut read = || -> rusqlite::Result<()> {
                let text = |at| Ok::<_, rusqlite::Error>(row.get_ref(at)?.as_bytes_or_null()?.unwrap_or_default());
                let Ok(table) = std::str::from_utf8(text(2)?) else {
                    return Ok(());
                };
                if !is_statistics(table) && !names.contains_key(&table.to_ascii_lowercase()) {
                    return Ok(());
                }
                if row.get(3)? {
                    let index = cut(&String::from_utf8_lossy(text(1)?), LONGEST_NAME);
                    out.tables_of_indexes.insert(index, table.to_owned());
                }
                out.tables_by_root.insert(row.get::<_, i64>(0)?.unsigned_abs(), table.to_owned());
                Ok(())
            };
            read().map_err(Error::sqlite(sql))
        })?;
        Ok(out)
    }

    /// Returns the table that a line is about, if it is one of these.
    pub(super) fn table_of(&self, line: &Line) -> Option<&String> {
        let by_root = line.damaged_tree().and_then(|root| self.tables_by_root.get(&root));
        by_root.or_else(|| self.tables_of_indexes.get(line.index()?))
    }
}

/// The lines about the tables of one index.
#[derive(Debug, Default)]
pub(super) struct DamagedTables {
    /// The tables with damaged pages.
    pub(super) trees: BTreeSet<String>,
    /// The first line, with the table that it is about.
    pub(super) first: String,
    /// The page that it names.
    pub(super) page: Option<u64>,
    /// The number of lines.
    pub(super) lines: u64,
}

impl DamagedTables {
    /// Adds a line about this table.
    pub(super) fn add(&mut self, table: &str, line: Line) {
        self.lines += 1;
        if line.damaged_tree().is_some() {
            self.trees.insert(table.to_owned());
        }
        if self.lines == 1 {
            self.page = line.page();
            self.first = format!("{}: {}", cut(table, LONGEST_NAME), line.into_words());
        }
    }

    /// Returns true if pages of this table are damaged.
    pub(super) fn has_tree(&self, table: &str) -> bool {
        self.trees.iter().any(|tree| tree.eq_ignore_ascii_case(table))
    }
}

/// Returns a name with a suffix, both as they are typed.
fn with_suffix(name: &str, suffix: &str) -> String {
    match name.strip_suffix(']') {
        Some(begin) => format!("{begin}_{suffix}]"),
        None => format!("{name}_{suffix}"),
    }
}

/// Returns the statement that takes tables out of the schema, with their indexes.
fn forget(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.map(|name| format!("'{}'", name.trim_matches(['[', ']']))).collect();
    format!("DELETE FROM sqlite_schema WHERE tbl_name IN ({})", names.join(","))
}

/// Returns the scripts that put empty tables in the place of damaged ones of a full-text index, whose name is as it is typed, and fill them.
pub(super) fn scripts_to_rebuild(
    name: &str,
    module: Module,
    suffixes: impl Iterator<Item = &'static str>,
) -> Vec<String> {
    let suffixes: Vec<&str> = suffixes.collect();
    let made: Vec<String> = suffixes
        .iter()
        .map(|suffix| {
            let table = with_suffix(name, suffix);
            let (columns, more) = match (module, *suffix) {
                (Module::Fts5, "data") => (
                    "(id INTEGER PRIMARY KEY, block BLOB)",
                    format!("; INSERT INTO {table} VALUES(10, x'00000000000000')"),
                ),
                (Module::Fts5, "idx") => ("(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID", String::new()),
                (Module::Fts5, "docsize") => ("(id INTEGER PRIMARY KEY, sz BLOB)", String::new()),
                (Module::Fts5, _) => (
                    "(k PRIMARY KEY, v) WITHOUT ROWID",
                    format!("; INSERT INTO {table} VALUES('version', 4)"),
                ),
                (_, "segments") => ("(blockid INTEGER PRIMARY KEY, block BLOB)", String::new()),
                (_, "segdir") => (
                    "(level INTEGER, idx INTEGER, start_block INTEGER, leaves_end_block INTEGER, end_block INTEGER, root BLOB, PRIMARY KEY(level, idx))",
                    String::new(),
                ),
                (_, "docsize") => ("(docid INTEGER PRIMARY KEY, size BLOB)", String::new()),
                (..) => ("(id INTEGER PRIMARY KEY, value BLOB)", String::new()),
            };
            format!("CREATE TABLE {table}{columns}{more}")
        })
        .collect();
    let forget = forget(suffixes.iter().map(|suffix| with_suffix(name, suffix)));
    vec![
        format!("PRAGMA writable_schema=ON; {forget}; PRAGMA writable_schema=RESET; {}", made.join("; ")),
        VACUUM.to_owned(),
        format!("INSERT INTO {name}({name}) VALUES('rebuild')"),
    ]
}

/// Returns the scripts that make a spatial index anew from its nodes, which hold its coordinates.
pub(super) fn scripts_to_refill(name: &str, module: &str, suffixes: &[&str]) -> Vec<String> {
    let forget = forget_all(name, suffixes);
    let made = format!(
        "BEGIN; CREATE TABLE kept_entries AS SELECT * FROM {name}; PRAGMA writable_schema=ON; {forget}; PRAGMA writable_schema=RESET; CREATE VIRTUAL TABLE {name} USING {module}; INSERT INTO {name} SELECT * FROM kept_entries; DROP TABLE kept_entries; COMMIT"
    );
    vec![made, VACUUM.to_owned()]
}

/// Returns the scripts that take an index away with all of its tables.
pub(super) fn scripts_to_drop(name: &str, suffixes: &[&str]) -> Vec<String> {
    let forgotten = format!("PRAGMA writable_schema=ON; {}", forget_all(name, suffixes));
    vec![forgotten, VACUUM.to_owned()]
}

fn forget_all(name: &str, suffixes: &[&str]) -> String {
    let own = suffixes.iter().map(|suffix| with_suffix(name, suffix));
    forget(std::iter::once(name.to_owned()).chain(own))
}

/// Returns the scripts that make a table of statistics anew.
pub(super) fn scripts_for_statistics(table: &str) -> Vec<String> {
    let forget = forget(std::iter::once(table.to_owned()));
    vec![
        format!("PRAGMA writable_schema=ON; {forget}"),
        VACUUM.to_owned(),
        "ANALYZE".to_owned(),
    ]
}
