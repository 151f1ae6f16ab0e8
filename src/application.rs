//! The description of a program that keeps its data in a store: plain types. No application is named here.

mod advice;
mod folder;
mod problem;
mod remedy;
pub(crate) mod values;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::text::paths::home;

pub(crate) use advice::{default_advice, keep_a_copy, load_command};
pub(crate) use folder::{Content, File, FileSums, Folder, LineEndSums, MigrationsFolder, Refusal, part};
pub(crate) use problem::{
    Conversion, Damage, DerivedSubject, FirstPage, FolderFault, HistoryFault, Impact, Mend, NoStore, Obstacle,
    OpenCopy, Problem, Reached, UseFault,
};
pub(crate) use remedy::{Remedy, Step, StoreFiles};

/// The knowledge about an application. Unknown parts are empty, and the checks that need them are skipped.
#[derive(Debug, Clone)]
pub struct Application {
    /// The source of its known migrations.
    pub(crate) history: History,
    /// The name that its users know.
    pub(crate) name: Cow<'static, str>,
    /// The default paths of its stores, if it has any.
    pub(crate) places: Option<Places>,
    pub(crate) ledger: Ledger,
    /// Every known migration, in any order.
    pub(crate) migrations: Cow<'static, [Migration]>,
    /// Names that migrations had before they were released.
    pub(crate) former_names: Cow<'static, [FormerName]>,
    /// The tables of every version of its schema, with what it writes into their columns.
    pub(crate) tables: Cow<'static, [Table]>,
    /// The content of `sqlite_schema` after all migrations, to the letter, so that a store that has it needs no replay;
    /// empty where that is not known.
    pub(crate) final_schema: Cow<'static, [Definition]>,
    /// True if a salvage knows its rows well enough to be the first step also where an index and its table disagree.
    pub(crate) can_salvage: bool,
    /// The function that words the remedy for a problem.
    pub(crate) advice: fn(&Problem, &Application, &StoreFiles) -> Remedy,
}

/// The default paths of an application's stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    /// A user's store, below `$XDG_STATE_HOME` or `~/.local/state`.
    pub(crate) user: Cow<'static, str>,
    /// The system's store.
    pub(crate) system: Cow<'static, str>,
}

/// The source of an application's known migrations.
#[derive(Debug, Clone)]
pub(crate) enum History {
    /// None: what holds for every database is looked at.
    NotKnown,
    /// Those in [`Application::migrations`].
    CompiledIn,
    /// Those that lie in a folder, for a migration tool. Nothing else is known.
    InFolder(Arc<MigrationsFolder>),
}

/// The table in which an application keeps which migrations were applied. Its columns are `id`, `name` and `applied_at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// The table's name.
    pub table: Cow<'static, str>,
}

/// One step of a schema's history.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// Its id: the ledger's primary key.
    pub id: i64,
    /// Its name, as the ledger keeps it.
    pub name: Cow<'static, str>,
    /// Its statements, as SQL.
    pub sql: Cow<'static, str>,
}

/// A name that a migration had in development, before any release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FormerName {
    /// The migration's id.
    pub(crate) id: i64,
    /// The former name.
    pub(crate) name: Cow<'static, str>,
}

/// A table that an application writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// Its name, in lower case.
    pub(crate) name: Cow<'static, str>,
    /// Its columns in every version of the schema.
    pub(crate) columns: Cow<'static, [Column]>,
}

/// A column, and what the application writes into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its name, in lower case.
    pub(crate) name: Cow<'static, str>,
    /// The rule for its values.
    pub(crate) rule: Rule,
    /// The kind of file that its values name, if they are paths.
    pub(crate) names_file: Option<NamedFile>,
}

/// The values that a column may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Text that is never empty: an id, a name, a state.
    Word,
    /// Text.
    Text,
    /// Text or nothing.
    Optional,
    /// 0 or 1.
    Flag,
    /// One JSON object.
    Json,
    /// A point in time as RFC 3339 writes it.
    Time,
    /// An IPv4 or IPv6 address.
    Address,
    /// Unknown: text in the store's encoding, or any value that is not text.
    Unknown,
}

/// The kind of file that a path in a store must lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NamedFile {
    /// A regular file.
    File,
    /// A folder.
    Folder,
}

/// A table to the letter of `sqlite_schema`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Definition {
    /// The table's name.
    pub(crate) name: Cow<'static, str>,
    /// Its definition, with the traces that ALTER TABLE leaves in it.
    pub(crate) sql: Cow<'static, str>,
}

impl Application {
    /// Creates an application of which no more is known than its name and its migrations, in any order; ids must be unique.
    ///
    /// Which of them were applied, its stores say in the table `schema_migrations`, or another that is named with
    /// [`ledger`](Self::ledger): `(id INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)`, the last in RFC 3339. A
    /// rehearsal runs what is pending as such a runner does: by their ids, each in a transaction of its own together with its
    /// row, with foreign keys on. SQL functions and collations of the application's own are not there.
    ///
    /// ```
    /// use banger_doctor::{Application, Migration};
    ///
    /// let ferry = Application::new(
    ///     "ferry",
    ///     vec![
    ///         Migration::new(1, "rides", "CREATE TABLE rides(id INTEGER PRIMARY KEY, passengers INTEGER)"),
    ///         Migration::new(2, "tolls", "ALTER TABLE rides ADD COLUMN toll INTEGER NOT NULL DEFAULT 0"),
    ///     ],
    /// )
    /// .ledger("ferry_migrations");
    /// assert_eq!((ferry.name(), ferry.migrations().len()), ("ferry", 2));
    /// ```
    pub fn new(name: impl Into<Cow<'static, str>>, migrations: impl Into<Cow<'static, [Migration]>>) -> Self {
        Self {
            history: History::CompiledIn,
            name: name.into(),
            places: None,
            ledger: Ledger::default_table(),
            migrations: migrations.into(),
            former_names: Cow::Borrowed(&[]),
            tables: Cow::Borrowed(&[]),
            final_schema: Cow::Borrowed(&[]),
            can_salvage: false,
            advice: default_advice,
        }
    }

    /// Sets the name of the ledger's table.
    #[must_use]
    pub fn ledger(mut self, table: impl Into<Cow<'static, str>>) -> Self {
        self.ledger = Ledger { table: table.into() };
        self
    }

    /// Creates an application of which nothing is known, neither its migrations nor its values. What holds for every database is
    /// looked at, and the ledger of a known migration tool is recognised and read.
    pub const fn any() -> Self {
        Self {
            history: History::NotKnown,
            name: Cow::Borrowed("the application"),
            places: None,
            ledger: Ledger::default_table(),
            migrations: Cow::Borrowed(&[]),
            former_names: Cow::Borrowed(&[]),
            tables: Cow::Borrowed(&[]),
            final_schema: Cow::Borrowed(&[]),
            can_salvage: false,
            advice: default_advice,
        }
    }

    /// Creates an application whose migrations lie in a folder, and of which no more is known.
    pub(crate) fn of_folder(folder: MigrationsFolder) -> Self {
        Self {
            history: History::InFolder(Arc::new(folder)),
            ..Self::any()
        }
    }

    /// Returns true if its migrations are compiled in, and with them the shape of a healthy store. In an unknown application's store, what the
    /// doctor cannot read for want of the application's own functions is no fault.
    pub(crate) fn has_builtin_migrations(&self) -> bool {
        matches!(self.history, History::CompiledIn)
    }

    /// Returns the folder in which its migrations lie.
    pub(crate) fn folder(&self) -> Option<&MigrationsFolder> {
        match &self.history {
            History::InFolder(folder) => Some(folder),
            History::NotKnown | History::CompiledIn => None,
        }
    }

    /// Returns the name that its users know.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the default paths of its stores, if it has any.
    pub(crate) fn places(&self) -> Option<&Places> {
        self.places.as_ref()
    }

    /// Returns the file name of its stores, or `database file` if that is unknown.
    pub(crate) fn file(&self) -> &str {
        self.places.as_ref().map_or("database file", Places::file)
    }

    /// Returns every known migration.
    pub fn migrations(&self) -> &[Migration] {
        &self.migrations
    }

    /// Returns the known migration with this id.
    pub(crate) fn known(&self, id: i64) -> Option<&Migration> {
        self.migrations.iter().find(|migration| migration.id == id)
    }

    /// Returns the ids of the known migrations.
    pub(crate) fn ids(&self) -> BTreeSet<i64> {
        self.migrations.iter().map(|migration| migration.id).collect()
    }

    /// Returns the remedy for a problem of the store that has these files.
    pub(crate) fn advice(&self, problem: &Problem, files: &StoreFiles) -> Remedy {
        (self.advice)(problem, self, files)
    }

    /// Returns the files of the store at a path, as commands name them.
    pub(crate) fn files_of(&self, path: &Path) -> StoreFiles {
        // The program looks for the stores of the application that it was made for, and for no other's without being told.
        let doctor = if self.places.is_some() {
            "doctor"
        } else {
            "doctor --any"
        };
        StoreFiles::of(path, doctor)
    }
}

impl Migration {
    /// Creates a step of a history.
    pub fn new(id: i64, name: impl Into<Cow<'static, str>>, sql: impl Into<Cow<'static, str>>) -> Self {
        Self {
            id,
            name: name.into(),
            sql: sql.into(),
        }
    }
}

impl Ledger {
    /// Creates a ledger in the table `schema_migrations`.
    pub(crate) const fn default_table() -> Self {
        Self {
            table: Cow::Borrowed("schema_migrations"),
        }
    }

    /// Returns its columns, as a CREATE TABLE lists them.
    pub(crate) const fn columns() -> &'static str {
        "(
 id INTEGER PRIMARY KEY,
 name TEXT NOT NULL,
 applied_at TEXT NOT NULL
)"
    }
}

impl Places {
    /// This user's store: below `$XDG_STATE_HOME`, or below `~/.local/state`.
    ///
    /// An `XDG_STATE_HOME` that is empty or relative is ignored, as the XDG Base Directory Specification asks.
    /// `None` without a home folder.
    pub(crate) fn user_store(&self) -> Option<PathBuf> {
        let state = env::var_os("XDG_STATE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| Some(home()?.join(".local/state")))?;
        Some(state.join(&*self.user))
    }

    /// Returns a user's store below the folder for state.
    pub(crate) fn in_state_home(&self) -> &str {
        &self.user
    }

    /// Returns the system's store.
    pub(crate) fn system_store(&self) -> &Path {
        Path::new(&*self.system)
    }

    /// Returns the name of a store's file.
    pub(crate) fn file(&self) -> &str {
        self.user.rsplit('/').next().unwrap_or_default()
    }
}
