//! What is known of a failing store when its signs are looked for.

use std::cell::OnceCell;

use sqlite_format::cross_check::IndexFacts;

use super::blocks::{self, Blocks};
use super::conversion::{self, TextTrace};
use super::survey::{self, Survey};
use crate::application::{Damage, NoStore, Obstacle, Problem};
use crate::findings::check_id::CheckId;
use crate::limits::stop::Stop;
use crate::probe::first_bytes::NOISE;
use crate::probe::{PathKind, Probe, open_plain};
use crate::store::Access;
use crate::store::page_reader::{Files, cross_check};

/// A check that failed.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    /// The check.
    pub(crate) check: CheckId,
    /// What it found.
    pub(crate) problem: Problem,
}

/// What the checks found beside what failed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beside {
    /// The file beside the store without which it is sound.
    pub(crate) sound_without: Option<&'static str>,
    /// The root pages of indexes of which only the order is wrong.
    pub(crate) out_of_order: Vec<u32>,
}

/// What is known of a failing store. Its pages and blocks are read when a sign first asks for them.
pub(crate) struct Facts<'a> {
    /// The result of plain reads.
    pub(super) probe: &'a Probe,
    /// The checks that failed.
    failed: &'a [Failed],
    /// What the checks found beside it.
    pub(super) beside: &'a Beside,
    access: Option<&'a Access<'a>>,
    stop: &'a Stop,
    survey: OnceCell<Option<Survey>>,
    blocks: OnceCell<Option<Blocks>>,
    conversion: OnceCell<Option<TextTrace>>,
}

impl<'a> Facts<'a> {
    /// Creates the facts of a store. No handle of this process may be open on its files: they are opened and closed here.
    pub(crate) fn new(
        probe: &'a Probe,
        failed: &'a [Failed],
        beside: &'a Beside,
        access: Option<&'a Access<'a>>,
        stop: &'a Stop,
    ) -> Self {
        Self {
            probe,
            failed,
            beside,
            access,
            stop,
            survey: OnceCell::new(),
            blocks: OnceCell::new(),
            conversion: OnceCell::new(),
        }
    }

    /// Returns the problem of a check that failed.
    pub(super) fn problem(&self, check: CheckId) -> Option<&Problem> {
        self.failed.iter().find(|failed| failed.check == check).map(|failed| &failed.problem)
    }

    /// Returns what the path holds instead of a store, where it holds none.
    pub(super) fn no_store(&self) -> Option<&NoStore> {
        match self.problem(CheckId::File) {
            Some(Problem::NoStore(what)) => Some(what),
            _ => None,
        }
    }

    /// Returns true if the first bytes of the file are those of another kind, which is named.
    pub(super) fn names_other_file(&self) -> bool {
        let is_named = |what: &str| what != NOISE && what != "only zero bytes" && !what.starts_with("text");
        matches!(&self.probe.kind, PathKind::NotSqlite(Some(what)) if is_named(what))
    }

    /// Returns true if the file begins like a database.
    pub(super) fn is_database(&self) -> bool {
        matches!(self.probe.kind, PathKind::Sqlite(_))
    }

    /// Returns the conversion of text that the file went through.
    pub(super) fn conversion(&self) -> Option<TextTrace> {
        *self.conversion.get_or_init(|| {
            // Of a store that only a file beside it harms, the bytes were never converted.
            let is_of_file = matches!(self.problem(CheckId::File), Some(Problem::NoStore(NoStore::Converted(_))))
                || self.failed.iter().any(is_of_pages);
            conversion::find(self.probe, self.stop).filter(|_| is_of_file)
        })
    }

    /// Returns true if the damage is to the pages of the store itself: not to a file beside it, and not by a conversion of all of it.
    fn has_damaged_pages(&self) -> bool {
        self.failed.iter().any(is_of_pages) && self.beside.sound_without.is_none() && self.conversion().is_none()
    }

    /// Returns what a walk over the pages saw, where pages are damaged and the first one has a header.
    pub(super) fn survey(&self) -> Option<&Survey> {
        let make = || {
            if !self.is_database() || !self.has_damaged_pages() {
                return None;
            }
            if let Some(access) = self.access
                && let Ok(files) = Files::open(self.probe, access, self.stop)
            {
                let overlay = files.overlay().ok()?;
                return survey::survey(&files.database, overlay.as_ref(), self.stop).ok()?;
            }
            let file = open_plain(&self.probe.path).ok()?;
            survey::survey(&file, None, self.stop).ok()?
        };
        self.survey.get_or_init(make).as_ref()
    }

    /// Returns true if each entry of these indexes is that of a row with the same key, and each row has its entry, whatever their order.
    pub(super) fn have_the_keys_of_rows(&self, roots: &[u32]) -> bool {
        let Some(access) = self.access else { return false };
        let Ok(Some(checked)) = cross_check(self.probe, access, self.stop) else {
            return false;
        };
        let is_same = |index: &IndexFacts| {
            let differences = [&index.keys_without_rows, &index.rows_without_keys, &index.differing];
            index.is_compared && index.is_whole && differences.iter().all(|named| named.count == 0)
        };
        let index =
            |root: &u32| checked.tables.iter().flat_map(|table| &table.indexes).find(|index| index.root == *root);
        roots.iter().all(|root| index(root).is_some_and(is_same))
    }

    /// Returns what the blocks of the file look like, where its first page is not one of a database or all of it is noise.
    pub(super) fn blocks(&self) -> Option<&Blocks> {
        let make = || {
            if self.conversion().is_some() || !self.has_damaged_pages() && self.no_store().is_none() {
                return None;
            }
            let file = open_plain(&self.probe.path).ok()?;
            blocks::read(&file, self.probe.size(), self.stop).ok()
        };
        self.blocks.get_or_init(make).as_ref()
    }
}

/// Returns true if a check failed because of the file's own bytes.
fn is_of_pages(failed: &Failed) -> bool {
    matches!(failed.check, CheckId::File | CheckId::ReadOnly | CheckId::PageStructure) && is_damage(&failed.problem)
}

/// Returns true if a problem is one of the file's pages.
fn is_damage(problem: &Problem) -> bool {
    match problem {
        Problem::CouldNotCheck(obstacle) => *obstacle == Obstacle::Damage,
        Problem::NoStore(what) => matches!(
            what,
            NoStore::NotSqlite
                | NoStore::Noise
                | NoStore::Overwritten
                | NoStore::FirstPageGone { .. }
                | NoStore::BytesBefore { .. }
        ),
        Problem::Header { .. }
        | Problem::PageCount { .. }
        | Problem::CutShort { .. }
        | Problem::StaleIndexes { .. }
        | Problem::SchemaRefused { .. }
        | Problem::Derived { .. } => true,
        Problem::Structure(damage) => !matches!(damage, Damage::Constraint | Damage::Refused),
        _ => false,
    }
}
