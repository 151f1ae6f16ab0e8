//! Finds the ledgers in a store, reads them in bounds, and chooses the one by which a folder's migrations were run.
//!
//! The ledger decides which tool runs the folder. Where the store has none, the folder alone decides.

use crate::application::MigrationsFolder;
use crate::error::{Error, Result};
use crate::findings::LONGEST_NAME;
use crate::migrations::dialects::Dialect;
use crate::migrations::dialects::named::{LockTable, NamedTool};
use crate::migrations::dialects::user_version::USER_VERSION;
use crate::migrations::known::{KnownMigration, KnownSet, Script};
use crate::migrations::ledger::{self, Applied, AppliedEntry, LedgerRow, LedgerRows, LedgerValue, MalformedLedger};
use crate::migrations::recognise::{
    LedgerColumn, LedgerLayout, LedgerMatch, LedgerSearch, TableDeclaration, Tool, recognise,
};
use crate::store::ReadOnly;
use crate::store::introspect::{self, LONGEST_DEFINITION, ObjectKind, quoted};
use crate::store::schema_rows::check_rows;
use crate::text::words::cut;

/// The most columns that a ledger has, and more than any tool's.
const MOST_COLUMNS: usize = 32;

/// The longest name or declared type of a column that is told apart from others, in bytes: longer than any tool's.
const LONGEST_WORD: usize = 64;

/// The most ledgers that are kept. An application has one, or two.
const MOST_LEDGERS: usize = 100;

/// The most bytes that the values of a ledger may take together.
const MOST_BYTES: usize = 2 << 20;

/// A number of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowCount {
    pub(crate) rows: u64,
    /// True if there are more.
    pub(crate) or_more: bool,
}

/// Returns the tables that are tools' ledgers, the likeliest first: one under its tool's own name, in the order of the tools.
///
/// # Errors
/// Fails if SQLite cannot read the store.
pub(crate) fn ledgers(handle: &ReadOnly) -> Result<Vec<LedgerMatch>> {
    ledgers_for(handle, &[])
}

/// Returns the ledgers as [`ledgers`] does, where the store is likely to have one of these tools.
///
/// # Errors
/// Fails if SQLite cannot read the store.
pub(super) fn ledgers_for(handle: &ReadOnly, likely: &[&Dialect]) -> Result<Vec<LedgerMatch>> {
    let mut found = Vec::new();
    for name in possible_ledgers(handle, likely)? {
        let columns = columns(handle, &name)?;
        if columns.len() <= MOST_COLUMNS {
            found.extend(recognise(&TableDeclaration { name, columns }, likely));
        }
        if found.len() == MOST_LEDGERS {
            break;
        }
    }
    // The sort is stable: of equals, the one that stands first in the store.
    found.sort_by_key(LedgerMatch::rank);
    Ok(found)
}

/// Returns the ordinary tables whose names and definitions do not tell that they are no ledgers. Of each of them SQLite is asked for
/// its columns, which takes the longer the more tables there are.
fn possible_ledgers(handle: &ReadOnly, likely: &[&Dialect]) -> Result<Vec<String>> {
    let search = LedgerSearch::new(likely);
    let mut names = Vec::new();
    introspect::each_object(handle, LONGEST_DEFINITION, |object| {
        let name = std::str::from_utf8(object.name).ok();
        if let (ObjectKind::Table, Some(name)) = (object.kind, name)
            && !introspect::is_sqlites_own(object.name)
            && search.may_find(name, object.sql)
        {
            names.push(name.to_owned());
        }
        Ok(())
    })?;
    Ok(names)
}

/// Returns the ordinary table of this name, and whose ledger it is.
///
/// # Errors
/// Fails if SQLite cannot read the store.
pub(super) fn table(handle: &ReadOnly, name: &str) -> Result<Option<(TableDeclaration, Option<Tool>)>> {
    let names = introspect::ordinary_tables(handle)?.names;
    let Some(name) = names.into_iter().find(|other| other.eq_ignore_ascii_case(name)) else {
        return Ok(None);
    };
    let columns = columns(handle, &name)?;
    let table = TableDeclaration { name, columns };
    let whose = recognise(&table, &[]).map(|recognised| recognised.tool);
    Ok(Some((table, whose)))
}

/// Returns the columns of a table, as many as a ledger may have and one more.
fn columns(handle: &ReadOnly, table: &str) -> Result<Vec<LedgerColumn>> {
    let word = |bytes: &[u8]| {
        let known = std::str::from_utf8(bytes).ok().filter(|word| word.len() <= LONGEST_WORD);
        // No tool's column is called by this, nor has this type.
        known.unwrap_or("?").to_owned()
    };
    let mut columns = Vec::new();
    introspect::each_column(handle, table, |column| {
        if columns.len() <= MOST_COLUMNS {
            columns.push(LedgerColumn {
                name: word(column.name),
                declared: word(column.declared),
                not_null: column.is_not_null,
                is_key: column.key_position > 0,
                is_generated: column.hidden != 0,
            });
        }
    })?;
    Ok(columns)
}

/// Reads a ledger; the inner error says why its rows cannot be those of one.
///
/// # Errors
/// Fails if SQLite cannot read the store, or if the ledger's own pages are damaged.
pub(crate) fn read_ledger(
    handle: &ReadOnly,
    dialect: &Dialect,
    layout: LedgerLayout,
    table: &str,
) -> Result<std::result::Result<Applied, MalformedLedger>> {
    match check_rows(handle, table) {
        // What SQLite cannot check is read as it is: a constraint may call a function that is not here.
        Err(error) if error.is_own_bound() || error.is_damage() || error.is_io() => return Err(error),
        _ => {}
    }
    let rows = match rows(handle, &layout.0.select(table)) {
        Err(error) if is_refused(&error) => return Ok(Err(MalformedLedger::whole(error.sqlite_message()))),
        rows => rows?,
    };
    Ok(rows.and_then(|rows| (dialect.reader)(&LedgerRows::new(layout.0, &rows))))
}

/// Reads the rows that a statement gives, in bounds.
fn rows(handle: &ReadOnly, sql: &str) -> Result<std::result::Result<Vec<LedgerRow>, MalformedLedger>> {
    let mut rows = Vec::new();
    let mut bytes = 0;
    handle.rows(sql, [], |row| {
        let columns = row.as_ref().column_count();
        let values: rusqlite::Result<Vec<LedgerValue>> =
            (0..columns).map(|at| row.get_ref(at).map(LedgerValue::from)).collect();
        let values = values.map_err(Error::sqlite(sql))?;
        bytes += values.iter().map(LedgerValue::bytes).sum::<usize>();
        if bytes <= MOST_BYTES {
            rows.push(values);
        }
        Ok(())
    })?;
    if rows.len() > ledger::MOST_ROWS || bytes > MOST_BYTES {
        return Ok(Err(MalformedLedger::whole("it is larger than any ledger is")));
    }
    Ok(Ok(rows))
}

/// Counts the rows of a table up to a bound; `None` where SQLite refuses to read it.
///
/// # Errors
/// Fails if SQLite cannot read the store.
pub(crate) fn count(handle: &ReadOnly, table: &str) -> Result<Option<RowCount>> {
    const MOST: u64 = 100_000;
    let sql = format!("SELECT 1 FROM {} NOT INDEXED LIMIT {}", quoted(table), MOST + 1);
    let mut rows = 0;
    let ended = handle.rows(&sql, [], |_| {
        rows += 1;
        Ok(())
    });
    match ended {
        Err(error) if is_refused(&error) => Ok(None),
        ended => ended.map(|()| {
            Some(RowCount {
                rows: rows.min(MOST),
                or_more: rows > MOST,
            })
        }),
    }
}

/// Returns the highest integer in a column of a table, of its first rows; `None` where there is none, or SQLite refuses to read it.
///
/// # Errors
/// Fails if SQLite cannot read the store.
pub(crate) fn highest(handle: &ReadOnly, table: &str, column: &str) -> Result<Option<i64>> {
    let (table, column) = (quoted(table), quoted(column));
    let sql = format!(
        "SELECT max(CASE WHEN typeof(v) = 'integer' THEN v END) FROM (SELECT {column} AS v FROM {table} NOT INDEXED LIMIT {})",
        ledger::MOST_ROWS
    );
    match handle.collect(&sql, [], |row| row.get::<_, Option<i64>>(0)) {
        Err(error) if is_refused(&error) => Ok(None),
        found => Ok(found?.into_iter().next().flatten()),
    }
}

/// The state of the ledger of a tool whose migrations are not plain SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NamedLedgerState {
    /// The rows of migrations that failed or did not come to their end.
    pub(crate) failed: u64,
    /// True if the tool's lock is held.
    pub(crate) is_locked: bool,
}

/// Reads what the ledger and the lock of a tool say, where its migrations are not plain SQL.
///
/// # Errors
/// Fails if SQLite cannot read the store.
pub(crate) fn named_state(handle: &ReadOnly, tool: &NamedTool, table: &str) -> Result<NamedLedgerState> {
    let failed = match tool.failed {
        Some(condition) => count_where(handle, table, condition)?,
        None => 0,
    };
    let is_locked = is_held(handle, tool.lock)?;
    Ok(NamedLedgerState { failed, is_locked })
}

/// Returns true if a tool's lock is held.
///
/// # Errors
/// Fails if SQLite cannot read the store.
pub(crate) fn is_held(handle: &ReadOnly, lock: Option<LockTable>) -> Result<bool> {
    let Some(LockTable { name, columns, held }) = lock else {
        return Ok(false);
    };
    let of_lock = columns_of(handle, name)?;
    let has = |wanted: &&str| {
        let is = |column: &LedgerColumn| column.name.eq_ignore_ascii_case(wanted) && !column.is_generated;
        of_lock.iter().any(is)
    };
    Ok(columns.iter().all(has) && count_where(handle, name, held)? > 0)
}

/// Returns the columns of an ordinary table; none where there is no such table, or a view of that name.
fn columns_of(handle: &ReadOnly, table: &str) -> Result<Vec<LedgerColumn>> {
    Ok(self::table(handle, table)?.map_or_else(Vec::new, |(table, _)| table.columns))
}

/// Counts the rows of a table for which a condition of the doctor's own holds, up to a bound; 0 where SQLite refuses to read it.
fn count_where(handle: &ReadOnly, table: &str, condition: &str) -> Result<u64> {
    const MOST: u64 = 1_000;
    let sql = format!("SELECT 1 FROM {} NOT INDEXED WHERE {condition} LIMIT {MOST}", quoted(table));
    let mut rows = 0;
    match handle.rows(&sql, [], |_| {
        rows += 1;
        Ok(())
    }) {
        Err(error) if is_refused(&error) => Ok(0),
        ended => ended.map(|()| rows),
    }
}

/// Returns true if SQLite refuses to read any row: of a table WITHOUT ROWID in the order of a collation that only the application has.
fn is_refused(error: &Error) -> bool {
    error.is_refusal() && error.is_while_preparing()
}

/// The table that is taken for the ledger.
pub(super) struct ChosenLedger {
    pub(super) dialect: &'static Dialect,
    pub(super) layout: LedgerLayout,
    pub(super) table: String,
    has_own_name: bool,
}

/// Returns the tools that a folder may be meant for: the one that --dialect names, or those that it looks like.
pub(crate) fn candidates(folder: &MigrationsFolder) -> Vec<&'static Dialect> {
    if let Some(dialect) = folder.dialect.and_then(Dialect::of_name) {
        return vec![dialect];
    }
    let possible = KnownSet::possible(&folder.folder);
    let can_be = |dialect: &&'static Dialect| KnownSet::of(&folder.folder, dialect).is_ok();
    let all: Vec<&'static Dialect> = possible.iter().copied().filter(can_be).collect();
    // Where none of them takes the folder, the message is that of the first.
    if all.is_empty() { possible } else { all }
}

/// Chooses the table that is the store's ledger; `None` where the store has none.
///
/// # Errors
/// Fails with [`Error::Ledger`] where several fit the folder equally well or none fits it, and what SQLite says.
pub(super) fn choose_ledger(
    folder: &MigrationsFolder,
    candidates: &[&'static Dialect],
    ledgers: &[LedgerMatch],
    handle: &ReadOnly,
) -> Result<Option<ChosenLedger>> {
    if let Some(table) = &folder.ledger {
        return named_ledger(table, candidates, handle);
    }
    if candidates == [&USER_VERSION] && folder.dialect.is_some() {
        return Ok(None);
    }
    let mut fitting = Vec::new();
    for LedgerMatch {
        tool,
        table,
        has_own_name,
    } in ledgers
    {
        if let Tool::Understood(dialect, layout) = *tool
            && fits_folder(folder, candidates, dialect, layout, table, handle)?
        {
            fitting.push(ChosenLedger {
                dialect,
                layout,
                table: table.clone(),
                has_own_name: *has_own_name,
            });
        }
    }
    // They are in the order of their rank. Two of one rank cannot be told apart.
    let ambiguous = matches!(fitting.as_slice(), [first, second, ..] if first.has_own_name == second.has_own_name);
    match (fitting.first(), ledgers.first()) {
        (Some(_), _) if ambiguous => Err(Error::Ledger(format!(
            "several of its tables may be the ledger: {} (say which with --ledger)",
            fitting
                .iter()
                .take(3)
                .map(|found| describe_ledger(found.dialect.name, &found.table))
                .collect::<Vec<_>>()
                .join(", ")
        ))),
        (Some(_), _) => Ok(fitting.into_iter().next()),
        (None, None) => Ok(None),
        (None, Some(other)) => Err(Error::Ledger(format!(
            "the folder looks as if it were made for {}, and the store has {}{}",
            tool_names(candidates),
            describe_ledger(other.tool.name(), &other.table),
            explain_folder_mismatch(folder, other.tool)
        ))),
    }
}

/// Returns the reason why a folder is not that of the tool whose ledger a store has, if it is known.
fn explain_folder_mismatch(folder: &MigrationsFolder, tool: Tool) -> String {
    match tool {
        Tool::Understood(dialect, _) => match KnownSet::of(&folder.folder, dialect) {
            Err(mismatch) => format!("; {mismatch}"),
            Ok(_) => String::new(),
        },
        Tool::Named(named) => format!(", whose migrations are {}", named.migrations),
    }
}

/// Returns true where a folder can have been made for the tool that wrote a ledger: it looks like that, or the ledger's own
/// migrations are in it.
fn fits_folder(
    folder: &MigrationsFolder,
    candidates: &[&'static Dialect],
    dialect: &'static Dialect,
    layout: LedgerLayout,
    table: &str,
    handle: &ReadOnly,
) -> Result<bool> {
    if candidates.contains(&dialect) {
        return Ok(true);
    }
    let Ok(set) = KnownSet::of(&folder.folder, dialect) else {
        return Ok(false);
    };
    let Ok(applied) = read_ledger(handle, dialect, layout, table)? else {
        return Ok(false);
    };
    let runs = |known: &KnownMigration| matches!(known.script, Script::Sql { .. });
    let is_in_folder = |entry: &AppliedEntry| set.get(&entry.key).is_some_and(runs);
    Ok(folder.dialect.is_none() && applied.entries.iter().any(is_in_folder))
}

/// Returns the table that --ledger names, and whose ledger its columns make it.
fn named_ledger(name: &str, candidates: &[&'static Dialect], handle: &ReadOnly) -> Result<Option<ChosenLedger>> {
    let Some((table, recognised)) = table(handle, name)? else {
        if introspect::ordinary_tables(handle)?.names.is_empty() {
            return Ok(None);
        }
        return Err(Error::Ledger(format!("there is no ordinary table `{}` in it", cut(name, LONGEST_NAME))));
    };
    let name = table.name.clone();
    let found = |dialect, layout| ChosenLedger {
        dialect,
        layout,
        table: name,
        has_own_name: true,
    };
    match recognised {
        Some(Tool::Understood(dialect, layout)) if candidates.contains(&dialect) => {
            return Ok(Some(found(dialect, layout)));
        }
        _ => {}
    }
    let has_columns = |dialect: &&'static Dialect| Some((*dialect, LedgerLayout::of_named(dialect, &table)?));
    match candidates.iter().find_map(has_columns) {
        Some((dialect, layout)) => Ok(Some(found(dialect, layout))),
        None => Err(Error::Ledger(format!(
            "`{}` has not the columns of a ledger of {}",
            cut(&table.name, LONGEST_NAME),
            tool_names(candidates)
        ))),
    }
}

/// The reason why a folder cannot be used.
pub(crate) const NO_KNOWN_TOOL: &str = "nothing in it is named as the migrations of a known tool are";

/// Returns a ledger with its owner: "sqlx's ledger `_sqlx_migrations`".
pub(crate) fn describe_ledger(tool: &str, table: &str) -> String {
    let end = if tool.ends_with('s') { "'" } else { "'s" };
    format!("{tool}{end} ledger `{}`", cut(table, LONGEST_NAME))
}

/// Returns the names of tools: "sqlx or D1".
pub(super) fn tool_names(dialects: &[&Dialect]) -> String {
    let names: Vec<&str> = dialects.iter().map(|dialect| dialect.name).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
        None => "any known tool".to_owned(),
    }
}
