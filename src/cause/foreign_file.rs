//! Signs of a file that is none of a database.

use super::{Certainty, Facts, Found, Sign};
use crate::application::NoStore;
use crate::probe::PathKind;
use crate::probe::first_bytes::{GIT_LFS, NOISE};

/// The file has no bytes.
pub(super) const EMPTY: Sign = Sign {
    name: "empty",
    most: Certainty::Certain,
    mark: "nothing",
    find: find_empty,
};

/// The file is of another kind.
pub(super) const OTHER_FILE: Sign = Sign {
    name: "other-file",
    most: Certainty::Certain,
    mark: "of another kind",
    find: find_other,
};

fn find_empty(facts: &Facts<'_>) -> Option<Found> {
    let is_empty = matches!(facts.probe.kind, PathKind::Empty | PathKind::EmptyWithSidecar(_));
    is_empty.then(|| {
        Found::new(
            Certainty::Certain,
            "the file has 0 bytes: it was made and never written, or something cut it to nothing",
        )
    })
}

fn find_other(facts: &Facts<'_>) -> Option<Found> {
    let what = match (facts.no_store()?, &facts.probe.kind) {
        (NoStore::GitLfsPointer, _) => GIT_LFS,
        (NoStore::NotSqlite, PathKind::NotSqlite(Some(what))) if *what != NOISE && *what != "only zero bytes" => what,
        _ => return None,
    };
    let detail = if what == GIT_LFS {
        "the file is a Git LFS pointer, which stands for a file that was not fetched: the database was never here"
            .to_owned()
    } else {
        format!("the file is {what}: it was put in the place of a database, or none was ever here")
    };
    Some(Found::new(Certainty::Certain, detail))
}
