//! What of a damaged store stands whole, in figures: the same search as a salvage's, of which only the account is kept.

use std::cmp::Reverse;
use std::io;
use std::sync::{Mutex, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use super::account::{Nothing, TableAccount};
use super::known::replay::known;
use super::store::Opened;
use super::{Account, Room, within};
use crate::application::Application;
use crate::findings::kind::Kind;
use crate::findings::{CountedTable, Finding, Findings, LONGEST_NAME, Loss};
use crate::limits::stop::{Stop, Stopped};
use crate::probe::situation::write_locked_now;
use crate::probe::{FileStat, Probe};
use crate::text::escape::escape_untrusted;
use crate::text::words::{plural, thousands};

/// How many rows of a kind are named in a sentence.
const MOST_IN_A_SENTENCE: usize = 3;

/// What one pass holds. It is less than a salvage holds, because SQLite may read other stores meanwhile.
const ROOM: Room = Room {
    blocks: 35_000,
    candidates: 30_000,
};

/// How long a thread sleeps before it asks again whether it is its turn, and after how long it goes on in any case: the disk
/// of another store may hang.
const TURN: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(20);

/// Of all stores that are examined at once, one is searched at a time: so its memory is needed once.
static SEARCHING: Mutex<()> = Mutex::new(());

/// What is known of the rows of a damaged store.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Nothing can be said: nothing is known of the application, or nothing of its rows was found.
    Unsaid,
    /// It could not be found out, and why.
    Unknown(String),
    /// What was found.
    Rows(Account),
}

/// Searches the files of a store, as they lie, for the rows of an application. No handle of this process may be open on them:
/// the files are opened and closed here.
pub(crate) fn standing(probe: &Probe, application: &Application, stop: &Stop) -> Standing {
    // Whose row a record is, is told by what the application writes into its columns.
    if application.tables.is_empty() {
        return Standing::Unsaid;
    }
    match search(probe, application, stop) {
        Ok(standing) => standing,
        Err(why) => Standing::Unknown(why.to_string()),
    }
}

fn search(probe: &Probe, application: &Application, stop: &Stop) -> super::Result<Standing> {
    let known = known(application)?;
    let opened = Opened::of(probe)?;
    // A later change must show in the times of the files.
    let stamps = [probe.stamp, probe.wal.stamp, probe.journal.stamp];
    stamps.iter().flatten().for_each(FileStat::settle);
    let account = in_turn(stop, || within(opened.files(), &known, &mut io::sink(), &|| true, stop, ROOM))??;
    drop(opened);
    if !probe.is_unchanged() || write_locked_now(probe) {
        return Ok(Standing::Unknown("the store changed while its rows were counted".to_owned()));
    }
    Ok(match account.nothing {
        Some(Nothing::Newer) => Standing::Unknown("a migration is applied that this binary does not know".to_owned()),
        Some(Nothing::NoPages) => Standing::Unsaid,
        None if account.tables.iter().all(TableAccount::is_unseen) => Standing::Unsaid,
        None => match account.unsettled {
            Some(why) => Standing::Unknown(why.in_words().to_owned()),
            None => Standing::Rows(account),
        },
    })
}

/// Does something that no other thread does meanwhile.
fn in_turn<T>(stop: &Stop, work: impl FnOnce() -> T) -> Result<T, Stopped> {
    let begun = Instant::now();
    let turn = loop {
        match SEARCHING.try_lock() {
            Ok(turn) => break Some(turn),
            // It guards nothing that a panic could have left half done.
            Err(TryLockError::Poisoned(poisoned)) => break Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if begun.elapsed() > PATIENCE => break None,
            Err(TryLockError::WouldBlock) => {
                stop.check()?;
                thread::sleep(TURN);
            }
        }
    };
    let done = work();
    drop(turn);
    Ok(done)
}

impl Account {
    /// How many rows of each table stand whole, and which do not.
    pub(crate) fn in_words(&self) -> String {
        let mut seen: Vec<&TableAccount> =
            self.tables.iter().filter(|table| !table.is_unseen() || table.is_open).collect();
        // Where something is wrong, that comes first; then the largest.
        seen.sort_by_key(|table| {
            let of = table.given + table.lost.count;
            Reverse((of.saturating_sub(table.whole()), of))
        });
        let mut parts: Vec<String> = seen.into_iter().map(TableAccount::in_words).collect();
        if !self.ledger_made_anew.is_empty() {
            let ids: Vec<String> = self.ledger_made_anew.iter().map(i64::to_string).collect();
            parts.push(format!("whether migration {} was applied is not known", ids.join(", ")));
        }
        if self.too_long > 0 {
            parts.push(format!("{} too long to be looked at", plural(self.too_long, "row is", "rows are")));
        }
        if self.pages_behind > 0 {
            let pages = plural(self.pages_behind, "page", "pages");
            parts.push(format!("the newest content of {pages} is damaged, so that rows of them may be older"));
        }
        parts.join("; ")
    }

    /// Returns the rows of each table, counted.
    pub(crate) fn counted_tables(&self) -> Vec<CountedTable> {
        let seen = self.tables.iter().filter(|table| !table.is_unseen() || table.is_open);
        seen.map(|table| CountedTable {
            name: escape_untrusted(&table.name, LONGEST_NAME),
            intact: table.whole(),
            lost: table.lost.count,
            at_least: !table.all_are_named || table.is_open,
        })
        .collect()
    }

    /// Returns what is known of lost data. A count that is open, or a row of which nothing tells if it is live, leaves it unknown.
    pub(crate) fn loss(&self) -> Loss {
        let is_unknown = |table: &TableAccount| table.is_open || !table.all_are_named || table.doubtful.count > 0;
        if self.tables.iter().any(|table| table.lost.count + table.flagged.count > 0) {
            Loss::Yes
        } else if self.tables.iter().any(is_unknown)
            || self.too_long + self.pages_behind > 0
            || !self.ledger_made_anew.is_empty()
        {
            Loss::Unknown
        } else {
            Loss::No
        }
    }

    /// Adds the rows that do not stand whole to findings.
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
            findings.at_least |= table.lost.count > 0 && !table.all_are_named;
        }
    }
}

impl TableAccount {
    /// Whether nothing was found of it, and nothing names a row of it.
    fn is_unseen(&self) -> bool {
        self.given + self.lost.count + self.doubtful.count == 0
    }

    /// `people: 1,994 of 2,000 rows stand whole, 6 are lost: row 17 (0f8c…), row 18 (…), row 19 (…) and 3 more`.
    fn in_words(&self) -> String {
        if self.is_unseen() {
            return format!("{}: how many rows it had is not known", self.name);
        }
        let (whole, lost) = (self.whole(), self.lost.count);
        let of = self.given + lost;
        // A doubtful row is perhaps one of the store's, and perhaps none.
        let is_counted = self.all_are_named && self.doubtful.count == 0;
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
        let least = if self.all_are_named { "" } else { "at least " };
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
        if self.is_open {
            parts.push("how many it had is not known".to_owned());
        }
        format!("{}: {}", self.name, parts.join(", "))
    }
}

/// What is said of the rows of a kind, and the first of them.
fn named(rows: &super::account::Named, said: impl Fn(u64) -> String) -> Option<String> {
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
    Some(said(rows.count) + &listed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::salvage::account::Named;

    fn named(rowids: &[i64]) -> Named {
        let mut out = Named::default();
        for rowid in rowids {
            let id = format!("{rowid:08x}-0000-4000-8000-000000000000");
            out.add(Some(*rowid), (rowid % 2 == 0).then_some(id.as_bytes()));
        }
        out
    }

    fn people() -> TableAccount {
        TableAccount {
            name: "people".to_owned(),
            given: 2_000,
            all_are_named: true,
            ..TableAccount::default()
        }
    }

    #[test]
    fn the_words_say_what_stands_and_what_does_not() {
        assert_eq!(people().in_words(), "people: all 2,000 rows stand whole");
        let lost = TableAccount {
            lost: named(&[2, 3, 5, 7, 11]),
            renumbered: 1,
            ..people()
        };
        assert_eq!(
            lost.in_words(),
            "people: 1,999 of 2,005 rows stand whole, 5 are lost: row 2 (00000002-0000-4000-8000-000000000000), row 3, row 5 and 2 more, 1 has a damaged number, which an index still tells"
        );
        let doubted = TableAccount {
            flagged: named(&[5, 7]),
            doubtful: named(&[9]),
            ..people()
        };
        assert_eq!(
            doubted.in_words(),
            "people: 1,998 rows stand whole, 2 have a damaged value or index entry: row 5, row 7, 1 more is doubtful, because no index names what is there: row 9"
        );
        let gone = Account {
            tables: vec![
                people(),
                TableAccount {
                    name: "pets".to_owned(),
                    is_open: true,
                    ..TableAccount::default()
                },
            ],
            ..Account::default()
        };
        assert_eq!(
            gone.in_words(),
            "people: all 2,000 rows stand whole; pets: how many rows it had is not known"
        );
        let unsure = TableAccount {
            lost: named(&[3]),
            flagged: named(&[5]),
            doubtful: named(&[7, 9]),
            all_are_named: false,
            ..people()
        };
        assert_eq!(
            unsure.in_words(),
            "people: 1,999 rows stand whole, at least 1 is lost: row 3, 1 has a damaged value or index entry: row 5, 2 more are doubtful, because no index names what is there: row 7, row 9"
        );
        let mut findings = Findings::default();
        let account = Account {
            tables: vec![lost, unsure],
            ledger_made_anew: vec![2],
            ..Account::default()
        };
        account.add_to(&mut findings);
        assert_eq!((findings.total, findings.at_least), (9, true));
        assert!(account.in_words().ends_with("; whether migration 2 was applied is not known"));
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
        let said = |stop: &Stop| match standing(&probe, application, stop) {
            Standing::Rows(account) => account.in_words(),
            Standing::Unknown(why) => why,
            Standing::Unsaid => String::new(),
        };
        assert!(said(&Stop::never()).contains(" rows stand whole"), "{}", said(&Stop::never()));
        assert_eq!(said(&late), "the time limit of 0 s ran out");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend([0; 4096]);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(said(&Stop::never()), "the store changed while its rows were counted");
        let any = standing(&probe, &Application::any(), &Stop::never());
        assert!(matches!(any, Standing::Unsaid), "{any:?}");
    }
}
