//! Folders whose migrations are code: their names tell what is applied, pending and unknown, and nothing of them is run.

use super::harness::Kept;

/// What the rows about a ledger and a folder say, and the gate with and without a rehearsal.
fn said(kept: &Kept) -> String {
    let rows = [
        "schema-state",
        "migration-history",
        "schema-shape",
        "migration-rehearsal",
    ]
    .map(|check| {
        let said = kept.said(check);
        format!("{check}: {}\n", said.lines().next().unwrap())
    });
    format!("{}{}\n{}", rows.concat(), kept.gate(&[]), kept.gate(&["--rehearse"]))
}

fn empty(names: &[&'static str]) -> Vec<(&'static str, &'static str)> {
    names.iter().map(|name| (*name, "")).collect()
}

const RAILS: &str = "CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY);
    CREATE TABLE ar_internal_metadata (key varchar NOT NULL PRIMARY KEY, value varchar, created_at datetime(6) NOT NULL, updated_at datetime(6) NOT NULL);
    CREATE TABLE users (id INTEGER PRIMARY KEY); INSERT INTO schema_migrations VALUES ('20240101000000'), ('20240103000000');";

#[test]
fn rails() {
    let files = empty(&[
        "20240101000000_a.rb",
        "20240102000000_late.rb",
        "20240103000000_c.rb",
        "20240104000000_d.rb",
    ]);
    let kept = Kept::made(RAILS, &files);
    insta::assert_snapshot!(said(&kept), @"
    schema-state: pass: Rails' ledger `schema_migrations`: 2 applied, pending [20240102000000 20240104000000]: Rails applies them when it next migrates
    migration-history: pass: 2 applied migrations; Rails keeps no checksums, so whether a file was changed is not known; 1 pending migration is older than the newest that is applied (20240102000000): Rails runs it all the same
    schema-shape: skip: not all applied migrations can be replayed: 20240101000000_a.rb is a step in Ruby (and 1 more)
    migration-rehearsal: skip: the pending migrations cannot be tried: 20240102000000_late.rb is a step in Ruby (and 1 more)
    migrations needed: pending [20240102000000 20240104000000] (binary will apply on first Open) [1]
    cannot tell: the pending migrations cannot be tried: 20240102000000_late.rb is a step in Ruby (and 1 more) [3]
    ");
    kept.place.sql("INSERT INTO schema_migrations VALUES ('20250101000000')");
    insta::assert_snapshot!(said(&kept), @"
    schema-state: fail: Rails' ledger `schema_migrations`: 1 migration applied that the folder does not have, and pending [20240102000000 20240104000000]; no data is lost
    migration-history: pass: 2 applied migrations; Rails keeps no checksums, so whether a file was changed is not known; 2 pending migrations are older than the newest that is applied (20240102000000, 20240104000000): Rails runs it all the same
    schema-shape: skip: the folder does not tell what these migrations changed: [20250101000000]
    migration-rehearsal: skip: the pending migrations cannot be tried: 20240102000000_late.rb is a step in Ruby (and 1 more)
    incompatible: unknown [20250101000000] (this binary is older than the store; do not swap) [2]
    incompatible: unknown [20250101000000] (this binary is older than the store; do not swap) [2]
    ");
}

#[test]
fn ecto_laravel_and_ef_core() {
    let ecto = "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, inserted_at TEXT); INSERT INTO schema_migrations VALUES (20240101000000, '')";
    insta::assert_snapshot!(said(&Kept::made(ecto, &empty(&["20240101000000_a.exs", "20240102000000_b.exs"]))), @"
    schema-state: pass: Ecto's ledger `schema_migrations`: 1 applied, pending [20240102000000]: Ecto applies them when it next migrates
    migration-history: pass: 1 applied migration; Ecto keeps no checksums, so whether a file was changed is not known
    schema-shape: skip: not all applied migrations can be replayed: 20240101000000_a.exs is a step in Elixir
    migration-rehearsal: skip: the pending migrations cannot be tried: 20240102000000_b.exs is a step in Elixir
    migrations needed: pending [20240102000000] (binary will apply on first Open) [1]
    cannot tell: the pending migrations cannot be tried: 20240102000000_b.exs is a step in Elixir [3]
    ");
    let laravel = "CREATE TABLE migrations (id integer primary key autoincrement not null, migration varchar not null, batch integer not null);
        INSERT INTO migrations(migration, batch) VALUES ('0001_01_01_000000_create_users_table', 1)";
    let files = empty(&[
        "0001_01_01_000000_create_users_table.php",
        "2024_01_01_000000_create_notes_table.php",
    ]);
    insta::assert_snapshot!(said(&Kept::made(laravel, &files)), @"
    schema-state: pass: Laravel's ledger `migrations`: 1 applied, pending [2024_01_01_000000_create_notes_table]: Laravel applies them when it next migrates
    migration-history: pass: 1 applied migration; Laravel keeps no checksums, so whether a file was changed is not known
    schema-shape: skip: not all applied migrations can be replayed: 0001_01_01_000000_create_users_table.php is a step in PHP
    migration-rehearsal: skip: the pending migrations cannot be tried: 2024_01_01_000000_create_notes_table.php is a step in PHP
    migrations needed: pending [2024_01_01_000000_create_notes_table] (binary will apply on first Open) [1]
    cannot tell: the pending migrations cannot be tried: 2024_01_01_000000_create_notes_table.php is a step in PHP [3]
    ");
    let ef = "CREATE TABLE __EFMigrationsHistory (MigrationId TEXT NOT NULL PRIMARY KEY, ProductVersion TEXT NOT NULL);
        CREATE TABLE __EFMigrationsLock (Id INTEGER NOT NULL PRIMARY KEY, Timestamp TEXT NOT NULL); INSERT INTO __EFMigrationsHistory VALUES ('20240101000000_First', '9.0.2')";
    let files = empty(&[
        "20240101000000_First.cs",
        "20240101000000_First.Designer.cs",
        "20240102000000_Second.cs",
        "20240102000000_Second.Designer.cs",
        "NotesModelSnapshot.cs",
    ]);
    let kept = Kept::made(ef, &files);
    insta::assert_snapshot!(said(&kept), @"
    schema-state: pass: EF Core's ledger `__EFMigrationsHistory`: 1 applied, pending [20240102000000_Second]: EF Core applies them when it next migrates
    migration-history: pass: 1 applied migration; EF Core keeps no checksums, so whether a file was changed is not known
    schema-shape: skip: not all applied migrations can be replayed: 20240101000000_First.cs is a step in C#
    migration-rehearsal: skip: the pending migrations cannot be tried: 20240102000000_Second.cs is a step in C#
    migrations needed: pending [20240102000000_Second] (binary will apply on first Open) [1]
    cannot tell: the pending migrations cannot be tried: 20240102000000_Second.cs is a step in C# [3]
    ");
    kept.place.sql("INSERT INTO __EFMigrationsLock VALUES (1, '2024-01-01')");
    insta::assert_snapshot!(said(&kept), @"
    schema-state: fail: EF Core's ledger `__EFMigrationsHistory`: 1 applied, pending [20240102000000_Second]; its lock `__EFMigrationsLock` is held: EF Core is migrating just now, or was ended before it released the lock
    migration-history: pass: 1 applied migration; EF Core keeps no checksums, so whether a file was changed is not known
    schema-shape: skip: not all applied migrations can be replayed: 20240101000000_First.cs is a step in C#
    migration-rehearsal: skip: EF Core would run nothing: its lock `__EFMigrationsLock` is held
    incompatible: EF Core would run nothing: its lock `__EFMigrationsLock` is held (do not swap) [2]
    incompatible: EF Core would run nothing: its lock `__EFMigrationsLock` is held (do not swap) [2]
    ");
}

#[test]
fn knex_and_typeorm() {
    let knex = "CREATE TABLE knex_migrations (id integer not null primary key autoincrement, name varchar(255), batch integer, migration_time datetime);
        CREATE TABLE knex_migrations_lock (\"index\" integer not null primary key autoincrement, is_locked integer); INSERT INTO knex_migrations_lock(is_locked) VALUES (0);
        INSERT INTO knex_migrations(name, batch) VALUES ('20240101000000_a.js', 1)";
    // What was compiled to JavaScript is the same migration.
    let kept = Kept::made(knex, &empty(&["20240101000000_a.ts", "20240102000000_b.ts"]));
    insta::assert_snapshot!(said(&kept), @"
    schema-state: pass: Knex's ledger `knex_migrations`: 1 applied, pending [20240102000000_b]: Knex applies them when it next migrates
    migration-history: pass: 1 applied migration; Knex keeps no checksums, so whether a file was changed is not known
    schema-shape: skip: not all applied migrations can be replayed: 20240101000000_a.ts is a step in TypeScript
    migration-rehearsal: skip: the pending migrations cannot be tried: 20240102000000_b.ts is a step in TypeScript
    migrations needed: pending [20240102000000_b] (binary will apply on first Open) [1]
    cannot tell: the pending migrations cannot be tried: 20240102000000_b.ts is a step in TypeScript [3]
    ");
    kept.place.sql("UPDATE knex_migrations_lock SET is_locked = 1");
    insta::assert_snapshot!(said(&kept), @"
    schema-state: fail: Knex's ledger `knex_migrations`: 1 applied, pending [20240102000000_b]; its lock `knex_migrations_lock` is held: Knex is migrating just now, or was ended before it released the lock
    migration-history: pass: 1 applied migration; Knex keeps no checksums, so whether a file was changed is not known
    schema-shape: skip: not all applied migrations can be replayed: 20240101000000_a.ts is a step in TypeScript
    migration-rehearsal: skip: Knex would run nothing: its lock `knex_migrations_lock` is held
    incompatible: Knex would run nothing: its lock `knex_migrations_lock` is held (do not swap) [2]
    incompatible: Knex would run nothing: its lock `knex_migrations_lock` is held (do not swap) [2]
    ");
    let typeorm = "CREATE TABLE migrations (id integer PRIMARY KEY AUTOINCREMENT NOT NULL, timestamp bigint NOT NULL, name varchar NOT NULL);
        INSERT INTO migrations(timestamp, name) VALUES (1700000000000, 'First1700000000000'), (1700000009000, 'Gone1700000009000')";
    let kept = Kept::made(
        typeorm,
        &empty(&[
            "1700000000000-First.ts",
            "1700000005000-Second.ts",
            "1700000005000-Second.spec.ts",
            "index.ts",
        ]),
    );
    insta::assert_snapshot!(said(&kept), @"
    schema-state: fail: TypeORM's ledger `migrations`: 1 migration applied that the folder does not have, and pending [1700000005000]; no data is lost
    migration-history: pass: 1 applied migration; TypeORM keeps no checksums, so whether a file was changed is not known; 1 pending migration is older than the newest that is applied (1700000005000): TypeORM runs it all the same
    schema-shape: skip: the folder does not tell what these migrations changed: [1700000009000]
    migration-rehearsal: skip: the pending migrations cannot be tried: 1700000005000-Second.ts is a step in TypeScript
    incompatible: unknown [1700000009000] (this binary is older than the store; do not swap) [2]
    incompatible: unknown [1700000009000] (this binary is older than the store; do not swap) [2]
    ");
}

/// Made by Alembic 1.20.1, which wrote the ledger too.
const ALEMBIC: [(&str, &str); 4] = [
    (
        "b6ee8f210991_notebooks.py",
        "revision: str = 'b6ee8f210991'\ndown_revision: Union[str, Sequence[str], None] = None\ndepends_on: Union[str, Sequence[str], None] = None\n",
    ),
    (
        "e3b3e7365eea_notes.py",
        "revision: str = 'e3b3e7365eea'\ndown_revision: Union[str, Sequence[str], None] = 'b6ee8f210991'\n",
    ),
    (
        "b979e6c9b468_colour.py",
        "revision: str = 'b979e6c9b468'\ndown_revision: Union[str, Sequence[str], None] = 'e3b3e7365eea'\n",
    ),
    (
        "9717aebd7be6_archive.py",
        "revision: str = '9717aebd7be6'\ndown_revision: Union[str, Sequence[str], None] = 'b979e6c9b468'\n",
    ),
];

#[test]
fn alembic() {
    let ledger = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)); INSERT INTO alembic_version VALUES('b979e6c9b468');";
    let kept = Kept::made(ledger, &ALEMBIC);
    insta::assert_snapshot!(said(&kept), @"
    schema-state: pass: Alembic's ledger `alembic_version`: 3 applied, pending [9717aebd7be6]: Alembic applies them when it next migrates
    migration-history: pass: 3 applied migrations; Alembic keeps no checksums, so whether a file was changed is not known
    schema-shape: skip: not all applied migrations can be replayed: b6ee8f210991_notebooks.py is a step in Python (and 2 more)
    migration-rehearsal: skip: the pending migrations cannot be tried: 9717aebd7be6_archive.py is a step in Python
    migrations needed: pending [9717aebd7be6] (binary will apply on first Open) [1]
    cannot tell: the pending migrations cannot be tried: 9717aebd7be6_archive.py is a step in Python [3]
    ");
    // A branch of its own and what joins the two.
    kept.write("a1b2c3d4e5f6_branch.py", "revision = 'a1b2c3d4e5f6'\ndown_revision = 'e3b3e7365eea'\n");
    kept.write(
        "ffffffffffff_merge.py",
        "revision = 'ffffffffffff'\ndown_revision = (\n    'a1b2c3d4e5f6',\n    '9717aebd7be6',\n)\n",
    );
    insta::assert_snapshot!(kept.gate(&[]), @"migrations needed: pending [a1b2c3d4e5f6 9717aebd7be6 ffffffffffff] (binary will apply on first Open) [1]");
    kept.place.sql("INSERT INTO alembic_version VALUES ('a1b2c3d4e5f6')");
    insta::assert_snapshot!(kept.gate(&[]), @"migrations needed: pending [9717aebd7be6 ffffffffffff] (binary will apply on first Open) [1]");
    // One that the folder does not have: what it builds on is not known.
    kept.place
        .sql("UPDATE alembic_version SET version_num = 'dddddddddddd' WHERE version_num = 'b979e6c9b468'");
    insta::assert_snapshot!(kept.gate(&["--format", "json"]), @r#"{"format":1,"compatibility":"incompatible","applied":["b6ee8f210991","e3b3e7365eea","a1b2c3d4e5f6","dddddddddddd"],"known_max":"ffffffffffff","pending":[],"unknown":["dddddddddddd"]} [2]"#);
}

const DJANGO: &str = "CREATE TABLE django_migrations (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied datetime NOT NULL);
    INSERT INTO django_migrations(app, name, applied) VALUES ('auth', '0001_initial', ''), ('auth', '0002_alter', ''), ('notes', '0001_initial', ''), ('notes', '0002_notebook_colour', '');";

#[test]
fn django_project_and_one_app() {
    let initial = "class Migration(migrations.Migration):\n    initial = True\n    dependencies = [\n    ]\n";
    let after = |name: &str| {
        format!(
            "class Migration(migrations.Migration):\n    dependencies = [\n        ('notes', '{name}'),\n        migrations.swappable_dependency(settings.AUTH_USER_MODEL),\n    ]\n"
        )
    };
    let write = |kept: &Kept, below: &str| {
        kept.write(&format!("{below}__init__.py"), "");
        kept.write(&format!("{below}0001_initial.py"), initial);
        kept.write(&format!("{below}0002_notebook_colour.py"), &after("0001_initial"));
        kept.write(&format!("{below}0003_notebook_size.py"), &after("0002_notebook_colour"));
    };
    let project = Kept::made(DJANGO, &[("manage.py", "")]);
    write(&project, "notes/migrations/");
    insta::assert_snapshot!(said(&project), @"
    schema-state: pass: Django's ledger `django_migrations`: 2 applied, pending [notes.0003_notebook_size]: Django applies them when it next migrates
    migration-history: pass: 2 applied migrations; Django keeps no checksums, so whether a file was changed is not known
    schema-shape: skip: not all applied migrations can be replayed: notes/migrations/0001_initial.py is a step in Python (and 1 more)
    migration-rehearsal: skip: the pending migrations cannot be tried: notes/migrations/0003_notebook_size.py is a step in Python
    migrations needed: pending [notes.0003_notebook_size] (binary will apply on first Open) [1]
    cannot tell: the pending migrations cannot be tried: notes/migrations/0003_notebook_size.py is a step in Python [3]
    ");
    // One app's own folder: the app is the one that has these names.
    let app = Kept::made(DJANGO, &[]);
    write(&app, "");
    insta::assert_snapshot!(app.gate(&[]), @"migrations needed: pending [0003_notebook_size] (binary will apply on first Open) [1]");
    // What was never applied though a later one builds on it.
    project
        .place
        .sql("DELETE FROM django_migrations WHERE name = '0001_initial' AND app = 'notes'");
    insta::assert_snapshot!(project.gate(&[]), @"incompatible: Django would run nothing: migration notes.0001_initial was never applied, and a later one is (do not swap) [2]");
    // Squashed: those that it replaces were applied, so it is.
    let squashed = Kept::made(DJANGO, &[]);
    squashed.write("notes/migrations/0001_squashed_0002_notebook_colour.py", "class Migration(migrations.Migration):\n    replaces = [('notes', '0001_initial'), ('notes', '0002_notebook_colour')]\n    dependencies = []\n");
    squashed.write("notes/migrations/0003_notebook_size.py", &after("0001_squashed_0002_notebook_colour"));
    insta::assert_snapshot!(squashed.gate(&[]), @"migrations needed: pending [notes.0003_notebook_size] (binary will apply on first Open) [1]");
}

#[test]
fn code_beside_sql_is_a_hook_and_no_migration_of_its_own() {
    let sqlx = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)";
    let kept = Kept::made(
        sqlx,
        &[
            ("20240101000000_a.sql", "CREATE TABLE a (x);"),
            ("20240101000000_a.ts", ""),
        ],
    );
    insta::assert_snapshot!(kept.gate(&[]), @"migrations needed: pending [20240101000000] (binary will apply on first Open) [1]");
}

#[test]
fn sql_migrates_sections_are_replayed_as_it_splits_them() {
    let ledger = "CREATE TABLE gorp_migrations (id varchar(255) not null primary key, applied_at datetime); INSERT INTO gorp_migrations VALUES ('1_begin.sql', '');
        CREATE TABLE a (x); INSERT INTO a VALUES (1), (2);";
    let kept = Kept::made(
        ledger,
        &[
            ("1_begin.sql", "-- +migrate Up\nCREATE TABLE a (x);\n-- +migrate Down\nDROP TABLE a;\n"),
            (
                "2_trigger.sql",
                "-- +migrate Up\n-- +migrate StatementBegin\nCREATE TRIGGER t AFTER INSERT ON a BEGIN\n  DELETE FROM a WHERE x IS NULL;\nEND;\n-- +migrate StatementEnd\nALTER TABLE a ADD COLUMN y;\n-- +migrate Down\nDROP TRIGGER t;\n",
            ),
        ],
    );
    insta::assert_snapshot!(said(&kept), @"
    schema-state: pass: sql-migrate's ledger `gorp_migrations`: 1 applied, pending [2_trigger.sql]: sql-migrate applies them when it next migrates
    migration-history: pass: 1 applied migration; sql-migrate keeps no checksums, so whether a file was changed is not known
    schema-shape: pass: 1 table is what replaying [1_begin.sql] gives
    migration-rehearsal: pass: rehearsed [2_trigger.sql] on 2 rows in [TIME] ms
    migrations needed: pending [2_trigger.sql] (binary will apply on first Open) [1]
    migrations needed: pending [2_trigger.sql] (binary will apply on first Open) [1]
    ");
    kept.write(
        "10_last.sql",
        "-- +migrate Up notransaction\nCREATE TABLE b (x)\n-- +migrate Down\nSELECT 1;\n",
    );
    insta::assert_snapshot!(said(&kept), @"
    schema-state: pass: sql-migrate's ledger `gorp_migrations`: 1 applied, pending [2_trigger.sql 10_last.sql]: sql-migrate applies them when it next migrates
    migration-history: pass: 1 applied migration; sql-migrate keeps no checksums, so whether a file was changed is not known
    schema-shape: pass: 1 table is what replaying [1_begin.sql] gives
    migration-rehearsal: skip: the pending migrations cannot be tried: 10_last.sql is refused by the tool itself: the last statement of a section has no semicolon
    migrations needed: pending [2_trigger.sql 10_last.sql] (binary will apply on first Open) [1]
    cannot tell: the pending migrations cannot be tried: 10_last.sql is refused by the tool itself: the last statement of a section has no semicolon [3]
    ");
}

#[test]
fn maragudks_one_row_is_the_latest_name() {
    let ledger = "CREATE TABLE migrations (version text not null); INSERT INTO migrations VALUES ('0001_begin'); CREATE TABLE a (x);";
    let files = [
        ("0001_begin.up.sql", "CREATE TABLE a (x);"),
        ("0001_begin.down.sql", "DROP TABLE a;"),
        ("0002_more.up.sql", "CREATE TABLE b (x);"),
    ];
    let kept = Kept::made(ledger, &files);
    insta::assert_snapshot!(said(&kept), @"
    schema-state: pass: maragudk/migrate's ledger `migrations`: 1 applied, pending [0002_more]: maragudk/migrate applies them when it next migrates
    migration-history: pass: 1 applied migration; maragudk/migrate keeps no checksums, so whether a file was changed is not known
    schema-shape: pass: 1 table is what replaying [0001_begin] gives
    migration-rehearsal: pass: rehearsed [0002_more] on 0 rows in [TIME] ms
    migrations needed: pending [0002_more] (binary will apply on first Open) [1]
    migrations needed: pending [0002_more] (binary will apply on first Open) [1]
    ");
    kept.place.sql("UPDATE migrations SET version = ''; DROP TABLE a");
    insta::assert_snapshot!(kept.gate(&[]), @"migrations needed: pending [0001_begin 0002_more] (binary will apply on first Open) [1]");
}
