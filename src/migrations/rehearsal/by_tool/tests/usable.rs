//! Views, triggers and full-text indexes that the migrations leave as they cannot be used.

use super::*;

const STOCK: &str = "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT, counted TEXT); CREATE TABLE moves(id INTEGER PRIMARY KEY, item INTEGER);
    CREATE VIEW old_list AS SELECT price FROM items;
    CREATE TRIGGER uncount AFTER INSERT ON moves BEGIN UPDATE items SET counted = 'no' WHERE id = new.item; END;
    CREATE VIEW to_count AS SELECT name FROM items WHERE counted = 'no';";

/// Made again without a column, which SQLite does not check.
const ANEW: &str = "CREATE TABLE kept AS SELECT id, name FROM items; DROP TABLE items; CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT);
    INSERT INTO items SELECT id, name FROM kept; DROP TABLE kept;";

fn faults(before: &'static str, sql: String) -> Vec<String> {
    let mut steps = steps(vec![step("2", sql, Each)], Off);
    steps.applied.push(step("1b", before, Each));
    let rehearsal = rehearsed(before, &steps, &Stop::never()).unwrap();
    rehearsal.faults.into_iter().map(|fault| fault.line).collect()
}

#[test]
fn a_view_and_a_trigger_over_a_column_that_is_gone_are_faults_and_what_was_broken_before_is_none() {
    assert_eq!(
        faults(STOCK, ANEW.to_owned()),
        [
            "to_count: the view cannot be read any more: no such column: counted [1]",
            "moves: INSERT fails afterwards, because of a trigger or a foreign key: no such column: counted [1]"
        ]
    );
    let again = format!(
        "DROP TRIGGER uncount; DROP VIEW to_count; {ANEW} CREATE VIEW to_count AS SELECT name FROM items;
         CREATE TRIGGER uncount AFTER INSERT ON moves BEGIN UPDATE items SET name = name || '!' WHERE id = new.item; END;"
    );
    assert_eq!(faults(STOCK, again), [""; 0]);
}

#[test]
fn a_search_index_over_rows_with_other_numbers_is_a_fault_until_it_is_rebuilt() {
    const PAGES: &str = "CREATE TABLE pages(id INTEGER PRIMARY KEY, body TEXT);
        CREATE VIRTUAL TABLE lookup USING fts5(body, content='pages', content_rowid='id');
        CREATE TRIGGER into_lookup AFTER INSERT ON pages BEGIN INSERT INTO lookup(rowid, body) VALUES (new.id, new.body); END;
        INSERT INTO pages VALUES (7, 'walnut tree'), (3, 'apple tree');";
    let rebuild = |copy: &str| {
        format!(
            "CREATE TABLE anew(id INTEGER PRIMARY KEY, body TEXT); INSERT INTO anew{copy}; DROP TABLE pages; ALTER TABLE anew RENAME TO pages;
             CREATE TRIGGER into_lookup AFTER INSERT ON pages BEGIN INSERT INTO lookup(rowid, body) VALUES (new.id, new.body); END;"
        )
    };
    let numbered_anew = rebuild("(body) SELECT body FROM pages ORDER BY body");
    let found = faults(PAGES, numbered_anew.clone());
    assert!(
        found.len() == 1
            && found[0].starts_with("lookup: the full-text index is out of step with the table that it indexes: "),
        "{found:?}"
    );
    assert_eq!(
        faults(PAGES, format!("{numbered_anew} INSERT INTO lookup(lookup) VALUES ('rebuild');")),
        [""; 0]
    );
    assert_eq!(faults(PAGES, rebuild("(id, body) SELECT id, body FROM pages")), [""; 0]);
}
