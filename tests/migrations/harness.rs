//! Stores as tools leave them: a ledger that the tool itself wrote, and the files that it says were applied, replayed and filled with
//! rows.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Place, Ran};

/// A tool's fixture: the folder of its migrations, and the ledger that it wrote, in which all but the last are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixture {
    pub folder: &'static str,
    pub ledger: &'static str,
    /// The files that are applied, in the tool's order.
    applied: &'static [&'static str],
    /// The table of the ledger; empty where there is none.
    pub table: &'static str,
}

macro_rules! fixture {
    ($folder:literal, $ledger:literal, $table:literal, $($file:literal),+) => {
        Fixture { folder: $folder, ledger: $ledger, table: $table, applied: &[$($file),+] }
    };
}

pub const SQLX: Fixture = fixture!(
    "sqlx",
    "ledger",
    "_sqlx_migrations",
    "20240101000001_notebooks.sql",
    "20240101000002_notes.sql",
    "20240101000003_note_colour.up.sql"
);
pub const GOLANG_MIGRATE: Fixture = fixture!(
    "golang-migrate",
    "ledger",
    "schema_migrations",
    "000001_notebooks.up.sql",
    "000002_notes.up.sql",
    "000003_note_colour.up.sql"
);
pub const DRIZZLE: Fixture = fixture!(
    "drizzle",
    "ledger",
    "__drizzle_migrations",
    "0000_step1.sql",
    "0001_step2.sql",
    "0002_step3.sql"
);
pub const DRIZZLE_FOLDERS: Fixture = fixture!(
    "drizzle-folders",
    "ledger",
    "__drizzle_migrations",
    "20261121165733_step1/migration.sql",
    "20261121165752_step2/migration.sql",
    "20261121165824_step3/migration.sql"
);
pub const PRISMA: Fixture = fixture!(
    "prisma",
    "ledger",
    "_prisma_migrations",
    "20240101000001_notebooks/migration.sql",
    "20240101000002_notes/migration.sql",
    "20240101000003_note_colour/migration.sql"
);
pub const GOOSE: Fixture = fixture!(
    "goose",
    "ledger",
    "goose_db_version",
    "00001_notebooks.sql",
    "00002_notes.sql",
    "00003_note_colour.sql",
    "00004_touch.sql"
);
pub const D1: Fixture = fixture!(
    "d1",
    "ledger",
    "d1_migrations",
    "0001_notebooks.sql",
    "0002_notes.sql",
    "0010_note_colour.sql"
);
pub const DIESEL: Fixture = fixture!(
    "diesel",
    "ledger",
    "__diesel_schema_migrations",
    "2024-01-01-000001_notebooks/up.sql",
    "2024-01-01-000002_notes/up.sql",
    "2024-01-02_000003_note_colour/up.sql"
);
pub const REFINERY: Fixture = fixture!(
    "refinery",
    "ledger",
    "refinery_schema_history",
    "V1__notebooks.sql",
    "V2__notes.sql",
    "later/V3__note_colour.sql"
);
pub const DBMATE: Fixture = fixture!(
    "dbmate",
    "ledger",
    "schema_migrations",
    "20240101000001_notebooks.sql",
    "20240101000002_notes.sql",
    "20240101000003_note_colour.sql"
);
pub const USER_VERSION: Fixture = fixture!(
    "rusqlite_migration",
    "ledger",
    "",
    "01-notebooks/up.sql",
    "02-notes/up.sql",
    "03-note_colour/up.sql"
);

pub const ALL: [Fixture; 11] = [
    SQLX,
    GOLANG_MIGRATE,
    DRIZZLE,
    DRIZZLE_FOLDERS,
    PRISMA,
    GOOSE,
    D1,
    DIESEL,
    REFINERY,
    DBMATE,
    USER_VERSION,
];

/// Rows as somebody may have them: three notebooks with two notes each.
const ROWS: &str = "INSERT INTO notebooks (id, title) VALUES (1, 'one'), (2, 'two'), (3, 'three');
INSERT INTO notes (id, notebook_id, body) VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c'), (4, 2, 'd'), (5, 3, 'e'), (6, 3, 'f');";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dialects")
}

/// The part of a file that leads up.
fn up(text: &str) -> &str {
    let down = ["-- +goose Down", "-- migrate:down"].iter().find_map(|mark| text.find(mark));
    &text[..down.unwrap_or(text.len())]
}

/// A store beside its folder of migrations, which is the test's own to change.
pub struct Kept {
    pub place: Place,
}

impl Kept {
    /// A store as the tool left it, filled with rows; the last migration is pending.
    pub fn by(fixture: Fixture) -> Self {
        let kept = Self::unrecorded(fixture);
        kept.write_ledger(fixture, fixture.ledger);
        kept
    }

    /// The same without a ledger.
    pub fn unrecorded(fixture: Fixture) -> Self {
        let kept = Self::empty();
        copy_all(&fixtures().join(fixture.folder).join("migrations"), &kept.folder());
        for file in fixture.applied {
            kept.place.sql(up(&kept.text(file)));
        }
        kept.place.sql(ROWS);
        kept
    }

    /// A place for a store, with an empty folder.
    pub fn empty() -> Self {
        let place = Place::new();
        fs::create_dir(place.root().join("migrations")).unwrap();
        Self { place }
    }

    /// A store of a tool whose ledger has these rows, made by this SQL, over a folder of these files.
    pub fn made(sql: &str, files: &[(&str, &str)]) -> Self {
        let kept = Self::empty();
        for (path, text) in files {
            kept.write(path, text);
        }
        kept.place.sql(sql);
        kept
    }

    /// Writes a ledger as the tool wrote it.
    pub fn write_ledger(&self, fixture: Fixture, ledger: &str) {
        let sql = fs::read_to_string(fixtures().join(fixture.folder).join(format!("{ledger}.sql"))).unwrap();
        self.place.sql(&sql);
    }

    pub fn folder(&self) -> PathBuf {
        self.place.root().join("migrations")
    }

    pub fn text(&self, file: &str) -> String {
        fs::read_to_string(self.folder().join(file)).unwrap()
    }

    pub fn write(&self, file: &str, text: &str) {
        let path = self.folder().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Changes a file.
    pub fn edit(&self, file: &str, change: impl Fn(&str) -> String) {
        self.write(file, &change(&self.text(file)));
    }

    /// The doctor's answer; nothing may change in the store's folder or the migrations', and nothing be left anywhere.
    pub fn ask(&self, arguments: &[&str]) -> Ran {
        let before = everything_below(self.place.root());
        let ran = self.place.ask(&[&["--migrations", "migrations"], arguments].concat());
        assert_eq!(everything_below(self.place.root()), before, "{arguments:?}");
        ran
    }

    /// The row of a check, as text with placeholders.
    pub fn said(&self, check: &str) -> String {
        self.said_with(check, &[])
    }

    pub fn said_with(&self, check: &str, options: &[&str]) -> String {
        let row = self.row_with(check, options);
        without_time(&self.place.text(&row))
    }

    pub fn row(&self, check: &str) -> Value {
        self.row_with(check, &[])
    }

    pub fn row_with(&self, check: &str, options: &[&str]) -> Value {
        let ran = self.ask(&[&["--format", "json", "--only", check], options].concat());
        assert_eq!(ran.stderr, "");
        assert_eq!(ran.code, Some(i32::from(ran.report()["verdict"] == "fail")), "{ran:?}");
        ran.row(check)
    }

    /// The gate's line and its code.
    pub fn gate(&self, arguments: &[&str]) -> String {
        let ran = self.ask(&[&["--check-migrations"], arguments].concat());
        assert_eq!(ran.stderr, "", "{ran:?}");
        format!("{} [{}]", ran.shown_stdout().trim_end(), ran.code.unwrap())
    }

    /// The whole report, with placeholders.
    pub fn report(&self) -> String {
        without_time(&self.ask(&[]).text())
    }

    /// The checks whose rows fail.
    pub fn failing(&self) -> Vec<String> {
        self.ask(&["--format", "json"]).failing()
    }
}

/// Every path below a folder, with what stands in the files.
fn everything_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            out.push((entry.path(), Vec::new()));
            out.extend(everything_below(&entry.path()));
        } else if kind.is_file() && entry.metadata().unwrap().len() < 1 << 20 {
            out.push((entry.path(), fs::read(entry.path()).unwrap()));
        } else {
            out.push((entry.path(), Vec::new()));
        }
    }
    out.sort();
    out
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

/// Writes `[TIME]` for how long a rehearsal took.
fn without_time(text: &str) -> String {
    let line = |line: &str| match (line.find(" in "), line.find(" ms")) {
        (Some(_), Some(end)) if line.contains("rehearsed [") => {
            let begin = line[..end].rfind(" in ").unwrap();
            format!("{} in [TIME]{}", &line[..begin], &line[end..])
        }
        _ => line.to_owned(),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}
