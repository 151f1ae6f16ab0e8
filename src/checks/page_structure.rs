//! Are the pages, trees and indexes whole? SQLite's own integrity check, grouped for people.

mod indexes;

use std::collections::BTreeMap;

use rusqlite::ErrorCode;

use crate::check::{Check, Finding, Findings, KEEP_AND_SAVE, Look, Needs, Outcome};
use crate::error::{Error, Result};
use crate::private::MOST_IN_MEMORY;
use crate::schema::tables::quoted;
use crate::store::ReadOnly;
use crate::subject::Subject;
use crate::words::counted;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "page-structure",
    summary: "SQLite's integrity check: pages, trees, indexes, not-null and unique",
    needs: Needs::ReadOnly,
    look: Look::Handle(look),
};

/// How many findings SQLite is asked for in [`integrity_check`]; by itself it stops at 100.
const MOST_LINES: usize = 1_000;

/// A table or an index that has pages of its own.
#[derive(Debug, Clone)]
struct Tree {
    name: String,
    table: String,
    is_index: bool,
}

/// What one line of SQLite's check speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Damage {
    /// Rows of a table.
    Rows,
    /// An index: no row is lost.
    Index,
    /// A value that its column forbids: nothing is lost.
    Constraint,
    /// Pages that belong to nothing: nothing is lost.
    Unaccounted,
    /// What could not be checked at all.
    NotChecked,
}

fn look(subject: &Subject<'_>, handle: &ReadOnly) -> Result<Outcome> {
    // With this on, a damaged page fails as a whole and less is said about where.
    handle.rows("PRAGMA cell_size_check=OFF", [], |_| Ok(()))?;
    let quickly = subject.probe.size() > MOST_IN_MEMORY && is_sound(handle)?;
    let (mut lines, mut error) = if quickly {
        (Vec::new(), None)
    } else {
        integrity_check(handle)
    };
    if is_beyond_bounds(error.as_ref()) {
        // An index holds a longer value than is ever read whole; now only the memory bounds it.
        handle.bear_long_values()?;
        (lines, error) = integrity_check(handle);
    }
    if lines.is_empty() && is_beyond_bounds(error.as_ref()) {
        return Ok(Outcome::fail(
            "could not look: an indexed value is longer than the doctor has memory for; this says nothing against the store",
            "look by hand, at a copy: sqlite3 -readonly COPY 'PRAGMA integrity_check'",
        ));
    }
    if let Some(why) = error.as_ref().and_then(Error::stopped) {
        return Err(why.into());
    }
    if lines.is_empty() && error.is_none() {
        let pages = u64::try_from(handle.number("PRAGMA page_count")?).unwrap_or(0);
        return Ok(Outcome::pass(format!("{} checked", counted(pages, "page", "pages"))));
    }
    let trees = trees(handle).unwrap_or_default();
    let mut groups = Groups::default();
    for line in &lines {
        groups.add(line, &trees);
    }
    if let Some(error) = &error {
        groups.count(Damage::NotChecked, None, None, error.to_string());
    }
    Ok(groups.outcome(handle, lines.len() >= MOST_LINES || error.is_some()))
}

/// Whether the doctor's own bounds ended a check, not the store's state.
fn is_beyond_bounds(error: Option<&Error>) -> bool {
    matches!(error.and_then(Error::sqlite_code), Some(ErrorCode::TooBig | ErrorCode::OutOfMemory))
}

/// Whether a large store is sound, told in linear time: SQLite's quick check, which looks at all but whether indexes and
/// rows agree, and then just that. Where it is not, SQLite's whole check says what is wrong.
fn is_sound(handle: &ReadOnly) -> Result<bool> {
    let mut ok = false;
    let ended = handle.rows_of_pragma("PRAGMA quick_check(1)", |row| {
        ok = row.get_ref(0).is_ok_and(|value| value.as_bytes().is_ok_and(|bytes| bytes == b"ok"));
        Ok(())
    });
    match ended.and_then(|()| if ok { indexes::are_sound(handle) } else { Ok(false) }) {
        Err(error) if error.stopped().is_none() => Ok(false),
        answer => answer,
    }
}

/// SQLite's lines, without `ok`, and the error that ended the check, if one did. The lines before an error stand.
fn integrity_check(handle: &ReadOnly) -> (Vec<String>, Option<Error>) {
    let mut lines = Vec::new();
    let error = handle
        .rows_of_pragma("PRAGMA integrity_check(1000)", |row| {
            let bytes = row.get_ref(0).ok().and_then(|value| value.as_bytes().ok()).unwrap_or_default();
            let text = String::from_utf8_lossy(bytes);
            let spoken = text.lines().filter(|line| *line != "ok" && !line.starts_with("*** in database"));
            lines.extend(spoken.map(str::to_owned));
            Ok(())
        })
        .err();
    (lines, error)
}

/// Every tree by its root page.
fn trees(handle: &ReadOnly) -> Result<BTreeMap<u64, Tree>> {
    let sql = "SELECT rootpage, name, tbl_name, type = 'index' FROM sqlite_schema WHERE rootpage > 0";
    let mut out: BTreeMap<u64, Tree> = handle
        .collect(sql, [], |row| {
            let tree = Tree {
                name: row.get(1)?,
                table: row.get(2)?,
                is_index: row.get(3)?,
            };
            Ok((row.get::<_, i64>(0)?.unsigned_abs(), tree))
        })?
        .into_iter()
        .collect();
    let schema = "sqlite_schema".to_owned();
    out.insert(
        1,
        Tree {
            name: schema.clone(),
            table: schema,
            is_index: false,
        },
    );
    Ok(out)
}

/// SQLite's lines, put together by what they speak of.
#[derive(Debug, Default)]
struct Groups {
    /// What the lines speak of: damage, table, index.
    groups: BTreeMap<(Damage, Option<String>, Option<String>), Group>,
}

/// How many lines, the first one, and the page it names.
type Group = (u64, String, Option<u64>);

impl Groups {
    fn add(&mut self, line: &str, trees: &BTreeMap<u64, Tree>) {
        let line = line.trim();
        if let Some((root, page, what)) = tree_line(line) {
            let tree = trees.get(&root);
            let damage = if tree.is_some_and(|tree| tree.is_index) {
                Damage::Index
            } else {
                Damage::Rows
            };
            self.count_at(damage, tree, what.to_owned(), page);
        } else if let Some(index) = [
            "missing from index ",
            "of entries in index ",
            "entry in index ",
            "of index ",
            "differ from index ",
        ]
        .iter()
        .find_map(|words| line.split_once(words).map(|(_, index)| index))
        {
            let tree = trees.values().find(|tree| tree.is_index && tree.name == index);
            let unknown = Tree {
                name: index.to_owned(),
                table: String::new(),
                is_index: true,
            };
            // Two rows that a unique index forbids are the rows' fault: REINDEX would refuse them.
            let damage = if line.starts_with("non-unique ") {
                Damage::Constraint
            } else {
                Damage::Index
            };
            self.count_at(damage, Some(tree.unwrap_or(&unknown)), line.to_owned(), None);
        } else if line.contains(" value in ") || line.starts_with("CHECK constraint failed in ") {
            self.count(Damage::Constraint, None, None, line.to_owned());
        } else if line.starts_with("Page ") || line.starts_with("Freelist") || line.contains("rootpage") {
            self.count(Damage::Unaccounted, None, None, line.to_owned());
        } else if line.starts_with("unable to validate") || line.contains("vtable constructor") {
            self.count(Damage::NotChecked, None, None, line.to_owned());
        } else {
            self.count(Damage::Rows, None, None, line.to_owned());
        }
    }

    fn count(&mut self, damage: Damage, table: Option<String>, index: Option<String>, line: String) {
        let group = self.groups.entry((damage, table, index)).or_insert((0, line, None));
        group.0 += 1;
    }

    fn count_at(&mut self, damage: Damage, tree: Option<&Tree>, line: String, page: Option<u64>) {
        let table = tree.map(|tree| tree.table.clone()).filter(|name| !name.is_empty());
        let index = tree.filter(|tree| tree.is_index).map(|tree| tree.name.clone());
        let group = self.groups.entry((damage, table, index)).or_insert((0, line, page));
        group.0 += 1;
    }

    fn has(&self, damage: Damage) -> bool {
        self.groups.keys().any(|(found, ..)| *found == damage)
    }

    /// The verdict that matters, the counts, and what to do.
    fn outcome(self, handle: &ReadOnly, at_least: bool) -> Outcome {
        let mut findings = Findings::default();
        let mut detail = vec![self.verdict().to_owned()];
        let damaged_tables: Vec<&String> = self
            .groups
            .keys()
            .filter(|(damage, ..)| *damage == Damage::Rows)
            .filter_map(|(_, table, _)| table.as_ref())
            .collect();
        for table in damaged_tables {
            if table != "sqlite_schema" {
                detail.push(readable(handle, table));
            }
        }
        for ((_, table, index), (count, line, page)) in &self.groups {
            findings.add(|| Finding {
                table: table.clone(),
                index: index.clone(),
                page: *page,
                count: Some(*count),
                ..Finding::new(line.clone())
            });
        }
        findings.at_least = at_least;
        let remedy = self.remedy();
        Outcome::found(detail.join("; "), remedy, findings)
    }

    fn verdict(&self) -> &'static str {
        if self.has(Damage::Rows) {
            "pages that hold rows are damaged"
        } else if self.has(Damage::NotChecked) {
            "not everything could be checked: whether data is lost is not known"
        } else if self.has(Damage::Index) {
            "only an index is wrong: no data is lost"
        } else if self.has(Damage::Constraint) {
            "rows hold values that their columns or a unique index forbid: no data is lost"
        } else {
            "pages are unaccounted for: no data is lost, only room"
        }
    }

    fn remedy(&self) -> &'static str {
        if self.has(Damage::Rows) || self.has(Damage::NotChecked) {
            KEEP_AND_SAVE
        } else if self.has(Damage::Index) {
            "stop banger, keep a copy of the store, then make the index anew, in a second copy first: sqlite3 -safe STORE REINDEX"
        } else if self.has(Damage::Constraint) {
            "stop banger, keep a copy of the store, and give these rows a value that banger would write; of two rows with one name or address, let banger remove one"
        } else {
            "banger can go on as it is; to have the room back, stop banger, keep a copy of the store and write its rows into a new file: sqlite3 -readonly COPY .dump | sqlite3 -safe NEW"
        }
    }
}

/// Takes `Tree 5 page 7 cell 3: words` apart: root, page, words.
fn tree_line(line: &str) -> Option<(u64, Option<u64>, &str)> {
    let rest = line.strip_prefix("Tree ")?;
    let (place, what) = rest.split_once(": ")?;
    let mut words = place.split(' ');
    let root = words.next()?.parse().ok()?;
    let page = match (words.next(), words.next()) {
        (Some("page"), Some(page)) => page.parse().ok(),
        _ => None,
    };
    Some((root, page, what))
}

/// How many rows of a damaged table can still be read, of how many, as far as that can be told.
fn readable(handle: &ReadOnly, table: &str) -> String {
    let name = quoted(table);
    let (forwards, whole) = walk(handle, &format!("SELECT rowid FROM {name} NOT INDEXED ORDER BY rowid"), None);
    let mut read = forwards.count;
    if !whole {
        let backwards = format!("SELECT rowid FROM {name} NOT INDEXED ORDER BY rowid DESC");
        read += walk(handle, &backwards, forwards.last).0.count;
    }
    match rows_by_an_index(handle, table) {
        Some(all) if all >= read => format!("{table}: {read} of {} can still be read", counted(all, "row", "rows")),
        _ => format!("{table}: {} can still be read", counted(read, "row", "rows")),
    }
}

/// How far a walk over a table's rows came.
#[derive(Debug, Default)]
struct Walk {
    count: u64,
    last: Option<i64>,
}

/// Walks over rowids until the end, an error, or the row `until`, which another walk has seen; says whether it came to
/// its end without an error.
fn walk(handle: &ReadOnly, sql: &str, until: Option<i64>) -> (Walk, bool) {
    let mut walk = Walk::default();
    let met = || Error::NotAStore("met".to_owned());
    let ended = handle.rows(sql, [], |row| {
        let rowid: i64 = row.get(0).map_err(Error::sqlite(sql))?;
        if until.is_some_and(|until| rowid <= until) {
            return Err(met());
        }
        walk.count += 1;
        walk.last = Some(rowid);
        Ok(())
    });
    (walk, ended.is_ok())
}

/// How many rows a table has by the count of an index over all of them that can still be walked.
fn rows_by_an_index(handle: &ReadOnly, table: &str) -> Option<u64> {
    let sql = format!("PRAGMA index_list({})", quoted(table));
    let indexes = handle
        .collect(&sql, [], |row| Ok((row.get::<_, String>("name")?, row.get::<_, bool>("partial")?)))
        .ok()?;
    indexes.into_iter().filter(|(_, partial)| !partial).find_map(|(index, _)| {
        let sql = format!("SELECT count(*) FROM {} INDEXED BY {}", quoted(table), quoted(&index));
        handle.number(&sql).ok().and_then(|n| u64::try_from(n).ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlites_lines_about_a_tree_are_taken_apart() {
        assert_eq!(
            tree_line("Tree 5 page 7 cell 3: Rowid 9 out of order"),
            Some((5, Some(7), "Rowid 9 out of order"))
        );
        assert_eq!(
            tree_line("Tree 12 page 12: btreeInitPage() returns error code 11"),
            Some((12, Some(12), "btreeInitPage() returns error code 11"))
        );
        assert_eq!(tree_line("wrong # of entries in index x"), None);
    }
}
