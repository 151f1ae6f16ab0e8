//! Do the ledger and the application's folder agree?
//!
//! What the tool itself takes as it comes is told and is no failure: a migration that was merged late, where the tool runs it all the
//! same, and line ends that the tool does not look at.

use crate::application::{FolderFault, Problem};
use crate::check::{Finding, Findings, Outcome};
use crate::dialects::{Difference, Edited, NeverRun, NeverRunWhy, Response, Stands, Twice, shown_file};
use crate::words::plural;

/// How many places the detail names.
const NAMED: usize = 3;

pub(super) fn look(stands: &Stands) -> Outcome {
    let mut agreement = Agreement {
        stands,
        faults: Vec::new(),
        notes: Vec::new(),
    };
    agreement.gaps();
    stands.standing.twice.iter().for_each(|twice| agreement.twice(twice));
    stands.standing.never_run.iter().for_each(|never| agreement.never_run(never));
    stands.standing.edited.iter().for_each(|edited| agreement.edited(edited));
    agreement.outcome()
}

struct Agreement<'a> {
    stands: &'a Stands,
    /// What does not agree, and where.
    faults: Vec<(FolderFault, Option<i64>, String)>,
    notes: Vec<String>,
}

impl Agreement<'_> {
    fn tool(&self) -> &'static str {
        self.stands.runner()
    }

    /// Migrations that were never applied, though a later one was.
    fn gaps(&mut self) {
        let gaps = self.stands.all_shown(&self.stands.standing.gaps);
        let tool = self.tool();
        match self.stands.standing.on_gap {
            Response::Runs if !gaps.is_empty() => {
                let count = plural(gaps.len() as u64, "pending migration is", "pending migrations are");
                self.notes.push(format!(
                    "{count} older than the newest that is applied ({}): {tool} runs it all the same",
                    few(&gaps)
                ));
            }
            // Each is said as a file that is never run.
            Response::Ignores | Response::Runs => {}
            Response::Refuses => {
                for gap in gaps {
                    let what =
                        format!("migration {gap} was never applied, though a later one was: {tool} refuses to run");
                    self.faults.push((FolderFault::Gap, gap.parse().ok(), what));
                }
            }
        }
    }

    fn twice(&mut self, twice: &Twice) {
        let shown = self.stands.shown(&twice.key);
        let files: Vec<String> = twice.files.iter().map(|file| shown_file(file)).collect();
        let tool = self.tool();
        let then = match twice.response {
            Response::Refuses => format!("{tool} refuses to run"),
            Response::Runs | Response::Ignores => format!("{tool} runs one of them and forgets the other"),
        };
        let what = format!("several files have the version {shown} ({}): {then}", few(&files));
        self.faults.push((FolderFault::Twice, shown.parse().ok(), what));
    }

    fn never_run(&mut self, never: &NeverRun) {
        let why = match never.why {
            NeverRunWhy::Older => "it is older than the newest migration that is applied",
            NeverRunWhy::NotInJournal => "the journal does not name it",
        };
        let what = format!(
            "{} will never run: {why}, and {} does not mention it",
            shown_file(&never.file),
            self.tool()
        );
        self.faults.push((FolderFault::NeverRun, None, what));
    }

    fn edited(&mut self, edited: &Edited) {
        let shown = self.stands.shown(&edited.key);
        let tool = self.tool();
        let file = self.stands.set.get(&edited.key).map_or(String::new(), |known| {
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
            Response::Runs | Response::Ignores => format!("{tool} takes no notice"),
        };
        let what = format!("migration {shown}{file} is not the file that was applied: it differs {how}; {then}");
        match (edited.difference, edited.response) {
            (Difference::LineEnds, Response::Refuses) => {
                self.faults.push((FolderFault::LineEnds, shown.parse().ok(), what));
            }
            (Difference::LineEnds, _) => self.notes.push(what),
            (Difference::Content, _) => self.faults.push((FolderFault::Edited, shown.parse().ok(), what)),
        }
    }

    fn outcome(mut self) -> Outcome {
        let notes: String = match self.notes.len().saturating_sub(NAMED) {
            0 => self.notes.iter().map(|note| format!("; {note}")).collect(),
            more => {
                let some: String = self.notes.iter().take(NAMED).map(|note| format!("; {note}")).collect();
                format!("{some}; and {}", plural(more as u64, "more file", "more files"))
            }
        };
        // The sort is stable: of one kind, in the tool's order.
        self.faults.sort_by_key(|(fault, ..)| *fault);
        let Some((worst, ..)) = self.faults.first() else {
            return Outcome::pass(format!("{}{notes}", self.agrees()));
        };
        let problem = Problem::Folder(*worst);
        let mut findings = Findings::default();
        for (_, id, what) in &self.faults {
            findings.add(|| Finding {
                id: *id,
                ..Finding::new(what.clone())
            });
        }
        let all: Vec<&str> = self.faults.iter().map(|(.., what)| what.as_str()).collect();
        let mut detail = all.iter().take(NAMED).copied().collect::<Vec<_>>().join("; ");
        let more = all.len().saturating_sub(NAMED) as u64;
        if more > 0 {
            detail += &format!("; and {}", plural(more, "more fault", "more faults"));
        }
        Outcome::found(detail + &notes, problem, findings)
    }

    /// What was compared, and agrees.
    fn agrees(&self) -> String {
        let standing = &self.stands.standing;
        if standing.applied.is_empty() {
            return "no migration is applied".to_owned();
        }
        let applied = plural(standing.applied.len() as u64, "applied migration", "applied migrations");
        let same = standing.compared - standing.edited.len();
        if standing.compared == 0 {
            return format!(
                "{applied}; {} keeps no checksums, so whether a file was changed is not known",
                self.tool()
            );
        }
        if same == standing.applied.len() {
            return format!("{applied}, and their files are those that were applied");
        }
        format!("{applied}, and the files of {same} are those that were applied")
    }
}

fn few(names: &[String]) -> String {
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ") + &more
}
