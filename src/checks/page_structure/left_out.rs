//! What SQLite's integrity check could not look at, which says nothing against the store; and why.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::finding::LONGEST_NAME;
use crate::schema::shape;
use crate::store::ReadOnly;
use crate::words::{cut, plural};

/// How many missing modules are named one by one.
const MOST_MODULES: usize = 1_000;

/// The longest definition of a virtual table that is read for the name of its module, in bytes.
const LONGEST_SQL: usize = 64 << 10;

/// How many reasons are named one by one.
const MOST_REASONS: usize = 10;

/// Tables that were left out: each reason once, with the first table that it is the reason for and how many there are.
#[derive(Debug, Default)]
pub(super) struct LeftOut(BTreeMap<String, (String, u64)>);

impl LeftOut {
    /// Counts a table for which there is this reason.
    pub(super) fn count(&mut self, why: String, table: &str) {
        let (_, count) = self.0.entry(why).or_insert_with(|| (cut(table, LONGEST_NAME), 0));
        *count += 1;
    }

    /// "t1 and 3 tables more (no such collation sequence: X)".
    pub(super) fn words(&self) -> Vec<String> {
        let words = self.0.iter().take(MOST_REASONS).map(|(why, (table, count))| match count - 1 {
            0 => format!("{table} ({why})"),
            more => format!("{table} and {} more ({why})", plural(more, "table", "tables")),
        });
        let rest = self.0.len().saturating_sub(MOST_REASONS) as u64;
        let rest = (rest > 0).then(|| format!("more for {}", plural(rest, "other reason", "other reasons")));
        words.chain(rest).collect()
    }
}

/// Virtual tables whose modules are not here, which SQLite's check passes over in silence: each module once.
pub(super) fn missing_modules(handle: &ReadOnly) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT name, iif(octet_length(sql) > {LONGEST_SQL}, NULL, sql) FROM sqlite_schema
         WHERE type = 'table' AND ifnull(rootpage, 0) = 0"
    );
    let mut missing = LeftOut::default();
    let mut here: Option<Vec<String>> = None;
    handle.rows(&sql, [], |row| {
        let text = |at| row.get_ref(at).ok().and_then(|text| text.as_bytes().ok()).map(String::from_utf8_lossy);
        let Some(module) = text(1).and_then(|sql| shape::module(&sql)) else {
            return Ok(());
        };
        let here = match &mut here {
            Some(here) => here,
            None => here.insert(handle.collect("PRAGMA module_list", [], |row| row.get(0))?),
        };
        if !here.iter().any(|name| name.eq_ignore_ascii_case(&module)) && missing.0.len() < MOST_MODULES {
            let why = format!("no such module: {}", cut(&module, LONGEST_NAME));
            missing.count(why, &text(0).unwrap_or_default());
        }
        Ok(())
    })?;
    Ok(missing.words())
}
