//! `CREATE INDEX`.
//!
//! Source: "CREATE INDEX", <https://www.sqlite.org/lang_createindex.html>.

use super::evaluable::{self, Computed};
use super::table::ordered;
use super::tokens::{Token, Tokens};
use super::{Column, Result, Unsupported};
use crate::compare::Order;

/// An index as its statement has it.
#[derive(Debug)]
pub(crate) struct Statement {
    /// Its name.
    pub name: String,
    /// The table's name.
    pub table: String,
    /// `true` when each key may occur only once.
    pub unique: bool,
    /// Its columns and how each is ordered; `None` for a collation that is not known.
    pub columns: Result<Vec<(usize, Option<Order>)>>,
    /// The way in which its entries are computed and how they are ordered, where it is no index of plain columns over all rows.
    pub computed: Option<(Computed, Vec<Order>)>,
    /// `true` when only SQLite can tell that the whole statement is valid.
    pub needs_sqlite: bool,
}

/// Reads `CREATE INDEX …`; `columns_of` gives a table's columns.
pub(crate) fn parse<'s>(sql: &str, columns_of: impl FnOnce(&str) -> Option<&'s [Column]>) -> Result<Statement> {
    let mut tokens = Tokens::new(sql)?;
    tokens.expect("CREATE")?;
    let unique = tokens.skip("UNIQUE")?;
    tokens.expect("INDEX")?;
    let (name, name_is_good) = tokens.name()?;
    tokens.expect("ON")?;
    let (table, table_is_good) = tokens.name()?;
    let mut needs_sqlite = !name_is_good || !table_is_good;
    let mut computed = None;
    let columns = match columns_of(&table) {
        Some(of_table) => {
            let mut again = tokens.clone();
            let columns = columns(&mut tokens, of_table, &mut needs_sqlite);
            if columns.is_err() {
                computed = evaluable::computed(&mut again, of_table).ok();
            }
            columns
        }
        None => Err(Unsupported::Statement),
    };
    needs_sqlite |= match &columns {
        Ok(columns) => columns.iter().any(|(_, order)| order.is_none()),
        Err(_) => true,
    };
    Ok(Statement {
        name,
        table,
        unique,
        columns,
        computed,
        needs_sqlite,
    })
}

fn columns(
    tokens: &mut Tokens<'_>,
    of_table: &[Column],
    needs_sqlite: &mut bool,
) -> Result<Vec<(usize, Option<Order>)>> {
    let mut out = Vec::new();
    tokens.expect_mark(b'(')?;
    loop {
        let (name, certain) = match tokens.peek() {
            // A text is a column's name here, or an expression.
            Token::Word(_) | Token::Quoted(_) => tokens.name()?,
            _ => return Err(Unsupported::Expression),
        };
        let at = of_table.iter().position(|column| column.name.eq_ignore_ascii_case(&name));
        let at = at.ok_or(Unsupported::Expression)?;
        let own = of_table.get(at).and_then(|column| column.collation);
        let (order, also_certain) = ordered(tokens, own)?;
        *needs_sqlite |= !certain || !also_certain;
        out.push((at, order));
        if !tokens.skip_mark(b',')? {
            break;
        }
    }
    // Anything else behind the name is an expression.
    if !tokens.skip_mark(b')')? {
        return Err(Unsupported::Expression);
    }
    match tokens.peek() {
        Token::End => Ok(out),
        token if token.is("WHERE") => Err(Unsupported::PartialIndex),
        _ => Err(Unsupported::Statement),
    }
}
