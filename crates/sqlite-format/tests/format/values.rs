//! A visitor is given every value of every row, as SQLite reads it.

use std::collections::BTreeMap;
use std::io::Read;

use proptest::prelude::*;
use rusqlite::types::Value as Sql;
use sqlite_format::interrupt::Never;
use sqlite_format::reader::Reader;
use sqlite_format::row::{Row, Value, Visitor};
use sqlite_format::schema::Table;

use super::sqlite::{open, visited};
use super::stores::{Shape, make};

/// Keeps everything.
struct Everything;

/// Rows by their tables and rowids; those of tables WITHOUT ROWID, each of which is another one, by their values.
type Rows = BTreeMap<(String, String), Vec<Sql>>;

fn kept(value: Value<'_>) -> Sql {
    match value {
        Value::Null => Sql::Null,
        Value::Integer(value) => Sql::Integer(value),
        Value::Real(value) => Sql::Real(value),
        Value::Text(text) => Sql::Text(String::from_utf8_lossy(text).into_owned()),
        Value::Blob(blob) => Sql::Blob(blob.to_vec()),
        Value::Long(long) => {
            let mut bytes = Vec::new();
            long.open().read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes.len(), long.len());
            if long.is_text() {
                Sql::Text(String::from_utf8_lossy(&bytes).into_owned())
            } else {
                Sql::Blob(bytes)
            }
        }
    }
}

impl Visitor for Everything {
    type State = Rows;

    fn wants(&self, _: usize, of: &Table) -> bool {
        of.name != "sqlite_schema"
    }

    fn begin(&self) -> Rows {
        Rows::new()
    }

    fn row(&self, rows: &mut Rows, row: &Row<'_>) {
        let values: Vec<Sql> = (0..row.columns()).map(|column| kept(row.value(column).unwrap())).collect();
        let name = match row.of().keyed {
            Some(_) => format!("{values:?}"),
            None => row.rowid.to_string(),
        };
        assert!(rows.insert((row.of().name.clone(), name), values).is_none(), "a row comes once");
    }

    fn merge(&self, into: &mut Rows, other: Rows) {
        into.extend(other);
    }
}

fn by_sqlite(path: &std::path::Path, tables: &[String]) -> Rows {
    let conn = open(path, "immutable=1").unwrap();
    let mut out = Rows::new();
    for table in tables {
        let with_rowid = conn.prepare(&format!("SELECT rowid AS \"the rowid\", * FROM \"{table}\""));
        let has_rowid = with_rowid.is_ok();
        let mut statement =
            with_rowid.unwrap_or_else(|_| conn.prepare(&format!("SELECT NULL, * FROM \"{table}\"")).unwrap());
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<Sql> = (1..columns).map(|column| row.get(column).unwrap()).collect();
            let name = if has_rowid {
                row.get::<_, i64>(0).unwrap().to_string()
            } else {
                format!("{values:?}")
            };
            out.insert((table.clone(), name), values);
        }
    }
    out
}

fn compare(path: &std::path::Path, threads: usize) -> usize {
    let bytes = std::fs::read(path).unwrap();
    // Text is handed out as it is stored, and by SQLite in UTF-8.
    if bytes[59] > 1 {
        return 0;
    }
    let reader = Reader::open(&bytes, None, true, &Never).unwrap();
    let checked = visited(&bytes, None, true, &Everything, Some(threads)).unwrap();
    let read: Vec<String> = reader
        .schema()
        .tables
        .iter()
        .zip(&checked.tables)
        .filter(|(table, checked)| checked.all_read && table.name != "sqlite_schema")
        .map(|(table, _)| table.name.clone())
        .collect();
    let wanted = by_sqlite(path, &read);
    // Of a table that was left before its end, some rows were handed out.
    let mut visited = checked.visited;
    visited.retain(|(table, _), _| read.contains(table));
    assert!(visited == wanted, "{}", path.display());
    let counted: u64 = checked.tables.iter().skip(1).map(|table| table.rows).sum();
    assert!(counted >= wanted.len() as u64);
    wanted.len()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_value_is_what_sqlite_reads(seed: u64, threads in 1_usize..4) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made.db");
        make(seed, Shape::Any, &path);
        compare(&path, threads);
    }
}

#[test]
fn long_values_are_read_piece_by_piece_and_what_stands_behind_them_is_read_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.db");
    #[expect(clippy::disallowed_methods, reason = "a store is made")]
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch(
        "CREATE TABLE t(a BLOB, b TEXT, c REAL, d INTEGER, e REAL, f TEXT);
         CREATE INDEX i ON t(c, d, f);
         INSERT INTO t VALUES (zeroblob(1000000), hex(zeroblob(300000)), 2.5, 1 << 40, 7, 'end');
         INSERT INTO t VALUES (zeroblob(131060), 'across the bound', 2.5, -3, 7.25, 'end');
         INSERT INTO t VALUES (randomblob(131072), NULL, NULL, NULL, NULL, hex(randomblob(60000)));
         INSERT INTO t VALUES ('', 'short', 1, 2, 3, 'x');",
    )
    .unwrap();
    for added in [
        "g TEXT DEFAULT 'new'",
        "h INTEGER DEFAULT 12",
        "i",
        "j REAL NOT NULL DEFAULT 1.5",
        "k BLOB DEFAULT x'00'",
    ] {
        conn.execute_batch(&format!("ALTER TABLE t ADD COLUMN {added}")).unwrap();
        let understood = !added.starts_with('k');
        let bytes = std::fs::read(&path).unwrap();
        let checked = visited(&bytes, None, true, &Everything, None).unwrap();
        assert_eq!(checked.store.is_sound(), understood, "{added}: {:?}", checked.store);
        if understood {
            assert_eq!(compare(&path, 1), 4);
        }
    }
}
