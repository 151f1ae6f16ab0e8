//! `CREATE TABLE`, as far as it says how rows are stored and what must hold of them.
//!
//! Source: "CREATE TABLE", <https://www.sqlite.org/lang_createtable.html>. What is not understood is said to be so: a
//! statement is never read as meaning less than it does.

use super::column::Draft;
use super::tokens::{Token, Tokens};
use super::{Column, ForeignKey, Result, Unsupported};
use crate::compare::{Collation, Order};

/// A table as its statement has it.
#[derive(Debug, Default)]
pub struct Statement {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// The column that is the rowid by another name.
    pub rowid_alias: Option<usize>,
    /// The keys of PRIMARY KEY and UNIQUE, each of which has an index, in their order.
    pub keys: Vec<Key>,
    /// Its foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// The part that is not understood and concerns only what rows may hold: they can be read all the same.
    pub rules_beyond: Option<Unsupported>,
    /// The expressions of its CHECK constraints.
    pub checks: Vec<String>,
    /// The part that is not understood and keeps rows from being read.
    pub rows_beyond: Option<Unsupported>,
    /// `true` when only SQLite can tell that the whole statement is valid.
    pub needs_sqlite: bool,
    /// `true` for a table WITHOUT ROWID, whose rows are the entries of its primary key.
    pub without_rowid: bool,
    has_primary_key: bool,
}

/// A key that has an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The columns.
    pub columns: Vec<usize>,
    /// The order of each; `None` for an unknown collation.
    pub orders: Vec<Option<Order>>,
    /// `true` for the primary key.
    pub primary: bool,
}

/// SQLite takes no more columns than this.
const MOST_COLUMNS: usize = 2000;

/// One table with more keys or foreign keys than this is left alone: each key is compared with all others.
const MOST_KEYS: usize = 1000;

/// Reads `CREATE TABLE …`.
///
/// # Errors
/// Fails with the reason why the statement is not understood.
pub fn parse(sql: &str) -> Result<Statement> {
    let mut tokens = Tokens::new(sql)?;
    tokens.expect("CREATE")?;
    if tokens.skip("VIRTUAL")? {
        return Err(Unsupported::VirtualTable);
    }
    tokens.expect("TABLE")?;
    let mut table = Statement::default();
    table.name = table.name_of(&mut tokens)?;
    tokens.expect_mark(b'(')?;
    let mut drafts: Vec<Draft> = Vec::new();
    let mut more = true;
    while more && !begins_constraint(tokens.peek()) {
        let draft = table.column(&mut tokens, drafts.len())?;
        if place(&drafts, &draft.name).is_some() {
            return Err(Unsupported::Statement);
        }
        table.collate_keys(drafts.len(), draft.collation);
        table.few_keys()?;
        drafts.push(draft);
        more = tokens.skip_mark(b',')?;
    }
    if drafts.is_empty() || drafts.len() > MOST_COLUMNS {
        return Err(Unsupported::Statement);
    }
    while more {
        table.constraint(&mut tokens, &drafts)?;
        table.few_keys()?;
        // The comma between two constraints may be left out.
        more = tokens.skip_mark(b',')? || begins_constraint(tokens.peek());
    }
    tokens.expect_mark(b')')?;
    let strict = table.options(&mut tokens)?;
    table.finish(drafts, strict);
    Ok(table)
}

fn begins_constraint(token: Token<'_>) -> bool {
    ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"].iter().any(|word| token.is(word))
}

impl Statement {
    /// Takes a name.
    pub(crate) fn name_of(&mut self, tokens: &mut Tokens<'_>) -> Result<String> {
        let (name, certain) = tokens.name()?;
        self.needs_sqlite |= !certain;
        Ok(name)
    }

    /// Returns `true` when there are no more keys than are compared.
    fn few_keys(&self) -> Result<()> {
        if self.keys.len().max(self.foreign_keys.len()) > MOST_KEYS {
            return Err(Unsupported::TooMuch);
        }
        Ok(())
    }

    /// Notes the primary key; there is one only.
    pub(crate) fn only_primary_key(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.has_primary_key, true) {
            return Err(Unsupported::Statement);
        }
        Ok(())
    }

    /// The keys that a column's own constraints made have its collation, also where COLLATE stands behind them.
    fn collate_keys(&mut self, at: usize, collation: Option<Collation>) {
        for key in &mut self.keys {
            if let ([column], [order]) = (&key.columns[..], &mut key.orders[..])
                && *column == at
            {
                *order = order.zip(collation).map(|(order, collation)| Order { collation, ..order });
            }
        }
    }

    fn constraint(&mut self, tokens: &mut Tokens<'_>, drafts: &[Draft]) -> Result<()> {
        if tokens.skip("CONSTRAINT")? {
            self.name_of(tokens)?;
            if !begins_constraint(tokens.peek()) {
                return Err(Unsupported::Statement);
            }
        }
        if tokens.skip("PRIMARY")? {
            tokens.expect("KEY")?;
            let key = self.key(tokens, drafts, true)?;
            self.only_primary_key()?;
            match (&key.columns[..], &key.orders[..]) {
                ([at], [order])
                    if drafts.get(*at).is_some_and(|draft| draft.declared.eq_ignore_ascii_case("INTEGER")) =>
                {
                    // What DESC means here is left alone.
                    if order.is_none_or(|order| order.descending) {
                        return Err(Unsupported::Statement);
                    }
                    self.rowid_alias = Some(*at);
                }
                _ => self.keys.push(key),
            }
        } else if tokens.skip("UNIQUE")? {
            let key = self.key(tokens, drafts, false)?;
            self.keys.push(key);
        } else if tokens.skip("CHECK")? {
            self.check_constraint(tokens)?;
        } else {
            tokens.expect("FOREIGN")?;
            tokens.expect("KEY")?;
            let names = self.names_in_parentheses(tokens)?;
            let columns = names.iter().map(|name| place(drafts, name)).collect::<Option<Vec<usize>>>();
            self.references(tokens, columns.ok_or(Unsupported::Statement)?)?;
            if tokens.skip("NOT")? {
                tokens.expect("DEFERRABLE")?;
                self.deferred(tokens)?;
            }
        }
        Ok(())
    }

    /// `(a COLLATE x ASC, b …) ON CONFLICT …`.
    fn key(&mut self, tokens: &mut Tokens<'_>, drafts: &[Draft], primary: bool) -> Result<Key> {
        let mut key = Key {
            columns: Vec::new(),
            orders: Vec::new(),
            primary,
        };
        tokens.expect_mark(b'(')?;
        loop {
            let at = place(drafts, &self.name_of(tokens)?).ok_or(Unsupported::Expression)?;
            let own = drafts.get(at).and_then(|draft| draft.collation);
            let (order, certain) = ordered(tokens, own)?;
            self.needs_sqlite |= !certain;
            key.columns.push(at);
            key.orders.push(order);
            if !tokens.skip_mark(b',')? {
                break;
            }
        }
        if primary && tokens.skip("AUTOINCREMENT")? {
            self.needs_sqlite = true;
        }
        tokens.expect_mark(b')')?;
        self.conflict_clause(tokens)?;
        Ok(key)
    }

    /// `(a, b)`.
    pub(crate) fn names_in_parentheses(&mut self, tokens: &mut Tokens<'_>) -> Result<Vec<String>> {
        tokens.expect_mark(b'(')?;
        let mut names = Vec::new();
        loop {
            names.push(self.name_of(tokens)?);
            if !tokens.skip_mark(b',')? {
                break;
            }
        }
        tokens.expect_mark(b')')?;
        Ok(names)
    }

    /// `ON CONFLICT …`, where it stands.
    pub(crate) fn conflict_clause(&mut self, tokens: &mut Tokens<'_>) -> Result<()> {
        if tokens.skip("ON")? {
            tokens.expect("CONFLICT")?;
            let ways = ["ROLLBACK", "ABORT", "FAIL", "IGNORE", "REPLACE"];
            if !ways.iter().any(|way| tokens.peek().is(way)) {
                return Err(Unsupported::Statement);
            }
            tokens.take()?;
            // Two that contradict one another are an error.
            self.needs_sqlite = true;
        }
        Ok(())
    }

    /// Reads the options behind the closing parenthesis. Returns `true` for a STRICT table.
    fn options(&mut self, tokens: &mut Tokens<'_>) -> Result<bool> {
        let mut strict = false;
        while tokens.peek() != Token::End {
            if tokens.skip("STRICT")? {
                strict = true;
            } else {
                tokens.expect("WITHOUT")?;
                tokens.expect("ROWID")?;
                self.without_rowid = true;
                // A generated column keeps more from being read than that.
                self.rows_beyond.get_or_insert(Unsupported::WithoutRowid);
                self.needs_sqlite = true;
            }
            if !tokens.skip_mark(b',')? && tokens.peek() != Token::End {
                return Err(Unsupported::Statement);
            }
        }
        Ok(strict)
    }

    /// Reads what follows CHECK: it must hold of rows and is not evaluated here.
    pub(crate) fn check_constraint(&mut self, tokens: &mut Tokens<'_>) -> Result<()> {
        let begin = tokens.place();
        tokens.skip_parentheses()?;
        self.checks.push(tokens.since(begin).to_owned());
        self.conflict_clause(tokens)?;
        self.rules_beyond = Some(Unsupported::Check);
        self.needs_sqlite = true;
        Ok(())
    }

    fn finish(&mut self, drafts: Vec<Draft>, strict: bool) {
        let mut kept: Vec<Key> = Vec::new();
        for key in std::mem::take(&mut self.keys) {
            // Two constraints of the same columns have one index, whatever their directions.
            match kept
                .iter_mut()
                .find(|other| other.columns == key.columns && other.collations() == key.collations())
            {
                Some(other) => other.primary |= key.primary,
                None => kept.push(key),
            }
        }
        self.keys = kept;
        let in_primary_key = |at: usize| self.keys.iter().any(|key| key.primary && key.columns.contains(&at));
        let columns: Option<Vec<Column>> = drafts
            .into_iter()
            .enumerate()
            .map(|(at, draft)| draft.finish(strict, strict && in_primary_key(at)))
            .collect();
        match columns {
            Some(columns) => self.columns = columns,
            None => self.rows_beyond = Some(Unsupported::Statement),
        }
    }
}

impl Key {
    /// The key of one column.
    pub(crate) fn of_column(at: usize, primary: bool, descending: bool) -> Self {
        Self {
            columns: vec![at],
            orders: vec![Some(Order {
                collation: Collation::Binary,
                descending,
            })],
            primary,
        }
    }

    pub(crate) fn collations(&self) -> Vec<Option<Collation>> {
        self.orders.iter().map(|order| order.map(|order| order.collation)).collect()
    }
}

/// The column of this name.
fn place(drafts: &[Draft], name: &str) -> Option<usize> {
    drafts.iter().position(|draft| draft.name.eq_ignore_ascii_case(name))
}

/// `COLLATE x ASC` behind a column: the order, where the collation is known, and whether the words are certainly good.
pub(crate) fn ordered(tokens: &mut Tokens<'_>, own: Option<Collation>) -> Result<(Option<Order>, bool)> {
    let mut collation_of = own;
    let mut certain = true;
    if tokens.skip("COLLATE")? {
        let (name, is_name) = tokens.name()?;
        collation_of = collation(&name);
        certain = is_name && collation_of.is_some();
    }
    let descending = tokens.skip("DESC")?;
    if !descending {
        tokens.skip("ASC")?;
    }
    Ok((collation_of.map(|collation| Order { collation, descending }), certain))
}

/// A collation by its name.
pub(crate) fn collation(name: &str) -> Option<Collation> {
    match name.to_ascii_lowercase().as_str() {
        "binary" => Some(Collation::Binary),
        "nocase" => Some(Collation::NoCase),
        "rtrim" => Some(Collation::RTrim),
        _ => None,
    }
}
