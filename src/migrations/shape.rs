//! A store's shape by its meaning: what replaying migrations gives, compared with what is there.
//!
//! Never by text alone: `sqlite_schema.sql` keeps comments, white space, letter case and the traces of ALTER TABLE.

mod compare;
mod definition;
mod read;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

pub(crate) use compare::ShapeDifference;
pub(crate) use definition::{may_have_checks, module};
use read::{Object, ObjectKind, Table};

use crate::application::{Application, Definition, Impact, Ledger, Migration};
use crate::error::{Error, Result};
use crate::limits::stop::Stop;
use crate::migrations::driver::Drivers;
use crate::migrations::runner;
use crate::migrations::steps::{Step, Steps};
use crate::migrations::tool_runner;
use crate::store::introspect::quoted;
use crate::store::{ReadOnly, interruptible, prepare_rehearsal};

/// The most differences that are kept; the rest are counted.
const MOST_KEPT: usize = 1_000;

/// The schema that replaying migrations gives. Names are in lower case.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    tables: BTreeMap<String, Table>,
    /// Views, triggers and virtual tables, in one way of writing.
    objects: BTreeMap<String, (ObjectKind, String, String)>,
    /// Tables of which nothing is said.
    ignored: BTreeSet<String>,
    /// The runner's own ledger, into which it writes every key itself.
    ledger: Option<String>,
}

/// The most extra tables that are held against an empty or missing one.
const MOST_HOLDERS: usize = 20;

/// The size up to which a database may grow in which migrations are replayed, in bytes.
const MOST_REPLAYED: u64 = 16 << 20;

/// Sets an empty database up for SQL from a folder.
pub(super) fn replayable(memory: &mut Connection, foreign_keys: bool, stop: &Stop) -> rusqlite::Result<()> {
    prepare_rehearsal(memory, foreign_keys, stop)?;
    memory.execute_batch(&format!("PRAGMA max_page_count={}", MOST_REPLAYED / 4096))
}

/// A table that is empty or missing, and another one that has its columns and rows, as after a rename or a rebuild that was not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowsElsewhere {
    /// The table that should have the rows.
    pub(crate) table: String,
    /// True if it is missing.
    pub(crate) is_missing: bool,
    /// The table that has rows.
    pub(crate) holder: String,
    /// The number of its rows.
    pub(crate) rows: u64,
    /// The columns that both have.
    pub(crate) columns: Vec<String>,
}

/// The differences between a store and a shape.
#[derive(Debug, Default)]
pub(crate) struct ShapeDifferences {
    /// The worst first.
    pub(crate) kept: Vec<ShapeDifference>,
    /// The number of differences in all.
    pub(crate) total: u64,
    /// The number of tables that were compared.
    pub(crate) tables: usize,
}

impl Shape {
    /// Replays these migrations in an empty database and returns the shape, with the ledger.
    ///
    /// # Errors
    /// Fails if one of the migrations fails.
    pub(crate) fn replay(ledger: &Ledger, migrations: &[Migration]) -> Result<Self> {
        let mut memory = Connection::open_in_memory().map_err(Error::sqlite("open"))?;
        runner::migrate(&mut memory, ledger, migrations)?;
        let mut shape = Self::read(&ReadOnly::guarded(memory, None, &Stop::never())?)?;
        shape.ledger = Some(ledger.table.to_ascii_lowercase());
        Ok(shape)
    }

    /// Replays a tool's migrations in an empty database and returns the shape without the tables that are the tool's own: neither is anything said
    /// of these in a store. `apart`: so many of the first were run by connections of their own.
    ///
    /// # Errors
    /// Fails if one of them fails or must not be run, if the shape outgrows a bound, or at the time limit.
    pub(crate) fn replay_steps(
        steps: &[&Step],
        apart: usize,
        ledgers: &[String],
        foreign_keys: bool,
        stop: &Stop,
    ) -> Result<Self> {
        // The shape is read from a database that SQLite made of the migrations, not from their text: whatever ALTER TABLE, quoting or
        // generated names do, both sides of the comparison then went through the same SQLite.
        let mut memory = Connection::open_in_memory().map_err(Error::sqlite("open"))?;
        replayable(&mut memory, foreign_keys, stop).map_err(Error::preparing("prepare a replay"))?;
        let running = interruptible(&memory, stop);
        let ran = tool_runner::run(&mut memory, steps, apart, None, &Drivers::default(), &mut (), stop);
        // An interrupt makes a statement fail: that failure is the time limit's and not the migration's.
        stop.check()?;
        ran?;
        drop(running);
        let mut shape = Self::read(&ReadOnly::guarded(memory, None, stop)?)?;
        shape.ignored = ledgers.iter().map(|ledger| ledger.to_ascii_lowercase()).collect();
        shape.tables.retain(|table, _| !shape.ignored.contains(table));
        shape
            .objects
            .retain(|name, (_, table, _)| !shape.ignored.contains(name) && !shape.ignored.contains(table));
        Ok(shape)
    }

    /// Returns true if it has a table.
    pub(crate) fn has_tables(&self) -> bool {
        !self.tables.is_empty()
    }

    /// Returns the number of the first of these applied migrations ran on connections of their own, as far as the store shows it: all, where
    /// each came with another release, or none, where they were all there at the first start. Settings that one of them left on its
    /// connection then changed what the next ones did.
    ///
    /// # Errors
    /// Fails if SQLite cannot read the store, or at the time limit.
    pub(crate) fn count_separate_steps(run: &[&Step], steps: &Steps, handle: &ReadOnly, stop: &Stop) -> Result<usize> {
        let all = run.len();
        if !run.iter().any(|step| step.may_leave_settings()) {
            return Ok(all);
        }
        // Only the two extremes are tried: each number in between would cost another replay, and few migrations leave settings at all.
        for apart in [all, 0] {
            match Self::replay_steps(run, apart, &steps.ledgers, steps.foreign_keys.hold(), stop) {
                Ok(shape) if shape.differences(handle)?.total == 0 => return Ok(apart),
                Err(error) if error.is_own_bound() => return Err(error),
                _ => {}
            }
        }
        Ok(all)
    }

    /// Removes the ledger: a store to which no migration was applied has none.
    #[must_use]
    pub(crate) fn without_ledger(mut self, ledger: &Ledger) -> Self {
        self.tables.remove(&ledger.table.to_ascii_lowercase());
        self
    }

    /// Looks for a table that is empty or missing although an extra table has all of the columns that it needs, and rows.
    ///
    /// # Errors
    /// Fails if SQLite cannot read the store.
    pub(crate) fn find_rows_elsewhere(
        &self,
        differences: &ShapeDifferences,
        handle: &ReadOnly,
    ) -> Result<Option<RowsElsewhere>> {
        let has_rows = |table: &str| -> Result<bool> {
            Ok(handle.number(&format!("SELECT EXISTS(SELECT 1 FROM {})", quoted(table)))? == 1)
        };
        let extra = differences.kept.iter().filter(|difference| difference.is_extra_table());
        for holder in extra.take(MOST_HOLDERS).map(|difference| &difference.table) {
            let held = Table::read(handle, holder, None)?;
            for (table, expected) in &self.tables {
                let cannot_be_read = |difference: &ShapeDifference| {
                    difference.table == *table && difference.cost == Impact::Reads && difference.column.is_none()
                };
                let is_missing = differences.kept.iter().any(cannot_be_read);
                let shared: Vec<String> =
                    expected.columns.keys().filter(|name| held.columns.contains_key(*name)).cloned().collect();
                let needs = |column: &read::Column| column.not_null && column.default.is_none();
                let fits = expected.columns.iter().all(|(name, column)| !needs(column) || shared.contains(name));
                if shared.len() > 1 && fits && has_rows(holder)? && (is_missing || !has_rows(table)?) {
                    let rows = handle.number(&format!("SELECT count(*) FROM {}", quoted(holder)))?;
                    return Ok(Some(RowsElsewhere {
                        table: table.clone(),
                        is_missing,
                        holder: holder.clone(),
                        rows: u64::try_from(rows).unwrap_or(0),
                        columns: shared,
                    }));
                }
            }
        }
        Ok(None)
    }

    /// Returns the number of tables of a store to which these migrations were applied, where its schema is to the letter the one that
    /// the runner leaves. Then it has its shape, and the replay, which takes longer than all other looks at a small store,
    /// is spared. `None` says nothing.
    ///
    /// # Errors
    /// Fails if SQLite cannot read the schema.
    pub(crate) fn tables_to_the_letter(
        application: &Application,
        applied: &[i64],
        handle: &ReadOnly,
    ) -> Result<Option<usize>> {
        let letter = &application.final_schema;
        if letter.is_empty() || !application.ids().iter().eq(applied) {
            return Ok(None);
        }
        let mut seen = BTreeSet::new();
        let mut other = false;
        read::objects(handle, |object| {
            let same = |table: &Definition| object.name == table.name && object.sql.as_deref() == Some(&table.sql);
            if object.kind == ObjectKind::Table && letter.iter().any(same) {
                seen.insert(object.name);
            } else {
                other = true;
            }
        })?;
        Ok((!other && seen.len() == letter.len()).then_some(seen.len()))
    }

    fn read(handle: &ReadOnly) -> Result<Self> {
        let mut out = Self::default();
        let mut tables = Vec::new();
        read::objects(handle, |object| match object.kind {
            ObjectKind::Table => tables.push(object),
            ObjectKind::View | ObjectKind::Trigger | ObjectKind::VirtualTable => {
                let text = definition::object(object.sql.as_deref().unwrap_or_default());
                let name = object.name.to_ascii_lowercase();
                out.objects.insert(name, (object.kind, object.table.to_ascii_lowercase(), text));
            }
            ObjectKind::Index => {}
        })?;
        for table in tables {
            let read = Table::read(handle, &table.name, table.sql.as_deref())?;
            out.tables.insert(table.name.to_ascii_lowercase(), read);
        }
        Ok(out)
    }

    /// Compares a store with this shape. Of tables that this shape does not have, nothing but their names is read.
    ///
    /// # Errors
    /// Fails if SQLite cannot read the store, or at the time limit.
    pub(crate) fn differences(&self, handle: &ReadOnly) -> Result<ShapeDifferences> {
        let mut out = ShapeDifferences::default();
        let mut tables: BTreeMap<String, Object> = BTreeMap::new();
        let mut seen: Vec<String> = Vec::new();
        let mut in_other_form: Vec<String> = Vec::new();
        read::objects(handle, |object| {
            let name = object.name.to_ascii_lowercase();
            match object.kind {
                ObjectKind::Table if self.tables.contains_key(&name) => {
                    tables.insert(name, object);
                }
                // An index of a table that is compared is compared with it; one of an extra table is extra with it.
                ObjectKind::Index => {}
                _ if self.ignored.contains(&object.table.to_ascii_lowercase()) => {}
                ObjectKind::View | ObjectKind::Trigger | ObjectKind::VirtualTable
                    if self.objects.contains_key(&name) =>
                {
                    out.extend(self.compare_object(&name, &object));
                    seen.push(name);
                }
                _ => {
                    out.extend(Some(extra(self, &object)));
                    if object.kind != ObjectKind::Trigger && self.tables.contains_key(&name) {
                        in_other_form.push(name);
                    }
                }
            }
        })?;
        for (name, expected) in &self.tables {
            match tables.get(name) {
                None if in_other_form.contains(name) => {}
                None => out.extend(Some(ShapeDifference::new(Impact::Reads, name, "the table is missing"))),
                Some(object) => {
                    let found = Table::read(handle, &object.name, object.sql.as_deref())?;
                    out.extend(compare::tables(name, expected, &found, self.ledger.as_ref() == Some(name)));
                    out.tables += 1;
                }
            }
        }
        for (name, (kind, table, _)) in self.objects.iter().filter(|(name, _)| !seen.contains(name)) {
            let (cost, place) = match kind {
                ObjectKind::View | ObjectKind::VirtualTable => (Impact::Reads, name),
                _ => (Impact::Unguarded, table),
            };
            out.extend(Some(ShapeDifference::new(cost, place, format!("the {} {name} is missing", kind.words()))));
        }
        out.kept.sort_by(|a, b| (a.cost, &a.table).cmp(&(b.cost, &b.table)));
        Ok(out)
    }

    fn compare_object(&self, name: &str, found: &Object) -> Option<ShapeDifference> {
        let (kind, _, text) = self.objects.get(name)?;
        let same = *kind == found.kind && found.sql.as_deref().map(definition::object).as_deref() == Some(text);
        let cost = match found.kind {
            ObjectKind::Trigger => Impact::SilentChange,
            _ => Impact::Reads,
        };
        let what = || format!("the {} {} is defined differently", found.kind.words(), found.name);
        (!same).then(|| ShapeDifference::new(cost, &found.table, what()))
    }
}

/// Reads a text as each kind of definition that there is, and drops the result: it must not panic.
pub(crate) fn read_any_definition(sql: &str) {
    drop((
        definition::table(sql),
        definition::index(sql),
        definition::object(sql),
        tokens::default(sql),
    ));
}

/// Returns the difference of an object that the shape does not have.
fn extra(shape: &Shape, object: &Object) -> ShapeDifference {
    let (kind, name) = (object.kind.words(), &object.name);
    let (cost, what) = match object.kind {
        ObjectKind::Trigger => (Impact::SilentChange, format!("an extra trigger, {name}")),
        _ if shape.tables.contains_key(&name.to_ascii_lowercase()) => {
            (Impact::Reads, format!("is a {kind}, where a table should be"))
        }
        ObjectKind::Table => (Impact::Extra, compare::EXTRA_TABLE.to_owned()),
        _ => (Impact::Extra, format!("an extra {kind}")),
    };
    ShapeDifference::new(cost, &object.table, what)
}

impl ShapeDifferences {
    /// Keeps the worst: what is merely extra makes room.
    fn extend(&mut self, differences: impl IntoIterator<Item = ShapeDifference>) {
        for difference in differences {
            self.total += 1;
            if self.kept.len() < MOST_KEPT {
                self.kept.push(difference);
            } else if difference.cost < Impact::Extra
                && let Some(at) = self.kept.iter().rposition(|kept| kept.cost == Impact::Extra)
            {
                self.kept[at] = difference;
            }
        }
    }

    /// Returns true if no difference was left out.
    pub(crate) fn all_kept(&self) -> bool {
        self.kept.len() as u64 == self.total
    }

    /// Returns the worst impact; `None` where nothing differs.
    pub(crate) fn worst(&self) -> Option<Impact> {
        self.kept.first().map(|difference| difference.cost)
    }

    /// Returns the worst ones in a line, and how many there are more.
    pub(crate) fn line(&self) -> String {
        const SHOWN: usize = 2;
        let shown: Vec<String> = self.kept.iter().take(SHOWN).map(ShapeDifference::line).collect();
        let rest = self.total.saturating_sub(shown.len() as u64);
        let more = match rest {
            0 => String::new(),
            _ => format!("; and {}", crate::text::words::plural(rest, "more difference", "more differences")),
        };
        shown.join("; ") + &more
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::steps::Transaction;

    fn application() -> Application {
        let first = Migration::new(9001, "first", "CREATE TABLE t(x)");
        let second = Migration::new(9002, "second", "ALTER TABLE t ADD COLUMN y");
        Application::new("another", vec![first, second])
    }

    #[test]
    fn a_schema_that_is_known_to_the_letter_needs_no_replay() {
        let plain = application();
        let known = Application {
            final_schema: vec![
                Definition {
                    name: "schema_migrations".into(),
                    sql: "CREATE TABLE schema_migrations (\n id INTEGER PRIMARY KEY,\n name TEXT NOT NULL,\n applied_at TEXT NOT NULL\n)"
                        .into(),
                },
                Definition {
                    name: "t".into(),
                    sql: "CREATE TABLE t(x, y)".into(),
                },
            ]
            .into(),
            ..application()
        };
        let after = |sql: &str| {
            let mut memory = Connection::open_in_memory().unwrap();
            runner::migrate(&mut memory, &plain.ledger, &plain.migrations).unwrap();
            memory.execute_batch(sql).unwrap();
            ReadOnly::guarded(memory, None, &Stop::never()).unwrap()
        };
        let tables = |application: &Application, applied: &[i64], handle: &ReadOnly| {
            Shape::tables_to_the_letter(application, applied, handle).unwrap()
        };
        let made = after("");
        assert_eq!(tables(&known, &[9001, 9002], &made), Some(2));
        assert_eq!(tables(&plain, &[9001, 9002], &made), None, "nothing is known to the letter");
        assert_eq!(tables(&known, &[9001], &made), None);
        assert_eq!(
            Shape::replay(&plain.ledger, &plain.migrations).unwrap().differences(&made).unwrap().total,
            0
        );
        for sql in [
            "CREATE TABLE more(x)",
            "CREATE INDEX i ON t(x)",
            "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END",
            "CREATE VIEW v AS SELECT 1",
            "ALTER TABLE t ADD COLUMN z",
            "DROP TABLE t",
        ] {
            assert_eq!(tables(&known, &[9001, 9002], &after(sql)), None, "{sql}");
        }
        // What SQLite keeps for itself changes nothing.
        assert_eq!(tables(&known, &[9001, 9002], &after("ANALYZE")), Some(2));
    }

    #[test]
    fn a_tools_ledger_is_disregarded_and_a_virtual_table_is_compared_by_its_text() {
        let step = Step {
            key: "1".to_owned(),
            name: String::new(),
            file: String::new(),
            batches: vec!["CREATE TABLE t(x); CREATE TABLE Applied(v); CREATE VIRTUAL TABLE w USING fts5(word)".into()],
            is_outside: false,
            transaction: Transaction::Each,
        };
        let shape = Shape::replay_steps(&[&step], 1, &["applied".to_owned()], true, &Stop::never()).unwrap();
        let differences = |sql: &str| {
            let memory = Connection::open_in_memory().unwrap();
            memory.execute_batch(sql).unwrap();
            let handle = ReadOnly::guarded(memory, None, &Stop::never()).unwrap();
            shape.differences(&handle).unwrap().line()
        };
        assert_eq!(differences("CREATE TABLE t(x); CREATE VIRTUAL TABLE W using FTS5(word)"), "");
        let ledger = "CREATE TABLE applied(v, w); CREATE INDEX i ON applied(v);
            CREATE TRIGGER g AFTER INSERT ON applied BEGIN SELECT 1; END;";
        assert_eq!(
            differences(&format!("{ledger} CREATE TABLE t(x); CREATE VIRTUAL TABLE w USING fts5(word)")),
            ""
        );
        assert!(
            differences("CREATE TABLE t(x); CREATE VIRTUAL TABLE w USING fts5(word, other)")
                .contains("the virtual table w is defined differently")
        );
        assert!(differences("CREATE TABLE t(x)").contains("the virtual table w is missing"));
    }
}
