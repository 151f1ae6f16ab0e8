//! Ledgers as their tools wrote them, loaded into memory, and copies of the folders that they were made from.

use std::fs;
use std::path::{Path, PathBuf};

use banger_doctor::dialects::folder::{self, Limits};
use banger_doctor::dialects::{
    Applied, Column, Dialect, Facts, Folder, KnownSet, Malformed, Recognised, Standing, Table, Value, compare,
    recognise,
};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tempfile::TempDir;

/// Every pair of a folder and a ledger that a tool made of it, with what was applied: all but the last migration.
pub const WRITTEN: &[(&str, &str, Dialect)] = &[
    ("sqlx", "ledger", Dialect::Sqlx),
    ("golang-migrate", "ledger", Dialect::GolangMigrate),
    ("drizzle", "ledger", Dialect::Drizzle),
    ("drizzle", "ledger-libsql", Dialect::Drizzle),
    ("drizzle-folders", "ledger", Dialect::Drizzle),
    ("drizzle-upgraded", "ledger", Dialect::Drizzle),
    ("prisma", "ledger", Dialect::Prisma),
    ("goose", "ledger", Dialect::Goose),
    ("d1", "ledger", Dialect::D1),
    ("diesel", "ledger", Dialect::Diesel),
    ("refinery", "ledger", Dialect::Refinery),
    ("refinery", "ledger-int8", Dialect::Refinery),
    ("dbmate", "ledger", Dialect::Dbmate),
    ("rusqlite_migration", "ledger", Dialect::UserVersion),
];

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dialects")
}

/// A store in memory.
pub struct Store(Connection);

impl Store {
    pub fn of(sql: &str) -> Self {
        let store = Self(Connection::open_in_memory().unwrap());
        store.run(sql);
        store
    }

    /// A ledger as its tool wrote it: `sqlx/ledger`.
    pub fn written(name: &str) -> Self {
        Self::of(&fs::read_to_string(fixtures().join(format!("{name}.sql"))).unwrap())
    }

    pub fn run(&self, sql: &str) {
        self.0.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    fn number(&self, pragma: &str) -> i32 {
        self.0.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).unwrap()
    }

    pub fn tables(&self) -> Vec<Table> {
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid";
        let mut statement = self.0.prepare(sql).unwrap();
        let names: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        names.into_iter().map(|name| self.table(name)).collect()
    }

    fn table(&self, name: String) -> Table {
        let mut statement = self.0.prepare("SELECT * FROM pragma_table_xinfo(?1)").unwrap();
        let columns = statement.query_map([&name], |row| {
            Ok(Column {
                name: row.get("name")?,
                declared: row.get("type")?,
                not_null: row.get("notnull")?,
                key: row.get("pk")?,
                generated: row.get::<_, i64>("hidden")? != 0,
            })
        });
        let columns = columns.unwrap().map(Result::unwrap).collect();
        Table { name, columns }
    }

    pub fn recognised(&self) -> Option<Recognised> {
        recognise(&Facts {
            tables: &self.tables(),
            user_version: self.number("user_version"),
            application_id: self.number("application_id"),
        })
    }

    pub fn rows(&self, recognised: &Recognised) -> Vec<Vec<Value>> {
        let Some(sql) = recognised.select() else {
            return Vec::new();
        };
        let mut statement = self.0.prepare(&sql).unwrap();
        let columns = statement.column_count();
        let rows = statement
            .query_map([], |row| Ok((0..columns).map(|at| value(row.get_ref(at).unwrap())).collect::<Vec<_>>()));
        rows.unwrap().map(Result::unwrap).collect()
    }

    pub fn read(&self) -> Result<Applied, Malformed> {
        let recognised = self.recognised().expect("it is a ledger");
        recognised.read(&self.rows(&recognised))
    }

    pub fn applied(&self) -> Applied {
        self.read().unwrap()
    }

    /// What is wrong with the ledger.
    pub fn fault(&self) -> String {
        self.read().unwrap_err().to_string()
    }
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(text) => Value::Text(text.to_vec()),
        ValueRef::Blob(blob) => Value::Blob(blob.to_vec()),
    }
}

/// A copy of a folder of migrations, to be changed.
pub struct Migrations {
    root: TempDir,
}

impl Migrations {
    /// The folder that a ledger was made from.
    pub fn of(tool: &str) -> Self {
        let copy = Self::empty();
        copy_all(&fixtures().join(tool).join("migrations"), copy.root.path());
        copy
    }

    pub fn empty() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
        }
    }

    /// A folder with these files.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self::empty();
        for (path, text) in files {
            folder.write(path, text);
        }
        folder
    }

    pub fn path(&self) -> &Path {
        self.root.path()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Takes a migration out: its file, or its whole folder where it has one.
    pub fn remove(&self, path: &Path) {
        let whole = self.root.path().join(path);
        if path.ends_with("up.sql") || path.ends_with("migration.sql") {
            fs::remove_dir_all(whole.parent().unwrap()).unwrap();
        } else {
            fs::remove_file(whole).unwrap();
        }
    }

    pub fn rename(&self, from: &Path, to: &Path) {
        fs::rename(self.root.path().join(from), self.root.path().join(to)).unwrap();
    }

    /// Changes the text of a file.
    pub fn edit(&self, path: &Path, change: impl Fn(&str) -> String) {
        let path = self.root.path().join(path);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, change(&text)).unwrap();
    }

    pub fn read(&self) -> Folder {
        folder::read(self.root.path(), &Limits::default()).unwrap()
    }

    pub fn known(&self, dialect: Dialect) -> KnownSet {
        KnownSet::of(&self.read(), dialect).unwrap()
    }

    pub fn standing(&self, dialect: Dialect, store: &Store) -> Standing {
        compare(&self.known(dialect), &store.applied())
    }
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&to).unwrap();
            copy_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Text with every line ending in `\r\n`.
pub fn windows(text: &str) -> String {
    text.replace('\n', "\r\n")
}

/// The keys as text.
pub fn texts(keys: &[banger_doctor::dialects::Key]) -> Vec<&str> {
    keys.iter().map(banger_doctor::dialects::Key::as_str).collect()
}
