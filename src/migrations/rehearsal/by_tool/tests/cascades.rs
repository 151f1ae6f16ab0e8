//! Losses by the actions of foreign keys that no statement asks for, whatever becomes of the table afterwards.

use super::*;

/// As drizzle-kit rebuilds a table that refers to itself: the new one refers to the old one until that is dropped.
fn itself(action: &str) -> String {
    format!(
        "PRAGMA foreign_keys=OFF;
         CREATE TABLE __new_tree(id INTEGER PRIMARY KEY, up REFERENCES tree(id) ON DELETE {action});
         INSERT INTO __new_tree SELECT * FROM tree; DROP TABLE tree; ALTER TABLE __new_tree RENAME TO tree;
         PRAGMA foreign_keys=ON;"
    )
}

const TREE: &str = "CREATE TABLE tree(id INTEGER PRIMARY KEY, up REFERENCES tree(id));";

const PARENT_ANEW: &str = "CREATE TABLE n(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO n SELECT * FROM parent;
    DROP TABLE parent; ALTER TABLE n RENAME TO parent;";

fn run(schema: &'static str, rows: &str, pending: Vec<Step>, foreign_keys: ForeignKeys) -> (Vec<String>, Vec<String>) {
    let mut steps = steps(pending, foreign_keys);
    steps.applied.push(step("1b", schema, Each));
    let rehearsal = rehearsed(&format!("{schema} {rows}"), &steps, &Stop::never()).unwrap();
    (rehearsal.faults.into_iter().map(|fault| fault.line).collect(), rehearsal.notes)
}

#[test]
fn a_table_that_refers_to_itself_is_followed_to_the_name_that_it_gets() {
    let rows = "INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 1), (4, NULL), (5, 4);";
    let said = |action, foreign_keys| run(TREE, rows, vec![step("2", itself(action), AllPending)], foreign_keys);
    let lost = "tree: 3 rows are lost, in migration 2, by a cascade that nobody wrote: a table to which they refer is dropped (5 before, 2 after)";
    assert_eq!(said("CASCADE", On), (vec![lost.to_owned()], Vec::new()));
    assert_eq!(said("CASCADE", Usual(true)).0[0], format!("{lost}; with foreign keys off they stay"));
    let emptied = "tree.up: 3 references are emptied, in migration 2, by a cascade that nobody wrote: a table to which they refer is dropped";
    assert_eq!(said("SET NULL", On), (vec![emptied.to_owned()], Vec::new()));
    for action in ["CASCADE", "SET NULL"] {
        assert_eq!(run(TREE, rows, vec![step("2", itself(action), Each)], Off), nothing());
    }
}

#[test]
fn a_file_that_switches_foreign_keys_on_hides_no_cascade_of_a_later_one() {
    let on = || {
        step(
            "2",
            "PRAGMA foreign_keys=OFF; CREATE TABLE other(x); PRAGMA foreign_keys=ON;",
            Transaction::None,
        )
    };
    for foreign_keys in [Usual(true), Usual(false), On, Off] {
        let (faults, notes) = all_said(ROWS, vec![on(), step("3", PARENT_ANEW, Each)], foreign_keys);
        assert_eq!(
            faults,
            [
                "child: 3 rows are lost, in migration 3, by a cascade that nobody wrote: a table to which they refer is dropped (3 before, 0 after)"
            ],
            "{foreign_keys:?}"
        );
        assert_eq!(notes, [""; 0]);
    }
    // As homarr does it: out of the transaction in which everything runs, and back.
    let out = || {
        step(
            "2",
            "COMMIT; PRAGMA foreign_keys=OFF; BEGIN; CREATE TABLE other(x); COMMIT; PRAGMA foreign_keys=ON; BEGIN;",
            AllPending,
        )
    };
    let (faults, _) = all_said(ROWS, vec![out(), step("3", PARENT_ANEW, AllPending)], Usual(true));
    assert!(
        faults[0].starts_with("child: 3 rows are lost, in migration 3, by a cascade"),
        "{faults:?}"
    );
}

#[test]
fn a_table_that_is_renamed_copied_or_filled_again_still_misses_its_rows() {
    let lost = |table: &str, counts: &str| {
        format!(
            "{table}: 3 rows are lost, in migration 2, by a cascade that nobody wrote: a table to which they refer is dropped ({counts})"
        )
    };
    let copied = "CREATE TABLE kid(id INTEGER PRIMARY KEY, parent REFERENCES parent(id) ON DELETE CASCADE);
        INSERT INTO kid SELECT * FROM child; DROP TABLE child;";
    let others = "INSERT INTO child VALUES (7, 1), (8, 1), (9, 1);";
    for (sql, fault) in [
        (
            format!("{PARENT_ANEW} ALTER TABLE child RENAME TO kid;"),
            lost("kid", "3 before, 0 after"),
        ),
        (format!("{copied} {PARENT_ANEW}"), lost("kid", "3 before, 0 after")),
        (format!("{PARENT_ANEW} {others}"), lost("child", "3 before, 3 after")),
        (
            format!("{PARENT_ANEW} {others} ALTER TABLE child RENAME TO kid;"),
            lost("kid", "3 before, 3 after"),
        ),
        (
            format!(
                "{PARENT_ANEW} ALTER TABLE child RENAME TO old; CREATE TABLE child(id INTEGER PRIMARY KEY, parent);
                 INSERT INTO child SELECT * FROM old; DROP TABLE old;"
            ),
            lost("child", "3 before, 0 after"),
        ),
    ] {
        let steps = steps(vec![step("2", sql.clone(), Each)], On);
        let rehearsal = rehearsed(ROWS, &steps, &Stop::never()).unwrap();
        let cascades = rehearsal.faults.iter().filter(|fault| fault.by_cascade);
        assert_eq!(cascades.map(|fault| fault.line.as_str()).collect::<Vec<_>>(), [fault], "{sql}");
    }
    // A child that goes for good misses nothing.
    assert_eq!(
        all_said(ROWS, vec![step("2", "DROP TABLE parent; DROP TABLE child", Each)], On).0,
        [""; 0]
    );
}

#[test]
fn rows_that_are_replaced_or_made_again_take_along_what_nobody_deleted() {
    let lost = "child: 3 rows are lost, in migration 2, by a cascade that nobody wrote: rows to which they refer are replaced (3 before, 0 after)";
    for sql in [
        "INSERT OR REPLACE INTO parent SELECT id, upper(name) FROM parent",
        "REPLACE INTO parent VALUES (1, 'A'); REPLACE INTO parent VALUES (3, 'C'); REPLACE INTO parent VALUES (2, 'B')",
        "CREATE TEMP TABLE saved AS SELECT * FROM parent; DELETE FROM parent; INSERT INTO parent SELECT * FROM saved",
    ] {
        assert_eq!(said(ROWS, sql, Each, On), (vec![lost.to_owned()], Vec::new()), "{sql}");
        assert_eq!(said(ROWS, sql, Each, Usual(true)).0, [format!("{lost}; with foreign keys off they stay")]);
        assert_eq!(
            said(ROWS, sql, Each, Usual(false)).0,
            [format!(
                "{}; with foreign keys off, as is usual for the tool, they stay",
                lost.replace("are lost", "are lost if foreign keys are on")
            )]
        );
        assert_eq!(said(ROWS, sql, Each, Off), nothing());
    }
    for sql in [
        "REPLACE INTO parent VALUES (3, 'new')",
        "INSERT INTO parent VALUES (1, 'A') ON CONFLICT DO UPDATE SET name = 'A'",
        "UPDATE parent SET name = 'A'",
    ] {
        for foreign_keys in [On, Usual(true), Usual(false)] {
            assert_eq!(said(ROWS, sql, Each, foreign_keys), nothing(), "{sql}");
        }
    }
}

#[test]
fn what_a_trigger_of_the_schema_takes_along_was_written() {
    const TRIGGER: &str =
        "CREATE TABLE log(x); CREATE TRIGGER g AFTER INSERT ON log BEGIN DELETE FROM parent WHERE id = 2; END;";
    let rows = "INSERT INTO parent VALUES (1, 'a'), (2, 'b'); INSERT INTO child VALUES (1, 1), (2, 1), (3, 2);";
    let (faults, notes) = run(TRIGGER, rows, vec![step("2", "INSERT INTO log VALUES (1)", Each)], On);
    assert_eq!(faults, [""; 0]);
    assert_eq!(notes.len(), 2, "{notes:?}");
}

#[test]
fn rows_without_a_key_are_told_apart_by_their_number() {
    const NO_KEY: &str = "CREATE TABLE plain(parent REFERENCES parent(id) ON DELETE CASCADE);";
    let rows = "INSERT INTO parent VALUES (1, 'a'); INSERT INTO plain VALUES (1), (1);";
    let said = |sql: String| run(NO_KEY, rows, vec![step("2", sql, Each)], On).0;
    assert_eq!(
        said(PARENT_ANEW.to_owned()),
        [
            "plain: 2 rows are lost, in migration 2, by a cascade that nobody wrote: a table to which they refer is dropped (2 before, 0 after)"
        ]
    );
    assert_eq!(
        said(format!(
            "CREATE TEMP TABLE saved AS SELECT * FROM plain; {PARENT_ANEW} INSERT INTO plain SELECT * FROM saved"
        )),
        [""; 0]
    );
}

#[test]
fn what_fails_only_the_way_that_nobody_has_ruled_out_is_a_fault() {
    const ADD: &str = "ALTER TABLE child ADD COLUMN other INTEGER REFERENCES parent(id) DEFAULT 1";
    let fails = "migration 2 (step), 2_step.sql, fails on this store: Cannot add a REFERENCES column with non-NULL default value [1]";
    assert_eq!(
        said(ROWS, ADD, Each, Usual(false)).0,
        [format!(
            "{fails}; only with foreign keys on, and not with them off, as is usual for the tool (--foreign-keys settles it)"
        )]
    );
    assert_eq!(said(ROWS, ADD, Each, On).0, [fails]);
    assert_eq!(said(ROWS, ADD, Each, Off).0, [""; 0]);
}

#[test]
fn an_old_dangling_reference_hides_no_new_one_and_is_none_under_a_new_name() {
    let rows = format!("PRAGMA foreign_keys=OFF; {ROWS} INSERT INTO child VALUES (9, 99);");
    let said = |sql| said(&rows, sql, Each, Off).0;
    assert_eq!(
        said("DELETE FROM child WHERE id IN (3, 9); INSERT INTO child VALUES (4, 98)"),
        ["child: 1 more row refers to rows that are not there"]
    );
    for sql in [
        "ALTER TABLE child RENAME TO kid",
        "ALTER TABLE parent RENAME TO elders",
        "CREATE TABLE n(id TEXT PRIMARY KEY, parent REFERENCES parent(id)); INSERT INTO n SELECT * FROM child;
         DROP TABLE child; ALTER TABLE n RENAME TO child",
    ] {
        assert_eq!(said(sql), [""; 0], "{sql}");
    }
}
