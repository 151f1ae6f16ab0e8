//! Tools that are named and no more: what they run is not plain SQL, so there is nothing to compare a store with.

use crate::migrations::recognise::{LedgerColumn, TableDeclaration};

/// A tool that is named and no more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NamedTool {
    /// The name as its users write it.
    pub(crate) name: &'static str,
    /// The ledger's table.
    pub(in crate::migrations) table: &'static str,
    /// The name and the declared type of each column that it has; the type "" stands for any type.
    columns: &'static [(&'static str, &'static str)],
    /// True if the table may have columns beside these, because its name can be no other tool's.
    allows_other_columns: bool,
    /// The language of its migrations: "Python, not SQL".
    pub(crate) migrations: &'static str,
    /// True if a row is a migration that was applied.
    pub(crate) rows_are_applied: bool,
    /// The condition, in SQL over the columns above, under which a row is a migration that failed or did not come to its end.
    pub(crate) failed: Option<&'static str>,
    /// The table that keeps two programs from migrating at once.
    pub(crate) lock: Option<LockTable>,
    /// The command that settles a failure, or releases the lock.
    pub(crate) settled_by: Option<&'static str>,
}

/// A table by which a tool keeps two programs from migrating at once. It outlives a program that is killed while it migrates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LockTable {
    /// Its name.
    pub(crate) name: &'static str,
    /// The columns that the condition needs.
    pub(crate) columns: &'static [&'static str],
    /// The condition, in SQL, under which a row is a lock that is held.
    pub(crate) held: &'static str,
}

impl NamedTool {
    /// Requires exactly these columns, because other tools use the table's name too.
    const fn exactly(self) -> Self {
        Self {
            allows_other_columns: false,
            ..self
        }
    }

    const fn rows_are_something_else(self) -> Self {
        Self {
            rows_are_applied: false,
            ..self
        }
    }

    /// Sets the condition under which a row is a migration that failed.
    const fn failed_where(self, condition: &'static str) -> Self {
        Self {
            failed: Some(condition),
            ..self
        }
    }

    /// Sets the table of its lock.
    const fn locked_by(self, name: &'static str, columns: &'static [&'static str], held: &'static str) -> Self {
        Self {
            lock: Some(LockTable { name, columns, held }),
            ..self
        }
    }

    const fn settled_by(self, command: &'static str) -> Self {
        Self {
            settled_by: Some(command),
            ..self
        }
    }

    /// Returns true if the table is a ledger of this tool.
    pub(in crate::migrations) fn matches(&self, table: &TableDeclaration) -> bool {
        let is = |column: &LedgerColumn, (name, declared): &(&str, &str)| {
            let declared = declared.is_empty() || column.declared.eq_ignore_ascii_case(declared);
            // To read a generated column would run an expression of the untrusted schema.
            column.name.eq_ignore_ascii_case(name) && declared && !column.is_generated
        };
        table.name.eq_ignore_ascii_case(self.table)
            && self.columns.iter().all(|wanted| table.columns.iter().any(|column| is(column, wanted)))
            && (self.allows_other_columns || self.columns.len() == table.columns.len())
    }
}

/// Creates a tool whose table has a name that can be no other tool's.
const fn new(
    name: &'static str,
    table: &'static str,
    columns: &'static [(&'static str, &'static str)],
    migrations: &'static str,
) -> NamedTool {
    NamedTool {
        name,
        table,
        columns,
        allows_other_columns: true,
        migrations,
        rows_are_applied: true,
        failed: None,
        lock: None,
        settled_by: None,
    }
}

/// Every tool that is named and no more.
pub(in crate::migrations) const NAMED: &[NamedTool] = &[
    new("Rails", "schema_migrations", &[("version", "varchar")], "Ruby, not SQL").exactly(),
    new("Rails", "schema_migrations", &[("version", "varchar(255)")], "Ruby, not SQL").exactly(),
    new(
        "Django",
        "django_migrations",
        &[("app", ""), ("name", ""), ("applied", "")],
        "Python, not SQL",
    ),
    new("Alembic", "alembic_version", &[("version_num", "")], "Python, not SQL").rows_are_something_else(),
    new("Knex", "knex_migrations", &[("name", ""), ("batch", "")], "JavaScript, not SQL")
        .locked_by("knex_migrations_lock", &["is_locked"], "is_locked IN (1, '1')")
        .settled_by("knex migrate:unlock"),
    new(
        "EF Core",
        "__EFMigrationsHistory",
        &[("MigrationId", ""), ("ProductVersion", "")],
        "C#, not SQL",
    )
    // Its one row is deleted when the lock is released.
    .locked_by("__EFMigrationsLock", &["Id", "Timestamp"], "TRUE")
    .settled_by("DELETE FROM __EFMigrationsLock"),
    new(
        "TypeORM",
        "migrations",
        &[("id", ""), ("timestamp", ""), ("name", "")],
        "TypeScript, not SQL",
    )
    .exactly(),
    new(
        "Ecto",
        "schema_migrations",
        &[("version", "INTEGER"), ("inserted_at", "")],
        "Elixir, not SQL",
    )
    .exactly(),
    new("Sequelize", "SequelizeMeta", &[("name", "")], "JavaScript, not SQL").exactly(),
    new(
        "Flyway",
        "flyway_schema_history",
        &[("installed_rank", ""), ("version", ""), ("success", "")],
        "SQL with placeholders, and Java",
    )
    .failed_where("success IN (0, '0', 'false')")
    .settled_by("flyway repair"),
    new(
        "Atlas",
        "atlas_schema_revisions",
        &[("version", ""), ("applied", ""), ("total", ""), ("error", "")],
        "SQL that Atlas itself verifies and rehearses",
    )
    .failed_where("applied < total OR (error IS NOT NULL AND error <> '')")
    .settled_by("atlas migrate apply"),
    new(
        "Liquibase",
        "DATABASECHANGELOG",
        &[("ID", ""), ("AUTHOR", ""), ("FILENAME", "")],
        "change logs in XML, YAML or annotated SQL",
    )
    .locked_by("DATABASECHANGELOGLOCK", &["LOCKED"], "LOCKED IN (1, '1', 'true')")
    .settled_by("liquibase release-locks"),
    new(
        "Room",
        "room_master_table",
        &[("id", ""), ("identity_hash", "")],
        "Kotlin or Java, not SQL; PRAGMA user_version is their version",
    )
    .exactly()
    .rows_are_something_else(),
    new("sea-orm", "seaql_migrations", &[("version", ""), ("applied_at", "")], "Rust, not SQL"),
    new("gormigrate", "migrations", &[("id", "")], "Go, not SQL").exactly(),
    new("bun", "bun_migrations", &[("name", ""), ("group_id", "")], "Go, with SQL among them"),
    new("Kysely", "kysely_migration", &[("name", ""), ("timestamp", "")], "TypeScript, not SQL")
        .locked_by("kysely_migration_lock", &["is_locked"], "is_locked IN (1, '1')"),
    new(
        "MikroORM",
        "mikro_orm_migrations",
        &[("name", ""), ("executed_at", "")],
        "TypeScript, not SQL",
    ),
    new("Laravel", "migrations", &[("id", ""), ("migration", ""), ("batch", "")], "PHP, not SQL").exactly(),
    new("GRDB", "grdb_migrations", &[("identifier", "")], "Swift, not SQL"),
    new(
        "yoyo",
        "_yoyo_migration",
        &[("migration_hash", ""), ("migration_id", "")],
        "Python, with SQL among them",
    )
    // Its row is deleted when the lock is released.
    .locked_by("yoyo_lock", &["locked", "pid"], "locked IN (1, '1')")
    .settled_by("yoyo break-lock"),
    // A migration that failed and succeeded later has a row for each attempt.
    new(
        "Grafana",
        "migration_log",
        &[("migration_id", ""), ("sql", ""), ("success", ""), ("error", "")],
        "compiled into Grafana",
    )
    .failed_where("success IN (0, '0') AND migration_id NOT IN (SELECT migration_id FROM migration_log WHERE success = 1 AND migration_id IS NOT NULL)"),
    new("FluentMigrator", "VersionInfo", &[("Version", ""), ("AppliedOn", "")], "C#, not SQL"),
];
