//! Describes a store from the statements of its schema, whoever wrote them.
//!
//! No statement is taken as it stands. Each is written again ([`statement`]), and SQLite must prepare and run it in an empty
//! database in memory, behind an authorizer that allows nothing but to make that object. The columns, keys and indexes are then
//! read from SQLite, and not guessed from the text. A table whose statement cannot be used is nameless: its rows are still found.

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;

use super::objects::{ObjectKind, SchemaObject};
use super::replay::{ColumnConstraints, LateUnique, TargetSchema};
use super::{ColumnSchema, DeclaredColumn, MOST_KEYS, Role, Spatial, StoreSchema, TableSchema, UniqueKey, ValueRule};
use crate::error::{Error, Result};
use crate::limits::stop::Stop;
use crate::salvage::literal::is_plain;
use crate::salvage::matching::DeclaredAs;
use crate::salvage::notes::Owner;
use crate::salvage::statement::{
    self, IndexStatement, Keep, Rendered, TableStatement, VirtualStatement, quoted, render, tokens,
};
use crate::store::introspect::{self, is_sqlites_own};
use crate::text::escape::escape_untrusted;
use sqlite_format::record::Classes;
use sqlite_format::schema::Affinity;

/// The longest statement in a comment, in bytes.
const LONGEST_COMMENT: usize = 200_000;

/// A schema that was described from statements.
#[derive(Debug, Default)]
pub struct Described {
    /// The tables.
    pub schema: StoreSchema,
    /// The statements that make the new store.
    pub target: TargetSchema,
    /// The objects that are not made anew, or not as they were, in words.
    pub remarks: Vec<Remark>,
}

/// An object that is not made anew, or not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Its kind and its name, safe to print.
    pub object: String,
    /// The reason.
    pub why: String,
    /// True if the rows of a table are given under another name.
    pub is_nameless: bool,
}

/// The options of full-text tables that every SQLite since 3.40 knows, and that name nothing outside the database.
const FTS5_OPTIONS: &[&str] = &["content", "content_rowid", "tokenize", "prefix", "columnsize", "detail"];
const FTS4_OPTIONS: &[&str] = &[
    "content",
    "tokenize",
    "order",
    "prefix",
    "notindexed",
    "matchinfo",
    "languageid",
];

/// The tables that the modules make beside a virtual table.
const FTS5_PARTS: &[&str] = &["_data", "_idx", "_content", "_docsize", "_config"];
const FTS4_PARTS: &[&str] = &["_content", "_segments", "_segdir", "_docsize", "_stat"];
const RTREE_PARTS: &[&str] = &["_node", "_rowid", "_parent"];

/// The family of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Module {
    Fts5,
    Fts4,
    Rtree { is_integer: bool },
}

impl Module {
    fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Fts5 => FTS5_PARTS,
            Self::Fts4 => FTS4_PARTS,
            Self::Rtree { .. } => RTREE_PARTS,
        }
    }

    /// Returns the module of a statement, if it is one whose tables are made anew.
    fn of(statement: &VirtualStatement) -> std::result::Result<Self, &'static str> {
        let (module, options) = match statement.module.as_str() {
            "fts5" => (Self::Fts5, FTS5_OPTIONS),
            "fts3" | "fts4" => (Self::Fts4, FTS4_OPTIONS),
            "rtree" => (Self::Rtree { is_integer: false }, &[][..]),
            "rtree_i32" => (Self::Rtree { is_integer: true }, &[][..]),
            _ => return Err("its module is none that is made anew"),
        };
        let tokenizer = statement.option("tokenize").unwrap_or_default().to_ascii_lowercase();
        if statement.options.iter().any(|(name, _)| !options.contains(&name.as_str()))
            || (tokenizer.contains("trigram") && tokenizer.contains("remove_diacritics"))
        {
            return Err("it has an option that an older SQLite does not know, or that names a function");
        }
        if module != (Self::Rtree { is_integer: false }) && statement.option("content") == Some("") {
            return Err("it keeps no text, of which it could be made anew");
        }
        Ok(module)
    }
}

/// Describes the stores of a schema. With `with_triggers`, triggers are made anew, and not only put into comments.
///
/// # Errors
/// Fails if SQLite has no database in memory, or it is time to stop.
pub fn describe(objects: &[SchemaObject], with_triggers: bool, stop: &Stop) -> Result<Described> {
    let mut describer = Describer {
        bench: Workbench::new()?,
        out: Described::default(),
        names: HashSet::new(),
        indexes: HashMap::new(),
        nameless: 0,
        late: Vec::new(),
        fills: Vec::new(),
    };
    let mut virtuals = Vec::new();
    for object in objects.iter().filter(|object| object.kind == ObjectKind::Table) {
        let sql = object.sql.as_deref().unwrap_or_default();
        let parsed = tokens(sql, false).and_then(|tokens| VirtualStatement::parse(&tokens));
        if let Ok(statement) = parsed {
            virtuals.push((object, statement));
        }
    }
    let mut parts: HashSet<Vec<u8>> = HashSet::new();
    let mut made: BTreeMap<Vec<u8>, (VirtualStatement, Module)> = BTreeMap::new();
    for (object, statement) in virtuals {
        stop.check()?;
        let is_its = statement.name.as_bytes().eq_ignore_ascii_case(&object.name);
        let module = Module::of(&statement).and_then(|module| {
            let can_be = is_its && is_usable_name(&object.name) && describer.bench.runs(&[&statement.sql]);
            if can_be {
                Ok(module)
            } else {
                Err("SQLite does not take its statement")
            }
        });
        match module {
            Ok(module) => {
                let own = object.name.to_ascii_lowercase();
                parts.extend(module.parts().iter().map(|part| [own.as_slice(), part.as_bytes()].concat()));
                made.insert(own, (statement, module));
            }
            Err(why) => {
                describer.comment(object, why, false);
                parts.insert(object.name.to_ascii_lowercase());
            }
        }
    }
    for object in objects.iter().filter(|object| object.kind == ObjectKind::Index) {
        describer
            .indexes
            .entry(object.table.to_ascii_lowercase())
            .or_default()
            .push(object.clone());
    }
    for object in objects.iter().filter(|object| object.kind == ObjectKind::Table) {
        stop.check()?;
        let own = object.name.to_ascii_lowercase();
        if let Some((statement, module)) = made.remove(&own) {
            describer.add_virtual(&statement, module, &own)?;
        } else if own == b"sqlite_sequence" {
            describer.add_sequence();
        } else if !parts.contains(&own) && !is_sqlites_own(&own) {
            describer.add_table(object)?;
        }
    }
    let has_sequence = describer
        .out
        .target
        .before
        .iter()
        .any(|line| line.starts_with("CREATE TABLE") && line.to_ascii_uppercase().contains("AUTOINCREMENT"));
    if !has_sequence {
        for table in &mut describer.out.schema.tables {
            if table.role == Role::Sequence {
                table.role = Role::Part;
            }
        }
    }
    let mut late = std::mem::take(&mut describer.late);
    describer.out.target.after.append(&mut late);
    describer.fill_searches();
    for object in objects.iter().filter(|object| object.kind == ObjectKind::View) {
        describer.add_view(object);
    }
    for object in objects.iter().filter(|object| object.kind == ObjectKind::Trigger) {
        describer.add_trigger(object, with_triggers);
    }
    Ok(describer.out)
}

/// Returns the root of each tree that the objects name, with its owner: tables first, then their indexes, then all others.
pub fn roots(objects: &[SchemaObject], pages: &[u32], schema: &StoreSchema) -> Vec<(Owner, u32)> {
    let trees = schema.trees();
    let (mut tables, mut indexes, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for object in objects.iter().filter(|object| object.root > 1) {
        let of = if object.kind == ObjectKind::Table {
            &object.name
        } else {
            &object.table
        };
        let table = trees.get(&of.to_ascii_lowercase()).copied();
        let key = table.and_then(|table| schema.tables.get(table)?.find_key(&object.name));
        match (object.kind, table, key) {
            (ObjectKind::Table, Some(table), _) => tables.push((Owner::Table(table), object.root)),
            (ObjectKind::Index, Some(table), Some(key)) => indexes.push((Owner::Index(table, key), object.root)),
            _ => others.push((Owner::Other, object.root)),
        }
    }
    others.extend(pages.iter().filter(|page| **page > 1).map(|page| (Owner::Other, *page)));
    tables.append(&mut indexes);
    tables.append(&mut others);
    tables
}

/// Returns true if a name can stand in a statement: it is UTF-8, nothing in it ends a line, and SQLite does not keep it for itself.
fn is_usable_name(name: &[u8]) -> bool {
    !name.is_empty() && is_plain(name) && std::str::from_utf8(name).is_ok() && !is_sqlites_own(name)
}

/// A database in memory in which statements are tried. It is empty between two tries.
struct Workbench(Connection);

impl Workbench {
    fn new() -> Result<Self> {
        let mut connection = Connection::open_in_memory().map_err(Error::sqlite("open in memory"))?;
        let guard = |context: AuthContext<'_>| judge(&context.action);
        let mut set = || -> rusqlite::Result<()> {
            connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
            connection.set_limit(Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 0)?;
            connection.authorizer(Some(guard))
        };
        set().map_err(Error::sqlite("open in memory"))?;
        Ok(Self(connection))
    }

    /// Runs statements, and leaves what they make there until [`Self::clear`].
    fn make(&self, statements: &[&str]) -> bool {
        let run = |sql: &&str| self.0.execute(sql, []).is_ok();
        self.0.execute_batch("SAVEPOINT made").is_ok() && statements.iter().all(run)
    }

    /// Takes back what was made.
    fn clear(&self) {
        // Nothing can be done where it fails: the next try fails then too.
        let _ = self.0.execute_batch("ROLLBACK TO made; RELEASE made");
    }

    /// Returns true if SQLite takes the statements.
    fn runs(&self, statements: &[&str]) -> bool {
        let runs = self.make(statements);
        self.clear();
        runs
    }
}

/// Decides what a statement may do while it is tried: make objects of the one database, and what SQLite does itself for that.
fn judge(action: &AuthAction<'_>) -> Authorization {
    const MODULES: &[&str] = &["fts3", "fts4", "fts5", "rtree", "rtree_i32"];
    const PRAGMAS: &[&str] = &["table_xinfo", "index_list", "index_xinfo", "data_version", "page_size"];
    match action {
        AuthAction::CreateVtable { module_name, .. } | AuthAction::DropVtable { module_name, .. }
            if MODULES.contains(&module_name.to_ascii_lowercase().as_str()) =>
        {
            Authorization::Allow
        }
        AuthAction::Pragma { pragma_name, .. } if PRAGMAS.contains(pragma_name) => Authorization::Allow,
        AuthAction::CreateTable { .. }
        | AuthAction::CreateIndex { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::CreateTrigger { .. }
        | AuthAction::Insert { .. }
        | AuthAction::Update { .. }
        | AuthAction::Delete { .. }
        | AuthAction::Read { .. }
        | AuthAction::Select
        | AuthAction::Reindex { .. }
        | AuthAction::Recursive
        | AuthAction::Function { .. }
        | AuthAction::Savepoint { .. }
        | AuthAction::Transaction { .. } => Authorization::Allow,
        _ => Authorization::Deny,
    }
}

struct Describer {
    bench: Workbench,
    out: Described,
    /// The names that are taken, in lower case: of tables, indexes and views.
    names: HashSet<Vec<u8>>,
    /// The indexes of each table, by its name in lower case.
    indexes: HashMap<Vec<u8>, Vec<SchemaObject>>,
    nameless: usize,
    /// The statements that come behind the rows.
    late: Vec<String>,
    /// The full-text tables whose text is another table's: their names and that table's.
    fills: Vec<(String, String)>,
}

impl Describer {
    /// Puts an object into a comment, and says why.
    fn comment(&mut self, object: &SchemaObject, why: &str, is_nameless: bool) {
        let name = escape_untrusted(&String::from_utf8_lossy(&object.name), 200);
        self.out.target.before.push(comment(object, why));
        self.remark(format!("{} {name}", object.kind.word()), format!("only a comment: {why}"), is_nameless);
    }

    fn remark(&mut self, object: String, why: String, is_nameless: bool) {
        self.out.remarks.push(Remark {
            object,
            why,
            is_nameless,
        });
    }

    /// Adds a table, or one without a name where its statement cannot be used.
    fn add_table(&mut self, object: &SchemaObject) -> Result<()> {
        let sql = object.sql.clone().unwrap_or_default();
        let tokens = tokens(&sql, false);
        let parsed = tokens.and_then(|tokens| TableStatement::parse(&tokens).map(|parsed| (parsed, render(&tokens))));
        let (statement, original) = match parsed {
            Ok(parsed) => parsed,
            Err(why) => {
                self.add_nameless(object, why);
                return Ok(());
            }
        };
        if !statement.name.as_bytes().eq_ignore_ascii_case(&object.name) {
            self.add_nameless(object, "its statement makes a table of another name");
            return Ok(());
        }
        if !is_usable_name(&object.name) {
            self.add_nameless(object, "its name cannot stand in a statement");
            return Ok(());
        }
        if self.names.contains(&object.name.to_ascii_lowercase()) {
            self.add_nameless(object, "another object has its name");
            return Ok(());
        }
        for keep in [Keep::Known, Keep::NoExpressions] {
            let rendered = statement.render(keep);
            if self.bench.make(&[&rendered.sql]) {
                let table = read_table(&self.bench.0, object, &statement, &rendered);
                self.bench.clear();
                let (table, constraints) = table?;
                self.names.insert(object.name.to_ascii_lowercase());
                if rendered.is_reduced {
                    self.out.target.before.push(format!(
                        "-- the next table without clauses that not every SQLite knows; it was: {original}"
                    ));
                    let why = "made anew without a clause that not every SQLite knows".to_owned();
                    self.remark(format!("table {}", escape_untrusted(&statement.name, 200)), why, false);
                }
                self.out.target.before.push(format!("{};", rendered.sql));
                self.push(table, constraints, &rendered);
                return self.add_indexes(object, &rendered);
            }
            self.bench.clear();
        }
        self.add_nameless(object, "SQLite does not take its statement");
        Ok(())
    }

    fn push(&mut self, table: TableSchema, constraints: Vec<Option<ColumnConstraints>>, rendered: &Rendered) {
        if rendered.can_fail {
            self.out.target.tried.insert(self.out.schema.tables.len(), vec![rendered.sql.clone()]);
        }
        self.out.schema.tables.push(table);
        self.out.target.columns.push(constraints);
    }

    /// Adds the indexes of the table that was added last.
    fn add_indexes(&mut self, table: &SchemaObject, rendered: &Rendered) -> Result<()> {
        let at = self.out.schema.tables.len() - 1;
        for object in self.indexes.remove(&table.name.to_ascii_lowercase()).unwrap_or_default() {
            let Some(sql) = object.sql.clone() else {
                continue;
            };
            let tokens = tokens(&sql, false);
            let parsed =
                tokens.and_then(|tokens| IndexStatement::parse(&tokens).map(|parsed| (parsed, render(&tokens))));
            let (index, original) = match parsed {
                Ok(parsed) => parsed,
                Err(why) => {
                    self.comment(&object, why, false);
                    continue;
                }
            };
            let is_its = index.name.as_bytes().eq_ignore_ascii_case(&object.name)
                && index.table.as_bytes().eq_ignore_ascii_case(&table.name);
            if !is_its || !is_usable_name(&object.name) || !self.names.insert(object.name.to_ascii_lowercase()) {
                self.comment(&object, "its name cannot be its own", false);
                continue;
            }
            if !self.bench.make(&[&rendered.sql, &index.rendered.sql]) {
                self.bench.clear();
                self.comment(&object, "SQLite does not take its statement", false);
                continue;
            }
            let key = read_key(&self.bench.0, &index, self.out.schema.tables.get(at));
            self.bench.clear();
            let key = key?;
            let mut unique = None;
            if let Some((table, key)) = self.out.schema.tables.get_mut(at).zip(key) {
                if !key.is_shared {
                    unique = Some(table.uniques.len());
                    table.uniques.push(key.clone());
                }
                if table.role == Role::Rows && table.keys.len() < MOST_KEYS {
                    table.keys.push(key);
                }
            }
            if index.rendered.is_reduced {
                let line =
                    format!("-- the next index without a collation that not every SQLite knows; it was: {original}");
                self.late.push(line.clone());
                let why = "made anew without a collation that not every SQLite knows".to_owned();
                self.remark(format!("index {}", escape_untrusted(&index.name, 200)), why, false);
            }
            if !index.is_plain && (index.rendered.can_fail || index.is_unique) {
                let tried = self.out.target.tried.entry(at).or_insert_with(|| vec![rendered.sql.clone()]);
                tried.push(index.rendered.sql.clone());
            }
            if index.is_unique {
                let (key, condition) = &index.key;
                self.out.target.uniques.push(LateUnique {
                    table: at,
                    key: None,
                    unique,
                    query: format!("SELECT {key} FROM {} WHERE {condition}", quoted(&index.table)),
                    sql: format!("{};", index.rendered.sql),
                });
            } else {
                self.late.push(format!("{};", index.rendered.sql));
            }
        }
        let order = |key: &UniqueKey| key.is_shared;
        if let Some(table) = self.out.schema.tables.get_mut(at) {
            table.keys.sort_by_key(order);
            for late in self.out.target.uniques.iter_mut().filter(|late| late.table == at) {
                let name = late.unique.and_then(|unique| table.uniques.get(unique)).map(|unique| &unique.name);
                late.key = table.keys.iter().position(|key| Some(&key.name) == name);
            }
        }
        Ok(())
    }

    /// Adds a table of which only the rows can be given.
    fn add_nameless(&mut self, object: &SchemaObject, why: &str) {
        self.comment(object, why, true);
        self.nameless += 1;
        let name = String::from_utf8_lossy(&object.name).into_owned();
        self.out.schema.tables.push(TableSchema {
            name: format!("lost_{}", self.nameless),
            tree: Some(name),
            role: Role::Nameless,
            ..TableSchema::default()
        });
        self.out.target.columns.push(Vec::new());
    }

    fn add_sequence(&mut self) {
        let column = |name: &str| ColumnSchema {
            name: name.to_owned(),
            rule: None,
        };
        self.out.schema.tables.push(TableSchema {
            name: "sqlite_sequence".to_owned(),
            role: Role::Sequence,
            columns: vec![column("name"), column("seq")],
            layouts: vec![vec![0, 1]],
            ..TableSchema::default()
        });
        self.out.target.columns.push(vec![Some(ColumnConstraints::default()); 2]);
    }

    /// Adds a virtual table: its rows come from the tables that its module keeps.
    fn add_virtual(&mut self, statement: &VirtualStatement, module: Module, own: &[u8]) -> Result<()> {
        if !self.bench.make(&[&statement.sql]) {
            self.bench.clear();
            return Ok(());
        }
        let mut columns = Vec::new();
        let read = introspect::each_column(&self.bench.0, &statement.name, |column| {
            if column.hidden == 0 {
                columns.push(String::from_utf8_lossy(column.name).into_owned());
            }
        });
        self.bench.clear();
        read?;
        self.names.insert(own.to_vec());
        self.out.target.before.push(format!("{};", statement.sql));
        let tables = self.out.schema.tables.len();
        match module {
            Module::Rtree { is_integer } => {
                let auxiliary = statement.auxiliary.min(columns.len());
                self.add_part(&format!("{}_node", statement.name), 2);
                self.add_part(&format!("{}_rowid", statement.name), 2 + auxiliary);
                let table = TableSchema {
                    name: statement.name.clone(),
                    role: Role::Spatial(Spatial {
                        nodes: tables,
                        rows: tables + 1,
                        coordinates: columns.len().saturating_sub(1 + auxiliary),
                        is_integer,
                    }),
                    layouts: vec![(0..columns.len()).collect()],
                    rowid_alias: Some(0),
                    columns: columns.into_iter().map(|name| ColumnSchema { name, rule: None }).collect(),
                    ..TableSchema::default()
                };
                let constraints = vec![Some(ColumnConstraints::default()); table.columns.len()];
                self.push(table, constraints, &Rendered::default());
            }
            Module::Fts5 | Module::Fts4 => {
                if let Some(content) = statement.option("content") {
                    self.fills.push((statement.name.clone(), content.to_owned()));
                    return Ok(());
                }
                columns.extend(statement.option("languageid").map(str::to_owned));
                columns.insert(0, "rowid".to_owned());
                let table = TableSchema {
                    name: statement.name.clone(),
                    tree: Some(format!("{}_content", statement.name)),
                    layouts: vec![(0..columns.len()).collect()],
                    rowid_alias: Some(0),
                    columns: columns.into_iter().map(|name| ColumnSchema { name, rule: None }).collect(),
                    ..TableSchema::default()
                };
                let constraints = vec![Some(ColumnConstraints::default()); table.columns.len()];
                self.push(table, constraints, &Rendered::default());
            }
        }
        Ok(())
    }

    /// Fills full-text tables from the tables that have their text, if those are made anew. What is no table may never end.
    fn fill_searches(&mut self) {
        for (name, content) in std::mem::take(&mut self.fills) {
            let is_its = |table: &TableSchema| {
                table.name.eq_ignore_ascii_case(&content) && matches!(table.role, Role::Rows | Role::Keyed)
            };
            if self.out.schema.tables.iter().any(is_its) {
                let table = quoted(&name);
                self.out.target.after.push(format!("INSERT INTO {table}({table}) VALUES('rebuild');"));
            } else {
                let why = "made anew without content: its text is not a table's".to_owned();
                self.remark(format!("table {}", escape_untrusted(&name, 200)), why, false);
            }
        }
    }

    /// Adds a part of a virtual table, whose records have so many fields.
    fn add_part(&mut self, name: &str, fields: usize) {
        let most = fields;
        self.out.schema.tables.push(TableSchema {
            name: name.to_owned(),
            role: Role::Part,
            layouts: vec![(0..most).collect()],
            rowid_alias: Some(0),
            columns: (0..most).map(|_| ColumnSchema::default()).collect(),
            ..TableSchema::default()
        });
        self.out.target.columns.push(vec![Some(ColumnConstraints::default()); most]);
    }

    fn add_view(&mut self, object: &SchemaObject) {
        let sql = object.sql.clone().unwrap_or_default();
        match tokens(&sql, false).and_then(|tokens| statement::view(&tokens)) {
            Ok(sql) if is_usable_name(&object.name) && self.bench.runs(&[&sql]) && self.makes(&sql, object) => {
                self.names.insert(object.name.to_ascii_lowercase());
                self.out.target.after.push(format!("{sql};"));
            }
            Ok(_) => self.comment(object, "SQLite does not take its statement", false),
            Err(why) => self.comment(object, why, false),
        }
    }

    /// Returns true if a statement makes the object that it stands for, and no other has its name.
    fn makes(&self, sql: &str, object: &SchemaObject) -> bool {
        let name = tokens(sql, false).ok().and_then(|tokens| statement::name_of(tokens.get(2)?));
        name.is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(&object.name))
            && !self.names.contains(&object.name.to_ascii_lowercase())
    }

    fn add_trigger(&mut self, object: &SchemaObject, is_live: bool) {
        let sql = object.sql.clone().unwrap_or_default();
        match tokens(&sql, true).and_then(|tokens| statement::trigger(&tokens)) {
            Ok(sql) if is_live && is_usable_name(&object.name) => self.out.target.after.push(format!("{sql};")),
            Ok(_) => self.comment(object, "triggers are only made with --with-triggers", false),
            Err(why) => self.comment(object, why, false),
        }
    }
}

/// Returns the comment that stands for an object.
fn comment(object: &SchemaObject, why: &str) -> String {
    let sql = object.sql.clone().unwrap_or_default();
    let text = tokens(&sql, true).map_or_else(|_| escape_untrusted(&sql, LONGEST_COMMENT), |tokens| render(&tokens));
    let text = if text.len() > LONGEST_COMMENT {
        "a statement that is too long".to_owned()
    } else {
        text
    };
    let name = escape_untrusted(&String::from_utf8_lossy(&object.name), 200);
    format!("-- not made anew, {why}: {} {name}: {text}", object.kind.word())
}

/// Reads a table that was made.
fn read_table(
    connection: &Connection,
    object: &SchemaObject,
    statement: &TableStatement<'_>,
    rendered: &Rendered,
) -> Result<(TableSchema, Vec<Option<ColumnConstraints>>)> {
    let mut table = TableSchema {
        name: String::from_utf8_lossy(&object.name).into_owned(),
        role: if statement.is_without_rowid {
            Role::Keyed
        } else {
            Role::Rows
        },
        has_short_rows: true,
        has_conflicts: statement.has_conflicts,
        ..TableSchema::default()
    };
    let mut constraints = Vec::new();
    let mut stored = Vec::new();
    let mut in_key = Vec::new();
    introspect::each_column(connection, &table.name.clone(), |column| {
        let name = String::from_utf8_lossy(column.name).into_owned();
        let declared = String::from_utf8_lossy(column.declared).into_owned();
        let at = table.columns.len();
        if column.hidden != 2 {
            stored.push(at);
        }
        if column.key_position > 0 {
            in_key.push((at, declared.eq_ignore_ascii_case("INTEGER")));
        }
        let is_generated = column.hidden == 2 || column.hidden == 3;
        table.columns.push(ColumnSchema {
            name: name.clone(),
            rule: Some(ValueRule::Declared(DeclaredColumn {
                affinity: Affinity::of(&declared),
                kind: DeclaredAs::of(&declared),
                forbids_null: column.is_not_null,
                strict: statement.is_strict.then(|| strict_classes(&declared)),
            })),
        });
        constraints.push(Some(ColumnConstraints {
            forbids_null: column.is_not_null,
            has_default: column.default.is_some(),
            has_computed_default: rendered.computed_defaults.iter().any(|of| of.eq_ignore_ascii_case(&name)),
            is_generated,
        }));
    })?;
    let mut indexes = introspect::indexes(connection, &table.name)?;
    indexes.sort_by(|a, b| (!a.is_of_primary_key, &a.name).cmp(&(!b.is_of_primary_key, &b.name)));
    let primary = indexes.iter().find(|index| index.is_of_primary_key);
    if table.role == Role::Keyed {
        // The index of the primary key has every stored column, in the order in which they are stored.
        let name = primary.map(|index| String::from_utf8_lossy(&index.name).into_owned()).unwrap_or_default();
        stored = introspect::index_columns(connection, &name)?
            .iter()
            .filter_map(|column| usize::try_from(column.number).ok())
            .collect();
    } else if let ([(at, true)], None) = (in_key.as_slice(), primary) {
        table.rowid_alias = Some(*at);
        if let Some(rule) = table.columns.get_mut(*at).and_then(|column| column.rule.as_mut()) {
            // Its value stands before the record.
            *rule = ValueRule::Declared(DeclaredColumn {
                affinity: Affinity::Blob,
                kind: DeclaredAs::Other,
                forbids_null: false,
                strict: None,
            });
        }
        if let Some(Some(of)) = constraints.get_mut(*at) {
            of.forbids_null = false;
        }
    }
    table.layouts = vec![stored];
    for index in indexes {
        let name = String::from_utf8_lossy(&index.name).into_owned();
        let of = introspect::index_columns(connection, &name)?;
        let key: Vec<_> = of.iter().filter(|column| column.is_in_key).collect();
        let Some(key) = key_of(&name, &key, false) else {
            continue;
        };
        if table.rowid_alias.is_some_and(|alias| key.columns.contains(&alias)) {
            continue;
        }
        table.uniques.push(key.clone());
        if table.role == Role::Rows && table.keys.len() < MOST_KEYS {
            table.keys.push(key);
        }
    }
    Ok((table, constraints))
}

/// Returns the classes of the values of a column of a STRICT table.
fn strict_classes(declared: &str) -> Classes {
    match declared.to_ascii_uppercase().as_str() {
        "INT" | "INTEGER" => Classes::INTEGER,
        "REAL" => Classes::REAL.with(Classes::INTEGER),
        "TEXT" => Classes::TEXT,
        "BLOB" => Classes::BLOB,
        _ => Classes::ALL,
    }
}

/// Reads an index that was made, if its entries name every row by columns.
fn read_key(connection: &Connection, index: &IndexStatement, table: Option<&TableSchema>) -> Result<Option<UniqueKey>> {
    if !index.is_plain {
        return Ok(None);
    }
    let columns = introspect::index_columns(connection, &index.name)?;
    let key: Vec<_> = columns.iter().filter(|column| column.is_in_key).collect();
    let alias = table.and_then(|table| table.rowid_alias);
    // A record does not hold its own rowid.
    let key = key_of(&index.name, &key, !index.is_unique);
    Ok(key.filter(|key| alias.is_none_or(|alias| !key.columns.contains(&alias))))
}

fn key_of(name: &str, columns: &[&introspect::IndexColumn], is_shared: bool) -> Option<UniqueKey> {
    let places: Option<Vec<usize>> = columns.iter().map(|column| usize::try_from(column.number).ok()).collect();
    let folded = |collation: &[u8]| {
        let of = columns.iter().filter(|column| column.collation.eq_ignore_ascii_case(collation));
        of.filter_map(|column| usize::try_from(column.number).ok()).collect()
    };
    Some(UniqueKey {
        name: name.to_owned(),
        columns: places.filter(|places| !places.is_empty())?,
        is_shared,
        folded: (folded(b"NOCASE"), folded(b"RTRIM")),
    })
}
