//! `schema-shape`: planted faults, and what each costs.

use insta::assert_snapshot;

use crate::support::Place;
use crate::support::asking::{commands, type_command};

fn row(sql: &str) -> String {
    Place::with(1, 2).after(sql).found("schema-shape")
}

fn rewritten(table: &str, from: &str, to: &str) -> String {
    Place::with(1, 2).rewritten(table, from, to).found("schema-shape")
}

#[test]
fn a_store_of_any_age_passes() {
    assert_snapshot!(row(""), @"pass: 3 tables are what replaying migrations [1 2 3] gives");
    assert_snapshot!(Place::of_age(2).found("schema-shape"), @"pass: 3 tables are what replaying migrations [1 2] gives");
    assert_snapshot!(Place::new().after("CREATE TABLE t(x); DROP TABLE t").found("schema-shape"), @"pass: no migration is applied, and there is no table");
}

#[test]
fn what_is_missing() {
    assert_snapshot!(row("ALTER TABLE vms DROP COLUMN workspace_json"), @r"
    fail: vms.workspace_json: the column is missing (the daemon cannot read it)
     - vms workspace_json: the column is missing (the daemon cannot read it)
    ");
    assert_snapshot!(row("DROP TABLE vms"), @r"
    fail: vms: the table is missing (the daemon cannot read it)
     - vms: the table is missing (the daemon cannot read it)
    ");
    assert_snapshot!(row("ALTER TABLE vms RENAME TO machines"), @"
    fail: vms is not there, and machines, which no migration makes, has its columns and 2 rows: a rename or a rebuild of vms was not finished; vms: the table is missing (the daemon cannot read it); machines: an extra table (merely extra)
     - vms: the table is missing (the daemon cannot read it)
     - machines: an extra table (merely extra)
    ");
    assert_snapshot!(row("DROP TABLE vms; CREATE VIEW vms AS SELECT * FROM images"), @r"
    fail: vms: is a view, where a table should be (the daemon cannot read it)
     - vms: is a view, where a table should be (the daemon cannot read it)
    ");
}

#[test]
fn what_is_extra() {
    assert_snapshot!(row("CREATE TABLE notes(x); CREATE VIEW v AS SELECT 1; CREATE INDEX i ON vms(state)"), @r"
    fail: notes: an extra table (merely extra); v: an extra view (merely extra); and 1 more difference
     - notes: an extra table (merely extra)
     - v: an extra view (merely extra)
     - vms i: the index on state is extra (merely extra)
    ");
    assert_snapshot!(row("CREATE UNIQUE INDEX one_of_each ON vms(state, name)"), @r"
    fail: vms: the unique index on state, name is extra (the daemon cannot write it)
     - vms one_of_each: the unique index on state, name is extra (the daemon cannot write it)
    ");
    assert_snapshot!(row("CREATE INDEX i ON vms(lower(state)) WHERE state <> 'secret'"), @r"
    fail: vms: the index on an expression over some of the rows is extra (the daemon cannot write it)
     - vms i: the index on an expression over some of the rows is extra (the daemon cannot write it)
    ");
    assert_snapshot!(row("CREATE VIRTUAL TABLE words USING fts5(x)"), @r"
    fail: words: an extra virtual table (merely extra); words_config: an extra table (merely extra); and 4 more differences
     - words: an extra virtual table (merely extra)
     - words_config: an extra table (merely extra)
     - words_content: an extra table (merely extra)
     - words_data: an extra table (merely extra)
     - words_docsize: an extra table (merely extra)
     - words_idx: an extra table (merely extra)
    ");
    assert_snapshot!(rewritten("images", "build_size TEXT,", "build_size TEXT, flavour TEXT NOT NULL,"), @r"
    fail: images.flavour: an extra column that may not be NULL and has no default (the daemon cannot write it)
     - images flavour: an extra column that may not be NULL and has no default (the daemon cannot write it)
    ");
}

/// Types the commands of a remedy in a folder of its own.
fn type_remedy(row: &serde_json::Value) -> Place {
    let desk = Place::new();
    for command in commands(row) {
        let typed = type_command(&desk.folder(), command);
        assert!(typed.status.success(), "{command}: {typed:?}");
    }
    desk
}

#[test]
fn the_rows_of_a_table_that_are_in_another_one_are_found_and_given_back() {
    for half_done in [true, false] {
        let store = Place::with(3, 2);
        let conn = store.open();
        let sql: String = conn
            .query_row("SELECT sql FROM sqlite_schema WHERE name = 'images'", [], |row| row.get(0))
            .unwrap();
        let rename = "PRAGMA foreign_keys=OFF; PRAGMA legacy_alter_table=ON; ALTER TABLE images RENAME TO images_old";
        conn.execute_batch(rename).unwrap();
        if half_done {
            conn.execute_batch(&sql).unwrap();
        }
        drop(conn);
        let ran = store.ask(&["--format", "json", "--only", "page-structure,schema-shape"]);
        let row = ran.row("schema-shape");
        let detail = row["detail"].as_str().unwrap();
        let is = if half_done { "empty" } else { "not there" };
        let words = format!(
            "images is {is}, and images_old, which no migration makes, has its columns and 3 rows: a rename or a rebuild of images was not finished; "
        );
        assert!(detail.starts_with(&words), "{detail}");
        let fixed = type_remedy(&row);
        let conn = rusqlite::Connection::open(fixed.folder().join("fixed/state.db")).unwrap();
        let rows: i64 = conn.query_row("SELECT count(*) FROM images", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 3);
    }
}

#[test]
fn a_ledger_that_was_dropped_is_told_from_tables_that_are_extra() {
    let store = Place::with(1, 2).after("DROP TABLE schema_migrations");
    assert_snapshot!(store.found("schema-shape"), @"
    fail: the tables are as after migrations 1 to 3, and the ledger schema_migrations is not there: it was dropped, or never made
     - 1: the ledger's row is missing, and the tables show that the migration ran
     - 2: the ledger's row is missing, and the tables show that the migration ran
     - 3: the ledger's row is missing, and the tables show that the migration ran
    ");
    let ran = store.ask(&["--format", "json"]);
    let desk = type_remedy(&ran.row("schema-shape"));
    let mended = store
        .doctor()
        .args(["--only", "schema-shape"])
        .arg(desk.folder().join("fixed/state.db"))
        .run();
    assert_eq!(mended.code, Some(0), "{mended:?}");
}

#[test]
fn a_ledger_without_rowids_differs_and_can_be_written() {
    assert_snapshot!(
        row("ALTER TABLE schema_migrations RENAME TO old; CREATE TABLE schema_migrations(id INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL) WITHOUT ROWID;
             INSERT INTO schema_migrations SELECT * FROM old; DROP TABLE old"),
        @"
    fail: schema_migrations: has no rowids (WITHOUT ROWID) (the daemon reads and writes it all the same)
     - schema_migrations: has no rowids (WITHOUT ROWID) (the daemon reads and writes it all the same)
    "
    );
}

#[test]
fn a_trigger_is_what_matters_most() {
    assert_snapshot!(
        row("ALTER TABLE images ADD COLUMN a; ALTER TABLE images ADD COLUMN b; CREATE TRIGGER sneaky AFTER UPDATE ON vms BEGIN DELETE FROM images; END"),
        @r"
    fail: vms: an extra trigger, sneaky (changes rows behind the daemon's back); images.a: an extra column (merely extra); and 1 more difference
     - vms: an extra trigger, sneaky (changes rows behind the daemon's back)
     - images a: an extra column (merely extra)
     - images b: an extra column (merely extra)
    "
    );
}

#[test]
fn columns_that_are_not_what_they_should_be() {
    assert_snapshot!(rewritten("vms", "state TEXT NOT NULL", "state TEXT"), @r"
    fail: vms.state: may be NULL (wrong rows are no longer refused)
     - vms state: may be NULL (wrong rows are no longer refused)
    ");
    assert_snapshot!(rewritten("images", "build_size TEXT", "build_size TEXT NOT NULL"), @r"
    fail: images.build_size: may not be NULL (the daemon cannot write it)
     - images build_size: may not be NULL (the daemon cannot write it)
    ");
    assert_snapshot!(rewritten("images", "build_size TEXT", "build_size INTEGER"), @r"
    fail: images.build_size: has a type of another affinity, so that values get another storage class (the daemon cannot read it)
     - images build_size: has a type of another affinity, so that values get another storage class (the daemon cannot read it)
    ");
    assert_snapshot!(rewritten("images", "build_size TEXT", "build_size VARCHAR(9)"), @r"
    fail: images.build_size: is declared with another type of the same affinity (the daemon reads and writes it all the same)
     - images build_size: is declared with another type of the same affinity (the daemon reads and writes it all the same)
    ");
    assert_snapshot!(rewritten("images", "managed INTEGER NOT NULL DEFAULT 0", "managed INTEGER NOT NULL DEFAULT 1"), @r"
    fail: images.managed: has another default, so that rows written without it get another value (the daemon cannot write it)
     - images managed: has another default, so that rows written without it get another value (the daemon cannot write it)
    ");
    assert_snapshot!(rewritten("images", "managed INTEGER NOT NULL DEFAULT 0", "managed INTEGER NOT NULL"), @r"
    fail: images.managed: has no default, and may not be NULL (the daemon cannot write it)
     - images managed: has no default, and may not be NULL (the daemon cannot write it)
    ");
    assert_snapshot!(rewritten("vms", "state TEXT NOT NULL", "state TEXT NOT NULL COLLATE NOCASE"), @r"
    fail: vms.state: has another collation, so that searches find other rows (the daemon cannot read it)
     - vms state: has another collation, so that searches find other rows (the daemon cannot read it)
    ");
    assert_snapshot!(rewritten("images", "build_size TEXT", "build_size TEXT AS (name)"), @r"
    fail: images.build_size: is a generated column (the daemon cannot write it)
     - images build_size: is a generated column (the daemon cannot write it)
    ");
}

#[test]
fn constraints_that_are_not_what_they_should_be() {
    assert_snapshot!(rewritten("vms", "state TEXT NOT NULL", "state TEXT NOT NULL CHECK (state <> 'secret')"), @r"
    fail: vms: a CHECK constraint is extra or different (the daemon cannot write it)
     - vms: a CHECK constraint is extra or different (the daemon cannot write it)
    ");
    assert_snapshot!(rewritten("vms", "state TEXT NOT NULL", "state TEXT NOT NULL ON CONFLICT IGNORE"), @r"
    fail: vms: a constraint handles conflicts differently (ON CONFLICT) (changes rows behind the daemon's back)
     - vms: a constraint handles conflicts differently (ON CONFLICT) (changes rows behind the daemon's back)
    ");
    assert_snapshot!(rewritten("vms", "ON DELETE RESTRICT", "ON DELETE CASCADE"), @r"
    fail: vms: the foreign key of image_id to images acts differently when the parent is deleted: cascade (changes rows behind the daemon's back)
     - vms: the foreign key of image_id to images acts differently when the parent is deleted: cascade (changes rows behind the daemon's back)
    ");
    assert_snapshot!(rewritten("vms", "ON DELETE RESTRICT", "ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED"), @r"
    fail: vms: a foreign key is checked at a different time (DEFERRABLE) (wrong rows are no longer refused)
     - vms: a foreign key is checked at a different time (DEFERRABLE) (wrong rows are no longer refused)
    ");
    assert_snapshot!(rewritten("images", "kernel_path TEXT NOT NULL", "kernel_path TEXT NOT NULL REFERENCES vms(id)"), @r"
    fail: images: the foreign key of kernel_path to vms is extra (the daemon cannot write it)
     - images: the foreign key of kernel_path to vms is extra (the daemon cannot write it)
    ");
}

/// Made anew with another definition.
fn made_anew(definition: &str) -> String {
    row(&format!("ALTER TABLE images RENAME TO old; {definition}; DROP TABLE old"))
}

#[test]
fn keys_and_options() {
    const COLUMNS: &str = "managed INTEGER NOT NULL DEFAULT 0, artifact_dir TEXT, rootfs_path TEXT NOT NULL, work_seed_path TEXT,
        kernel_path TEXT NOT NULL, initrd_path TEXT, modules_dir TEXT, build_size TEXT, seeded_ssh_public_key_fingerprint TEXT,
        created_at TEXT NOT NULL, updated_at TEXT NOT NULL";
    assert_snapshot!(made_anew(&format!("CREATE TABLE images(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, {COLUMNS}) STRICT")), @r"
    fail: images.id: may not be NULL (the daemon cannot write it); images: is STRICT, which refuses values of another type (the daemon cannot write it); and 2 more differences
     - images id: may not be NULL (the daemon cannot write it)
     - images: is STRICT, which refuses values of another type (the daemon cannot write it)
     - vms: the foreign key of image_id to old is extra (the daemon cannot write it)
     - vms: the foreign key of image_id to images is missing (wrong rows are no longer refused)
    ");
    assert_snapshot!(made_anew(&format!("CREATE TABLE images(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, {COLUMNS}) WITHOUT ROWID")), @r"
    fail: images.id: may not be NULL (the daemon cannot write it); vms: the foreign key of image_id to old is extra (the daemon cannot write it); and 2 more differences
     - images id: may not be NULL (the daemon cannot write it)
     - vms: the foreign key of image_id to old is extra (the daemon cannot write it)
     - vms: the foreign key of image_id to images is missing (wrong rows are no longer refused)
     - images: has no rowids (WITHOUT ROWID) (the daemon reads and writes it all the same)
    ");
    assert_snapshot!(made_anew(&format!("CREATE TABLE images(id TEXT, name TEXT NOT NULL, {COLUMNS})")), @r"
    fail: images.id: is not part of the primary key (the daemon cannot write it); vms: the foreign key of image_id to old is extra (the daemon cannot write it); and 3 more differences
     - images id: is not part of the primary key (the daemon cannot write it)
     - vms: the foreign key of image_id to old is extra (the daemon cannot write it)
     - images: the unique index on name is missing (wrong rows are no longer refused)
     - images: the unique index on id is missing (wrong rows are no longer refused)
     - vms: the foreign key of image_id to images is missing (wrong rows are no longer refused)
    ");
    assert_snapshot!(
        row("ALTER TABLE schema_migrations RENAME TO old; CREATE TABLE schema_migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, applied_at TEXT NOT NULL);
             INSERT INTO schema_migrations SELECT * FROM old; DROP TABLE old"),
        @r"
    fail: schema_migrations: has AUTOINCREMENT (the daemon reads and writes it all the same)
     - schema_migrations: has AUTOINCREMENT (the daemon reads and writes it all the same)
    "
    );
}

#[test]
fn what_cannot_be_compared_is_said() {
    let unknown = Place::with(1, 2).after("INSERT INTO schema_migrations VALUES (99, 'x', '2026-04-28T18:41:31Z')");
    assert_snapshot!(unknown.found("schema-shape"), @"skip: this binary does not know what these migrations changed: [99]");
    assert_snapshot!(row("DELETE FROM schema_migrations WHERE id = 1"), @r"
    fail: the tables are as after migrations 1 to 3; only the ledger's row 1 is gone
     - 1: the ledger's row is missing, and the tables show that the migration ran
    ");
    let long = format!("state TEXT NOT NULL /* {} */", "x".repeat(70_000));
    assert_snapshot!(rewritten("vms", "state TEXT NOT NULL", &long), @r"
    fail: vms: its definition is missing or longer than 65,536 bytes, and was only compared in part (the daemon reads and writes it all the same)
     - vms: its definition is missing or longer than 65,536 bytes, and was only compared in part (the daemon reads and writes it all the same)
    ");
}

#[test]
fn thousands_of_tables_are_counted_and_names_are_escaped() {
    let store = Place::with(1, 2);
    let conn = store.open();
    conn.execute_batch("BEGIN").unwrap();
    for n in 0..3_000 {
        conn.execute_batch(&format!("CREATE TABLE \"t{n}\u{1b}[2J\u{202e}\"(x)")).unwrap();
    }
    conn.execute_batch("CREATE TRIGGER z AFTER INSERT ON vms BEGIN SELECT 1; END; COMMIT")
        .unwrap();
    let row = store.found("schema-shape");
    let lines: Vec<&str> = row.lines().collect();
    assert_snapshot!(lines[0], @r"fail: vms: an extra trigger, z (changes rows behind the daemon's back); t0\u{1b}[2J\u{202e}: an extra table (merely extra); and 2,999 more differences");
    assert_eq!(lines.len(), 101);
}
