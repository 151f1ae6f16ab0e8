//! Healthy databases of real applications never fail. What the doctor lacks (a function, a collation, a module) is said and is no
//! fault of the store.

use super::{assert_healthy, made, rows, said};
use crate::support::Place;

/// A store whose definitions name what only their application has: SQLite parses them and cannot run them.
fn rewritten(sql: &str, from: &str, to: &str) -> Place {
    let place = made(sql);
    place.sql(&format!(
        "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, '{from}', '{to}')"
    ));
    place
}

const ROWS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) ";

#[test]
fn check_constraints() {
    let sql = format!(
        "CREATE TABLE t(a CHECK (abs(a) > 0), b TEXT CHECK (length(b) < 9)); INSERT INTO t {ROWS} SELECT i, 'x' FROM n"
    );
    assert_healthy(&made(&sql), "of SQLite's functions", "");
    let of_the_application = rewritten(&sql, "abs(a)", "app_fn(a)");
    let left_out = "; not checked: CHECK constraints (unknown function: app_fn() [1])";
    assert_healthy(&of_the_application, "of the application's functions", left_out);
}

#[test]
fn generated_columns() {
    let sql = format!(
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c AS (abs(a)) VIRTUAL, d AS (abs(a) + 1) STORED);
         CREATE INDEX i ON t(d); INSERT INTO t(a, b) {ROWS} SELECT i, 'x' || i FROM n"
    );
    assert_healthy(&made(&sql), "of SQLite's functions", "");
    let of_the_application = rewritten(&sql, "abs(a)", "app_fn(a)");
    assert_healthy(&of_the_application, "of the application's functions", "");
}

#[test]
fn indexes_over_expressions_and_over_parts() {
    let sql = format!(
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); CREATE INDEX e ON t(abs(a), lower(b)); CREATE INDEX p ON t(b) WHERE abs(a) > 7;
         CREATE TABLE other(x UNIQUE); INSERT INTO t {ROWS} SELECT i, 'x' || i FROM n"
    );
    assert_healthy(&made(&sql), "of SQLite's functions", "");
    let of_the_application = rewritten(&sql, "abs(a)", "app_fn(a)");
    assert_healthy(
        &of_the_application,
        "of the application's functions",
        "; not checked: t (unknown function: app_fn() [1])",
    );
}

#[test]
fn triggers_and_views_with_functions() {
    let place = made(
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'x');
         CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET b = app_title(NEW.b) WHERE a = NEW.a; END;
         CREATE VIEW v AS SELECT app_concat(b) AS b, (SELECT app_fn(a)) FROM t;
         CREATE VIEW w AS SELECT * FROM nowhere;
         CREATE TRIGGER gw INSTEAD OF INSERT ON v BEGIN SELECT app_fn(1); END;",
    );
    assert_healthy(&place, "triggers and views", "");
}

#[test]
fn full_text_and_r_tree() {
    for module in ["fts3(a, b)", "fts4(a, b, tokenize=porter)", "fts5(a, b, prefix='2 3')"] {
        let sql = format!(
            "CREATE VIRTUAL TABLE f USING {module}; INSERT INTO f {ROWS} SELECT 'word ' || i, 'größer ' || i FROM n;
             CREATE TABLE t(x); INSERT INTO t VALUES ('y')"
        );
        assert_healthy(&made(&sql), module, "");
    }
    let without_content = "CREATE TABLE t(a, b); INSERT INTO t VALUES ('x', 'y');
         CREATE VIRTUAL TABLE f USING fts5(a, b, content='t'); INSERT INTO f(f) VALUES ('rebuild');
         CREATE VIRTUAL TABLE g USING fts4(content='', a); INSERT INTO g(docid, a) VALUES (1, 'x')";
    assert_healthy(&made(without_content), "full text over a table", "");
    let sql = format!(
        "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1, +note); INSERT INTO r {ROWS} SELECT i, i, i + 1, 'n' FROM n;
         CREATE VIRTUAL TABLE i USING rtree_i32(id, x0, x1)"
    );
    assert_healthy(&made(&sql), "rtree", "");
}

#[test]
fn a_tokenizer_that_only_the_application_has() {
    let place = rewritten(
        "CREATE VIRTUAL TABLE f USING fts5(a, tokenize=porter); INSERT INTO f VALUES ('x'); CREATE TABLE t(x); INSERT INTO t VALUES (1)",
        "tokenize=porter",
        "tokenize=calibre",
    );
    assert_healthy(&place, "fts5", "; not checked: f (no such tokenizer: calibre [1])");
    let place = rewritten(
        "CREATE VIRTUAL TABLE f USING fts4(a, tokenize=porter); INSERT INTO f VALUES ('x'); CREATE TABLE t(x); INSERT INTO t VALUES (1)",
        "tokenize=porter",
        "tokenize=calibre",
    );
    assert_healthy(&place, "fts4", "; not checked: f (unknown tokenizer: calibre [1])");
}

#[test]
fn a_module_that_is_not_here() {
    let place = made("CREATE TABLE t(x UNIQUE); INSERT INTO t VALUES ('y')");
    place.sql(
        "PRAGMA writable_schema=ON;
         INSERT INTO sqlite_schema VALUES ('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING vec0(a float[3])'),
                                          ('table', 'w', 'w', 0, 'CREATE VIRTUAL TABLE w USING vec0(b float[3])')",
    );
    assert_healthy(&place, "vec0", "; not checked: v and 1 table more (no such module: vec0)");
}

#[test]
fn a_collation_that_is_not_here() {
    let sql = format!(
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT COLLATE NOCASE); CREATE INDEX i ON t(b); CREATE TABLE other(x UNIQUE);
         INSERT INTO t {ROWS} SELECT i, 'x' || i FROM n; INSERT INTO other {ROWS} SELECT i FROM n"
    );
    let place = rewritten(&sql, "NOCASE", "titles");
    let left_out = "; not checked: the order of t (the collation titles is the application's)";
    assert_healthy(&place, "an index", left_out);
    // A foreign key to a column of such a collation.
    let sql = "CREATE TABLE parent(name TEXT COLLATE NOCASE PRIMARY KEY); CREATE TABLE child(name TEXT REFERENCES parent(name));
               CREATE TABLE a(x INTEGER PRIMARY KEY); CREATE TABLE b(x REFERENCES a(x));
               INSERT INTO parent VALUES ('p'); INSERT INTO child VALUES ('P'); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)";
    let place = rewritten(sql, "NOCASE", "titles");
    let left_out = "; not checked: the order of parent (the collation titles is the application's)";
    assert_healthy(&place, "a key", left_out);
    assert_eq!(
        said(&place, "foreign-keys"),
        "pass: 1 foreign key holds; not checked: child (no such collation sequence: titles [257])"
    );
}

/// SQLite opens no table WITHOUT ROWID whose order it does not know.
#[test]
fn a_table_without_rowid_in_the_order_of_a_collation_that_is_not_here() {
    let place = rewritten(
        "CREATE TABLE w(k TEXT COLLATE NOCASE PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO w VALUES ('a', 'b'), ('c', 'd');
         CREATE TABLE __diesel_schema_migrations(version VARCHAR(50) COLLATE NOCASE PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL) WITHOUT ROWID;
         CREATE TABLE child(k REFERENCES w(k)); INSERT INTO child VALUES ('a'); CREATE TABLE n(x); INSERT INTO n VALUES (1)",
        "NOCASE",
        "titles",
    );
    let why = "no such collation sequence: titles [257]";
    let left_out = "; not checked: the order of w and 1 table more (the collation titles is the application's)";
    assert_healthy(&place, "without rowid", left_out);
    assert_eq!(
        said(&place, "row-values"),
        "pass: the text in 2 rows of 4 tables is in the store's encoding, UTF-8; not looked at: w and 1 table more (a collation of the application's orders it)"
    );
    assert_eq!(
        said(&place, "foreign-keys"),
        format!("pass: no other table has a foreign key; not checked: child ({why})")
    );
    assert_eq!(
        said(&place, "schema-state"),
        "skip: diesel's ledger `__diesel_schema_migrations` cannot be read as one: no query solution [1]"
    );
}

#[test]
fn strict_tables_and_tables_without_rowid() {
    let sql = format!(
        "CREATE TABLE s(a INTEGER PRIMARY KEY, b TEXT, c ANY, d REAL, e BLOB) STRICT;
         CREATE TABLE w(a TEXT, b INTEGER, c, PRIMARY KEY(b DESC, a)) WITHOUT ROWID; CREATE INDEX i ON w(c, a);
         CREATE TABLE sw(k TEXT PRIMARY KEY, v ANY) STRICT, WITHOUT ROWID;
         INSERT INTO s {ROWS} SELECT i, 'x', i % 3, i / 2.0, x'ff00' FROM n; INSERT INTO w {ROWS} SELECT 'k' || i, i, i FROM n;
         INSERT INTO sw {ROWS} SELECT 'k' || i, i FROM n"
    );
    assert_healthy(&made(&sql), "strict and without rowid", "");
}

#[test]
fn every_encoding_page_size_and_way_of_vacuuming() {
    for bits in 9..=16 {
        for (encoding, vacuum) in [("UTF-8", 1), ("UTF-16le", 2), ("UTF-16be", 0)] {
            let place = made(&format!(
                "PRAGMA page_size={}; PRAGMA encoding='{encoding}'; PRAGMA auto_vacuum={vacuum};
                 CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c BLOB); CREATE INDEX i ON t(b);
                 INSERT INTO t {ROWS} SELECT i, 'größer 😀 ' || i, zeroblob(i * 9) FROM n; DELETE FROM t WHERE a % 3 = 0",
                1 << bits
            ));
            assert_healthy(&place, &format!("{encoding} {vacuum} {bits}"), "");
            let values = said(&place, "row-values");
            if encoding == "UTF-8" {
                assert_eq!(values, "pass: the text in 200 rows of 1 table is in the store's encoding, UTF-8");
            } else {
                assert!(values.starts_with("skip: "), "{values}");
            }
        }
    }
}

#[test]
fn a_database_that_has_only_a_user_version() {
    let place = made("PRAGMA user_version=7; PRAGMA application_id=0x42524348");
    assert_healthy(&place, "empty", "");
    assert_eq!(
        said(&place, "schema-state"),
        "skip: no ledger of a known migration tool; user_version is 7, application_id 0x42524348"
    );
}

#[test]
fn a_large_store_with_all_of_it() {
    let sql = "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT COLLATE NOCASE, c BLOB, d AS (abs(a)) CHECK (abs(d) > 0));
         CREATE INDEX i ON t(b); CREATE INDEX e ON t(abs(a)); CREATE INDEX p ON t(c) WHERE abs(a) > 5000;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
         INSERT INTO t(a, b, c) SELECT i, 'x' || i, zeroblob(4000) FROM n;
         INSERT INTO t(a, b, c) VALUES (99999, hex(zeroblob(700000)), zeroblob(3000000))";
    assert_healthy(&made(sql), "of SQLite's functions", "");
    let place = rewritten(sql, "abs(", "app_fn(");
    place.sql("PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'NOCASE', 'titles')");
    let (code, rows) = rows(&place);
    assert_eq!(code, Some(0), "{rows:?}");
}

#[test]
fn names_of_every_kind() {
    let columns: Vec<String> = (0..1_999).map(|n| format!("c{n}")).collect();
    let place = made(&format!(
        "CREATE TABLE \"a\"\"b; --\"(\"x\"\"y\", [select], \"rowid\", \"_rowid_\", \"größe\"); INSERT INTO \"a\"\"b; --\" VALUES ('a', 'b', 'c', 'd', 'e');
         CREATE TABLE wide({}); INSERT INTO wide DEFAULT VALUES;
         CREATE TABLE \"{}\"(\"{}\"); CREATE TABLE sqlitely(x); CREATE TABLE \"order\"(\"group\" REFERENCES wide)",
        columns.join(", "),
        "t".repeat(3_000),
        "c".repeat(3_000),
    ));
    assert_healthy(&place, "names", "");
}
