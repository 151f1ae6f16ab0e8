//! The passes over a store: what the indexes name, then the rows, then what became of neither.
//!
//! A pass takes as many rowids of each table as memory has room for, from the lowest on; most stores need one. What is plainly
//! live is written at once. The rest are candidates, which are weighed when all of them are known.

mod settle;

use std::collections::{BTreeSet, HashMap};

use super::account::{Account, TableAccount};
use super::bits::{Bits, Budget};
use super::candidates::Candidate;
use super::ended::Result;
use super::entries::each_entry;
use super::evidence::{Evidence, said};
use super::fit::{Hasher64, is_broken_uuid, is_odd, latest};
use super::forest::Forest;
use super::known::Known;
use super::notes::Owner;
use super::rows::{Finder, Found, Origin};
use super::sql::{Line, Printer};
use super::view::View;
use crate::limits::stop::Stop;
use sqlite_format::record::Classes;

/// How much one pass holds: blocks of evidence of all tables, and candidates.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Blocks of evidence.
    pub blocks: usize,
    /// Candidates.
    pub candidates: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            blocks: 70_000,
            candidates: 60_000,
        }
    }
}

/// A table in the passes.
struct Progress {
    evidence: Evidence,
    done: bool,
    /// Rows that were given.
    given: Bits,
    /// Rows that an index names and that were not found.
    missing: Bits,
    deleted: Bits,
    /// Rows of the table's own tree that fit no version of it: they stand in comments, and are not lost as well.
    unfit: Bits,
}

/// One salvage.
pub struct Engine<'a> {
    pub(super) view: &'a View<'a>,
    pub(super) known: &'a Known,
    pub(super) forest: &'a mut Forest,
    pub(super) hasher: &'a Hasher64,
    pub(super) stop: &'a Stop,
    pub(super) room: Room,
}

/// What the passes write to.
pub struct Output<'p, 'a> {
    /// The SQL.
    pub printer: &'p mut Printer<'a>,
    /// The account.
    pub account: &'p mut Account,
}

impl Engine<'_> {
    /// Runs all passes. Gives back the rowids that were given of the ledger.
    ///
    /// # Errors
    /// What the output says, that it is time to stop, or that there is too much.
    pub fn run(&mut self, out: &mut Output<'_, '_>) -> Result<Bits> {
        let budget = Budget::default();
        let mut tables: Vec<Progress> = self.known.tables.iter().map(|_| Progress::within(&budget)).collect();
        out.account.tables = self
            .known
            .tables
            .iter()
            .map(|table| TableAccount {
                name: table.name.clone(),
                ..TableAccount::default()
            })
            .collect();
        let mut first = true;
        let mut late = Vec::new();
        while tables.iter().any(|table| !table.done) {
            self.gather_evidence(&mut tables)?;
            let candidates = self.rows(&mut tables, first, out)?;
            self.settle(&mut tables, &candidates, &mut late, out)?;
            for table in tables.iter_mut().filter(|table| !table.done) {
                table.done = table.evidence.to == i64::MAX;
                table.evidence = Evidence::from(table.evidence.to.saturating_add(1));
            }
            first = false;
        }
        self.settle_late(&mut tables, &late, out)?;
        self.lost(&tables, out)?;
        for ((table, whole), of) in tables.iter().zip(&self.forest.whole).zip(&mut out.account.tables) {
            of.deleted = table.deleted.len();
            of.all_are_named = whole.contains(&true);
        }
        let ledger = tables.into_iter().nth(self.known.ledger);
        Ok(ledger.map(|table| table.given).unwrap_or_default())
    }

    /// Reads what the indexes say, as much of it as there is room for.
    fn gather_evidence(&mut self, tables: &mut [Progress]) -> Result<()> {
        let most = self.room.blocks;
        let mut since = 0;
        let mut twice = BTreeSet::new();
        each_entry(
            self.view,
            self.known,
            &self.forest.notes,
            self.hasher,
            &mut self.forest.whole,
            self.stop,
            &mut |entry| {
                let Some(table) = tables.get_mut(entry.table).filter(|table| !table.done) else {
                    return Ok(());
                };
                if table.evidence.take(entry.rowid, entry.key, said(entry.hash, entry.is_odd)) {
                    twice.insert((entry.table, entry.key));
                }
                since += 1;
                if since >= 1000 {
                    since = 0;
                    while tables.iter().map(|table| table.evidence.blocks()).sum::<usize>() > most {
                        if let Some(largest) = tables.iter_mut().max_by_key(|table| table.evidence.blocks()) {
                            largest.evidence.halve();
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

    /// Reads the rows: writes those that are plainly live, and gives back those that must be weighed.
    fn rows(&mut self, tables: &mut [Progress], first: bool, out: &mut Output<'_, '_>) -> Result<Vec<Candidate>> {
        let notes = &self.forest.notes;
        let mut candidates = Vec::new();
        let mut finder = Finder::new(self.view, self.known);
        let want = |number: u32| !matches!(notes.owner(number), Owner::Key(..));
        let most = self.room.candidates;
        self.view.each(self.stop, &want, &mut |number, bytes| {
            finder.page(number, bytes, notes, &mut |found| {
                let candidate = self.row(tables, found, first, out)?;
                candidates.extend(candidate);
                if candidates.len() > most {
                    make_room(tables, &mut candidates, most);
                }
                Ok(())
            })
        })?;
        if first {
            out.account.too_long = finder.chains.too_long;
        }
        Ok(candidates)
    }

    /// Looks at one row.
    fn row(
        &self,
        tables: &mut [Progress],
        found: &Found<'_>,
        first: bool,
        out: &mut Output<'_, '_>,
    ) -> Result<Option<Candidate>> {
        let Some(fit) = found.fit else {
            if first {
                self.unfit(tables, found, out)?;
            }
            return Ok(None);
        };
        let Some(table) = tables.get_mut(fit.table).filter(|table| !table.done) else {
            return Ok(None);
        };
        let mine = found.rowid.map_or(first, |rowid| table.evidence.covers(rowid));
        if !mine {
            return Ok(None);
        }
        let hashes = self.hasher.row(self.known, fit, found.fields, found.payload);
        let agree = found.rowid.map_or(0, |rowid| table.evidence.agree(rowid, &hashes));
        let keys = self.known.tables.get(fit.table).map_or(0, |table| table.keys.len());
        let all = hashes
            .iter()
            .take(keys)
            .enumerate()
            .map(|(key, hash)| u8::from(*hash != 0) << key)
            .sum::<u8>();
        let is_given = found.rowid.is_some_and(|rowid| table.given.has(rowid));
        if is_given && agree == all && keys > 0 {
            return Ok(None);
        }
        let origin = self.origin(found, fit.table);
        if origin == Origin::Other && (agree & 1 == 0 || is_given) {
            return Ok(None);
        }
        if origin == Origin::Free {
            if let (0, Some(rowid)) = (agree & 1, found.rowid) {
                table.deleted.put(rowid)?;
                return Ok(None);
            }
            if is_given || found.rowid.is_none() {
                return Ok(None);
            }
        }
        let odd = is_odd(self.known, fit, found.fields, found.payload);
        if let Some(rowid) = found.rowid
            && origin == Origin::Tree
            && agree == all
            && !odd
            && !is_given
        {
            let line = Line {
                fit,
                rowid: Some(rowid),
                fields: found.fields,
                payload: found.payload,
            };
            if out.printer.can_stand(&line) {
                table.given.put(rowid)?;
                give(&line, false, None, out)?;
                return Ok(None);
            }
        }
        let differ = found.rowid.map_or(0, |rowid| table.evidence.differ(rowid, &hashes));
        Ok(Some(Candidate {
            origin,
            unvouched: found.unvouched,
            // Where no index confirms it, a letter of it is damaged.
            odd: odd || (agree & 1 == 0 && found.fields.first().is_some_and(|id| is_broken_uuid(*id, found.payload))),
            rowid: found.rowid,
            place: found.place,
            fit,
            hashes,
            agree,
            differ,
            when: latest(self.known, fit, found.fields, found.payload),
        }))
    }

    /// How a row of this table was found. Where the table's own tree was found, what another table's has is none of its rows.
    fn origin(&self, found: &Found<'_>, table: usize) -> Origin {
        let is_anothers = self.forest.notes.owner(found.place.page) == Owner::Other;
        if is_anothers && self.forest.rooted.get(table) == Some(&true) {
            Origin::Other
        } else {
            found.origin
        }
    }

    /// A record in a table's own tree that has another number of fields than any version of the table.
    fn unfit(&self, tables: &mut [Progress], found: &Found<'_>, out: &mut Output<'_, '_>) -> Result<()> {
        let Owner::Table(table) = self.forest.notes.owner(found.place.page) else {
            return Ok(());
        };
        if found.unvouched {
            return Ok(());
        }
        if let Some((progress, rowid)) = tables.get_mut(table).zip(found.rowid) {
            progress.unfit.put(rowid)?;
        }
        let why = "doubtful, it fits no known version of its table";
        out.printer.values(why, table, found.rowid, found.fields, found.payload)?;
        if let Some(account) = out.account.tables.get_mut(table) {
            account.doubtful.add(found.rowid, text(found.payload, found.fields.first()));
        }
        Ok(())
    }
}

/// A field's text.
fn text<'p>(payload: &'p [u8], field: Option<&sqlite_format::record::Field>) -> Option<&'p [u8]> {
    payload.get(field.filter(|field| field.class == Classes::TEXT)?.range())
}

/// Writes a row and counts it.
fn give(line: &Line<'_>, odd: bool, id: Option<&[u8]>, out: &mut Output<'_, '_>) -> Result<()> {
    out.printer.row(line)?;
    let loses = out.printer.loses_a_column(line);
    if let Some(account) = out.account.tables.get_mut(line.fit.table) {
        account.given += 1;
        account.without_column += u64::from(loses);
        if odd {
            account.flagged.add(line.rowid, id);
        }
    }
    Ok(())
}

/// Gives up the upper half of the rowids of the table with the most candidates.
fn make_room(tables: &mut [Progress], candidates: &mut Vec<Candidate>, most: usize) {
    // What was given meanwhile is no candidate any more.
    candidates.retain(|candidate| {
        let given = tables.get(candidate.fit.table).zip(candidate.rowid);
        candidate.origin > Origin::Free || !given.is_some_and(|(table, rowid)| table.given.has(rowid))
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
            table.evidence.cut(middle.saturating_sub(1));
            let to = table.evidence.to;
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

impl Progress {
    fn within(budget: &Budget) -> Self {
        Self {
            evidence: Evidence::from(i64::MIN),
            done: false,
            given: Bits::within(budget),
            missing: Bits::within(budget),
            deleted: Bits::within(budget),
            unfit: Bits::within(budget),
        }
    }
}
