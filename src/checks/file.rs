//! Checks that there is a file, that it is a database, and that it is complete.

use std::io::Read;

use sqlite_format::header::{HeaderFields, Layout};
use sqlite_format::page::{Kind as PageKind, Page};
use sqlite_format::record::Fields;
use sqlite_format::schema::StoredRow;

use crate::application::{Application, NoStore, Problem};
use crate::checks::check::{Check, Input, Needs};
use crate::findings::check_id::CheckId;
use crate::findings::kind::Kind;
use crate::findings::{Finding, Findings};
use crate::limits::stop::Stop;
use crate::probe::header_fields::find_wrong_fields;
use crate::probe::not_a_database::{describe, describe_conversion, name_size_limit};
use crate::probe::sidecars::scan_wal;
use crate::probe::{
    EMPTY_WITHOUT_LOG, Leftover, PathKind, Probe, Situation, around, open_plain, retry_until_stable, words,
};
use crate::report::outcome::{Failure, Outcome};
use crate::text::words::plural;

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::File,
    summary: "the path leads to a whole SQLite database with a sound header",
    needs: Needs::Nothing,
    input: Input::Probe(run),
};

fn run(probe: &Probe, _application: &Application, stop: &Stop) -> Outcome {
    // A path at which nothing is does not become a store within a tick; in a fleet, many may be missing.
    let is_missing = |failure: &Failure| failure.problem == Problem::NoStore(NoStore::Missing);
    let seems_wrong = |outcome: &Outcome| matches!(outcome, Outcome::Fail(failure) if !is_missing(failure));
    let outcome = retry_until_stable(probe, stop, seems_wrong, |probe| examine(probe, stop));
    let closer = match &outcome {
        Outcome::Fail(failure) if !is_missing(failure) => look_closer(&Probe::of(&probe.path), &failure.problem, stop),
        _ => None,
    };
    closer.unwrap_or(outcome)
}

/// Reads all of a file whose beginning or length is not a database's: most of it may be a database's all the same.
fn look_closer(probe: &Probe, problem: &Problem, stop: &Stop) -> Option<Outcome> {
    let found = match problem {
        Problem::NoStore(NoStore::NotSqlite) => describe(probe, stop)?,
        Problem::Header { .. } | Problem::CutShort { .. } => describe_conversion(probe, stop)?,
        _ => return None,
    };
    let consequence = match found.what {
        NoStore::NotSqlite | NoStore::Noise => ": no store can be read from it",
        NoStore::GitLfsPointer => ": the store itself was not fetched",
        _ => "",
    };
    Some(Outcome::fail(found.words + consequence, Problem::NoStore(found.what)))
}

fn examine(probe: &Probe, stop: &Stop) -> Outcome {
    match &probe.kind {
        PathKind::Sqlite(header) => examine_database(probe, header, stop),
        other => {
            let detail = format!("{}{}", words(other, probe.size()), consequence(other));
            let is_locked = |stat| around::is_locked_by_own_mode(stat, rustix::process::geteuid().as_raw());
            let what = match no_store(other) {
                NoStore::Unreadable if probe.stamp.as_ref().is_some_and(is_locked) => NoStore::LockedByMode,
                what => what,
            };
            Outcome::fail(detail, Problem::NoStore(what))
        }
    }
}

/// Returns the meaning of the kind of file for the data, as the end of a sentence.
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
    let is_converted = || !header.has_schema_page() && !probe.wal.has_content() && !probe.journal.has_content();
    if is_converted()
        && let Some(found) = describe_conversion(probe, stop)
    {
        return Outcome::fail(found.words, Problem::NoStore(found.what));
    }
    if let Some(wrong) = find_wrong_fields(probe) {
        let problem = Problem::HeaderFields {
            right: wrong.right,
            newer: wrong.newer,
        };
        return Outcome::fail(wrong.words, problem);
    }
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
    let is_alone = probe.foreign().is_some();
    if matches!(probe.situation, Situation::HotJournal | Situation::RollbackLive) && !is_alone {
        return Outcome::pass(format!("an SQLite database, {size}, with an unfinished transaction"));
    }
    if probe.situation == Situation::WriteLocked {
        return Outcome::pass(format!("an SQLite database, {size}, while another process holds its write lock"));
    }
    if probe.is_empty_without_log() {
        return Outcome::fail(EMPTY_WITHOUT_LOG, Problem::NoStore(NoStore::EmptyWithoutLog));
    }
    let counted = match count_pages(probe, header, stop) {
        Ok(counted) => counted,
        Err(error) => return Outcome::could_not_look(&error),
    };
    let more = plural(rest, "byte", "bytes");
    let cut_short = |detail: &str, missing, rest| match name_size_limit(probe.size()) {
        Some(limit) => cut_short(
            &format!("{detail} (it ends at exactly {limit}, a limit of what copied it)"),
            missing,
            rest,
        ),
        None => cut_short(detail, missing, rest),
    };
    match counted {
        Counted::HeldByWal if rest > 0 => {
            Outcome::pass(format!("an SQLite database, {size} and {more} more, which the WAL replaces"))
        }
        Counted::Pages(counted) | Counted::ByWal(counted) if pages < counted => {
            let missing = counted - pages;
            if rest > 0 {
                return cut_short(&format!("the file ends inside a page: {size} and {more} more"), missing, rest);
            }
            let pages = plural(missing, "page is", "pages are");
            cut_short(
                &format!("the file is cut short: it has {size}, and {pages} missing at its end"),
                missing,
                0,
            )
        }
        Counted::NotKnown if rest > 0 => {
            cut_short(&format!("the file ends inside a page: {size} and {more} more"), 0, rest)
        }
        Counted::Pages(counted) if pages > counted || rest > 0 => match describe_conversion(probe, stop) {
            Some(found) => Outcome::fail(found.words, Problem::NoStore(found.what)),
            None => examine_end(probe, header, counted),
        },
        // Pages behind those of the last commit are cut off when that is written back.
        Counted::ByWal(_) if rest > 0 => with_bytes_behind(&size, &plural(rest, "more byte", "more bytes")),
        _ => Outcome::pass(format!("an SQLite database, {size}")),
    }
}

/// Examines a file that has more than the pages that its header counts: they belong to nothing, unless the header counts too few.
fn examine_end(probe: &Probe, header: &HeaderFields, counted: u64) -> Outcome {
    let page_size = u64::from(header.page_size);
    let (pages, rest) = (probe.size() / page_size, probe.size() % page_size);
    let named = last_page_named(probe, header).map_or(0, u64::from);
    if named > counted && named <= pages {
        return Outcome::fail(
            format!(
                "the header counts {}, and its schema names page {named}: the file has {} of {page_size} bytes",
                plural(counted, "page", "pages"),
                plural(pages, "page", "pages")
            ),
            Problem::PageCount {
                pages: u32::try_from(pages).unwrap_or(u32::MAX),
            },
        );
    }
    let mut more = Vec::new();
    if pages > counted {
        more.push(plural(pages - counted, "more page", "more pages"));
    }
    if rest > 0 {
        more.push(plural(rest, "more byte", "more bytes"));
    }
    with_bytes_behind(&format!("{} of {page_size} bytes", plural(counted, "page", "pages")), &more.join(" and "))
}

/// Returns the pass of a database that is all there, with more behind it.
fn with_bytes_behind(size: &str, more: &str) -> Outcome {
    let mut notes = Findings::default();
    notes.add(|| {
        Finding::note(
            Kind::BytesBehind,
            "what lies behind the last page belongs to no page, and SQLite does not look at it",
        )
    });
    Outcome::noted(format!("an SQLite database, {size}, and {more} behind them"), notes)
}

/// Returns the greatest number of a page that the header, and the schema as far as it lies on the first page, name.
fn last_page_named(probe: &Probe, header: &HeaderFields) -> Option<u32> {
    let mut bytes = vec![0; header.page_size as usize];
    open_plain(&probe.path).ok()?.read_exact(&mut bytes).ok()?;
    let layout = Layout::new(bytes.len(), header.reserved.into())?;
    let page = Page::parse(layout, 1, &bytes).ok()?;
    let mut fields = Fields::default();
    let cells = page.all_cells().filter_map(Result::ok);
    let of_cell = cells.filter_map(|cell| match page.kind() {
        PageKind::TableLeaf => {
            fields.read(cell.payload.local, cell.payload.len).ok()?;
            StoredRow::new(cell.payload.local, fields.all()).root()
        }
        _ => Some(cell.child),
    });
    let of_page = (page.kind() == PageKind::TableInterior).then(|| page.right_child());
    of_cell.chain(of_page).chain([header.freelist_trunk]).max()
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

/// The number of pages that a database has.
enum Counted {
    /// The header vouches for this number.
    Pages(u64),
    /// The last commit in the WAL has this number, and the file must hold some of them.
    ByWal(u64),
    /// The WAL holds all that the file lacks.
    HeldByWal,
    /// Nothing vouches for a number: an old SQLite wrote last.
    NotKnown,
}

/// Returns the number of pages that the database has.
fn count_pages(probe: &Probe, header: &HeaderFields, stop: &Stop) -> crate::error::Result<Counted> {
    let by_header = header.vouched_pages().map_or(Counted::NotKnown, |vouched| Counted::Pages(vouched.into()));
    if !probe.wal.has_content() || probe.foreign().is_some() {
        return Ok(by_header);
    }
    // What the last commit in the WAL says counts, not the header that it has yet to replace.
    Ok(match scan_wal(probe, stop)? {
        Some(scan) if scan.commits > 0 && scan.holds_the_rest => Counted::HeldByWal,
        Some(scan) if scan.commits > 0 => Counted::ByWal(scan.pages.into()),
        _ => by_header,
    })
}
