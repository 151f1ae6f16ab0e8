//! SQLite's own integrity check: runs it and reads its messages.

use rusqlite::ffi;

use super::ReadOnly;
use super::introspect::{identifier, quoted};
use crate::error::{Error, Result};

/// The beginning of a message about pages. It has a line for each fault; every other message is one line about a row or an index.
const OF_PAGES: &str = "*** in database ";

/// The beginning of such a line that is about the freelist.
const OF_FREELIST: &str = "Freelist: ";

/// The part of a store that is checked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Extent<'a> {
    /// All of it. SQLite ends the check after so many lines.
    Store { most_lines: usize },
    /// One table with its indexes; with `sqlite_schema`, the freelist too. SQLite ends the check after 100 lines.
    Table(&'a str),
}

/// Runs SQLite's integrity check and hands out its messages. A healthy store has the single message `ok`.
///
/// # Errors
/// Fails with the error that ended the check: the messages before it stand. Or the one that `each` returns.
pub(crate) fn each_message(
    handle: &ReadOnly,
    extent: Extent<'_>,
    mut each: impl FnMut(&str) -> Result<()>,
) -> Result<()> {
    let of = match extent {
        Extent::Store { most_lines } => {
            // With this setting a damaged page fails as a whole: less is said about where, and the check may end there.
            handle.rows("PRAGMA cell_size_check=OFF", [], |_| Ok(()))?;
            most_lines.to_string()
        }
        Extent::Table(name) => quoted(name),
    };
    handle.rows_of_pragma(&format!("PRAGMA integrity_check({of})"), |row| {
        let bytes = row.get_ref(0).ok().and_then(|value| value.as_bytes().ok()).unwrap_or_default();
        each(&String::from_utf8_lossy(bytes))
    })
}

/// Hands out the faults that SQLite's integrity check finds, as [`each_message`]: a line about a page, or a message about a row,
/// an index or a virtual table, which may have line ends in it.
///
/// # Errors
/// Fails as [`each_message`].
pub(crate) fn each_line(handle: &ReadOnly, extent: Extent<'_>, mut each: impl FnMut(&str)) -> Result<()> {
    each_message(handle, extent, |message| {
        // Only a message about pages is cut at line ends: no name is in it. In every other one a line end is a name's, or it
        // parts the faults of one spatial index.
        if message.starts_with(OF_PAGES) {
            message.lines().skip(1).for_each(&mut each);
        } else if message != "ok" {
            each(message);
        }
        Ok(())
    })
}

/// Checks that the pages of a table hold together: one wrong byte in them can hide a row, and SQLite reads on. Its indexes are not
/// held against its rows, and values that a column forbids pass: neither hides a row.
///
/// # Errors
/// Fails with damage, where a page is wrong; and the error that keeps SQLite from checking.
pub(crate) fn check_pages(handle: &ReadOnly, table: &str) -> Result<()> {
    check_tree(handle, table, |_| true)
}

/// Checks that the pages of the schema hold together. The free pages, at which SQLite looks with them, hide no table.
///
/// # Errors
/// Fails as [`check_pages`].
pub(crate) fn check_schema_pages(handle: &ReadOnly) -> Result<()> {
    check_tree(handle, "sqlite_schema", |line| !line.starts_with(OF_FREELIST))
}

/// Runs the check of one table and returns damage for a line about pages that `counts`.
fn check_tree(handle: &ReadOnly, table: &str, counts: impl Fn(&str) -> bool) -> Result<()> {
    let sql = format!("PRAGMA quick_check({})", identifier(table));
    let damaged = || rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), None);
    handle.rows_of_pragma(&sql, |row| {
        let bytes = row.get_ref(0).ok().and_then(|line| line.as_bytes().ok()).unwrap_or_default();
        let message = String::from_utf8_lossy(bytes);
        if message.starts_with(OF_PAGES) && message.lines().skip(1).any(&counts) {
            return Err(unread_page(&message).unwrap_or_else(|| Error::sqlite(&sql)(damaged())));
        }
        Ok(())
    })
}

/// Returns the error behind a message about a page that could not be read, when that lies in the disk or in the memory and not in
/// the page: the check itself goes on after it.
pub(crate) fn unread_page(message: &str) -> Option<Error> {
    let code_of = |line: &str| -> Option<i32> {
        let (_, code) = line.split_once("unable to get the page. error code=")?;
        code.trim_end().parse().ok()
    };
    let is_unread = |code: &i32| matches!(code & 0xff, ffi::SQLITE_IOERR | ffi::SQLITE_NOMEM);
    let code = message.lines().filter_map(code_of).find(is_unread)?;
    let wrap = Error::sqlite("PRAGMA integrity_check");
    Some(wrap(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_could_not_be_read_is_told_from_one_that_is_damaged() {
        let of = |code| unread_page(&format!("Tree 5 page 7: unable to get the page. error code={code}"));
        let lines =
            "*** in database main ***\nTree 5 page 7: unable to get the page. error code=8458\nTree 5: and more";
        assert!(unread_page(lines).unwrap().is_io());
        assert!(of(8458).unwrap().is_io() && of(7).unwrap().is_out_of_memory());
        assert!(of(11).is_none() && unread_page("wrong # of entries in index x").is_none());
    }
}
