//! Finds the owners of trees that no schema names.
//!
//! A table's tree is known by its rows: the table that most rows of its first leaves fit. An index has no such mark, since its
//! entries may be any values; but each entry holds a key and a rowid. So some entries of each tree are sampled, by a hash of the
//! key and the rowid, and every row that is found votes for the trees whose samples it has made: a tree belongs to the table and
//! key with the most votes. A tree of deleted rows gets votes too, from the rows that were live before. So where the freelist is
//! not known, only the largest tree of an index is taken.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;

use super::Result;
use super::entries::Entries;
use super::forest::Forest;
use super::matching::{Mark, fit_value};
use super::notes::Owner;
use super::row_layout::{KeyHasher, has_invalid_value};
use super::rows::{Origin, RowFinder};
use super::schema::{Role, StoreSchema, ValueRule};
use super::view::StoreView;
use crate::limits::stop::Stop;
use sqlite_format::page::{Kind, Page};
use sqlite_format::record::Fields;

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
    if schema.has_known_values {
        attribute_tables(view, schema, forest)?;
    } else {
        adopt_orphans(view, schema, forest, stop)?;
    }
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

/// A tree, or a leaf, that nothing leads to.
struct Orphan {
    pages: Vec<u32>,
    is_index: bool,
    range: RangeInclusive<i64>,
    records: Vec<Vec<Mark>>,
}

/// Gives orphaned leaves, and what is left of trees, to tables whose own tree has a hole where they belong: a table whose tree is whole takes
/// nothing, and of a tree that misses something only what lies in the missing range of rowids.
fn adopt_orphans(view: &StoreView<'_>, schema: &StoreSchema, forest: &mut Forest, stop: &Stop) -> Result<()> {
    let has_hole = |table: &usize| {
        forest.complete_tables.get(*table) == Some(&false)
            && schema.tables.get(*table).is_some_and(|of| !matches!(of.role, Role::Spatial(_)))
    };
    let open: Vec<usize> = (0..schema.tables.len()).filter(has_hole).collect();
    if open.is_empty() {
        return Ok(());
    }
    let mut orphans = collect_orphans(view, forest, stop)?;
    orphans.sort_by_key(|orphan| std::cmp::Reverse(orphan.pages.len()));
    let mut taken: HashMap<usize, Vec<RangeInclusive<i64>>> = HashMap::new();
    for orphan in orphans {
        let overlaps = |table: usize| {
            let taken = taken.get(&table).map(Vec::as_slice).unwrap_or_default();
            taken
                .iter()
                .any(|range| range.start() <= orphan.range.end() && orphan.range.start() <= range.end())
        };
        let lies_in_hole = |table: usize| {
            let ranges = forest.open_ranges.get(table).map(Vec::as_slice).unwrap_or_default();
            let is_within = |range: &RangeInclusive<i64>| {
                range.start() <= orphan.range.start() && orphan.range.end() <= range.end()
            };
            orphan.is_index || (ranges.iter().any(is_within) && !overlaps(table))
        };
        let mut fits: Vec<(f64, usize)> = open
            .iter()
            .filter(|table| schema.has_index_tree(Owner::Table(**table)) == orphan.is_index && lies_in_hole(**table))
            .filter_map(|table| Some((fit_records(schema, *table, &orphan.records)?, *table)))
            .collect();
        fits.sort_by(|a, b| b.0.total_cmp(&a.0));
        // Where two tables could have it, it is neither's.
        let is_clear = match fits.as_slice() {
            [] => false,
            [_] => true,
            [best, second, ..] => best.0 > second.0 + 0.2,
        };
        if let Some((_, table)) = fits.first().filter(|_| is_clear) {
            for page in &orphan.pages {
                forest.notes.set_owner(*page, Owner::Table(*table));
            }
            taken.entry(*table).or_default().push(orphan.range);
        }
    }
    Ok(())
}

/// Returns what nothing leads to: the trees that were found by their interior pages, and single leaves.
fn collect_orphans(view: &StoreView<'_>, forest: &mut Forest, stop: &Stop) -> Result<Vec<Orphan>> {
    const MOST_RECORDS: usize = 40;
    let mut all: Vec<Vec<u32>> = std::mem::take(&mut forest.unnamed_tables);
    all.extend(forest.unnamed_indexes.iter().cloned());
    let notes = &forest.notes;
    let inside: BTreeSet<u32> = all.iter().flatten().copied().collect();
    let is_single = |page: &u32| {
        let is_leaf = notes.kind(*page).is_some_and(Kind::is_leaf);
        is_leaf && notes.owner(*page) == Owner::Unowned && !inside.contains(page)
    };
    all.extend((2..=notes.pages()).filter(is_single).map(|page| vec![page]));
    let mut bytes = Vec::new();
    let mut fields = Fields::default();
    let mut out = Vec::new();
    for pages in all {
        stop.check()?;
        let is_index = pages.first().and_then(|page| notes.kind(*page)).is_some_and(|kind| !kind.is_table());
        let (mut least, mut greatest) = (i64::MAX, i64::MIN);
        let mut records = Vec::new();
        for number in pages.iter().filter(|page| notes.kind(**page).is_some_and(Kind::is_leaf)) {
            view.page(*number, &mut bytes);
            let Ok(page) = Page::parse(view.layout(), *number, &bytes) else {
                continue;
            };
            for cell in page.all_cells().filter_map(std::result::Result::ok) {
                if fields.read(cell.payload.local, cell.payload.len).is_err() || fields.all().is_empty() {
                    continue;
                }
                (least, greatest) = (least.min(cell.rowid), greatest.max(cell.rowid));
                if records.len() < MOST_RECORDS {
                    records.push(fields.all().iter().map(|field| Mark::of(field, cell.payload.local)).collect());
                }
            }
        }
        if !records.is_empty() && out.len() < MOST_SAMPLES {
            out.push(Orphan {
                pages,
                is_index,
                range: least..=greatest,
                records,
            });
        }
    }
    Ok(out)
}

/// Returns how well records fit a table; `None` where they do not.
fn fit_records(schema: &StoreSchema, table: usize, records: &[Vec<Mark>]) -> Option<f64> {
    let of = schema.tables.get(table)?;
    let layout = of.layouts.first()?;
    let fit = |record: &Vec<Mark>| {
        if record.len() > layout.len() || (record.len() < layout.len() && !of.has_short_rows) {
            return None;
        }
        let mut score = if record.len() == layout.len() { 1.0 } else { -1.0 };
        for (column, mark) in layout.iter().zip(record) {
            if of.rowid_alias == Some(*column) {
                if *mark != Mark::Null {
                    return None;
                }
                score += 1.0;
                continue;
            }
            if let Some(ValueRule::Declared(declared)) = of.columns.get(*column).and_then(|column| column.rule) {
                if *mark == Mark::Null && declared.forbids_null {
                    return None;
                }
                score += fit_value(declared.affinity, declared.kind, *mark)?;
            }
        }
        Some(score)
    };
    let scores: Vec<f64> = records.iter().filter_map(fit).collect();
    if scores.is_empty() || scores.len() * 5 < records.len() * 4 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a few records")]
    Some(scores.iter().sum::<f64>() / scores.len() as f64)
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
                let hash = hasher.hash_entry(payload, fields, false);
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
