//! Stores of strangers: schemas that are odd and sound, messages that hold a value, names and paths of any length.

use std::fmt::Write as _;
use std::fs;
use std::process::Stdio;

use crate::support::Place;
use crate::support::rows::uuid;

/// How it ends, and all that it says.
fn run(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
    let ran = place.doctor().args(arguments).arg(place.store()).run();
    (ran.code, ran.stdout + &ran.stderr)
}

/// The checks that could not look at this store, or found a schema that they could not read.
fn unreadable(place: &Place) -> Vec<String> {
    let report = place.doctor().args(["--format", "json"]).arg(place.store()).run().report();
    let rows = report["rows"].as_array().unwrap().iter();
    rows.filter(|row| row["status"] == "fail" && row["check"] != "schema-shape")
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_schema_that_sqlite_takes_is_taken() {
    let wide: Vec<String> = (0..60).map(|n| format!("'{n}', NEW.name")).collect();
    let compound = vec!["SELECT 1"; 400].join(" UNION ALL ");
    let deep = vec!["1"; 900].join(" + ");
    let long = format!("CREATE VIEW long AS SELECT '{}' AS a", "x".repeat(1_500_000));
    let many: Vec<String> = (0..90).map(|n| format!("+a{n}")).collect();
    for (what, sql) in [
        (
            "a function with many arguments",
            format!(
                "CREATE TABLE log(x); CREATE TRIGGER audit AFTER UPDATE ON vms
                 BEGIN INSERT INTO log VALUES (json_object({})); END",
                wide.join(", ")
            ),
        ),
        ("a compound of many", format!("CREATE VIEW big AS {compound}")),
        ("a deep expression", format!("CREATE VIEW deep AS SELECT {deep}")),
        ("a definition of more than a mebibyte", long),
        (
            "more variables than a hundred in a module's own statement",
            format!(
                "CREATE VIRTUAL TABLE r USING rtree(id, a, b, {}); INSERT INTO r(id, a, b) VALUES (1, 2, 3)",
                many.join(", ")
            ),
        ),
        (
            "a long pattern on an indexed expression",
            format!("CREATE INDEX i ON vms(name GLOB '{}')", "[0-9a-f]".repeat(36)),
        ),
    ] {
        let place = Place::with(1, 3);
        place.sql(&sql);
        assert_eq!(unreadable(&place), [""; 0], "{what}");
        let answer = run(&place, &["--check-migrations"]).0;
        assert!(matches!(answer, Some(0 | 1)), "{what}: {answer:?}");
    }
}

#[test]
fn no_cells_value_gets_out_through_a_message_of_sqlite() {
    // An expression over a row fails, and SQLite's message quotes the value: in an index, and in a trigger that a migration runs.
    let index = Place::made_by("PRAGMA encoding='UTF-8'", 2, 1, 3);
    index.sql(
        "CREATE INDEX leak ON vms(state); PRAGMA writable_schema=ON;
         UPDATE sqlite_schema SET sql = 'CREATE INDEX leak ON vms(json_extract(''{}'', guest_ip))' WHERE name = 'leak'",
    );
    let trigger = Place::made_by("PRAGMA encoding='UTF-8'", 2, 1, 3);
    trigger.sql(
        "CREATE TRIGGER t AFTER INSERT ON schema_migrations
         BEGIN SELECT json_extract('{}', (SELECT guest_ip FROM vms LIMIT 1)); END",
    );
    let check = Place::made_by("PRAGMA encoding='UTF-8'", 2, 1, 3);
    check.sql(
        "PRAGMA writable_schema=ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'guest_ip TEXT NOT NULL', 'guest_ip TEXT NOT NULL CHECK (json_extract(''{}'', guest_ip) IS NULL)')
           WHERE name = 'vms'",
    );
    for (what, place) in [("index", &index), ("trigger", &trigger), ("check", &check)] {
        for arguments in [
            &["--format", "json"][..],
            &["--format", "markdown"],
            &[],
            &["--check-migrations", "--rehearse"],
            &["--check-migrations", "--rehearse", "--format", "json"],
        ] {
            let (exit, said) = run(place, arguments);
            assert!(!said.contains("10.77."), "{what} {arguments:?}: {said}");
            assert_ne!(exit, Some(0), "{what} {arguments:?}: {said}");
        }
    }
    let (_, said) = run(&trigger, &["--check-migrations", "--rehearse"]);
    assert!(
        said.ends_with("migration 3 (add_vm_workspace) fails on this store: a function or a virtual table of the store fails [1] (do not swap)\n"),
        "{said}"
    );
}

#[test]
fn what_cannot_be_opened_is_said_without_its_path() {
    // Longer than any path that SQLite opens; each folder's name is short enough.
    let place = Place::with(1, 1);
    let mut folder = place.root().join("secret-home");
    while folder.as_os_str().len() < 520 {
        folder.push("d".repeat(60));
    }
    fs::create_dir_all(&folder).unwrap();
    fs::copy(place.store(), folder.join("state.db")).unwrap();
    let mut doctor = place.doctor().args(["--format", "json", "--only", "read-only", "state.db"]);
    doctor.command.current_dir(&folder);
    let said = doctor.run().stdout;
    assert!(!said.contains("secret-home"), "{said}");
}

/// The store with its VMs in a table WITHOUT ROWID.
fn without_rowids() -> Place {
    let place = Place::with(2, 3);
    for table in ["vms", "images"] {
        let definition: String = place
            .open()
            .query_row("SELECT sql FROM sqlite_schema WHERE name = ?1", [table], |row| row.get(0))
            .unwrap();
        place.sql(&format!(
            "PRAGMA legacy_alter_table=ON; ALTER TABLE {table} RENAME TO old; {definition} WITHOUT ROWID;
             INSERT INTO {table} SELECT * FROM old; DROP TABLE old"
        ));
    }
    place
}

#[test]
fn a_table_without_rowids_is_read_and_its_rows_are_named_by_their_keys() {
    let place = without_rowids();
    assert_eq!(
        place.said("row-values", &[]),
        "pass: every value of 5 rows in 25 columns looks like banger's\n"
    );
    place.sql("UPDATE vms SET guest_ip = '10.77.0.400' WHERE name = 'vm-2'");
    let said = place.said("row-values", &[]);
    let finding = format!(
        "  column \"guest_ip\", key \"{}\", kind \"wrong-value\", table \"vms\": not an IP address\n",
        uuid(2, 2)
    );
    assert!(said.contains(&finding), "{said}");
    // What is too long to be read whole is read in pieces by the row's number, of which there is none.
    place.sql("UPDATE vms SET guest_ip = '10.77.0.2', spec_json = '{\"a\":\"' || hex(zeroblob(600000)) || '\"}' WHERE name = 'vm-2'");
    assert_eq!(
        place.said("row-values", &[]),
        "pass: every value of 5 rows in 25 columns looks like banger's; 1 value was too long to look at\n"
    );
    let artifacts = place.said("artifacts", &["--artifacts"]);
    assert!(artifacts.starts_with("fail: 6 of 6 paths that images name"), "{artifacts}");
    assert!(!artifacts.contains("row "), "{artifacts}");
}

#[test]
fn a_column_called_rowid_is_not_taken_for_the_rows_number() {
    let place = Place::with(1, 3);
    place.sql(
        "PRAGMA writable_schema=ON;
         UPDATE sqlite_schema SET sql = replace(sql, ', workspace_json', ', rowid INTEGER, workspace_json') WHERE name = 'vms'",
    );
    place.sql("UPDATE vms SET rowid = 4711, guest_ip = 'x', workspace_json = '{}' WHERE name = 'vm-3'");
    let said = place.said("row-values", &[]);
    assert!(
        said.contains("row 3, table \"vms\": not an IP address") && !said.contains("4711"),
        "{said}"
    );
}

/// The most memory that a run of the binary held at once, in KiB.
fn peak(place: &Place, arguments: &[&str]) -> u64 {
    let mut running = place.doctor().args(arguments).arg(place.store()).stdout(Stdio::null()).start();
    let mut peak = 0;
    // The kernel tells as long as the process lives; it only ever grows.
    while !running.has_ended() {
        let status = fs::read_to_string(format!("/proc/{}/status", running.pid().as_raw_nonzero())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(kib.unwrap_or(0));
    }
    peak
}

#[test]
fn names_and_paths_of_any_length_take_no_memory() {
    const MOST: u64 = 64 << 10;
    // Hundreds of lines of SQLite's check, each with the name.
    let long = "t".repeat(400_000);
    let lines = Place::with(1, 1);
    lines.sql(&format!(
        "CREATE TABLE \"{long}\"(x);
         INSERT INTO \"{long}\" WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) SELECT NULL FROM n;
         PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, '(x)', '(x NOT NULL)') WHERE name LIKE 'ttt%'"
    ));
    let row = lines.row("page-structure", &[]);
    assert_eq!((&row["status"], &row["findings"][0]["count"]), (&"fail".into(), &200.into()), "{row}");
    let kib = peak(&lines, &["--only", "page-structure"]);
    assert!(kib < MOST, "page-structure: {kib} KiB");

    // More than a hundred rows that refer to nothing, under three long names.
    let keys = Place::with(1, 1);
    let (child, parent, column) = ("c".repeat(400_000), "p".repeat(400_000), "x".repeat(400_000));
    keys.sql(&format!(
        "CREATE TABLE \"{parent}\"(id INTEGER PRIMARY KEY); CREATE TABLE \"{child}\"(\"{column}\" REFERENCES \"{parent}\"(id));
         INSERT INTO \"{child}\" WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150) SELECT i FROM n"
    ));
    assert_eq!(keys.row("foreign-keys", &[])["findings_total"], 150);
    let kib = peak(&keys, &["--only", "foreign-keys"]);
    assert!(kib < MOST, "foreign-keys: {kib} KiB");

    // Paths of a mebibyte.
    let paths = Place::with(1, 0);
    let conn = paths.open();
    let mut sql = "INSERT INTO images(id, name, rootfs_path, kernel_path, created_at, updated_at) VALUES ".to_owned();
    for n in 0..60 {
        let comma = if n == 0 { "" } else { "," };
        write!(sql, "{comma}('i{n}', 'i{n}', '/' || hex(zeroblob(500000)) || '{n}', '/k{n}', '', '')").unwrap();
    }
    conn.execute_batch(&sql).unwrap();
    drop(conn);
    assert_eq!(paths.row("artifacts", &["--artifacts"])["status"], "fail");
    let kib = peak(&paths, &["--artifacts", "--only", "artifacts"]);
    assert!(kib < MOST, "artifacts: {kib} KiB");
}
