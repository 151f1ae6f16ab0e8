//! The description of an application's stores, from its migrations: each prefix of them is replayed in memory.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::{Column, Key, Known, MOST_KEYS, Migration, Rule, Table};
use crate::application::{self, Application};
use crate::error::{Error, Result};
use crate::migrations::runner::{ledger_sql, run_all};
use crate::store::introspect::{self, IndexColumn, ObjectKind, identifier, is_sqlites_own};

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
        let names = introspect::tables(&connection)?.into_iter().filter_map(|table| table.name);
        for name in names.filter(|name| !is_sqlites_own(name.as_bytes())) {
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
    let mut schema = Schema::default();
    introspect::each_object(&connection, usize::MAX, |object| {
        if let Some(sql) = object.sql.filter(|_| !is_sqlites_own(object.name)) {
            let place = match object.kind {
                ObjectKind::Table | ObjectKind::VirtualTable | ObjectKind::Index => &mut schema.before,
                ObjectKind::View | ObjectKind::Trigger => &mut schema.after,
            };
            place.push(text(sql));
        }
        Ok(())
    })?;
    for table in &known.tables {
        let there = table_columns(&connection, &table.name)?;
        let find = |column: &Column| there.iter().find(|one| one.name.eq_ignore_ascii_case(&column.name));
        schema
            .columns
            .push(table.columns.iter().map(|column| find(column).map(|one| one.not_null)).collect());
        schema.needed.push(
            table
                .columns
                .iter()
                .map(|column| find(column).is_some_and(|one| one.not_null && !one.has_default))
                .collect(),
        );
    }
    Ok(schema)
}

fn replayed<'m>(known: &Known, migrations: impl Iterator<Item = &'m Migration>) -> Result<Connection> {
    let connection = Connection::open_in_memory().map_err(Error::sqlite("open in memory"))?;
    run_all(&connection, &known.ledger_sql)?;
    for migration in migrations {
        run_all(&connection, &migration.sql)?;
    }
    Ok(connection)
}

/// A column of a table as the replayed migrations leave it.
struct Info {
    name: String,
    is_integer: bool,
    not_null: bool,
    has_default: bool,
    in_key: i64,
}

fn table_columns(connection: &Connection, table: &str) -> Result<Vec<Info>> {
    let mut columns = Vec::new();
    introspect::each_column(connection, table, |column| {
        if column.hidden == 0 {
            columns.push(Info {
                name: text(column.name),
                is_integer: column.declared.eq_ignore_ascii_case(b"INTEGER"),
                not_null: column.is_not_null,
                in_key: column.key_position,
                has_default: column.default.is_some(),
            });
        }
    })?;
    Ok(columns)
}

/// Returns a name of an application's schema, which is UTF-8 as its migrations are.
fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
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
    let mut indexes = introspect::indexes(connection, name)?;
    indexes.retain(|index| index.is_unique && !index.is_partial);
    // The primary key's comes first.
    indexes.sort_by(|a, b| (!a.is_of_primary_key, &a.name).cmp(&(!b.is_of_primary_key, &b.name)));
    for index in indexes {
        let name = text(&index.name);
        let of = introspect::index_columns(connection, &name)?;
        let find = |of: &IndexColumn| {
            let of = of.name.as_ref()?;
            table.columns.iter().position(|column| column.name.as_bytes() == of)
        };
        let columns: Option<Vec<usize>> = of.iter().filter(|of| of.is_in_key).map(find).collect();
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
