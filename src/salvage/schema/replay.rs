//! Describes an application's stores from its migrations: each prefix of them is replayed in memory, because a damaged store may
//! have stopped at any of them, and its rows keep the layout of the migration under which they were written.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::{
    ColumnSchema, KnownLedger, KnownMigration, KnownStore, MOST_KEYS, StoreSchema, TableSchema, UniqueKey, ValueRule,
};
use crate::application::{self, Application};
use crate::error::{Error, Result};
use crate::migrations::runner::{ledger_sql, run_all};
use crate::store::introspect::{self, IndexColumn, ObjectKind, identifier, is_sqlites_own};

/// The schema of the new store, as the applied migrations make it.
#[derive(Debug, Clone, Default)]
pub struct TargetSchema {
    /// The statements that create tables and indexes.
    pub before: Vec<String>,
    /// The statements that create views and triggers. Triggers must not be there while rows are inserted.
    pub after: Vec<String>,
    /// For each known table, and each of its known columns, its constraints; `None` for a column that is not there.
    pub columns: Vec<Vec<Option<ColumnConstraints>>>,
}

impl TargetSchema {
    /// Returns the constraints of a column; `None` when the new store does not have it.
    pub fn constraints(&self, table: usize, column: usize) -> Option<ColumnConstraints> {
        self.columns.get(table)?.get(column).copied().flatten()
    }
}

/// The constraints of a column that a row can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnConstraints {
    /// True if NULL is forbidden.
    pub forbids_null: bool,
    /// True if a row without a value of it gets one.
    pub has_default: bool,
}

impl ColumnConstraints {
    /// Returns true if a row must have a value of the column.
    pub fn needs_value(self) -> bool {
        self.forbids_null && !self.has_default
    }
}

/// Describes the stores of an application.
///
/// # Errors
/// Fails if SQLite cannot apply a migration.
pub fn describe_stores(application: &Application) -> Result<KnownStore> {
    let mut migrations: Vec<KnownMigration> = application
        .migrations()
        .iter()
        .map(|migration| {
            let former = application.former_names.iter().filter(|former| former.id == migration.id);
            KnownMigration {
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
    let mut ledger = KnownLedger {
        table: 0,
        sql: ledger_sql(&identifier(&application.ledger.table)),
        migrations,
    };
    let mut schema = StoreSchema::default();
    for count in 0..=ledger.migrations.len() {
        let connection = replay(&ledger, ledger.migrations.iter().take(count))?;
        let names = introspect::tables(&connection)?.into_iter().filter_map(|table| table.name);
        for name in names.filter(|name| !is_sqlites_own(name.as_bytes())) {
            add_table(&connection, &name, application, &mut schema)?;
        }
    }
    ledger.table = schema.find_table(application.ledger.table.as_bytes()).unwrap_or(0);
    Ok(KnownStore { schema, ledger })
}

/// Builds the schema that these migrations make.
///
/// # Errors
/// Fails if SQLite cannot apply them: not every choice of migrations can be applied.
pub fn build_target_schema(known: &KnownStore, applied: &BTreeSet<i64>) -> Result<TargetSchema> {
    let migrations = known.ledger.migrations.iter();
    let connection = replay(&known.ledger, migrations.filter(|migration| applied.contains(&migration.id)))?;
    let mut target = TargetSchema::default();
    introspect::each_object(&connection, usize::MAX, |object| {
        if let Some(sql) = object.sql.filter(|_| !is_sqlites_own(object.name)) {
            let place = match object.kind {
                ObjectKind::Table | ObjectKind::VirtualTable | ObjectKind::Index => &mut target.before,
                ObjectKind::View | ObjectKind::Trigger => &mut target.after,
            };
            place.push(text(sql));
        }
        Ok(())
    })?;
    for table in &known.schema.tables {
        let there = table_columns(&connection, &table.name)?;
        let constraints = |column: &ColumnSchema| {
            let info = there.iter().find(|one| one.name.eq_ignore_ascii_case(&column.name))?;
            Some(ColumnConstraints {
                forbids_null: info.not_null,
                has_default: info.has_default,
            })
        };
        target.columns.push(table.columns.iter().map(constraints).collect());
    }
    Ok(target)
}

fn replay<'m>(ledger: &KnownLedger, migrations: impl Iterator<Item = &'m KnownMigration>) -> Result<Connection> {
    let connection = Connection::open_in_memory().map_err(Error::sqlite("open in memory"))?;
    run_all(&connection, &ledger.sql)?;
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

fn add_table(connection: &Connection, name: &str, application: &Application, schema: &mut StoreSchema) -> Result<()> {
    let columns = table_columns(connection, name)?;
    let at = schema.find_table(name.as_bytes()).unwrap_or_else(|| {
        schema.tables.push(TableSchema {
            name: name.to_owned(),
            ..TableSchema::default()
        });
        schema.tables.len() - 1
    });
    let Some(table) = schema.tables.get_mut(at) else {
        return Ok(());
    };
    let mut layout = Vec::new();
    for info in &columns {
        let column = table.columns.iter().position(|column| column.name == info.name).unwrap_or_else(|| {
            table.columns.push(ColumnSchema {
                name: info.name.clone(),
                rule: value_rule(application, name, &info.name),
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
            table.keys.push(UniqueKey { name, columns });
        }
    }
    Ok(())
}

/// Returns the rule for the values of a column, as the check of values has it.
fn value_rule(application: &Application, table: &str, column: &str) -> Option<ValueRule> {
    if table == application.ledger.table {
        return match column {
            "name" => Some(ValueRule(application::Rule::Word)),
            "applied_at" => Some(ValueRule(application::Rule::Time)),
            _ => None,
        };
    }
    let table = application.tables.iter().find(|known| known.name.eq_ignore_ascii_case(table))?;
    let column = table.columns.iter().find(|known| known.name.eq_ignore_ascii_case(column))?;
    Some(ValueRule(column.rule))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::banger::APPLICATION;

    #[test]
    fn every_layout_and_index_of_the_tables_is_known() {
        let known = describe_stores(&APPLICATION).unwrap();
        let shapes: Vec<_> = known
            .schema
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
        assert_eq!(known.schema.tables[known.ledger.table].rowid_alias, Some(0));
        assert_eq!(known.schema.find_key(b"sqlite_autoindex_vms_3"), Some((2, 2)));
    }

    #[test]
    fn the_schema_is_that_of_the_migrations_which_were_applied() {
        let known = describe_stores(&APPLICATION).unwrap();
        let all = build_target_schema(&known, &BTreeSet::from([1, 2, 3])).unwrap();
        assert_eq!((all.before.len(), all.after.len()), (3, 0));
        let docker = known.schema.tables[1].columns.iter().position(|column| column.name == "docker").unwrap();
        assert_eq!(all.columns[1][docker], None);
        let first = build_target_schema(&known, &BTreeSet::from([1])).unwrap();
        assert_eq!(
            first.columns[1][docker],
            Some(ColumnConstraints {
                forbids_null: true,
                has_default: true
            })
        );
        assert!(build_target_schema(&known, &BTreeSet::from([3])).is_err());
    }
}
