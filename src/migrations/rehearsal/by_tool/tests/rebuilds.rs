//! What a table that is dropped and made again has lost: rows, columns, values, triggers, indexes.

use super::*;

const PEOPLE: &str = "CREATE TABLE people(id INTEGER PRIMARY KEY, mail TEXT, code TEXT, status TEXT, at TEXT);
    CREATE INDEX by_mail ON people(mail); CREATE TRIGGER greet AFTER INSERT ON people BEGIN SELECT 1; END;";

const FOUR: &str = "INSERT INTO people VALUES (2, 'a', '001', 'new', 'x'), (3, 'a', '002', 'old', 'y'), (5, 'b', '003', 'new', NULL), (7, 'b', '4', 'new', 'z');";

/// The notes about one pending migration on these four people.
fn notes(sql: &str) -> Vec<String> {
    let mut steps = steps(vec![step("2", sql, Each)], Off);
    steps.applied.push(step("1b", PEOPLE, Each));
    let rehearsal = rehearsed(&format!("{PEOPLE} {FOUR}"), &steps, &Stop::never()).unwrap();
    assert_eq!(rehearsal.failure(), None, "{sql}");
    rehearsal.notes
}

fn rebuild(columns: &str, copy: &str) -> String {
    format!(
        "CREATE TABLE anew({columns}); {copy}; DROP TABLE people; ALTER TABLE anew RENAME TO people;
         CREATE INDEX by_mail ON people(mail); CREATE TRIGGER greet AFTER INSERT ON people BEGIN SELECT 1; END;"
    )
}

const SAME: &str = "id INTEGER PRIMARY KEY, mail TEXT, code TEXT, status TEXT, at TEXT";

#[test]
fn rows_that_a_copy_leaves_out_are_not_called_deleted() {
    let unique = SAME.replace("mail TEXT", "mail TEXT UNIQUE");
    for copy in [
        "INSERT OR IGNORE INTO anew SELECT * FROM people",
        "INSERT INTO anew SELECT * FROM people WHERE id IN (2, 5)",
        "INSERT INTO anew SELECT people.* FROM people JOIN (SELECT 2 AS one UNION SELECT 7) ON id = one",
        "INSERT OR REPLACE INTO anew SELECT * FROM people",
    ] {
        assert_eq!(
            notes(&rebuild(&unique, copy)),
            ["people: 2 of 4 rows are not copied into the table that replaces it, in migration 2"],
            "{copy}"
        );
    }
    let kept_elsewhere = "CREATE TEMP TABLE kept AS SELECT * FROM people WHERE id > 2; DROP TABLE people; CREATE TABLE people(id INTEGER PRIMARY KEY, mail TEXT, code TEXT, status TEXT, at TEXT);
        INSERT INTO people SELECT * FROM kept; CREATE INDEX by_mail ON people(mail); CREATE TRIGGER greet AFTER INSERT ON people BEGIN SELECT 1; END;";
    assert_eq!(
        notes(kept_elsewhere),
        ["people: 1 of 4 rows is not copied into the table that replaces it, in migration 2"]
    );
}

#[test]
fn rows_that_a_statement_deletes_before_or_after_the_copy_are_deleted_by_the_text() {
    let deleted = ["people: 2 rows are deleted by the text of the migrations, in migration 2"];
    let copy = "INSERT INTO anew SELECT * FROM people";
    assert_eq!(notes(&format!("DELETE FROM people WHERE id > 3; {}", rebuild(SAME, copy))), deleted);
    assert_eq!(notes(&rebuild(SAME, &format!("{copy}; DELETE FROM anew WHERE id > 3"))), deleted);
    assert_eq!(notes(&format!("{}; DELETE FROM people WHERE id > 3", rebuild(SAME, copy))), deleted);
    assert_eq!(notes(&rebuild(SAME, copy)), [""; 0]);
    // By a trigger: the schema's author had it so.
    let by_trigger = "CREATE TABLE bin(x); INSERT INTO bin VALUES (1); CREATE TRIGGER empty AFTER DELETE ON bin BEGIN DELETE FROM people WHERE id > 3; END; DELETE FROM bin; DROP TRIGGER empty";
    assert_eq!(notes(&format!("{}; {by_trigger}", rebuild(SAME, copy))), deleted);
}

#[test]
fn columns_and_values_that_come_out_as_others_are_said() {
    let typed = SAME.replace("code TEXT", "code INTEGER");
    for (columns, copy, said) in [
        (
            SAME,
            "INSERT INTO anew SELECT id, mail, code, 'status', at FROM people",
            "people.status: every value is the column's own name in 4 rows",
        ),
        (
            SAME,
            "INSERT INTO anew SELECT id, status, code, mail, at FROM people",
            "people.mail: every value is another one in 4 rows, and no UPDATE names the column",
        ),
        (
            SAME,
            "INSERT INTO anew(id, mail, code, status) SELECT id, mail, code, status FROM people",
            "people.at: every value is another one in 4 rows, and no UPDATE names the column",
        ),
        (
            &typed,
            "INSERT INTO anew SELECT * FROM people",
            "people.code: 4 values are integer now, and text before",
        ),
        (
            "id INTEGER PRIMARY KEY, mail TEXT, code TEXT, status TEXT",
            "INSERT INTO anew SELECT id, mail, code, status FROM people",
            "people.at: the column is dropped, with 3 values",
        ),
    ] {
        let notes = notes(&rebuild(columns, copy));
        assert_eq!(notes.first(), Some(&format!("{said}, in migration 2")), "{copy}: {notes:?}");
    }
    assert_eq!(
        notes("ALTER TABLE people DROP COLUMN \"at\""),
        ["people.at: the column is dropped, with 3 values, in migration 2"]
    );
}

#[test]
fn what_an_update_names_and_what_has_another_name_are_as_they_should_be() {
    let copy = "INSERT INTO anew SELECT * FROM people";
    for sql in [
        rebuild(
            SAME,
            &format!("UPDATE people SET mail = upper(mail); {copy}; UPDATE anew SET code = 'c' || code"),
        ),
        format!("{}; UPDATE people SET mail = upper(mail)", rebuild(SAME, copy)),
        rebuild(
            &format!("{SAME}, more TEXT DEFAULT 'more'"),
            "INSERT INTO anew(id, mail, code, status, at) SELECT * FROM people",
        ),
        rebuild("id INTEGER PRIMARY KEY, mail TEXT, code TEXT, state TEXT, seen TEXT", copy),
        rebuild(
            &SAME.replace("INTEGER PRIMARY KEY", "TEXT PRIMARY KEY"),
            "INSERT INTO anew SELECT printf('%d', id), mail, code, status, at FROM people",
        )
        .replace("INTEGER", "TEXT"),
    ] {
        let notes = notes(&sql);
        assert!(notes.iter().all(|note| note.starts_with("people.id: ")), "{sql}: {notes:?}");
    }
}

#[test]
fn a_trigger_or_an_index_that_went_with_its_table_is_said() {
    let gone = "CREATE TABLE anew(id INTEGER PRIMARY KEY, mail TEXT, code TEXT, status TEXT, at TEXT); INSERT INTO anew SELECT * FROM people;
        DROP TABLE people; ALTER TABLE anew RENAME TO people;";
    assert_eq!(
        notes(gone),
        [
            "people: its index by_mail went with the table, in migration 2, and is not made again",
            "people: its trigger greet went with the table, in migration 2, and is not made again"
        ]
    );
    assert_eq!(notes(&format!("DROP INDEX by_mail; DROP TRIGGER greet; {gone}")), [""; 0]);
    assert_eq!(notes("DROP TABLE people"), ["people: dropped, with 4 rows"]);
}
