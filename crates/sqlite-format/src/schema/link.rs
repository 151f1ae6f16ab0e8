//! The rows of `sqlite_schema` put together: which index belongs to which table, and where each has its pages.

use std::collections::HashMap;

use super::{Column, DefaultValue, Expression, Index, KeyedRows, Schema, Table, Unsupported, index, spatial, table};
use crate::compare::{Collation, Order};
use crate::damage::{Damage, Result};
use crate::encoding::Encoding;
use crate::header::Header;
use crate::interrupt::Interrupt;
use crate::overflow::whole;
use crate::record::{Classes, Field, Fields};
use crate::scan::scan;
use crate::source::Source;

/// The most bytes that all statements may have together.
const MOST_SQL: usize = 2 << 20;

/// The most rows that `sqlite_schema` may have.
const MOST_ROWS: usize = 1 << 14;

/// The most columns that all tables, indexes and keys may have together.
const MOST_COLUMNS: usize = 1 << 16;

/// The statement of `sqlite_schema` itself.
const OWN: &str = "CREATE TABLE sqlite_schema(type text,name text,tbl_name text,rootpage int,sql text)";

/// A name that no other table has.
const OWN_NAMES: [&str; 4] = [
    "sqlite_schema",
    "sqlite_master",
    "sqlite_temp_schema",
    "sqlite_temp_master",
];

/// A row of `sqlite_schema` as it is stored. Each column is judged by itself, so that one that is damaged costs no other.
#[derive(Debug, Clone, Copy)]
pub struct StoredRow<'p> {
    payload: &'p [u8],
    fields: &'p [Field],
}

impl<'p> StoredRow<'p> {
    /// Creates a row from a record's payload, of which perhaps only the beginning is there, and its fields.
    pub fn new(payload: &'p [u8], fields: &'p [Field]) -> Self {
        Self { payload, fields }
    }

    /// Returns `type`: "table", "index", "view" or "trigger".
    pub fn kind(&self) -> Option<&'p [u8]> {
        self.text(0)
    }

    /// Returns `name`.
    pub fn name(&self) -> Option<&'p [u8]> {
        self.text(1)
    }

    /// Returns `tbl_name`, the table that an index or a trigger belongs to.
    pub fn table(&self) -> Option<&'p [u8]> {
        self.text(2)
    }

    /// Returns `rootpage`; 0 for what has no pages.
    pub fn root(&self) -> Option<u32> {
        let field = self.fields.get(3).filter(|field| field.class == Classes::INTEGER)?;
        let is_there = field.to as usize <= self.payload.len();
        field.integer(self.payload).filter(|_| is_there)?.try_into().ok()
    }

    /// Returns `sql`; `None` also for an index that a constraint makes, which has NULL there.
    pub fn sql(&self) -> Option<&'p [u8]> {
        self.text(4)
    }

    fn text(&self, column: usize) -> Option<&'p [u8]> {
        let field = self.fields.get(column).filter(|field| field.class == Classes::TEXT)?;
        self.payload.get(field.range())
    }
}

/// A row of `sqlite_schema` that SQLite may have written.
struct SchemaRow {
    kind: String,
    name: String,
    table: String,
    root: u32,
    sql: Option<String>,
}

/// Reads and links the schema. `schema_loads` says that SQLite itself has taken the
/// schema without an error.
///
/// # Errors
/// Fails with the damage of a row that SQLite does not write, of too many rows, or of a page that cannot be read; [`Damage::Stopped`] when
/// `stop` is due.
pub(crate) fn link(source: &Source<'_>, header: &Header, schema_loads: bool, stop: &dyn Interrupt) -> Result<Schema> {
    let mut linking = Linking {
        schema: Schema {
            largest_root: 1,
            loads: schema_loads,
            encoding: header.encoding,
            ..Schema::default()
        },
        tables: HashMap::new(),
        indexes: HashMap::new(),
        columns: 0,
        pages: source.pages(),
    };
    linking.table(SchemaRow {
        kind: "table".to_owned(),
        name: "sqlite_schema".to_owned(),
        table: "sqlite_schema".to_owned(),
        root: 1,
        sql: Some(OWN.to_owned()),
    })?;
    let (mut page, mut payload, mut of_row) = (Vec::new(), Vec::new(), Fields::default());
    let (mut rows, mut bytes) = (0, 0);
    scan(source, 1, stop, &mut |cell| {
        if stop.is_due() {
            return Err(Damage::Stopped);
        }
        rows += 1;
        bytes += cell.payload.len;
        if rows > MOST_ROWS || bytes > MOST_SQL || linking.columns > MOST_COLUMNS {
            return Err(Damage::Unsupported(Unsupported::TooMuch));
        }
        whole(source, &cell.payload, MOST_SQL, &mut page, &mut payload)?;
        of_row.read(&payload, payload.len())?;
        linking.take(row(&payload, of_row.all(), header.encoding)?)
    })?;
    linking.finish(header.schema_format)
}

fn row(payload: &[u8], of_row: &[Field], encoding: Encoding) -> Result<SchemaRow> {
    let [_, _, _, _, sql] = of_row else {
        return Err(Damage::Schema);
    };
    let text = |bytes: Option<&[u8]>| -> Result<String> {
        let text = bytes.and_then(|bytes| encoding.decode_valid(bytes));
        text.filter(|text| !text.contains('\0')).ok_or(Damage::Schema)
    };
    let row = StoredRow::new(payload, of_row);
    Ok(SchemaRow {
        kind: text(row.kind())?,
        name: text(row.name())?,
        table: text(row.table())?,
        root: row.root().ok_or(Damage::Schema)?,
        sql: if sql.class == Classes::NULL {
            None
        } else {
            Some(text(row.sql())?)
        },
    })
}

struct Linking {
    schema: Schema,
    /// Tables by their names in lower case.
    tables: HashMap<String, usize>,
    /// Indexes likewise, with their tables; those of constraints before their own rows have come.
    indexes: HashMap<String, (usize, usize)>,
    /// The number of columns up to now.
    columns: usize,
    pages: u32,
}

impl Linking {
    fn take(&mut self, row: SchemaRow) -> Result<()> {
        match row.kind.as_str() {
            "table" => self.table(row),
            "index" => self.index(&row),
            "view" | "trigger" if row.root == 0 => {
                self.needs_sqlite(Unsupported::ViewOrTrigger);
                Ok(())
            }
            _ => Err(Damage::Schema),
        }
    }

    /// Notes what only SQLite can say is good, unless it has said so.
    fn needs_sqlite(&mut self, beyond: Unsupported) {
        if !self.schema.loads {
            self.schema.beyond.get_or_insert(beyond);
        }
    }

    fn root(&mut self, root: u32) -> Result<()> {
        self.schema.largest_root = self.schema.largest_root.max(root);
        if root == 0 || root > self.pages {
            return Err(Damage::PageNumber);
        }
        Ok(())
    }

    fn table(&mut self, row: SchemaRow) -> Result<()> {
        let place = self.schema.tables.len();
        if place > 0 && OWN_NAMES.iter().any(|own| row.name.eq_ignore_ascii_case(own)) {
            return Err(Damage::Schema);
        }
        if !row.table.eq_ignore_ascii_case(&row.name)
            || self.tables.insert(row.name.to_ascii_lowercase(), place).is_some()
        {
            return Err(Damage::Schema);
        }
        let mut linked = Table {
            name: row.name,
            root: row.root,
            columns: Vec::new(),
            rowid_alias: None,
            keyed: None,
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            rows_beyond: None,
            spatial: None,
            rules_beyond: None,
            checks: Vec::new(),
            evaluable_checks: Vec::new(),
        };
        let sql = row.sql.ok_or(Damage::Schema)?;
        match table::parse(&sql) {
            Ok(mut statement) => {
                if !statement.name.eq_ignore_ascii_case(&linked.name) {
                    return Err(Damage::Schema);
                }
                if statement.needs_sqlite {
                    self.needs_sqlite(Unsupported::Statement);
                }
                if statement.rows_beyond == Some(Unsupported::WithoutRowid) {
                    linked.keyed = keyed_rows(&mut statement);
                }
                linked.rows_beyond = statement.rows_beyond.filter(|_| linked.keyed.is_none());
                linked.rules_beyond = statement.rules_beyond;
                linked.checks = statement.checks;
                if linked.rows_beyond.is_none() {
                    linked.columns = statement.columns;
                    let checks = linked.checks.iter().map(|check| Expression::parse(check, &linked.columns));
                    linked.evaluable_checks = checks.collect::<Result<_, _>>().unwrap_or_default();
                    for (at, key) in statement.keys.into_iter().enumerate() {
                        if linked.keyed.is_some() && key.primary {
                            // It is the table itself.
                            continue;
                        }
                        let name = format!("sqlite_autoindex_{}_{}", linked.name, at + 1);
                        self.indexes.insert(name.to_ascii_lowercase(), (place, linked.indexes.len()));
                        let mut index = of_key(name, key);
                        name_rows(&mut index, &linked);
                        linked.indexes.push(index);
                    }
                    linked.rowid_alias = statement.rowid_alias;
                }
                linked.foreign_keys = statement.foreign_keys;
                self.columns += linked.columns.len();
                self.columns += linked.indexes.iter().map(|index| index.columns.len()).sum::<usize>();
                self.columns += linked.foreign_keys.iter().map(|key| key.columns.len()).sum::<usize>();
            }
            Err(beyond) => {
                self.needs_sqlite(beyond);
                linked.rows_beyond = Some(beyond);
                if beyond == Unsupported::VirtualTable {
                    linked.spatial = spatial::parse(&sql, &linked.name);
                }
            }
        }
        if linked.rows_beyond == Some(Unsupported::VirtualTable) {
            if linked.root != 0 {
                return Err(Damage::Schema);
            }
        } else {
            self.root(linked.root)?;
        }
        self.schema.tables.push(linked);
        Ok(())
    }

    fn index(&mut self, row: &SchemaRow) -> Result<()> {
        self.root(row.root)?;
        let place = *self.tables.get(&row.table.to_ascii_lowercase()).ok_or(Damage::Schema)?;
        if place == 0 {
            return Err(Damage::Schema);
        }
        let table = self.schema.tables.get_mut(place).ok_or(Damage::Schema)?;
        let name = row.name.to_ascii_lowercase();
        if let (None, None) = (&row.sql, table.rows_beyond) {
            return of_constraint(self.indexes.get(&name), place, table, row.root);
        }
        let (mut linked, needs_sqlite) = of_statement(row, table)?;
        name_rows(&mut linked, table);
        let at = table.indexes.len();
        self.columns += linked.columns.len();
        table.indexes.push(linked);
        if self.indexes.insert(name, (place, at)).is_some() {
            return Err(Damage::Schema);
        }
        if let Some(why) = needs_sqlite {
            self.needs_sqlite(why);
        }
        Ok(())
    }

    fn finish(mut self, format: u32) -> Result<Schema> {
        let keyed = self.schema.tables.iter_mut().filter_map(|table| table.keyed.as_mut());
        for order in keyed.flat_map(|rows| &mut rows.orders) {
            order.descending &= format >= 4;
        }
        if self.schema.encoding != Encoding::Utf8 {
            self.schema.tables.iter_mut().for_each(leave_utf16);
        }
        for index in self.schema.tables.iter_mut().flat_map(|table| &mut table.indexes) {
            if index.root == 0 {
                return Err(Damage::Schema);
            }
            for order in &mut index.orders {
                // Before format 4, DESC was taken and had no meaning.
                order.descending &= format >= 4;
            }
        }
        Ok(self.schema)
    }
}

/// Returns the form of the rows of a table WITHOUT ROWID; `None` where it is not plain. Its primary key takes no NULL.
///
/// Source: "Clustered Indexes and the WITHOUT ROWID Optimization", and `convertToWithoutRowidTable` in `build.c`.
fn keyed_rows(statement: &mut table::Statement) -> Option<KeyedRows> {
    if let Some(alias) = statement.rowid_alias.take() {
        let collation = statement.columns.get(alias)?.collation;
        // SQLite makes this key when it has read all others, and the first of two that are equal is the one that stays.
        let mut key = table::Key::of_column(alias, true, false);
        for order in &mut key.orders {
            *order = order.zip(collation).map(|(order, collation)| Order { collation, ..order });
        }
        match statement
            .keys
            .iter_mut()
            .find(|other| other.columns == key.columns && other.collations() == key.collations())
        {
            Some(other) => other.primary = true,
            None => statement.keys.push(key),
        }
    }
    let key = statement.keys.iter().find(|key| key.primary)?;
    let orders: Vec<Order> = key.orders.iter().copied().collect::<Option<_>>()?;
    let mut is_stored = vec![false; statement.columns.len()];
    for column in &key.columns {
        // A column that is named twice is stored twice only if its collations differ.
        if std::mem::replace(is_stored.get_mut(*column)?, true) {
            return None;
        }
    }
    let others = is_stored.iter().enumerate().filter(|(_, stored)| !**stored).map(|(at, _)| at);
    let columns: Vec<usize> = key.columns.iter().copied().chain(others).collect();
    for column in &key.columns {
        let column = statement.columns.get_mut(*column)?;
        column.allowed = column.allowed.without(Classes::NULL);
    }
    Some(KeyedRows { columns, orders })
}

/// Adds the columns of the primary key by which an index of a table WITHOUT ROWID names its rows: those that are not among its own
/// with the same collation.
fn name_rows(index: &mut Index, table: &Table) {
    let Some(rows) = &table.keyed else { return };
    if index.beyond.is_some() {
        return;
    }
    let own: Vec<_> = index
        .columns
        .iter()
        .copied()
        .zip(index.orders.iter().map(|order| order.collation))
        .collect();
    let mut naming = 0;
    for (column, order) in rows.columns.iter().zip(&rows.orders) {
        if order.descending {
            // SQLite has had a fault here: the columns that are added did not descend.
            index.beyond = Some(Unsupported::WithoutRowid);
            return;
        }
        if !own.contains(&(*column, order.collation)) {
            index.columns.push(*column);
            index.orders.push(*order);
            naming += 1;
        }
    }
    index.naming = Some(naming);
}

/// Leaves to SQLite what compares text in UTF-16 letter by letter, or would have to be put into it. Byte by byte it is compared as
/// it is stored.
fn leave_utf16(table: &mut Table) {
    let is_by_letter = |order: &Order| order.collation != Collation::Binary;
    table.evaluable_checks.clear();
    for column in &mut table.columns {
        if matches!(column.default, DefaultValue::Text(_)) {
            column.default = DefaultValue::NotUnderstood;
        }
    }
    for index in &mut table.indexes {
        if index.orders.iter().any(is_by_letter) {
            index.beyond.get_or_insert(Unsupported::Utf16);
        }
        index.computed = None;
    }
    if table.keyed.as_ref().is_some_and(|rows| rows.orders.iter().any(is_by_letter)) {
        table.rows_beyond.get_or_insert(Unsupported::WithoutRowid);
        table.keyed = None;
    }
}

fn of_key(name: String, key: table::Key) -> Index {
    let orders: Option<Vec<_>> = key.orders.into_iter().collect();
    Index {
        name,
        root: 0,
        unique: true,
        primary: key.primary,
        columns: key.columns,
        naming: None,
        beyond: orders.is_none().then_some(Unsupported::Collation),
        computed: None,
        orders: orders.unwrap_or_default(),
    }
}

/// The index of a key in its table's own statement, which has no statement of its own: its row says where its pages are.
fn of_constraint(known: Option<&(usize, usize)>, place: usize, table: &mut Table, root: u32) -> Result<()> {
    let known = known.filter(|(of_table, _)| *of_table == place);
    let known = known.and_then(|(_, at)| table.indexes.get_mut(*at)).ok_or(Damage::Schema)?;
    if known.root != 0 {
        return Err(Damage::Schema);
    }
    known.root = root;
    Ok(())
}

/// An index as its statement has it, and what only SQLite can say is good.
fn of_statement(row: &SchemaRow, table: &Table) -> Result<(Index, Option<Unsupported>)> {
    let beyond = |beyond| Index {
        name: row.name.clone(),
        root: row.root,
        unique: false,
        primary: false,
        columns: Vec::new(),
        naming: None,
        orders: Vec::new(),
        beyond: Some(beyond),
        computed: None,
    };
    let sql = match (&row.sql, table.rows_beyond) {
        (_, Some(of_table)) => return Ok((beyond(of_table), None)),
        (sql, None) => sql.as_deref().ok_or(Damage::Schema)?,
    };
    let of_this = |name: &str| -> Option<&[Column]> { name.eq_ignore_ascii_case(&row.table).then_some(&table.columns) };
    let statement = match index::parse(sql, of_this) {
        Ok(statement) => statement,
        Err(why) => return Ok((beyond(why), Some(why))),
    };
    if !statement.name.eq_ignore_ascii_case(&row.name) || !statement.table.eq_ignore_ascii_case(&row.table) {
        return Err(Damage::Schema);
    }
    let needs_sqlite = statement.needs_sqlite.then_some(Unsupported::Statement);
    let linked = match statement.columns {
        Ok(ordered) => {
            let (columns, orders): (Vec<_>, Vec<_>) = ordered.into_iter().unzip();
            match orders.into_iter().collect::<Option<Vec<_>>>() {
                Some(orders) => Index {
                    unique: statement.unique,
                    columns,
                    orders,
                    beyond: None,
                    ..beyond(Unsupported::Statement)
                },
                None => beyond(Unsupported::Collation),
            }
        }
        Err(why) => {
            // In a table WITHOUT ROWID its entries would end with more than a rowid.
            let computed = statement.computed.filter(|_| table.keyed.is_none());
            let (computed, orders) = computed.unzip();
            Index {
                unique: statement.unique,
                orders: orders.unwrap_or_default(),
                computed,
                ..beyond(why)
            }
        }
    };
    Ok((linked, needs_sqlite))
}
