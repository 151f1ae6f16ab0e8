//! The applied migrations that the application's folder does not have, listed.

use crate::application::Problem;
use crate::findings::{Finding, Findings};
use crate::migrations::dialects::Response;
use crate::migrations::status::Stands;
use crate::report::outcome::Outcome;
use crate::text::words::{id_list, plural};

pub(super) fn look(stands: &Stands) -> Outcome {
    let unknown = &stands.standing.unknown;
    if unknown.is_empty() {
        return Outcome::pass("none: the folder has every applied migration");
    }
    let mut findings = Findings::default();
    for key in unknown {
        let shown = stands.shown(key);
        findings.add(|| match shown.parse() {
            Ok(id) => Finding {
                id: Some(id),
                ..Finding::new("applied, and not in the folder")
            },
            Err(_) => Finding::new(format!("{shown}: applied, and not in the folder")),
        });
    }
    let tool = stands.runner();
    let then = match stands.dialect.unknown {
        Response::Refuses => format!("{tool} refuses to run"),
        Response::Runs | Response::Ignores | Response::Warns => format!("{tool} itself says nothing of it"),
    };
    let detail = format!(
        "{}: {}; {then}",
        plural(unknown.len() as u64, "unknown migration", "unknown migrations"),
        id_list(&stands.all_shown(unknown), 10)
    );
    let problem = Problem::NotInFolder {
        unknown: unknown.len() as u64,
    };
    Outcome::found(detail, problem, findings)
}
