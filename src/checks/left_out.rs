//! Tables that a check could not look at, which says nothing against the store; and why.

use std::collections::BTreeMap;

use crate::findings::LONGEST_NAME;
use crate::text::words::{cut, plural};

/// How many reasons are told.
const MOST_REASONS: usize = 10;

/// Tables that were left out: each reason once, with the first table that it is the reason for and how many there are.
#[derive(Debug, Default)]
pub(in crate::checks) struct LeftOut(BTreeMap<String, (String, u64)>);

impl LeftOut {
    /// Counts a table for which there is this reason.
    pub(in crate::checks) fn count(&mut self, why: String, table: &str) {
        let (_, count) = self.0.entry(why).or_insert_with(|| (cut(table, LONGEST_NAME), 0));
        *count += 1;
    }

    /// How many reasons there are.
    pub(in crate::checks) fn reasons(&self) -> usize {
        self.0.len()
    }

    /// "t1 and 3 tables more (no such collation sequence: X)".
    pub(in crate::checks) fn words(&self) -> Vec<String> {
        let words = self.0.iter().take(MOST_REASONS).map(|(why, (table, count))| match count - 1 {
            0 => format!("{table} ({why})"),
            more => format!("{table} and {} more ({why})", plural(more, "table", "tables")),
        });
        let rest = self.0.len().saturating_sub(MOST_REASONS) as u64;
        let rest = (rest > 0).then(|| format!("more for {}", plural(rest, "other reason", "other reasons")));
        words.chain(rest).collect()
    }
}
