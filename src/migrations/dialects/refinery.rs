//! refinery: `V1__name.sql` anywhere below the folder, and `.rs` among them; one row for each, with a date that refinery itself must
//! be able to read, and SipHash-1-3 of name, version and text.

use super::{Dialect, Response};
use crate::application::values::timestamp;
use crate::application::{File, Folder};
use crate::migrations::checksum::{self, Checksums};
use crate::migrations::key::MigrationKey;
use crate::migrations::known::{self, FolderMismatch, FolderRules, KnownMigration, KnownSet, Script, SkipReason};
use crate::migrations::ledger::{
    Applied, AppliedEntry, DeclaredColumn, Fit, LedgerNote, LedgerRows, LedgerTable, MalformedLedger, reject_duplicates,
};
use crate::migrations::steps::Transaction;

pub(in crate::migrations) static REFINERY: Dialect = Dialect {
    name: "refinery",
    ledgers: &[LedgerTable {
        name: "refinery_schema_history",
        columns: &[
            DeclaredColumn::new("version", &["INT4", "INT8", "INTEGER"]).key().read(),
            DeclaredColumn::new("name", &["VARCHAR(255)"]),
            DeclaredColumn::new("applied_on", &["VARCHAR(255)"]).read(),
            DeclaredColumn::new("checksum", &["VARCHAR(255)"]).read(),
        ],
        known_by_columns: true,
        fit: Fit::Exact,
    }],
    reader: applied,
    settled_by: None,
    lock: None,
    rules: FolderRules {
        looks: |folder| folder.files.iter().any(|file| parse(&file.name()).is_some_and(|name| name.end == "sql")),
        read: migrations,
        aligned: None,
    },
    foreign_keys: true,
    own_tables: &[],
    gap: Response::Refuses,
    unknown: Response::Refuses,
    edited: Response::Refuses,
    twice: Response::Refuses,
};

fn applied(rows: &LedgerRows<'_>) -> Result<Applied, MalformedLedger> {
    let mut entries = Vec::new();
    let mut bad_dates = 0;
    for row in rows.iter() {
        let key = MigrationKey::number(row.integer("version")?);
        entries.push(AppliedEntry::with_checksum(key, row.checksum("checksum")));
        bad_dates += usize::from(!timestamp::is_rfc3339(row.text("applied_on")?.as_bytes()));
    }
    reject_duplicates(&entries)?;
    let notes = if bad_dates > 0 {
        vec![LedgerNote::BadDates(bad_dates)]
    } else {
        Vec::new()
    };
    Ok(Applied {
        notes,
        ..Applied::each(entries)
    })
}

struct Name<'a> {
    in_any_order: bool,
    version: &'a str,
    title: &'a str,
    end: &'a str,
}

/// Returns the parts of a file's name: `^([U|V])(\d+(?:\.\d+)?)__(\w+)\.(rs|sql)$`.
fn parse(name: &str) -> Option<Name<'_>> {
    let in_any_order = name.starts_with('U');
    let rest = name.strip_prefix(['U', 'V'])?;
    let (version, rest) = rest.split_once("__")?;
    let (title, end) = rest.rsplit_once('.')?;
    let of_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_version = match version.split_once('.') {
        Some((major, minor)) => of_digits(major) && of_digits(minor),
        None => of_digits(version),
    };
    let is_title = !title.is_empty() && title.chars().all(|c| c.is_alphanumeric() || c == '_');
    (is_version && is_title && matches!(end, "rs" | "sql")).then_some(Name {
        in_any_order,
        version,
        title,
        end,
    })
}

fn migrations(folder: &Folder) -> Result<KnownSet, FolderMismatch> {
    let mut set = KnownSet::new(&REFINERY);
    for file in &folder.files {
        let name = file.name();
        let Some(name) = parse(&name) else { continue };
        let version: i64 = name.version.parse().map_err(|_| FolderMismatch {
            dialect: &REFINERY,
            file: Some(file.path.clone()),
            what: "its version is not a whole number that refinery takes",
        })?;
        let script = if name.end == "sql" {
            known::whole(file, Transaction::Each)
        } else {
            Script::NotReplayable(SkipReason::Code("Rust"))
        };
        set.known.push(KnownMigration {
            checksums: checksums(file, name.title, version),
            in_any_order: name.in_any_order,
            ..KnownMigration::new(MigrationKey::number(version), name.title, file, script)
        });
    }
    set.known.sort_by_key(|known| known.key.clone());
    Ok(set)
}

/// Returns the checksums with 4 or 8 bytes for the version: the feature `int8-versions` decides, which the folder does not tell.
fn checksums(file: &File, title: &str, version: i64) -> Checksums {
    let Some(text) = file.text() else {
        return Checksums::default();
    };
    Checksums::of(text, |text| {
        [false, true]
            .iter()
            .filter_map(|wide| checksum::refinery(title, version, text, *wide))
            .collect()
    })
}
