//! The values of a store's rows, judged where they lie in its pages by the rules of the application.

use rusqlite::types::ValueRef;

use crate::application::{Application, Rule};
use sqlite_format::answer::Checked;
use sqlite_format::row::{Row, Value, Visitor};
use sqlite_format::schema::{Schema, Table};

/// The number of values that were judged, all of which follow their rules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Values {
    /// The rows.
    pub rows: u64,
    /// The columns, and those of the same tables that have no rule.
    pub columns: u64,
    pub without_rule: u64,
}

/// The longest value that is remembered, in bytes.
const LONGEST_REMEMBERED: usize = 1 << 10;

/// The state of one thread that judges rows.
pub(super) struct Judged {
    /// True when some value does not follow its rule, or could not be judged.
    is_wrong: bool,
    /// The last value that was found good, for each rule that takes long to follow. In many columns most values are the same.
    good: Vec<Vec<u8>>,
}

/// A judge of rows. It only tells whether each value follows its rule: if one does not, a query finds out what is wrong.
pub(super) struct Judge {
    /// By the place of a table in the schema.
    tables: Vec<Option<Columns>>,
    /// The number of rules that take long to follow.
    slow: usize,
}

/// The columns of a table that have a rule.
struct Columns {
    rules: Vec<Ruled>,
    /// True when a row can be named in SQL, so that a query reads its long values too.
    has_name: bool,
}

/// A column that has a rule.
struct Ruled {
    column: usize,
    rule: Rule,
    /// The place at which the last good value is remembered.
    place: Option<usize>,
}

impl Judge {
    pub(super) fn new(application: Option<&Application>, schema: &Schema) -> Self {
        let mut tables: Vec<Option<Columns>> = Vec::new();
        tables.resize_with(schema.tables.len(), || None);
        let mut slow = 0;
        let mut place = |rule| {
            let is_slow = matches!(rule, Rule::Json | Rule::Time | Rule::Address);
            slow += usize::from(is_slow);
            is_slow.then(|| slow - 1)
        };
        for known in application.iter().flat_map(|application| application.tables.iter()) {
            let Some((at, table)) = schema.table(&known.name) else {
                continue;
            };
            let rules: Vec<_> = known
                .columns
                .iter()
                .filter_map(|known| {
                    let column = table.column(&known.name)?;
                    let (rule, place) = (known.rule, place(known.rule));
                    Some(Ruled { column, rule, place })
                })
                .collect();
            let has_name = ["rowid", "_rowid_", "oid"].iter().any(|name| table.column(name).is_none());
            if let Some(slot) = tables.get_mut(at)
                && !rules.is_empty()
            {
                *slot = Some(Columns { rules, has_name });
            }
        }
        Self { tables, slow }
    }
}

impl Visitor for Judge {
    type State = Judged;

    fn wants(&self, table: usize, _: &Table) -> bool {
        self.tables.get(table).is_some_and(Option::is_some)
    }

    fn begin(&self) -> Judged {
        Judged {
            is_wrong: false,
            good: vec![Vec::new(); self.slow],
        }
    }

    fn row(&self, judged: &mut Judged, row: &Row<'_>) {
        if !judged.is_wrong
            && let Some(Some(columns)) = self.tables.get(row.table)
        {
            judged.is_wrong = columns.is_wrong(row, &mut judged.good);
        }
    }

    fn merge(&self, into: &mut Judged, other: Judged) {
        into.is_wrong |= other.is_wrong;
    }
}

impl Columns {
    fn is_wrong(&self, row: &Row<'_>, good: &mut [Vec<u8>]) -> bool {
        self.rules.iter().any(|Ruled { column, rule, place }| {
            let value = match row.value(*column) {
                Ok(Value::Null) => ValueRef::Null,
                Ok(Value::Integer(number)) => ValueRef::Integer(number),
                Ok(Value::Real(number)) => ValueRef::Real(number),
                Ok(Value::Text(text)) => {
                    return match place.and_then(|place| good.get_mut(place)) {
                        Some(good) => is_wrong_or_remembered(*rule, text, good),
                        None => rule.fault(ValueRef::Text(text)).is_some(),
                    };
                }
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

/// Returns true when a text does not follow its rule. One that does is remembered, and is not judged when it comes again: in many
/// columns most values are equal, and rules such as that of JSON are slow.
fn is_wrong_or_remembered(rule: Rule, text: &[u8], good: &mut Vec<u8>) -> bool {
    // No rule that takes long to follow is followed by no text at all.
    if !text.is_empty() && text == good.as_slice() {
        return false;
    }
    let is_wrong = rule.fault(ValueRef::Text(text)).is_some();
    if !is_wrong && text.len() <= LONGEST_REMEMBERED {
        good.clear();
        good.extend_from_slice(text);
    }
    is_wrong
}

/// Returns the number of values, when all of the application's tables were read to their ends and each value follows its rule.
pub(super) fn sound(application: &Application, schema: &Schema, checked: &Checked<Judged>) -> Option<Values> {
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
    (!checked.visited.is_wrong).then_some(values)
}
