//! `PRAGMA user_version` over numbered files: `rusqlite_migration`'s folders `1-name/up.sql`, and what is made by hand. The
//! number says how many migrations were applied, and nothing about which.

use super::{Dialect, Response};
use crate::application::{File, Folder};
use crate::migrations::key::{MigrationKey, digits};
use crate::migrations::known::{self, FolderMismatch, FolderRules, KnownMigration, KnownSet};
use crate::migrations::ledger::{Applied, AppliedEntry, Reach};
use crate::migrations::steps::Transaction;

pub(crate) static USER_VERSION: Dialect = STRICT;

/// The tool, where --dialect names it: the files may be numbered in any way that gives each its place.
pub(crate) static USER_VERSION_BY_NAME: Dialect = Dialect {
    rules: FolderRules {
        read: numbered_anyhow,
        ..STRICT.rules
    },
    ..STRICT
};

const STRICT: Dialect = Dialect {
    name: "user_version",
    ledgers: &[],
    // There are no rows: see [`applied`].
    reader: |_| Ok(Applied::nothing()),
    settled_by: None,
    lock: None,
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

/// Returns the migrations in the order of the first number in each name, as somebody says that they are counted: `V1__name.sql`,
/// `v001_name.sql`, numbers from 0 on, dates.
fn numbered_anyhow(folder: &Folder) -> Result<KnownSet, FolderMismatch> {
    /// Numbers from this on are dates or times, which leave gaps.
    const DATES: u64 = 1_000_000;
    let strict = migrations(folder);
    if strict.as_ref().is_ok_and(|set| !set.known.is_empty()) {
        return strict;
    }
    let mut files: Vec<(u64, &File)> =
        folder.flat().filter_map(|file| Some((first_number(&file.name())?, file))).collect();
    if files.is_empty() {
        return strict;
    }
    files.sort_by_key(|(number, _)| *number);
    let wrong = files.windows(2).find_map(|two| match two {
        [(one, _), (other, file)] if one == other => {
            Some((*file, "two files have one number, so user_version cannot tell which were applied"))
        }
        [(one, _), (other, file)] if one + 1 < *other && *one < DATES => {
            Some((*file, "a number is missing before it, so user_version cannot tell which were applied"))
        }
        _ => None,
    });
    let starts_late = files.first().filter(|(number, _)| (2..DATES).contains(number));
    let wrong = wrong.or(starts_late.map(|(_, file)| {
        (
            *file,
            "the first file has another number than 0 or 1, so user_version cannot tell which were applied",
        )
    }));
    if let Some((file, what)) = wrong {
        return Err(FolderMismatch {
            dialect: &USER_VERSION,
            file: Some(file.path.clone()),
            what,
        });
    }
    let mut set = KnownSet::new(&USER_VERSION);
    for ((number, file), place) in files.into_iter().zip(1_u64..) {
        let name = file.name();
        let stem = name.trim_end_matches(".sql");
        let mut known =
            KnownMigration::new(MigrationKey::number(place), stem, file, known::whole(file, Transaction::AllPending));
        if number != place {
            known.label = Some(format!("{place} ({stem})"));
        }
        set.known.push(known);
    }
    set.beside = known::code_within(folder, &set.known);
    Ok(set)
}

/// Returns the first number in the name of an SQL file that leads up.
fn first_number(name: &str) -> Option<u64> {
    let stem = name.strip_suffix(".sql")?;
    let rest = stem.get(stem.find(|c: char| c.is_ascii_digit())?..)?;
    // Flyway's and refinery's names for a way down.
    let leads_down =
        stem.ends_with(".down") || stem.ends_with("_down") || (stem.starts_with('U') && stem.contains("__"));
    digits(rest).parse().ok().filter(|_| !leads_down)
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
