//! Stores of every shape, made by SQLite from a number.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::random::Random;

/// The features of a store that the reader may not understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Only what it claims to understand.
    Understood,
    /// Anything.
    Any,
}

#[expect(clippy::disallowed_methods, reason = "a store is made")]
fn open(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

/// Makes a store; the same number makes the same.
pub fn make(seed: u64, shape: Shape, path: &Path) {
    let _ = std::fs::remove_file(path);
    let mut making = Making {
        random: Random(seed),
        shape,
        tables: Vec::new(),
    };
    let page_size = 512_usize << making.random.below(8);
    let auto_vacuum = making.random.below(3);
    let conn = open(path);
    if shape == Shape::Any && making.random.once_in(4) {
        let encoding = making.random.one_of(&["UTF-16le", "UTF-16be"]);
        conn.execute_batch(&format!("PRAGMA encoding='{encoding}'")).unwrap();
    }
    conn.execute_batch(&format!(
        "PRAGMA page_size={page_size}; PRAGMA auto_vacuum={auto_vacuum}; PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF;
         CREATE TABLE first(x); DROP TABLE first;"
    ))
    .unwrap();
    let conn = if making.random.once_in(4) && auto_vacuum == 0 {
        drop(conn);
        reserve(path, page_size, making.random.below(33).max(1));
        open(path)
    } else {
        conn
    };
    conn.execute_batch("PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF; PRAGMA foreign_keys=OFF;")
        .unwrap();
    if making.random.once_in(6) {
        conn.execute_batch("PRAGMA legacy_file_format=1").unwrap();
    }
    for _ in 0..=making.random.below(3) {
        making.table(&conn);
    }
    if shape == Shape::Any && making.random.once_in(5) {
        making.spatial_index(&conn);
    }
    for _ in 0..making.random.below(8) {
        making.change(&conn);
    }
}

/// Reserves bytes at the end of each page of a store without tables.
fn reserve(path: &Path, page_size: usize, bytes: usize) {
    let mut file = std::fs::read(path).unwrap();
    file.truncate(page_size);
    file[20] = u8::try_from(bytes).unwrap();
    let content = u16::try_from((page_size - bytes) & 0xffff).unwrap();
    file[100..108].fill(0);
    file[100] = 13;
    file[105..107].copy_from_slice(&content.to_be_bytes());
    file[28..40].fill(0);
    file[31] = 1;
    std::fs::write(path, file).unwrap();
}

/// A table that was made: its name and its columns.
struct Made {
    name: String,
    columns: Vec<String>,
}

struct Making {
    random: Random,
    shape: Shape,
    tables: Vec<Made>,
}

const TYPES: [&str; 15] = [
    "",
    "INTEGER",
    "TEXT",
    "BLOB",
    "REAL",
    "NUMERIC",
    "INT",
    "VARCHAR(20)",
    "DOUBLE",
    "DATETIME",
    "BOOLEAN",
    "ANY",
    "'TEXT'",
    "\"INTEGER\"",
    "\"REAL\"",
];
const STRICT_TYPES: [&str; 6] = ["INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"];
const COLLATIONS: [&str; 4] = ["BINARY", "NOCASE", "RTRIM", "nocase"];
const DEFAULTS: [&str; 10] = [
    "NULL",
    "0",
    "-7",
    "'text'",
    "1.5",
    "''",
    "CURRENT_TIMESTAMP",
    "(1 + 1)",
    "\"[]\"",
    "\"7\"",
];

/// Conditions of partial indexes and of constraints: most of them are evaluated by the reader.
const CONDITIONS: [&str; 22] = [
    "c0 IS NOT NULL",
    "c0 NOTNULL AND NOT c0 = 7",
    "c0 = 7 OR c0 IS NULL",
    "c0 > 0",
    "c0 >= -7.5",
    "c0 < 'a'",
    "(c0 <> 'vm-1')",
    "c0 = 'A'",
    "'a' = c0",
    "c0 = \"c0\"",
    "c0 IN (1, 'a', NULL, 2.5)",
    "c0 NOT IN ('vm-1', 12)",
    "c0 BETWEEN 0 AND 30",
    "c0 NOT BETWEEN 'A' AND 'b'",
    "c0 IS 1",
    "c0 IS NOT 'a'",
    "c0",
    "NOT c0",
    "lower(c0) = 'a'",
    "coalesce(c0, 0) > 5 AND true",
    "c0 LIKE 'vm%'",
    "length(c0) < 5",
];
const EXPRESSIONS: [&str; 8] = [
    "lower(c0)",
    "upper(c0) COLLATE NOCASE",
    "lower(c0) DESC",
    "ifnull(c0, 'none')",
    "coalesce(c0, 7, c0)",
    "1 + c0",
    "c0 = 1",
    "c0 IS NULL",
];

impl Making {
    fn column(&mut self, name: &str, strict: bool) -> String {
        let random = &mut self.random;
        let types = if strict { &STRICT_TYPES[..] } else { &TYPES[..] };
        let mut sql = format!("{name} {}", random.one_of(types));
        if random.once_in(4) {
            sql += " NOT NULL";
        }
        if random.once_in(4) {
            sql += &format!(" DEFAULT {}", random.one_of(&DEFAULTS));
        }
        if random.once_in(6) {
            sql += " UNIQUE";
        }
        if random.once_in(4) {
            sql += &format!(" COLLATE {}", random.one_of(&COLLATIONS));
        }
        if self.shape == Shape::Any && random.once_in(12) {
            sql += &format!(" CHECK ({name} IS NOT 77)");
        }
        if self.shape == Shape::Any && random.once_in(8) {
            sql += &format!(" CHECK ({})", random.one_of(&CONDITIONS).replace("c0", name));
        }
        sql
    }

    fn table(&mut self, conn: &Connection) {
        let any = self.shape == Shape::Any;
        let name = format!("t{}", self.tables.len());
        let columns: Vec<String> = (0..=self.random.below(7)).map(|n| format!("c{n}")).collect();
        let strict = self.random.once_in(8);
        let mut parts: Vec<String> = columns.iter().map(|name| self.column(name, strict)).collect();
        match self.random.below(5) {
            0 => parts[0] = String::from("c0 INTEGER PRIMARY KEY"),
            1 => parts[0] = String::from("c0 TEXT PRIMARY KEY"),
            2 => parts.push(format!("PRIMARY KEY({})", self.some(&columns).join(", "))),
            _ => {}
        }
        if self.random.once_in(3) {
            let at = self.random.below(columns.len());
            let ordered: Vec<String> = self
                .some(&columns)
                .iter()
                .map(|name| format!("{name} COLLATE {}", COLLATIONS[at % 4]))
                .collect();
            parts.push(format!("UNIQUE({})", ordered.join(", ")));
        }
        if let (Some(parent), true) = (self.tables.last(), self.random.once_in(2)) {
            let of = &parent.columns[self.random.below(parent.columns.len())];
            parts.push(format!("FOREIGN KEY({}) REFERENCES {}({of})", columns[0], parent.name));
        }
        if any && self.random.once_in(10) {
            parts.insert(columns.len(), "g AS (c0 || 'x')".to_owned());
        }
        let mut options = Vec::new();
        if strict {
            options.push("STRICT");
        }
        if any && self.random.once_in(3) {
            options.push("WITHOUT ROWID");
        }
        let sql = format!("CREATE TABLE {name}({}) {}", parts.join(", "), options.join(", "));
        if conn.execute_batch(&sql).is_ok() {
            self.tables.push(Made { name, columns });
            let table = self.tables.len() - 1;
            for _ in 0..self.random.below(4) {
                self.index(conn, table);
            }
            let rows = self.random.one_of(&[0, 1, 5, 40, 300]);
            self.rows(conn, table, rows);
        }
    }

    /// Some of these, at least one.
    fn some(&mut self, columns: &[String]) -> Vec<String> {
        let count = 1 + self.random.below(columns.len().min(3));
        (0..count).map(|_| columns[self.random.below(columns.len())].clone()).collect()
    }

    fn index(&mut self, conn: &Connection, table: usize) {
        let columns = self.tables[table].columns.clone();
        let ordered: Vec<String> = self
            .some(&columns)
            .into_iter()
            .map(|name| {
                let collation = if self.random.once_in(3) {
                    format!(" COLLATE {}", self.random.one_of(&COLLATIONS))
                } else {
                    String::new()
                };
                format!("{name}{collation}{}", self.random.one_of(&["", " ASC", " DESC"]))
            })
            .collect();
        let mut sql = format!(
            "CREATE {} INDEX i{} ON {}({})",
            self.random.one_of(&["", "UNIQUE"]),
            self.random.next(),
            self.tables[table].name,
            ordered.join(", ")
        );
        if self.shape == Shape::Any && self.random.once_in(4) {
            let column = &columns[self.random.below(columns.len())];
            sql += &format!(" WHERE {}", self.random.one_of(&CONDITIONS).replace("c0", column));
        }
        if self.shape == Shape::Any && self.random.once_in(4) {
            let column = &columns[self.random.below(columns.len())];
            let expression = self.random.one_of(&EXPRESSIONS).replace("c0", column);
            sql = sql.replacen("(c", &format!("({expression}, c"), 1);
        }
        let _ = conn.execute_batch(&sql);
    }

    fn spatial_index(&mut self, conn: &Connection) {
        let (module, columns) = self.random.one_of(&[
            ("rtree", "a, b"),
            ("rtree", "a, b, c, d"),
            ("rtree_i32", "a, b"),
            ("rtree", "a, b, +c"),
        ]);
        conn.execute_batch(&format!("CREATE VIRTUAL TABLE boxes USING {module}(id, {columns})"))
            .unwrap();
        let values = if columns.len() > 8 {
            "x, x + 2, -x, x"
        } else {
            "x, x + 2"
        };
        let columns = columns.replace(", +c", "");
        let rows = self.random.one_of(&[0, 3, 200]);
        conn.execute_batch(&format!(
            "WITH RECURSIVE n(i, x) AS (SELECT 1, 0 UNION ALL SELECT i + 1, i * 37 % 101 FROM n WHERE i <= {rows})
             INSERT INTO boxes(id, {columns}) SELECT i, {values} FROM n WHERE i > 1; DELETE FROM boxes WHERE id % 7 = 0"
        ))
        .unwrap();
    }

    fn value(&mut self) -> Value {
        let random = &mut self.random;
        match random.below(12) {
            0 => Value::Null,
            1 => Value::Integer(random.one_of(&[0, 1, -1, 127, 128, -129, 40_000, 1 << 40, i64::MAX, i64::MIN])),
            2 | 3 => Value::Integer(i64::try_from(random.below(50)).unwrap()),
            4 => Value::Real(random.one_of(&[
                0.0,
                -0.0,
                1.0,
                2.5,
                -1e300,
                1e-7,
                f64::INFINITY,
                4_503_599_627_370_497.0,
            ])),
            5 => Value::Text(
                random
                    .one_of(&["", "12", "1e5", " 7 ", "a", "A", "a  ", "é", "2026-04-28", "0x10"])
                    .to_owned(),
            ),
            6 => Value::Blob(vec![7; random.below(30)]),
            7 if random.once_in(4) => Value::Text("long ".repeat(random.below(3000))),
            8 if random.once_in(12) => Value::Blob(vec![9; random.below(90_000)]),
            _ => Value::Text(format!("{}-{}", random.one_of(&["vm", "Vm", "image"]), random.below(5000))),
        }
    }

    fn rows(&mut self, conn: &Connection, table: usize, count: usize) {
        let Made { name, columns } = &self.tables[table];
        let (name, width) = (name.clone(), columns.len());
        let marks = vec!["?"; width].join(", ");
        let sql = format!("INSERT OR IGNORE INTO {name}({}) VALUES ({marks})", columns.join(", "));
        for _ in 0..count {
            let values: Vec<Value> = (0..width).map(|_| self.value()).collect();
            let _ = conn.execute(&sql, params_from_iter(values));
        }
    }

    fn change(&mut self, conn: &Connection) {
        if self.tables.is_empty() {
            return;
        }
        let table = self.random.below(self.tables.len());
        let name = self.tables[table].name.clone();
        let column = self.tables[table].columns[0].clone();
        let run = |sql: &str| {
            let _ = conn.execute_batch(sql);
        };
        match self.random.below(11) {
            0 => run(&format!("DELETE FROM {name} WHERE rowid % 3 = 0")),
            1 => run(&format!("DELETE FROM {name}")),
            2 => run(&format!("UPDATE OR IGNORE {name} SET {column} = {column} || 'x' WHERE rowid % 5 = 1")),
            3 => run("VACUUM"),
            4 => run("PRAGMA incremental_vacuum(3)"),
            5 => run("ANALYZE"),
            6 => {
                let added = format!("c{}", self.tables[table].columns.len());
                let sql = self.column(&added, false);
                if conn.execute_batch(&format!("ALTER TABLE {name} ADD COLUMN {sql}")).is_ok() {
                    self.tables[table].columns.push(added);
                }
            }
            7 => self.index(conn, table),
            8 if self.shape == Shape::Any => {
                run(&format!("CREATE VIEW v{} AS SELECT * FROM {name}", self.random.next()));
            }
            8 => run("DROP TABLE IF EXISTS gone; CREATE TABLE gone(x); INSERT INTO gone VALUES (randomblob(4000))"),
            9 => run(
                "CREATE TABLE IF NOT EXISTS counted(id INTEGER PRIMARY KEY AUTOINCREMENT, x); INSERT INTO counted(x) VALUES (1)",
            ),
            _ => self.rows(conn, table, 20),
        }
    }
}
