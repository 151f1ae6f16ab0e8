//! Where a store stands among the migrations of a folder: whose migrations they are, which table is the ledger, and what it says.
//!
//! The ledger decides which tool runs the folder. Where none does, the folder alone has to tell.

use crate::application::MigrationsFolder;
use crate::error::{Error, Result};
use crate::findings::LONGEST_NAME;
use crate::limits::stop::Stop;
use crate::migrations::dialects::Dialect;
use crate::migrations::dialects::user_version::{self, USER_VERSION};
use crate::migrations::diff::{Standing, compare};
use crate::migrations::discovery;
use crate::migrations::key::Key;
use crate::migrations::known::{Known, KnownSet, Script};
use crate::migrations::ledger::{Applied, Entry, Note};
use crate::migrations::recognise::{Layout, Recognised, Tool};
use crate::migrations::replay;
use crate::store::ReadOnly;
use crate::store::introspect;
use crate::text::words::cut;

/// Where a store stands among the migrations of a folder.
#[derive(Debug)]
pub(crate) struct Stands {
    /// Whose they are.
    pub(crate) dialect: &'static Dialect,
    /// The table that is the ledger; none where there is none yet, or the tool has none.
    pub(crate) ledger: Option<String>,
    /// The other tables that are some tool's ledger, and whose each is.
    pub(crate) other_ledgers: Vec<(&'static str, String)>,
    /// The other tools that the folder fits as well, where no ledger says which it is.
    pub(crate) or_of: Vec<&'static str>,
    /// The folder's migrations.
    pub(crate) set: KnownSet,
    /// How many of the migrations made what is in the store, where its ledger is empty and yet it has that.
    pub(super) never_recorded: Option<usize>,
    /// What else stands in the ledger.
    pub(crate) notes: Vec<Note>,
    /// How the two agree.
    pub(crate) standing: Standing,
}

/// A ledger that was found.
struct Found {
    dialect: &'static Dialect,
    layout: Layout,
    table: String,
    has_own_name: bool,
}

/// The tools that a folder may be meant for: the one that somebody named, or those that it looks like.
pub(crate) fn candidates(folder: &MigrationsFolder) -> Vec<&'static Dialect> {
    if let Some(dialect) = folder.dialect.and_then(Dialect::of_name) {
        return vec![dialect];
    }
    let possible = KnownSet::possible(&folder.folder);
    let can_be = |dialect: &&'static Dialect| KnownSet::of(&folder.folder, dialect).is_ok();
    let all: Vec<&'static Dialect> = possible.iter().copied().filter(can_be).collect();
    // Where it can be none of them, the first says why.
    if all.is_empty() { possible } else { all }
}

impl Stands {
    /// Where a store stands that this handle reads.
    ///
    /// # Errors
    /// [`Error::Ledger`] where nobody can tell, and what SQLite says.
    pub(crate) fn read(folder: &MigrationsFolder, handle: &ReadOnly, stop: &Stop) -> Result<Self> {
        let candidates = candidates(folder);
        let ledgers = discovery::ledgers_for(handle, &candidates)?;
        let mut stands = Self::among(folder, &candidates, &ledgers, handle, stop)?;
        let others = ledgers.into_iter().filter(|ledger| stands.ledger.as_ref() != Some(&ledger.table));
        stands.other_ledgers = others.map(|ledger| (ledger.tool.name(), ledger.table)).collect();
        stands.never_recorded = replay::never_recorded(folder, &stands, handle, stop)?;
        Ok(stands)
    }

    fn among(
        folder: &MigrationsFolder,
        candidates: &[&'static Dialect],
        ledgers: &[Recognised],
        handle: &ReadOnly,
        stop: &Stop,
    ) -> Result<Self> {
        if let Some(found) = find(folder, candidates, ledgers, handle)? {
            let applied = discovery::applied(handle, found.dialect, found.layout, &found.table)?;
            let applied = applied.map_err(|malformed| {
                let whose = whose(found.dialect.name, &found.table);
                Error::Ledger(format!("{whose} cannot be read as one: {malformed}"))
            })?;
            return Self::of(folder, found.dialect, Some(found.table), &applied);
        }
        let user_version = handle.number("PRAGMA user_version")?;
        let counts = user_version != 0 && !user_version::is_of_a_format(handle.number("PRAGMA application_id")?);
        if candidates.contains(&&USER_VERSION) && (counts || candidates.len() == 1) {
            let applied = user_version::applied(user_version)
                .ok_or_else(|| Error::Ledger(format!("user_version is {user_version}, and counts no migrations")))?;
            let stands = Self::of(folder, &USER_VERSION, None, &applied)?;
            // Where nobody says that it counts them, the store has to.
            if folder.dialect.is_none() && replay::nothing_is_there(folder, &stands, handle, stop)? {
                let makes = match stands.standing.applied.len() {
                    1 => "migration makes".to_owned(),
                    several => format!("{several} migrations make"),
                };
                return Err(Error::Ledger(format!(
                    "user_version is {user_version}, and the store has no table that the folder's first {makes}: it may count something else (--dialect user_version says that it counts them, and --ledger which table does)"
                )));
            }
            return Ok(stands);
        }
        if introspect::ordinary_tables(handle)?.names.is_empty() {
            return Self::of_nothing(folder);
        }
        let none = format!("none of them is a ledger of {}", names(candidates));
        if let Some(why) = why_not_counted(folder).filter(|_| counts) {
            return Err(Error::Ledger(format!(
                "user_version is {user_version} and may count its migrations, but {why}; it has tables, and {none} either (say which table it is with --ledger)"
            )));
        }
        Err(Error::Ledger(format!(
            "it has tables, and {none}: either its migrations were never recorded, or neither the name nor the columns of its ledger tell (say which table it is with --ledger)"
        )))
    }

    /// Where a store stands in which nothing is.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn of_nothing(folder: &MigrationsFolder) -> Result<Self> {
        let candidates = candidates(folder);
        let Some((first, others)) = candidates.split_first() else {
            return Err(Error::Ledger(NOBODYS.to_owned()));
        };
        let mut stands = Self::of(folder, first, None, &Applied::nothing())?;
        stands.or_of = others.iter().map(|dialect| dialect.name).collect();
        Ok(stands)
    }

    fn of(
        folder: &MigrationsFolder,
        dialect: &'static Dialect,
        ledger: Option<String>,
        applied: &Applied,
    ) -> Result<Self> {
        let set =
            KnownSet::of(&folder.folder, dialect).map_err(|not_for| Error::Ledger(format!("the folder: {not_for}")))?;
        Ok(Self {
            dialect,
            ledger,
            other_ledgers: Vec::new(),
            never_recorded: None,
            or_of: Vec::new(),
            standing: compare(&set, applied),
            set,
            notes: applied.notes.clone(),
        })
    }

    /// A migration as it is shown: as the folder calls it. Of one that stands in the ledger alone, no more than its number.
    pub(crate) fn shown(&self, key: &Key) -> String {
        match self.set.get(key) {
            Some(known) => cut(&known.shown(), LONGEST_NAME),
            None => key.shown().unwrap_or_else(|| "…".to_owned()),
        }
    }

    /// Migrations as they are shown.
    pub(crate) fn all_shown<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) -> Vec<String> {
        keys.into_iter().map(|key| self.shown(key)).collect()
    }

    /// What `user_version` counts, where it is all that tells what was applied.
    pub(crate) fn counted(&self) -> Option<String> {
        let is_all = self.dialect == &USER_VERSION;
        self.standing.unknown.first().filter(|_| is_all).map(|key| self.shown(key))
    }

    /// Who runs the migrations, as the subject of a sentence.
    pub(crate) fn runner(&self) -> &'static str {
        if self.dialect == &USER_VERSION {
            "the application"
        } else {
            self.dialect.name
        }
    }

    /// "sqlx's ledger `_sqlx_migrations`".
    pub(crate) fn whose(&self) -> String {
        match &self.ledger {
            Some(table) => whose(self.dialect.name, table),
            None if self.dialect == &USER_VERSION => "user_version".to_owned(),
            None => format!("{} (no ledger yet)", self.dialect.name),
        }
    }
}

/// Why `user_version` is not taken for a count of the folder's migrations.
fn why_not_counted(folder: &MigrationsFolder) -> Option<String> {
    let not_for = KnownSet::of(&folder.folder, &USER_VERSION).err()?;
    // Where no file is numbered, nobody ever counted them.
    Some(format!("{}: {}", not_for.file?.display(), not_for.what))
}

/// Why a folder is of no use.
pub(crate) const NOBODYS: &str = "nothing in it is named as the migrations of a known tool are";

/// "sqlx's ledger `_sqlx_migrations`".
pub(crate) fn whose(tool: &str, table: &str) -> String {
    let end = if tool.ends_with('s') { "'" } else { "'s" };
    format!("{tool}{end} ledger `{}`", cut(table, LONGEST_NAME))
}

/// "sqlx or D1".
fn names(dialects: &[&Dialect]) -> String {
    let names: Vec<&str> = dialects.iter().map(|dialect| dialect.name).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
        None => "any known tool".to_owned(),
    }
}

/// The store's ledger, where it has one.
fn find(
    folder: &MigrationsFolder,
    candidates: &[&'static Dialect],
    ledgers: &[Recognised],
    handle: &ReadOnly,
) -> Result<Option<Found>> {
    if let Some(table) = &folder.ledger {
        return told(table, candidates, handle);
    }
    if candidates == [&USER_VERSION] && folder.dialect.is_some() {
        return Ok(None);
    }
    let mut fitting = Vec::new();
    for Recognised {
        tool,
        table,
        has_own_name,
    } in ledgers
    {
        if let Tool::Understood(dialect, layout) = *tool
            && is_for(folder, candidates, dialect, layout, table, handle)?
        {
            fitting.push(Found {
                dialect,
                layout,
                table: table.clone(),
                has_own_name: *has_own_name,
            });
        }
    }
    // The likeliest stands first; of two that are as likely, nobody knows.
    let ambiguous = matches!(fitting.as_slice(), [first, second, ..] if first.has_own_name == second.has_own_name);
    match (fitting.first(), ledgers.first()) {
        (Some(_), _) if ambiguous => Err(Error::Ledger(format!(
            "several of its tables may be the ledger: {} (say which with --ledger)",
            fitting
                .iter()
                .take(3)
                .map(|found| whose(found.dialect.name, &found.table))
                .collect::<Vec<_>>()
                .join(", ")
        ))),
        (Some(_), _) => Ok(fitting.into_iter().next()),
        (None, None) => Ok(None),
        (None, Some(other)) => Err(Error::Ledger(format!(
            "the folder looks as if it were made for {}, and the store has {}{}",
            names(candidates),
            whose(other.tool.name(), &other.table),
            why_not_its(folder, other.tool)
        ))),
    }
}

/// Why a folder cannot be that of the tool whose ledger a store has, where that is known.
fn why_not_its(folder: &MigrationsFolder, tool: Tool) -> String {
    match tool {
        Tool::Understood(dialect, _) => match KnownSet::of(&folder.folder, dialect) {
            Err(not_for) => format!("; {not_for}"),
            Ok(_) => String::new(),
        },
        Tool::Named(named) => format!(", whose migrations are {}", named.migrations),
    }
}

/// Whether a folder can have been made for the tool that wrote a ledger: it looks like that, or the ledger's own migrations lie in it.
fn is_for(
    folder: &MigrationsFolder,
    candidates: &[&'static Dialect],
    dialect: &'static Dialect,
    layout: Layout,
    table: &str,
    handle: &ReadOnly,
) -> Result<bool> {
    if candidates.contains(&dialect) {
        return Ok(true);
    }
    let Ok(set) = KnownSet::of(&folder.folder, dialect) else {
        return Ok(false);
    };
    let Ok(applied) = discovery::applied(handle, dialect, layout, table)? else {
        return Ok(false);
    };
    let runs = |known: &Known| matches!(known.script, Script::Sql { .. });
    let lies_there = |entry: &Entry| set.get(&entry.key).is_some_and(runs);
    Ok(folder.dialect.is_none() && applied.entries.iter().any(lies_there))
}

/// The table of which somebody says that it is the ledger.
fn told(name: &str, candidates: &[&'static Dialect], handle: &ReadOnly) -> Result<Option<Found>> {
    let Some((table, recognised)) = discovery::table(handle, name)? else {
        if introspect::ordinary_tables(handle)?.names.is_empty() {
            return Ok(None);
        }
        return Err(Error::Ledger(format!("there is no ordinary table `{}` in it", cut(name, LONGEST_NAME))));
    };
    let name = table.name.clone();
    let found = |dialect, layout| Found {
        dialect,
        layout,
        table: name,
        has_own_name: true,
    };
    match recognised {
        Some(Tool::Understood(dialect, layout)) if candidates.contains(&dialect) => {
            return Ok(Some(found(dialect, layout)));
        }
        _ => {}
    }
    let has_columns = |dialect: &&'static Dialect| Some((*dialect, Layout::told(dialect, &table)?));
    match candidates.iter().find_map(has_columns) {
        Some((dialect, layout)) => Ok(Some(found(dialect, layout))),
        None => Err(Error::Ledger(format!(
            "`{}` has not the columns of a ledger of {}",
            cut(&table.name, LONGEST_NAME),
            names(candidates)
        ))),
    }
}
