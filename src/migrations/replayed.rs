//! The objects that an application's migrations make, in the order in which they make them.

use std::collections::BTreeSet;

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Null;
use sqlite_format::sql::lexer::{Lexer, Token, TokenKind};

use crate::application::Application;
use crate::error::{Error, Result};
use crate::limits::stop::Stop;
use crate::migrations::driver::Drivers;
use crate::migrations::shape::replayable;
use crate::migrations::status::MigrationStatus;
use crate::migrations::steps::Step;
use crate::migrations::tool_runner;
use crate::store::interruptible;
use crate::store::introspect::Query;

/// An object of a schema: a row of `sqlite_schema`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReplayedObject {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) table: String,
    pub(crate) sql: Option<String>,
}

/// The ledger of each tool, as the tool itself makes it before its first migration.
const LEDGERS: &[(&str, &str)] = &[
    (
        "sqlx",
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, \
         success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)",
    ),
    (
        "golang-migrate",
        "CREATE TABLE schema_migrations (version uint64,dirty bool); CREATE UNIQUE INDEX version_unique ON schema_migrations (version)",
    ),
    (
        "diesel",
        "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)",
    ),
    (
        "goose",
        "CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, \
         tstamp TIMESTAMP DEFAULT (datetime('now')))",
    ),
    ("dbmate", "CREATE TABLE \"schema_migrations\" (version varchar(128) primary key)"),
    (
        "refinery",
        "CREATE TABLE refinery_schema_history(version INT4 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255))",
    ),
    (
        "d1",
        "CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)",
    ),
    (
        "drizzle",
        "CREATE TABLE \"__drizzle_migrations\" (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)",
    ),
    (
        "prisma",
        "CREATE TABLE \"_prisma_migrations\" (\"id\" TEXT PRIMARY KEY NOT NULL, \"checksum\" TEXT NOT NULL, \"finished_at\" DATETIME, \
         \"migration_name\" TEXT NOT NULL, \"logs\" TEXT, \"rolled_back_at\" DATETIME, \"started_at\" DATETIME NOT NULL DEFAULT current_timestamp, \
         \"applied_steps_count\" INTEGER UNSIGNED NOT NULL DEFAULT 0)",
    ),
];

/// The most functions of the application's own for which others stand in.
const MOST_FUNCTIONS: usize = 2_000;

/// Defines functions and collations that only the application has, so that statements with their names can run. What they return is of no
/// matter: only the schema is kept.
fn stand_in<'s>(memory: &Connection, texts: impl Iterator<Item = &'s str>) -> rusqlite::Result<()> {
    memory.collation_needed(|memory, name| memory.create_collation(name, |a: &str, b: &str| a.cmp(b)))?;
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut functions = memory.prepare("SELECT DISTINCT name FROM pragma_function_list")?;
    let mut rows = functions.query([])?;
    while let Some(row) = rows.next()? {
        known.insert(row.get::<_, String>(0)?.to_ascii_lowercase());
    }
    for text in texts {
        let tokens: Vec<Token<'_>> = Lexer::new(text).filter(|token| !token.is_blank()).collect();
        for pair in tokens.windows(2) {
            let [name, open] = pair else { continue };
            let is_call = name.kind == TokenKind::Word && open.text == "(";
            if is_call && known.len() < MOST_FUNCTIONS && known.insert(name.text.to_ascii_lowercase()) {
                let flags =
                    FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
                memory.create_scalar_function(name.text, -1, flags, |_| Ok(Null))?;
            }
        }
    }
    Ok(())
}

/// Replays all migrations of an application's folder in memory and returns the objects that they make; none if it has no folder. What cannot be
/// replayed, as code, is left out.
///
/// # Errors
/// Fails if one of them cannot be replayed, or it is time to stop.
pub(crate) fn replay_objects(application: &Application, stop: &Stop) -> Result<Vec<ReplayedObject>> {
    let Some(folder) = application.folder() else {
        return Ok(Vec::new());
    };
    let status = MigrationStatus::of_empty_file(application)?;
    let steps = status.steps(folder);
    let run: Vec<&Step> = steps.pending.iter().collect();
    let mut memory = Connection::open_in_memory().map_err(Error::sqlite("open"))?;
    replayable(&mut memory, steps.foreign_keys.hold(), stop).map_err(Error::preparing("prepare a replay"))?;
    let texts = run.iter().flat_map(|step| step.batches.iter().map(|text| &**text));
    stand_in(&memory, texts).map_err(Error::preparing("prepare a replay"))?;
    let name = status.dialect.name;
    if let Some((_, ledger)) = LEDGERS.iter().find(|(tool, _)| *tool == name) {
        memory.execute_batch(ledger).map_err(Error::sqlite(ledger))?;
    }
    let running = interruptible(&memory, stop);
    let ran = tool_runner::run(&mut memory, &run, run.len(), None, &Drivers::default(), &mut (), stop);
    stop.check()?;
    ran?;
    drop(running);
    let mut out = Vec::new();
    let sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid";
    memory.each_row(sql, [], |row| {
        let read = || -> rusqlite::Result<ReplayedObject> {
            Ok(ReplayedObject {
                kind: row.get(0)?,
                name: row.get(1)?,
                table: row.get(2)?,
                sql: row.get(3)?,
            })
        };
        out.push(read().map_err(Error::sqlite(sql))?);
        Ok(())
    })?;
    Ok(out)
}
