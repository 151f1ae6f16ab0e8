//! A folder's migrations as the engine takes them, and what cannot be handed to it.

use std::borrow::Cow;
use std::path::Path;

use crate::application::MigrationsFolder;
use crate::findings::LONGEST_NAME;
use crate::migrations::dialects::Response;
use crate::migrations::key::Key;
use crate::migrations::known::{Known, NotReplayable, Script};
use crate::migrations::ledger::State;
use crate::migrations::status::Stands;
use crate::migrations::steps::{ForeignKeys, Step, Steps};
use crate::text::words::cut;

/// Tables that other programs than the application keep in its store: Litestream's.
const NOBODYS_TABLES: &[&str] = &["_litestream_lock", "_litestream_seq"];

impl Stands {
    /// The folder's migrations as the ledger divides them, without those that cannot be replayed.
    pub(crate) fn steps(&self, folder: &MigrationsFolder) -> Steps {
        let of = |keys: &[Key]| keys.iter().filter_map(|key| self.step(key)).collect();
        let own_tables = self.dialect.own_tables.iter().chain(NOBODYS_TABLES).map(|table| (*table).to_owned());
        Steps {
            applied: of(&self.standing.applied),
            pending: of(&self.standing.pending),
            ledgers: self.ledgers().cloned().chain(own_tables).collect(),
            foreign_keys: match folder.foreign_keys {
                None => ForeignKeys::Usual(self.dialect.foreign_keys),
                Some(true) => ForeignKeys::On,
                Some(false) => ForeignKeys::Off,
            },
            in_wal_mode: None,
        }
    }

    /// Every table that is a ledger.
    fn ledgers(&self) -> impl Iterator<Item = &String> {
        self.ledger.iter().chain(self.other_ledgers.iter().map(|(_, table)| table))
    }

    /// The migration that the ledger says did not come to its end, as far as it can be replayed.
    pub(crate) fn step_in_doubt(&self) -> Option<Step> {
        match &self.standing.state {
            State::Dirty(key) | State::Failed(key) => self.step(key),
            State::Clean => None,
        }
    }

    fn step(&self, key: &Key) -> Option<Step> {
        let known = self.set.get(key)?;
        let Script::Sql { batches, transaction } = &known.script else {
            return None;
        };
        let shown = self.shown(key);
        Some(Step {
            name: if shown.contains(&known.name) {
                String::new()
            } else {
                cut(&known.name, LONGEST_NAME)
            },
            key: shown,
            file: shown_file(&known.file),
            batches: batches.iter().cloned().map(Cow::Owned).collect(),
            transaction: *transaction,
        })
    }

    /// Why these migrations cannot be replayed, for the first that cannot: "`00002_seed.go` is a step in Go".
    pub(crate) fn not_replayable(&self, keys: &[Key]) -> Option<String> {
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
        Some(format!("{} {}{more}", shown_file(&first.file), first.why.words()))
    }

    /// Why the tool would run nothing on this store; none where it would.
    pub(crate) fn refusal(&self) -> Option<String> {
        let Self { standing, dialect, .. } = self;
        let first = |keys: &[Key]| keys.first().map(|key| self.shown(key));
        match &standing.state {
            State::Dirty(key) => return Some(format!("version {} is dirty", self.shown(key))),
            State::Failed(key) => return Some(format!("migration {} failed", self.shown(key))),
            State::Clean => {}
        }
        if let Some(known) = self.set.not_there().next() {
            return Some(format!("{} is not there, and the journal names it", known.shown_file()));
        }
        if let Some(twice) = standing.twice.iter().find(|twice| twice.response == Response::Refuses) {
            return Some(format!("several files have the version {}", self.shown(&twice.key)));
        }
        if let Some(edited) = standing.edited.iter().find(|edited| edited.response == Response::Refuses) {
            let how = edited.difference.words();
            return Some(format!(
                "migration {} is not the one that was applied: it differs {how}",
                self.shown(&edited.key)
            ));
        }
        if dialect.unknown == Response::Refuses
            && let Some(unknown) = first(&standing.unknown)
        {
            return Some(format!("migration {unknown} is applied, and not in the folder"));
        }
        let gap = first(&standing.gaps).filter(|_| standing.on_gap == Response::Refuses)?;
        Some(format!("migration {gap} was never applied, and a later one is"))
    }
}

/// Whether a key lies at or below the highest of these.
fn is_among(key: &Key, keys: &[Key]) -> bool {
    let lowest = keys.iter().min();
    let highest = keys.iter().max();
    lowest.is_some_and(|lowest| key >= lowest) && highest.is_some_and(|highest| key <= highest)
}

/// A file below the folder, as it is shown.
pub(crate) fn shown_file(file: &Path) -> String {
    cut(&file.to_string_lossy(), LONGEST_NAME)
}

impl Known {
    /// Its file, as it is shown.
    pub(crate) fn shown_file(&self) -> String {
        shown_file(&self.file)
    }
}
