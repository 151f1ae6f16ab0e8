//! Tells a store of another application from one that has no ledger yet.

use crate::application::{Application, Table};
use crate::error::Result;
use crate::findings::LONGEST_NAME;
use crate::migrations::dialects::user_version::FORMATS;
use crate::migrations::discovery::{describe_ledger, ledgers};
use crate::migrations::status::THIRD_PARTY_TABLES;
use crate::store::ReadOnly;
use crate::store::introspect;
use crate::text::words::{cut, plural};

/// Tables that only one kind of program makes, and whose store it is, as the end of a sentence.
const WELL_KNOWN: &[(&str, &str)] = &[
    ("gpkg_contents", "a GeoPackage"),
    ("moz_places", "a Mozilla browser's bookmarks and history"),
    ("moz_cookies", "a Mozilla browser's cookies"),
    ("moz_formhistory", "a Mozilla browser's form history"),
    ("keyword_search_terms", "a Chromium browser's history"),
    ("room_master_table", "an Android application's (Room)"),
    ("android_metadata", "an Android application's"),
];

/// Returns the reason why a store without a ledger is not the application's: it has tables, and none of them is the application's by its name and
/// columns. `None` where one is, where there are no tables, or where the application's tables are not known.
///
/// # Errors
/// Fails with SQLite's error.
pub(super) fn describe_foreign_store(application: &Application, handle: &ReadOnly) -> Result<Option<String>> {
    if application.tables.is_empty() {
        return Ok(None);
    }
    let mut names = introspect::ordinary_tables(handle)?.names;
    names.retain(|name| !THIRD_PARTY_TABLES.contains(&name.as_str()));
    if names.is_empty() {
        return Ok(None);
    }
    for table in application.tables.iter() {
        if has_table(handle, table)? {
            return Ok(None);
        }
    }
    let own: Vec<&str> = application.tables.iter().map(|table| &*table.name).collect();
    let whose = describe_owner(handle, &names)?.map_or_else(String::new, |whose| format!("; it looks like {whose}"));
    Ok(Some(format!(
        "not {}'s store: {}, and none of them is {}'s ({}){whose} (doctor --any examines any application's database)",
        application.name(),
        plural(names.len() as u64, "table is in it", "tables are in it"),
        application.name(),
        own.join(", ")
    )))
}

/// Returns true if a table of this name has most of the application's columns. One that was damaged or changed may lack some.
fn has_table(handle: &ReadOnly, table: &Table) -> Result<bool> {
    let stored = introspect::ordinary_columns(handle, &table.name)?;
    let found = table.columns.iter().filter(|column| stored.has(&column.name)).count();
    Ok(found * 2 > table.columns.len())
}

/// Returns whose store it is, where something in it says so.
fn describe_owner(handle: &ReadOnly, names: &[String]) -> Result<Option<String>> {
    let application_id = handle.number("PRAGMA application_id")? & 0xffff_ffff;
    if let Some((_, format)) = FORMATS.iter().find(|(id, _)| *id == application_id) {
        return Ok(Some(format!("{format}, by its application_id")));
    }
    let is_there = |known: &str| names.iter().any(|name| name.eq_ignore_ascii_case(known));
    if let Some((table, whose)) = WELL_KNOWN.iter().find(|(table, _)| is_there(table)) {
        return Ok(Some(format!("{whose}, by its table {table}")));
    }
    if let Some(ledger) = ledgers(handle)?.first() {
        let whose = describe_ledger(ledger.tool.name(), &cut(&ledger.table, LONGEST_NAME));
        return Ok(Some(format!("another application's, as it has {whose}")));
    }
    Ok((application_id != 0).then(|| format!("another application's, whose application_id is 0x{application_id:08x}")))
}
