//! SQLite's own integrity check: with the CHECK constraints, which it does not see in a store that it cannot write to; and,
//! where it refuses the store as a whole, table by table.

use std::collections::{BTreeMap, BTreeSet};

use super::lines::Line;
use crate::checks::check::LeftOut;
use crate::checks::context::StoreContext;
use crate::error::{Error, Result};
use crate::findings::LONGEST_NAME;
use crate::migrations::rehearsal::copy;
use crate::migrations::shape;
use crate::store::PrivateCopy;
use crate::store::ReadOnly;
use crate::store::integrity::{self, Extent};
use crate::store::introspect::{self, LONGEST_DEFINITION, ObjectKind, quoted};
use crate::store::page_reader::Rest;
use crate::text::words::cut;

/// The number of lines that SQLite is asked for; its default is 100.
const MOST_LINES: usize = 1_000;

/// The check of a whole store.
const WHOLE: Extent<'_> = Extent::Store { most_lines: MOST_LINES };

/// The result of SQLite's check, with the parts that it could not look at.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// The lines that it returned.
    pub(super) lines: Vec<Line>,
    /// True if there may be more than these.
    pub(super) at_least: bool,
    /// The error that ended it early. The lines before it are kept.
    pub(super) error: Option<Error>,
    /// Virtual tables that their own modules refuse, and why.
    pub(super) refused: Vec<(String, String)>,
    /// The reason why the CHECK constraints were not looked at, if the store has any.
    checks_left_out: Option<String>,
    /// The tables that need something the doctor does not have, such as a module.
    tables_left_out: LeftOut,
    /// True if it was asked table by table, which leaves out whether each page is used.
    pub(super) in_parts: bool,
    /// Tables and indexes whose order only the application's collation tells.
    unordered: LeftOut,
    /// True if a collation of the application's was replaced.
    pub(super) has_own_collations: bool,
    /// The tables and indexes that it orders.
    pub(super) ordered: BTreeSet<String>,
}

impl Looked {
    /// Takes out the messages of the modules of virtual tables.
    pub(super) fn take_lines_of_virtual_tables(&mut self) -> Vec<String> {
        let lines = std::mem::take(&mut self.lines);
        let (of_virtual, others): (Vec<Line>, Vec<Line>) = lines.into_iter().partition(Line::is_of_virtual_table);
        self.lines = others;
        of_virtual.into_iter().map(Line::into_words).collect()
    }

    /// Takes out the lines that `is_wanted` names.
    pub(super) fn take_lines(&mut self, is_wanted: impl FnMut(&Line) -> bool) -> Vec<Line> {
        let mut is_wanted = is_wanted;
        self.lines.extract_if(.., |line| is_wanted(line)).collect()
    }

    /// Checks the tables one by one where damage ended the check of the whole store: all but these, by their names in lower case.
    pub(super) fn check_others(&mut self, handle: &ReadOnly, except: &BTreeSet<String>) -> Result<()> {
        if !self.error.as_ref().is_some_and(Error::is_damage) {
            return Ok(());
        }
        self.error = None;
        // The constraints of the tables that it did not come to can only be checked in a copy.
        self.at_least = self.lines.len() >= MOST_LINES || has_checks(handle)?;
        for table in introspect::tables(handle)? {
            let Some(name) = table.name.filter(|name| !except.contains(&name.to_ascii_lowercase())) else {
                continue;
            };
            self.add_part(handle, &name, table.is_virtual)?;
        }
        Ok(())
    }

    /// Puts a message back that is of no table that is known.
    pub(super) fn keep_line(&mut self, message: &str) {
        self.lines.push(Line::of_unknown_table(message));
    }

    /// Returns true if SQLite refused to begin, because of the schema and not of the doctor's own limits.
    fn is_refused(&self) -> bool {
        let refuses = |error: &Error| error.is_while_preparing() && !error.is_own_bound();
        self.lines.is_empty() && self.error.as_ref().is_some_and(refuses)
    }

    /// Returns the parts that were left out, with reasons. They are no fault of the store.
    pub(super) fn left_out(&self) -> Vec<String> {
        let checks = self.checks_left_out.iter().map(|why| format!("CHECK constraints ({why})"));
        let orders = self.unordered.words().into_iter().map(|words| format!("the order of {words}"));
        let pages = self
            .in_parts
            .then(|| "whether every page is used (the tables were checked one by one)".to_owned());
        checks.chain(orders).chain(self.tables_left_out.words()).chain(pages).collect()
    }
}

/// A copy that SQLite could write to; the handle goes first, then the files.
struct Copied {
    handle: ReadOnly,
    _files: Option<PrivateCopy>,
}

/// Runs SQLite's check on a store.
pub(super) fn look(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Looked> {
    let has_checks = match has_checks(handle) {
        Err(error) if error.is_own_bound() => return Err(error),
        // What keeps the schema from being read is SQLite's check to say.
        has_checks => has_checks.unwrap_or(false),
    };
    let (copied, checks_left_out, malformed) = match (has_checks, context.access.is_shared()) {
        // A copy in memory is one that SQLite could write to.
        (false, _) | (true, false) => (None, None, None),
        (true, true) => match copied(context, handle) {
            Ok(copied) => (Some(copied), None, None),
            Err(error) if error.stopped().is_some() || error.is_out_of_memory() => return Err(error),
            // A connection that may write cannot open the store: SQLite reads more of the schema then.
            Err(error) if error.is_damage() => (None, None, Some(error)),
            Err(error) => (None, Some(format!("they need a private copy: {error}")), None),
        },
    };
    let mut looked = whole(copied.as_ref().map_or(handle, |copied| &copied.handle))?;
    looked.checks_left_out = checks_left_out;
    if let Some(malformed) = malformed {
        looked.error.get_or_insert(malformed);
        looked.at_least = true;
    } else if looked.is_refused() {
        let copied = match copied {
            Some(copied) => copied,
            None => Copied {
                handle: context.access.open()?,
                _files: None,
            },
        };
        looked = look_again(copied, looked.checks_left_out, has_checks)?;
    }
    Ok(looked)
}

/// The number of tables that SQLite is asked about one by one: each time, it goes through the names of all.
const MOST_ASKED: usize = 256;

/// Returns true when SQLite finds no fault in the part of a store that the reader does not understand. Whatever else it says, it
/// has to be asked about the whole store: its words are then what they always are.
///
/// No copy is needed for CHECK constraints, which SQLite leaves out of a schema that it can only read: a query looks for a row
/// that breaks one, over pages that the reader found sound.
pub(super) fn is_rest_sound(handle: &ReadOnly, rest: &Rest) -> Result<bool> {
    if rest.tables.len() > MOST_ASKED {
        return Ok(false);
    }
    for table in &rest.tables {
        let mut is_sound = true;
        let mut ended = Ok(());
        if table.needs_check {
            ended = integrity::each_line(handle, Extent::Table(&table.name), |_| is_sound = false);
        }
        if let (Ok(()), true, Some(broken)) = (&ended, is_sound, &table.broken_checks) {
            let sql = format!("SELECT 1 FROM {} NOT INDEXED WHERE {broken} LIMIT 1", quoted(&table.name));
            ended = handle.rows(&sql, [], |_| {
                is_sound = false;
                Ok(())
            });
        }
        match ended {
            Err(error) if error.stopped().is_some() => return Err(error),
            Ok(()) if is_sound => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// Runs it on a store that it refused to begin with, with less and less in its way.
fn look_again(copied: Copied, mut checks_left_out: Option<String>, has_checks: bool) -> Result<Looked> {
    let handle = copied.handle.without_authorizer()?;
    let mut looked = whole_with_any_collation(&handle)?;
    if looked.is_refused() && has_checks && checks_left_out.is_none() {
        // A constraint may call a function that is not here.
        checks_left_out = looked.error.as_ref().map(Error::sqlite_message);
        handle.rows("PRAGMA ignore_check_constraints=ON", [], |_| Ok(()))?;
        looked = whole(&handle)?;
    }
    if looked.is_refused() {
        looked = in_parts(&handle)?;
    }
    looked.checks_left_out = checks_left_out;
    looked.drop_lines_about_order(&handle)?;
    Ok(looked)
}

/// Runs SQLite's check on a private copy without views and virtual tables, where it also looks at the freelist and at pages that
/// nothing uses. Rows are left out: they were looked at before.
pub(super) fn look_without_views(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Looked> {
    let copy = copy::to_check(context.probe, handle, context.environment)?.without_views()?;
    let (handle, _files) = copy.guarded(context.environment)?;
    let handle = handle.without_authorizer()?;
    handle.rows("PRAGMA ignore_check_constraints=ON", [], |_| Ok(()))?;
    let mut looked = whole_with_any_collation(&handle)?;
    looked.drop_lines_about_order(&handle)?;
    Ok(looked)
}

/// Runs SQLite's check on the whole store. Collations that only the application has are replaced by the order of bytes, one
/// after the other as SQLite asks for them: it then looks at everything else.
fn whole_with_any_collation(handle: &ReadOnly) -> Result<Looked> {
    const MOST_COLLATIONS: usize = 64;
    let mut looked = whole(handle)?;
    for _ in 0..MOST_COLLATIONS {
        let Some(name) = looked.error.as_ref().and_then(Error::missing_collation) else {
            break;
        };
        handle.replace_collation(&name)?;
        looked = whole(handle)?;
    }
    Ok(looked)
}

/// Copies the store to where SQLite could write to it. In a database that it can only read, SQLite leaves the CHECK
/// constraints out of the schema (`build.c`, `sqlite3AddCheckConstraint`), and its check does not see them.
fn copied(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Copied> {
    let copied =
        copy::to_check(context.probe, handle, context.environment).and_then(|copy| copy.guarded(context.environment));
    copied.map(|(handle, files)| Copied { handle, _files: files })
}

/// Returns true when a table may have a CHECK constraint; a definition that is too long to be read is taken to hold one.
fn has_checks(handle: &ReadOnly) -> Result<bool> {
    let mut found = false;
    introspect::each_object(handle, LONGEST_DEFINITION, |object| {
        let is_table = matches!(object.kind, ObjectKind::Table | ObjectKind::VirtualTable);
        let may_have = |sql| shape::may_have_checks(&String::from_utf8_lossy(sql));
        found |= is_table && (object.is_too_long || object.sql.is_some_and(may_have));
        Ok(())
    })?;
    Ok(found)
}

/// Runs SQLite's check on the whole store.
fn whole(handle: &ReadOnly) -> Result<Looked> {
    let mut looked = integrity_check_of_any_length(handle, WHOLE)?;
    if looked
        .error
        .as_ref()
        .is_some_and(|error| !error.is_while_preparing() && (error.is_refusal() || error.is_of_virtual_table()))
    {
        looked.ask_virtual_tables(handle)?;
    }
    Ok(looked)
}

/// Returns SQLite's lines and the error that ended the check, if one did.
fn integrity_check(handle: &ReadOnly, extent: Extent<'_>) -> Looked {
    let mut looked = Looked::default();
    let ended = integrity::each_line(handle, extent, |line| {
        if looked.lines.len() < MOST_LINES {
            looked.lines.push(Line::of(line));
        }
    });
    looked.error = ended.err();
    looked.at_least = looked.error.is_some() || looked.lines.len() >= MOST_LINES;
    looked
}

/// Runs SQLite's check, and runs it again without the limit on the length of values if that ended it.
fn integrity_check_of_any_length(handle: &ReadOnly, extent: Extent<'_>) -> Result<Looked> {
    let looked = integrity_check(handle, extent);
    match &looked.error {
        Some(error) if error.is_own_bound() && error.stopped().is_none() => {
            handle.with_long_values(|| integrity_check(handle, extent))
        }
        _ => Ok(looked),
    }
}

/// Runs SQLite's check table by table, so that one that it cannot look at does not hide the others.
fn in_parts(handle: &ReadOnly) -> Result<Looked> {
    let mut all = Looked {
        in_parts: true,
        ..Looked::default()
    };
    // Of this one SQLite also looks at the free pages.
    all.add_part(handle, "sqlite_schema", false)?;
    for table in introspect::tables(handle)? {
        match table.name {
            Some(name) => all.add_part(handle, &name, table.is_virtual)?,
            None => all.tables_left_out.count("its name is not UTF-8".to_owned(), "a table"),
        }
    }
    Ok(all)
}

impl Looked {
    /// Adds what SQLite says of one table.
    fn add_part(&mut self, handle: &ReadOnly, name: &str, is_virtual: bool) -> Result<()> {
        // It stops by itself at so many lines of a table.
        const MOST_OF_A_TABLE: usize = 100;
        let part = integrity_check_of_any_length(handle, Extent::Table(name))?;
        self.at_least |= part.lines.len() >= MOST_OF_A_TABLE;
        for line in part.lines {
            if self.lines.len() < MOST_LINES && !self.lines.contains(&line) {
                self.lines.push(line);
            }
        }
        match part.error {
            None => {}
            Some(error) if error.is_own_bound() => return Err(error),
            Some(error) if is_virtual && (error.is_refusal() || error.is_of_virtual_table()) => {
                self.refuse(name, &error);
            }
            Some(error) if error.is_refusal() && error.is_while_preparing() => {
                self.tables_left_out.count(error.sqlite_message(), name);
            }
            Some(error) => {
                self.at_least = true;
                self.error.get_or_insert(error);
            }
        }
        Ok(())
    }

    /// Drops the lines about the order of what is ordered by a collation of the application's, and notes that it was not looked at.
    fn drop_lines_about_order(&mut self, handle: &ReadOnly) -> Result<()> {
        let collations = handle.replaced_collations()?;
        if collations.is_empty() {
            return Ok(());
        }
        self.has_own_collations = true;
        let mut ordered = BTreeSet::new();
        for table in introspect::tables(handle)?.into_iter().filter_map(|table| table.name) {
            let mut of_table = BTreeMap::new();
            for index in introspect::indexes(handle, &table)? {
                let Ok(name) = String::from_utf8(index.name) else {
                    continue;
                };
                for column in introspect::index_columns(handle, &name)? {
                    let collation = String::from_utf8_lossy(&column.collation).to_ascii_lowercase();
                    if collations.contains(&collation) {
                        of_table.insert(collation, name.clone());
                        ordered.insert(cut(&name, LONGEST_NAME));
                    }
                }
            }
            for collation in of_table.into_keys() {
                let why = format!("the collation {} is the application's", cut(&collation, LONGEST_NAME));
                self.unordered.count(why, &table);
                ordered.insert(cut(&table, LONGEST_NAME));
            }
        }
        self.lines.retain(|line| !line.is_about_order_of(&ordered));
        self.ordered = ordered;
        Ok(())
    }

    /// Adds the lines of another look that this one lacks.
    pub(super) fn add_lines(&mut self, other: Self) {
        for line in other.lines {
            if self.lines.len() < MOST_LINES && !self.lines.contains(&line) {
                self.lines.push(line);
            }
        }
    }

    /// Leaves those virtual tables out that were refused because a tokenizer is not here, which only their application has: to
    /// look for a word in them says so.
    pub(super) fn excuse_missing_tokenizers(&mut self, handle: &ReadOnly) -> Result<()> {
        for (name, why) in std::mem::take(&mut self.refused) {
            let table = quoted(&name);
            let sql = format!("SELECT 1 FROM {table} WHERE {table} MATCH 'a' LIMIT 1");
            match handle.rows_of_pragma(&sql, |_| Ok(())) {
                Err(error) if error.is_own_bound() => return Err(error),
                Err(error) if error.is_missing_tokenizer() => {
                    self.tables_left_out.count(error.sqlite_message(), &name);
                }
                _ => self.refused.push((name, why)),
            }
        }
        Ok(())
    }

    /// Keeps why a virtual table could not be asked.
    fn refuse(&mut self, name: &str, error: &Error) {
        if self.refused.len() < MOST_LINES {
            self.refused.push((cut(name, LONGEST_NAME), error.sqlite_message()));
        }
    }

    /// Asks each virtual table alone, where one of them may be what ended the check: SQLite asks them last, so that all else
    /// was looked at if it was one.
    fn ask_virtual_tables(&mut self, handle: &ReadOnly) -> Result<()> {
        let error = self.error.take();
        let at_least = std::mem::take(&mut self.at_least);
        let tables = match introspect::tables(handle) {
            Err(error) if error.is_own_bound() => return Err(error),
            tables => tables.unwrap_or_default(),
        };
        for name in tables.into_iter().filter(|table| table.is_virtual).filter_map(|table| table.name) {
            self.add_part(handle, &name, true)?;
        }
        if self.refused.is_empty() {
            self.at_least |= at_least;
            self.error = self.error.take().or(error);
        }
        Ok(())
    }
}
