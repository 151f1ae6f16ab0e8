//! Counts the intact rows of a damaged store: a salvage of which only the summary is kept.

use std::cmp::Reverse;
use std::io;
use std::time::Duration;

use super::schema::replay::describe_stores;
use super::store::OpenFiles;
use super::summary::{NothingSaved, TableSummary};
use super::{PassLimits, SalvageSummary, salvage_within};
use crate::application::Application;
use crate::findings::kind::Kind;
use crate::findings::{CountedTable, Finding, Findings, LONGEST_NAME, Loss};
use crate::limits::HeavyWork;
use crate::limits::stop::Stop;
use crate::probe::situation::write_locked_now;
use crate::probe::{FileStat, Probe};
use crate::text::escape::escape_untrusted;
use crate::text::words::{plural, thousands};

/// The most rows of a kind that are named in a sentence.
const MOST_IN_A_SENTENCE: usize = 3;

/// The limits of one pass, below those of a salvage because SQLite may read other stores meanwhile.
const LIMITS: PassLimits = PassLimits {
    blocks: 35_000,
    candidates: 30_000,
};

/// The time after which a search begins without the permit: the disk of another store may hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// The permit to search. Of all stores that are examined at once, one is searched at a time: so its memory is needed once.
static SEARCH: HeavyWork = HeavyWork::new();

/// The state of the rows of a damaged store.
#[derive(Debug)]
pub(crate) enum RowIntegrity {
    /// The application is not known, or none of its rows were found.
    NotApplicable,
    /// The reason why the rows could not be counted.
    Unknown(String),
    /// The rows that were found.
    Counted(SalvageSummary),
}

/// Searches the files of a store, as they lie, for the rows of an application. No handle of this process may be open on them:
/// the files are opened and closed here.
pub(crate) fn examine_rows(probe: &Probe, application: &Application, stop: &Stop) -> RowIntegrity {
    // Only the values that the application writes into its columns tell which table a record belongs to.
    if application.tables.is_empty() {
        return RowIntegrity::NotApplicable;
    }
    match search(probe, application, stop) {
        Ok(integrity) => integrity,
        Err(why) => RowIntegrity::Unknown(why.to_string()),
    }
}

fn search(probe: &Probe, application: &Application, stop: &Stop) -> super::Result<RowIntegrity> {
    let known = describe_stores(application)?;
    let opened = OpenFiles::open(probe)?;
    // A later change must show in the times of the files.
    let stamps = [probe.stamp, probe.wal.stamp, probe.journal.stamp];
    stamps.iter().flatten().for_each(FileStat::settle);
    let permit = SEARCH.wait(Some(PATIENCE), stop)?;
    let summary = salvage_within(opened.files(), &known, &mut io::sink(), &|| true, stop, LIMITS)?;
    drop(permit);
    drop(opened);
    if !probe.is_unchanged() || write_locked_now(probe) {
        return Ok(RowIntegrity::Unknown("the store changed while its rows were counted".to_owned()));
    }
    Ok(match summary.nothing {
        Some(NothingSaved::Newer) => {
            RowIntegrity::Unknown("a migration is applied that this binary does not know".to_owned())
        }
        Some(NothingSaved::NoPages | NothingSaved::NotOurs) => RowIntegrity::NotApplicable,
        None if summary.tables.iter().all(TableSummary::is_unseen) => RowIntegrity::NotApplicable,
        None => match summary.uncertain_commits {
            Some(why) => RowIntegrity::Unknown(why.in_words().to_owned()),
            None => RowIntegrity::Counted(summary),
        },
    })
}

impl SalvageSummary {
    /// Describes how many rows of each table are intact, and which are not.
    pub(crate) fn in_words(&self) -> String {
        let mut seen: Vec<&TableSummary> =
            self.tables.iter().filter(|table| !table.is_unseen() || table.has_unknown_count).collect();
        // Where something is wrong, that comes first; then the largest.
        seen.sort_by_key(|table| {
            let of = table.given + table.lost.count;
            Reverse((of.saturating_sub(table.whole()), of))
        });
        let mut parts: Vec<String> = seen.into_iter().map(TableSummary::in_words).collect();
        if !self.restored_ledger_rows.is_empty() {
            let ids: Vec<String> = self.restored_ledger_rows.iter().map(i64::to_string).collect();
            parts.push(format!("whether migration {} was applied is not known", ids.join(", ")));
        }
        if self.too_long > 0 {
            parts.push(format!("{} too long to be looked at", plural(self.too_long, "row is", "rows are")));
        }
        if self.stale_pages > 0 {
            let pages = plural(self.stale_pages, "page", "pages");
            parts.push(format!("the newest content of {pages} is damaged, so that rows of them may be older"));
        }
        parts.join("; ")
    }

    /// Returns the rows of each table, counted.
    pub(crate) fn counted_tables(&self) -> Vec<CountedTable> {
        let seen = self.tables.iter().filter(|table| !table.is_unseen() || table.has_unknown_count);
        seen.map(|table| CountedTable {
            name: escape_untrusted(&table.name, LONGEST_NAME),
            intact: table.whole(),
            lost: table.lost.count,
            at_least: !table.is_fully_indexed || table.has_unknown_count,
        })
        .collect()
    }

    /// Returns the knowledge about lost data. A count that is open, or a row of which nothing tells if it is live, leaves it unknown.
    pub(crate) fn loss(&self) -> Loss {
        let is_unknown =
            |table: &TableSummary| table.has_unknown_count || !table.is_fully_indexed || table.doubtful.count > 0;
        if self.tables.iter().any(|table| table.lost.count + table.flagged.count > 0) {
            Loss::Yes
        } else if self.tables.iter().any(is_unknown)
            || self.too_long + self.stale_pages > 0
            || !self.restored_ledger_rows.is_empty()
        {
            Loss::Unknown
        } else {
            Loss::No
        }
    }

    /// Adds the rows that are not intact to findings.
    pub(crate) fn add_to(&self, findings: &mut Findings) {
        for table in &self.tables {
            let kinds = [
                (Kind::RowsLost, &table.lost, "lost: an index names it, and it is nowhere"),
                (Kind::RowDamaged, &table.flagged, "damaged: a value of it is, or an index contradicts it"),
                (Kind::RowDoubtful, &table.doubtful, "doubtful: it is whole, but no index names it"),
            ];
            for (kind, named, what) in kinds {
                for row in &named.rows {
                    findings.add(|| Finding {
                        row: row.rowid,
                        key: row.id.clone(),
                        ..Finding::note(kind, what).table(&table.name)
                    });
                }
                findings.total += named.count.saturating_sub(named.rows.len() as u64);
            }
            findings.at_least |= table.lost.count > 0 && !table.is_fully_indexed;
        }
    }
}

impl TableSummary {
    /// Returns true if nothing was found of the table, and no index names a row of it.
    fn is_unseen(&self) -> bool {
        self.given + self.lost.count + self.doubtful.count == 0
    }

    /// Describes the rows of a table: `people: 1,994 of 2,000 rows stand whole, 6 are lost: row 17 (0f8c…), row 18 (…), row 19 (…) and 3 more`.
    fn in_words(&self) -> String {
        if self.is_unseen() {
            return format!("{}: how many rows it had is not known", self.name);
        }
        let (whole, lost) = (self.whole(), self.lost.count);
        let of = self.given + lost;
        // A doubtful row is perhaps one of the store's, and perhaps none.
        let is_counted = self.is_fully_indexed && self.doubtful.count == 0;
        let mut parts = vec![match of {
            _ if whole == of && lost == 0 && is_counted => match whole {
                1 => "its only row stands whole".to_owned(),
                many => format!("all {} rows stand whole", thousands(many)),
            },
            _ if is_counted => {
                let stand = if whole == 1 { "stands" } else { "stand" };
                format!("{} of {} {stand} whole", thousands(whole), plural(of, "row", "rows"))
            }
            _ => format!("{} whole", plural(whole, "row stands", "rows stand")),
        }];
        let least = if self.is_fully_indexed { "" } else { "at least " };
        parts.extend(named(&self.lost, |count| format!("{least}{} lost", plural(count, "is", "are"))));
        parts.extend(named(&self.flagged, |count| {
            format!("{} a damaged value or index entry", plural(count, "has", "have"))
        }));
        if self.renumbered > 0 {
            let have = plural(self.renumbered, "has", "have");
            parts.push(format!("{have} a damaged number, which an index still tells"));
        }
        parts.extend(named(&self.doubtful, |count| {
            format!("{} doubtful, because no index names what is there", plural(count, "more is", "more are"))
        }));
        if self.has_unknown_count {
            parts.push("how many it had is not known".to_owned());
        }
        format!("{}: {}", self.name, parts.join(", "))
    }
}

/// Describes the rows of a kind, and names the first of them.
fn named(rows: &super::summary::NamedRows, describe: impl Fn(u64) -> String) -> Option<String> {
    if rows.count == 0 {
        return None;
    }
    let first = rows.rows.iter().take(MOST_IN_A_SENTENCE).filter_map(|row| {
        let id = row.id.as_ref().map_or_else(String::new, |id| format!(" ({id})"));
        Some(format!("row {}{id}", row.rowid?))
    });
    let first: Vec<String> = first.collect();
    let more = rows.count - first.len() as u64;
    let listed = match (first.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(": {}", first.join(", ")),
        (false, more) => format!(": {} and {} more", first.join(", "), thousands(more)),
    };
    Some(describe(rows.count) + &listed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::salvage::summary::NamedRows;

    fn named(rowids: &[i64]) -> NamedRows {
        let mut out = NamedRows::default();
        for rowid in rowids {
            let id = format!("{rowid:08x}-0000-4000-8000-000000000000");
            out.add(Some(*rowid), (rowid % 2 == 0).then_some(id.as_bytes()));
        }
        out
    }

    fn people() -> TableSummary {
        TableSummary {
            name: "people".to_owned(),
            given: 2_000,
            is_fully_indexed: true,
            ..TableSummary::default()
        }
    }

    #[test]
    fn the_words_say_what_stands_and_what_does_not() {
        assert_eq!(people().in_words(), "people: all 2,000 rows stand whole");
        let lost = TableSummary {
            lost: named(&[2, 3, 5, 7, 11]),
            renumbered: 1,
            ..people()
        };
        assert_eq!(
            lost.in_words(),
            "people: 1,999 of 2,005 rows stand whole, 5 are lost: row 2 (00000002-0000-4000-8000-000000000000), row 3, row 5 and 2 more, 1 has a damaged number, which an index still tells"
        );
        let doubted = TableSummary {
            flagged: named(&[5, 7]),
            doubtful: named(&[9]),
            ..people()
        };
        assert_eq!(
            doubted.in_words(),
            "people: 1,998 rows stand whole, 2 have a damaged value or index entry: row 5, row 7, 1 more is doubtful, because no index names what is there: row 9"
        );
        let gone = SalvageSummary {
            tables: vec![
                people(),
                TableSummary {
                    name: "pets".to_owned(),
                    has_unknown_count: true,
                    ..TableSummary::default()
                },
            ],
            ..SalvageSummary::default()
        };
        assert_eq!(
            gone.in_words(),
            "people: all 2,000 rows stand whole; pets: how many rows it had is not known"
        );
        let is_ambiguous = TableSummary {
            lost: named(&[3]),
            flagged: named(&[5]),
            doubtful: named(&[7, 9]),
            is_fully_indexed: false,
            ..people()
        };
        assert_eq!(
            is_ambiguous.in_words(),
            "people: 1,999 rows stand whole, at least 1 is lost: row 3, 1 has a damaged value or index entry: row 5, 2 more are doubtful, because no index names what is there: row 7, row 9"
        );
        let mut findings = Findings::default();
        let summary = SalvageSummary {
            tables: vec![lost, is_ambiguous],
            restored_ledger_rows: vec![2],
            ..SalvageSummary::default()
        };
        summary.add_to(&mut findings);
        assert_eq!((findings.total, findings.at_least), (9, true));
        assert!(summary.in_words().ends_with("; whether migration 2 was applied is not known"));
    }

    #[test]
    fn why_it_could_not_be_found_out_is_said() {
        const REAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/healthy.db");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        std::fs::copy(REAL, &path).unwrap();
        let probe = Probe::of(&path);
        let application = &crate::banger::APPLICATION;
        let late = Stop::after(Duration::ZERO, std::sync::Arc::default());
        let describe = |stop: &Stop| match examine_rows(&probe, application, stop) {
            RowIntegrity::Counted(summary) => summary.in_words(),
            RowIntegrity::Unknown(why) => why,
            RowIntegrity::NotApplicable => String::new(),
        };
        assert!(describe(&Stop::never()).contains(" rows stand whole"), "{}", describe(&Stop::never()));
        assert_eq!(describe(&late), "the time limit of 0 s ran out");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend([0; 4096]);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(describe(&Stop::never()), "the store changed while its rows were counted");
        let any = examine_rows(&probe, &Application::any(), &Stop::never());
        assert!(matches!(any, RowIntegrity::NotApplicable), "{any:?}");
    }
}
