//! What came of one attempt, or of two with foreign keys on and off → faults and notes.

use super::Tried;
use crate::findings::LONGEST_NAME;
use crate::migrations::rehearsal::Rehearsal;
use crate::migrations::rehearsal::losses::{How, Missed};
use crate::migrations::rehearsal::verify::Fault;
use crate::migrations::steps::{ForeignKeys, Steps};
use crate::text::words::{cut, plural, thousands};

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
        out.faults.extend(self.missed().map(|missed| self.cascade(missed)));
        out.faults.extend(attempt.faults.iter().map(|fault| self.qualified(fault.clone())));
        out.faults.extend(self.fails_the_other_way());
        out.notes.extend(self.deleted());
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

    fn fails_the_other_way(&self) -> Option<Fault> {
        let error = self.as_likely()?.attempt.failed.as_ref()?;
        let fault = Fault::of_migration(error).and(&format!(
            "; only with foreign keys {}, and not with them {}, as is usual for the tool (--foreign-keys settles it)",
            on_or_off_otherwise(self.judged),
            on_or_off(self.judged),
        ));
        Some(fault)
    }

    /// What cascades took: with foreign keys on, where that was tried and did not fail.
    fn missed(&self) -> impl Iterator<Item = &Missed> {
        let tried = self.passed(true).unwrap_or(self.judged);
        tried.missed.iter().filter(|missed| !self.is_not_told(&missed.table))
    }

    /// What a cascade did that nobody wrote.
    fn cascade(&self, missed: &Missed) -> Fault {
        let Missed { table, rows, steps, .. } = missed;
        let (what, counts) = match &missed.column {
            None => {
                let lost = self.judged.attempt.lost.iter().find(|lost| lost.table.eq_ignore_ascii_case(table));
                let before = lost.map_or(missed.before, |lost| lost.before.max(missed.before));
                let counts = format!(" ({} before, {} after)", thousands(before), thousands(missed.after));
                (format!("{} lost", plural(*rows, "row is", "rows are")), counts)
            }
            Some(_) => (format!("{} emptied", plural(*rows, "reference is", "references are")), String::new()),
        };
        let is_same = |there: &&Missed| there.table == *table && there.column == missed.column && there.rows == *rows;
        let stays = self.passed(false).filter(|off| !off.missed.iter().any(|there| is_same(&there)));
        let (condition, rest) = match (stays.is_some(), self.judged.foreign_keys) {
            (false, _) => ("", ""),
            (true, true) => ("", "; with foreign keys off they stay"),
            (true, false) => {
                (" if foreign keys are on", "; with foreign keys off, as is usual for the tool, they stay")
            }
        };
        let why = match missed.how {
            How::Dropped => "a table to which they refer is dropped",
            How::Replaced => "rows to which they refer are replaced",
        };
        let place = self.migrations(steps);
        let what = format!("{what}{condition}{place}, by a cascade that nobody wrote: {why}{counts}{rest}");
        match &missed.column {
            None => Fault::of_table(&cut(table, LONGEST_NAME), what),
            Some(column) => Fault::of_column(table, column, what),
        }
        .of_cascade()
    }

    /// Rows that the text deletes: what the judged attempt lost otherwise.
    fn deleted(&self) -> Vec<String> {
        let mut out = Vec::new();
        for lost in self.judged.attempt.lost.iter().filter(|lost| !self.is_not_told(&lost.table)) {
            let of_table = |missed: &&Missed| {
                missed.column.is_none() && cut(&missed.table, LONGEST_NAME).eq_ignore_ascii_case(&lost.table)
            };
            let by_cascade = self.judged.missed.iter().find(of_table).map_or(0, |missed| missed.rows);
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
