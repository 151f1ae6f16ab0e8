//! Finds the owners of trees that no schema names.
//!
//! A table's tree is known by its rows: the table that most rows of its first leaves fit. An index has no such mark, since its
//! entries may be any values; but each entry holds a key and a rowid. So some entries of each tree are sampled, by a hash of the
//! key and the rowid, and every row that is found votes for the trees whose samples it has made: a tree belongs to the table and
//! key with the most votes. A tree of deleted rows gets votes too, from the rows that were live before. So where the freelist is
//! not known, only the largest tree of an index is taken.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Result;
use super::entries::Entries;
use super::forest::Forest;
use super::notes::Owner;
use super::row_layout::{KeyHasher, has_invalid_value};
use super::rows::{Origin, RowFinder};
use super::schema::StoreSchema;
use super::view::StoreView;
use crate::limits::stop::Stop;
use sqlite_format::page::Kind;

/// The most entries of a page that are sampled, and of all pages together.
const SAMPLES: usize = 8;
const MOST_SAMPLES: usize = 300_000;

/// A sampled entry of a page whose index is not known yet.
struct Sample {
    hash: u64,
    rowid: i64,
    group: u32,
}

/// Gives each tree, and each page of an index that nothing leads to, its owner.
///
/// # Errors
/// Fails if it is time to stop.
pub fn attribute_pages(
    view: &StoreView<'_>,
    schema: &StoreSchema,
    forest: &mut Forest,
    hasher: &KeyHasher,
    stop: &Stop,
) -> Result<()> {
    attribute_tables(view, schema, forest)?;
    let trees = std::mem::take(&mut forest.unnamed_indexes);
    let mut group_of: HashMap<u32, u32> = HashMap::new();
    for (group, pages) in (0_u32..).zip(&trees) {
        group_of.extend(pages.iter().map(|page| (*page, group)));
    }
    let count = u32::try_from(trees.len()).unwrap_or(u32::MAX);
    let samples = take_samples(view, forest, hasher, &group_of, count, stop)?;
    if samples.is_empty() {
        return Ok(());
    }
    let with_entries: BTreeSet<u32> = samples.iter().filter_map(|sample| sample.group.checked_sub(count)).collect();
    let votes = count_votes(view, schema, forest, hasher, &samples, stop)?;
    let mut best: BTreeMap<u32, (u32, usize, usize)> = BTreeMap::new();
    for ((group, table, key), count) in votes {
        let slot = best.entry(group).or_insert((count, table, key));
        if count > slot.0 {
            *slot = (count, table, key);
        }
    }
    let mut holders: BTreeMap<(usize, usize), Vec<u32>> = BTreeMap::new();
    for (group, (_, table, key)) in best {
        holders.entry((table, key)).or_default().push(group);
    }
    let mut empty = 0;
    for page in 2..=forest.notes.pages() {
        let is_leaf = forest.notes.kind(page) == Some(Kind::IndexLeaf) && forest.notes.owner(page) == Owner::Unowned;
        empty += usize::from(is_leaf && !group_of.contains_key(&page) && !with_entries.contains(&page));
    }
    for ((table, key), groups) in holders {
        let at = |of: &[Vec<bool>]| of.get(table).and_then(|keys| keys.get(key)).copied();
        if at(&forest.whole) != Some(false) {
            continue;
        }
        // Whole trees come first, the largest first.
        let largest = groups.first().and_then(|group| trees.get(*group as usize));
        let is_led_to = at(&forest.led_to) == Some(true);
        if let Some(pages) = largest
            && !is_led_to
            && (groups.len() == 1 || !forest.is_freelist_known)
        {
            // Where others may be free, what else claims to be the same index is an older state of it.
            for page in pages {
                forest.notes.set_owner(*page, Owner::Index(table, key));
            }
            if let Some(slot) = forest.whole.get_mut(table).and_then(|keys| keys.get_mut(key)) {
                *slot = true;
            }
        } else if forest.is_freelist_known || (groups.len() == 1 && empty == 0) {
            // What is left of an index whose root is gone, or which is one leaf.
            for group in groups {
                let one = [group.wrapping_sub(count)];
                for page in trees.get(group as usize).map_or(&one[..], Vec::as_slice) {
                    forest.notes.set_owner(*page, Owner::Index(table, key));
                }
            }
        } else if let Some(slot) = forest.is_ambiguous.get_mut(table) {
            // One of them may be the live one; the others name what was deleted.
            *slot = true;
        }
    }
    Ok(())
}

/// Gives each table without a tree the largest one whose rows fit it.
fn attribute_tables(view: &StoreView<'_>, schema: &StoreSchema, forest: &mut Forest) -> Result<()> {
    let mut finder = RowFinder::new(view, schema);
    let mut bytes = Vec::new();
    for pages in std::mem::take(&mut forest.unnamed_tables) {
        let mut rows = vec![0_u32; schema.tables.len()];
        let leaves = pages.iter().filter(|page| forest.notes.kind(**page) == Some(Kind::TableLeaf));
        for page in leaves.take(8) {
            view.page(*page, &mut bytes);
            finder.page(*page, &bytes, &forest.notes, &mut |found| {
                if let Some(fit) = found.fit
                    && found.origin == Origin::Orphan
                    && !has_invalid_value(schema, fit, found.fields, found.payload)
                    && let Some(count) = rows.get_mut(fit.table)
                {
                    *count += 1;
                }
                Ok(())
            })?;
        }
        let most = rows.iter().enumerate().max_by_key(|(_, count)| **count);
        if let Some((table, 1..)) = most.map(|(table, count)| (table, *count))
            && let Some(rooted) = forest.rooted.get_mut(table)
            && !*rooted
        {
            *rooted = true;
            for page in pages {
                forest.notes.set_owner(page, Owner::Table(table));
            }
        }
    }
    Ok(())
}

/// Samples the entries of index pages without an owner. `group_of` numbers their trees.
fn take_samples(
    view: &StoreView<'_>,
    forest: &Forest,
    hasher: &KeyHasher,
    group_of: &HashMap<u32, u32>,
    first_page: u32,
    stop: &Stop,
) -> Result<Vec<Sample>> {
    let notes = &forest.notes;
    let want = |number: u32| {
        let is_entry = matches!(notes.kind(number), Some(Kind::IndexLeaf | Kind::IndexInterior));
        is_entry && notes.owner(number) == Owner::Unowned
    };
    let mut out = Vec::new();
    let mut entries = Entries::new(view);
    view.each(stop, &want, &mut |number, bytes| {
        // A page that belongs to no tree is a group of its own.
        let group = group_of.get(&number).copied().unwrap_or(first_page.saturating_add(number));
        let mut taken = 0;
        entries.page(number, bytes, &mut |payload, fields, rowid| {
            if taken < SAMPLES && out.len() < MOST_SAMPLES {
                taken += 1;
                let hash = hasher.hash_entry(payload, fields);
                out.push(Sample { hash, rowid, group });
            }
            Ok(())
        })?;
        Ok(())
    })?;
    out.sort_unstable_by_key(|sample| (sample.hash, sample.rowid));
    Ok(out)
}

/// Counts, for each group of pages, table and key, the rows that are among the samples of the group.
fn count_votes(
    view: &StoreView<'_>,
    schema: &StoreSchema,
    forest: &Forest,
    hasher: &KeyHasher,
    samples: &[Sample],
    stop: &Stop,
) -> Result<BTreeMap<(u32, usize, usize), u32>> {
    let notes = &forest.notes;
    let want = |number: u32| !matches!(notes.owner(number), Owner::Index(..) | Owner::Free);
    let mut out = BTreeMap::new();
    let mut finder = RowFinder::new(view, schema);
    view.each(stop, &want, &mut |number, bytes| {
        finder.page(number, bytes, notes, &mut |found| {
            let (Some(fit), Some(rowid)) = (found.fit, found.rowid) else {
                return Ok(());
            };
            if found.origin == Origin::FreeSpace {
                return Ok(());
            }
            let keys = hasher.hash_row(schema, fit, found.fields, found.payload);
            for (key, hash) in keys.iter().enumerate().filter(|(_, hash)| **hash != 0) {
                let first = samples.partition_point(|sample| (sample.hash, sample.rowid) < (*hash, rowid));
                let same = samples
                    .iter()
                    .skip(first)
                    .take_while(|sample| (sample.hash, sample.rowid) == (*hash, rowid));
                for sample in same.take(16) {
                    *out.entry((sample.group, fit.table, key)).or_insert(0) += 1;
                }
            }
            Ok(())
        })
    })?;
    Ok(out)
}
