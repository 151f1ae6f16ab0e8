//! Alembic: `versions/REVISION_name.py`, each of which names the revision before it; the ledger holds the latest of each branch alone.

use std::collections::{HashMap, HashSet};

use super::{Dialect, Response, code};
use crate::application::{File, Folder};
use crate::migrations::key::MigrationKey;
use crate::migrations::known::{FolderRules, KnownMigration, KnownSet};
use crate::migrations::ledger::{self, Applied, AppliedEntry, DeclaredColumn, Fit, LedgerTable, Reach};

pub(in crate::migrations) static ALEMBIC: Dialect = Dialect {
    name: "Alembic",
    ledgers: &[LedgerTable {
        name: "alembic_version",
        columns: &[DeclaredColumn::new("version_num", &[]).read()],
        known_by_columns: false,
        fit: Fit::SomeNames,
    }],
    reader: |rows| {
        ledger::names(rows, "version_num", |revision| MigrationKey::text(revision)).map(|applied| Applied {
            reach: Reach::Behind,
            ..applied
        })
    },
    settled_by: None,
    lock: None,
    rules: FolderRules {
        looks: |folder| revisions(folder).next().is_some(),
        read: |folder| Ok(migrations(folder)),
        aligned: Some(aligned),
    },
    foreign_keys: true,
    own_tables: &[],
    // What an applied revision builds on is applied.
    gap: Response::Runs,
    unknown: Response::Refuses,
    edited: Response::Ignores,
    twice: Response::Warns,
};

/// A revision, with those that it builds on.
struct Revision<'a> {
    file: &'a File,
    id: String,
    before: Vec<String>,
}

/// Returns the revisions in the folder, or in a folder `versions` in it.
fn revisions(folder: &Folder) -> impl Iterator<Item = Revision<'_>> {
    let is_there = |file: &&File| {
        let parent = file.path.parent().and_then(|parent| parent.file_name());
        file.name().ends_with(".py") && parent.is_none_or(|parent| parent == "versions")
    };
    folder.files.iter().filter(is_there).filter_map(|file| {
        let text = file.text()?;
        let id = code::python_strings(text, "revision")?.into_iter().next()?;
        // Of a file outside the folder no word is repeated: its own name has to tell.
        if file.is_outside && !file.name().starts_with(&id) {
            return None;
        }
        let mut before = code::python_strings(text, "down_revision")?;
        before.extend(code::python_strings(text, "depends_on").unwrap_or_default());
        Some(Revision { file, id, before })
    })
}

fn migrations(folder: &Folder) -> KnownSet {
    let mut all: Vec<Revision<'_>> = revisions(folder).collect();
    let depths = depths(&all);
    all.sort_by_key(|revision| depths.get(&revision.id).copied().unwrap_or_default());
    // The revisions are no numbers: the order is that of their places.
    let keys: HashMap<String, MigrationKey> = all
        .iter()
        .zip(1_i128..)
        .map(|(revision, place)| (revision.id.clone(), MigrationKey::placed(place, &revision.id)))
        .collect();
    let mut set = KnownSet::new(&ALEMBIC);
    for Revision { file, id, before } in all {
        let Some(key) = keys.get(&id) else { continue };
        let name = file.name();
        let title = name.trim_end_matches(".py").trim_start_matches(&*id).trim_start_matches('_').to_owned();
        set.known.push(KnownMigration {
            after: before.iter().filter_map(|id| keys.get(id)).cloned().collect(),
            ..code::migration(key.clone(), title, file, "Python")
        });
    }
    set
}

/// Returns the number of revisions that must come before each, at least.
fn depths(all: &[Revision<'_>]) -> HashMap<String, usize> {
    let mut depths: HashMap<String, usize> = all.iter().map(|revision| (revision.id.clone(), 0)).collect();
    // As many rounds as the longest chain has; a circle, which Alembic refuses, ends with the bound.
    for _ in 0..all.len() {
        let mut is_changed = false;
        for revision in all {
            let deepest = revision.before.iter().filter_map(|id| depths.get(id)).max();
            let depth = deepest.map_or(0, |deepest| deepest + 1).min(all.len());
            if depths.insert(revision.id.clone(), depth) != Some(depth) {
                is_changed = true;
            }
        }
        if !is_changed {
            break;
        }
    }
    depths
}

/// Returns everything that was applied: the ledger's revisions and those on which they build. Where it has one that the folder does not have,
/// what that builds on is not known.
fn aligned(set: &KnownSet, mut applied: Applied) -> Applied {
    let by_id: HashMap<String, &KnownMigration> =
        set.known.iter().map(|known| (known.key.as_text().into_owned(), known)).collect();
    let mut heads = Vec::new();
    for entry in &mut applied.entries {
        match by_id.get(&*entry.key.as_text()) {
            Some(known) => {
                entry.key = known.key.clone();
                heads.push(known.key.clone());
            }
            None => applied.is_undecided = true,
        }
    }
    let here: HashSet<MigrationKey> = heads.iter().cloned().collect();
    let behind = set.behind(&heads);
    applied
        .entries
        .extend(behind.into_iter().filter(|key| !here.contains(key)).map(AppliedEntry::of));
    applied.entries.sort_by(|a, b| a.key.cmp(&b.key));
    applied
}
