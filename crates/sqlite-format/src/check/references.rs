//! Foreign keys: what rows refer to, gathered in the pass, and whether all of it is there.
//!
//! Only values of the same storage class and the same bytes count as equal. Whatever else SQLite would take for equal is
//! left to SQLite.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Of;
use super::sets::{Bits, Missing, Recent, Set};
use crate::compare::Order;
use crate::damage::Damage;
use crate::hash::{Hash, Keys};
use crate::row::{Row, Value};
use crate::schema::{ForeignKey, Schema, Table, Unsupported};

/// The most bytes that all that is gathered may take.
const MOST_BYTES: usize = 12 << 20;

/// A schema with more foreign keys than this is left to SQLite: each thread remembers something for each of them.
const MOST_REFERENCES: usize = 500;

/// A foreign key while rows are read.
pub(super) struct Reference {
    /// The table that refers.
    pub child: usize,
    /// The columns that refer, in the order of the parent's key.
    columns: Vec<usize>,
    /// The target that they refer to.
    pub target: Target,
    wanted: Wanted,
    /// Something was met that is left to SQLite.
    doubtful: AtomicBool,
}

/// The target of a foreign key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The rowids of a table.
    Rowids(usize),
    /// The primary keys of a table WITHOUT ROWID, which are the beginnings of its rows.
    PrimaryKeys(usize),
    /// The keys of a unique index: its table and its place there.
    Keys(usize, usize),
    /// Neither.
    None(Damage),
}

/// The keys that are referred to.
enum Wanted {
    /// Rowids, one bit each.
    Bits(Bits),
    /// Keys, or rowids that lie too far apart for bits.
    Keys(Mutex<Set>),
    /// Nothing, because there is no room or nothing is asked.
    Nothing,
}

/// All foreign keys of a schema, ready to gather, and the bits of the rowids that are there, by table.
pub(super) struct References {
    /// In the order of the schema's tables and of their statements.
    pub all: Vec<Reference>,
    /// The rowids of tables that are referred to.
    pub present: Vec<Option<Bits>>,
}

impl References {
    /// `largest_rowid` looks a table's largest rowid up.
    pub(super) fn new(schema: &Schema, largest_rowid: &mut dyn FnMut(&Table) -> Option<i64>) -> Self {
        let mut room = MOST_BYTES;
        let mut all = Vec::new();
        let mut present: Vec<Option<Bits>> = schema.tables.iter().map(|_| None).collect();
        let count: usize = schema.tables.iter().map(|table| table.foreign_keys.len()).sum();
        for (child, table) in schema.tables.iter().enumerate() {
            for key in &table.foreign_keys {
                let (columns, target) = if count > MOST_REFERENCES {
                    (Vec::new(), Target::None(Damage::Unsupported(Unsupported::TooMuch)))
                } else {
                    target(schema, table, key)
                };
                let mut wanted = Wanted::Nothing;
                if let Target::Rowids(parent) = target
                    && let Some(of_parent) = schema.tables.get(parent)
                    && let Some(bits) = largest_rowid(of_parent).and_then(|rowid| u64::try_from(rowid).ok())
                    && let Some(slot) = present.get_mut(parent)
                {
                    let bytes = usize::try_from(bits / 8 + 8).unwrap_or(usize::MAX);
                    let needed = if slot.is_some() { bytes } else { bytes.saturating_mul(2) };
                    // Bits where they are few, or fewer than the keys would take.
                    if needed <= room {
                        room -= needed;
                        slot.get_or_insert_with(|| Bits::new(bits));
                        wanted = Wanted::Bits(Bits::new(bits));
                    }
                }
                if matches!(wanted, Wanted::Nothing) && !matches!(target, Target::None(_)) {
                    // While it grows, a set stands in memory one and a half times.
                    let share = room / 12 / count.max(1);
                    wanted = Wanted::Keys(Mutex::new(Set::new(share)));
                }
                all.push(Reference {
                    child,
                    columns,
                    target,
                    wanted,
                    doubtful: AtomicBool::new(false),
                });
            }
        }
        Self { all, present }
    }
}

/// The columns that refer, in the order of the parent's key, and what they refer to; as `sqlite3FkLocateIndex` finds it.
fn target(schema: &Schema, child: &Table, key: &ForeignKey) -> (Vec<usize>, Target) {
    let none = |damage| (Vec::new(), Target::None(damage));
    if let Some(beyond) = child.rows_beyond {
        return none(Damage::Unsupported(beyond));
    }
    let Some((parent, table)) = schema.table(&key.parent) else {
        return none(Damage::Dangling);
    };
    if table.rows_beyond.is_some() {
        return none(Damage::Unsupported(Unsupported::Parent));
    }
    let named: Option<Vec<usize>> = key.parent_columns.iter().map(|name| table.column(name)).collect();
    let Some(named) = named else {
        return none(Damage::Dangling);
    };
    if let (Some(alias), [_]) = (table.rowid_alias, &key.columns[..])
        && (named.is_empty() || named == [alias])
    {
        return (key.columns.clone(), Target::Rowids(parent));
    }
    // The columns that refer, in the order of these, if the key names all of them.
    let referring = |columns: &[usize], orders: &[Order], is_primary: bool| -> Option<Vec<usize>> {
        if columns.len() != key.columns.len() {
            return None;
        }
        if named.is_empty() {
            return is_primary.then(|| key.columns.clone());
        }
        let own_collations = columns.iter().zip(orders).all(|(column, order)| {
            table.columns.get(*column).is_some_and(|column| column.collation == Some(order.collation))
        });
        let place = |column: &usize| named.iter().position(|name| name == column);
        columns
            .iter()
            .map(|column| key.columns.get(place(column)?).copied())
            .collect::<Option<Vec<usize>>>()
            .filter(|_| own_collations)
    };
    if let Some(rows) = &table.keyed
        && let Some(columns) = referring(rows.columns.get(..rows.orders.len()).unwrap_or_default(), &rows.orders, true)
    {
        return (columns, Target::PrimaryKeys(parent));
    }
    for (at, index) in table.indexes.iter().enumerate() {
        if index.unique
            && index.beyond.is_none()
            && let Some(columns) = referring(index.key(), &index.orders, index.primary)
        {
            return (columns, Target::Keys(parent, at));
        }
    }
    none(Damage::Unsupported(Unsupported::Parent))
}

impl Reference {
    /// Returns `true` when rows have to be looked at for it.
    pub(super) fn is_gathered(&self) -> bool {
        !matches!(self.wanted, Wanted::Nothing)
    }

    /// Gathers what a row refers to.
    pub(super) fn gather(&self, row: &Row<'_>, keys: &Keys, recent: &mut Recent) {
        let mut hash = Hash::new(keys);
        for column in &self.columns {
            match row.value(*column) {
                // A row that refers to nothing in one column refers to nothing.
                Ok(Value::Null) => return,
                Ok(Value::Integer(rowid)) if matches!(self.target, Target::Rowids(_)) => {
                    return self.want_rowid(rowid, recent);
                }
                _ if matches!(self.target, Target::Rowids(_)) => return self.doubt(),
                Ok(Value::Text(text)) if self.columns.len() == 1 && !recent.is_new_text(text) => return,
                Ok(value) => {
                    if !take(&mut hash, value) {
                        return self.doubt();
                    }
                }
                Err(_) => return self.doubt(),
            }
        }
        self.want(hash.finish(), recent);
    }

    fn want_rowid(&self, rowid: i64, recent: &mut Recent) {
        match &self.wanted {
            Wanted::Bits(bits) if bits.set(rowid) => {}
            Wanted::Keys(_) => self.want(rowid.cast_unsigned(), recent),
            _ => self.doubt(),
        }
    }

    fn want(&self, number: u64, recent: &mut Recent) {
        // 0 marks a free slot: that a key is taken for another one is no more likely than any two that hash to one.
        if number == 0 {
            return self.doubt();
        }
        if let Wanted::Keys(set) = &self.wanted
            && recent.is_new(number)
            && !set.lock().unwrap_or_else(PoisonError::into_inner).insert(number)
        {
            self.doubt();
        }
    }

    fn doubt(&self) {
        self.doubtful.store(true, Ordering::Relaxed);
    }

    /// Returns what is known of it when all rows were read: `Some` with the answer, `None` where the parent's keys have to be
    /// looked through.
    pub(super) fn known(&self, present: Option<&Bits>) -> Option<Result<(), Damage>> {
        if let Target::None(damage) = self.target {
            return Some(Err(damage));
        }
        if self.doubtful.load(Ordering::Relaxed) {
            return Some(Err(Damage::Dangling));
        }
        match &self.wanted {
            Wanted::Bits(bits) if present.is_some_and(|present| bits.are_among(present)) => Some(Ok(())),
            Wanted::Keys(set) if set.lock().unwrap_or_else(PoisonError::into_inner).is_empty() => Some(Ok(())),
            Wanted::Keys(_) => None,
            _ => Some(Err(Damage::Dangling)),
        }
    }

    /// Returns what is to be looked for among the parent's keys.
    pub(super) fn missing(&self) -> Missing {
        match &self.wanted {
            Wanted::Keys(set) => Missing::new(std::mem::take(&mut set.lock().unwrap_or_else(PoisonError::into_inner))),
            _ => Missing::default(),
        }
    }
}

/// Takes a value for the hash of a key; not one that is too long.
fn take(hash: &mut Hash<'_>, value: Value<'_>) -> bool {
    match value {
        Value::Null => hash.null(),
        Value::Integer(value) => hash.integer(value),
        Value::Real(value) => hash.real(value),
        Value::Text(text) => hash.text(text),
        Value::Blob(blob) => hash.blob(blob),
        Value::Long(_) => return false,
    }
    true
}

/// The tree in which a reference's parent keys stand.
pub(super) fn tree_of(target: Target) -> Option<Of> {
    match target {
        Target::Rowids(table) => Some(Of::Table(table)),
        Target::PrimaryKeys(table) => Some(Of::Keyed(table)),
        Target::Keys(table, index) => Some(Of::Index(table, index)),
        Target::None(_) => None,
    }
}
