//! Decides on the candidates of a pass, and names the rows that an index has and that were not found.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Engine, Output, TableProgress, count_confirmed, text, write_counted};
use crate::salvage::Result;
use crate::salvage::candidates::{Candidate, KeyStates, OtherRowids, Verdict};
use crate::salvage::entries::for_each_entry;
use crate::salvage::indexed_rows::{digest, is_sound};
use crate::salvage::literal::is_plain;
use crate::salvage::rows::{Origin, RowFinder};
use crate::salvage::schema::{MOST_KEYS, StoreSchema};
use crate::salvage::sql::SqlRow;
use sqlite_format::record::Fields;

/// The most lost rows that are described with the text of their index entries; of the others, only the rowid is named.
const MOST_DESCRIBED: usize = 10_000;

/// A key of a row: its table, its index, its hash.
type KeyOf = (usize, usize, u64);

/// A candidate that is a live row.
struct Chosen {
    rowid: i64,
    odd: bool,
    at: usize,
}

impl Engine<'_> {
    /// Weighs the candidates of a pass, writes the live rows, and notes which rows are missing.
    pub(super) fn resolve(
        &mut self,
        tables: &mut [TableProgress],
        candidates: &[Candidate],
        late: &mut Vec<Candidate>,
        out: &mut Output<'_, '_>,
    ) -> Result<()> {
        let held = self.weigh(tables, candidates, Some(late), out)?;
        for (at, table) in tables.iter_mut().enumerate().filter(|(_, table)| !table.done) {
            let whole = self.forest.whole.get(at).map(Vec::as_slice).unwrap_or_default();
            let mut missing = Vec::new();
            for rowid in table.indexed.rowids() {
                // An entry whose rowid is damaged names a row that was given under its own rowid.
                let keys = table.indexed.digests(rowid);
                let explained = keys.iter().enumerate().any(|(key, hash)| held.contains(&(at, key, *hash)));
                let is_there = table.given.contains(rowid) || table.unfit.contains(rowid);
                if !is_there && !explained && !is_denied(&keys, whole) {
                    missing.push(rowid);
                }
            }
            for rowid in missing {
                table.missing.insert(rowid)?;
            }
        }
        self.write_older(tables, candidates, out)
    }

    /// Weighs the candidates whose index names a rowid of another pass.
    pub(super) fn resolve_deferred(
        &mut self,
        tables: &mut [TableProgress],
        late: &[Candidate],
        out: &mut Output<'_, '_>,
    ) -> Result<()> {
        self.weigh(tables, late, None, out)?;
        for table in tables {
            let found: Vec<i64> = table.missing.iter().filter(|rowid| table.given.contains(*rowid)).collect();
            for rowid in found {
                table.missing.remove(rowid);
            }
        }
        Ok(())
    }

    /// Weighs candidates and writes the live rows. Returns the keys that their indexes do not name for them, so that an entry with
    /// such a key is not taken for a lost row.
    fn weigh(
        &mut self,
        tables: &mut [TableProgress],
        candidates: &[Candidate],
        mut late: Option<&mut Vec<Candidate>>,
        out: &mut Output<'_, '_>,
    ) -> Result<HashSet<(usize, usize, u32)>> {
        let mut held = HashSet::new();
        if candidates.is_empty() {
            return Ok(held);
        }
        let elsewhere = self.find_named_rowids(candidates)?;
        let mut chosen: Vec<Chosen> = Vec::new();
        let mut doubtful = Vec::new();
        for (at, candidate) in candidates.iter().enumerate() {
            let Some(table) = tables.get_mut(candidate.fit.table) else {
                continue;
            };
            let named = other_rowids_of(candidate, &elsewhere, table);
            let whole = self.forest.whole.get(candidate.fit.table).map(Vec::as_slice).unwrap_or_default();
            let keys = KeyStates {
                whole,
                has_known_values: self.schema.has_known_values,
                is_freelist_known: self.forest.is_freelist_known,
                is_ambiguous: self.forest.is_ambiguous.get(candidate.fit.table).copied().unwrap_or(false),
                open_ranges: self.forest.open_ranges.get(candidate.fit.table).map_or(&[], Vec::as_slice),
            };
            match candidate.weigh(keys, &named) {
                Verdict::Row { rowid, odd } => match &mut late {
                    Some(late) if !table.indexed.covers(rowid) && late.len() < MOST_DESCRIBED => late.push(*candidate),
                    _ => chosen.push(Chosen { rowid, odd, at }),
                },
                Verdict::Doubtful => doubtful.push(at),
                Verdict::Deleted => {
                    if let Some(rowid) = candidate.rowid {
                        table.note_denied(rowid, candidate.is_freed)?;
                    }
                }
                Verdict::Older(_) => {}
            }
        }
        // The best of each rowid first.
        let table_of = |one: &Chosen| candidates.get(one.at).map_or(0, |candidate| candidate.fit.table);
        let weight = |one: &Chosen| candidates.get(one.at).map(|candidate| candidate.weight(one.odd));
        chosen.sort_by(|a, b| {
            (table_of(a), a.rowid)
                .cmp(&(table_of(b), b.rowid))
                .then_with(|| weight(b).cmp(&weight(a)))
        });
        chosen.dedup_by(|b, a| (table_of(a), a.rowid) == (table_of(b), b.rowid));
        let mut writer = Writer {
            finder: RowFinder::new(self.view, self.schema),
            schema: self.schema,
            fields: Fields::default(),
            payload: Vec::new(),
            used: HashSet::new(),
        };
        // A row whose key an index has for another row comes last: it is only given when that other row is not there, because the
        // new store's unique index takes one of the two.
        let clashes = |one: &Chosen| {
            let candidate = candidates.get(one.at);
            candidate.is_some_and(|candidate| others(candidate, &elsewhere, one).next().is_some())
        };
        let (second, first): (Vec<Chosen>, Vec<Chosen>) = chosen.into_iter().partition(clashes);
        for one in first.iter().chain(&second) {
            let (Some(candidate), Some(table)) = (candidates.get(one.at), tables.get_mut(table_of(one))) else {
                continue;
            };
            if table.given.contains(one.rowid) {
                continue;
            }
            let taken = others(candidate, &elsewhere, one)
                .any(|(key, hash, rowid)| table.given.contains(rowid) && table.indexed.may_have_key(rowid, key, hash));
            if taken || !writer.row(candidate, one, out)? {
                doubtful.push(one.at);
                continue;
            }
            table.given.insert(one.rowid)?;
            for (key, hash) in candidate.hashes.iter().enumerate() {
                if *hash != 0 && (candidate.agree >> key & 1 == 0 || candidate.rowid != Some(one.rowid)) {
                    held.extend([false, true].map(|is_odd| (candidate.fit.table, key, digest(*hash, is_odd))));
                }
            }
        }
        doubtful.sort_by_key(|at| candidates.get(*at).map(|candidate| (candidate.place.page, candidate.place.at)));
        doubtful.dedup_by_key(|at| candidates.get(*at).map(|candidate| (candidate.place.page, candidate.place.at)));
        for at in doubtful {
            let Some(candidate) = candidates.get(at) else {
                continue;
            };
            let is_named = candidate.agree & 1 == 1;
            let given = tables.get(candidate.fit.table).zip(candidate.rowid);
            if is_named && given.is_some_and(|(table, rowid)| table.given.contains(rowid)) {
                continue;
            }
            writer.doubtful(candidate, out)?;
            for (key, hash) in candidate.hashes.iter().enumerate() {
                if candidate.agree >> key & 1 == 1 {
                    // It is not lost: it is there, in a comment.
                    held.extend([false, true].map(|is_odd| (candidate.fit.table, key, digest(*hash, is_odd))));
                }
            }
        }
        Ok(held)
    }

    /// Returns the rowids that the indexes name for keys which do not match.
    fn find_named_rowids(&mut self, candidates: &[Candidate]) -> Result<HashMap<KeyOf, i64>> {
        let mut wanted: HashSet<KeyOf> = HashSet::new();
        for candidate in candidates {
            let keys = self
                .schema
                .tables
                .get(candidate.fit.table)
                .map(|table| table.keys.as_slice())
                .unwrap_or_default();
            for ((key, hash), of) in candidate.hashes.iter().enumerate().zip(keys) {
                if *hash != 0 && candidate.agree >> key & 1 == 0 && !of.is_shared {
                    wanted.insert((candidate.fit.table, key, *hash));
                }
            }
        }
        let mut out = HashMap::new();
        if wanted.is_empty() {
            return Ok(out);
        }
        let (notes, whole) = (&self.forest.notes, &mut self.forest.whole);
        for_each_entry(self.view, self.schema, notes, self.hasher, whole, self.stop, &mut |entry| {
            let key = (entry.table, entry.key, entry.hash);
            if wanted.contains(&key) {
                out.entry(key).or_insert(entry.rowid);
            }
            Ok(())
        })?;
        Ok(out)
    }

    /// Writes older states of rows that are missing, as comments.
    fn write_older(
        &mut self,
        tables: &[TableProgress],
        candidates: &[Candidate],
        out: &mut Output<'_, '_>,
    ) -> Result<()> {
        let mut best: BTreeMap<(usize, i64), &Candidate> = BTreeMap::new();
        if !self.schema.has_known_values {
            // No time in a row tells which of two states is the older one.
            return Ok(());
        }
        for candidate in candidates {
            let Some((table, rowid)) = tables.get(candidate.fit.table).zip(candidate.rowid) else {
                continue;
            };
            // An index of which a part is gone may name what was deleted: then nothing of free space is printed.
            let whole = self
                .forest
                .whole
                .get(candidate.fit.table)
                .and_then(|keys| keys.first())
                .copied()
                .unwrap_or(false);
            let sure =
                !candidate.odd && (candidate.origin > Origin::FreeSpace || (whole && self.forest.is_freelist_known));
            if sure && candidate.agree & 1 == 1 && table.missing.contains(rowid) {
                let slot = best.entry((candidate.fit.table, rowid)).or_insert(candidate);
                if candidate.when > slot.when {
                    *slot = candidate;
                }
            }
        }
        let mut finder = RowFinder::new(self.view, self.schema);
        let (mut payload, mut fields) = (Vec::new(), Fields::default());
        for ((table, rowid), candidate) in best {
            if finder.read_again(candidate.place, &mut payload, &mut fields) {
                let line = SqlRow {
                    fit: candidate.fit,
                    rowid: Some(rowid),
                    fields: fields.all(),
                    payload: &payload,
                };
                out.sql.write_doubtful("lost, and this is an older state of it", &line)?;
                if let Some(summary) = out.summary.tables.get_mut(table) {
                    summary.older += 1;
                }
            }
        }
        Ok(())
    }

    /// Names the rows that are lost: their rowids, and what their index entries hold.
    pub(super) fn write_lost(&mut self, tables: &[TableProgress], out: &mut Output<'_, '_>) -> Result<()> {
        let mut told: BTreeMap<(usize, i64), [Option<Vec<u8>>; MOST_KEYS]> = BTreeMap::new();
        if tables.iter().all(|table| table.missing.is_empty()) {
            return Ok(());
        }
        let (notes, whole) = (&self.forest.notes, &mut self.forest.whole);
        for_each_entry(self.view, self.schema, notes, self.hasher, whole, self.stop, &mut |entry| {
            let missing = tables.get(entry.table).is_some_and(|table| table.missing.contains(entry.rowid));
            let place = (entry.table, entry.rowid);
            if missing && (told.len() < MOST_DESCRIBED || told.contains_key(&place)) {
                let value = text(entry.payload, entry.fields.first()).filter(|value| value.len() <= 200);
                if let Some(slot) = told.entry(place).or_default().get_mut(entry.key) {
                    *slot = value.map(<[u8]>::to_vec);
                }
            }
            Ok(())
        })?;
        for (at, table) in tables.iter().enumerate() {
            let Some((of, summary)) = self.schema.tables.get(at).zip(out.summary.tables.get_mut(at)) else {
                continue;
            };
            for rowid in table.missing.iter() {
                let values = told.get(&(at, rowid));
                let mut words = format!("lost: {} rowid {rowid}", of.name);
                for (key, value) in of.keys.iter().zip(values.into_iter().flatten()) {
                    let column = key.columns.first().and_then(|column| of.columns.get(*column));
                    if let (Some(column), Some(value)) = (column, value) {
                        let text = std::str::from_utf8(value).ok().filter(|_| is_plain(value));
                        words += &format!(", {} {:?}", column.name, text.unwrap_or("that is not plain text"));
                    }
                }
                out.sql.write_comment(&words)?;
                summary.lost.add(Some(rowid), values.and_then(|values| values.first()?.as_deref()));
            }
        }
        Ok(())
    }
}

/// Returns true if at least as many whole indexes do not have a rowid as sound entries name it: then the rowid in an entry is what is
/// damaged, and no row is lost.
fn is_denied(keys: &[u32; MOST_KEYS], whole: &[bool]) -> bool {
    let naming = keys.iter().filter(|said| is_sound(**said)).count();
    let denying = keys.iter().zip(whole).filter(|(said, whole)| **said == 0 && **whole).count();
    denying >= naming
}

/// Returns, for each key that does not match, the row that its index names instead: the key's place, its hash, the rowid.
fn named_instead<'c>(
    candidate: &'c Candidate,
    elsewhere: &'c HashMap<KeyOf, i64>,
) -> impl Iterator<Item = (usize, u64, i64)> + 'c {
    let keys = candidate.hashes.iter().enumerate().filter(|(_, hash)| **hash != 0);
    keys.filter(|(key, _)| candidate.agree >> key & 1 == 0)
        .filter_map(|(key, hash)| Some((key, *hash, *elsewhere.get(&(candidate.fit.table, key, *hash))?)))
}

/// Returns the keys of a chosen row that an index names for another row.
fn others<'c>(
    candidate: &'c Candidate,
    elsewhere: &'c HashMap<KeyOf, i64>,
    one: &'c Chosen,
) -> impl Iterator<Item = (usize, u64, i64)> + 'c {
    named_instead(candidate, elsewhere).filter(|(_, _, rowid)| *rowid != one.rowid)
}

/// Returns the rowids that the indexes name for the keys of a candidate.
fn other_rowids_of(candidate: &Candidate, elsewhere: &HashMap<KeyOf, i64>, table: &TableProgress) -> OtherRowids {
    let mut out = OtherRowids::default();
    for (key, _, rowid) in named_instead(candidate, elsewhere) {
        if let Some(slot) = out.rowids.get_mut(key) {
            *slot = Some(rowid);
            out.backed |= u8::from(table.indexed.is_named_twice(rowid, key)) << key;
        }
    }
    out
}

/// Reads candidates again and writes them.
struct Writer<'a> {
    finder: RowFinder<'a>,
    schema: &'a StoreSchema,
    fields: Fields,
    payload: Vec<u8>,
    /// The keys of the rows that were written.
    used: HashSet<KeyOf>,
}

impl Writer<'_> {
    /// Writes a row; returns `false` when the new store would not take it beside those that were written.
    fn row(&mut self, candidate: &Candidate, one: &Chosen, out: &mut Output<'_, '_>) -> Result<bool> {
        if !self.finder.read_again(candidate.place, &mut self.payload, &mut self.fields) {
            return Ok(false);
        }
        let line = SqlRow {
            fit: candidate.fit,
            rowid: Some(one.rowid),
            fields: self.fields.all(),
            payload: &self.payload,
        };
        let of = self
            .schema
            .tables
            .get(candidate.fit.table)
            .map(|table| table.keys.as_slice())
            .unwrap_or_default();
        let keys = candidate
            .hashes
            .iter()
            .enumerate()
            .zip(of)
            .filter(|((_, hash), of)| **hash != 0 && !of.is_shared);
        let keys: Vec<KeyOf> = keys.map(|((key, hash), _)| (candidate.fit.table, key, *hash)).collect();
        if keys.iter().any(|key| self.used.contains(key)) || !out.sql.takes_row(&line, candidate.agree)? {
            return Ok(false);
        }
        self.used.extend(keys);
        write_counted(&line, one.odd, text(&self.payload, self.fields.all().first()), out)?;
        count_confirmed(candidate.agree, candidate.fit.table, out);
        let is_renumbered = !one.odd && candidate.rowid != Some(one.rowid);
        if let Some(summary) = out.summary.tables.get_mut(candidate.fit.table) {
            summary.renumbered += u64::from(is_renumbered);
        }
        Ok(true)
    }

    fn doubtful(&mut self, candidate: &Candidate, out: &mut Output<'_, '_>) -> Result<()> {
        let mut id = None;
        if self.finder.read_again(candidate.place, &mut self.payload, &mut self.fields) {
            let line = SqlRow {
                fit: candidate.fit,
                rowid: candidate.rowid,
                fields: self.fields.all(),
                payload: &self.payload,
            };
            out.sql.write_doubtful("doubtful, no index names it", &line)?;
            id = text(&self.payload, self.fields.all().first());
        }
        if let Some(summary) = out.summary.tables.get_mut(candidate.fit.table) {
            summary.doubtful.add(candidate.rowid, id);
        }
        Ok(())
    }
}
