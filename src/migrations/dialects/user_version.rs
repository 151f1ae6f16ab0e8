//! `PRAGMA user_version` over numbered files: `rusqlite_migration`'s folders `1-name/up.sql`, and what is made by hand. The
//! number says how many migrations were applied, and nothing about which.

use super::{Dialect, Response};
use crate::application::{File, Folder};
use crate::migrations::key::{MigrationKey, digits};
use crate::migrations::known::{self, FolderMismatch, FolderRules, KnownMigration, KnownSet};
use crate::migrations::ledger::{Applied, AppliedEntry, Reach};
use crate::migrations::steps::Transaction;

pub(crate) static USER_VERSION: Dialect = Dialect {
    name: "user_version",
    ledgers: &[],
    // There are no rows: see [`applied`].
    reader: |_| Ok(Applied::nothing()),
    settled_by: None,
    rules: FolderRules {
        looks: |folder| {
            let plain = known::is_flat_and_plain(folder) || !in_folders(folder).is_empty();
            plain && migrations(folder).is_ok_and(|set| !set.known.is_empty())
        },
        read: migrations,
        aligned: None,
    },
    foreign_keys: true,
    // Android's.
    own_tables: &["android_metadata", "room_master_table"],
    gap: Response::Ignores,
    unknown: Response::Refuses,
    edited: Response::Ignores,
    twice: Response::Refuses,
};

/// Returns true if a file of this `application_id` has a format of its own, whose `user_version` counts no migrations.
pub(in crate::migrations) fn is_of_a_format(application_id: i64) -> bool {
    FORMATS.iter().any(|(id, _)| *id == application_id)
}

/// The values of `application_id` that name a file format, from the list that comes with SQLite (`magic.txt`), with the format as the
/// end of a sentence.
pub(in crate::migrations) const FORMATS: [(i64, &str); 11] = [
    (0x4750_4b47, "a GeoPackage"),
    (0x4750_3130, "a GeoPackage (version 1.0)"),
    (0x4750_3131, "a GeoPackage (version 1.1)"),
    (0x4d50_4258, "a tile set (MBTiles)"),
    (0x0f05_5111, "a Fossil checkout"),
    (0x0f05_5112, "a Fossil repository"),
    (0x0f05_5113, "a Fossil configuration"),
    (0x4265_4462, "a Bentley database (BeSQLite)"),
    (0x4269_4462, "a Bentley iModel"),
    (0x4573_7269, "an Esri spatially-enabled database"),
    (0x5f4d_544e, "a Monotone repository"),
];

/// Returns the migrations that this `user_version` counts; `None` where it is below 0.
pub(in crate::migrations) fn applied(user_version: i64) -> Option<Applied> {
    let version = u32::try_from(user_version).ok()?;
    let entries = (version > 0).then(|| AppliedEntry::of(MigrationKey::number(version)));
    Some(Applied {
        entries: entries.into_iter().collect(),
        reach: Reach::UpTo,
        ..Applied::nothing()
    })
}

fn migrations(folder: &Folder) -> Result<KnownSet, FolderMismatch> {
    let mut files = in_folders(folder);
    if files.is_empty() {
        files = flat(folder);
    }
    files.sort_by_key(|(number, ..)| *number);
    // Whether a migration was applied is told by its place alone: it must be sure which place each has.
    let wrong = files.iter().zip(1..).find(|((number, ..), place)| number != place);
    if let Some(((number, _, file), place)) = wrong {
        let what = if place > 1 && *number < place {
            "two files have one number, so user_version cannot tell which were applied"
        } else {
            "the files are not numbered from 1 on without a gap, so user_version cannot tell which were applied"
        };
        return Err(FolderMismatch {
            dialect: &USER_VERSION,
            file: Some(file.path.clone()),
            what,
        });
    }
    let mut set = KnownSet::new(&USER_VERSION);
    for (number, title, file) in files {
        set.known.push(KnownMigration::new(
            MigrationKey::number(number),
            title,
            file,
            known::whole(file, Transaction::AllPending),
        ));
    }
    set.beside = known::code_within(folder, &set.known);
    if set.known.iter().all(|known| known.file.components().count() == 1) {
        set.beside = known::code_beside(folder.flat(), |digits| {
            digits.parse().ok().map(|number: u64| MigrationKey::number(number))
        });
    }
    Ok(set)
}

/// Returns the migrations of `rusqlite_migration`: `1-name/up.sql`.
fn in_folders(folder: &Folder) -> Vec<(u64, String, &File)> {
    let numbered = folder.names_of_folders().filter_map(|(path, name)| {
        let (number, title) = name.split_once('-')?;
        Some((number.parse().ok()?, title.to_owned(), folder.file(path.join("up.sql"))?))
    });
    numbered.collect()
}

/// Returns the flat files that begin with a number and do not lead down.
fn flat(folder: &Folder) -> Vec<(u64, String, &File)> {
    let numbered = folder.flat().filter_map(|file| {
        let name = file.name();
        let title = name.strip_suffix(".sql")?;
        let digits = digits(title);
        let rest = title.get(digits.len()..)?;
        let number = digits.parse().ok()?;
        (!rest.ends_with(".down")).then(|| (number, rest.trim_start_matches(['_', '-', '.']).to_owned(), file))
    });
    numbered.collect()
}
