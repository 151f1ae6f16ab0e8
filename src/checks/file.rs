//! Is there a file, is it a database, and is all of it there?

use crate::check::{Check, Look, Needs, Outcome, counted};
use crate::probe::sidecars::scan_wal;
use crate::probe::{Header, Nature, Probe, Situation, until_sure, words};
use crate::stop::Stop;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "file",
    summary: "the path leads to a whole SQLite database with a sound header",
    needs: Needs::Nothing,
    look: Look::Probe(look),
};

fn look(probe: &Probe, stop: &Stop) -> Outcome {
    until_sure(probe, stop, Outcome::failed, |probe| look_once(probe, stop))
}

fn look_once(probe: &Probe, stop: &Stop) -> Outcome {
    match &probe.nature {
        Nature::Sqlite(header) => look_at_database(probe, header, stop),
        other => Outcome::fail(words(other, probe.size()), remedy(other)),
    }
}

fn remedy(nature: &Nature) -> &'static str {
    match nature {
        Nature::Missing => {
            "check the path; if banger never ran here, start it once and it makes its store, otherwise restore state.db from a backup"
        }
        Nature::DanglingLink => "point the link at the store, or give the store's own path",
        Nature::WrongKind(_) => "give the path of the file state.db itself",
        Nature::Unreadable(_) => {
            "run the doctor as the store's owner, or copy state.db with its sidecar files to where you may read them"
        }
        Nature::Empty => {
            "if this store had content, restore a backup; if banger never used it, it is safe to let banger start and fill it"
        }
        Nature::NotSqlite(_) => "give the path of banger's state.db; unpack it first if it is an archive",
        Nature::CutInHeader => "copy the store again, whole; if the original is as short, restore a backup",
        Nature::Sqlite(_) => "",
    }
}

fn look_at_database(probe: &Probe, header: &Header, stop: &Stop) -> Outcome {
    let faults = header.faults();
    if !faults.is_empty() {
        return Outcome::fail(
            format!("the header is damaged: {}", faults.join("; ")),
            "keep a copy of the store as it is, then restore a backup; the rows may still be saved with: sqlite3 COPY .recover",
        );
    }
    let page_size = u64::from(header.page_size);
    let (pages, rest) = (probe.size() / page_size, probe.size() % page_size);
    let size = format!("{} of {} bytes", counted(pages, "page", "pages"), header.page_size);
    // An unfinished transaction may have left the file longer or shorter; rolling it back mends that.
    if matches!(probe.situation, Situation::HotJournal | Situation::RollbackLive) {
        return Outcome::pass(format!("an SQLite database, {size}, with an unfinished transaction"));
    }
    if rest != 0 {
        return cut(format!("the file ends inside a page: {size} and {} more", counted(rest, "byte", "bytes")));
    }
    match missing_pages(probe, header, pages, stop) {
        Ok(0) => Outcome::pass(format!("an SQLite database, {size}")),
        Ok(missing) => cut(format!(
            "the file is cut short: it has {size}, and {} missing at its end",
            counted(missing, "page is", "pages are")
        )),
        Err(error) => Outcome::could_not_look(&error),
    }
}

fn cut(detail: String) -> Outcome {
    Outcome::fail(
        detail,
        "copy the store again, whole; if the original is as short, keep it, restore a backup, or save what can be read with: sqlite3 COPY .recover",
    )
}

/// How many pages the database has that the file has not, and the WAL has not either.
fn missing_pages(probe: &Probe, header: &Header, pages: u64, stop: &Stop) -> crate::error::Result<u64> {
    let vouched = header.vouched_pages().map_or(0, u64::from);
    if !probe.wal.has_content() {
        return Ok(vouched.saturating_sub(pages));
    }
    // What the last commit in the WAL says counts, not the header that it has yet to replace.
    Ok(match scan_wal(probe, stop)? {
        Some(scan) if scan.commits > 0 && scan.holds_the_rest => 0,
        Some(scan) if scan.commits > 0 => u64::from(scan.pages).saturating_sub(pages),
        _ => vouched.saturating_sub(pages),
    })
}
