//! Runs migrations as another tool does: its own placement of BEGIN and COMMIT, the files' own statements, nothing added.

mod double_quoted;

use std::collections::BTreeSet;

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::{Batch, Connection, ErrorCode, Statement, ffi};

use crate::error::{Error, Result};
use crate::limits::stop::Stop;
use crate::migrations::driver::{Drivers, Verdict};
use crate::migrations::steps::{Step, Transaction};
use crate::store::{FolderSql, Touched};

/// Looks at what becomes of rows while migrations run. An error of it ends them.
pub(super) trait StatementObserver {
    /// Called before a statement of this text runs that may do this, in the step at this position.
    fn before_statement(&mut self, conn: &Connection, sql: &str, statement: &Touched, step: usize) -> Result<()>;
    /// Called after it ran, in the step at this position.
    fn after_statement(&mut self, conn: &Connection, statement: &Touched, step: usize) -> Result<()>;
    /// Called after a step, which may have deleted rows from these tables.
    fn after_step(&mut self, conn: &Connection, step: usize, deleted_from: &BTreeSet<String>) -> Result<()>;
    /// Called with what drivers of the tool do differently in the step at this position.
    fn driver_differs(&mut self, step: usize, what: DriverDifference);
}

/// Something in a migration that SQLite runs, and that not every driver runs in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DriverDifference {
    /// In words.
    Remark(String),
    /// A word in double quotes that names no column, so that it is a text, and how many rows the statement wrote.
    DoubleQuoted(DoubleQuoted, u64),
}

/// Observes nothing: a replay has no rows.
impl StatementObserver for () {
    fn before_statement(&mut self, _: &Connection, _: &str, _: &Touched, _: usize) -> Result<()> {
        Ok(())
    }

    fn after_statement(&mut self, _: &Connection, _: &Touched, _: usize) -> Result<()> {
        Ok(())
    }

    fn after_step(&mut self, _: &Connection, _: usize, _: &BTreeSet<String>) -> Result<()> {
        Ok(())
    }

    fn driver_differs(&mut self, _: usize, _: DriverDifference) {}
}

/// Runs the steps one after the other, under the authorizer for a folder's SQL, and ends at the first that fails: as the tool does it,
/// what it holds in a transaction is then rolled back. Nothing stays on the connection but what stays in the database.
///
/// `drivers`: those of the tool, whose SQLite the steps are held against; none for what was applied already. `apart`: so many of the first steps were run by connections of their own, and leave nothing to the next one but what stays in the
/// database. `in_wal_mode`: true if the store is; `None` where it is not known, and then it may become so at any time.
///
/// # Errors
/// Fails with [`Error::Step`] where one fails, [`Error::NotReplayable`] where it must not run, or cannot without its application; what `observer`
/// says; and the time limit.
pub(super) fn run(
    conn: &mut Connection,
    steps: &[&Step],
    apart: usize,
    in_wal_mode: Option<bool>,
    drivers: &Drivers,
    observer: &mut impl StatementObserver,
    stop: &Stop,
) -> Result<()> {
    const AUTHORIZE: &str = "sqlite3_set_authorizer";
    const LIMIT: &str = "sqlite3_limit";
    let asked = drivers.clone();
    let sql = FolderSql::guard(conn, Box::new(move |action| asked.denial(action))).map_err(Error::sqlite(AUTHORIZE))?;
    let own_limits: Vec<_> = drivers.limits().map(|(limit, _)| Ok((limit, conn.limit(limit)?))).collect();
    for (limit, most) in drivers.limits() {
        conn.set_limit(limit, most).map_err(Error::sqlite(LIMIT))?;
    }
    let mut runner = StepRunner {
        conn,
        drivers,
        sql: &sql,
        in_wal_mode,
        observer,
        stop,
        statements: 0,
    };
    let after_step = runner.all(steps, apart);
    FolderSql::release(conn).map_err(Error::sqlite(AUTHORIZE))?;
    for own in own_limits {
        let restored = own.and_then(|(limit, most)| conn.set_limit(limit, most));
        restored.map_err(Error::sqlite(LIMIT))?;
    }
    if after_step.is_err() && !conn.is_autocommit() {
        // Whatever it says: the copy is thrown away.
        let _ = conn.execute_batch("ROLLBACK");
    }
    after_step?;
    forget_connection(conn).map_err(|error| Error::Rehearsal(error.into()))
}

/// Forgets what migrations left on their connection: temporary tables would hide others of their names.
fn forget_connection(conn: &Connection) -> Result<()> {
    let run = |sql: &str| conn.execute_batch(sql).map_err(Error::sqlite(sql));
    run("PRAGMA query_only=OFF; PRAGMA ignore_check_constraints=OFF; PRAGMA foreign_keys=OFF")?;
    let sql = "SELECT 'DROP ' || type || ' IF EXISTS temp.\"' || replace(name, '\"', '\"\"') || '\"' FROM temp.sqlite_schema
               WHERE type IN ('table', 'view', 'trigger') AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY type <> 'trigger', rootpage";
    let ask = || -> rusqlite::Result<Vec<String>> { conn.prepare(sql)?.query_map([], |row| row.get(0))?.collect() };
    for drop in ask().map_err(Error::sqlite(sql))? {
        run(&drop)?;
    }
    Ok(())
}

/// Resets the settings of a connection before the next migration, as far as its transaction lets it.
fn reset_connection(conn: &Connection, foreign_keys: bool) -> Result<()> {
    forget_connection(conn)?;
    let sql = "PRAGMA legacy_alter_table=OFF; PRAGMA recursive_triggers=OFF";
    conn.execute_batch(sql).map_err(Error::sqlite(sql))?;
    let sql = if foreign_keys {
        "PRAGMA foreign_keys=ON"
    } else {
        "PRAGMA foreign_keys=OFF"
    };
    conn.execute_batch(sql).map_err(Error::sqlite(sql))
}

struct StepRunner<'a, W> {
    conn: &'a Connection,
    drivers: &'a Drivers,
    sql: &'a FolderSql,
    /// True if the store would be in WAL mode by now: its copy never is.
    in_wal_mode: Option<bool>,
    observer: &'a mut W,
    stop: &'a Stop,
    /// The number of statements of the running step that have ended.
    statements: u64,
}

impl<W: StatementObserver> StepRunner<'_, W> {
    fn all(&mut self, steps: &[&Step], apart: usize) -> Result<()> {
        let sql = "PRAGMA foreign_keys";
        let foreign_keys = self.conn.query_row(sql, [], |row| row.get::<_, bool>(0)).map_err(Error::sqlite(sql))?;
        let mut together: Option<&Step> = None;
        for (at, &step) in steps.iter().enumerate() {
            self.statements = 0;
            let is_together = step.transaction == Transaction::AllPending;
            match together {
                Some(last) if !is_together => self.transact("COMMIT", last)?,
                None if is_together => self.transact("BEGIN", step)?,
                _ => {}
            }
            together = is_together.then_some(step);
            if (1..=apart).contains(&at) {
                reset_connection(self.conn, foreign_keys)?;
            }
            self.one(at, step)?;
        }
        together.map_or(Ok(()), |last| self.transact("COMMIT", last))
    }

    fn one(&mut self, at: usize, step: &Step) -> Result<()> {
        let is_wrapped = step.transaction == Transaction::Each;
        if is_wrapped {
            self.transact("BEGIN", step)?;
        }
        // Of the step before, and of the tool's own statements.
        self.sql.take_deleted_from();
        self.sql.take_touched();
        for batch in &step.batches {
            self.batch(at, step, batch)?;
        }
        let deleted_from = self.sql.take_deleted_from();
        if is_wrapped {
            self.transact("COMMIT", step)?;
        } else if step.transaction != Transaction::AllPending && !self.conn.is_autocommit() {
            return Err(self.failed(step, Error::LeftOpen));
        }
        self.observer.after_step(self.conn, at, &deleted_from)
    }

    fn transact(&self, sql: &str, step: &Step) -> Result<()> {
        self.conn.execute_batch(sql).map_err(|error| self.failed(step, Error::sqlite(sql)(error)))
    }

    /// Runs each statement of a batch to its end.
    fn batch(&mut self, at: usize, step: &Step, text: &str) -> Result<()> {
        if let Some(why) = self.drivers.refusal(text) {
            return Err(self.failed(step, Error::RefusedByDriver(why)));
        }
        let mut batch = Batch::new(self.conn, text);
        loop {
            // SQLite itself asks only in statements that take long, of which many short ones are none.
            self.stop.check()?;
            // Of the observer's own statements.
            self.sql.take_functions();
            let prepared = batch.next().map_err(|error| self.failed(step, Error::preparing(text)(error)))?;
            let Some(mut statement) = prepared else {
                return Ok(());
            };
            let touched = self.sql.take_touched();
            self.hold_functions_against_drivers(at, step)?;
            let sql = statement.expanded_sql().unwrap_or_default();
            let quoted = self.find_double_quoted(step, &statement, &sql)?;
            self.observer.before_statement(self.conn, &sql, &touched, at)?;
            if let Some(mode) = self.sql.take_journal_mode() {
                let changed = self.change_journal_mode(&mode);
                changed.map_err(|error| self.failed(step, Error::preparing(text)(error)))?;
            }
            let after_statement = self.sql.running(|| -> rusqlite::Result<()> {
                let mut rows = statement.raw_query();
                while rows.next()?.is_some() {}
                Ok(())
            });
            after_statement.map_err(|error| self.failed(step, Error::sqlite(text)(error)))?;
            self.statements += 1;
            let written = self.conn.changes();
            for quoted in quoted {
                self.observer.driver_differs(at, DriverDifference::DoubleQuoted(quoted, written));
            }
            self.observer.after_statement(self.conn, &touched, at)?;
        }
    }

    /// Holds the functions of the statement that was prepared last against those of the drivers.
    fn hold_functions_against_drivers(&mut self, at: usize, step: &Step) -> Result<()> {
        for function in self.sql.take_functions() {
            match self.drivers.function(&function) {
                Some(Verdict::Refused(why)) => return Err(self.failed(step, Error::RefusedByDriver(why))),
                Some(Verdict::Lacking(what)) => {
                    return Err(Error::NotReplayable {
                        migration: step.label(),
                        file: step.file.clone(),
                        why: format!(
                            "it uses {}",
                            if step.is_outside {
                                "a function that the driver lacks"
                            } else {
                                &what
                            }
                        ),
                    });
                }
                Some(Verdict::Differing(what)) if !step.is_outside => {
                    self.observer.driver_differs(at, DriverDifference::Remark(what));
                }
                None | Some(Verdict::Differing(_)) => {}
            }
        }
        Ok(())
    }

    /// Returns the words in double quotes of a statement that name no column, if the drivers take them for texts.
    ///
    /// # Errors
    /// Fails with the step's failure where the drivers refuse such a word.
    fn find_double_quoted(&self, step: &Step, statement: &Statement<'_>, sql: &str) -> Result<Vec<DoubleQuoted>> {
        if self.drivers.is_empty() || !double_quoted::may_hold_one(sql) || statement.is_explain() != 0 {
            return Ok(Vec::new());
        }
        let found = double_quoted::find(self.conn, sql);
        // The statement was prepared again and again.
        self.sql.take_touched();
        self.sql.take_functions();
        let mut found = found.map_err(|error| self.failed(step, error))?;
        if step.is_outside {
            found.iter_mut().for_each(DoubleQuoted::hide_word);
        }
        match found.first() {
            Some(first) if self.drivers.refuse_double_quoted_text() => {
                let why = first.words_of_refusal(&self.drivers.names());
                Err(self.failed(step, Error::RefusedByDriver(why)))
            }
            _ => Ok(found),
        }
    }

    /// Does to the journal mode of the store what SQLite would do: the copy keeps its own.
    fn change_journal_mode(&mut self, mode: &str) -> rusqlite::Result<()> {
        // SQLite takes the beginning of a mode's name for it.
        let into_wal = !mode.is_empty() && "wal".starts_with(&mode.to_ascii_lowercase());
        let changes = self.in_wal_mode.is_some_and(|in_wal_mode| in_wal_mode != into_wal);
        if changes && !self.conn.is_autocommit() {
            let direction = if into_wal { "into" } else { "out of" };
            let words = format!("cannot change {direction} wal mode from within a transaction");
            return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ERROR), Some(words)));
        }
        self.in_wal_mode = self.in_wal_mode.map(|_| into_wal);
        Ok(())
    }

    /// Returns the error of a step that failed, or the reason why the failure says nothing about the step.
    fn failed(&self, step: &Step, error: Error) -> Error {
        let refused = self.sql.refused().map(|what| format!("it uses {what}, which no migration may do here"));
        let unasked = || -> Option<String> {
            let is_denied = error.sqlite_code() == Some(ErrorCode::AuthorizationForStatementDenied);
            // The authorizer cannot be asked about it, and what cannot be asked is refused.
            is_denied.then(|| "it uses a name that is not UTF-8".to_owned())
        };
        let without = || error.needs_the_application().then(|| error.sqlite_message());
        let why = refused.or_else(unasked).or_else(without);
        // The driver would have refused it before SQLite failed at it.
        let (why, error) = match self.sql.denied() {
            Some(denied) => (None, Error::RefusedByDriver(denied)),
            None => (why, error),
        };
        // SQLite's message quotes the text, and a link out of the folder may lead to a secret.
        let (why, error) = if step.is_outside {
            (
                why.map(|_| "it needs, or does, what is not to be had here".to_owned()),
                error.without_message(),
            )
        } else {
            (why, error)
        };
        match why {
            Some(why) => Error::NotReplayable {
                migration: step.label(),
                file: step.file.clone(),
                why,
            },
            None => Error::Step {
                migration: step.label(),
                file: step.file.clone(),
                stays: self.describe_partial_effects(step),
                source: error.into(),
            },
        }
    }

    fn describe_partial_effects(&self, step: &Step) -> &'static str {
        match step.transaction {
            Transaction::AllPending => "; everything that is pending is rolled back with it",
            Transaction::None if self.statements > 0 && self.conn.is_autocommit() => {
                "; what it did before that stays, because the tool runs it in no transaction"
            }
            _ => "",
        }
    }
}

pub(super) use double_quoted::DoubleQuoted;

#[cfg(test)]
mod tests;
