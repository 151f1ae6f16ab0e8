use super::table;
use super::*;

fn parsed(sql: &str) -> table::Statement {
    table::parse(sql).unwrap_or_else(|beyond| panic!("{beyond}: {sql}"))
}

fn columns_of_keys(sql: &str) -> Vec<Vec<usize>> {
    parsed(sql).keys.into_iter().map(|key| key.columns).collect()
}

#[test]
fn keys_have_indexes_in_the_order_of_their_constraints() {
    let sql = "CREATE TABLE t(a TEXT PRIMARY KEY UNIQUE, b UNIQUE, c, UNIQUE(c, b), UNIQUE(b COLLATE binary))";
    assert_eq!(columns_of_keys(sql), [vec![0], vec![1], vec![2, 1]]);
    let sql = "CREATE TABLE t(a TEXT UNIQUE COLLATE NOCASE, UNIQUE(a COLLATE RTRIM) UNIQUE(a))";
    assert_eq!(columns_of_keys(sql), [vec![0], vec![0]]);
}

#[test]
fn an_integer_primary_key_is_the_rowid() {
    for sql in [
        "CREATE TABLE t(a, b INTEGER PRIMARY KEY)",
        "CREATE TABLE t(a, b integer CONSTRAINT c PRIMARY KEY ASC AUTOINCREMENT NOT NULL)",
        "CREATE TABLE t(a, b INTEGER, PRIMARY KEY(b))",
    ] {
        assert_eq!((parsed(sql).rowid_alias, columns_of_keys(sql)), (Some(1), vec![]), "{sql}");
    }
    for sql in [
        "CREATE TABLE t(a, b INT PRIMARY KEY)",
        "CREATE TABLE t(a, b INTEGER PRIMARY KEY DESC)",
    ] {
        assert_eq!((parsed(sql).rowid_alias, columns_of_keys(sql)), (None, vec![vec![1]]), "{sql}");
    }
}

#[test]
fn constraints_say_what_may_stand_in_a_column() {
    let table = parsed(
        "CREATE TABLE t(a TEXT NOT NULL DEFAULT '{}', b INTEGER DEFAULT -1, c DATETIME, d REAL DEFAULT 1, e DEFAULT (1))",
    );
    let allowed: Vec<Classes> = table.columns.iter().map(|column| column.allowed).collect();
    let text = Classes::TEXT.with(Classes::BLOB);
    let numbers = Classes::ALL.without(Classes::TEXT);
    assert_eq!(allowed, [text, numbers, numbers, numbers, Classes::ALL]);
    let defaults: Vec<DefaultValue> = table.columns.into_iter().map(|column| column.default).collect();
    assert_eq!(
        defaults,
        [
            DefaultValue::Text("{}".to_owned()),
            DefaultValue::Integer(-1),
            DefaultValue::Null,
            DefaultValue::Integer(1),
            DefaultValue::NotUnderstood,
        ]
    );
    let strict = parsed("CREATE TABLE t(a INT, b ANY, c REAL PRIMARY KEY) STRICT");
    let allowed: Vec<Classes> = strict.columns.iter().map(|column| column.allowed).collect();
    let real = Classes::REAL.with(Classes::INTEGER);
    assert_eq!(allowed, [Classes::INTEGER.with(Classes::NULL), Classes::ALL, real]);
}

#[test]
fn foreign_keys_are_read_wherever_they_stand() {
    let table = parsed(
        "CREATE TABLE t(a REFERENCES p ON DELETE SET NULL, b CONSTRAINT x REFERENCES q(c) DEFERRABLE INITIALLY DEFERRED,
         FOREIGN KEY(b, a) REFERENCES \"r\"(d, e) ON UPDATE NO ACTION MATCH FULL)",
    );
    let keys: Vec<_> = table
        .foreign_keys
        .iter()
        .map(|key| (&key.columns[..], &key.parent[..], key.parent_columns.len()))
        .collect();
    assert_eq!(keys, [(&[0][..], "p", 0), (&[1][..], "q", 1), (&[1, 0][..], "r", 2)]);
}

#[test]
fn what_is_not_understood_is_said() {
    let rules = |sql| parsed(sql).rules_beyond;
    assert_eq!(rules("CREATE TABLE t(a CHECK (a > 0))"), Some(Unsupported::Check));
    assert_eq!(rules("CREATE TABLE t(a, CONSTRAINT c CHECK (a IN ('(', 2)))"), Some(Unsupported::Check));
    let rows = |sql| parsed(sql).rows_beyond;
    assert_eq!(rows("CREATE TABLE t(a, b AS (a + 1) STORED)"), Some(Unsupported::GeneratedColumn));
    assert_eq!(rows("CREATE TABLE t(a PRIMARY KEY) WITHOUT ROWID"), Some(Unsupported::WithoutRowid));
    assert_eq!(rows("CREATE TABLE t(a DATE) STRICT"), Some(Unsupported::Statement));
    assert_eq!(
        table::parse("CREATE VIRTUAL TABLE t USING fts5(a)").unwrap_err(),
        Unsupported::VirtualTable
    );
    for sql in [
        "",
        "CREATE TABLE t()",
        "CREATE TABLE t(a,)",
        "CREATE TABLE t(a, A)",
        "CREATE TABLE t(a, PRIMARY KEY(a),)",
        "CREATE TABLE t(a FOREIGN KEY(a) REFERENCES p)",
        "CREATE TABLE t(a, PRIMARY KEY(b))",
        "CREATE TABLE t(a PRIMARY KEY, b PRIMARY KEY)",
        "CREATE TABLE t(a) x",
        "CREATE TABLE t(a);",
        "CREATE TABLE t AS SELECT 1",
        "CREATE TABLE table(a)",
        "CREATE TABLE t(a INT(1, ))",
        "CREATE TABLE t(a INT 'x')",
    ] {
        assert!(table::parse(sql).is_err(), "{sql}");
    }
}

#[test]
fn an_index_over_plain_columns_is_understood_and_any_other_is_not() {
    let table = parsed("CREATE TABLE t(a TEXT COLLATE NOCASE, b)");
    let read = |sql| index::parse(sql, |_| Some(&table.columns[..])).unwrap().columns;
    let order = |collation, descending| Order { collation, descending };
    assert_eq!(
        read("CREATE UNIQUE INDEX i ON t(\"a\", b COLLATE rtrim DESC)"),
        Ok(vec![
            (0, Some(order(Collation::NoCase, false))),
            (1, Some(order(Collation::RTrim, true)))
        ])
    );
    assert_eq!(read("CREATE INDEX i ON t(a + 1)"), Err(Unsupported::Expression));
    assert_eq!(read("CREATE INDEX i ON t(lower(a))"), Err(Unsupported::Expression));
    assert_eq!(read("CREATE INDEX i ON t('a')"), Err(Unsupported::Expression));
    assert_eq!(read("CREATE INDEX i ON t(\"c\")"), Err(Unsupported::Expression));
    assert_eq!(read("CREATE INDEX i ON t(a) WHERE b"), Err(Unsupported::PartialIndex));
    assert_eq!(read("CREATE INDEX i ON t(a COLLATE own)"), Ok(vec![(0, None)]));
    assert_eq!(read("CREATE INDEX i ON t(a) x"), Err(Unsupported::Statement));
}
