//! Indexes over computed numbers: two versions of SQLite may compute numbers that differ in their last digits, as of a text or of `round`.
//!
//! SQLite looks for such an entry where it finds no exact one (`OP_IFindKey` in `vdbe.c`), and says so in a line of its own. No entry and no
//! row is missing then, and the store is not damaged.

use std::collections::{BTreeMap, BTreeSet};

use super::integrity::Looked;
use super::lines::Line;
use crate::findings::Finding;
use crate::findings::kind::Kind;
use crate::text::words::plural;

/// Takes the lines out that are about numbers in indexes which differ in their last digits, and returns a note for each index. An index
/// with other faults keeps its lines.
pub(super) fn take_notes(looked: &mut Looked) -> Vec<Finding> {
    let others: BTreeSet<String> = looked
        .lines
        .iter()
        .filter(|line| !line.is_about_rounding())
        .filter_map(Line::index)
        .map(str::to_owned)
        .collect();
    let is_alone = |line: &Line| line.index().is_some_and(|index| !others.contains(index));
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for line in looked.take_lines(|line| line.is_about_rounding() && is_alone(line)) {
        *counts.entry(line.index().unwrap_or_default().to_owned()).or_default() += 1;
    }
    let least = if looked.at_least { "at least " } else { "" };
    let note = |(index, count): (String, u64)| {
        let what = format!(
            "the index {index} holds {least}{} from what SQLite {} computes: another version computed them; no row and no entry is missing, but a search by such a number may miss its row until the application's own SQLite rebuilds the index",
            plural(
                count,
                "number that differs in its last digits",
                "numbers that differ in their last digits"
            ),
            rusqlite::version()
        );
        Finding {
            index: Some(index),
            count: Some(count),
            ..Finding::note(Kind::IndexRounded, what)
        }
    };
    counts.into_iter().map(note).collect()
}
