//! Puts the differences between a ledger and a folder into sentences, for the report and for the gate.
//!
//! A deviation that the tool itself accepts is a note and no fault: a migration that was merged late, where the tool runs it all the
//! same, line ends that the tool does not look at, and a changed file that it does not look at where the store has the shape that the
//! files make.

use crate::application::FolderFault;
use crate::migrations::checksum::ContentChange;
use crate::migrations::dialects::Response;
use crate::migrations::diff::{DuplicateVersion, EditedMigration, NeverRunFile, NeverRunReason};
use crate::migrations::status::MigrationStatus;
use crate::migrations::status::file_label;
use crate::text::words::plural;

/// The most places that a sentence names.
const NAMED: usize = 3;

/// The result of comparing a ledger with a folder.
#[derive(Debug, Default)]
pub(crate) struct Agreement {
    /// The differences, the worst first.
    pub(crate) faults: Vec<Disagreement>,
    /// Remarks that are no fault.
    pub(crate) notes: Vec<String>,
}

/// Something in which a ledger and a folder do not agree.
#[derive(Debug)]
pub(crate) struct Disagreement {
    /// The kind of the difference.
    pub(crate) fault: FolderFault,
    /// The migration, where its key is a number.
    pub(crate) id: Option<i64>,
    /// A sentence.
    pub(crate) what: String,
}

impl MigrationStatus {
    /// Compares the ledger with the folder.
    pub(crate) fn agreement(&self) -> Agreement {
        let mut agreement = Agreement::default();
        agreement.gaps(self);
        agreement.missing(self);
        self.diff.twice.iter().for_each(|twice| agreement.twice(self, twice));
        self.diff.never_run.iter().for_each(|never| agreement.never_run(self, never));
        self.diff.edited.iter().for_each(|edited| agreement.edited(self, edited));
        // The sort is stable: of one kind, in the tool's order.
        agreement.faults.sort_by_key(|disagreement| disagreement.fault);
        agreement
    }
}

impl Agreement {
    fn add(&mut self, fault: FolderFault, id: Option<i64>, what: String) {
        self.faults.push(Disagreement { fault, id, what });
    }

    /// Adds the migrations that were never applied, though a later one was.
    fn gaps(&mut self, status: &MigrationStatus) {
        let gaps: Vec<String> = status.labels(&status.diff.gaps).collect();
        let tool = status.runner_name();
        match status.diff.on_gap {
            Response::Runs if !gaps.is_empty() => {
                let count = plural(gaps.len() as u64, "pending migration is", "pending migrations are");
                self.notes.push(format!(
                    "{count} older than the newest that is applied ({}): {tool} runs it all the same",
                    few(&gaps)
                ));
            }
            // Each is said as a file that is never run.
            Response::Ignores | Response::Runs | Response::Warns => {}
            Response::Refuses => {
                for gap in gaps {
                    let what =
                        format!("migration {gap} was never applied, though a later one was: {tool} refuses to run");
                    self.add(FolderFault::Gap, gap.parse().ok(), what);
                }
            }
        }
    }

    /// Adds the files that the tool reads before it runs anything and that do not exist.
    fn missing(&mut self, status: &MigrationStatus) {
        for known in status.set.not_there() {
            let what = format!(
                "{} is not there, and the journal names it: {} refuses to run",
                known.file_label(),
                status.runner_name()
            );
            self.add(FolderFault::NotThere, None, what);
        }
    }

    fn twice(&mut self, status: &MigrationStatus, twice: &DuplicateVersion) {
        let label = status.label(&twice.key);
        let files: Vec<String> = twice.files.iter().map(|file| file_label(file)).collect();
        let tool = status.runner_name();
        let then = match twice.response {
            Response::Refuses => format!("{tool} refuses to run"),
            Response::Runs | Response::Ignores | Response::Warns => {
                format!("{tool} runs one of them and forgets the other")
            }
        };
        let what = format!("several files have the version {label} ({}): {then}", few(&files));
        self.add(FolderFault::Twice, label.parse().ok(), what);
    }

    fn never_run(&mut self, status: &MigrationStatus, never: &NeverRunFile) {
        let why = match never.why {
            NeverRunReason::Older => "it is older than the newest migration that is applied",
            NeverRunReason::NotInJournal => "the journal does not name it",
        };
        let file = file_label(&never.file);
        let what = format!("{file} will never run: {why}, and {} does not mention it", status.runner_name());
        self.add(FolderFault::NeverRun, None, what);
    }

    fn edited(&mut self, status: &MigrationStatus, edited: &EditedMigration) {
        let label = status.label(&edited.key);
        let tool = status.runner_name();
        let file = status.set.get(&edited.key).map_or(String::new(), |known| {
            let file = known.file_label();
            if file.contains(&label) {
                String::new()
            } else {
                format!(" ({file})")
            }
        });
        let how = edited.difference.words();
        let then = match edited.response {
            Response::Refuses => format!("{tool} refuses to run"),
            Response::Warns => format!("{tool} warns of it and runs on"),
            Response::Runs | Response::Ignores => format!("{tool} takes no notice"),
        };
        let what = format!("migration {label}{file} is not the file that was applied: it differs {how}; {then}");
        match (edited.difference, edited.response) {
            (ContentChange::LineEnds, Response::Refuses) => self.add(FolderFault::LineEnds, label.parse().ok(), what),
            (ContentChange::LineEnds, _) => self.notes.push(what),
            (ContentChange::Content, _) if !edited.is_refused() && status.edits_keep_shape => self.notes.push(format!(
                "{what}, and the store has the shape that the files make today (comments, layout or rows may differ)"
            )),
            (ContentChange::Content, _) => self.add(FolderFault::Edited, label.parse().ok(), what),
        }
    }
}

fn few(names: &[String]) -> String {
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ") + &more
}
