//! The guards that hold a read-only handle to reading, and an untrusted store to its bounds. Each guard is enough by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, Result};

use crate::limits::stop::{Interruptible, Stop};

/// The number of steps of SQLite's virtual machine between two questions to the stop: well under a millisecond.
const STEPS_BETWEEN_QUESTIONS: i32 = 2_000;

/// The time for which a statement waits for a lock, in milliseconds.
pub(crate) const BUSY_TIMEOUT_MS: u32 = 5_000;

/// The longest text or blob that is ever read whole, in bytes. Longer values are read in pieces.
pub(crate) const LONGEST_VALUE: i32 = 1 << 20;

/// Bounds for what a hostile schema or row can make SQLite do: for what runs, and never for what is only parsed.
///
/// A store is healthy as long as SQLite's own bounds admit its schema, which is parsed whole before anything can be read from
/// it: the length of its definitions, their depth, columns, compound selects and arguments of functions. So these are left as
/// they are, and so is the length of patterns, which CHECK constraints hold (`GLOB '[0-9a-f][0-9a-f]…'`), and the number of
/// variables, of which a virtual table's own statements may need one for each column. What parsing takes is bounded by
/// SQLite's heap and by time.
const LIMITS: &[(Limit, i32)] = &[
    (Limit::SQLITE_LIMIT_VDBE_OP, 5_000_000),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 0),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Settings of the connection itself.
const SETTINGS: &[(DbConfig, bool)] = &[
    (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
    (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
    (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
];

/// Pragmas that only read; all but the last few may name a table or an index.
const PRAGMAS: &[&str] = &[
    "integrity_check",
    "quick_check",
    "foreign_key_check",
    "foreign_key_list",
    "table_list",
    "table_xinfo",
    "index_list",
    "index_xinfo",
    "cell_size_check",
    "ignore_check_constraints",
];

/// Pragmas that only read as long as they are given no value.
const PRAGMAS_WITHOUT_VALUE: &[&str] = &[
    "page_count",
    "page_size",
    "freelist_count",
    "encoding",
    "schema_version",
    "user_version",
    "application_id",
    "query_only",
    "foreign_keys",
    "busy_timeout",
    "module_list",
    // FTS5 asks for it when it is connected, which SQLite's integrity check does.
    "data_version",
];

/// The time between two attempts to get a lock: no longer than a busy writer lets readers in.
const BETWEEN_TRIES: Duration = Duration::from_millis(1);

/// Sets a connection up for an untrusted store: bounds, defensive settings and the time limit. None of it writes.
///
/// The stop comes first: it also ends the waiting for a lock, and the statements below.
pub(super) fn bound(conn: &mut Connection, without_refused: bool, stop: &Stop) -> Result<()> {
    let asked = stop.clone();
    conn.progress_handler(STEPS_BETWEEN_QUESTIONS, Some(move || asked.reason().is_some()))?;
    wait_for_locks(conn, stop)?;
    for (limit, value) in LIMITS {
        conn.set_limit(*limit, *value)?;
    }
    for (setting, value) in SETTINGS {
        conn.set_db_config(*setting, *value)?;
    }
    if without_refused {
        // Before the first pragma, which reads the schema.
        leave_out_refused_objects(conn, true)?;
    }
    // Per connection: the page cache in KiB, temporary tables in memory, no memory mapping of the file.
    conn.execute_batch(
        "PRAGMA cache_size=-2000; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; PRAGMA cell_size_check=ON;",
    )
}

/// Lets SQLite read on where it refuses an object of the schema, or stops letting it. While the schema is read, that takes the
/// settings with which statements may write to the schema: on a connection that is open for reading alone, none can.
pub(super) fn leave_out_refused_objects(conn: &Connection, is_on: bool) -> Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, !is_on)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, is_on)?;
    Ok(())
}

/// Lets statements wait for a lock as long as a daemon's would, and asks the stop meanwhile. SQLite's own waiting could not be
/// ended.
fn wait_for_locks(conn: &mut Connection, stop: &Stop) -> Result<()> {
    let most = Duration::from_millis(BUSY_TIMEOUT_MS.into());
    let stop = stop.clone();
    let mut begun = Instant::now();
    conn.busy_handler(Some(move |tries| {
        if tries == 0 {
            begun = Instant::now();
        }
        stop.waiting();
        let should_wait = stop.reason().is_none() && begun.elapsed() < most;
        if should_wait {
            thread::sleep(BETWEEN_TRIES);
        }
        should_wait
    }))
}

/// Bounds the values that are read, and those that expressions of the schema make of them. The schema itself must have been
/// read before: a definition in it may be longer, and is a value as well.
pub(super) fn bound_values(conn: &Connection) -> Result<()> {
    conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE).map(|_| ())
}

/// Lets the stop interrupt what a connection runs: SQLite never asks the progress handler within one call of a function, in
/// `count(*)`, or while it prepares a statement.
pub(crate) fn interruptible(conn: &Connection, stop: &Stop) -> Interruptible {
    let handle = conn.get_interrupt_handle();
    stop.interruptible(move || handle.interrupt())
}

/// Sets a private copy up for migrations: as the migrating application has it (triggers, SQLite's own bounds for values,
/// foreign keys or not), but without what reaches out of the copy, and with the time limit.
pub(crate) fn prepare_rehearsal(conn: &mut Connection, foreign_keys: bool, stop: &Stop) -> Result<()> {
    conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    conn.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
    conn.set_limit(Limit::SQLITE_LIMIT_VDBE_OP, 5_000_000)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // The first pragma before anything is read: a copy in WAL mode then needs no -shm. After a crash it is of no use.
    conn.execute_batch(
        "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0;
         PRAGMA cache_size=-2000;",
    )?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, foreign_keys)?;
    let stop = stop.clone();
    conn.progress_handler(STEPS_BETWEEN_QUESTIONS, Some(move || stop.reason().is_some()))
}

/// Sets the driver's guard: SQLite itself refuses to write.
pub(super) fn query_only(conn: &Connection) -> Result<()> {
    conn.execute_batch("PRAGMA query_only=ON")
}

/// Sets the authorizer's guard: only reads compile.
///
/// A virtual table compiles its own INSERT and DELETE as soon as it is connected, which SQLite's integrity check does.
/// While `connecting` is set, those compile too; to run one is refused by the other guards.
pub(super) fn authorize_reads_alone(conn: &mut Connection, connecting: Arc<AtomicBool>) -> Result<()> {
    conn.authorizer(Some(move |context: AuthContext<'_>| {
        let row_changes = matches!(
            context.action,
            AuthAction::Insert { .. } | AuthAction::Update { .. } | AuthAction::Delete { .. }
        );
        if only_reads(&context.action) || (row_changes && connecting.load(Ordering::Relaxed)) {
            Authorization::Allow
        } else {
            Authorization::Deny
        }
    }))
}

fn only_reads(action: &AuthAction<'_>) -> bool {
    match action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive | AuthAction::Transaction { .. } => true,
        AuthAction::Function { function_name } => !function_name.eq_ignore_ascii_case("load_extension"),
        AuthAction::Pragma {
            pragma_name,
            pragma_value,
        } => {
            let is = |name: &&str| name.eq_ignore_ascii_case(pragma_name);
            PRAGMAS.iter().any(is) || (pragma_value.is_none() && PRAGMAS_WITHOUT_VALUE.iter().any(is))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
