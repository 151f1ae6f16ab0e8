//! The migration status of a store: which migrations are known, which table is the ledger, what it says, and what its tool would do.

use std::path::Path;

use crate::application::{Application, History, Migration, MigrationsFolder};
use crate::error::{Error, Result};
use crate::findings::LONGEST_NAME;
use crate::limits::stop::Stop;
use crate::migrations::dialects::built_in::{self, BUILT_IN};
use crate::migrations::dialects::drizzle::DRIZZLE;
use crate::migrations::dialects::user_version::{self, USER_VERSION};
use crate::migrations::dialects::{Dialect, Response};
use crate::migrations::diff::{LedgerDiff, compare, compare_keys};
use crate::migrations::discovery::{self, candidates, describe_ledger};
use crate::migrations::driver::Drivers;
use crate::migrations::foreign;
use crate::migrations::key::MigrationKey;
use crate::migrations::known::{KnownMigration, KnownSet, NotReplayable, Script, SkipReason};
use crate::migrations::ledger::{Applied, LedgerNote, LedgerState};
use crate::migrations::missing_rows::MissingRows;
use crate::migrations::recognise::LedgerMatch;
use crate::migrations::replay;
use crate::migrations::schema_state::{Compatibility, SchemaState};
use crate::migrations::steps::{ForeignKeys, Step, Steps};
use crate::store::ReadOnly;
use crate::store::introspect;
use crate::store::schema_rows::check_schema;
use crate::text::words::cut;

/// Tables that programs other than the application keep in its store: Litestream's.
pub(super) const THIRD_PARTY_TABLES: &[&str] = &["_litestream_lock", "_litestream_seq"];

/// The known migrations of an application, compared with those that one store's ledger has.
#[derive(Debug)]
pub(crate) struct MigrationStatus {
    /// The tool that runs the migrations.
    pub(crate) dialect: &'static Dialect,
    /// The table that is the ledger; `None` where the store has none yet, or the tool keeps none.
    pub(crate) ledger: Option<String>,
    /// The other tables that are ledgers, each with the name of its tool.
    pub(crate) other_ledgers: Vec<(&'static str, String)>,
    /// The other tools that the folder fits as well, where no ledger decides.
    pub(crate) other_tools: Vec<&'static str>,
    /// The known migrations.
    pub(crate) set: KnownSet,
    /// The number of migrations that made the tables of the store, where its ledger is empty.
    pub(super) never_recorded: Option<usize>,
    /// The table of the tool's lock, if that is held.
    pub(crate) held_lock: Option<&'static str>,
    /// True if files were changed of which the tool takes no notice, and the store has the shape that they make today.
    pub(super) edits_keep_shape: bool,
    /// The rows that are gone from the ledger of compiled-in migrations though their work is done.
    pub(crate) missing_rows: Option<MissingRows>,
    /// Remarks on the ledger's rows.
    pub(crate) notes: Vec<LedgerNote>,
    /// The known migrations compared with the applied ones.
    pub(crate) diff: LedgerDiff,
}

impl MigrationStatus {
    /// Reads the migration status of a store through a handle.
    ///
    /// # Errors
    /// Fails with [`Error::NothingKnown`] where no migrations are known, [`Error::DuplicateMigration`], [`Error::Ledger`] where the ledger is not the
    /// application's or none can be chosen, damage in the ledger's pages, and the time limit.
    pub(crate) fn read(application: &Application, handle: &ReadOnly, stop: &Stop) -> Result<Self> {
        match &application.history {
            History::NotKnown => Err(Error::NothingKnown),
            History::CompiledIn => {
                // Duplicate ids are rejected before anything is read.
                let set = KnownSet::compiled_in(&application.migrations)?;
                check_schema(handle)?;
                let ids = built_in::applied_ids(application, handle)?;
                if ids.is_none()
                    && let Some(foreign) = foreign::describe_foreign_store(application, handle)?
                {
                    return Err(Error::ForeignStore(foreign));
                }
                let mut status = Self::of_ids(application, set, ids);
                status.missing_rows = MissingRows::find(application, &status, handle)?;
                Ok(status)
            }
            History::InFolder(folder) => {
                check_schema(handle)?;
                Self::read_for_folder(folder, handle, stop)
            }
        }
    }

    /// Returns the status of a file of no bytes: everything is pending.
    ///
    /// # Errors
    /// Fails for the reasons within the known migrations of [`Self::read`].
    pub(crate) fn of_empty_file(application: &Application) -> Result<Self> {
        match &application.history {
            History::NotKnown => Err(Error::NothingKnown),
            History::CompiledIn => {
                let set = KnownSet::compiled_in(&application.migrations)?;
                Ok(Self::of_ids(application, set, None))
            }
            History::InFolder(folder) => Self::without_ledger(folder),
        }
    }

    /// Compares the compiled-in migrations with the ids of a ledger, which ascend; `None` where the store has no ledger.
    pub(crate) fn of_ids(application: &Application, set: KnownSet, ids: Option<Vec<i64>>) -> Self {
        let ledger = ids.is_some().then(|| application.ledger.table.to_string());
        let keys: Vec<MigrationKey> = ids.into_iter().flatten().map(MigrationKey::number).collect();
        Self {
            dialect: &BUILT_IN,
            ledger,
            other_ledgers: Vec::new(),
            other_tools: Vec::new(),
            never_recorded: None,
            held_lock: None,
            edits_keep_shape: false,
            missing_rows: None,
            notes: Vec::new(),
            diff: compare_keys(&set, &keys),
            set,
        }
    }

    fn read_for_folder(folder: &MigrationsFolder, handle: &ReadOnly, stop: &Stop) -> Result<Self> {
        let candidates = candidates(folder);
        let ledgers = discovery::ledgers_for(handle, &candidates)?;
        let mut status = Self::read_among(folder, &candidates, &ledgers, handle, stop)?;
        let others = ledgers.into_iter().filter(|ledger| status.ledger.as_ref() != Some(&ledger.table));
        status.other_ledgers = others.map(|ledger| (ledger.tool.name(), ledger.table)).collect();
        if let Some(lock) = status.dialect.lock.filter(|_| status.ledger.is_some())
            && discovery::is_held(handle, Some(lock))?
        {
            status.held_lock = Some(lock.name);
        }
        if status.diff.edited.iter().any(|edited| !edited.is_refused()) {
            status.edits_keep_shape = replay::has_applied_shape(folder, &status, handle, stop)?;
        }
        status.never_recorded = replay::count_unrecorded(folder, &status, handle, stop)?;
        Ok(status)
    }

    /// Reads the status by the ledger that fits the folder. Where there is none, `user_version` may count the migrations, and a store
    /// without tables has applied none; anything else cannot be told.
    fn read_among(
        folder: &MigrationsFolder,
        candidates: &[&'static Dialect],
        ledgers: &[LedgerMatch],
        handle: &ReadOnly,
        stop: &Stop,
    ) -> Result<Self> {
        if let Some(found) = discovery::choose_ledger(folder, candidates, ledgers, handle)? {
            let applied = discovery::read_ledger(handle, found.dialect, found.layout, &found.table)?;
            let applied = applied.map_err(|malformed| {
                let whose = describe_ledger(found.dialect.name, &found.table);
                Error::Ledger(format!("{whose} cannot be read as one: {malformed}"))
            })?;
            return Self::of_ledger(folder, found.dialect, Some(found.table), &applied);
        }
        let user_version = handle.number("PRAGMA user_version")?;
        let counts = user_version != 0 && !user_version::is_of_a_format(handle.number("PRAGMA application_id")?);
        let counted = candidates.iter().copied().find(|dialect| *dialect == &USER_VERSION);
        if let Some(dialect) = counted.filter(|_| counts || candidates.len() == 1) {
            let applied = user_version::applied(user_version)
                .ok_or_else(|| Error::Ledger(format!("user_version is {user_version}, and counts no migrations")))?;
            let status = Self::of_ledger(folder, dialect, None, &applied)?;
            // `user_version` may count anything. Unless --dialect says that it counts migrations, the store's tables have to show it.
            if folder.dialect.is_none() && replay::lacks_every_table(folder, &status, handle, stop)? {
                let makes = match status.diff.applied.len() {
                    1 => "migration makes".to_owned(),
                    several => format!("{several} migrations make"),
                };
                return Err(Error::Ledger(format!(
                    "user_version is {user_version}, and the store has no table that the folder's first {makes}: it may count something else (--dialect user_version says that it counts them, and --ledger which table does)"
                )));
            }
            return Ok(status);
        }
        if introspect::ordinary_tables(handle)?.names.is_empty() {
            return Self::without_ledger(folder);
        }
        let none = format!("none of them is a ledger of {}", discovery::tool_names(candidates));
        if let Some(why) = why_not_a_count(folder).filter(|_| counts) {
            return Err(Error::Ledger(format!(
                "user_version is {user_version} and may count its migrations, but {why}; it has tables, and {none} either (say which table it is with --ledger)"
            )));
        }
        Err(Error::Ledger(format!(
            "it has tables, and {none}: either its migrations were never recorded, or neither the name nor the columns of its ledger tell (say which table it is with --ledger)"
        )))
    }

    /// Returns the status of a store without a ledger and without tables. Where several tools fit the folder, the likeliest counts.
    fn without_ledger(folder: &MigrationsFolder) -> Result<Self> {
        let candidates = candidates(folder);
        let Some((first, others)) = candidates.split_first() else {
            return Err(Error::Ledger(discovery::NO_KNOWN_TOOL.to_owned()));
        };
        let mut status = Self::of_ledger(folder, first, None, &Applied::nothing())?;
        status.other_tools = others.iter().map(|dialect| dialect.name).collect();
        Ok(status)
    }

    fn of_ledger(
        folder: &MigrationsFolder,
        dialect: &'static Dialect,
        ledger: Option<String>,
        applied: &Applied,
    ) -> Result<Self> {
        let set = KnownSet::of(&folder.folder, dialect)
            .map_err(|mismatch| Error::Ledger(format!("the folder: {mismatch}")))?;
        Ok(Self {
            dialect,
            ledger,
            other_ledgers: Vec::new(),
            never_recorded: None,
            held_lock: None,
            edits_keep_shape: false,
            missing_rows: None,
            other_tools: Vec::new(),
            diff: compare(&set, applied),
            set,
            notes: applied.notes.clone(),
        })
    }

    /// Returns true where the migrations are compiled in, and their ids are numbers.
    pub(crate) fn is_built_in(&self) -> bool {
        self.dialect == &BUILT_IN
    }

    /// Returns the compiled-in migrations that are applied.
    pub(crate) fn applied_migrations(&self, application: &Application) -> Vec<Migration> {
        let is_applied = |migration: &&Migration| self.diff.applied.contains(&MigrationKey::number(migration.id));
        application.migrations().iter().filter(is_applied).cloned().collect()
    }

    /// Returns the status of compiled-in migrations by their ids alone.
    pub(crate) fn schema_state(&self) -> SchemaState {
        let LedgerDiff {
            applied,
            pending,
            unknown,
            ..
        } = &self.diff;
        let ids = |keys: &[MigrationKey]| -> Vec<i64> { keys.iter().filter_map(MigrationKey::id).collect() };
        let mut all = ids(applied);
        all.extend(ids(unknown));
        all.sort_unstable();
        SchemaState {
            compatibility: Compatibility::of(&self.diff),
            applied: all,
            known_max: self.set.known.last().and_then(|known| known.key.id()).unwrap_or(0),
            pending: ids(pending),
            unknown: ids(unknown),
        }
    }

    /// Returns the number of migrations in the ledger.
    pub(crate) fn ledger_len(&self) -> u64 {
        (self.diff.applied.len() + self.diff.unknown.len()) as u64
    }

    /// Returns a migration's name for a report: as the folder has it. Of one that is in the ledger alone, no more than its number.
    pub(crate) fn label(&self, key: &MigrationKey) -> String {
        match self.set.get(key) {
            Some(known) => cut(&known.label(), LONGEST_NAME),
            None => key.redacted().unwrap_or_else(|| "…".to_owned()),
        }
    }

    /// Returns the names of migrations for a report, made one by one: there may be a million.
    pub(crate) fn labels<'a>(&'a self, keys: &'a [MigrationKey]) -> impl ExactSizeIterator<Item = String> + 'a {
        keys.iter().map(|key| self.label(key))
    }

    /// Returns the number in `user_version`, if it counts more migrations than the folder has.
    pub(crate) fn user_version_count(&self) -> Option<String> {
        let is_all = self.dialect == &USER_VERSION;
        self.diff.unknown.first().filter(|_| is_all).map(|key| self.label(key))
    }

    /// Returns the name of the program that runs the migrations, as the subject of a sentence.
    pub(crate) fn runner_name(&self) -> &'static str {
        if self.dialect == &USER_VERSION {
            "the application"
        } else {
            self.dialect.name
        }
    }

    /// Returns the ledger with its owner: "sqlx's ledger `_sqlx_migrations`".
    pub(crate) fn ledger_label(&self) -> String {
        match &self.ledger {
            Some(table) => describe_ledger(self.dialect.name, table),
            None if self.dialect == &USER_VERSION => "user_version".to_owned(),
            None => format!("{} (no ledger yet)", self.dialect.name),
        }
    }

    /// Returns the folder's migrations as the ledger divides them, without those that cannot be replayed.
    pub(crate) fn steps(&self, folder: &MigrationsFolder) -> Steps {
        let of = |keys: &[MigrationKey]| keys.iter().filter_map(|key| self.step(key)).collect();
        // libSQL's migrator switches foreign keys off itself.
        let is_for_libsql = self.dialect == &DRIZZLE && self.set.is_for_libsql();
        let own_tables = self.dialect.own_tables.iter().chain(THIRD_PARTY_TABLES).map(|table| (*table).to_owned());
        Steps {
            applied: of(&self.diff.applied),
            pending: of(&self.diff.pending),
            ledgers: self.ledgers().cloned().chain(own_tables).collect(),
            foreign_keys: match folder.foreign_keys {
                None => ForeignKeys::Usual(self.dialect.foreign_keys && !is_for_libsql),
                Some(true) => ForeignKeys::On,
                Some(false) => ForeignKeys::Off,
            },
            in_wal_mode: None,
            drivers: Drivers::of(self.dialect, is_for_libsql),
        }
    }

    /// Returns every table that is a ledger.
    fn ledgers(&self) -> impl Iterator<Item = &String> {
        self.ledger.iter().chain(self.other_ledgers.iter().map(|(_, table)| table))
    }

    /// Returns the migration that the ledger calls dirty or failed, where it can be replayed.
    pub(crate) fn step_in_doubt(&self) -> Option<Step> {
        match &self.diff.state {
            LedgerState::Dirty(key) | LedgerState::Failed(key) => self.step(key),
            LedgerState::Clean => None,
        }
    }

    fn step(&self, key: &MigrationKey) -> Option<Step> {
        let known = self.set.get(key)?;
        let Script::Sql { batches, transaction } = &known.script else {
            return None;
        };
        let label = self.label(key);
        Some(Step {
            name: if label.contains(&known.name) {
                String::new()
            } else {
                cut(&known.name, LONGEST_NAME)
            },
            key: label,
            file: file_label(&known.file),
            batches: batches.clone(),
            is_outside: known.is_outside,
            transaction: *transaction,
        })
    }

    /// Returns the reason why these migrations cannot be replayed, for the first that cannot: "`00002_seed.go` is a step in Go".
    pub(crate) fn not_replayable(&self, keys: &[MigrationKey]) -> Option<String> {
        let concerns = |other: &NotReplayable| {
            let has_migration = self.set.get(&other.key).is_some();
            // Code without a migration of its own runs somewhere on the way to what comes after it.
            keys.contains(&other.key) || (!has_migration && is_among(&other.key, keys))
        };
        let all = self.set.not_replayable();
        let mut found = all.iter().filter(|other| concerns(other));
        let first = found.next()?;
        let more = match found.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        Some(format!("{} {}{more}", file_label(&first.file), first.why.words()))
    }

    /// Returns the first applied file that was not read, with the reason: "`1_a.sql` is not UTF-8 text".
    pub(crate) fn not_compared(&self) -> Option<String> {
        self.diff
            .applied
            .iter()
            .filter_map(|key| self.set.get(key))
            .find_map(|known| match &known.script {
                Script::NotReplayable(SkipReason::Refused(refusal)) if known.checksums.own.is_empty() => {
                    Some(format!("{} {refusal}", known.file_label()))
                }
                _ => None,
            })
    }

    /// Returns the reason why the tool would run nothing on this store; `None` if it would run.
    pub(crate) fn refusal(&self) -> Option<String> {
        let Self { diff, dialect, .. } = self;
        let first = |keys: &[MigrationKey]| keys.first().map(|key| self.label(key));
        match &diff.state {
            LedgerState::Dirty(key) => return Some(format!("version {} is dirty", self.label(key))),
            LedgerState::Failed(key) => return Some(format!("migration {} failed", self.label(key))),
            LedgerState::Clean => {}
        }
        if let Some(lock) = self.held_lock {
            return Some(format!("its lock `{lock}` is held"));
        }
        if let Some(known) = self.set.not_there().next() {
            return Some(format!("{} is not there, and the journal names it", known.file_label()));
        }
        if let Some(twice) = diff.twice.iter().find(|twice| twice.response == Response::Refuses) {
            return Some(format!("several files have the version {}", self.label(&twice.key)));
        }
        if let Some(edited) = diff.edited.iter().find(|edited| edited.response == Response::Refuses) {
            let how = edited.difference.words();
            return Some(format!(
                "migration {} is not the one that was applied: it differs {how}",
                self.label(&edited.key)
            ));
        }
        if dialect.unknown == Response::Refuses
            && let Some(unknown) = first(&diff.unknown)
        {
            return Some(format!("migration {unknown} is applied, and not in the folder"));
        }
        let gap = first(&diff.gaps).filter(|_| diff.on_gap == Response::Refuses)?;
        Some(format!("migration {gap} was never applied, and a later one is"))
    }
}

/// Returns the reason why `user_version` is not taken for a count of the folder's migrations, where a file is the reason.
fn why_not_a_count(folder: &MigrationsFolder) -> Option<String> {
    let mismatch = KnownSet::of(&folder.folder, &USER_VERSION).err()?;
    // A folder without a numbered file was never counted.
    Some(format!("{}: {}", mismatch.file?.display(), mismatch.what))
}

/// Returns true where a key lies between the lowest and the highest of these.
fn is_among(key: &MigrationKey, keys: &[MigrationKey]) -> bool {
    let lowest = keys.iter().min();
    let highest = keys.iter().max();
    lowest.is_some_and(|lowest| key >= lowest) && highest.is_some_and(|highest| key <= highest)
}

/// Returns the path of a file below the folder, for a report.
pub(crate) fn file_label(file: &Path) -> String {
    cut(&file.to_string_lossy(), LONGEST_NAME)
}

impl KnownMigration {
    /// Returns its file, for a report.
    pub(crate) fn file_label(&self) -> String {
        file_label(&self.file)
    }
}
