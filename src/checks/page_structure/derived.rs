//! Full-text and spatial indexes: virtual tables of SQLite's own modules, which are made from rows and lie in tables of their own; and
//! the statistics of the query planner.
//!
//! A fault there is no damage to an ordinary table. But a full-text table without external content keeps its rows in `NAME_content`,
//! and if its index names rows that are not there, they are lost: to rebuild the index would take the last trace of them.
//!
//! Sources: "SQLite FTS3 and FTS4 Extensions", "SQLite FTS5 Extension", "The SQLite R*Tree Module"; the messages are those of
//! `fts3IntegrityMethod`, `fts5IntegrityMethod` and `rtreeIntegrity`.

use std::collections::{BTreeMap, BTreeSet};

use super::full_text;
use super::integrity::Looked;
use super::shadow::{self, DamagedTables, is_statistics};
use crate::application::{Damage, DerivedSubject, Mend, Problem};
use crate::error::Result;
use crate::findings::kind::Kind;
use crate::findings::{Finding, LONGEST_NAME};
use crate::store::ReadOnly;
use crate::store::introspect::{self, LONGEST_DEFINITION, ObjectKind, identifier, quoted};
use crate::text::words::{cut, plural};
use sqlite_format::sql::lexer::{Lexer, TokenKind};

/// The number of full-text and spatial tables that are looked at.
const MOST_TABLES: usize = 1_000;

/// The number of lines of one spatial index that are quoted.
const MOST_QUOTED: usize = 2;

/// The beginning of SQLite's words where a module ends with an error for the damage that it found.
const CONTENT_DAMAGED: &str = "the content of a virtual table is malformed";

/// The module of a virtual table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Module {
    Fts3,
    Fts4,
    Fts5,
    Rtree,
}

/// The place of the rows that a full-text index is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    /// Its own table, `NAME_content`.
    Own,
    /// Another table.
    Table(String),
    /// Nowhere: it keeps the index alone.
    Nowhere,
}

/// A full-text or spatial table, as its definition has it.
#[derive(Debug)]
struct Table {
    name: String,
    module: Module,
    content: Content,
    /// The suffixes of its own tables.
    suffixes: Vec<&'static str>,
    /// Its module with the arguments, if they are nothing but names.
    plain_module: Option<String>,
}

/// An index that is wrong.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) table: String,
    subject: DerivedSubject,
    /// The state of it, after its name.
    state: String,
    /// The line of SQLite's that says it, or what was found instead.
    what: String,
    /// The damaged page that the line names.
    page: Option<u64>,
    count: u64,
    /// The number of rows that it names and that its own table lacks.
    pub(super) lost_rows: u64,
    pub(super) mend: Mend,
}

impl Wrong {
    /// Returns the fault in a sentence.
    pub(super) fn describe(&self) -> String {
        let Self { table, state, .. } = self;
        let what = match self.subject {
            DerivedSubject::FullText => format!("the full-text index of {table}"),
            DerivedSubject::Spatial => format!("the spatial index of {table}"),
            DerivedSubject::Statistics => format!("the table {table}, with statistics for the query planner,"),
        };
        match self.lost_rows {
            0 => format!("{what} {state}: no row of an ordinary table is lost"),
            lost => format!(
                "{what} names {} that {table}_content does not have: lost, or deleted behind the index",
                plural(lost, "row", "rows")
            ),
        }
    }

    /// Returns the place and what is wrong there.
    pub(super) fn into_finding(self) -> Finding {
        let kind = if self.lost_rows > 0 {
            Kind::RowsLost
        } else {
            self.subject.kind()
        };
        let count = if self.lost_rows > 0 { self.lost_rows } else { self.count };
        Finding {
            count: Some(count),
            page: self.page,
            ..Finding::new(self.what).table(self.table).kind_of(kind)
        }
    }
}

/// The full-text and spatial indexes that SQLite's check names.
#[derive(Debug, Default)]
pub(super) struct Derived {
    pub(super) wrong: Vec<Wrong>,
    /// Those that are only out of step, which is no damage.
    pub(super) notes: Vec<Finding>,
    /// True if pages of them are damaged, so that other pages of them may be out of reach.
    has_damaged_pages: bool,
}

impl Derived {
    /// Returns true if this decides what to do, and not the worst of what else is wrong.
    pub(super) fn is_graver_than(&self, worst: Option<Damage>) -> bool {
        let has_lost_rows = self.wrong.iter().any(|wrong| wrong.lost_rows > 0);
        match worst {
            None | Some(Damage::Constraint | Damage::Refused | Damage::Unaccounted) => !self.wrong.is_empty(),
            Some(Damage::OutOfReach) => has_lost_rows || self.has_damaged_pages,
            Some(Damage::Rows | Damage::Keys) => false,
            Some(_) => has_lost_rows,
        }
    }

    /// Returns the gravest fault in a sentence, and the problem that they are. `unreached_rows` describes the pages with rows that nothing
    /// leads to.
    pub(super) fn describe(&self, unreached_rows: Option<&str>) -> (String, Problem) {
        let lost_rows = self.wrong.iter().map(|wrong| wrong.lost_rows).sum();
        let gravest = self.wrong.iter().max_by_key(|wrong| wrong.lost_rows);
        let said = gravest.map(Wrong::describe).unwrap_or_default();
        let mut more = match self.wrong.len().saturating_sub(1) as u64 {
            0 => String::new(),
            more => format!("; {} wrong too", plural(more, "other such index is", "other such indexes are")),
        };
        if let Some(unreached) = unreached_rows {
            more += &format!("; {unreached}; they may be the index's own");
        }
        let problem = Problem::Derived {
            subject: gravest.map_or(DerivedSubject::FullText, |wrong| wrong.subject),
            lost_rows,
            has_unreached_rows: unreached_rows.is_some(),
            mends: self.wrong.iter().map(|wrong| wrong.mend.clone()).collect(),
        };
        (said + &more, problem)
    }
}

/// Takes what is about full-text and spatial indexes out of SQLite's lines and of the tables that their modules refuse.
///
/// # Errors
/// A bound of the doctor's own.
pub(super) fn take(handle: &ReadOnly, looked: &mut Looked) -> Result<Derived> {
    let mut out = Derived::default();
    if looked.lines.is_empty() && looked.refused.is_empty() {
        return Ok(out);
    }
    let known = match Known::read(handle) {
        Err(error) if error.is_own_bound() => return Err(error),
        known => known.unwrap_or_default(),
    };
    let mut damaged = known.take_damaged(handle, looked)?;
    out.has_damaged_pages = damaged.values().any(|tables| !tables.trees.is_empty());
    let messages = looked.take_lines_of_virtual_tables();
    let mut by_table: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in messages {
        match name_in(&message).filter(|name| known.tables.contains_key(&name.to_ascii_lowercase())) {
            Some(name) => by_table.entry(name.to_ascii_lowercase()).or_default().push(message),
            // Its table is not in the schema as it can be read, so nothing is known of it.
            None => looked.keep_line(&message),
        }
    }
    for (name, why) in std::mem::take(&mut looked.refused) {
        let lower = name.to_ascii_lowercase();
        let is_wrong = |table| why.starts_with(CONTENT_DAMAGED) || !known.missing(table).is_empty();
        if damaged.contains_key(&lower) || known.tables.get(&lower).is_some_and(is_wrong) {
            by_table.entry(lower).or_default().push(why);
        } else {
            looked.refused.push((name, why));
        }
    }
    for (name, tables) in &damaged {
        if is_statistics(name) {
            out.wrong.push(Wrong::of_statistics(name, tables));
        } else {
            by_table.entry(name.clone()).or_default();
        }
    }
    for (name, messages) in by_table {
        let Some(table) = known.tables.get(&name) else {
            continue;
        };
        let damaged = damaged.remove(&name);
        match known.judge(handle, table, &messages, damaged.as_ref()) {
            Err(error) if error.is_own_bound() => return Err(error),
            Err(error) => {
                for message in &messages {
                    looked.keep_line(message);
                }
                looked.error = looked.error.take().or(Some(error));
            }
            Ok(Judged::Wrong(wrong)) => out.wrong.push(wrong),
            Ok(Judged::Note(note)) => out.notes.push(note),
        }
    }
    Ok(out)
}

/// The result of a look at one index.
enum Judged {
    Wrong(Wrong),
    Note(Finding),
}

/// Returns the table that a message of a module names.
pub(super) fn name_in(message: &str) -> Option<String> {
    let of_fts = |begin: &str| {
        let rest = message.strip_prefix(begin)?;
        let (_, name) = rest.split_once(" table main.")?;
        Some(name)
    };
    let name = if let Some(rest) = message.strip_prefix("In RTree main.") {
        // No line of the module's own ends with a colon.
        rest.split_once(":\n")?.0
    } else if message.starts_with("fts5: ") {
        message.strip_suffix('"')?.split_once("table \"")?.1
    } else if let Some(name) = of_fts("malformed inverted index for FTS") {
        name
    } else {
        of_fts("unable to validate the inverted index for FTS")?.rsplit_once(": ")?.0
    };
    Some(name.to_owned())
}

impl Wrong {
    /// Creates the fault of a table of statistics.
    fn of_statistics(name: &str, damaged: &DamagedTables) -> Self {
        Self {
            table: name.to_owned(),
            subject: DerivedSubject::Statistics,
            state: "is damaged".to_owned(),
            what: damaged.first.clone(),
            page: damaged.page,
            count: damaged.lines,
            lost_rows: 0,
            mend: Mend::Analyze(shadow::scripts_for_statistics(name)),
        }
    }
}

/// The full-text and spatial tables of a store, and the names of all its tables.
#[derive(Debug, Default)]
struct Known {
    /// By their names in lower case.
    tables: BTreeMap<String, Table>,
    /// The names, in lower case, of those of all tables that theirs or their contents' may be.
    there: BTreeSet<String>,
}

impl Known {
    fn read(handle: &ReadOnly) -> Result<Self> {
        let mut out = Self::default();
        introspect::each_object(handle, LONGEST_DEFINITION, |object| {
            let name = std::str::from_utf8(object.name).ok();
            let sql = object.sql.filter(|_| object.kind == ObjectKind::VirtualTable);
            if let (Some(name), Some(sql)) = (name, sql)
                && let Some(table) = Table::read(name, &String::from_utf8_lossy(sql))
                && out.tables.len() < MOST_TABLES
            {
                out.tables.insert(name.to_ascii_lowercase(), table);
            }
            Ok(())
        })?;
        let wanted: BTreeSet<String> = out.tables.values().flat_map(Table::needs).collect();
        introspect::each_object(handle, 0, |object| {
            let name = String::from_utf8_lossy(object.name).to_ascii_lowercase();
            if object.kind != ObjectKind::Index && object.kind != ObjectKind::Trigger && wanted.contains(&name) {
                out.there.insert(name);
            }
            Ok(())
        })?;
        Ok(out)
    }

    /// Takes the lines out that are about the tables of full-text and spatial indexes and about statistics, but not those about rows
    /// that only they hold. Returns them by the index, or by the table of statistics, with its name in lower case.
    fn take_damaged(&self, handle: &ReadOnly, looked: &mut Looked) -> Result<BTreeMap<String, DamagedTables>> {
        let mut owners: BTreeMap<String, String> = BTreeMap::new();
        for (name, table) in &self.tables {
            for suffix in table.derived_suffixes() {
                owners.insert(format!("{name}_{suffix}"), name.clone());
            }
        }
        let trees = match shadow::DerivedTrees::read(handle, &owners) {
            Err(error) if error.is_own_bound() => return Err(error),
            trees => trees.unwrap_or_default(),
        };
        let mut damaged: BTreeMap<String, DamagedTables> = BTreeMap::new();
        for line in looked.take_lines(|line| trees.table_of(line).is_some()) {
            if let Some(table) = trees.table_of(&line) {
                let owner = owners.get(&table.to_ascii_lowercase()).unwrap_or(table).to_ascii_lowercase();
                damaged.entry(owner).or_default().add(table, line);
            }
        }
        let mut except: BTreeSet<String> = damaged.keys().cloned().collect();
        except.extend(damaged.values().flat_map(|tables| &tables.trees).map(|table| table.to_ascii_lowercase()));
        if !damaged.is_empty() {
            looked.check_others(handle, &except)?;
        }
        Ok(damaged)
    }

    fn is_there(&self, name: &str) -> bool {
        self.there.contains(&name.to_ascii_lowercase())
    }

    /// Returns the tables of its own that an index lacks.
    fn missing(&self, table: &Table) -> Vec<String> {
        let own = table.suffixes.iter().map(|suffix| format!("{}_{suffix}", table.name));
        own.filter(|name| !self.is_there(name)).collect()
    }

    /// Returns what these messages about an index mean, and the lines about its own tables.
    fn judge(
        &self,
        handle: &ReadOnly,
        table: &Table,
        messages: &[String],
        damaged: Option<&DamagedTables>,
    ) -> Result<Judged> {
        let missing = self.missing(table);
        let mut wrong = table.describe_fault(messages);
        if let Some(damaged) = damaged {
            table.describe_damage(damaged, &mut wrong);
        }
        if !missing.is_empty() {
            table.describe_missing(&missing, &mut wrong);
            return Ok(Judged::Wrong(wrong));
        }
        match &table.content {
            Content::Table(content) if !self.is_there(content) => {
                wrong.state = format!("cannot be checked, because the table {content}, from which it is made, is gone");
                wrong.what = format!("the table {content}, whose rows it indexes, is gone");
                wrong.mend = Mend::Drop(table.scripts_to_drop(damaged.is_some()));
            }
            Content::Table(content)
                if damaged.is_none() && table.module == Module::Fts4 && table.is_empty(handle)? =>
            {
                let what = format!(
                    "the full-text index of {} is empty and so does not match the rows of {content}: its program fills it when it needs it, or never did; no row is lost",
                    table.name
                );
                return Ok(Judged::Note(Finding::note(Kind::FullTextIndex, what).table(&table.name)));
            }
            Content::Own if table.module != Module::Rtree => {
                wrong.lost_rows =
                    match full_text::lost_rows(handle, &table.name, table.has_sizes(), table.module == Module::Fts5) {
                        // What is damaged names no rows.
                        Err(error) if damaged.is_some() && error.is_damage() => 0,
                        lost_rows => lost_rows?,
                    };
                if wrong.lost_rows > 0 {
                    wrong.what = format!("the full-text index of {} names rows that are not there", table.name);
                    wrong.mend = Mend::KeepFirst;
                }
            }
            _ => {}
        }
        Ok(Judged::Wrong(wrong))
    }
}

impl Table {
    /// Reads the definition of a virtual table; `None` if it is of another module.
    fn read(name: &str, sql: &str) -> Option<Self> {
        let (module, arguments) = module_with_arguments(sql)?;
        let module_name = module;
        let module = match module_name.as_str() {
            "fts3" => Module::Fts3,
            "fts4" => Module::Fts4,
            "fts5" => Module::Fts5,
            "rtree" | "rtree_i32" => Module::Rtree,
            _ => return None,
        };
        let option = |key: &str| {
            let of_key = |argument: &String| {
                let (own, value) = argument.split_once('=')?;
                own.trim().eq_ignore_ascii_case(key).then(|| unquoted(value.trim()))
            };
            arguments.iter().find_map(of_key)
        };
        let content = match option("content").filter(|_| matches!(module, Module::Fts4 | Module::Fts5)) {
            None => Content::Own,
            Some(content) if content.is_empty() => Content::Nowhere,
            Some(content) => Content::Table(content),
        };
        let is_of_fts3 = option("matchinfo").is_some_and(|value| value.eq_ignore_ascii_case("fts3"));
        let mut suffixes = match module {
            Module::Fts3 => vec!["segments", "segdir"],
            Module::Fts4 if is_of_fts3 => vec!["segments", "segdir", "stat"],
            Module::Fts4 => vec!["segments", "segdir", "docsize", "stat"],
            Module::Fts5 if option("columnsize").is_some_and(|value| value == "0") => vec!["data", "idx", "config"],
            Module::Fts5 => vec!["data", "idx", "docsize", "config"],
            Module::Rtree => vec!["node", "rowid", "parent"],
        };
        if module != Module::Rtree && content == Content::Own {
            suffixes.push("content");
        }
        let is_plain = |argument: &String| {
            let name = argument.strip_prefix('+').unwrap_or(argument);
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let plain = arguments.iter().all(is_plain).then(|| format!("{module_name}({})", arguments.join(", ")));
        Some(Self {
            name: name.to_owned(),
            module,
            content,
            suffixes,
            plain_module: plain.filter(|module| module.len() < LONGEST_NAME),
        })
    }

    /// Returns the names of the tables without which it cannot be used, in lower case.
    fn needs(&self) -> Vec<String> {
        let own = self.suffixes.iter().map(|suffix| format!("{}_{suffix}", self.name));
        let content = match &self.content {
            Content::Table(content) => Some(content.clone()),
            Content::Own | Content::Nowhere => None,
        };
        own.chain(content).map(|name| name.to_ascii_lowercase()).collect()
    }

    /// Returns the suffixes of those of its tables that hold nothing but what is made from rows.
    fn derived_suffixes(&self) -> impl Iterator<Item = &'static str> {
        let has_columns = self.has_columns_beside_coordinates();
        self.suffixes
            .iter()
            .copied()
            .filter(move |suffix| *suffix != "content" && !(has_columns && *suffix == "rowid"))
    }

    /// Returns true for a spatial index with columns that it only keeps, in its table of rowids.
    fn has_columns_beside_coordinates(&self) -> bool {
        self.module == Module::Rtree && self.plain_module.as_ref().is_none_or(|module| module.contains('+'))
    }

    fn has_sizes(&self) -> bool {
        self.suffixes.contains(&"docsize")
    }

    /// Returns true if nothing was ever put into the index of an FTS4 table.
    fn is_empty(&self, handle: &ReadOnly) -> Result<bool> {
        let segments = quoted(&format!("{}_segdir", self.name));
        Ok(handle.number(&format!("SELECT EXISTS (SELECT 1 FROM {segments})"))? == 0)
    }

    /// Returns the name as it can be typed within double quotes of a shell; `None` where it cannot.
    fn typed(&self) -> Option<String> {
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
        let name = &self.name;
        if name.len() == 1 && name.bytes().all(|byte| byte.is_ascii_alphabetic()) || identifier(name) == *name {
            return Some(name.clone());
        }
        (name.chars().all(is_plain) && name.chars().count() < LONGEST_NAME).then(|| format!("[{name}]"))
    }

    /// Returns the scripts that drop it; other ones where its own tables cannot be read to their ends.
    fn scripts_to_drop(&self, is_damaged: bool) -> Option<Vec<String>> {
        let name = self.typed()?;
        Some(if is_damaged {
            shadow::scripts_to_drop(&name, &self.suffixes)
        } else {
            vec![format!("DROP TABLE {name}")]
        })
    }

    /// Returns the fault that messages name, and what mends it.
    fn describe_fault(&self, messages: &[String]) -> Wrong {
        let mut lines: Vec<&str> = Vec::new();
        for message in messages {
            match message.strip_prefix("In RTree main.").and_then(|rest| rest.split_once(":\n")) {
                Some((_, faults)) => lines.extend(faults.lines()),
                None => lines.push(message),
            }
        }
        let has = |words: &str| lines.iter().any(|line| line.contains(words));
        let is_spatial = self.module == Module::Rtree;
        let is_readable = lines.iter().all(|line| are_coordinates_readable(line));
        let begins = |begin: &&str| lines.iter().any(|line| line.starts_with(begin));
        let state = if is_spatial && is_readable {
            "disagrees with its own tables"
        } else if is_spatial || ["fts5: corrupt", "unable to validate", CONTENT_DAMAGED].iter().any(begins) {
            "is damaged"
        } else if self.module == Module::Fts5 && has("malformed") {
            // FTS5 says no more.
            "is damaged or out of step with its rows"
        } else {
            "is out of step with its rows"
        };
        let quoted: Vec<String> = lines
            .iter()
            .take(MOST_QUOTED)
            .map(|line| line.replace("%_", &format!("{}_", self.name)))
            .collect();
        let mend = if is_spatial {
            self.mend_spatial(is_readable)
        } else {
            self.mend_full_text(has("corrupt structure record"))
        };
        Wrong {
            table: cut(&self.name, LONGEST_NAME),
            subject: if is_spatial {
                DerivedSubject::Spatial
            } else {
                DerivedSubject::FullText
            },
            state: state.to_owned(),
            what: quoted.join("; "),
            page: None,
            count: lines.len() as u64,
            lost_rows: 0,
            mend,
        }
    }

    /// `without_structure`: the record that says where the segments of an FTS5 index lie is damaged, so that its module refuses to
    /// open the table: an empty record is put in its place first.
    fn mend_full_text(&self, without_structure: bool) -> Mend {
        let Some(name) = self.typed() else {
            return Mend::Rebuild(None);
        };
        match (&self.content, without_structure) {
            (Content::Nowhere, true) => Mend::ByProgram,
            (Content::Nowhere, false) => Mend::Drop(self.scripts_to_drop(false)),
            (_, false) => Mend::Rebuild(Some(vec![format!("INSERT INTO {name}({name}) VALUES('rebuild')")])),
            (_, true) => {
                let data = match name.strip_suffix(']') {
                    Some(begin) => format!("{begin}_data]"),
                    None => format!("{name}_data"),
                };
                Mend::Rebuild(Some(vec![format!(
                    "UPDATE {data} SET block=x'00000000000000' WHERE id=10; INSERT INTO {name}({name}) VALUES('rebuild')"
                )]))
            }
        }
    }

    /// The coordinates lie in the nodes: as long as all of these can be read, the table can be made anew from itself. What lies in
    /// columns beside the coordinates is no index.
    fn mend_spatial(&self, is_readable: bool) -> Mend {
        let (Some(name), Some(module)) =
            (self.typed(), self.plain_module.as_ref().filter(|module| !module.contains('+')))
        else {
            return Mend::ByProgram;
        };
        if !is_readable {
            return Mend::Drop(self.scripts_to_drop(false));
        }
        Mend::Rebuild(Some(vec![format!(
            "BEGIN; CREATE TABLE kept_entries AS SELECT * FROM {name}; DROP TABLE {name}; CREATE VIRTUAL TABLE {name} USING {module}; INSERT INTO {name} SELECT * FROM kept_entries; DROP TABLE kept_entries; COMMIT"
        )]))
    }

    /// Describes damaged pages of its own tables, and what mends them: no statement of SQLite's can clear or drop a table that it cannot
    /// read to its end.
    fn describe_damage(&self, damaged: &DamagedTables, wrong: &mut Wrong) {
        "is damaged".clone_into(&mut wrong.state);
        wrong.what.clone_from(&damaged.first);
        wrong.page = damaged.page;
        wrong.count = damaged.lines;
        if damaged.trees.is_empty() {
            return;
        }
        let has_damaged = |suffix: &str| damaged.has_tree(&format!("{}_{suffix}", self.name));
        let Some(name) = self.typed() else {
            wrong.mend = Mend::ByProgram;
            return;
        };
        wrong.mend = match &self.content {
            Content::Own | Content::Table(_) if self.module != Module::Rtree => {
                let suffixes = self.derived_suffixes().filter(|suffix| has_damaged(suffix));
                Mend::Rebuild(Some(shadow::scripts_to_rebuild(&name, self.module, suffixes)))
            }
            _ if self.has_columns_beside_coordinates() => Mend::ByProgram,
            _ => match self
                .plain_module
                .as_ref()
                .filter(|_| self.module == Module::Rtree && !has_damaged("node"))
            {
                Some(module) => Mend::Rebuild(Some(shadow::scripts_to_refill(&name, module, &self.suffixes))),
                None => Mend::Drop(self.scripts_to_drop(true)),
            },
        };
    }

    fn describe_missing(&self, missing: &[String], wrong: &mut Wrong) {
        let (own, are) = match missing {
            [one] => (format!("its own table {one}"), "is"),
            all => (format!("its own tables {}", all.join(", ")), "are"),
        };
        wrong.state = format!("is incomplete, because {own} {are} gone");
        wrong.what = format!("{own} {are} gone");
        wrong.count = missing.len() as u64;
        wrong.mend = Mend::ByProgram;
        let content = format!("{}_content", self.name);
        if missing.contains(&content) {
            wrong.state += &format!(" (with {content} the rows that it held itself)");
            wrong.mend = Mend::ByProgramFromBackup;
        }
    }
}

/// Returns true if a line about a spatial index is no fault of the nodes, in which its coordinates lie.
fn are_coordinates_readable(line: &str) -> bool {
    line.starts_with("Found (") || line.starts_with("Mapping (") || has_fewer_entries(line) == Some(false)
}

/// Returns true if a line says that the nodes of a spatial index have fewer entries than its list of rows, false if they have more,
/// and `None` if it says something else.
fn has_fewer_entries(line: &str) -> Option<bool> {
    let (_, figures) = line.strip_prefix("Wrong number of entries in ")?.split_once("expected ")?;
    let (expected, actual) = figures.split_once(", actual ")?;
    Some(expected.parse::<u64>().ok()? < actual.parse::<u64>().ok()?)
}

/// Returns the module of a virtual table in lower case, and its arguments as they are written.
fn module_with_arguments(sql: &str) -> Option<(String, Vec<String>)> {
    let mut tokens = Lexer::new(sql).filter(|token| !token.is_blank());
    tokens.find(|token| token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case("using"))?;
    let module = tokens.next()?;
    let module = match module.kind {
        TokenKind::Word => module.text.to_owned(),
        _ => module.unquoted(),
    };
    let mut arguments = Vec::new();
    let (mut depth, mut from) = (0_usize, 0);
    for token in tokens {
        match token.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let is_end = depth == 0 || depth == 1 && token.text == ",";
        if depth == 1 && token.text == "(" {
            from = token.start + 1;
        } else if is_end {
            arguments.push(sql.get(from..token.start)?.trim().to_owned());
            from = token.start + 1;
        }
        if depth == 0 {
            break;
        }
    }
    Some((module.to_ascii_lowercase(), arguments))
}

/// Returns the content of an argument of a module, without the quotes around it.
fn unquoted(value: &str) -> String {
    let mut chars = value.chars();
    let end = match chars.next() {
        Some('[') => ']',
        Some(quote @ ('"' | '\'' | '`')) => quote,
        _ => return value.to_owned(),
    };
    chars
        .as_str()
        .strip_suffix(end)
        .map_or_else(|| value.to_owned(), |inner| inner.replace(&format!("{end}{end}"), &end.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_of_the_modules_name_their_tables() {
        for (message, name) in [
            ("malformed inverted index for FTS4 table main.a b", "a b"),
            ("unable to validate the inverted index for FTS3 table main.a: b: SQL logic error", "a: b"),
            ("fts5: corruption found reading blob 10 from table \"a\"", "a"),
            ("fts5: corruption on page 1, segment 2, table \"a\"", "a"),
            ("fts5: corrupt structure record for table \"a\"", "a"),
            ("fts5: checksum mismatch for table \"a\"", "a"),
            ("In RTree main.a:\nNode 2 missing from database\nb", "a"),
        ] {
            assert_eq!(name_in(message).as_deref(), Some(name), "{message}");
        }
        assert_eq!(name_in("NULL value in fts5: a.\""), None);
    }

    #[test]
    fn a_definition_says_where_the_rows_are() {
        let content = |sql: &str| Table::read("f", sql).map(|table| table.content);
        let table = |name: &str| Some(Content::Table(name.to_owned()));
        assert_eq!(
            content("CREATE VIRTUAL TABLE f USING fts4(content=\"my notes\", body)"),
            table("my notes")
        );
        assert_eq!(
            content("CREATE VIRTUAL TABLE f USING fts5(body, CONTENT = m, content_rowid=id)"),
            table("m")
        );
        assert_eq!(content("CREATE VIRTUAL TABLE f USING fts5(body, content='')"), Some(Content::Nowhere));
        assert_eq!(content("CREATE VIRTUAL TABLE f USING fts3(body, content)"), Some(Content::Own));
        assert_eq!(content("CREATE VIRTUAL TABLE f USING vec0(body)"), None);
    }
}
