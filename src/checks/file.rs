//! Is there a file, is it a database, and is all of it there?

use sqlite_format::header::HeaderFields;

use crate::application::{Application, NoStore, Problem};
use crate::checks::check::{Check, Input, Needs};
use crate::findings::check_id::CheckId;
use crate::limits::stop::Stop;
use crate::probe::sidecars::scan_wal;
use crate::probe::{Leftover, PathKind, Probe, Situation, retry_until_stable, words};
use crate::report::outcome::Outcome;
use crate::text::words::plural;

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::File,
    summary: "the path leads to a whole SQLite database with a sound header",
    needs: Needs::Nothing,
    input: Input::Probe(run),
};

fn run(probe: &Probe, _application: &Application, stop: &Stop) -> Outcome {
    retry_until_stable(probe, stop, Outcome::failed, |probe| examine(probe, stop))
}

fn examine(probe: &Probe, stop: &Stop) -> Outcome {
    match &probe.kind {
        PathKind::Sqlite(header) => examine_database(probe, header, stop),
        other => {
            let detail = format!("{}{}", words(other, probe.size()), consequence(other));
            Outcome::fail(detail, Problem::NoStore(no_store(other)))
        }
    }
}

/// Returns what the kind of file means for the data, as the end of a sentence.
fn consequence(kind: &PathKind) -> &'static str {
    match kind {
        PathKind::Missing | PathKind::DanglingLink => ", so nothing could be examined",
        PathKind::WrongKind(_) => ", so it cannot be a store",
        PathKind::Unreadable(_) => "; nothing is known about its data",
        PathKind::Empty => ": there is no data in it",
        PathKind::SizeUnknown => ": SQLite would take it for an empty store; nothing is known about its data",
        PathKind::NotSqlite(_) => ": no store can be read from it",
        PathKind::CutInHeader => ": no data is left in it",
        PathKind::EmptyWithSidecar(_) | PathKind::Sqlite(_) => "",
    }
}

/// Returns the problem for a path that is not a store.
fn no_store(kind: &PathKind) -> NoStore {
    match kind {
        PathKind::Missing => NoStore::Missing,
        PathKind::DanglingLink => NoStore::DanglingLink,
        PathKind::WrongKind(_) => NoStore::WrongKind,
        PathKind::Unreadable(_) => NoStore::Unreadable,
        PathKind::Empty => NoStore::Empty,
        PathKind::EmptyWithSidecar(Leftover { suffix, .. }) => NoStore::EmptyWithSidecar { suffix },
        PathKind::SizeUnknown => NoStore::SizeUnknown,
        PathKind::CutInHeader => NoStore::CutInHeader,
        // A database is looked at, and does not come here.
        PathKind::NotSqlite(_) | PathKind::Sqlite(_) => NoStore::NotSqlite,
    }
}

fn examine_database(probe: &Probe, header: &HeaderFields, stop: &Stop) -> Outcome {
    let faults = header.faults();
    if !faults.is_empty() {
        let problem = Problem::Header {
            faults: faults.len() as u64,
        };
        return Outcome::fail(
            format!(
                "the header is damaged: {}",
                faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
            ),
            problem,
        );
    }
    let page_size = u64::from(header.page_size);
    let (pages, rest) = (probe.size() / page_size, probe.size() % page_size);
    let size = format!("{} of {} bytes", plural(pages, "page", "pages"), header.page_size);
    // An unfinished transaction may have left the file longer or shorter; rolling it back restores its length.
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
        Some(missing) if rest > 0 => {
            cut_short(&format!("the file ends inside a page: {size} and {more} more"), missing, rest)
        }
        Some(missing) => {
            let pages = plural(missing, "page is", "pages are");
            cut_short(
                &format!("the file is cut short: it has {size}, and {pages} missing at its end"),
                missing,
                0,
            )
        }
    }
}

fn cut_short(detail: &str, missing_pages: u64, odd_bytes: u64) -> Outcome {
    Outcome::fail(
        format!("{detail}; what is missing is lost, unless this is a copy and the original is whole"),
        Problem::CutShort {
            missing_pages,
            odd_bytes,
        },
    )
}

/// Returns the number of pages that the database has and the file lacks, or `None` if the WAL holds all of them.
fn missing_pages(probe: &Probe, header: &HeaderFields, pages: u64, stop: &Stop) -> crate::error::Result<Option<u64>> {
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
