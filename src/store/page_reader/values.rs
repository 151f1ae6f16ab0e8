//! The values of a store's rows, judged where they lie in its pages by the rules of the application.

use rusqlite::types::ValueRef;

use crate::application::{Application, Rule};
use crate::store::introspect::{MOST_COLUMNS_ASKED, can_be_asked_for, is_sqlites_own};
use sqlite_format::answer::Checked;
use sqlite_format::row::{Row, Value, Visitor};
use sqlite_format::schema::{Column, Schema, Table};

/// The result of judging the values of a store, table by table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Values {
    /// The application's tables; of an application whose tables are not known all ordinary ones, in the schema's order.
    pub tables: Vec<TableValues>,
}

/// The result of judging the values of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableValues {
    pub name: String,
    /// The figures, when each value follows its rule; `None` where SQLite has to be asked.
    pub sound: Option<ValueCounts>,
}

/// The number of values that were judged, all of which follow their rules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ValueCounts {
    /// The rows.
    pub rows: u64,
    /// The columns, and those of the same table that have no rule.
    pub columns: u64,
    pub without_rule: u64,
}

/// The longest value that is remembered, in bytes.
const LONGEST_REMEMBERED: usize = 1 << 10;

/// The state of one thread that judges rows.
pub(super) struct Judged {
    /// For each table of the schema: true when some value does not follow its rule, or could not be judged.
    wrong: Vec<bool>,
    /// The last value that was found good, for each rule that takes long to follow. In many columns most values are the same.
    good: Vec<Vec<u8>>,
}

/// A judge of rows. It only tells whether each value follows its rule: if one does not, a query finds out what is wrong.
pub(super) struct Judge {
    /// By the place of a table in the schema.
    tables: Vec<Option<Judging>>,
    /// The number of rules that take long to follow.
    slow: usize,
}

/// The way in which the rows of a table are judged.
enum Judging {
    /// By the rules of its columns.
    Ruled(Columns),
    /// All text of an ordinary table must be in the store's encoding. `has_name` as in [`Columns`].
    Text { has_name: bool },
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
        if application.is_some_and(|application| !application.has_builtin_migrations()) {
            let text = |table: &Table| {
                let is_looked_at = is_ordinary(table) && has_plain_columns(table);
                is_looked_at.then(|| Judging::Text {
                    has_name: has_name(table),
                })
            };
            let tables = schema.tables.iter().map(text).collect();
            return Self { tables, slow: 0 };
        }
        let mut tables: Vec<Option<Judging>> = Vec::new();
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
            let has_name = has_name(table);
            if let Some(slot) = tables.get_mut(at)
                && !rules.is_empty()
            {
                *slot = Some(Judging::Ruled(Columns { rules, has_name }));
            }
        }
        Self { tables, slow }
    }
}

/// Returns true when a row can be named in SQL.
fn has_name(table: &Table) -> bool {
    table.keyed.is_none() && ["rowid", "_rowid_", "oid"].iter().any(|name| table.column(name).is_none())
}

/// Returns true for an ordinary table: not virtual and not one of SQLite's own.
fn is_ordinary(table: &Table) -> bool {
    table.root != 0 && !is_sqlites_own(table.name.as_bytes())
}

/// Returns true when a query asks for each column of a table, neither too many nor under a name that a report would not show.
fn has_plain_columns(table: &Table) -> bool {
    let is_plain = |column: &Column| can_be_asked_for(&column.name);
    (1..=MOST_COLUMNS_ASKED).contains(&table.columns.len()) && table.columns.iter().all(is_plain)
}

impl Visitor for Judge {
    type State = Judged;

    fn wants(&self, table: usize, _: &Table) -> bool {
        self.tables.get(table).is_some_and(Option::is_some)
    }

    fn begin(&self) -> Judged {
        Judged {
            wrong: vec![false; self.tables.len()],
            good: vec![Vec::new(); self.slow],
        }
    }

    fn row(&self, judged: &mut Judged, row: &Row<'_>) {
        if let Some(wrong) = judged.wrong.get_mut(row.table)
            && !*wrong
            && let Some(Some(judging)) = self.tables.get(row.table)
        {
            *wrong = match judging {
                Judging::Ruled(columns) => columns.is_wrong(row, &mut judged.good),
                Judging::Text { has_name } => has_wrong_text(row, *has_name),
            };
        }
    }

    fn merge(&self, into: &mut Judged, other: Judged) {
        into.wrong.iter_mut().zip(other.wrong).for_each(|(into, other)| *into |= other);
    }
}

/// Returns true when a text of a row is not in the store's encoding, or cannot be judged.
fn has_wrong_text(row: &Row<'_>, has_name: bool) -> bool {
    let rule = Rule::Unknown;
    (0..row.columns()).any(|column| match row.value(column) {
        Ok(Value::Text(text)) => rule.fault(ValueRef::Text(text)).is_some(),
        Ok(Value::Long(long)) if long.is_text() => !has_name || !matches!(rule.fault_in(|| Ok(long.open())), Ok(None)),
        // A query says of a long blob in a row without a name no more than of any other.
        Ok(_) => false,
        Err(_) => true,
    })
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

/// Returns the result for each table: a table is sound when it was read to its end and each value follows its rule.
pub(super) fn by_table(application: &Application, schema: &Schema, checked: &Checked<Judged>) -> Values {
    let is_sound = |at: usize| {
        let all_read = checked.tables.get(at).is_some_and(|checked| checked.all_read);
        all_read && checked.visited.wrong.get(at) == Some(&false)
    };
    let rows = |at: usize| checked.tables.get(at).map_or(0, |checked| checked.rows);
    let tables = if application.has_builtin_migrations() {
        let of_known = |known: &crate::application::Table| {
            // A virtual table has no pages: it is not the application's.
            let there = schema.table(&known.name).filter(|(_, table)| table.root != 0);
            let sound = there.map_or(Some(ValueCounts::default()), |(at, table)| {
                let columns = known.columns.iter().filter(|column| table.column(&column.name).is_some()).count();
                let counts = if columns == 0 {
                    ValueCounts::default()
                } else {
                    ValueCounts {
                        rows: rows(at),
                        columns: columns as u64,
                        without_rule: (table.columns.len() - columns) as u64,
                    }
                };
                is_sound(at).then_some(counts)
            });
            TableValues {
                name: known.name.to_string(),
                sound,
            }
        };
        application.tables.iter().map(of_known).collect()
    } else {
        let ordinary = schema.tables.iter().enumerate().filter(|(_, table)| is_ordinary(table));
        let of_ordinary = |(at, table): (usize, &Table)| TableValues {
            name: table.name.clone(),
            sound: (is_sound(at) && has_plain_columns(table)).then(|| ValueCounts {
                rows: rows(at),
                columns: table.columns.len() as u64,
                without_rule: 0,
            }),
        };
        ordinary.map(of_ordinary).collect()
    };
    Values { tables }
}
