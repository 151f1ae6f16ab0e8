//! Turns one trial, or two with foreign keys on and off, into faults and remarks.

use std::collections::{BTreeMap, BTreeSet};

use super::ToolTrial;
use crate::findings::LONGEST_NAME;
use crate::migrations::rehearsal::Rehearsal;
use crate::migrations::rehearsal::losses::{CascadeCause, CascadeLoss};
use crate::migrations::rehearsal::rebuilds::{ChangeKind, GoneObject, TableChange};
use crate::migrations::rehearsal::verify::RehearsalFault;
use crate::migrations::steps::{ForeignKeys, Steps};
use crate::migrations::tool_runner::DriverDifference;
use crate::text::words::{cut, plural, thousands};

/// The trials, and what is needed to summarise them.
pub(super) struct ToolSummary<'a> {
    pub(super) steps: &'a Steps,
    /// The attempt by which the migrations are judged.
    pub(super) judged: &'a ToolTrial,
    /// The trial with the other setting of foreign keys, if there was one.
    pub(super) other: Option<&'a ToolTrial>,
    /// The store's virtual tables, in lower case: the tables in which they keep their rows are their own affair.
    pub(super) virtuals: Vec<String>,
}

impl ToolSummary<'_> {
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
            out.faults = vec![self.qualified(RehearsalFault::of_migration(error))];
            return out;
        }
        out.faults.extend(self.cascade_losses().map(|loss| self.cascade(loss)));
        out.faults.extend(self.find_copied_texts());
        out.faults.extend(attempt.faults.iter().map(|fault| self.qualified(fault.clone())));
        out.faults.extend(self.find_fault_with_other_setting());
        out.rows_gone.extend(self.describe_rows_not_copied());
        out.notes.extend(out.rows_gone.iter().cloned());
        out.notes.extend(self.describe_deleted_rows());
        let dropped = self.describe_dropped_tables();
        out.notes.extend(dropped.iter().cloned());
        out.rows_gone.extend(dropped);
        out.notes.extend(self.describe_changed_values());
        out.notes.extend(self.describe_gone_objects());
        out.notes.extend(self.describe_driver_differences());
        out
    }

    /// Returns the trial with this setting of foreign keys, if it did not fail.
    fn passed(&self, foreign_keys: bool) -> Option<&ToolTrial> {
        let tried = [Some(self.judged), self.other].into_iter().flatten();
        tried
            .filter(|tried| tried.attempt.failed.is_none())
            .find(|tried| tried.foreign_keys == foreign_keys)
    }

    /// Returns the other trial, where it is not known which setting the application has.
    fn as_likely(&self) -> Option<&ToolTrial> {
        self.other.filter(|_| matches!(self.steps.foreign_keys, ForeignKeys::Usual(_)))
    }

    /// Adds to a fault of the judged trial that the other trial does not have it.
    fn qualified(&self, fault: RehearsalFault) -> RehearsalFault {
        let is_only_here = |other: &ToolTrial| {
            let faults = &other.attempt.faults;
            other.attempt.failed.is_none() && faults.iter().all(|there| there.line != fault.line)
        };
        if !self.as_likely().is_some_and(is_only_here) {
            return fault;
        }
        let (here, there) = (on_or_off(self.judged), on_or_off_otherwise(self.judged));
        fault.append(&format!("; only with foreign keys {here}, and not with them {there}"))
    }

    fn find_fault_with_other_setting(&self) -> Option<RehearsalFault> {
        let error = self.as_likely()?.attempt.failed.as_ref()?;
        let fault = RehearsalFault::of_migration(error).append(&format!(
            "; only with foreign keys {}, and not with them {}, as is usual for the tool (--foreign-keys settles it)",
            on_or_off_otherwise(self.judged),
            on_or_off(self.judged),
        ));
        Some(fault)
    }

    /// Returns the losses by cascades: in the trial with foreign keys on, if it did not fail.
    fn cascade_losses(&self) -> impl Iterator<Item = &CascadeLoss> {
        let tried = self.passed(true).unwrap_or(self.judged);
        tried.cascade_losses.iter().filter(|loss| !self.is_tool_owned_table(&loss.table))
    }

    /// Returns the fault of a cascade that no statement names.
    fn cascade(&self, loss: &CascadeLoss) -> RehearsalFault {
        let CascadeLoss { table, rows, steps, .. } = loss;
        let (what, counts) = match &loss.column {
            None => {
                let counted = self.judged.attempt.lost.iter().find(|rows| rows.table.eq_ignore_ascii_case(table));
                let before = counted.map_or(loss.before, |rows| rows.before.max(loss.before));
                let counts = format!(" ({} before, {} after)", thousands(before), thousands(loss.after));
                (format!("{} lost", plural(*rows, "row is", "rows are")), counts)
            }
            Some(_) => (format!("{} emptied", plural(*rows, "reference is", "references are")), String::new()),
        };
        let is_same =
            |there: &&CascadeLoss| there.table == *table && there.column == loss.column && there.rows == *rows;
        let stays = self.passed(false).filter(|off| !off.cascade_losses.iter().any(|there| is_same(&there)));
        let (condition, rest) = match (stays.is_some(), self.judged.foreign_keys) {
            (false, _) => ("", ""),
            (true, true) => ("", "; with foreign keys off they stay"),
            (true, false) => {
                (" if foreign keys are on", "; with foreign keys off, as is usual for the tool, they stay")
            }
        };
        let why = match loss.how {
            CascadeCause::Dropped => "a table to which they refer is dropped",
            CascadeCause::Replaced => "rows to which they refer are replaced",
        };
        let place = self.migrations(steps);
        let what = format!("{what}{condition}{place}, by a cascade that nobody wrote: {why}{counts}{rest}");
        match &loss.column {
            None => RehearsalFault::of_table(&cut(table, LONGEST_NAME), what),
            Some(column) => RehearsalFault::of_column(table, column, what),
        }
        .of_cascade()
    }

    /// Returns the rows that the text deletes: all that the judged trial lost otherwise.
    fn describe_deleted_rows(&self) -> Vec<String> {
        let mut out = Vec::new();
        for lost in self.judged.attempt.lost.iter().filter(|lost| !self.is_tool_owned_table(&lost.table)) {
            let of_table = |loss: &&CascadeLoss| {
                loss.column.is_none() && cut(&loss.table, LONGEST_NAME).eq_ignore_ascii_case(&lost.table)
            };
            let by_cascade = self.judged.cascade_losses.iter().find(of_table).map_or(0, |loss| loss.rows);
            let rows = lost.rows().saturating_sub(by_cascade).saturating_sub(self.count_not_copied(&lost.table));
            if rows > 0 {
                let rows = plural(rows, "row is", "rows are");
                let place = self.migrations(&self.judged.watch.losses.fewer_in(&lost.table));
                out.push(format!("{}: {rows} deleted by the text of the migrations{place}", lost.table));
            }
        }
        out
    }

    /// Returns the changes of tables that were dropped and made again.
    fn changes(&self) -> impl Iterator<Item = &TableChange> {
        let changes = self.judged.watch.rebuilds.changes().iter();
        changes.filter(|change| !self.is_tool_owned_table(&change.table))
    }

    /// Returns the number of rows of a table that its successors have not got.
    fn count_not_copied(&self, table: &str) -> u64 {
        let rows = self
            .changes()
            .filter(|change| cut(&change.table, LONGEST_NAME).eq_ignore_ascii_case(table));
        let rows = rows.map(|change| match change.what {
            ChangeKind::NotCopied { rows, .. } => rows,
            _ => 0,
        });
        rows.sum()
    }

    fn describe_rows_not_copied(&self) -> Vec<String> {
        let line = |change: &TableChange| {
            let ChangeKind::NotCopied { rows, of } = change.what else {
                return None;
            };
            let place = self.migrations(&[change.step]);
            let table = cut(&change.table, LONGEST_NAME);
            let verb = if rows == 1 { "is" } else { "are" };
            let (rows, of) = (thousands(rows), plural(of, "row", "rows"));
            Some(format!(
                "{table}: {rows} of {of} {verb} not copied into the table that replaces it{place}"
            ))
        };
        self.changes().filter_map(line).collect()
    }

    /// Returns the columns of tables that were made again whose values are not what they were.
    fn describe_changed_values(&self) -> Vec<String> {
        let line = |change: &TableChange| {
            let (column, what) = match &change.what {
                ChangeKind::NotCopied { .. } => return None,
                ChangeKind::ColumnGone { column, values } => {
                    (column, format!("the column is dropped, with {}", plural(*values, "value", "values")))
                }
                ChangeKind::EveryValueChanged { column, compared } => {
                    let rows = compared.words();
                    (column, format!("every value is another one {rows}, and no UPDATE names the column"))
                }
                ChangeKind::OwnName { column, compared } => {
                    (column, format!("every value is the column's own name {}", compared.words()))
                }
                ChangeKind::OtherClass {
                    column,
                    from,
                    to,
                    values,
                } => {
                    let values = plural(*values, "value is", "values are");
                    (column, format!("{values} {} now, and {} before", to.name(), from.name()))
                }
            };
            let (table, column) = (cut(&change.table, LONGEST_NAME), cut(column, LONGEST_NAME));
            Some(format!("{table}.{column}: {what}{}", self.migrations(&[change.step])))
        };
        self.changes().filter_map(line).collect()
    }

    /// Returns the triggers and indexes that went with a table and were not made again.
    fn describe_gone_objects(&self) -> Vec<String> {
        let gone = self.judged.gone_objects.iter().filter(|object| !self.is_tool_owned_table(&object.table));
        let line = |object: &GoneObject| {
            let (table, name) = (cut(&object.table, LONGEST_NAME), cut(&object.name, LONGEST_NAME));
            let place = self.migrations(&[object.step]);
            format!("{table}: its {} {name} went with the table{place}, and is not made again", object.kind)
        };
        gone.map(line).collect()
    }

    /// Returns the columns that a copy overwrites with a text, because what it selects for them is no column.
    fn find_copied_texts(&self) -> impl Iterator<Item = RehearsalFault> {
        self.judged.watch.differences.iter().filter_map(|(step, difference)| {
            let DriverDifference::DoubleQuoted(quoted, rows) = difference else {
                return None;
            };
            let (table, column) = quoted.copied_to.as_ref().filter(|_| quoted.is_meant_as_name && *rows > 0)?;
            let written = plural(*rows, "row", "rows");
            let what = format!(
                "{} is no column of the table that is copied{}: SQLite takes it for a text and writes that into {written}; drivers with DQS=0 refuse the file",
                quoted.label(),
                self.migrations(&[*step])
            );
            Some(RehearsalFault::of_column(table, column, what))
        })
    }

    /// Returns what drivers of the tool do differently and is no failure: one remark for each migration and kind.
    fn describe_driver_differences(&self) -> Vec<String> {
        let mut remarks: BTreeSet<String> = BTreeSet::new();
        let mut texts: BTreeMap<usize, (String, BTreeSet<String>)> = BTreeMap::new();
        for (step, difference) in &self.judged.watch.differences {
            match difference {
                DriverDifference::Remark(what) => {
                    remarks.insert(format!("{what}{}", self.migrations(&[*step])));
                }
                // A copy of no rows writes nothing.
                DriverDifference::DoubleQuoted(quoted, rows)
                    if quoted.copied_to.is_none() || !quoted.is_meant_as_name || *rows == 0 =>
                {
                    let (_, others) = texts.entry(*step).or_insert_with(|| (quoted.label(), BTreeSet::new()));
                    others.insert(quoted.label());
                }
                DriverDifference::DoubleQuoted(..) => {}
            }
        }
        let texts = texts.into_iter().map(|(step, (first, all))| {
            let (more, verb) = match all.len() {
                1 => (String::new(), "is no column and so a text"),
                all => (format!(" and {} more", all - 1), "are no columns and so texts"),
            };
            format!("{first}{more} {verb}{}: drivers with DQS=0 refuse that", self.migrations(&[step]))
        });
        remarks.into_iter().chain(texts).collect()
    }

    /// Returns the tables that no longer exist.
    fn describe_dropped_tables(&self) -> Vec<String> {
        let told = |(table, rows): &(String, u64)| {
            let how = if self.judged.watch.losses.dropped.contains(table) {
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
            .filter(|(table, _)| !self.is_tool_owned_table(table))
            .map(told)
            .collect()
    }

    /// Returns true for tables without rows of the application: the tool's own, and the shadow tables of virtual tables.
    fn is_tool_owned_table(&self, table: &str) -> bool {
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

fn on_or_off(tried: &ToolTrial) -> &'static str {
    if tried.foreign_keys { "on" } else { "off" }
}

fn on_or_off_otherwise(tried: &ToolTrial) -> &'static str {
    if tried.foreign_keys { "off" } else { "on" }
}
