//! Django: `APP/migrations/NAME.py`, each of which names those that it depends on; one row for each, with the application's part (the app)
//! and the name. A folder may be one app's, or that of a project with several.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::{Dialect, Response, code};
use crate::application::{File, Folder};
use crate::migrations::key::MigrationKey;
use crate::migrations::known::{FolderRules, KnownMigration, KnownSet};
use crate::migrations::ledger::{Applied, AppliedEntry, DeclaredColumn, Fit, LedgerRows, LedgerTable, MalformedLedger};

pub(in crate::migrations) static DJANGO: Dialect = Dialect {
    name: "Django",
    ledgers: &[LedgerTable {
        name: "django_migrations",
        columns: &[
            DeclaredColumn::new("app", &[]).read(),
            DeclaredColumn::new("name", &[]).read(),
            DeclaredColumn::new("applied", &[]),
        ],
        known_by_columns: false,
        fit: Fit::SomeNames,
    }],
    reader: applied,
    settled_by: None,
    lock: None,
    rules: FolderRules {
        looks: |folder| files(folder).next().is_some(),
        read: |folder| Ok(migrations(folder)),
        aligned: Some(aligned),
    },
    foreign_keys: true,
    own_tables: &[],
    // "applied before its dependency": InconsistentMigrationHistory.
    gap: Response::Refuses,
    unknown: Response::Ignores,
    edited: Response::Ignores,
    twice: Response::Refuses,
};

/// The sign between an app and a name, which no app has in its own.
const DOT: char = '.';

fn applied(rows: &LedgerRows<'_>) -> Result<Applied, MalformedLedger> {
    let mut keys = BTreeSet::new();
    for row in rows.iter() {
        keys.insert(format!("{}{DOT}{}", row.name("app")?, row.name("name")?));
    }
    Ok(Applied::each(
        keys.into_iter().map(|key| AppliedEntry::of(MigrationKey::text(key))).collect(),
    ))
}

/// Returns the files that are migrations, each with its text and the name of its app; that is empty where the folder is one app's.
fn files(folder: &Folder) -> impl Iterator<Item = (String, &File, &str)> {
    folder.files.iter().filter_map(|file| {
        let name = file.name();
        let text = file
            .text()
            .filter(|text| text.contains("migrations.Migration") || text.contains("(Migration)"))?;
        let is_one = name.ends_with(".py") && !name.starts_with(['_', '~']);
        let parent = file.path.parent().filter(|_| is_one)?;
        let app = if parent == Path::new("") {
            String::new()
        } else {
            let app = parent.parent().filter(|_| parent.ends_with("migrations"))?;
            app.file_name().map(|app| app.to_string_lossy().into_owned()).unwrap_or_default()
        };
        Some((app, file, text))
    })
}

fn migrations(folder: &Folder) -> KnownSet {
    let mut set = KnownSet::new(&DJANGO);
    set.part.clone_from(&folder.part);
    let key = |app: &str, name: &str| {
        if app.is_empty() {
            MigrationKey::text(name)
        } else {
            MigrationKey::text(format!("{app}{DOT}{name}"))
        }
    };
    for (app, file, text) in files(folder) {
        let name = file.name();
        let stem = name.trim_end_matches(".py");
        let pairs = |attribute: &str| -> Vec<MigrationKey> {
            let all = code::python_pairs(text, attribute).into_iter();
            // Where the folder is one app's, what depends on another app cannot be told by the name of the app.
            let own = |(of, name): (String, String)| {
                if app.is_empty() {
                    key("", &name)
                } else {
                    key(&of, &name)
                }
            };
            all.map(own).collect()
        };
        set.known.push(KnownMigration {
            after: pairs("dependencies"),
            replaces: pairs("replaces"),
            ..code::migration(key(&app, stem), stem.to_owned(), file, "Python")
        });
    }
    // What one app's migration depends on in another app may have the name of one of its own: never what comes after it.
    for known in &mut set.known {
        let own = known.key.clone();
        known.after.retain(|key| *key < own || key.as_text().contains(DOT));
    }
    set.known.sort_by_key(|known| known.key.clone());
    set
}

/// Returns what was applied of the apps in the folder, as the folder has the names. What replaces others is applied where these are, and
/// these are where it is.
fn aligned(set: &KnownSet, mut applied: Applied) -> Applied {
    let known: HashSet<String> = set.known.iter().map(|known| known.key.as_text().into_owned()).collect();
    let is_one_app = !known.iter().any(|key| key.contains(DOT));
    let mut apps: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in &applied.entries {
        if let Some((app, name)) = entry.key.as_text().split_once(DOT) {
            apps.entry(app.to_owned()).or_default().push(name.to_owned());
        }
    }
    let entries: Vec<String> = if is_one_app {
        one_app(&apps, &known, set.part.as_deref()).unwrap_or_default().to_vec()
    } else {
        let here: HashSet<&str> = known.iter().filter_map(|key| Some(key.split_once(DOT)?.0)).collect();
        let of_app = |(app, names): (&String, &Vec<String>)| -> Vec<String> {
            names.iter().map(|name| format!("{app}{DOT}{name}")).collect()
        };
        apps.iter().filter(|(app, _)| here.contains(app.as_str())).flat_map(of_app).collect()
    };
    let mut keys: BTreeSet<MigrationKey> = entries.into_iter().map(MigrationKey::text).collect();
    let replaced: HashMap<&MigrationKey, &Vec<MigrationKey>> = set
        .known
        .iter()
        .filter(|known| !known.replaces.is_empty())
        .map(|known| (&known.key, &known.replaces))
        .collect();
    for (key, replaces) in replaced {
        if keys.contains(key) {
            let of_folder = replaces.iter().filter(|key| known.contains(&*key.as_text())).cloned();
            keys.extend(of_folder.collect::<Vec<_>>());
        } else if replaces.iter().all(|key| keys.contains(key)) {
            keys.insert(key.clone());
        }
        // What was replaced and is gone from the folder is no more than history.
        if keys.contains(key) {
            keys.retain(|key| !replaces.contains(key) || known.contains(&*key.as_text()));
        }
    }
    applied.entries = keys.into_iter().map(AppliedEntry::of).collect();
    applied
}

/// Returns the names that the ledger has for the app of a folder: the app that is called as the part to which the folder belongs, or else the
/// one that has most of its names.
fn one_app<'a>(
    apps: &'a BTreeMap<String, Vec<String>>,
    known: &HashSet<String>,
    part: Option<&str>,
) -> Option<&'a [String]> {
    if let Some(names) = part.and_then(|app| apps.get(app)) {
        return Some(names);
    }
    let in_common = |names: &[String]| names.iter().filter(|name| known.contains(*name)).count();
    // Every app has a first migration of the same name.
    let best = apps.values().max_by_key(|names| in_common(names))?;
    (in_common(best) > 1).then_some(best.as_slice())
}
