//! The passes over a store: first the indexes, then the rows, then the rows that an index names and that were not found.
//!
//! A pass takes as many rowids of each table as memory has room for, from the lowest on; most stores need one. A row in its
//! table's own tree that all indexes name is written at once. The others are candidates, which are weighed when all of them are
//! known: only then it is clear whether a better copy of the same row exists.

mod weighing;

use std::collections::{BTreeSet, HashMap};

use super::Result;
use super::candidates::Candidate;
use super::entries::for_each_entry;
use super::forest::Forest;
use super::indexed_rows::{IndexedRows, digest};
use super::notes::Owner;
use super::row_layout::{KeyHasher, has_invalid_value, is_broken_uuid, latest_time};
use super::rowid_set::{RowidBudget, RowidSet};
use super::rows::{FoundRow, Origin, RowFinder};
use super::schema::{Role, StoreSchema, TableSchema};
use super::sql::{SqlRow, SqlWriter};
use super::summary::{SalvageSummary, TableSummary};
use super::view::StoreView;
use crate::limits::stop::Stop;
use sqlite_format::record::Classes;

/// The limits of the memory of one pass.
#[derive(Debug, Clone, Copy)]
pub struct PassLimits {
    /// Blocks of indexed rowids, of all tables.
    pub blocks: usize,
    /// Candidates.
    pub candidates: usize,
}

impl Default for PassLimits {
    fn default() -> Self {
        Self {
            blocks: 70_000,
            candidates: 60_000,
        }
    }
}

/// The progress of a table.
struct TableProgress {
    indexed: IndexedRows,
    done: bool,
    /// Rows that were given.
    given: RowidSet,
    /// Rows that an index names and that were not found.
    missing: RowidSet,
    /// Rows that the freelist or free space proves deleted, or of which an older state is there.
    deleted: RowidSet,
    /// Rows that are denied, and of which nothing proves that they were deleted.
    unnamed: RowidSet,
    /// Rows of the table's own tree that fit no version of it: they stand in comments, and are not lost as well.
    unfit: RowidSet,
}

/// One salvage.
pub struct Engine<'a> {
    pub(super) view: &'a StoreView<'a>,
    pub(super) schema: &'a StoreSchema,
    pub(super) forest: &'a mut Forest,
    pub(super) hasher: &'a KeyHasher,
    pub(super) stop: &'a Stop,
    pub(super) limits: PassLimits,
}

/// The output of the passes.
pub struct Output<'p, 'a> {
    /// The SQL.
    pub sql: &'p mut SqlWriter<'a>,
    /// The summary.
    pub summary: &'p mut SalvageSummary,
}

impl Engine<'_> {
    /// Runs all passes. Returns, for each table, the rowids that were given.
    ///
    /// # Errors
    /// Fails if the output cannot be written, it is time to stop, or a limit is exceeded.
    pub fn run(&mut self, out: &mut Output<'_, '_>) -> Result<Vec<RowidSet>> {
        let budget = RowidBudget::default();
        let mut tables: Vec<TableProgress> =
            self.schema.tables.iter().map(|_| TableProgress::within(&budget)).collect();
        out.summary.tables = self
            .schema
            .tables
            .iter()
            .map(|table| TableSummary {
                name: table.name.clone(),
                is_counted_by_witness: !self.schema.has_known_values && table.role != Role::Nameless,
                is_part: table.is_part(),
                is_nameless: table.role == Role::Nameless,
                ..TableSummary::default()
            })
            .collect();
        let mut first = true;
        let mut late = Vec::new();
        while tables.iter().any(|table| !table.done) {
            self.read_indexes(&mut tables)?;
            let candidates = self.read_rows(&mut tables, first, out)?;
            self.resolve(&mut tables, &candidates, &mut late, out)?;
            for table in tables.iter_mut().filter(|table| !table.done) {
                table.done = table.indexed.to == i64::MAX;
                table.indexed = IndexedRows::from(table.indexed.to.saturating_add(1));
            }
            first = false;
        }
        self.resolve_deferred(&mut tables, &late, out)?;
        self.write_lost(&tables, out)?;
        for ((table, whole), of) in tables.iter().zip(&self.forest.whole).zip(&mut out.summary.tables) {
            let is_gone = |rowid: &i64| !table.given.contains(*rowid) && !table.missing.contains(*rowid);
            of.deleted = table.deleted.iter().filter(is_gone).count() as u64;
            let is_unproven = |rowid: &i64| is_gone(rowid) && !table.deleted.contains(*rowid);
            of.unnamed = table.unnamed.iter().filter(is_unproven).count() as u64;
            of.is_fully_indexed = whole.contains(&true);
        }
        Ok(tables.into_iter().map(|table| table.given).collect())
    }

    /// Reads the indexes, as many rowids from the lowest on as there is room for.
    fn read_indexes(&mut self, tables: &mut [TableProgress]) -> Result<()> {
        let most = self.limits.blocks;
        let mut since = 0;
        let mut twice = BTreeSet::new();
        for_each_entry(
            self.view,
            self.schema,
            &self.forest.notes,
            self.hasher,
            &mut self.forest.whole,
            self.stop,
            &mut |entry| {
                let Some(table) = tables.get_mut(entry.table).filter(|table| !table.done) else {
                    return Ok(());
                };
                if table.indexed.insert(entry.rowid, entry.key, digest(entry.hash, entry.is_odd)) {
                    twice.insert((entry.table, entry.key));
                }
                since += 1;
                if since >= 1000 {
                    since = 0;
                    while tables.iter().map(|table| table.indexed.blocks()).sum::<usize>() > most {
                        if let Some(largest) = tables.iter_mut().max_by_key(|table| table.indexed.blocks()) {
                            largest.indexed.halve();
                        }
                    }
                }
                Ok(())
            },
        )?;
        for (table, key) in twice {
            if let Some(whole) = self.forest.whole.get_mut(table).and_then(|keys| keys.get_mut(key)) {
                *whole = false;
            }
        }
        Ok(())
    }

    /// Reads the rows: writes those that are plainly live, and returns those that must be weighed.
    fn read_rows(
        &mut self,
        tables: &mut [TableProgress],
        first: bool,
        out: &mut Output<'_, '_>,
    ) -> Result<Vec<Candidate>> {
        let notes = &self.forest.notes;
        let mut candidates = Vec::new();
        let mut finder = RowFinder::new(self.view, self.schema);
        let is_known = self.schema.has_known_values;
        let want = |number: u32| match notes.owner(number) {
            Owner::Index(..) => false,
            Owner::Table(table) => self.schema.tables.get(table).is_some_and(TableSchema::is_read_by_rows),
            // Only known values tell whose a row on such a page is.
            Owner::Unowned | Owner::Free | Owner::Other => is_known,
        };
        let most = self.limits.candidates;
        self.view.each(self.stop, &want, &mut |number, bytes| {
            let mut votes = PageVotes::default();
            finder.page(number, bytes, notes, &mut |found| {
                let candidate = self.sort_row(tables, found, first, &mut votes, out)?;
                candidates.extend(candidate);
                if candidates.len() > most {
                    make_room(tables, &mut candidates, most);
                }
                Ok(())
            })?;
            if votes.against > votes.support {
                let own = candidates.iter_mut().rev().take_while(|candidate| candidate.place.page == number);
                own.for_each(|candidate| candidate.is_page_denied = true);
            }
            Ok(())
        })?;
        if first {
            out.summary.too_long = finder.payloads.too_long;
        }
        Ok(candidates)
    }

    /// Writes a row that is plainly live, or returns it as a candidate, or passes it over.
    fn sort_row(
        &self,
        tables: &mut [TableProgress],
        found: &FoundRow<'_>,
        first: bool,
        votes: &mut PageVotes,
        out: &mut Output<'_, '_>,
    ) -> Result<Option<Candidate>> {
        let Some(fit) = found.fit else {
            if first {
                self.write_unfit(tables, found, out)?;
            }
            return Ok(None);
        };
        let Some(table) = tables.get_mut(fit.table).filter(|table| !table.done) else {
            return Ok(None);
        };
        let mine = found.rowid.map_or(first, |rowid| table.indexed.covers(rowid));
        if !mine {
            return Ok(None);
        }
        let hashes = self.hasher.hash_row(self.schema, fit, found.fields, found.payload);
        let agree = found.rowid.map_or(0, |rowid| table.indexed.matching_keys(rowid, &hashes));
        let keys = self.schema.tables.get(fit.table).map_or(0, |table| table.keys.len());
        let all = hashes
            .iter()
            .take(keys)
            .enumerate()
            .map(|(key, hash)| u8::from(*hash != 0) << key)
            .sum::<u8>();
        let differ = found.rowid.map_or(0, |rowid| table.indexed.conflicting_keys(rowid, &hashes));
        let whole = self.forest.whole.get(fit.table).map(Vec::as_slice).unwrap_or_default();
        let is_denied = whole
            .iter()
            .enumerate()
            .any(|(key, whole)| *whole && all >> key & 1 == 1 && agree >> key & 1 == 0);
        votes.support += u32::from(agree != 0 && differ == 0);
        votes.against += u32::from(agree == 0 && (differ != 0 || is_denied));
        let is_given = found.rowid.is_some_and(|rowid| table.given.contains(rowid));
        if is_given && agree == all && keys > 0 {
            return Ok(None);
        }
        let origin = self.origin(found, fit.table);
        if origin == Origin::OtherTree && (agree & 1 == 0 || is_given) {
            return Ok(None);
        }
        if origin == Origin::FreeSpace {
            if let (0, Some(rowid)) = (agree & 1, found.rowid) {
                table.note_denied(rowid, found.is_freed)?;
                return Ok(None);
            }
            if is_given || found.rowid.is_none() {
                return Ok(None);
            }
        }
        let odd = has_invalid_value(self.schema, fit, found.fields, found.payload);
        if let Some(rowid) = found.rowid
            && origin == Origin::OwnTree
            && agree == all
            && !odd
            && !is_given
        {
            let line = SqlRow {
                fit,
                rowid: Some(rowid),
                fields: found.fields,
                payload: found.payload,
            };
            if out.sql.takes_row(&line, agree)? {
                table.given.insert(rowid)?;
                write_counted(&line, false, None, out)?;
                count_confirmed(agree, fit.table, out);
                return Ok(None);
            }
        }
        let is_id_broken = || found.fields.first().is_some_and(|id| is_broken_uuid(*id, found.payload));
        Ok(Some(Candidate {
            origin,
            is_unvouched: found.is_unvouched,
            is_freed: found.is_freed,
            // Where no index confirms it, a letter of it is damaged.
            odd: odd || (self.schema.has_known_values && agree & 1 == 0 && is_id_broken()),
            is_page_denied: false,
            rowid: found.rowid,
            place: found.place,
            fit,
            hashes,
            agree,
            differ,
            when: latest_time(self.schema, fit, found.fields, found.payload),
        }))
    }

    /// Returns the origin of a row of this table. When the table's own tree was found, or an intact schema gives the page to another
    /// table, a row in another tree is not one of its rows.
    fn origin(&self, found: &FoundRow<'_>, table: usize) -> Origin {
        let is_anothers = self.forest.notes.owner(found.place.page) == Owner::Other;
        if is_anothers && (self.forest.are_others_known || self.forest.rooted.get(table) == Some(&true)) {
            Origin::OtherTree
        } else {
            found.origin
        }
    }

    /// Comments on a record in a table's own tree that has another number of fields than any version of the table.
    fn write_unfit(&self, tables: &mut [TableProgress], found: &FoundRow<'_>, out: &mut Output<'_, '_>) -> Result<()> {
        let Owner::Table(table) = self.forest.notes.owner(found.place.page) else {
            return Ok(());
        };
        if found.is_unvouched {
            return Ok(());
        }
        if let Some((progress, rowid)) = tables.get_mut(table).zip(found.rowid) {
            progress.unfit.insert(rowid)?;
        }
        let why = "doubtful, it fits no known version of its table";
        out.sql.write_values(why, table, found.rowid, found.fields, found.payload)?;
        if let Some(summary) = out.summary.tables.get_mut(table) {
            summary.doubtful.add(found.rowid, text(found.payload, found.fields.first()));
        }
        Ok(())
    }
}

/// The rows of a page that indexes name, and those that they do not.
#[derive(Debug, Default)]
struct PageVotes {
    support: u32,
    against: u32,
}

/// Counts a row that was given among those that an index confirms.
fn count_confirmed(agree: u8, table: usize, out: &mut Output<'_, '_>) {
    if let Some(summary) = out.summary.tables.get_mut(table) {
        summary.confirmed += u64::from(agree != 0);
    }
}

/// Returns the text of a field, if it holds text.
fn text<'p>(payload: &'p [u8], field: Option<&sqlite_format::record::Field>) -> Option<&'p [u8]> {
    payload.get(field.filter(|field| field.class == Classes::TEXT)?.range())
}

/// Writes a row and counts it.
fn write_counted(line: &SqlRow<'_>, odd: bool, id: Option<&[u8]>, out: &mut Output<'_, '_>) -> Result<()> {
    out.sql.write_row(line)?;
    let loses = out.sql.loses_column(line);
    if let Some(summary) = out.summary.tables.get_mut(line.fit.table) {
        summary.given += 1;
        summary.missing_a_column += u64::from(loses);
        if odd {
            summary.flagged.add(line.rowid, id);
        }
    }
    Ok(())
}

/// Gives up the upper half of the rowids of the table with the most candidates.
fn make_room(tables: &mut [TableProgress], candidates: &mut Vec<Candidate>, most: usize) {
    // What was given meanwhile is no candidate any more.
    candidates.retain(|candidate| {
        let given = tables.get(candidate.fit.table).zip(candidate.rowid);
        candidate.origin > Origin::FreeSpace || !given.is_some_and(|(table, rowid)| table.given.contains(rowid))
    });
    while candidates.len() > most / 2 {
        let mut counts: HashMap<usize, usize> = HashMap::new();
        for candidate in candidates.iter().filter(|candidate| candidate.rowid.is_some()) {
            *counts.entry(candidate.fit.table).or_default() += 1;
        }
        let largest = counts.into_iter().max_by_key(|(_, count)| *count).map(|(table, _)| table);
        let mut rowids: Vec<i64> = candidates
            .iter()
            .filter(|candidate| Some(candidate.fit.table) == largest)
            .filter_map(|candidate| candidate.rowid)
            .collect();
        let before = candidates.len();
        let middle = rowids.len() / 2;
        if let (Some(table), false) = (largest.and_then(|largest| tables.get_mut(largest)), rowids.is_empty()) {
            let (_, middle, _) = rowids.select_nth_unstable(middle);
            table.indexed.cut(middle.saturating_sub(1));
            let to = table.indexed.to;
            candidates.retain(|candidate| {
                Some(candidate.fit.table) != largest || candidate.rowid.is_none_or(|rowid| rowid <= to)
            });
        }
        if candidates.len() == before {
            // All of them claim one rowid, or have none: no honest store has so many.
            candidates.truncate(most / 2);
        }
    }
}

impl TableProgress {
    fn within(budget: &RowidBudget) -> Self {
        Self {
            indexed: IndexedRows::from(i64::MIN),
            done: false,
            given: RowidSet::within(budget),
            missing: RowidSet::within(budget),
            deleted: RowidSet::within(budget),
            unnamed: RowidSet::within(budget),
            unfit: RowidSet::within(budget),
        }
    }

    /// Notes a row that is not the store's: it was deleted, where that is proven.
    fn note_denied(&mut self, rowid: i64, is_freed: bool) -> Result<()> {
        if is_freed {
            self.deleted.insert(rowid)?;
        } else {
            self.unnamed.insert(rowid)?;
        }
        Ok(())
    }
}
