//! What came of one attempt, or of two with foreign keys on and off → faults and notes.

use super::Tried;
use crate::schema::rehearsal::Rehearsal;
use crate::schema::rehearsal::verify::{Fault, Lost};
use crate::schema::steps::{ForeignKeys, Steps};
use crate::words::plural;

/// The attempts, and what is needed to tell of them.
pub(super) struct Told<'a> {
    pub(super) steps: &'a Steps,
    /// The attempt by which the migrations are judged.
    pub(super) judged: &'a Tried,
    /// The other way, where it was tried.
    pub(super) other: Option<&'a Tried>,
    /// The store's virtual tables, in lower case: the tables in which they keep their rows are their own affair.
    pub(super) virtuals: Vec<String>,
}

/// Rows of a table that went by a cascade.
struct Cascaded<'a> {
    lost: &'a Lost,
    rows: u64,
    /// The migrations in which they went, by their positions.
    steps: Vec<usize>,
}

impl Told<'_> {
    pub(super) fn rehearsal(&self) -> Rehearsal {
        let attempt = &self.judged.attempt;
        let mut out = Rehearsal {
            ran: attempt.ran.clone(),
            rows: attempt.rows,
            took: attempt.took,
            shape_unknown: attempt.shape_unknown.clone(),
            ..Rehearsal::default()
        };
        if let Some(error) = &attempt.failed {
            out.faults = vec![self.qualified(Fault::of_migration(error))];
            return out;
        }
        let cascaded = self.cascaded();
        out.faults.extend(cascaded.iter().map(|cascaded| self.cascade(cascaded)));
        out.faults.extend(self.emptied());
        out.faults.extend(attempt.faults.iter().map(|fault| self.qualified(fault.clone())));
        out.notes.extend(self.fails_the_other_way());
        out.notes.extend(self.deleted(&cascaded));
        out.notes.extend(self.gone());
        out
    }

    /// The attempt that did not fail with foreign keys on, or off.
    fn passed(&self, foreign_keys: bool) -> Option<&Tried> {
        let tried = [Some(self.judged), self.other].into_iter().flatten();
        tried
            .filter(|tried| tried.attempt.failed.is_none())
            .find(|tried| tried.foreign_keys == foreign_keys)
    }

    /// The other way, where nobody knows which of them is the application's.
    fn as_likely(&self) -> Option<&Tried> {
        self.other.filter(|_| matches!(self.steps.foreign_keys, ForeignKeys::Usual(_)))
    }

    /// A fault of the judged attempt, with words to say so where the other way does not have it.
    fn qualified(&self, fault: Fault) -> Fault {
        let is_only_here = |other: &Tried| {
            let faults = &other.attempt.faults;
            other.attempt.failed.is_none() && faults.iter().all(|there| there.line != fault.line)
        };
        if !self.as_likely().is_some_and(is_only_here) {
            return fault;
        }
        let (here, there) = (on_or_off(self.judged), on_or_off_otherwise(self.judged));
        fault.and(&format!("; only with foreign keys {here}, and not with them {there}"))
    }

    fn fails_the_other_way(&self) -> Option<String> {
        let error = self.as_likely()?.attempt.failed.as_ref()?;
        Some(format!(
            "with foreign keys {}, {}; with them {}, as is usual for the tool, it does not",
            on_or_off_otherwise(self.judged),
            Fault::of_migration(error).line,
            on_or_off(self.judged),
        ))
    }

    /// The rows that a cascade took: those that went as a table was dropped, as far as they are missed at the end, and are not missed
    /// with foreign keys off.
    fn cascaded(&self) -> Vec<Cascaded<'_>> {
        let Some(on) = self.passed(true) else {
            return Vec::new();
        };
        let off = self.passed(false).map_or(&[][..], |off| &off.attempt.lost);
        let mut out = Vec::new();
        for lost in on.attempt.lost.iter().filter(|lost| !self.steps.is_ledger(&lost.table)) {
            let (went, steps) = on.losses.cascaded_from(&lost.table, lost.after);
            let both_ways = off.iter().find(|off| off.table == lost.table).map_or(0, Lost::rows);
            let rows = went.min(lost.rows().saturating_sub(both_ways));
            if rows > 0 {
                out.push(Cascaded { lost, rows, steps });
            }
        }
        out
    }

    fn cascade(&self, cascaded: &Cascaded<'_>) -> Fault {
        let what = format!("{} lost", plural(cascaded.rows, "row is", "rows are"));
        let counts = format!(" ({})", cascaded.lost.counts());
        Fault::of_table(&cascaded.lost.table, self.nobody_wrote(&what, &cascaded.steps, &counts))
    }

    fn emptied(&self) -> Vec<Fault> {
        let emptied = self.passed(true).map_or(&[][..], |on| &on.emptied);
        let fault = |emptied: &super::Emptied| {
            let what = format!("{} emptied", plural(emptied.rows, "reference is", "references are"));
            let what = self.nobody_wrote(&what, &emptied.steps, "");
            Fault::of_column(&emptied.reference.child, &emptied.reference.column, what)
        };
        emptied.iter().map(fault).collect()
    }

    /// What a cascade did that nobody wrote, in words.
    fn nobody_wrote(&self, what: &str, steps: &[usize], counts: &str) -> String {
        let (condition, rest) = match self.steps.foreign_keys {
            ForeignKeys::On | ForeignKeys::Off => ("", ""),
            ForeignKeys::Usual(true) => ("", "; with foreign keys off they stay"),
            ForeignKeys::Usual(false) => {
                (" if foreign keys are on", "; with foreign keys off, as is usual for the tool, they stay")
            }
        };
        let place = self.migrations(steps);
        format!(
            "{what}{condition}{place}, by a cascade that nobody wrote: a table to which they refer is dropped{counts}{rest}"
        )
    }

    /// Rows that the text deletes: what the judged attempt lost otherwise.
    fn deleted(&self, cascaded: &[Cascaded<'_>]) -> Vec<String> {
        let mut out = Vec::new();
        for lost in self.judged.attempt.lost.iter().filter(|lost| !self.is_not_told(&lost.table)) {
            let of_table = |cascaded: &&Cascaded<'_>| self.judged.foreign_keys && cascaded.lost.table == lost.table;
            let by_cascade = cascaded.iter().find(of_table).map_or(0, |cascaded| cascaded.rows);
            let rows = lost.rows().saturating_sub(by_cascade);
            if rows > 0 {
                let rows = plural(rows, "row is", "rows are");
                let place = self.migrations(&self.judged.losses.fewer_in(&lost.table));
                out.push(format!("{}: {rows} deleted by the text of the migrations{place}", lost.table));
            }
        }
        out
    }

    /// Tables that are no longer there.
    fn gone(&self) -> Vec<String> {
        let told = |(table, rows): &(String, u64)| {
            let how = if self.judged.losses.dropped.contains(table) {
                "dropped"
            } else {
                "renamed, or dropped under another name"
            };
            format!("{table}: {how}, with {}", plural(*rows, "row", "rows"))
        };
        self.judged
            .attempt
            .gone
            .iter()
            .filter(|(table, _)| !self.is_not_told(table))
            .map(told)
            .collect()
    }

    /// Whether nobody put the rows of a table there himself: the tool's own, and those in which a virtual table keeps its rows.
    fn is_not_told(&self, table: &str) -> bool {
        let table = table.to_ascii_lowercase();
        let keeps = |name: &String| table.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('_'));
        self.steps.is_ledger(&table) || self.virtuals.iter().any(keeps)
    }

    /// ", in migration 7", with each of these, by their positions.
    fn migrations(&self, of: &[usize]) -> String {
        const SHOWN: usize = 5;
        let of = of.iter().filter_map(|at| self.steps.pending.get(*at));
        let mut keys: Vec<&str> = of.map(|step| step.key.as_str()).collect();
        keys.dedup();
        match keys.as_slice() {
            [] => String::new(),
            [key] => format!(", in migration {key}"),
            keys if keys.len() <= SHOWN => format!(", in migrations {}", keys.join(", ")),
            keys => format!(", in migrations {} and {} more", keys[..SHOWN].join(", "), keys.len() - SHOWN),
        }
    }
}

fn on_or_off(tried: &Tried) -> &'static str {
    if tried.foreign_keys { "on" } else { "off" }
}

fn on_or_off_otherwise(tried: &Tried) -> &'static str {
    if tried.foreign_keys { "off" } else { "on" }
}
