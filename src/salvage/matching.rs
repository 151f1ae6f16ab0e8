//! Finds the trees of objects whose root is not known: because the schema that named it is gone, and another one is given.
//!
//! SQLite hands out root pages in the order in which objects are created. So the trees of a file, by their root pages, and the objects
//! of its schema, in their order, are two sequences of which one can be laid over the other: each tree goes to an object that its
//! records fit, and no two cross. What a dropped table or a moved root puts out of order is then matched by its records alone, where
//! only one object fits.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Result;
use super::forest::{self, Forest};
use super::notes::Owner;
use super::schema::StoreSchema;
use super::schema::objects::{ObjectKind, SchemaObject, StoredSchema};
use super::statement::{IndexStatement, TableSketch, TableStatement, tokens};
use super::view::StoreView;
use crate::limits::stop::Stop;
use sqlite_format::page::Page;
use sqlite_format::record::{Classes, Field, Fields};
use sqlite_format::schema::{Affinity, may_be_number};

/// The most records of a tree that are looked at, and the most of its pages.
const MOST_RECORDS: usize = 60;
const MOST_LEAVES: usize = 8;

/// The most trees that are looked at.
const MOST_TREES: usize = 20_000;

/// The most pairs of an object and a tree that are laid over each other.
const MOST_PAIRS: usize = 6_000_000;

/// The mark of a value: all that is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// NULL.
    Null,
    /// 0 or 1.
    Flag,
    /// Another integer.
    Integer,
    /// A floating point number.
    Real,
    /// Text that is no number.
    Text,
    /// Text that could be a number.
    NumberText,
    /// A blob.
    Blob,
}

impl Mark {
    /// Returns the mark of a value.
    pub fn of(field: &Field, payload: &[u8]) -> Self {
        let bytes = payload.get(field.range()).unwrap_or_default();
        match field.class {
            Classes::NULL => Self::Null,
            Classes::INTEGER if field.integer(payload).is_some_and(|value| value == 0 || value == 1) => Self::Flag,
            Classes::INTEGER => Self::Integer,
            Classes::REAL => Self::Real,
            Classes::TEXT if may_be_number(bytes) => Self::NumberText,
            Classes::TEXT => Self::Text,
            _ => Self::Blob,
        }
    }
}

/// A tree of which no object is known.
struct Tree {
    root: u32,
    is_index: bool,
    /// True if it is a single leaf.
    is_leaf: bool,
    /// The least and the greatest rowid that was seen in it.
    rowids: (i64, i64),
    records: Vec<Vec<Mark>>,
}

/// An object that has a tree.
enum Shape {
    Table(TableSketch),
    /// The affinities of an index's columns.
    Index(Vec<Affinity>),
    /// Its statement cannot be taken apart. `true` for an index.
    Unknown(bool),
}

/// Gives each object without a root the tree that is most likely its own. Trees that fit none are added as tables without a name.
///
/// # Errors
/// Fails if it is time to stop.
pub fn find_roots(view: &StoreView<'_>, stored: &mut StoredSchema, stop: &Stop) -> Result<()> {
    let blank = StoreSchema::default();
    let own: Vec<(Owner, u32)> =
        stored.pages.iter().filter(|page| **page > 1).map(|page| (Owner::Other, *page)).collect();
    let mut forest = forest::survey(view, &blank, Some(&own), stop)?;
    let objects = &mut stored.objects;
    let trees = collect_trees(view, &mut forest, stop)?;
    let shapes = shapes(objects);
    let with_tree: Vec<usize> = (0..objects.len()).filter(|at| shapes.get(*at).is_some_and(Option::is_some)).collect();
    let anchored: HashMap<u32, usize> = with_tree
        .iter()
        .filter_map(|at| Some((objects.get(*at)?.root, *at)).filter(|(root, _)| *root > 1))
        .collect();
    let score = |object: usize, tree: &Tree| -> Option<f64> {
        let root = objects.get(object)?.root;
        match anchored.get(&tree.root) {
            Some(own) => return (*own == object).then_some(1_000.0),
            None if root > 1 => return None,
            None => {}
        }
        fit(shapes.get(object)?.as_ref()?, tree.is_index, &tree.records)
    };
    let mut pairs = if with_tree.len() * trees.len() <= MOST_PAIRS {
        align(&with_tree, &trees, &score)
    } else {
        Vec::new()
    };
    match_alone(&with_tree, &trees, &score, &mut pairs);
    let mut taken: HashSet<u32> = pairs.iter().filter_map(|(_, tree)| Some(trees.get(*tree)?.root)).collect();
    find_fragments(objects, &trees, &score, &mut pairs, &mut taken);
    for (object, tree) in pairs {
        if let (Some(object), Some(tree)) = (objects.get_mut(object), trees.get(tree)) {
            object.root = tree.root;
        }
    }
    for tree in trees.iter().filter(|tree| !taken.contains(&tree.root)) {
        // An index is made of rows; a table WITHOUT ROWID is not, and its entries end with anything.
        let is_derived = tree.is_index
            && tree
                .records
                .iter()
                .all(|record| matches!(record.last(), Some(Mark::Integer | Mark::Flag)));
        if !is_derived && !tree.records.is_empty() && !anchored.contains_key(&tree.root) {
            objects.push(SchemaObject {
                kind: ObjectKind::Table,
                name: format!("the tree of page {}", tree.root).into_bytes(),
                table: Vec::new(),
                root: tree.root,
                sql: None,
            });
        }
    }
    Ok(())
}

/// Finds objects of whose tree the root is gone: what is left of it are several leaves, of which one was taken for all of it. They have no root
/// then, and what is left goes to them as orphans.
fn find_fragments(
    objects: &[SchemaObject],
    trees: &[Tree],
    score: &dyn Fn(usize, &Tree) -> Option<f64>,
    pairs: &mut Vec<(usize, usize)>,
    taken: &mut HashSet<u32>,
) {
    let matched: HashMap<usize, usize> = pairs.iter().copied().collect();
    let is_known = |object: &usize| objects.get(*object).is_none_or(|object| object.root > 1);
    let tables: Vec<usize> = (0..objects.len())
        .filter(|at| objects.get(*at).is_some_and(|object| object.kind == ObjectKind::Table) && !is_known(at))
        .collect();
    let mut broken = HashSet::new();
    for tree in trees.iter().filter(|tree| !tree.is_index && !tree.records.is_empty()) {
        if taken.contains(&tree.root) {
            continue;
        }
        let can_be_its = |object: &&usize| {
            let Some(of) = score(**object, tree) else { return false };
            match matched.get(*object).and_then(|own| trees.get(*own)) {
                None => true,
                Some(own) => {
                    let are_apart = own.rowids.1 < tree.rowids.0 || tree.rowids.1 < own.rowids.0;
                    own.is_leaf && are_apart && score(**object, own).is_some_and(|own| of > own - 0.3)
                }
            }
        };
        let mut own = tables.iter().filter(can_be_its);
        if let (Some(object), None) = (own.next(), own.next()) {
            broken.insert(*object);
            taken.insert(tree.root);
        }
    }
    pairs.retain(|(object, _)| !broken.contains(object));
}

/// Returns the trees of a file by their roots, with some of their records.
fn collect_trees(view: &StoreView<'_>, forest: &mut Forest, stop: &Stop) -> Result<Vec<Tree>> {
    let mut all: Vec<Vec<u32>> = std::mem::take(&mut forest.unnamed_tables);
    all.append(&mut forest.unnamed_indexes);
    let inside: BTreeSet<u32> = all.iter().flatten().copied().collect();
    let notes = &forest.notes;
    let is_single = |page: &u32| {
        notes.owner(*page) == Owner::Unowned
            && notes.kind(*page).is_some_and(sqlite_format::page::Kind::is_leaf)
            && !inside.contains(page)
    };
    all.extend((2..=notes.pages()).filter(is_single).take(MOST_TREES).map(|page| vec![page]));
    let mut bytes = Vec::new();
    let mut fields = Fields::default();
    let mut out = Vec::new();
    for pages in all.into_iter().take(MOST_TREES) {
        stop.check()?;
        let Some(root) = pages.first().copied() else { continue };
        let Some(kind) = notes.kind(root) else { continue };
        let leaves: Vec<u32> = pages
            .iter()
            .copied()
            .filter(|page| notes.kind(*page).is_some_and(sqlite_format::page::Kind::is_leaf))
            .collect();
        let every = (leaves.len() / MOST_LEAVES).max(1);
        let mut records = Vec::new();
        let mut rowids = (i64::MAX, i64::MIN);
        for leaf in leaves.iter().step_by(every).take(MOST_LEAVES) {
            view.page(*leaf, &mut bytes);
            let Ok(page) = Page::parse(view.layout(), *leaf, &bytes) else {
                continue;
            };
            for cell in page.all_cells().filter_map(std::result::Result::ok) {
                rowids = (rowids.0.min(cell.rowid), rowids.1.max(cell.rowid));
            }
            let each = (page.cells() * MOST_LEAVES.min(leaves.len()) / MOST_RECORDS).max(1);
            for cell in page.all_cells().filter_map(std::result::Result::ok).step_by(each) {
                if records.len() < MOST_RECORDS
                    && fields.read(cell.payload.local, cell.payload.len).is_ok()
                    && !fields.all().is_empty()
                {
                    records.push(fields.all().iter().map(|field| Mark::of(field, cell.payload.local)).collect());
                }
            }
        }
        out.push(Tree {
            root,
            is_index: !kind.is_table(),
            is_leaf: pages.len() == 1,
            rowids,
            records,
        });
    }
    out.sort_by_key(|tree| tree.root);
    Ok(out)
}

/// Returns, for each object that has a tree, what its records look like.
fn shapes(objects: &[SchemaObject]) -> Vec<Option<Shape>> {
    let parse =
        |sql: &str| tokens(sql, false).and_then(|tokens| TableStatement::parse(&tokens).map(|parsed| parsed.sketch()));
    let mut tables: HashMap<Vec<u8>, TableSketch> = HashMap::new();
    for object in objects.iter().filter(|object| object.kind == ObjectKind::Table) {
        if let Some(sketch) = object.sql.as_deref().and_then(|sql| parse(sql).ok()) {
            tables.insert(object.name.to_ascii_lowercase(), sketch);
        }
    }
    objects
        .iter()
        .map(|object| match object.kind {
            ObjectKind::View | ObjectKind::Trigger => None,
            ObjectKind::Table => {
                let is_virtual = object
                    .sql
                    .as_deref()
                    .is_some_and(|sql| sql.get(..14).is_some_and(|begin| begin.eq_ignore_ascii_case("CREATE VIRTUAL")));
                if is_virtual {
                    return None;
                }
                let sketch = tables.get(&object.name.to_ascii_lowercase()).cloned();
                Some(sketch.map_or(Shape::Unknown(false), Shape::Table))
            }
            ObjectKind::Index => {
                let table = tables.get(&object.table.to_ascii_lowercase());
                let names = match &object.sql {
                    Some(sql) => tokens(sql, false)
                        .and_then(|tokens| IndexStatement::parse(&tokens))
                        .ok()
                        .map(|index| index.columns),
                    None => table.and_then(|table| {
                        let number =
                            std::str::from_utf8(&object.name).ok()?.rsplit('_').next()?.parse::<usize>().ok()?;
                        table.keys.get(number.checked_sub(1)?).cloned()
                    }),
                };
                let affinity = |name: &String| {
                    let column = table?.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))?;
                    Some(column.affinity)
                };
                let columns =
                    names.map(|names| names.iter().map(|name| affinity(name).unwrap_or(Affinity::Blob)).collect());
                Some(columns.map_or(Shape::Unknown(true), Shape::Index))
            }
        })
        .collect()
}

/// Returns how well records fit an object; `None` where they do not.
fn fit(shape: &Shape, is_index: bool, records: &[Vec<Mark>]) -> Option<f64> {
    let is_of_kind = match shape {
        Shape::Table(sketch) => sketch.is_without_rowid == is_index,
        Shape::Index(_) => is_index,
        Shape::Unknown(index) => *index == is_index,
    };
    if !is_of_kind {
        return None;
    }
    if records.is_empty() {
        // An empty tree can be anything's. It keeps its place in the order.
        return Some(0.2);
    }
    let scores: Vec<f64> = records
        .iter()
        .filter_map(|record| match shape {
            Shape::Table(sketch) => fit_row(sketch, record),
            Shape::Index(columns) => {
                let (last, keys) = record.split_last()?;
                let is_entry = keys.len() == columns.len() && matches!(last, Mark::Integer | Mark::Flag);
                let values = || {
                    keys.iter()
                        .zip(columns)
                        .map(|(mark, affinity)| fit_value(*affinity, DeclaredAs::Untyped, *mark))
                };
                is_entry.then(|| values().sum::<Option<f64>>()).flatten()
            }
            Shape::Unknown(_) => Some(0.0),
        })
        .collect();
    // Some of the records may be damaged.
    if scores.len() * 5 < records.len() * 4 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a few records")]
    let (mean, part) = (
        scores.iter().sum::<f64>() / scores.len().max(1) as f64,
        scores.len() as f64 / records.len() as f64,
    );
    Some((1.0 + mean * 0.1).max(0.3) * part * if records.len() > 20 { 1.5 } else { 1.0 })
}

/// Returns how well a record fits a table's row; `None` where it cannot be one.
fn fit_row(sketch: &TableSketch, record: &[Mark]) -> Option<f64> {
    if record.len() > sketch.columns.len() {
        return None;
    }
    let mut score = if record.len() == sketch.columns.len() {
        1.0
    } else {
        -1.0
    };
    for (column, mark) in sketch.columns.iter().zip(record) {
        if column.is_alias {
            if *mark != Mark::Null {
                return None;
            }
            score += 1.0;
            continue;
        }
        if *mark == Mark::Null && column.forbids_null {
            return None;
        }
        score += fit_value(column.affinity, DeclaredAs::of(&column.declared), *mark)?;
    }
    Some(score)
}

/// What a declared type says beside its affinity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeclaredAs {
    /// There is none.
    Untyped,
    /// Times, or JSON: often text though the affinity is that of numbers.
    Time,
    /// Booleans.
    Flag,
    /// Anything else.
    Other,
}

impl DeclaredAs {
    /// Returns what a declared type says.
    pub fn of(declared: &str) -> Self {
        let declared = declared.to_ascii_uppercase();
        let has = |word: &str| declared.contains(word);
        match () {
            () if declared.is_empty() => Self::Untyped,
            () if has("DATE") || has("TIME") || has("JSON") => Self::Time,
            () if has("BOOL") => Self::Flag,
            () => Self::Other,
        }
    }
}

/// Returns how well a value fits a column; `None` where SQLite would not store it there.
pub fn fit_value(affinity: Affinity, declared: DeclaredAs, mark: Mark) -> Option<f64> {
    let is_time = declared == DeclaredAs::Time;
    let is_flag = declared == DeclaredAs::Flag;
    Some(match (affinity, mark) {
        (_, Mark::Null) => -0.2,
        (Affinity::Text, Mark::Integer | Mark::Flag | Mark::Real)
        | (Affinity::Integer | Affinity::Numeric | Affinity::Real, Mark::NumberText) => return None,
        (Affinity::Text, Mark::Text | Mark::NumberText)
        | (Affinity::Integer, Mark::Integer | Mark::Flag)
        | (Affinity::Real, Mark::Real) => 0.5,
        (Affinity::Integer | Affinity::Real, Mark::Text | Mark::Blob) => -2.0,
        (Affinity::Integer | Affinity::Text, _) | (Affinity::Numeric, Mark::Blob) => -1.0,
        (Affinity::Real, _) => 0.0,
        (Affinity::Numeric, mark) if is_flag => {
            if mark == Mark::Flag {
                0.5
            } else {
                -0.5
            }
        }
        (Affinity::Numeric, Mark::Text) => {
            if is_time {
                0.5
            } else {
                -0.5
            }
        }
        (Affinity::Numeric, _) => {
            if is_time {
                -0.3
            } else {
                0.3
            }
        }
        (Affinity::Blob, Mark::Blob) => 0.4,
        (Affinity::Blob, _) => {
            if declared == DeclaredAs::Untyped {
                0.0
            } else {
                -1.0
            }
        }
    })
}

/// Lays the trees over the objects, in the order of both, so that the scores add up to the most.
fn align(objects: &[usize], trees: &[Tree], score: &dyn Fn(usize, &Tree) -> Option<f64>) -> Vec<(usize, usize)> {
    let width = trees.len() + 1;
    // The last step to each pair of beginnings: 0 leaves an object out, 1 a tree, 2 matches the two.
    let mut steps = vec![0_u8; (objects.len() + 1) * width];
    let mut above = vec![0.0_f64; width];
    for (row, object) in objects.iter().enumerate() {
        let mut now = vec![0.0_f64; width];
        for (column, tree) in trees.iter().enumerate() {
            let up = above.get(column + 1).copied().unwrap_or(0.0);
            let left = now.get(column).copied().unwrap_or(0.0);
            let both = score(*object, tree).map(|score| score + above.get(column).copied().unwrap_or(0.0));
            let (best, step) = match both {
                Some(both) if both > up && both > left => (both, 2),
                _ if left > up => (left, 1),
                _ => (up, 0),
            };
            if let (Some(slot), Some(way)) = (now.get_mut(column + 1), steps.get_mut((row + 1) * width + column + 1)) {
                (*slot, *way) = (best, step);
            }
        }
        above = now;
    }
    let mut pairs = Vec::new();
    let (mut row, mut column) = (objects.len(), trees.len());
    while row > 0 && column > 0 {
        match steps.get(row * width + column) {
            Some(2) => {
                (row, column) = (row - 1, column - 1);
                pairs.extend(objects.get(row).map(|object| (*object, column)));
            }
            Some(1) => column -= 1,
            _ => row -= 1,
        }
    }
    pairs
}

/// Matches what is left where one object fits a tree clearly better than all others.
fn match_alone(
    objects: &[usize],
    trees: &[Tree],
    score: &dyn Fn(usize, &Tree) -> Option<f64>,
    pairs: &mut Vec<(usize, usize)>,
) {
    let mut used_objects: HashSet<usize> = pairs.iter().map(|(object, _)| *object).collect();
    let used_trees: HashSet<usize> = pairs.iter().map(|(_, tree)| *tree).collect();
    if (objects.len() - used_objects.len()) * (trees.len() - used_trees.len()) > MOST_PAIRS {
        return;
    }
    let mut open: Vec<usize> = (0..trees.len()).filter(|tree| !used_trees.contains(tree)).collect();
    open.retain(|tree| trees.get(*tree).is_some_and(|tree| !tree.records.is_empty()));
    for at in open {
        let Some(tree) = trees.get(at) else { continue };
        let mut fits: Vec<(f64, usize)> = objects
            .iter()
            .filter(|object| !used_objects.contains(object))
            .filter_map(|object| Some((score(*object, tree)?, *object)))
            .collect();
        fits.sort_by(|a, b| b.0.total_cmp(&a.0));
        let is_clear = match fits.as_slice() {
            [] => false,
            [_] => true,
            [best, second, ..] => best.0 > second.0 + 0.15,
        };
        if let Some((_, object)) = fits.first().filter(|_| is_clear) {
            used_objects.insert(*object);
            pairs.push((*object, at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: ObjectKind, name: &str, sql: &str) -> SchemaObject {
        SchemaObject {
            kind,
            name: name.as_bytes().to_vec(),
            table: name.as_bytes().to_vec(),
            root: 0,
            sql: Some(sql.to_owned()),
        }
    }

    fn tree(root: u32, is_index: bool, record: &[Mark]) -> Tree {
        Tree {
            root,
            is_index,
            is_leaf: true,
            rowids: (1, 9),
            records: vec![record.to_vec(); 3],
        }
    }

    #[test]
    fn trees_of_one_shape_go_to_their_objects_by_order() {
        let table =
            |name: &str, columns: &str| object(ObjectKind::Table, name, &format!("CREATE TABLE {name}({columns})"));
        let objects = [
            table("a", "id INTEGER PRIMARY KEY, t TEXT NOT NULL"),
            table("b", "x REAL, y BLOB"),
            table("c", "id INTEGER PRIMARY KEY, t TEXT NOT NULL"),
            object(ObjectKind::Index, "c", "CREATE INDEX i ON c(t)"),
        ];
        let shapes = shapes(&objects);
        let row = [Mark::Null, Mark::Text];
        let trees = [
            tree(2, false, &row),
            tree(5, false, &[Mark::Real, Mark::Blob]),
            tree(7, false, &row),
            tree(9, true, &[Mark::Text, Mark::Integer]),
        ];
        let score = |object: usize, tree: &Tree| fit(shapes[object].as_ref()?, tree.is_index, &tree.records);
        let mut pairs = align(&[0, 1, 2, 3], &trees, &score);
        pairs.sort_unstable();
        assert_eq!(pairs, [(0, 0), (1, 1), (2, 2), (3, 3)]);
        // Out of order, what fits one object alone still finds it.
        let trees = [
            tree(3, false, &[Mark::Real, Mark::Blob]),
            tree(4, false, &row),
            tree(5, false, &row),
        ];
        let mut pairs = align(&[0, 1, 2, 3], &trees, &score);
        match_alone(&[0, 1, 2, 3], &trees, &score, &mut pairs);
        pairs.sort_unstable();
        assert!(pairs.contains(&(1, 0)) && pairs.len() >= 2, "{pairs:?}");
    }

    #[test]
    fn a_value_that_sqlite_would_not_store_excludes_a_column() {
        assert_eq!(fit_value(Affinity::Text, DeclaredAs::Other, Mark::Integer), None);
        assert_eq!(fit_value(Affinity::Integer, DeclaredAs::Other, Mark::NumberText), None);
        assert!(
            fit_value(Affinity::Numeric, DeclaredAs::Time, Mark::Text)
                > fit_value(Affinity::Numeric, DeclaredAs::Other, Mark::Text)
        );
    }
}
