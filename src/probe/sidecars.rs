//! Judges the sidecar files: tells whether they belong to the database, and whether commits were lost in them.
//!
//! SQLite says nothing of either. It plays the WAL of another database over this one, and silently ignores all that follows a
//! damaged frame.

use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sqlite_format::header::{HeaderFields, is_page_size};
use sqlite_format::journal::MAGIC;
use sqlite_format::wal::{WalHeader, WalHeaderFault, has_no_frame};

use super::journal::JournalScan;
use super::wal::WalScan;
use super::whose_log::{FirstPage, Journal, Log, Sign, find_signs_in_journal, find_signs_in_log};
use super::{Probe, Situation, around, journal, open_plain, wal};
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
    /// The header of the hot journal gives a size of the store that the rest of the journal contradicts.
    WrongSize {
        /// What says otherwise, and what SQLite does because of the header.
        what: String,
        /// The size in pages by the rest of the journal.
        pages: u32,
    },
    /// The log or the journal is another store's, or this store's of another time.
    Foreign(Foreign),
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
            Self::WrongSize { what, .. } => Some(("-journal", what)),
            Self::Foreign(foreign) => Some((foreign.suffix, foreign.in_words())),
            Self::Unreadable { suffix, why } => Some((suffix, cannot_be_read(&why))),
        }
    }
}

/// A log or a journal that shows signs of being another store's, or this store's of another time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Foreign {
    /// Its suffix: `-wal` or `-journal`.
    pub suffix: &'static str,
    /// The signs, at least one.
    pub signs: Vec<Sign>,
    /// The effect on the file when SQLite next opens it, as a sentence.
    pub effect: String,
}

impl Foreign {
    /// Returns true when the file may have been copied before its log: the log lacks pages between the end of the file and what its
    /// last commit leaves, and nothing else is against it.
    pub(crate) fn is_ahead(&self) -> bool {
        self.signs.iter().all(|sign| matches!(sign, Sign::Gap { .. }))
    }

    /// Describes it: whose it is, the first sign of that, and what SQLite does because of it.
    pub(crate) fn in_words(&self) -> String {
        let has_other_size = self.signs.iter().all(|sign| matches!(sign, Sign::JournalSize { .. }));
        let whose = if self.is_ahead() {
            "it is ahead of the file, which was copied before it, or it is another store's"
        } else if has_other_size {
            "it is another store's, this store's of another time, or its header is damaged"
        } else {
            "it is another store's, or this store's of another time"
        };
        let sign = self.signs.first().map_or_else(String::new, |sign| sign.in_words());
        format!("{whose}: {sign}; {}", self.effect)
    }
}

/// The judgement whose the log and the journal are, and what was read of the log for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Judgement {
    /// The log, when its pages are as large as the store's.
    wal: Option<WalScan>,
    /// The size in pages that the hot journal's header should give, where the rest of the journal contradicts it.
    pub(super) journal_size: Option<u32>,
    /// The one that is not this store's.
    pub(super) foreign: Option<Foreign>,
}

/// Judges whose the log and a hot journal are by the fields that each shares with the file.
///
/// # Errors
/// If one of them cannot be read, or the time is up.
pub(super) fn judge(probe: &Probe, stop: &Stop) -> Result<Judgement> {
    let mut out = Judgement::default();
    let Some(header) = probe.header().filter(|header| header.has_valid_page_size()) else {
        return Ok(out);
    };
    let is_readable = probe.wal.has_content() && probe.wal.unreadable.is_none();
    let log = if is_readable {
        WalHeader::parse(&probe.wal.head).ok().flatten()
    } else {
        None
    };
    let is_hot = probe.situation == Situation::HotJournal && probe.journal.unreadable.is_none();
    if log.is_none() && !is_hot {
        return Ok(out);
    }
    let first_page = read_first_page(probe);
    if let Some(log) = log {
        let file_pages = probe.size() / u64::from(header.page_size);
        let scan = wal::scan(&probe.wal, &probe.shm, &log, file_pages, stop)?;
        if let Some(first_page) = &first_page {
            out.foreign = foreign_log(probe, first_page, file_pages, &log, &scan);
        }
        out.wal = (log.page_size == header.page_size).then_some(scan);
    }
    if is_hot && out.foreign.is_none() {
        let scan = journal::scan(&probe.journal, header.page_size, stop)?;
        out.journal_size = actual_size(probe, header, &scan);
        if out.journal_size.is_none() {
            out.foreign = first_page.and_then(|first_page| foreign_journal(probe, &first_page, &scan));
        }
    }
    Ok(out)
}

fn foreign_log(
    probe: &Probe,
    first_page: &FirstPage,
    file_pages: u64,
    log: &WalHeader,
    scan: &WalScan,
) -> Option<Foreign> {
    // SQLite ignores a log without a commit, whosever it is.
    if scan.commits == 0 {
        return None;
    }
    let is_other_size = log.page_size != first_page.page_size;
    let page_numbers = scan.page_numbers.clone().or_else(|| is_other_size.then(Vec::new))?;
    let compared = Log {
        page_size: log.page_size,
        committed_pages: Some(scan.pages),
        first_page: scan.first_page,
        page_numbers,
    };
    let signs = find_signs_in_log(first_page, file_pages, &compared);
    let pages = scan.page_numbers.as_ref().map_or(scan.committed_frames, |numbers| numbers.len() as u64);
    (!signs.is_empty()).then(|| Foreign {
        suffix: "-wal",
        signs,
        effect: format!(
            "when a program that has opened the store closes it, SQLite writes {} of the -wal over the file{}",
            plural(pages, "page", "pages"),
            and_cuts_it(probe, scan.pages, log.page_size)
        ),
    })
}

fn foreign_journal(probe: &Probe, first_page: &FirstPage, scan: &JournalScan) -> Option<Foreign> {
    if !is_page_size(scan.page_size) {
        return None;
    }
    let compared = Journal {
        page_size: scan.page_size,
        first_page: scan.first_page,
        pages: scan.fault.is_none().then_some(scan.size.header),
    };
    let signs = find_signs_in_journal(first_page, &compared);
    (!signs.is_empty()).then(|| Foreign {
        suffix: "-journal",
        signs,
        effect: format!(
            "as soon as a program opens the store to write, SQLite puts the pages of the -journal into the file{}",
            and_cuts_it(probe, scan.size.header, scan.page_size)
        ),
    })
}

/// Returns the size in pages that the header of a hot journal should give, where all the rest contradicts it.
fn actual_size(probe: &Probe, header: &HeaderFields, scan: &JournalScan) -> Option<u32> {
    let file_pages = probe.size() / u64::from(header.page_size.max(1));
    scan.size.contradiction(header.vouched_pages(), file_pages)
}

/// Returns that the file is cut to this size, if it is longer, as the end of a sentence.
fn and_cuts_it(probe: &Probe, pages: u32, page_size: u32) -> String {
    let bytes = u64::from(pages) * u64::from(page_size);
    if bytes >= probe.size() {
        return String::new();
    }
    format!(" and cuts it from {} to {} bytes", thousands(probe.size()), thousands(bytes))
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
    let judged = judgement(probe, stop)?;
    if let Some(foreign) = &judged.foreign {
        return Ok(Verdict::Foreign(foreign.clone()));
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
            Situation::FinishedJournal => journal_without_header(probe),
            Situation::EmptyWal => "an empty WAL",
            Situation::StaleIndex => "a -shm without a -wal, which holds no data",
            Situation::WriteLocked => "another process holds the write lock, and no journal with a header lies beside the store: it has written nothing yet, or keeps no journal on disk",
            _ => "nothing is waiting to be written back",
        }
        .to_owned(),
    ))
}

/// Describes a journal without a header, from which SQLite rolls nothing back.
fn journal_without_header(probe: &Probe) -> &'static str {
    if !probe.journal.has_content() {
        return "an empty -journal: a transaction was finished, or had written nothing yet";
    }
    "a -journal whose header is zero: nothing is rolled back from it, because its transaction was finished, or had not yet written to the file"
}

/// Returns the judgement whose the log and the journal are: the one that was made before, or a new one.
fn judgement(probe: &Probe, stop: &Stop) -> Result<Arc<Judgement>> {
    match &probe.judgement {
        Some(judged) => Ok(judged.clone()),
        None => judge(probe, stop).map(Arc::new),
    }
}

/// Returns the content of the WAL, if there is one that belongs to the store.
///
/// # Errors
/// If it cannot be read, or the time is up.
pub(crate) fn scan_wal(probe: &Probe, stop: &Stop) -> Result<Option<WalScan>> {
    let judged = judgement(probe, stop)?;
    Ok(judged.wal.clone().filter(|_| judged.foreign.is_none()))
}

/// Returns the suffix of the log or the journal of which SQLite lays pages over the database file; `None` when there is none.
pub(crate) fn played_by_sqlite(probe: &Probe, stop: &Stop) -> Option<&'static str> {
    if probe.situation == Situation::HotJournal {
        return Some("-journal");
    }
    let scan = scan_wal(probe, stop).ok().flatten()?;
    (scan.commits > 0).then_some("-wal")
}

/// Describes a log that is many times as large as its store, and how many of the store's pages are free; `None` for any other.
pub(crate) fn describe_oversized_log(probe: &Probe, stop: &Stop) -> Option<String> {
    let times = around::oversized_log(probe.wal.size(), probe.size())?;
    let scan = scan_wal(probe, stop).ok().flatten()?;
    let in_force = scan.first_page.or_else(|| read_first_page(probe));
    let free = in_force.filter(|page| page.free_pages > 0).map_or_else(String::new, |page| {
        let pages = plural(scan.pages.into(), "page", "pages");
        format!(", and {} of the store's {pages} are free", thousands(page.free_pages.into()))
    });
    #[expect(clippy::cast_precision_loss, reason = "one digit behind the point is shown")]
    let megabytes = probe.wal.size() as f64 / 1e6;
    Some(format!(
        "the -wal has {megabytes:.1} MB, {} times as much as the file{free}; a reader that stays open, or one large transaction, keeps a log from being emptied",
        thousands(times)
    ))
}

/// Describes a log that was last written long before its file; `None` for any other, and for one that SQLite reads nothing from.
pub(crate) fn describe_older_log(probe: &Probe, stop: &Stop) -> Option<String> {
    const LEAST_SECONDS: i64 = 60;
    let ((file, _), (log, _)) = (probe.stamp?.mtime, probe.wal.stamp?.mtime);
    let seconds = file.saturating_sub(log);
    let scan = scan_wal(probe, stop).ok().flatten()?;
    (seconds >= LEAST_SECONDS && scan.commits > 0).then(|| {
        let minutes = u64::try_from(seconds / 60).unwrap_or(0);
        let ago = match minutes {
            0..120 => plural(minutes, "minute", "minutes"),
            120..2_880 => plural(minutes / 60, "hour", "hours"),
            _ => plural(minutes / 1_440, "day", "days"),
        };
        format!(
            "the -wal was last written {ago} before the file: that is so after a checkpoint; if the file was put back from a backup since, the -wal is not its own"
        )
    })
}

/// Reads the fields of the file's own first page.
fn read_first_page(probe: &Probe) -> Option<FirstPage> {
    let mut bytes = [0; 100];
    let read = open_plain(&probe.path).and_then(|file| file.read_exact_at(&mut bytes, 0));
    read.ok().and_then(|()| FirstPage::parse(&bytes))
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
        return Ok(Verdict::Sound("a -wal without a commit".to_owned()));
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
        // The first scan may be the one by which the log was judged.
        let scan = match before {
            None => scan_wal(probe, stop)?,
            Some(_) => judge(probe, stop)?.wal,
        };
        let Some(scan) = scan else {
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
        _ if journal::length_to_play(probe)?.is_none() => Verdict::Sound(format!(
            "a rollback journal that nothing will be rolled back from: the super-journal that it names is gone, so SQLite takes the transaction for committed, and deletes the -journal when {} opens the store",
            application.name()
        )),
        _ if let Some(pages) = actual_size(probe, header, &scan) => Verdict::WrongSize {
            what: describe_wrong_size(probe, &scan, pages),
            pages,
        },
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

/// Describes a header of a journal that gives another size than the rest of the journal, and what SQLite does because of it: it sets
/// the file to that size before it puts anything back (`pager.c`, `pager_playback`).
fn describe_wrong_size(probe: &Probe, scan: &JournalScan, pages: u32) -> String {
    let size = &scan.size;
    let witness = match (size.first_page, size.next_header) {
        (Some(_), _) => format!("the first page in it counts {pages}"),
        (None, Some(_)) => format!("its next header says {pages}"),
        (None, None) => format!(
            "it holds page {}, and the first page of the file, which the transaction had not changed, counts {pages}",
            size.greatest
        ),
    };
    let length = u64::from(size.header) * u64::from(scan.page_size);
    let sets = if length < probe.size() {
        format!("cuts it from {} to {} bytes", thousands(probe.size()), thousands(length))
    } else {
        format!("makes it {} bytes long", thousands(length))
    };
    format!(
        "its header says that the store had {} when the transaction began, and {witness}; SQLite believes the header: the next program that opens the store {sets}",
        plural(size.header.into(), "page", "pages")
    )
}

/// Returns what SQLite does to the file when the journal holds a page beyond the size in its header, and nothing tells which of the two is
/// damaged, as the end of a sentence.
fn cut_by_journal(probe: &Probe, scan: &JournalScan) -> String {
    let bytes = |pages: u32| u64::from(pages) * u64::from(scan.page_size);
    // A page that the file does not have either says that its own number is damaged.
    if scan.size.beyond == 0 || bytes(scan.size.greatest) > probe.size() || bytes(scan.size.header) >= probe.size() {
        return String::new();
    }
    format!(
        "; the next program that opens the store cuts it from {} to {} bytes",
        thousands(probe.size()),
        thousands(bytes(scan.size.header))
    )
}
