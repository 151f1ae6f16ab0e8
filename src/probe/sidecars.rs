//! Judges the sidecar files: tells whether they belong to the database, and whether commits were lost in them.
//!
//! SQLite says nothing of either. It plays the WAL of another database over this one, and silently ignores all that follows a
//! damaged frame.

use std::thread;
use std::time::Duration;

use sqlite_format::header::HeaderFields;
use sqlite_format::journal::MAGIC;
use sqlite_format::wal::{WalHeader, WalHeaderFault, has_no_frame};

use super::journal::JournalScan;
use super::wal::WalScan;
use super::{Probe, Situation, journal, open_plain, wal};
use crate::application::Application;
use crate::error::{Error, Result};
use crate::limits::stop::Stop;
use crate::text::words::{plural, thousands};

/// The verdict on the sidecar files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No fault, with a description of what there is.
    Sound(String),
    /// A sidecar cannot belong to the store, or has lost commits; in words.
    Wrong {
        /// Its suffix: `-wal`, `-shm` or `-journal`.
        suffix: &'static str,
        /// Its fault.
        what: String,
    },
    /// A sidecar cannot be read, or is not a file.
    Unreadable {
        /// Its suffix: `-wal`, `-shm` or `-journal`.
        suffix: &'static str,
        /// The reason, in words.
        why: String,
    },
}

impl Verdict {
    /// Returns the suffix of the faulty file and its fault; `None` when there is no fault.
    pub(crate) fn fault(self) -> Option<(&'static str, String)> {
        match self {
            Self::Sound(_) => None,
            Self::Wrong { suffix, what } => Some((suffix, what)),
            Self::Unreadable { suffix, why } => Some((suffix, cannot_be_read(&why))),
        }
    }
}

/// Returns the reason for which a sidecar cannot be read, as a sentence.
pub(crate) fn cannot_be_read(why: &str) -> String {
    format!("it cannot be read: {why}")
}

/// Returns true for a verdict that is believed only after another look at the files.
pub(crate) fn seems_wrong(verdict: &Result<Verdict>) -> bool {
    !matches!(verdict, Ok(Verdict::Sound(_)))
}

/// Reads the sidecar files of a database.
///
/// # Errors
/// If one cannot be read, or the time is up.
pub(crate) fn examine(probe: &Probe, application: &Application, stop: &Stop) -> Result<Verdict> {
    let Some(header) = probe.header() else {
        return Ok(Verdict::Sound("there is no database".to_owned()));
    };
    // Without a page size, no file beside the database can be judged.
    if !header.has_valid_page_size() {
        let faults: Vec<String> = header.faults().iter().map(ToString::to_string).collect();
        return Err(Error::NotAStore(format!("its header is damaged: {}", faults.join("; "))));
    }
    let all = [("-wal", &probe.wal), ("-shm", &probe.shm), ("-journal", &probe.journal)];
    for (suffix, sidecar) in all {
        if let Some(why) = &sidecar.unreadable {
            return Ok(Verdict::Unreadable {
                suffix,
                why: why.clone(),
            });
        }
    }
    if matches!(probe.situation, Situation::HotJournal | Situation::RollbackLive) {
        let verdict = examine_journal(probe, header, application, stop)?;
        // A log beside it may have lost commits all the same.
        return match verdict {
            Verdict::Sound(of_journal) if probe.wal.has_content() => Ok(match examine_wal(probe, header, stop)? {
                Verdict::Sound(of_wal) => Verdict::Sound(format!("{of_journal}; {of_wal}")),
                wrong => wrong,
            }),
            verdict => Ok(verdict),
        };
    }
    if probe.wal.has_content() {
        return examine_wal(probe, header, stop);
    }
    // A journal that was finished has zeros for its whole magic; SQLite asks for the first byte alone.
    if probe.journal.head.get(1..MAGIC.len()) == Some(&MAGIC[1..]) {
        return Ok(Verdict::Wrong {
            suffix: "-journal",
            what: "its first byte is damaged, so SQLite takes it for finished and does not roll it back: half of a transaction may remain in the store"
                .to_owned(),
        });
    }
    Ok(Verdict::Sound(
        match probe.situation {
            Situation::FinishedJournal => "a finished rollback journal, with nothing to roll back",
            Situation::EmptyWal => "an empty WAL",
            Situation::StaleIndex => "a -shm without a -wal, which holds no data",
            Situation::WriteLocked => "no journal is on disk, although another process holds the write lock",
            _ => "nothing is waiting to be written back",
        }
        .to_owned(),
    ))
}

/// Scans the WAL, if there is one that belongs to the store.
///
/// # Errors
/// If it cannot be read, or the time is up.
pub(crate) fn scan_wal(probe: &Probe, stop: &Stop) -> Result<Option<WalScan>> {
    let (Some(header), Ok(Some(log))) = (probe.header(), WalHeader::parse(&probe.wal.head)) else {
        return Ok(None);
    };
    if log.page_size != header.page_size {
        return Ok(None);
    }
    let file_pages = probe.size() / u64::from(header.page_size);
    wal::scan(&probe.wal, &probe.shm, &log, file_pages, stop).map(Some)
}

fn examine_wal(probe: &Probe, header: &HeaderFields, stop: &Stop) -> Result<Verdict> {
    let wrong = |what: String| Ok(Verdict::Wrong { suffix: "-wal", what });
    let log = match WalHeader::parse(&probe.wal.head) {
        Ok(Some(log)) => log,
        Ok(None) => {
            return Ok(Verdict::Sound("a WAL too short to hold anything".to_owned()));
        }
        // A header of zeros has never been written, and one that was torn has no commit behind it.
        Err(_) if has_no_commit(probe, header)? => {
            return Ok(Verdict::Sound("a -wal without a commit".to_owned()));
        }
        Err(WalHeaderFault::Magic) => return wrong("it does not begin like a write-ahead log".to_owned()),
        Err(WalHeaderFault::Version(version)) => return wrong(format!("its format version is {version}, not 3007000")),
        Err(WalHeaderFault::PageSize(size)) => {
            return wrong(format!("its page size is {size}, not a power of two from 512 to 65536"));
        }
        Err(WalHeaderFault::Checksum) => {
            return wrong("the checksum of its header is wrong, so SQLite ignores every commit in it".to_owned());
        }
    };
    if log.page_size != header.page_size {
        return wrong(format!(
            "its pages have {} bytes and the store's have {}: it belongs to another database",
            log.page_size, header.page_size
        ));
    }
    let Some(scan) = scan_until_stable(probe, stop)? else {
        return Ok(Verdict::Sound("the WAL was restarted while it was read".to_owned()));
    };
    let readable = commits_in_frames(scan.commits, scan.committed_frames);
    if let Some(frame) = scan.damaged_at {
        return wrong(format!(
            "frame {frame} is damaged: SQLite reads {readable} before it, and silently ignores {} after it",
            commits_in_frames(scan.commits_beyond, scan.frames_beyond)
        ));
    }
    if scan.frames_missing > 0 {
        return wrong(format!(
            "{readable} can be read, but the -shm index counts {} as committed: damaged or cut off",
            plural(scan.frames_missing, "more frame", "more frames")
        ));
    }
    Ok(Verdict::Sound(format!("{readable} in the WAL")))
}

/// Returns true when a log whose header is damaged can hold no commit of this store.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn has_no_commit(probe: &Probe, header: &HeaderFields) -> Result<bool> {
    let io = |error| Error::io("read", &probe.wal.path)(error);
    let log = open_plain(&probe.wal.path).map_err(io)?;
    has_no_frame(&log, header.page_size).map_err(io)
}

fn commits_in_frames(commits: u64, frames: u64) -> String {
    format!("{} ({})", plural(commits, "commit", "commits"), plural(frames, "frame", "frames"))
}

/// Scans the WAL; damage is only believed when a second scan, a moment later, finds the same: a frame that is being
/// written looks damaged too. `None` where the log was restarted in between.
fn scan_until_stable(probe: &Probe, stop: &Stop) -> Result<Option<WalScan>> {
    const SCANS: u32 = 5;
    let mut before: Option<WalScan> = None;
    for _ in 0..SCANS {
        let Some(scan) = scan_wal(probe, stop)? else {
            return Ok(None);
        };
        if !wal::same_generation(&probe.wal) {
            return Ok(None);
        }
        let damage = |scan: &WalScan| (scan.damaged_at, scan.frames_missing > 0);
        if damage(&scan) == (None, false) || before.as_ref().is_some_and(|before| damage(before) == damage(&scan)) {
            return Ok(Some(scan));
        }
        before = Some(scan);
        thread::sleep(Duration::from_millis(5));
    }
    Ok(before)
}

fn examine_journal(probe: &Probe, header: &HeaderFields, application: &Application, stop: &Stop) -> Result<Verdict> {
    let scan = match journal::scan(&probe.journal, header.page_size, stop) {
        Ok(scan) => scan,
        // It was finished in the meantime.
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Verdict::Sound("a rollback journal that was finished just now".to_owned()));
        }
        Err(error) => return Err(error),
    };
    let back = plural(scan.pages, "page", "pages");
    Ok(match &scan.fault {
        // A journal that another process is writing is not whole yet.
        _ if probe.situation == Situation::RollbackLive => {
            Verdict::Sound("another process is in the middle of a transaction".to_owned())
        }
        Some(fault) => Verdict::Wrong {
            suffix: "-journal",
            what: format!(
                "{fault}; {back} can be rolled back, the rest cannot: half of a transaction may remain in the store{}",
                cut_by_journal(probe, &scan)
            ),
        },
        None => Verdict::Sound(format!(
            "a hot rollback journal: {back} of an unfinished transaction will be rolled back when {} opens the store",
            application.name()
        )),
    })
}

/// Returns what SQLite does to the file when the journal's header states a size that its own records contradict, as the end of
/// a sentence: it sets the file to that size before it puts anything back (`pager.c`, `pager_playback`).
fn cut_by_journal(probe: &Probe, scan: &JournalScan) -> String {
    let bytes = |pages: u32| u64::from(pages) * u64::from(scan.page_size);
    // A page that the file does not have either says that its own number is damaged.
    if scan.page_beyond.is_none_or(|page| bytes(page) > probe.size()) || bytes(scan.original_pages) >= probe.size() {
        return String::new();
    }
    format!(
        "; the next program that opens the store to write cuts it from {} to {} bytes",
        thousands(probe.size()),
        thousands(bytes(scan.original_pages))
    )
}
