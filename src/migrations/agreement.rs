//! Where a ledger and a folder do not agree, in sentences: what a report says of it, and why the gate gives the store to nobody.
//!
//! What the tool itself takes as it comes is told and is no fault: a migration that was merged late, where the tool runs it all the
//! same, and line ends that the tool does not look at.

use crate::application::FolderFault;
use crate::migrations::checksum::Difference;
use crate::migrations::dialects::Response;
use crate::migrations::diff::{Edited, NeverRun, NeverRunWhy, Twice};
use crate::migrations::plan::shown_file;
use crate::migrations::status::Stands;
use crate::text::words::plural;

/// How many places a sentence names.
const NAMED: usize = 3;

/// How a ledger and a folder agree.
#[derive(Debug, Default)]
pub(crate) struct Agreement {
    /// Where they do not, the worst first.
    pub(crate) faults: Vec<Disagreement>,
    /// What is no fault, and worth a word.
    pub(crate) notes: Vec<String>,
}

/// Something in which a ledger and a folder do not agree.
#[derive(Debug)]
pub(crate) struct Disagreement {
    /// Of which kind it is.
    pub(crate) fault: FolderFault,
    /// The migration, where its key is a number.
    pub(crate) id: Option<i64>,
    /// A sentence.
    pub(crate) what: String,
}

impl Stands {
    /// How the ledger and the folder agree.
    pub(crate) fn agreement(&self) -> Agreement {
        let mut agreement = Agreement::default();
        agreement.gaps(self);
        agreement.missing(self);
        self.standing.twice.iter().for_each(|twice| agreement.twice(self, twice));
        self.standing.never_run.iter().for_each(|never| agreement.never_run(self, never));
        self.standing.edited.iter().for_each(|edited| agreement.edited(self, edited));
        // The sort is stable: of one kind, in the tool's order.
        agreement.faults.sort_by_key(|disagreement| disagreement.fault);
        agreement
    }
}

impl Agreement {
    fn add(&mut self, fault: FolderFault, id: Option<i64>, what: String) {
        self.faults.push(Disagreement { fault, id, what });
    }

    /// Migrations that were never applied, though a later one was.
    fn gaps(&mut self, stands: &Stands) {
        let gaps = stands.all_shown(&stands.standing.gaps);
        let tool = stands.runner();
        match stands.standing.on_gap {
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

    /// Files that the tool reads before it runs anything.
    fn missing(&mut self, stands: &Stands) {
        for known in stands.set.not_there() {
            let what = format!(
                "{} is not there, and the journal names it: {} refuses to run",
                known.shown_file(),
                stands.runner()
            );
            self.add(FolderFault::NotThere, None, what);
        }
    }

    fn twice(&mut self, stands: &Stands, twice: &Twice) {
        let shown = stands.shown(&twice.key);
        let files: Vec<String> = twice.files.iter().map(|file| shown_file(file)).collect();
        let tool = stands.runner();
        let then = match twice.response {
            Response::Refuses => format!("{tool} refuses to run"),
            Response::Runs | Response::Ignores | Response::Warns => {
                format!("{tool} runs one of them and forgets the other")
            }
        };
        let what = format!("several files have the version {shown} ({}): {then}", few(&files));
        self.add(FolderFault::Twice, shown.parse().ok(), what);
    }

    fn never_run(&mut self, stands: &Stands, never: &NeverRun) {
        let why = match never.why {
            NeverRunWhy::Older => "it is older than the newest migration that is applied",
            NeverRunWhy::NotInJournal => "the journal does not name it",
        };
        let file = shown_file(&never.file);
        let what = format!("{file} will never run: {why}, and {} does not mention it", stands.runner());
        self.add(FolderFault::NeverRun, None, what);
    }

    fn edited(&mut self, stands: &Stands, edited: &Edited) {
        let shown = stands.shown(&edited.key);
        let tool = stands.runner();
        let file = stands.set.get(&edited.key).map_or(String::new(), |known| {
            let file = known.shown_file();
            if file.contains(&shown) {
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
        let what = format!("migration {shown}{file} is not the file that was applied: it differs {how}; {then}");
        match (edited.difference, edited.response) {
            (Difference::LineEnds, Response::Refuses) => self.add(FolderFault::LineEnds, shown.parse().ok(), what),
            (Difference::LineEnds, _) => self.notes.push(what),
            (Difference::Content, _) => self.add(FolderFault::Edited, shown.parse().ok(), what),
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
