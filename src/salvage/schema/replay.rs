//! Describes an application's stores from its migrations: each prefix of them is replayed in memory, because a damaged store may
//! have stopped at any of them, and its rows keep the layout of the migration under which they were written.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::{
    ColumnSchema, KnownLedger, KnownMigration, KnownRule, KnownStore, MOST_KEYS, StoreSchema, TableSchema, UniqueKey,
    ValueRule,
};
use crate::application::{self, Application};
use crate::error::{Error, Result};
use crate::migrations::runner::{ledger_sql, run_all};
use crate::salvage::view::StoreView;
use crate::store::introspect::{self, IndexColumn, ObjectKind, identifier, is_sqlites_own};
use sqlite_format::header::MAGIC;

/// The schema of the new store, as the applied migrations make it.
#[derive(Debug, Clone, Default)]
pub struct TargetSchema {
    /// The pragmas that come before everything else.
    pub pragmas: Vec<String>,
    /// The statements that create tables and indexes.
    pub before: Vec<String>,
    /// The statements that create views and triggers. Triggers must not be there while rows are inserted.
    pub after: Vec<String>,
    /// For each table whose rows an expression can refuse with an error, the statements that make it: a row is tried before it is given.
    pub tried: BTreeMap<usize, Vec<String>>,
    /// The unique indexes, which are made when the rows are there: where two rows have the same key, an index would refuse them.
    pub uniques: Vec<LateUnique>,
    /// For each known table, and each of its known columns, its constraints; `None` for a column that is not there.
    pub columns: Vec<Vec<Option<ColumnConstraints>>>,
}

impl TargetSchema {
    /// Adds what the header of a store holds beside its pages: numbers of the application's, and how its pages are kept.
    pub fn add_header(&mut self, view: &StoreView<'_>) {
        let mut first = Vec::new();
        view.page(1, &mut first);
        let fields = first.first_chunk::<100>().filter(|_| first.starts_with(MAGIC));
        let number = |at: usize| {
            let four = fields.and_then(|fields| fields.get(at..at + 4)?.try_into().ok());
            four.map_or(0, u32::from_be_bytes)
        };
        self.pragmas.push(format!("PRAGMA page_size={};", view.layout().page_size));
        match (number(52), number(64)) {
            (0, _) => {}
            (_, 0) => self.pragmas.push("PRAGMA auto_vacuum=1;".to_owned()),
            _ => self.pragmas.push("PRAGMA auto_vacuum=2;".to_owned()),
        }
        // A row that breaks a check was in the store all the same; and a check may take any time.
        self.pragmas.push("PRAGMA ignore_check_constraints=ON;".to_owned());
        for (name, at) in [("user_version", 60), ("application_id", 68)] {
            let value = number(at).cast_signed();
            if value != 0 {
                self.before.insert(0, format!("PRAGMA {name}={value};"));
            }
        }
    }

    /// Returns the constraints of a column; `None` when the new store does not have it.
    pub fn constraints(&self, table: usize, column: usize) -> Option<ColumnConstraints> {
        self.columns.get(table)?.get(column).copied().flatten()
    }
}

/// A unique index that is made behind the rows.
#[derive(Debug, Clone, Default)]
pub struct LateUnique {
    /// The place of its table.
    pub table: usize,
    /// The place of its key among those of the table that are read, where it is one of them.
    pub key: Option<usize>,
    /// The place of its key among the unique ones of its table, if its rows have it in columns.
    pub unique: Option<usize>,
    /// A query for the key of the one row that the table has, as text, otherwise.
    pub query: String,
    /// Its statement.
    pub sql: String,
}

/// The constraints of a column that a row can break.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct ColumnConstraints {
    /// True if NULL is forbidden.
    pub forbids_null: bool,
    /// True if a row without a value of it gets one.
    pub has_default: bool,
    /// True if its default is an expression: SQLite reads NULL in a row that ends before the column.
    pub has_computed_default: bool,
    /// True if SQLite computes it: no value of it can be inserted.
    pub is_generated: bool,
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
    let mut schema = StoreSchema {
        has_known_values: true,
        ..StoreSchema::default()
    };
    for count in 0..=ledger.migrations.len() {
        let connection = replay(&ledger, ledger.migrations.iter().take(count))?;
        let names = introspect::tables(&connection)?.into_iter().filter_map(|table| table.name);
        for name in names.filter(|name| !is_sqlites_own(name.as_bytes())) {
            add_table(&connection, &name, application, &mut schema)?;
        }
    }
    ledger.table = schema.find_table(application.ledger.table.as_bytes()).unwrap_or(0);
    Ok(KnownStore {
        schema,
        ledger: Some(ledger),
        own: None,
    })
}

/// Builds the schema that these migrations make.
///
/// # Errors
/// Fails if SQLite cannot apply them: not every choice of migrations can be applied.
pub fn build_target_schema(
    schema: &StoreSchema,
    ledger: &KnownLedger,
    applied: &BTreeSet<i64>,
) -> Result<TargetSchema> {
    let migrations = ledger.migrations.iter();
    let connection = replay(ledger, migrations.filter(|migration| applied.contains(&migration.id)))?;
    let mut target = TargetSchema::default();
    introspect::each_object(&connection, usize::MAX, |object| {
        if let Some(sql) = object.sql.filter(|_| !is_sqlites_own(object.name)) {
            let place = match object.kind {
                ObjectKind::Table | ObjectKind::VirtualTable | ObjectKind::Index => &mut target.before,
                ObjectKind::View | ObjectKind::Trigger => &mut target.after,
            };
            place.push(text(sql) + ";");
        }
        Ok(())
    })?;
    for table in &schema.tables {
        let there = table_columns(&connection, &table.name)?;
        let constraints = |column: &ColumnSchema| {
            let info = there.iter().find(|one| one.name.eq_ignore_ascii_case(&column.name))?;
            Some(ColumnConstraints {
                forbids_null: info.not_null,
                has_default: info.has_default,
                ..ColumnConstraints::default()
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
            table.keys.push(UniqueKey {
                name,
                columns,
                ..UniqueKey::default()
            });
        }
    }
    Ok(())
}

/// Returns the rule for the values of a column, as the check of values has it.
fn value_rule(application: &Application, table: &str, column: &str) -> Option<ValueRule> {
    if table == application.ledger.table {
        return match column {
            "name" => Some(ValueRule::Known(KnownRule(application::Rule::Word))),
            "applied_at" => Some(ValueRule::Known(KnownRule(application::Rule::Time))),
            _ => None,
        };
    }
    let table = application.tables.iter().find(|known| known.name.eq_ignore_ascii_case(table))?;
    let column = table.columns.iter().find(|known| known.name.eq_ignore_ascii_case(column))?;
    Some(ValueRule::Known(KnownRule(column.rule)))
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
        assert_eq!(known.schema.tables[known.ledger.unwrap().table].rowid_alias, Some(0));
        assert_eq!(known.schema.find_key(b"sqlite_autoindex_vms_3"), Some((2, 2)));
    }

    #[test]
    fn the_schema_is_that_of_the_migrations_which_were_applied() {
        let known = describe_stores(&APPLICATION).unwrap();
        let ledger = known.ledger.unwrap();
        let build = |applied: &[i64]| build_target_schema(&known.schema, &ledger, &applied.iter().copied().collect());
        let all = build(&[1, 2, 3]).unwrap();
        assert_eq!((all.before.len(), all.after.len()), (3, 0));
        let docker = known.schema.tables[1].columns.iter().position(|column| column.name == "docker").unwrap();
        assert_eq!(all.columns[1][docker], None);
        let first = build(&[1]).unwrap();
        assert_eq!(
            first.columns[1][docker],
            Some(ColumnConstraints {
                forbids_null: true,
                has_default: true,
                ..ColumnConstraints::default()
            })
        );
        assert!(build(&[3]).is_err());
    }
}
