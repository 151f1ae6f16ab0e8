//! Stores that somebody made to do harm: nothing of them is executed, and every byte of a value comes back.

use std::io::Write;
use std::process::{Command, Stdio};

use rusqlite::Connection;

use super::saved::{Saved, save};
use super::stores::{make, open};

/// The kinds and the bytes of all values of a table, row by row.
type Raw = Vec<Vec<(String, Vec<u8>)>>;

fn raw(connection: &Connection, table: &str) -> Raw {
    let columns = format!(
        "SELECT group_concat('typeof(' || name || '), CAST(' || name || ' AS BLOB)') FROM pragma_table_info('{table}')"
    );
    let columns: String = connection.query_row(&columns, [], |row| row.get(0)).unwrap();
    let mut statement = connection
        .prepare(&format!("SELECT 'rowid', CAST(rowid AS BLOB), {columns} FROM {table} ORDER BY rowid"))
        .unwrap();
    let count = statement.column_count() / 2;
    let rows = statement.query_map([], |row| {
        (0..count)
            .map(|at| Ok((row.get(2 * at)?, row.get::<_, Option<_>>(2 * at + 1)?.unwrap_or_default())))
            .collect()
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// A store with a change of the test's, and its tables' rows.
fn changed(change: impl FnOnce(&Connection)) -> (Vec<u8>, [Raw; 3]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(make(12, folder.path()));
    let connection = open(&path);
    connection.execute_batch("PRAGMA journal_mode=delete; PRAGMA secure_delete=OFF").unwrap();
    change(&connection);
    let rows = ["vms", "images", "schema_migrations"].map(|table| raw(&connection, table));
    drop(connection);
    (std::fs::read(&path).unwrap(), rows)
}

/// Loads the output with the shell, as people do; it says nothing, and leaves nothing else.
fn load_with_the_shell(saved: &Saved) {
    let folder = tempfile::tempdir().unwrap();
    let shell = Command::new("sqlite3")
        .args(["-bail", "-safe", "new.db"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut shell) = shell else {
        // No shell here: what is tested is in the text as well.
        return;
    };
    shell.stdin.take().unwrap().write_all(saved.sql.as_bytes()).unwrap();
    let ended = shell.wait_with_output().unwrap();
    assert!(ended.status.success() && ended.stdout.is_empty() && ended.stderr.is_empty(), "{ended:?}");
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["new.db"]);
}

const EVIL: [&[u8]; 9] = [
    b"x\n.shell touch here\n",
    b"'); ATTACH 'here' AS a; --",
    b"a\0b",
    b"\r\n.read /etc/passwd",
    b"\x1b]0;owned\x07",
    "\u{202e}txt.exe".as_bytes(),
    b"\xff\xfe\x00",
    b"\xc3",
    "\u{2028}\u{85}".as_bytes(),
];

#[test]
fn every_byte_of_a_value_comes_back_and_none_is_executed() {
    for evil in EVIL {
        let (bytes, rows) = changed(|connection| {
            let text = evil.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            connection
                .execute_batch(&format!(
                    "UPDATE vms SET name = CAST(x'{text}' AS TEXT), state = CAST(x'{text}' AS TEXT) WHERE rowid = (SELECT min(rowid) FROM vms);
                     UPDATE vms SET runtime_json = x'{text}' WHERE rowid = (SELECT max(rowid) FROM vms);
                     UPDATE vms SET created_at = 0.1, updated_at = -9223372036854775808 WHERE rowid = (SELECT max(rowid) FROM vms);
                     UPDATE schema_migrations SET applied_at = CAST(x'{text}' AS TEXT) WHERE id = 2;"
                ))
                .unwrap();
        });
        let saved = save(&bytes, None);
        assert_one_line_each(&saved.sql);
        let ours = saved.load();
        assert_eq!(["vms", "images", "schema_migrations"].map(|table| raw(&ours, table)), rows, "{evil:?}");
        load_with_the_shell(&saved);
    }
}

/// Each line is a statement of ours, a comment of ours, or a line of the migrations' schema.
fn assert_one_line_each(sql: &str) {
    for line in sql.lines() {
        let odd = line
            .chars()
            .find(|char| char.is_control() || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
        assert!(!line.starts_with('.') && odd.is_none(), "{line:?}");
    }
}

#[test]
fn nothing_of_the_schema_of_a_store_is_taken() {
    let (bytes, rows) = changed(|connection| {
        connection
            .execute_batch(
                "CREATE TABLE z(a);
                 CREATE TABLE \"x\n.shell touch here\n\"(a);
                 CREATE VIEW v AS SELECT load_extension('evil') FROM vms;
                 CREATE TRIGGER t AFTER INSERT ON vms BEGIN DELETE FROM vms; END;
                 PRAGMA writable_schema=ON;
                 UPDATE sqlite_schema SET sql = 'CREATE TABLE z(a);' || char(10) || '.shell touch here' || char(10) WHERE name = 'z';
                 UPDATE sqlite_schema SET sql = sql || '; ATTACH ''here'' AS a' WHERE name = 'vms';",
            )
            .unwrap();
    });
    let saved = save(&bytes, None);
    assert!(
        !saved.sql.contains("shell") && !saved.sql.contains("ATTACH") && !saved.sql.contains("TRIGGER"),
        "{}",
        saved.sql
    );
    assert_eq!(raw(&saved.load(), "vms"), rows[0]);
    load_with_the_shell(&saved);
}

#[test]
fn a_row_within_a_value_is_no_row() {
    // The bytes of a whole record, as text of another row and on its overflow pages; and those of a row that an index names.
    let (plain, _) = changed(|_| {});
    let at = plain.windows(4).rposition(|four| four == b"vm-1").unwrap();
    let stolen = &plain[at - 80..at + 300];
    let hex = stolen.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for repeat in [1, 40] {
        let (mut bytes, rows) = changed(|connection| {
            let hex = hex.repeat(repeat);
            let sql = format!(
                "UPDATE vms SET stats_json = CAST(x'{hex}' AS TEXT) WHERE rowid = (SELECT max(rowid) FROM vms)"
            );
            connection.execute_batch(&sql).unwrap();
        });
        assert_eq!(raw(&save(&bytes, None).load(), "vms"), rows[0]);
        // Without its page 1, no freelist and no table is known.
        bytes[..100].fill(0);
        let saved = save(&bytes, None);
        let ours = raw(&saved.load(), "vms");
        assert!(ours.iter().all(|row| rows[0].contains(row)), "{:?}", saved.account);
    }
}

#[test]
fn a_claim_of_a_gigabyte_costs_nothing() {
    let (mut bytes, _) = changed(|_| {});
    let page_size = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    for page in bytes.chunks_exact_mut(page_size).skip(1).filter(|page| page[0] == 13) {
        for pointer in page[8..12].to_vec().chunks_exact(2) {
            let at = usize::from(u16::from_be_bytes([pointer[0], pointer[1]]));
            if let Some(size) = page.get_mut(at..at + 4) {
                size.copy_from_slice(&[0x83, 0xff, 0xff, 0x7f]);
            }
        }
    }
    let saved = save(&bytes, None);
    assert!(saved.sql.len() < bytes.len() * 4);
}
