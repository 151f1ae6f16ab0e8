//! What SQLite's integrity check passes over in silence.

use crate::checks::left_out::LeftOut;
use crate::error::Result;
use crate::findings::LONGEST_NAME;
use crate::migrations::shape;
use crate::store::ReadOnly;
use crate::text::words::cut;

/// How many missing modules are named one by one.
const MOST_MODULES: usize = 1_000;

/// The longest definition of a virtual table that is read for the name of its module, in bytes.
const LONGEST_SQL: usize = 64 << 10;

/// Virtual tables whose modules are not here, which SQLite's check passes over in silence: each module once.
pub(super) fn missing_modules(handle: &ReadOnly) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT name, iif(octet_length(sql) > {LONGEST_SQL}, NULL, sql) FROM sqlite_schema
         WHERE type = 'table' AND ifnull(rootpage, 0) = 0"
    );
    let mut missing = LeftOut::default();
    let mut here: Option<Vec<String>> = None;
    handle.rows(&sql, [], |row| {
        let text = |at| row.get_ref(at).ok().and_then(|text| text.as_bytes().ok()).map(String::from_utf8_lossy);
        let Some(module) = text(1).and_then(|sql| shape::module(&sql)) else {
            return Ok(());
        };
        let here = match &mut here {
            Some(here) => here,
            None => here.insert(handle.collect("PRAGMA module_list", [], |row| row.get(0))?),
        };
        if !here.iter().any(|name| name.eq_ignore_ascii_case(&module)) && missing.reasons() < MOST_MODULES {
            let why = format!("no such module: {}", cut(&module, LONGEST_NAME));
            missing.count(why, &text(0).unwrap_or_default());
        }
        Ok(())
    })?;
    Ok(missing.words())
}
