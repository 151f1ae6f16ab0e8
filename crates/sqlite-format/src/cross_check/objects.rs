//! The tables and indexes that `sqlite_schema` names, read row by row: a row that is damaged or not understood costs no other.

use super::super::compare::Order;
use super::super::encoding::Encoding;
use super::super::header::Header;
use super::super::overflow::whole;
use super::super::page::Page;
use super::super::record::Fields;
use super::super::scan::scan;
use super::super::schema::table::{self, Statement};
use super::super::schema::{Column, StoredRow, Unsupported, parse_index};
use super::super::source::Source;
use crate::damage::Damage;
use crate::interrupt::{Interrupt, Interrupted};

/// The most trees that are held against each other.
const MOST_TREES: usize = 1 << 14;

/// The longest row of `sqlite_schema` that is read, in bytes.
const MOST_HELD: usize = 128 << 10;

/// The bytes that all definitions may have together.
const MOST_SQL: usize = 2 << 20;

/// A table.
pub(super) struct Object {
    pub(super) name: String,
    pub(super) root: u32,
    /// `true` when its rows are entries of a primary key, as the kind of its root page has it.
    pub(super) without_rowid: bool,
    pub(super) shape: Option<Shape>,
    pub(super) indexes: Vec<IndexObject>,
}

/// The columns of a table, as its rows store them.
pub(super) struct Shape {
    pub(super) columns: Vec<Column>,
    /// For each column, the place of its value in a row.
    pub(super) stored_at: Vec<usize>,
    pub(super) rowid_alias: Option<usize>,
    /// The columns of the primary key of a table WITHOUT ROWID.
    pub(super) primary: Option<Vec<usize>>,
}

/// An index.
pub(super) struct IndexObject {
    pub(super) name: String,
    pub(super) root: u32,
    pub(super) is_unique: bool,
    /// The columns of its key; `None` when they are not understood, or when not each row has an entry.
    pub(super) columns: Option<Vec<usize>>,
    /// The order of each column; `None` when a collation is not known.
    pub(super) orders: Option<Vec<Order>>,
}

/// A row of `sqlite_schema` that has a tree.
struct SchemaRow {
    is_index: bool,
    name: String,
    table: String,
    root: u32,
    sql: Option<String>,
}

/// Reads the tables and indexes.
///
/// # Errors
/// Fails if it is time to stop.
pub(super) fn read(source: &Source<'_>, header: &Header, stop: &dyn Interrupt) -> Result<Vec<Object>, Interrupted> {
    let mut rows: Vec<SchemaRow> = Vec::new();
    let mut bytes = 0;
    let (mut page, mut payload, mut fields) = (Vec::new(), Vec::new(), Fields::default());
    let scanned = scan(source, 1, stop, &mut |cell| {
        bytes += cell.payload.len;
        if bytes > MOST_SQL || rows.len() >= MOST_TREES {
            return Err(Damage::Unsupported(Unsupported::TooMuch));
        }
        if whole(source, &cell.payload, MOST_HELD, &mut page, &mut payload).is_ok()
            && fields.read(&payload, payload.len()).is_ok()
        {
            rows.extend(row(StoredRow::new(&payload, fields.all()), header.encoding));
        }
        Ok(())
    });
    match scanned {
        Err(Damage::Stopped) => return Err(Interrupted),
        // Without all rows of the schema nothing can be said of pages.
        Err(_) => return Ok(Vec::new()),
        Ok(()) => {}
    }
    let (indexes, tables): (Vec<SchemaRow>, Vec<SchemaRow>) = rows.into_iter().partition(|row| row.is_index);
    let own = Object {
        name: "sqlite_schema".to_owned(),
        root: 1,
        without_rowid: false,
        shape: None,
        indexes: Vec::new(),
    };
    let mut objects = vec![(own, None)];
    objects.extend(tables.into_iter().map(|row| table(source, row)));
    for row in indexes {
        let of = |(object, _): &(Object, _)| object.name.eq_ignore_ascii_case(&row.table);
        // An index of no table has pages all the same.
        let place = objects.iter().position(of).unwrap_or(0);
        if let Some((object, statement)) = objects.get_mut(place) {
            let index = index(row, object, statement.as_ref());
            object.indexes.push(index);
        }
    }
    Ok(objects.into_iter().map(|(object, _)| object).collect())
}

fn row(stored: StoredRow<'_>, encoding: Encoding) -> Option<SchemaRow> {
    let text = |bytes: Option<&[u8]>| bytes.map(|bytes| encoding.decode_lossy(bytes));
    let is_index = match text(stored.kind())?.as_str() {
        "table" => false,
        "index" => true,
        _ => return None,
    };
    Some(SchemaRow {
        is_index,
        name: text(stored.name())?,
        table: text(stored.table())?,
        root: stored.root().filter(|root| *root > 0)?,
        sql: text(stored.sql()),
    })
}

fn table(source: &Source<'_>, row: SchemaRow) -> (Object, Option<Statement>) {
    let mut bytes = vec![0; source.layout().page_size];
    let is_read = source.page(row.root, &mut bytes).is_ok();
    let kind = Page::parse(source.layout(), row.root, &bytes)
        .ok()
        .filter(|_| is_read)
        .map(|page| page.kind());
    let statement = row.sql.as_deref().and_then(|sql| table::parse(sql).ok());
    let without_rowid = kind.map_or_else(
        || statement.as_ref().is_some_and(|statement| statement.without_rowid),
        |kind| !kind.is_table(),
    );
    let fits = |shape: &Shape| shape.primary.is_some() == without_rowid;
    let object = Object {
        without_rowid,
        shape: statement.as_ref().and_then(shape).filter(fits),
        name: row.name,
        root: row.root,
        indexes: Vec::new(),
    };
    (object, statement)
}

fn shape(statement: &Statement) -> Option<Shape> {
    let count = statement.columns.len();
    let identity = || (0..count).collect();
    match (statement.rows_beyond, statement.without_rowid) {
        (None, false) => Some(Shape {
            columns: statement.columns.clone(),
            stored_at: identity(),
            rowid_alias: statement.rowid_alias,
            primary: None,
        }),
        (Some(Unsupported::WithoutRowid), true) => {
            let alias = statement.rowid_alias.map(|alias| vec![alias]);
            let key = || statement.keys.iter().find(|key| key.primary).map(|key| key.columns.clone());
            let mut primary: Vec<usize> = Vec::new();
            for column in alias.or_else(key)? {
                if !primary.contains(&column) {
                    primary.push(column);
                }
            }
            // The key's columns are stored first, then the others.
            let mut order = primary.clone();
            order.extend((0..count).filter(|column| !primary.contains(column)));
            let mut stored_at = vec![0; count];
            for (place, column) in order.into_iter().enumerate() {
                if let Some(at) = stored_at.get_mut(column) {
                    *at = place;
                }
            }
            Some(Shape {
                columns: statement.columns.clone(),
                stored_at,
                rowid_alias: None,
                primary: Some(primary),
            })
        }
        _ => None,
    }
}

fn index(row: SchemaRow, object: &Object, statement: Option<&Statement>) -> IndexObject {
    let shape = object.shape.as_ref();
    let (is_unique, columns, orders) = if let Some(sql) = &row.sql {
        let columns_of = |_: &str| shape.map(|shape| &shape.columns[..]);
        parse_index(sql, columns_of).map_or((false, None, None), |index| {
            let (columns, orders) = index.columns.ok().map(|columns| columns.into_iter().unzip()).unzip();
            let orders = orders.and_then(|orders: Vec<Option<Order>>| orders.into_iter().collect());
            (index.unique, columns, orders)
        })
    } else {
        // The index of a key in its table's own statement is named by the key's place.
        let place = row.name.rsplit_once('_').and_then(|(_, number)| number.parse::<usize>().ok());
        let keys = statement.filter(|_| shape.is_some()).map(|statement| &statement.keys);
        let key = place.and_then(|place| keys?.get(place.checked_sub(1)?));
        let orders = key.and_then(|key| key.orders.iter().copied().collect());
        (true, key.map(|key| key.columns.clone()), orders)
    };
    IndexObject {
        name: row.name,
        root: row.root,
        is_unique,
        columns,
        orders,
    }
}
