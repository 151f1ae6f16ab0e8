//! Looks at the database file without the log or the journal beside it: where these are not the store's, and where the store
//! fails with them.

use std::time::Instant;

use super::{Answers, Options};
use crate::checks;
use crate::checks::check::Input;
use crate::checks::context::StoreContext;
use crate::error::Result;
use crate::error::internal_error::catch_panic;
use crate::findings::LONGEST_NAME;
use crate::findings::check_id::CheckId;
use crate::probe::{Probe, sidecars};
use crate::report::outcome::Outcome;
use crate::store::introspect::{self, quoted};
use crate::store::{Access, ReadOnly};
use crate::text::words::{cut, plural, thousands};

/// The rows that may fail because of a log or a journal that is not the store's.
const MAY_FAIL_BY_IT: [CheckId; 3] = [CheckId::File, CheckId::ReadOnly, CheckId::PageStructure];

/// The most tables whose rows are counted.
const MOST_COUNTED: usize = 1_000;

/// The most tables that a sentence names.
const MOST_NAMED: usize = 4;

impl Answers {
    /// Adds to the row `journal` of a log or a journal that is not the store's, or to the row that fails with the store's own, if
    /// the database file is sound without it, and how many rows it then holds. Every handle on the store must have been closed.
    pub(super) fn append_look_at_file_alone(&self, probe: &Probe, access: Option<&Access<'_>>, options: &Options<'_>) {
        let stop = options.environment.stop;
        let begun = Instant::now();
        if let (Some(foreign), Some(access)) = (probe.foreign(), access) {
            if !self.is_wanted(CheckId::Journal) {
                return;
            }
            let Some((check, mut failure)) = self.first_failure(&[CheckId::Journal]) else {
                return;
            };
            stop.ends_checks();
            let words = match look(probe, access, options) {
                Some(Ok(rows)) => {
                    self.set_sound_without(foreign.suffix);
                    format!(
                        "; without the {} the store is sound, {rows}{}: move it aside before anything opens the store",
                        foreign.suffix,
                        as_of(foreign.suffix)
                    )
                }
                Some(Err(NotSound)) => format!("; without the {} the store is not sound either", foreign.suffix),
                None => return,
            };
            failure.detail += &words;
            self.replace_outcome(check, Outcome::Fail(failure), begun.elapsed());
            return;
        }
        let failed = self.first_failure(&MAY_FAIL_BY_IT).filter(|(_, failure)| failure.problem.can_lose_rows());
        let (Some((check, mut failure)), Some(suffix)) = (failed, sidecars::played_by_sqlite(probe, stop)) else {
            return;
        };
        if !self.is_wanted(check) || !has_all_its_pages(probe) {
            return;
        }
        stop.ends_checks();
        let Ok(alone) = Access::of_file_alone(probe, &options.environment) else {
            return;
        };
        if let Some(Ok(rows)) = look(probe, &alone, options)
            && alone.witness().is_still_valid(probe)
        {
            self.set_sound_without(suffix);
            failure.detail += &format!(
                "; it fails with the {suffix} beside it, and without that the file is sound, {rows}{}",
                as_of(suffix)
            );
            self.replace_outcome(check, Outcome::Fail(failure), begun.elapsed());
        }
    }
}

/// Looks at the pages of the file alone, through an access that leaves the files beside it out. Returns the rows that it holds in
/// words, that it is not sound, or `None` when that could not be found out.
fn look(probe: &Probe, access: &Access<'_>, options: &Options<'_>) -> Option<Result<String, NotSound>> {
    let looked = catch_panic(|| -> Result<_> {
        let handle = access.open()?;
        let context = StoreContext::new(options.application, probe, access, &options.environment, false, false);
        let Input::Handle(run) = checks::get(CheckId::PageStructure).input else {
            return Ok(None);
        };
        let is_sound = match run(&context, &handle)? {
            Outcome::Pass { .. } => true,
            Outcome::Fail(_) => false,
            Outcome::Skip { .. } => return Ok(None),
        };
        Ok(Some(if is_sound {
            Ok(count_rows(&handle)?)
        } else {
            Err(NotSound)
        }))
    });
    match looked {
        Ok(Ok(looked)) => looked,
        // A file that SQLite cannot read is not sound.
        Ok(Err(error)) if error.is_damage() => Some(Err(NotSound)),
        _ => None,
    }
}

/// The finding that a file is not sound.
struct NotSound;

/// Returns of when the content of the file alone is, as the end of a clause.
fn as_of(suffix: &str) -> &'static str {
    if suffix == "-wal" {
        ", as of its last checkpoint"
    } else {
        ""
    }
}

/// Returns true when the file has all the pages that its own header counts.
fn has_all_its_pages(probe: &Probe) -> bool {
    probe.header().is_some_and(|header| {
        let pages = probe.size() / u64::from(header.page_size.max(1));
        header.vouched_pages().is_none_or(|vouched| u64::from(vouched) <= pages)
    })
}

/// Counts the rows of every ordinary table, and returns them in words, the largest table first.
fn count_rows(handle: &ReadOnly) -> Result<String> {
    let tables = introspect::ordinary_tables(handle)?;
    let mut counted = Vec::new();
    for name in tables.names.iter().take(MOST_COUNTED) {
        let rows = match handle.number(&format!("SELECT count(*) FROM {}", quoted(name))) {
            // A collation of the application's orders the table or the index that SQLite would count.
            Err(error) if !error.is_own_bound() && !error.is_damage() => continue,
            rows => rows?,
        };
        counted.push((u64::try_from(rows).unwrap_or(0), cut(name, LONGEST_NAME)));
    }
    if counted.is_empty() {
        return Ok("without a table".to_owned());
    }
    counted.sort_by_key(|(rows, _)| std::cmp::Reverse(*rows));
    let mut parts: Vec<String> = counted
        .iter()
        .take(MOST_NAMED)
        .enumerate()
        .map(|(at, (rows, name))| match at {
            0 => format!("{} in {name}", plural(*rows, "row", "rows")),
            _ => format!("{} in {name}", thousands(*rows)),
        })
        .collect();
    let more = tables.names.len().saturating_sub(MOST_NAMED) as u64;
    if more > 0 {
        parts.push(format!("and more in {}", plural(more, "table", "tables")));
    }
    Ok(parts.join(", "))
}
