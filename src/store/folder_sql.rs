//! Watches over SQL that comes from a folder of migrations, and notes what it does to a private copy.
//!
//! It is untrusted. It may change the copy in any way. A statement that would reach out of the copy is refused by name, and one
//! that would only change how the copy is kept is silently ignored, as SQLite ignores a pragma that it does not know.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, Result, ffi};

use crate::findings::LONGEST_NAME;
use crate::text::words::cut;

/// Pragmas that a migration may use: those that only read, and those whose effect ends with the migrations or belongs to the
/// database. The others are passed over: journal, locks, caches and memory of the copy are the doctor's.
const PRAGMAS: &[&str] = &[
    "analysis_limit",
    "application_id",
    "auto_vacuum",
    "automatic_index",
    "case_sensitive_like",
    "collation_list",
    "compile_options",
    "data_version",
    "database_list",
    "defer_foreign_keys",
    "encoding",
    "foreign_key_check",
    "foreign_key_list",
    "foreign_keys",
    "freelist_count",
    "function_list",
    "ignore_check_constraints",
    "incremental_vacuum",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "legacy_alter_table",
    "module_list",
    "optimize",
    "page_count",
    "pragma_list",
    "query_only",
    "quick_check",
    "recursive_triggers",
    "reverse_unordered_selects",
    "schema_version",
    "synchronous",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
];

/// Pragmas that may be asked, and not set: full-text search and R-trees ask for it before they first write.
const ASKED: &[&str] = &["page_size"];

/// Pragmas that are refused: they make files elsewhere, or let the schema be written as if it were a table.
const REFUSED_PRAGMAS: &[&str] = &["data_store_directory", "temp_store_directory", "writable_schema"];

/// Modules of virtual tables that keep all of their rows in the database itself.
const MODULES: &[&str] = &[
    "fts3",
    "fts3tokenize",
    "fts4",
    "fts4aux",
    "fts5",
    "fts5vocab",
    "geopoly",
    "rtree",
    "rtree_i32",
];

/// Returns why the driver by which a migration will run does not authorize an action.
pub(crate) type DriverDenial = Box<dyn Fn(&AuthAction<'_>) -> Option<String> + Send>;

/// The watch over the SQL of a folder on one connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct FolderSql {
    seen: Arc<Mutex<AnnouncedEffects>>,
}

/// The effects that statements announced while they were prepared.
#[derive(Debug, Default)]
struct AnnouncedEffects {
    /// True while a statement runs, when all that is prepared is SQLite's own.
    runs: bool,
    /// The first action that was refused.
    refused: Option<String>,
    /// The first action that the driver does not authorize, and why.
    denied: Option<String>,
    /// The functions that are called, in lower case.
    functions: BTreeSet<String>,
    touched: Touched,
    deleted_from: BTreeSet<String>,
    /// The journal mode that the last statement sets.
    journal_mode: Option<String>,
}

/// The effects of a statement on the tables of the store, as SQLite announces them while it prepares it.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// The tables that it drops.
    pub(crate) dropped: Vec<String>,
    /// The table to which it writes itself.
    pub(crate) target: Option<Write>,
    /// The writes to other rows by actions of foreign keys, when foreign keys are enforced.
    pub(crate) by_reference: BTreeSet<Write>,
    /// The table that it alters: its name may be another one afterwards.
    pub(crate) altered: Option<String>,
    /// The columns that it updates, with their tables: by itself, by triggers, and by actions of foreign keys.
    pub(crate) updates: BTreeSet<(String, String)>,
    /// The tables from which triggers and actions of foreign keys may delete rows.
    pub(crate) deletes_elsewhere: BTreeSet<String>,
}

impl Touched {
    /// Notes a write. SQLite announces an action of a foreign key and the statement's own write in the same way: a write to
    /// another table than the statement's own, or of another kind, is an action's.
    fn write(&mut self, write: Write) {
        let is_own = match (&self.target, &write) {
            (None, _) => true,
            // The update of `ON CONFLICT DO UPDATE` is the statement's own.
            (Some(Write::Delete(own)), Write::Delete(table))
            | (Some(Write::Update(own, _) | Write::Insert(own)), Write::Update(table, _)) => own == table,
            _ => false,
        };
        if !is_own {
            self.by_reference.insert(write);
        } else if self.target.is_none() {
            self.target = Some(write);
        }
    }
}

/// One way to write to a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Write {
    /// Rows come.
    Insert(String),
    /// Values of a column change.
    Update(String, String),
    /// Rows go.
    Delete(String),
}

impl Write {
    /// The table.
    pub(crate) fn table(&self) -> &str {
        match self {
            Self::Insert(table) | Self::Update(table, _) | Self::Delete(table) => table,
        }
    }

    /// Returns the write of an action to a table of the store; `None` for SQLite's own tables.
    fn of(action: &AuthAction<'_>) -> Option<Self> {
        let write = match action {
            AuthAction::Insert { table_name } => Self::Insert((*table_name).to_owned()),
            AuthAction::Update {
                table_name,
                column_name,
            } => Self::Update((*table_name).to_owned(), (*column_name).to_owned()),
            AuthAction::Delete { table_name } => Self::Delete((*table_name).to_owned()),
            _ => return None,
        };
        (!write.table().starts_with("sqlite_")).then_some(write)
    }
}

impl FolderSql {
    /// Holds a connection to what a migration may do, and to what `denial` authorizes.
    ///
    /// # Errors
    /// Fails with SQLite's error.
    pub(crate) fn guard(conn: &mut Connection, denial: DriverDenial) -> Result<Self> {
        // VACUUM attaches a database of its own, in memory. Any other ATTACH is refused below.
        conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 1)?;
        let watched = Self::default();
        let asked = watched.clone();
        conn.authorizer(Some(move |context: AuthContext<'_>| asked.judge(&context, &denial)))?;
        Ok(watched)
    }

    /// Gives the connection back to the doctor's own statements.
    ///
    /// # Errors
    /// Fails with SQLite's error.
    pub(crate) fn release(conn: &mut Connection) -> Result<()> {
        let none: Option<fn(AuthContext<'_>) -> Authorization> = None;
        conn.authorizer(none)?;
        conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0).map(|_| ())
    }

    /// Runs what steps through a prepared statement.
    pub(crate) fn running<T>(&self, work: impl FnOnce() -> T) -> T {
        self.seen().runs = true;
        let made = work();
        self.seen().runs = false;
        made
    }

    /// Returns the action that was refused, in words that follow the name of a file.
    pub(crate) fn refused(&self) -> Option<String> {
        self.seen().refused.clone()
    }

    /// Returns why the driver does not authorize an action that was denied.
    pub(crate) fn denied(&self) -> Option<String> {
        self.seen().denied.clone()
    }

    /// Returns the functions that the statements prepared since the last call name, in lower case.
    pub(crate) fn take_functions(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.seen().functions)
    }

    /// Returns the effects on the store of the statements that were prepared since the last call: of one statement, when it is
    /// called after each.
    pub(crate) fn take_touched(&self) -> Touched {
        std::mem::take(&mut self.seen().touched)
    }

    /// The tables of the store from which the statements prepared since the last question may delete rows, triggers and cascades
    /// among them.
    pub(crate) fn take_deleted_from(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.seen().deleted_from)
    }

    /// The journal mode to which a statement prepared since the last question sets the store. It is passed over here, but SQLite
    /// does not always do it.
    pub(crate) fn take_journal_mode(&self) -> Option<String> {
        self.seen().journal_mode.take()
    }

    fn seen(&self) -> MutexGuard<'_, AnnouncedEffects> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, context: &AuthContext<'_>, denial: &DriverDenial) -> Authorization {
        let mut seen = self.seen();
        // What is prepared while a statement runs is SQLite's own, and the same there.
        if let Some(why) = denial(&context.action).filter(|_| !seen.runs) {
            seen.denied.get_or_insert(why);
            return Authorization::Deny;
        }
        let is_in_store = context.database_name == Some("main");
        // Writes of triggers come from the schema, not from the migration, and a statement that is prepared while another runs is
        // SQLite's own.
        let is_written = is_in_store && context.accessor.is_none() && !seen.runs;
        if let Some(write) = Write::of(&context.action).filter(|_| is_written) {
            seen.touched.write(write);
        }
        match context.action {
            AuthAction::Pragma {
                pragma_name,
                pragma_value: Some(mode),
            } if pragma_name.eq_ignore_ascii_case("journal_mode")
                && context.database_name.is_none_or(|name| name == "main") =>
            {
                seen.journal_mode = Some(mode.to_owned());
                return Authorization::Ignore;
            }
            AuthAction::Function { function_name } if context.accessor.is_none() && !seen.runs => {
                seen.functions.insert(function_name.to_ascii_lowercase());
            }
            AuthAction::DropTable { table_name } if is_in_store => seen.touched.dropped.push(table_name.to_owned()),
            AuthAction::AlterTable {
                database_name: "main",
                table_name,
            } => seen.touched.altered = Some(table_name.to_owned()),
            AuthAction::Update {
                table_name,
                column_name,
            } if is_in_store && !seen.runs => {
                seen.touched.updates.insert((table_name.to_owned(), column_name.to_owned()));
            }
            AuthAction::Delete { table_name } if is_in_store => {
                let own = seen.touched.target.as_ref().map(Write::table);
                if !seen.runs && own != Some(table_name) && !table_name.starts_with("sqlite_") {
                    seen.touched.deletes_elsewhere.insert(table_name.to_owned());
                }
                seen.deleted_from.insert(table_name.to_owned());
            }
            AuthAction::Pragma {
                pragma_name,
                pragma_value,
            } if is_passed_over(pragma_name, pragma_value) => return Authorization::Ignore,
            _ => {}
        }
        match refusal(&context.action, seen.runs) {
            None => Authorization::Allow,
            Some(what) => {
                seen.refused.get_or_insert(what);
                Authorization::Deny
            }
        }
    }
}

fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|one| one.eq_ignore_ascii_case(name))
}

fn is_passed_over(pragma: &str, value: Option<&str>) -> bool {
    let is_asked = value.is_none() && is_one_of(ASKED, pragma);
    !is_asked && !is_one_of(PRAGMAS, pragma) && !is_one_of(REFUSED_PRAGMAS, pragma)
}

/// Returns the name of an action that is refused; `None` for one that is allowed.
fn refusal(action: &AuthAction<'_>, runs: bool) -> Option<String> {
    match action {
        // The database that VACUUM attaches while it runs has no name, and lies in memory.
        AuthAction::Attach { filename } if runs && filename.is_empty() => None,
        AuthAction::Attach { .. }
        | AuthAction::Unknown {
            code: ffi::SQLITE_ATTACH,
            ..
        } if runs => Some("VACUUM INTO".to_owned()),
        // Its file may be an expression, which has no name yet.
        AuthAction::Attach { .. }
        | AuthAction::Unknown {
            code: ffi::SQLITE_ATTACH,
            ..
        } => Some("ATTACH".to_owned()),
        AuthAction::Detach { .. }
        | AuthAction::Unknown {
            code: ffi::SQLITE_DETACH,
            ..
        } => Some("DETACH".to_owned()),
        AuthAction::Function { function_name } if function_name.eq_ignore_ascii_case("load_extension") => {
            Some("load_extension()".to_owned())
        }
        AuthAction::Pragma { pragma_name, .. } if is_one_of(REFUSED_PRAGMAS, pragma_name) => {
            Some(format!("PRAGMA {}", pragma_name.to_ascii_lowercase()))
        }
        AuthAction::CreateVtable { module_name, .. } | AuthAction::DropVtable { module_name, .. }
            if !is_one_of(MODULES, module_name) =>
        {
            Some(format!("a virtual table of the module {}", cut(module_name, LONGEST_NAME)))
        }
        // Its effect is unknown.
        AuthAction::Unknown { code, .. } => {
            Some(format!("something that the doctor does not know (SQLite's action {code})"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
