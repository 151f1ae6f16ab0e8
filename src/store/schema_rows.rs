//! Checks that the rows of `sqlite_schema` say what SQLite takes their objects for.
//!
//! SQLite loads an object by its definition, and accepts a `type` or `name` in other letters or as a blob. Every program that asks
//! the schema by them passes over such an object: so do VACUUM, `.dump` and the doctor.

use std::borrow::Cow;

use sqlite_format::schema::table;
use sqlite_format::sql::lexer::{Lexer, Token, TokenKind};

use super::ReadOnly;
use super::integrity::{check_pages, check_schema_pages};
use super::introspect::{self, LONGEST_DEFINITION, quoted};
use crate::error::{Error, Result};

/// The beginning of a definition that is read, in characters: longer than the words before the longest name that tools give.
const LONGEST_BEGINNING: usize = 1_024;

/// The words that `type` may be.
const TYPES: [&str; 4] = ["table", "index", "view", "trigger"];

/// A row of `sqlite_schema` that says something else than its object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OddRow {
    /// Its rowid.
    pub(crate) rowid: i64,
    /// The fault, as the end of a sentence that begins with the row.
    pub(crate) what: &'static str,
    /// The assignment that puts it right, where a definition says which: `type='table'`.
    pub(crate) assignment: Option<String>,
}

/// Returns the rows of the schema that no SQLite writes: `type` is none of its four words or contradicts the definition, or `name` is
/// not the definition's.
///
/// # Errors
/// Fails with SQLite's error.
pub(crate) fn odd_rows(handle: &ReadOnly) -> Result<Vec<OddRow>> {
    let sql = format!(
        // A definition longer than any value that is read would fail the statement.
        "SELECT rowid, iif(typeof(type) = 'text', type, NULL), iif(typeof(name) = 'text', name, NULL),
                iif(octet_length(sql) <= {LONGEST_DEFINITION} AND typeof(sql) = 'text', substr(sql, 1, {LONGEST_BEGINNING}), NULL),
                ifnull(rootpage, 0)
         FROM sqlite_schema"
    );
    let mut odd = Vec::new();
    handle.rows(&sql, [], |row| {
        let mut read = || -> rusqlite::Result<()> {
            let text = |at| -> rusqlite::Result<Option<&str>> {
                let bytes = row.get_ref(at)?.as_bytes_or_null()?;
                Ok(bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()))
            };
            let is_text = |at| Ok::<_, rusqlite::Error>(row.get_ref(at)? != rusqlite::types::ValueRef::Null);
            let defined = text(3)?.and_then(Defined::of);
            let fault = fault(is_text(1)?, text(1)?, is_text(2)?, text(2)?, defined.as_ref());
            if let Some((what, assignment)) = fault.or(sequence_fault(text(2)?, text(3)?, row.get(4)?)) {
                odd.push(OddRow {
                    rowid: row.get(0)?,
                    what,
                    assignment,
                });
            }
            Ok(())
        };
        read().map_err(Error::sqlite(&sql))
    })?;
    Ok(odd)
}

/// Returns the fault of a row, and the assignment that repairs it.
fn fault(
    type_is_text: bool,
    kind: Option<&str>,
    name_is_text: bool,
    name: Option<&str>,
    defined: Option<&Defined>,
) -> Option<(&'static str, Option<String>)> {
    let right_type = || defined.map(|defined| format!("type='{}'", defined.kind));
    // The assignment ends up in a command that is pasted into a shell: an untrusted name may hold anything.
    let is_plain = |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let plain_name = || defined.map(|defined| defined.name.as_str()).filter(is_plain);
    let right_name = || plain_name().map(|name| format!("name='{name}'"));
    match kind {
        _ if !type_is_text => return Some(("has a type that is not text", right_type())),
        Some(kind) if TYPES.contains(&kind) => {
            if defined.is_some_and(|defined| defined.kind != kind) {
                return Some(("has another type than its definition", right_type()));
            }
        }
        _ => return Some(("has a type that SQLite never writes", right_type())),
    }
    if !name_is_text {
        return Some(("has a name that is not text", right_name()));
    }
    // A name that is not UTF-8 cannot be compared.
    let differs = |name: &str| defined.is_some_and(|defined| !defined.name.eq_ignore_ascii_case(name));
    name.is_some_and(differs).then(|| ("has another name than its definition", right_name()))
}

/// The definition of the table of AUTOINCREMENT counters, as SQLite writes it.
const SEQUENCE: &str = "CREATE TABLE sqlite_sequence(name,seq)";

/// Returns the fault of the row of `sqlite_sequence` if that is not a table with rowids and two columns, and the assignment that repairs it.
fn sequence_fault(name: Option<&str>, sql: Option<&str>, root: i64) -> Option<(&'static str, Option<String>)> {
    let is_it = name.is_some_and(|name| name.eq_ignore_ascii_case("sqlite_sequence"));
    let sql = sql.filter(|sql| is_it && *sql != SEQUENCE)?;
    let is_good = match table::parse(sql) {
        Ok(statement) => statement.columns.len() == 2 && !statement.without_rowid,
        // It may be a table that only SQLite understands.
        Err(_) => Defined::of(sql).is_some_and(|defined| defined.kind == "table"),
    };
    let what = "is sqlite_sequence, and not the table of two columns in which AUTOINCREMENT counts: no row can be inserted into a table with it";
    (!is_good).then(|| (what, (root > 1).then(|| format!("type='table',sql='{SEQUENCE}'"))))
}

/// The kind and the name of an object as its definition has them.
#[derive(Debug, PartialEq, Eq)]
struct Defined {
    kind: &'static str,
    name: String,
}

impl Defined {
    /// Reads the beginning of a definition; `None` where it is none that SQLite stores.
    fn of(sql: &str) -> Option<Self> {
        let mut tokens = Lexer::new(sql).filter(|token| !token.is_blank()).peekable();
        let is = |token: &Token<'_>, word: &str| token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case(word);
        tokens.next().filter(|token| is(token, "CREATE"))?;
        let before = ["UNIQUE", "VIRTUAL", "TEMP", "TEMPORARY"];
        while tokens.next_if(|token| before.iter().any(|word| is(token, word))).is_some() {}
        let kind = tokens.next()?;
        let kind = TYPES.into_iter().find(|word| is(&kind, word))?;
        if tokens.next_if(|token| is(token, "IF")).is_some() {
            tokens.next().filter(|token| is(token, "NOT"))?;
            tokens.next().filter(|token| is(token, "EXISTS"))?;
        }
        let mut name = name_of(tokens.next()?)?;
        if tokens.next_if(|token| token.text == ".").is_some() {
            name = name_of(tokens.next()?)?;
        }
        // A name at the very end may have been cut off.
        tokens.next()?;
        Some(Self { kind, name })
    }
}

fn name_of(token: Token<'_>) -> Option<String> {
    match token.kind {
        TokenKind::Word => Some(token.text.to_owned()),
        TokenKind::QuotedName | TokenKind::Text if token.is_complete => Some(token.unquoted()),
        _ => None,
    }
}

/// Checks that the schema can be believed: its pages are sound, and its rows say what its objects are.
///
/// # Errors
/// Fails with damage in the schema's pages, [`Error::Schema`] for a row that says something else than its object is, and SQLite's error.
pub(crate) fn check_schema(handle: &ReadOnly) -> Result<()> {
    check_schema_pages(handle)?;
    match odd_rows(handle)?.first() {
        None => Ok(()),
        Some(odd) => Err(Error::Schema(format!("row {} of sqlite_schema {}", odd.rowid, odd.what))),
    }
}

/// A column as a table stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredColumn<'n> {
    /// Its name.
    pub(crate) name: Cow<'n, str>,
    /// True for the one column of the primary key, which is the rowid under another name unless it has an index.
    pub(crate) is_key: bool,
}

/// Checks that the rows of a table are its own, as [`check_rows_of`] does, and asks for its columns.
///
/// # Errors
/// Fails as [`check_rows_of`].
pub(crate) fn check_rows(handle: &ReadOnly, table: &str) -> Result<()> {
    let sql = format!("PRAGMA table_xinfo({})", quoted(table));
    let mut columns = handle.collect(&sql, [], |row| {
        let column = StoredColumn {
            name: Cow::Owned(row.get("name")?),
            is_key: row.get::<_, i64>("pk")? > 0,
        };
        Ok((column, row.get::<_, i64>("hidden")?))
    })?;
    // A virtual column is not stored, and to read it would run an expression of the untrusted schema.
    columns.retain(|(_, hidden)| *hidden != 2);
    let mut columns: Vec<StoredColumn<'_>> = columns.into_iter().map(|(column, _)| column).collect();
    if columns.iter().filter(|column| column.is_key).count() > 1 {
        for column in &mut columns {
            column.is_key = false;
        }
    }
    check_rows_of(handle, table, &columns)
}

/// Checks that the rows of a table are its own: its pages are sound, no other object has its root page, and no record has more values
/// than the table has columns or keeps the rowid's column, where SQLite writes NULL.
///
/// The records are checked by their size: SQLite's `dbstat` has the bytes of all payloads, and a record of these values cannot take
/// more than its header and its values do ("Record Format", <https://www.sqlite.org/fileformat2.html#record_format>).
///
/// # Errors
/// Fails with damage in the table's pages, [`Error::Schema`], and SQLite's error.
pub(crate) fn check_rows_of(handle: &ReadOnly, table: &str, columns: &[StoredColumn<'_>]) -> Result<()> {
    check_pages(handle, table)?;
    let (most, stored, sharing) = sizes(handle, table, columns, true)?;
    if sharing > 1 {
        return Err(Error::Schema("another object of the schema has the ledger's root page".to_owned()));
    }
    // A key that has an index of its own is stored as any other column.
    let is_stored = || Ok::<_, Error>(introspect::indexes(handle, table)?.iter().any(|index| index.is_of_primary_key));
    if stored > most && !(is_stored()? && stored <= sizes(handle, table, columns, false)?.0) {
        return Err(Error::Schema(
            "the records in the ledger's pages are longer than its columns can be".to_owned(),
        ));
    }
    Ok(())
}

/// Returns the most bytes that the records of a table can take, those that they take, and the number of objects with its root page.
fn sizes(handle: &ReadOnly, table: &str, columns: &[StoredColumn<'_>], key_is_rowid: bool) -> Result<(i64, i64, i64)> {
    let size = |column: &StoredColumn<'_>| {
        if column.is_key && key_is_rowid {
            // NULL: a serial type of one byte and no value.
            return "1".to_owned();
        }
        let name = quoted(&column.name);
        // A serial type has one byte below 128, which is text of 57 bytes, and two below 16,384. A number has at most 8 bytes.
        format!(
            "CASE typeof({name}) WHEN 'null' THEN 1 WHEN 'integer' THEN iif({name} BETWEEN -128 AND 127, 2, 9) WHEN 'real' THEN 9
             ELSE octet_length({name}) + iif(octet_length({name}) < 58, 1, iif(octet_length({name}) < 8186, 2, 5)) END"
        )
    };
    let header = if columns.len() < 30 { 1 } else { 3 };
    let record: String = columns.iter().map(|column| format!(" + {}", size(column))).collect();
    let own = "FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
    let sql = format!(
        "SELECT (SELECT sum({header}{record}) FROM {} NOT INDEXED),
                (SELECT sum(payload) FROM dbstat WHERE name = (SELECT name {own})),
                (SELECT count(*) FROM sqlite_schema WHERE rootpage = (SELECT rootpage {own}))",
        quoted(table)
    );
    let sum = |row: &rusqlite::Row<'_>, at| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.unwrap_or(0));
    let rows = handle.collect(&sql, [table], |row| Ok((sum(row, 0)?, sum(row, 1)?, sum(row, 2)?)))?;
    Ok(rows.first().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_sequence_is_the_table_that_sqlite_makes() {
        let fault = |sql: &str, root| sequence_fault(Some("sqlite_sequence"), Some(sql), root);
        for good in [
            SEQUENCE,
            "CREATE TABLE sqlite_sequence(a, b)",
            "CREATE TABLE \"sqlite_sequence\" (name TEXT, seq INTEGER)",
        ] {
            assert_eq!(fault(good, 3), None, "{good}");
        }
        for bad in [
            "CREATE VIEW sqlite_sequence AS SELECT 1 AS name, 2 AS seq",
            "CREATE TABLE sqlite_sequence(name)",
            "CREATE TABLE sqlite_sequence(name, seq, more)",
            "CREATE TABLE sqlite_sequence(name PRIMARY KEY, seq) WITHOUT ROWID",
        ] {
            let mend = "type='table',sql='CREATE TABLE sqlite_sequence(name,seq)'".to_owned();
            assert_eq!(fault(bad, 3).map(|(_, mend)| mend), Some(Some(mend)), "{bad}");
            assert_eq!(fault(bad, 0).map(|(_, mend)| mend), Some(None), "{bad}");
        }
        assert_eq!(sequence_fault(Some("other"), Some("CREATE VIEW other AS SELECT 1"), 0), None);
    }

    #[test]
    fn a_definition_says_kind_and_name() {
        for (sql, kind, name) in [
            ("CREATE TABLE t(a)", "table", "t"),
            ("CREATE TABLE \"a\"\"b\"(a)", "table", "a\"b"),
            ("create unique index [i x] on t(a)", "index", "i x"),
            ("CREATE VIRTUAL TABLE 'f' USING fts5(x)", "table", "f"),
            (
                "CREATE TEMP TRIGGER IF NOT EXISTS main.g AFTER INSERT ON t BEGIN SELECT 1; END",
                "trigger",
                "g",
            ),
            ("CREATE VIEW /* v */ v AS SELECT 1", "view", "v"),
        ] {
            let wanted = Defined {
                kind,
                name: name.to_owned(),
            };
            assert_eq!(Defined::of(sql), Some(wanted), "{sql}");
        }
        for sql in [
            "",
            "CREATE TABLE",
            "CREATE TABLE cut_of",
            "SELECT 1",
            "CREATE T\u{14}BLE t(a)",
        ] {
            assert_eq!(Defined::of(sql), None, "{sql}");
        }
    }
}
