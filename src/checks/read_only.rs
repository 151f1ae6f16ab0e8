//! How the store was opened, and whether the doctor left anything behind.

use std::path::Path;

use crate::application::Problem;
use crate::checks::check::{Check, Input, Needs};
use crate::findings::check_id::CheckId;
use crate::findings::kind::Kind;
use crate::findings::{Finding, Findings};
use crate::probe::around::FileSystem;
use crate::probe::{FileStat, Probe, Sidecar, situation};
use crate::report::outcome::Outcome;
use crate::store::ReadMethod;
use crate::store::sandbox::Sandbox;

/// The check. Its row is answered when all others are done.
pub(super) const CHECK: Check = Check {
    id: CheckId::ReadOnly,
    summary: "the store could be opened for reading, and the doctor left no trace",
    needs: Needs::Passed(CheckId::File),
    input: Input::Access,
};

/// The state of the store's folder before the examination.
#[derive(Debug)]
pub(crate) struct TraceCheck<'a> {
    /// The folder as it was found.
    pub(crate) probe: &'a Probe,
    /// The restrictions that the kernel enforced.
    pub(crate) sandbox: &'a Sandbox,
}

impl TraceCheck<'_> {
    /// Returns the row of a store that was opened this way, and has been closed again.
    pub(crate) fn outcome(&self, way: ReadMethod) -> Outcome {
        // If the kernel forbade it to the doctor, another process did it.
        let left = if self.sandbox.opens_in_place() {
            Vec::new()
        } else {
            left_behind(self.probe, &Probe::of(&self.probe.path))
        };
        if left.is_empty() {
            let detail = format!("{}; {}; sandbox: {}", self.probe.situation.words(), way.words(), self.sandbox);
            return Outcome::noted(detail, note_file_system(&self.probe.path));
        }
        Outcome::fail(
            format!("the doctor seems to have left behind: {}", left.join(", ")),
            Problem::LeftBehind { suffixes: left },
        )
    }
}

/// Returns a note where the store lies on a file system on which SQLite's locks cannot be relied on.
fn note_file_system(path: &Path) -> Findings {
    let mut notes = Findings::default();
    if let Some(system) = FileSystem::of(path) {
        notes.add(|| {
            Finding::note(
                Kind::FileSystem,
                format!(
                    "the store lies on {}, where SQLite's locks cannot be relied on: two programs that use it at once can damage it",
                    system.name()
                ),
            )
        });
    }
    notes
}

/// Returns the suffixes of the sidecar files that only the doctor can have made or changed.
///
/// That is a sidecar that was not there or was another, while the database did not change and no other process has the
/// store open.
fn left_behind(before: &Probe, now: &Probe) -> Vec<&'static str> {
    if before.stamp != now.stamp || situation::in_use(now) {
        return Vec::new();
    }
    let changed = |a: &Sidecar, b: &Sidecar| {
        let made = |stamp: Option<FileStat>| stamp.map(|stamp| (stamp.id, stamp.size, stamp.mtime));
        made(a.stamp) != made(b.stamp)
    };
    [
        ("-wal", changed(&before.wal, &now.wal)),
        ("-shm", changed(&before.shm, &now.shm)),
        ("-journal", changed(&before.journal, &now.journal)),
    ]
    .into_iter()
    .filter_map(|(name, changed)| changed.then_some(name))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_sidecar_that_only_the_doctor_can_have_made_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        fs::write(&path, sqlite_format::header::MAGIC).unwrap();
        let before = Probe::of(&path);
        fs::write(folder.path().join("state.db-shm"), [0; 32]).unwrap();
        let nothing = Sandbox::None {
            why: String::new(),
            metadata: false,
        };
        let fails = |sandbox: &Sandbox| {
            TraceCheck {
                probe: &before,
                sandbox,
            }
            .outcome(ReadMethod::Immutable)
            .failed()
        };
        assert_eq!(left_behind(&before, &Probe::of(&path)), ["-shm"]);
        assert!(fails(&nothing));
        // The kernel forbade it, so another process did it.
        assert!(!fails(&Sandbox::Landlock { abi: 7, metadata: true }));
        assert!(!fails(&Sandbox::None {
            why: String::new(),
            metadata: true,
        }));
        // The database changed as well: another process is at work.
        fs::write(&path, b"changed").unwrap();
        assert!(!fails(&nothing));
    }
}
