//! Is there a file, is it a database, and is all of it there?

use crate::check::{Check, Input, KEEP_AND_SAVE, Needs, Outcome};
use crate::check_id::CheckId;
use crate::probe::sidecars::scan_wal;
use crate::probe::{Header, Leftover, PathKind, Probe, Situation, until_sure, words};
use crate::stop::Stop;
use crate::words::plural;

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::File,
    summary: "the path leads to a whole SQLite database with a sound header",
    needs: Needs::Nothing,
    input: Input::Probe(run),
};

fn run(probe: &Probe, stop: &Stop) -> Outcome {
    until_sure(probe, stop, Outcome::failed, |probe| look_once(probe, stop))
}

fn look_once(probe: &Probe, stop: &Stop) -> Outcome {
    match &probe.nature {
        PathKind::Sqlite(header) => look_at_database(probe, header, stop),
        other => Outcome::fail(format!("{}{}", words(other, probe.size()), meaning(other)), remedy(other)),
    }
}

/// What it means for the data, behind what it is.
fn meaning(nature: &PathKind) -> &'static str {
    match nature {
        PathKind::Missing | PathKind::DanglingLink => ", so there was nothing to look at",
        PathKind::WrongKind(_) => ", so it is no store",
        PathKind::Unreadable(_) => "; nothing is known about its data",
        PathKind::Empty => ": there is no data in it",
        PathKind::SizeUnknown => ": SQLite would take it for an empty store; nothing is known about its data",
        PathKind::NotSqlite(_) => ": there is no store in it that could be read",
        PathKind::CutInHeader => ": no data is left in it",
        PathKind::EmptyBeside(_) | PathKind::Sqlite(_) => "",
    }
}

fn remedy(nature: &PathKind) -> &'static str {
    match nature {
        PathKind::Missing => {
            "check the path; if banger has never run here, start it once and it makes its store; if it has, the store was moved or deleted: restore state.db from a backup"
        }
        PathKind::DanglingLink => "point the link at the store, or give the store's own path",
        PathKind::WrongKind(_) => "give the path of the file state.db itself",
        PathKind::Unreadable(_) => {
            "run the doctor as the store's owner (for the system store: sudo doctor --system), or copy state.db, state.db-wal and state.db-shm together to where you may read them"
        }
        PathKind::Empty => {
            "if this store ever held anything, that is lost here: restore a backup before banger starts; if banger never used it, let banger start and fill it"
        }
        PathKind::EmptyBeside(Leftover { suffix: "-wal", .. }) => {
            "keep a copy of state.db-wal before banger starts: the latest commits are in it, and nowhere else; if this is a copy, copy state.db and state.db-wal again, of one moment; otherwise restore a backup"
        }
        PathKind::EmptyBeside(_) => {
            "keep a copy of state.db-journal before banger starts: it holds pages that the store had; if this is a copy, copy all the files again, of one moment; otherwise restore a backup"
        }
        PathKind::SizeUnknown => "copy what is in it to an ordinary file, and examine that",
        PathKind::NotSqlite(_) => {
            "give the path of banger's state.db, unpacked if it is an archive; if this is where the store was, it was overwritten: keep this file and restore a backup"
        }
        PathKind::CutInHeader => {
            "copy the store again, whole; if the original is as short, its data is lost: restore a backup"
        }
        PathKind::Sqlite(_) => "",
    }
}

fn look_at_database(probe: &Probe, header: &Header, stop: &Stop) -> Outcome {
    let faults = header.faults();
    if !faults.is_empty() {
        return Outcome::fail(format!("the header is damaged: {}", faults.join("; ")), KEEP_AND_SAVE);
    }
    let page_size = u64::from(header.page_size);
    let (pages, rest) = (probe.size() / page_size, probe.size() % page_size);
    let size = format!("{} of {} bytes", plural(pages, "page", "pages"), header.page_size);
    // An unfinished transaction may have left the file longer or shorter; rolling it back mends that.
    if matches!(probe.situation, Situation::HotJournal | Situation::RollbackLive) {
        return Outcome::pass(format!("an SQLite database, {size}, with an unfinished transaction"));
    }
    if probe.situation == Situation::WriteLocked {
        return Outcome::pass(format!("an SQLite database, {size}, while another process holds its write lock"));
    }
    let missing = match missing_pages(probe, header, pages, stop) {
        Ok(missing) => missing,
        Err(error) => return Outcome::could_not_look(&error),
    };
    let more = plural(rest, "byte", "bytes");
    match missing {
        None | Some(0) if rest == 0 => Outcome::pass(format!("an SQLite database, {size}")),
        None => Outcome::pass(format!("an SQLite database, {size} and {more} more, which the WAL replaces")),
        Some(_) if rest > 0 => cut(&format!("the file ends inside a page: {size} and {more} more")),
        Some(missing) => cut(&format!(
            "the file is cut short: it has {size}, and {} missing at its end",
            plural(missing, "page is", "pages are")
        )),
    }
}

fn cut(detail: &str) -> Outcome {
    Outcome::fail(
        format!("{detail}; what stood there is lost, unless this is a copy and the original is whole"),
        format!("if this is a copy, copy the store again, whole; if it is the original, {KEEP_AND_SAVE}"),
    )
}

/// How many whole pages the database has that the file has not; `None` where the WAL holds all of these.
fn missing_pages(probe: &Probe, header: &Header, pages: u64, stop: &Stop) -> crate::error::Result<Option<u64>> {
    let vouched = header.vouched_pages().map_or(0, u64::from);
    if !probe.wal.has_content() {
        return Ok(Some(vouched.saturating_sub(pages)));
    }
    // What the last commit in the WAL says counts, not the header that it has yet to replace.
    Ok(match scan_wal(probe, stop)? {
        Some(scan) if scan.commits > 0 && scan.holds_the_rest => None,
        Some(scan) if scan.commits > 0 => Some(u64::from(scan.pages).saturating_sub(pages)),
        _ => Some(vouched.saturating_sub(pages)),
    })
}
