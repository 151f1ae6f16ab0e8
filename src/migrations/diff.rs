//! Compares the known migrations with the ledger, and records what the tool itself would do about each difference.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use crate::migrations::checksum::ContentChange;
use crate::migrations::dialects::Response;
use crate::migrations::key::MigrationKey;
use crate::migrations::known::{KnownMigration, KnownSet};
use crate::migrations::ledger::{Applied, LedgerState, Reach};

/// The known migrations compared with those of a ledger. The lists are in the tool's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LedgerDiff {
    /// Applied, and in the folder. A migration that [`LedgerDiff::state`] calls dirty or failed is in none of the lists.
    pub(crate) applied: Vec<MigrationKey>,
    /// In the folder, not applied, and what the tool would run next.
    pub(crate) pending: Vec<MigrationKey>,
    /// Applied or begun, and not in the folder.
    pub(crate) unknown: Vec<MigrationKey>,
    /// In the folder and not applied, though a later one is. Where the tool runs them all the same, they are also pending.
    pub(crate) gaps: Vec<MigrationKey>,
    /// The tool's response to the gaps.
    pub(crate) on_gap: Response,
    /// The files that the tool will never run, and never mention.
    pub(crate) never_run: Vec<NeverRunFile>,
    /// The number of applied migrations with a checksum that could be compared.
    pub(crate) compared: usize,
    /// Applied, and changed since.
    pub(crate) edited: Vec<EditedMigration>,
    /// Several files of one version.
    pub(crate) twice: Vec<DuplicateVersion>,
    /// The state that the ledger itself records.
    pub(crate) state: LedgerState,
}

/// A file that the tool will never run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NeverRunFile {
    /// The file, below the folder.
    pub(crate) file: PathBuf,
    /// The key that it would have.
    pub(crate) key: Option<MigrationKey>,
    /// The reason.
    pub(crate) why: NeverRunReason,
}

/// The reason why a file is never run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NeverRunReason {
    /// It is older than the newest migration that was applied.
    Older,
    /// The journal does not name it.
    NotInJournal,
}

/// A file that was changed after it had been applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EditedMigration {
    /// The migration.
    pub(crate) key: MigrationKey,
    /// The difference between the file and the one that was applied.
    pub(crate) difference: ContentChange,
    /// The tool's response to it.
    pub(crate) response: Response,
}

impl EditedMigration {
    /// Returns true if the tool runs nothing because of it.
    pub(crate) fn is_refused(&self) -> bool {
        self.response == Response::Refuses
    }
}

/// Several files of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DuplicateVersion {
    /// The version.
    pub(crate) key: MigrationKey,
    /// The files, below the folder.
    pub(crate) files: Vec<PathBuf>,
    /// The tool's response to it.
    pub(crate) response: Response,
}

/// Compares a tool's migrations with what was applied.
pub(crate) fn compare(set: &KnownSet, applied: &Applied) -> LedgerDiff {
    let aligned = set.dialect.rules.aligned.map(|aligned| aligned(set, applied.clone()));
    let applied = aligned.as_ref().unwrap_or(applied);
    let latest = applied.keys().max();
    let is_applied = Ledgered::new(applied);
    let mut diff = LedgerDiff {
        applied: Vec::new(),
        pending: Vec::new(),
        unknown: Vec::new(),
        gaps: Vec::new(),
        on_gap: set.on_gap,
        never_run: Vec::new(),
        compared: 0,
        edited: Vec::new(),
        twice: twice(set),
        state: applied.state.clone(),
    };
    let mut seen = HashSet::new();
    // Where migrations name those before them, these tell what is late; elsewhere it is the order.
    let behind = set.is_graph().then(|| set.behind(&applied.keys().cloned().collect::<Vec<_>>()));
    let is_late = |known: &KnownMigration| match &behind {
        Some(behind) => behind.contains(&known.key),
        None => latest.is_some_and(|latest| known.key < *latest) && !known.in_any_order,
    };
    for known in &set.known {
        if !seen.insert(&known.key) {
            continue;
        }
        if is_in_doubt(&applied.state, &known.key) {
            // It was begun: whether anything of it is there is not for the ledger to say.
        } else if is_applied.holds(&known.key) {
            diff.applied.push(known.key.clone());
        } else if applied.is_undecided {
            // It is in none of the lists.
        } else if is_late(known) {
            diff.gaps.push(known.key.clone());
            match set.on_gap {
                Response::Runs => diff.pending.push(known.key.clone()),
                Response::Refuses | Response::Warns => {}
                Response::Ignores => diff.never_run.push(NeverRunFile {
                    file: known.file.clone(),
                    key: Some(known.key.clone()),
                    why: NeverRunReason::Older,
                }),
            }
        } else {
            diff.pending.push(known.key.clone());
        }
    }
    diff.unknown = applied.keys().filter(|key| !seen.contains(key)).cloned().collect();
    if let LedgerState::Dirty(key) | LedgerState::Failed(key) = &applied.state {
        // The version that golang-migrate was at work on, or the one that failed, may be a later release's.
        let nothing = key.as_number() == Some(-1);
        if !nothing && !seen.contains(key) && !diff.unknown.contains(key) {
            diff.unknown.push(key.clone());
        }
    }
    (diff.compared, diff.edited) = edited(set, applied);
    diff.never_run.extend(set.unlisted.iter().map(|file| NeverRunFile {
        file: file.clone(),
        key: None,
        why: NeverRunReason::NotInJournal,
    }));
    diff
}

/// Compares the migrations that are compiled in with the keys of a ledger, which ascend. Linear in both: a ledger may hold a million
/// ids that are not known.
pub(super) fn compare_keys(set: &KnownSet, ledger: &[MigrationKey]) -> LedgerDiff {
    let keys = set.known.iter().map(|known| known.key.clone());
    let (applied, pending): (Vec<_>, Vec<_>) = keys.partition(|key| ledger.binary_search(key).is_ok());
    let is_below_applied = |key: &&MigrationKey| applied.last().is_some_and(|highest| *key < highest);
    LedgerDiff {
        unknown: ledger.iter().filter(|key| set.get(key).is_none()).cloned().collect(),
        gaps: pending.iter().filter(is_below_applied).cloned().collect(),
        applied,
        pending,
        on_gap: set.on_gap,
        never_run: Vec::new(),
        compared: 0,
        edited: Vec::new(),
        twice: Vec::new(),
        state: LedgerState::Clean,
    }
}

/// Returns true if the ledger records that this migration did not come to its end.
fn is_in_doubt(state: &LedgerState, key: &MigrationKey) -> bool {
    matches!(state, LedgerState::Dirty(begun) | LedgerState::Failed(begun) if begun == key)
}

/// The keys that a ledger holds.
struct Ledgered<'a> {
    each: HashSet<&'a MigrationKey>,
    up_to: Option<MigrationKey>,
}

impl<'a> Ledgered<'a> {
    fn new(applied: &'a Applied) -> Self {
        let up_to = match (applied.reach, &applied.state) {
            (Reach::Each | Reach::Behind, _) => None,
            // It was at work from the version before towards this one: all before it are applied.
            (Reach::UpTo, LedgerState::Dirty(key)) => Some(key.clone()),
            (Reach::UpTo, _) => applied.keys().max().cloned(),
        };
        Self {
            each: applied.keys().collect(),
            up_to,
        }
    }

    fn holds(&self, key: &MigrationKey) -> bool {
        self.each.contains(key) || self.up_to.as_ref().is_some_and(|latest| key <= latest)
    }
}

/// Returns the number of files that could be compared with what was applied, and those that differ.
fn edited(set: &KnownSet, applied: &Applied) -> (usize, Vec<EditedMigration>) {
    let checksums: HashMap<&MigrationKey, &str> = applied
        .entries
        .iter()
        .filter_map(|entry| Some((&entry.key, entry.checksum.as_deref()?)))
        .collect();
    // A file that could not be read has no checksum to compare.
    let comparable = |known: &&KnownMigration| !known.checksums.own.is_empty() && checksums.contains_key(&known.key);
    let compared: Vec<&KnownMigration> = set.known.iter().filter(comparable).collect();
    let differs = |known: &&KnownMigration| {
        let difference = known.checksums.differ_from(checksums.get(&known.key)?)?;
        let taken_for_same = difference == ContentChange::LineEnds && known.checksums.tool_takes_other_line_ends;
        Some(EditedMigration {
            key: known.key.clone(),
            difference,
            response: if taken_for_same {
                Response::Ignores
            } else {
                set.dialect.edited
            },
        })
    };
    let mut edited: Vec<EditedMigration> = compared.iter().filter_map(differs).collect();
    // Of several files of one version, the applied one may have been another: a version is edited only when none of its files match.
    let same: HashSet<&MigrationKey> =
        compared.iter().filter(|known| differs(known).is_none()).map(|known| &known.key).collect();
    edited.retain(|edited| !same.contains(&edited.key));
    edited.dedup_by(|a, b| a.key == b.key);
    (compared.len(), edited)
}

fn twice(set: &KnownSet) -> Vec<DuplicateVersion> {
    let mut files: BTreeMap<&MigrationKey, Vec<PathBuf>> = BTreeMap::new();
    for known in &set.known {
        files.entry(&known.key).or_default().push(known.file.clone());
    }
    let several = files.into_iter().filter(|(_, files)| files.len() > 1);
    several
        .map(|(key, files)| DuplicateVersion {
            key: key.clone(),
            files,
            response: set.dialect.twice,
        })
        .collect()
}
