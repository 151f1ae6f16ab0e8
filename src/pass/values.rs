//! The values of a store's rows, judged where they lie in its pages by the rules of the application.

use rusqlite::types::ValueRef;

use crate::application::{Application, Rule};
use crate::format::answer::Checked;
use crate::format::row::{Row, Value, Visitor};
use crate::format::schema::{Schema, Table};

/// What was looked at, where each value follows its rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Values {
    /// How many rows.
    pub rows: u64,
    /// How many columns, and how many of the same tables have no rule.
    pub columns: u64,
    pub without_rule: u64,
}

/// Judges rows. It only finds out whether each value follows its rule: what is wrong where one does not, SQL says.
pub(super) struct Judge {
    /// By the place of a table in the schema.
    tables: Vec<Option<Columns>>,
}

/// The columns of a table that have a rule.
struct Columns {
    rules: Vec<(usize, Rule)>,
    /// Whether a row can be named in SQL, so that a long value of it is looked at there, too.
    has_name: bool,
}

impl Judge {
    pub(super) fn new(application: Option<&Application>, schema: &Schema) -> Self {
        let mut tables: Vec<Option<Columns>> = Vec::new();
        tables.resize_with(schema.tables.len(), || None);
        for known in application.iter().flat_map(|application| application.tables.iter()) {
            let Some((at, table)) = schema.table(&known.name) else {
                continue;
            };
            let rules: Vec<_> = known
                .columns
                .iter()
                .filter_map(|column| Some((table.column(&column.name)?, column.rule)))
                .collect();
            let has_name = ["rowid", "_rowid_", "oid"].iter().any(|name| table.column(name).is_none());
            if let Some(slot) = tables.get_mut(at)
                && !rules.is_empty()
            {
                *slot = Some(Columns { rules, has_name });
            }
        }
        Self { tables }
    }
}

impl Visitor for Judge {
    /// Whether some value does not follow its rule, or could not be judged.
    type State = bool;

    fn wants(&self, table: usize, _: &Table) -> bool {
        self.tables.get(table).is_some_and(Option::is_some)
    }

    fn begin(&self) -> bool {
        false
    }

    fn row(&self, is_wrong: &mut bool, row: &Row<'_>) {
        if !*is_wrong && let Some(Some(columns)) = self.tables.get(row.table) {
            *is_wrong = columns.is_wrong(row);
        }
    }

    fn merge(&self, into: &mut bool, other: bool) {
        *into |= other;
    }
}

impl Columns {
    fn is_wrong(&self, row: &Row<'_>) -> bool {
        self.rules.iter().any(|(column, rule)| {
            let value = match row.value(*column) {
                Ok(Value::Null) => ValueRef::Null,
                Ok(Value::Integer(number)) => ValueRef::Integer(number),
                Ok(Value::Real(number)) => ValueRef::Real(number),
                Ok(Value::Text(text)) => ValueRef::Text(text),
                Ok(Value::Blob(blob)) => ValueRef::Blob(blob),
                Ok(Value::Long(long)) if long.is_text() && self.has_name => {
                    return !matches!(rule.fault_in(|| Ok(long.open())), Ok(None));
                }
                Ok(Value::Long(_)) | Err(_) => return true,
            };
            rule.fault(value).is_some()
        })
    }
}

/// What was looked at, where all of the application's tables were read to their ends and each value follows its rule.
pub(super) fn sound(application: &Application, schema: &Schema, checked: &Checked<bool>) -> Option<Values> {
    let mut values = Values::default();
    for known in application.tables.iter() {
        // A virtual table has no pages: it is not the application's.
        let there = schema.table(&known.name).filter(|(_, table)| table.root != 0);
        let Some((at, table)) = there else { continue };
        let checked = checked.tables.get(at).filter(|checked| checked.all_read)?;
        let columns = known.columns.iter().filter(|column| table.column(&column.name).is_some()).count();
        if columns > 0 {
            values.rows += checked.rows;
            values.columns += columns as u64;
            values.without_rule += (table.columns.len() - columns) as u64;
        }
    }
    (!checked.visited).then_some(values)
}
