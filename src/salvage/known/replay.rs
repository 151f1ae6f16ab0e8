//! The description of an application's stores, from its migrations: each prefix of them is replayed in memory.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::{Column, Key, Known, MOST_KEYS, Migration, Rule, Table};
use crate::application::{self, Application};
use crate::error::{Error, Result};
use crate::migrations::runner::{ledger_sql, run_all};
use crate::migrations::tables::identifier;

/// The schema that some migrations make.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// What makes it, one statement each: tables and indexes.
    pub before: Vec<String>,
    /// What must not be there while rows are inserted: triggers; and views.
    pub after: Vec<String>,
    /// The columns that each table has: for each known table, and each of its known columns, whether it is there, and whether
    /// it forbids NULL.
    pub columns: Vec<Vec<Option<bool>>>,
    /// For each of them, whether a row must have a value of it, because there is no default.
    pub needed: Vec<Vec<bool>>,
}

/// What is known of an application's stores.
///
/// # Errors
/// What SQLite says of a migration.
pub fn known(application: &Application) -> Result<Known> {
    let mut migrations: Vec<Migration> = application
        .migrations()
        .iter()
        .map(|migration| {
            let former = application.former_names.iter().filter(|former| former.id == migration.id);
            Migration {
                id: migration.id,
                names: std::iter::once(&migration.name)
                    .chain(former.map(|former| &former.name))
                    .map(ToString::to_string)
                    .collect(),
                sql: migration.sql.to_string(),
            }
        })
        .collect();
    migrations.sort_by_key(|migration| migration.id);
    let mut known = Known {
        ledger_sql: ledger_sql(&identifier(&application.ledger.table)),
        migrations,
        ..Known::default()
    };
    for count in 0..=known.migrations.len() {
        let connection = replayed(&known, known.migrations.iter().take(count))?;
        for name in texts(
            &connection,
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
        )? {
            take_table(&connection, &name, application, &mut known)?;
        }
    }
    known.ledger = known.table(application.ledger.table.as_bytes()).unwrap_or(0);
    Ok(known)
}

/// The schema that these migrations make.
///
/// # Errors
/// What SQLite says: not every choice of migrations can be applied.
pub fn schema(known: &Known, applied: &BTreeSet<i64>) -> Result<Schema> {
    let connection = replayed(known, known.migrations.iter().filter(|migration| applied.contains(&migration.id)))?;
    let of = |types: &str| {
        texts(
            &connection,
            &format!(
                "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND type IN ({types}) AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
            ),
        )
    };
    let mut columns = Vec::new();
    let mut needed = Vec::new();
    for table in &known.tables {
        let there = table_columns(&connection, &table.name)?;
        let find = |column: &Column| there.iter().find(|one| one.name.eq_ignore_ascii_case(&column.name));
        columns.push(table.columns.iter().map(|column| find(column).map(|one| one.not_null)).collect());
        needed.push(
            table
                .columns
                .iter()
                .map(|column| find(column).is_some_and(|one| one.not_null && !one.has_default))
                .collect(),
        );
    }
    Ok(Schema {
        before: of("'table', 'index'")?,
        after: of("'view', 'trigger'")?,
        columns,
        needed,
    })
}

fn replayed<'m>(known: &Known, migrations: impl Iterator<Item = &'m Migration>) -> Result<Connection> {
    let connection = Connection::open_in_memory().map_err(Error::sqlite("open in memory"))?;
    run_all(&connection, &known.ledger_sql)?;
    for migration in migrations {
        run_all(&connection, &migration.sql)?;
    }
    Ok(connection)
}

fn texts(connection: &Connection, sql: &str) -> Result<Vec<String>> {
    let ask =
        || -> rusqlite::Result<Vec<String>> { connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect() };
    ask().map_err(Error::sqlite(sql))
}

/// A column as `PRAGMA table_xinfo` has it.
struct Info {
    name: String,
    is_integer: bool,
    not_null: bool,
    has_default: bool,
    in_key: i64,
}

fn table_columns(connection: &Connection, table: &str) -> Result<Vec<Info>> {
    let sql = "SELECT name, type, \"notnull\", pk, dflt_value IS NOT NULL FROM pragma_table_xinfo(?1) WHERE hidden = 0";
    let ask = || -> rusqlite::Result<Vec<Info>> {
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([table], |row| {
            Ok(Info {
                name: row.get(0)?,
                is_integer: row.get::<_, String>(1)?.eq_ignore_ascii_case("INTEGER"),
                not_null: row.get(2)?,
                in_key: row.get(3)?,
                has_default: row.get(4)?,
            })
        })?;
        rows.collect()
    };
    ask().map_err(Error::sqlite(sql))
}

fn take_table(connection: &Connection, name: &str, application: &Application, known: &mut Known) -> Result<()> {
    let columns = table_columns(connection, name)?;
    let at = known.table(name.as_bytes()).unwrap_or_else(|| {
        known.tables.push(Table {
            name: name.to_owned(),
            ..Table::default()
        });
        known.tables.len() - 1
    });
    let Some(table) = known.tables.get_mut(at) else {
        return Ok(());
    };
    let mut layout = Vec::new();
    for info in &columns {
        let column = table.columns.iter().position(|column| column.name == info.name).unwrap_or_else(|| {
            table.columns.push(Column {
                name: info.name.clone(),
                rule: rule(application, name, &info.name),
            });
            table.columns.len() - 1
        });
        layout.push(column);
    }
    let mut key_columns = columns.iter().filter(|info| info.in_key > 0);
    if let (Some(only), None) = (key_columns.next(), key_columns.next())
        && only.is_integer
    {
        table.rowid_alias = table.columns.iter().position(|column| column.name == only.name);
    }
    if !table.layouts.contains(&layout) {
        table.layouts.push(layout);
    }
    // The primary key's comes first.
    let sql = "SELECT name FROM pragma_index_list(?1) WHERE \"unique\" AND NOT partial ORDER BY origin <> 'pk', name";
    let ask =
        || -> rusqlite::Result<Vec<String>> { connection.prepare(sql)?.query_map([name], |row| row.get(0))?.collect() };
    let names = ask().map_err(Error::sqlite(sql))?;
    for name in names {
        let sql = "SELECT name FROM pragma_index_info(?1) ORDER BY seqno";
        let ask = || -> rusqlite::Result<Vec<Option<String>>> {
            connection.prepare(sql)?.query_map([&name], |row| row.get(0))?.collect()
        };
        let of = ask().map_err(Error::sqlite(sql))?;
        let find = |of: &Option<String>| {
            let of = of.as_ref()?;
            table.columns.iter().position(|column| column.name == *of)
        };
        let columns: Option<Vec<usize>> = of.iter().map(find).collect();
        if let Some(columns) = columns.filter(|columns| !columns.is_empty())
            && table.keys.len() < MOST_KEYS
            && !table.keys.iter().any(|key| key.name == name)
        {
            table.keys.push(Key { name, columns });
        }
    }
    Ok(())
}

/// What a column holds, as the checks of values know it.
fn rule(application: &Application, table: &str, column: &str) -> Option<Rule> {
    if table == application.ledger.table {
        return match column {
            "name" => Some(Rule(application::Rule::Word)),
            "applied_at" => Some(Rule(application::Rule::Time)),
            _ => None,
        };
    }
    let table = application.tables.iter().find(|known| known.name.eq_ignore_ascii_case(table))?;
    let column = table.columns.iter().find(|known| known.name.eq_ignore_ascii_case(column))?;
    Some(Rule(column.rule))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::banger::APPLICATION;

    #[test]
    fn every_layout_and_index_of_the_tables_is_known() {
        let known = known(&APPLICATION).unwrap();
        let shapes: Vec<_> = known
            .tables
            .iter()
            .map(|table| {
                (
                    table.name.as_str(),
                    table.layouts.iter().map(Vec::len).collect::<Vec<_>>(),
                    table.keys.len(),
                )
            })
            .collect();
        assert_eq!(
            shapes,
            [
                ("schema_migrations", vec![3], 0),
                ("images", vec![14, 13], 2),
                ("vms", vec![11, 12], 3)
            ]
        );
        assert_eq!(known.tables[known.ledger].rowid_alias, Some(0));
        assert_eq!(known.key(b"sqlite_autoindex_vms_3"), Some((2, 2)));
    }

    #[test]
    fn the_schema_is_that_of_the_migrations_which_were_applied() {
        let known = known(&APPLICATION).unwrap();
        let all = schema(&known, &BTreeSet::from([1, 2, 3])).unwrap();
        assert_eq!((all.before.len(), all.after.len()), (3, 0));
        let docker = known.tables[1].columns.iter().position(|column| column.name == "docker").unwrap();
        assert_eq!(all.columns[1][docker], None);
        let first = schema(&known, &BTreeSet::from([1])).unwrap();
        assert_eq!(first.columns[1][docker], Some(true));
        assert!(schema(&known, &BTreeSet::from([3])).is_err());
    }
}
