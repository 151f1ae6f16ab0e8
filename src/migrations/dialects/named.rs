//! Tools that are named and no more: what they run is not plain SQL, or lies in no folder, so there is nothing to compare a store with.

use crate::migrations::recognise::{LedgerColumn, TableDeclaration};

/// A tool that is named and no more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NamedTool {
    /// The name as its users write it.
    pub(crate) name: &'static str,
    /// The ledger's table; `*` stands for any beginning of a name.
    pub(in crate::migrations) table: &'static str,
    /// The name and the declared type of each column that it has; the type "" stands for any type.
    columns: &'static [(&'static str, &'static str)],
    /// True if the table may have columns beside these, because its name can be no other tool's.
    allows_other_columns: bool,
    /// The language of its migrations, or where they are: "Python, not SQL".
    pub(crate) migrations: &'static str,
    /// What its rows say.
    pub(crate) rows: RowMeaning,
    /// The condition, in SQL over the columns above, under which a row is a migration that failed or did not come to its end.
    pub(crate) failed: Option<&'static str>,
    /// The table that keeps two programs from migrating at once.
    pub(crate) lock: Option<LockTable>,
    /// The command that settles a failure, or releases the lock.
    pub(crate) settled_by: Option<&'static str>,
}

/// The meaning of a ledger's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowMeaning {
    /// Each is a migration that was applied.
    Applied,
    /// The highest integer in this column is the version.
    Version(&'static str),
    /// They say nothing of migrations that may be printed.
    Other,
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

    const fn rows(self, rows: RowMeaning) -> Self {
        Self { rows, ..self }
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

    fn has_name(&self, table: &str) -> bool {
        match self.table.strip_prefix('*') {
            Some(end) => table.to_ascii_lowercase().ends_with(end),
            None => table.eq_ignore_ascii_case(self.table),
        }
    }

    /// Returns true if the table is a ledger of this tool.
    pub(in crate::migrations) fn matches(&self, table: &TableDeclaration) -> bool {
        let is = |column: &LedgerColumn, (name, declared): &(&str, &str)| {
            let declared = declared.is_empty() || column.declared.eq_ignore_ascii_case(declared);
            // To read a generated column would run an expression of the untrusted schema.
            column.name.eq_ignore_ascii_case(name) && declared && !column.is_generated
        };
        self.has_name(&table.name)
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
        rows: RowMeaning::Applied,
        failed: None,
        lock: None,
        settled_by: None,
    }
}

/// Every tool that is named and no more. Where a name and its columns may be those of several, the stricter stands first.
#[rustfmt::skip] // a line for each
pub(in crate::migrations) const NAMED: &[NamedTool] = &[
    new("Sequelize", "SequelizeMeta", &[("name", "")], "JavaScript, not SQL").exactly(),
    new("Flyway", "flyway_schema_history", &[("installed_rank", ""), ("version", ""), ("success", "")], "SQL with placeholders, and Java")
        .failed_where("success IN (0, '0', 'false')")
        .settled_by("flyway repair"),
    new("Atlas", "atlas_schema_revisions", &[("version", ""), ("applied", ""), ("total", ""), ("error", "")], "SQL that Atlas itself verifies and rehearses")
        .failed_where("applied < total OR (error IS NOT NULL AND error <> '')")
        .settled_by("atlas migrate apply"),
    new("Liquibase", "DATABASECHANGELOG", &[("ID", ""), ("AUTHOR", ""), ("FILENAME", "")], "change logs in XML, YAML or annotated SQL")
        .locked_by("DATABASECHANGELOGLOCK", &["LOCKED"], "LOCKED IN (1, '1', 'true')")
        .settled_by("liquibase release-locks"),
    new("Room", "room_master_table", &[("id", ""), ("identity_hash", "")], "Kotlin or Java, not SQL; PRAGMA user_version is their version").exactly().rows(RowMeaning::Other),
    new("sea-orm", "seaql_migrations", &[("version", ""), ("applied_at", "")], "Rust, not SQL"),
    new("gormigrate", "migrations", &[("id", "")], "Go, not SQL").exactly(),
    // Its row is deleted when the lock is released.
    new("bun", "bun_migrations", &[("name", ""), ("group_id", "")], "Go, with SQL among them")
        .locked_by("bun_migration_locks", &["table_name"], "TRUE")
        .settled_by("DELETE FROM bun_migration_locks"),
    new("Kysely", "kysely_migration", &[("name", ""), ("timestamp", "")], "TypeScript, not SQL")
        .locked_by("kysely_migration_lock", &["is_locked"], "is_locked IN (1, '1')"),
    new("MikroORM", "mikro_orm_migrations", &[("name", ""), ("executed_at", "")], "TypeScript, not SQL"),
    new("GRDB", "grdb_migrations", &[("identifier", "")], "Swift, not SQL"),
    // Its row is deleted when the lock is released.
    new("yoyo", "_yoyo_migration", &[("migration_hash", ""), ("migration_id", "")], "Python, with SQL among them")
        .locked_by("yoyo_lock", &["locked", "pid"], "locked IN (1, '1')")
        .settled_by("yoyo break-lock"),
    // A migration that failed and succeeded later has a row for each attempt.
    new("Grafana", "migration_log", &[("migration_id", ""), ("sql", ""), ("success", ""), ("error", "")], "compiled into Grafana")
        .failed_where("success IN (0, '0') AND migration_id NOT IN (SELECT migration_id FROM migration_log WHERE success = 1 AND migration_id IS NOT NULL)"),
    new("FluentMigrator", "VersionInfo", &[("Version", ""), ("AppliedOn", "")], "C#, not SQL"),
    new("Home Assistant", "schema_changes", &[("change_id", ""), ("schema_version", ""), ("changed", "")], "compiled into Home Assistant").exactly().rows(RowMeaning::Version("schema_version")),
    new("Core Data", "Z_METADATA", &[("Z_VERSION", ""), ("Z_UUID", ""), ("Z_PLIST", "")], "models compiled into the application").rows(RowMeaning::Other),
    new("Gitea or Forgejo", "version", &[("id", ""), ("version", "")], "compiled into the application (xorm)").exactly().rows(RowMeaning::Version("version")),
    new("Forgejo", "forgejo_version", &[("id", ""), ("version", "")], "compiled into Forgejo (xorm)").exactly().rows(RowMeaning::Version("version")),
    new("xormigrate", "migration", &[("id", ""), ("description", "")], "Go, not SQL").exactly(),
    new("PocketBase", "_migrations", &[("file", ""), ("applied", "")], "Go or JavaScript, not SQL").exactly(),
    new("Nextcloud or ownCloud", "*_migrations", &[("app", ""), ("version", "")], "PHP, not SQL").exactly(),
    new("Mautrix", "version", &[("version", ""), ("compat", "")], "compiled into the bridge").exactly().rows(RowMeaning::Version("version")),
    new("Authelia", "migrations", &[("id", ""), ("applied", ""), ("version_before", ""), ("version_after", ""), ("application_version", "")], "compiled into Authelia").exactly().rows(RowMeaning::Other),
    new("Plex Media Server", "schema_migrations", &[("version", ""), ("rollback_sql", "")], "compiled into Plex Media Server"),
    new("Ghost", "migrations", &[("name", ""), ("version", ""), ("currentVersion", "")], "JavaScript, not SQL")
        .locked_by("migrations_lock", &["locked", "lock_key"], "locked IN (1, '1')")
        .settled_by("UPDATE migrations_lock SET locked = 0"),
    new("Strapi", "strapi_migrations", &[("id", ""), ("name", ""), ("time", "")], "JavaScript, not SQL"),
    new("Directus", "directus_migrations", &[("version", ""), ("name", ""), ("timestamp", "")], "JavaScript, not SQL"),
    new("Payload", "payload_migrations", &[("name", ""), ("batch", ""), ("created_at", "")], "TypeScript, not SQL"),
    new("Mattermost", "db_migrations", &[("version", ""), ("name", "")], "compiled into the server").exactly(),
    new("Doctrine", "doctrine_migration_versions", &[("version", ""), ("executed_at", "")], "PHP, not SQL"),
    new("Doctrine", "migration_versions", &[("version", ""), ("executed_at", "")], "PHP, not SQL"),
    new("Phinx", "*phinxlog", &[("version", ""), ("migration_name", "")], "PHP, not SQL"),
    new("Yii", "migration", &[("version", ""), ("apply_time", "")], "PHP, not SQL").exactly(),
    new("CodeIgniter", "migrations", &[("version", ""), ("class", ""), ("group", ""), ("namespace", "")], "PHP, not SQL"),
    new("Cycle ORM", "migrations", &[("id", ""), ("migration", ""), ("time_executed", ""), ("created_at", "")], "PHP, not SQL").exactly(),
    new("Phalcon", "phalcon_migrations", &[("version", ""), ("start_time", "")], "PHP, not SQL"),
    new("peewee-migrate", "migratehistory", &[("name", ""), ("migrated_at", "")], "Python, not SQL"),
    new("aerich", "aerich", &[("version", ""), ("app", ""), ("content", "")], "Python, not SQL"),
    new("sqlite-migrate", "_sqlite_migrations", &[("migration_set", ""), ("name", ""), ("applied_at", "")], "Python, not SQL"),
    new("SQLAlchemy-Migrate", "migrate_version", &[("repository_id", ""), ("repository_path", ""), ("version", "")], "Python, not SQL").exactly().rows(RowMeaning::Version("version")),
    new("South", "south_migrationhistory", &[("app_name", ""), ("migration", ""), ("applied", "")], "Python, not SQL"),
    new("Piccolo", "migration", &[("name", ""), ("app_name", ""), ("ran_on", "")], "Python, not SQL"),
    new("AdonisJS", "adonis_schema", &[("name", ""), ("batch", ""), ("migration_time", "")], "TypeScript, not SQL"),
    new("db-migrate", "migrations", &[("id", ""), ("name", ""), ("run_on", "")], "JavaScript, not SQL").exactly(),
    new("node-sqlite", "migrations", &[("id", ""), ("name", ""), ("up", ""), ("down", "")], "SQL, which its ledger holds as well").exactly(),
    new("Postgrator", "schemaversion", &[("version", ""), ("name", ""), ("md5", ""), ("run_at", "")], "SQL with a version in its name").rows(RowMeaning::Version("version")),
    new("Nessie", "nessie_migrations", &[("file_name", ""), ("created_at", "")], "TypeScript, not SQL"),
    new("pop", "schema_migration", &[("version", "")], "Fizz or SQL"),
    new("geni", "schema_migrations", &[("id", "VARCHAR(255)")], "SQL").exactly(),
    new("geni", "schema_migrations", &[("id", "VARCHAR")], "SQL").exactly(),
    new("DbUp", "SchemaVersions", &[("SchemaVersionID", ""), ("ScriptName", ""), ("Applied", "")], "scripts compiled into the application").exactly(),
    new("Entity Framework 6", "__MigrationHistory", &[("MigrationId", ""), ("ContextKey", ""), ("ProductVersion", "")], "C#, not SQL"),
    new("Evolve", "changelog", &[("type", ""), ("version", ""), ("checksum", ""), ("success", "")], "SQL with placeholders")
        .failed_where("success IN (0, '0', 'false')")
        .settled_by("evolve repair"),
    new("MyBatis Migrations", "CHANGELOG", &[("ID", ""), ("APPLIED_AT", ""), ("DESCRIPTION", "")], "SQL with placeholders").exactly(),
    new("Play Evolutions", "play_evolutions", &[("id", ""), ("hash", ""), ("apply_script", ""), ("state", ""), ("last_problem", "")], "SQL, which its ledger holds as well")
        .failed_where("state <> 'applied'"),
    // It reserves a row for itself while it is at work.
    new("Migratus", "schema_migrations", &[("id", ""), ("applied", ""), ("description", "")], "SQL or Clojure").exactly()
        .locked_by("schema_migrations", &["id", "applied"], "id = -1")
        .settled_by("DELETE FROM schema_migrations WHERE id = -1"),
    new("Ragtime", "ragtime_migrations", &[("id", ""), ("created_at", "")], "SQL or Clojure").exactly(),
    new("Mojolicious", "mojo_migrations", &[("name", ""), ("version", "")], "SQL in one file, or compiled in").exactly().rows(RowMeaning::Version("version")),
    new("Sqitch", "changes", &[("change_id", ""), ("change", ""), ("project", "")], "SQL in the order of its plan"),
    new("Sequel", "schema_migrations", &[("filename", "")], "Ruby, not SQL").exactly(),
    new("Sequel", "schema_info", &[("version", "")], "Ruby, not SQL").exactly().rows(RowMeaning::Version("version")),
    new("Vapor's Fluent", "_fluent_migrations", &[("name", ""), ("batch", ""), ("created_at", "")], "Swift, not SQL"),
    new("Butane", "butane_migrations", &[("name", "")], "JSON with SQL, made from Rust"),
];
