//! Reports the read method, and checks that the doctor left nothing behind.

use std::path::Path;

use crate::application::{Application, Problem};
use crate::checks::check::{Check, Input, Needs};
use crate::findings::LONGEST_NAME;
use crate::findings::check_id::CheckId;
use crate::findings::kind::Kind;
use crate::findings::{Finding, Findings};
use crate::probe::around::FileSystem;
use crate::probe::header_fields::version_name;
use crate::probe::{FileStat, Probe, Sidecar, Situation, situation};
use crate::report::outcome::Outcome;
use crate::store::sandbox::Sandbox;
use crate::store::schema_rows::odd_rows;
use crate::store::{ReadMethod, ReadOnly};
use crate::text::words::cut;

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
    /// The application whose store it is.
    pub(crate) application: &'a Application,
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
            let way = match way {
                ReadMethod::CopyOfFiles => describe_copy(self.probe),
                way => way.words(),
            };
            let detail = format!("{}; {way}; sandbox: {}", self.probe.situation.words(), self.sandbox);
            let mut notes = note_file_system(&self.probe.path);
            if let Some(words) = describe_last_writer(self.probe, self.application) {
                notes.add(|| Finding::note(Kind::LastWriter, words));
            }
            return Outcome::noted(detail, notes);
        }
        Outcome::fail(
            format!("the doctor seems to have left behind: {}", left.join(", ")),
            Problem::LeftBehind { suffixes: left },
        )
    }
}

/// Says what was copied, and what SQLite did in the copy.
fn describe_copy(probe: &Probe) -> &'static str {
    if probe.foreign().is_some() {
        "read from a private copy of the file, without the log or journal beside it"
    } else if probe.actual_journal_size().is_some() {
        "read from a private copy, in which SQLite rolled back what was unfinished, by a -journal whose size was put right"
    } else if probe.wal.has_content() || matches!(probe.situation, Situation::HotJournal | Situation::RollbackLive) {
        ReadMethod::CopyOfFiles.words()
    } else {
        "read from a private copy"
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

/// The versions of SQLite with a fault by which a checkpoint can lose a write to a store in WAL mode ("The WAL-Reset Bug",
/// <https://www.sqlite.org/wal.html>); some makers have put the correction into older ones.
const WITH_WAL_RESET_FAULT: std::ops::RangeInclusive<u32> = 3_007_000..=3_051_002;

/// Describes the SQLite that wrote a store in WAL mode last, where that has a fault that damages such stores. A copy that lies somewhere
/// else than the store is no longer written by it, and says nothing.
fn describe_last_writer(probe: &Probe, application: &Application) -> Option<String> {
    let header = probe.header().filter(|header| header.is_wal())?;
    if !WITH_WAL_RESET_FAULT.contains(&header.sqlite_version) || !lies_in_its_place(probe, application) {
        return None;
    }
    Some(format!(
        "the store is in WAL mode, and SQLite {} wrote it last: versions 3.7.0 to 3.51.2 can lose a write where several connections use such a store, unless their maker corrected it; 3.51.3 does not",
        version_name(header.sqlite_version)
    ))
}

/// Returns true if a store lies where its application keeps it, or a program has it open.
fn lies_in_its_place(probe: &Probe, application: &Application) -> bool {
    let is_place = |path: &Path| path.canonicalize().is_ok_and(|path| path == probe.path);
    let places = application.places();
    places.is_some_and(|places| {
        places.user_store().is_some_and(|path| is_place(&path)) || is_place(places.system_store())
    }) || situation::in_use(probe)
}

/// Returns the row of a store whose schema SQLite refuses, because of the object that `refused` names. `handle` sees the rest of the
/// schema.
pub(crate) fn refused_schema(probe: &Probe, handle: &ReadOnly, refused: &(String, String)) -> Outcome {
    let (name, why) = refused;
    let newer = newer_sqlite(probe);
    let sql = "SELECT type, max(rowid), count(*), count(DISTINCT rootpage),
                      (SELECT max(own.rowid) FROM sqlite_schema AS own JOIN sqlite_schema AS other USING (rootpage)
                       WHERE own.name = ?1 AND other.name <> ?1 AND own.rootpage > 0)
               FROM sqlite_schema WHERE name = ?1";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(RowsOfName {
            kind: row.get(0)?,
            last: row.get(1)?,
            count: row.get(2)?,
            roots: row.get(3)?,
            last_with_root_of_another: row.get(4)?,
        })
    };
    let found = handle.collect(sql, [name], read).ok().and_then(|rows| rows.into_iter().next());
    if let Some(row) = &found
        && newer.is_none()
        && let Some(outcome) = mended_by_assignment(handle, row.last, name)
    {
        return outcome;
    }
    let shown = cut(name, LONGEST_NAME);
    let (what, statement, leaves_pages) = match found {
        Some(rows) => {
            let (kind, redundant) = (&rows.kind, rows.redundant(name));
            let is_twice = redundant.is_some();
            let rowid = redundant.unwrap_or(rows.last);
            // A table that is taken out of the schema takes its rows with it.
            let is_removable = matches!(kind.as_str(), "index" | "trigger" | "view") || is_twice;
            let statement = format!("PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE rowid={rowid}");
            let leaves_pages = if is_twice {
                rows.roots > 1 && rows.last_with_root_of_another.is_none()
            } else {
                kind == "index"
            };
            let kind = match kind.as_str() {
                "table" | "index" | "trigger" | "view" => kind,
                _ => "object",
            };
            let twice = if is_twice { ", which is there twice" } else { "" };
            (format!("{kind} {shown}{twice}"), is_removable.then_some(statement), leaves_pages)
        }
        None => (format!("object {shown}"), None, false),
    };
    let why = if why.is_empty() {
        String::new()
    } else {
        format!(": {}", cut(why, LONGEST_NAME))
    };
    let refused = format!("SQLite refuses the schema because of the {what}{why}");
    let detail = match &newer {
        Some(version) => format!(
            "the store was last written by SQLite {version}, and this doctor has {}: {refused}; what a newer SQLite writes need not be damage",
            rusqlite::version()
        ),
        None => format!("{refused}; no program can open the store until that is mended, and no row is lost by it"),
    };
    Outcome::fail(
        detail,
        Problem::SchemaRefused {
            statement: statement.filter(|_| newer.is_none()),
            leaves_pages,
            newer,
        },
    )
}

/// The rows of the schema with one name.
struct RowsOfName {
    kind: String,
    /// The largest rowid.
    last: i64,
    count: i64,
    /// The number of different root pages.
    roots: i64,
    /// The largest rowid of those whose root page an object of another name has.
    last_with_root_of_another: Option<i64>,
}

impl RowsOfName {
    /// Returns the row that can go without a loss, where the object is there more than once: one that leads where another does, or one of
    /// two counts of AUTOINCREMENT.
    fn redundant(&self, name: &str) -> Option<i64> {
        let is_counter = name.eq_ignore_ascii_case("sqlite_sequence");
        let last = (self.roots == 1 || is_counter).then_some(self.last);
        self.last_with_root_of_another.or(last).filter(|_| self.count > 1)
    }
}

/// Returns the row of a store that SQLite refuses because a row of the schema says something else than its object is, where an assignment
/// puts that right.
fn mended_by_assignment(handle: &ReadOnly, rowid: i64, name: &str) -> Option<Outcome> {
    let odd = odd_rows(handle).ok()?.into_iter().find(|odd| odd.rowid == rowid)?;
    let assignment = odd.assignment?;
    let detail = format!(
        "SQLite refuses the schema because row {rowid} of sqlite_schema, {}, {}; no program can open the store until that is mended, and no row is lost by it",
        cut(name, LONGEST_NAME),
        odd.what
    );
    Some(Outcome::fail(detail, Problem::SchemaRows(vec![(rowid, assignment)])))
}

/// Returns the version of SQLite that wrote the store last, if it is newer than the doctor's ("Database File Format", offset 96).
fn newer_sqlite(probe: &Probe) -> Option<String> {
    let version = probe.header()?.sqlite_version;
    let own = u32::try_from(rusqlite::version_number()).ok()?;
    // Beyond this no version is in sight, and the field is damaged.
    (version > own && version < 4_000_000).then(|| version_name(version))
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
                application: &Application::any(),
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
