//! The result of a pass, when all trees were walked: unused pages, the pointer map, sums, and references.

use super::references::{Reference, Target, tree_of};
use super::worker::{MOST_HELD, Tally};
use super::{Pass, spatial};
use crate::answer::{Answer, Checked, Fault, TableChecked};
use crate::damage::{Damage, Result};
use crate::hash::{Hash, Sum};
use crate::overflow::whole;
use crate::record::{Field, Fields};
use crate::row::Visitor;
use crate::scan::scan;
use crate::schema::{Index, Table, Unsupported};

/// Puts everything together.
pub(super) fn conclude<V: Visitor>(
    pass: &Pass<'_, V>,
    file: Result<(), (u32, Damage)>,
    tally: Tally<V::State>,
) -> Checked<V::State> {
    let mut tables = tables(pass, &tally);
    spatial_indexes(pass, &mut tables);
    let pages = pages(pass, file, tally.pointers);
    let store = tables.iter().fold(pages, |answer, table| answer.and(table.whole()));
    let store = pass.schema.beyond.map_or(store, |beyond| store.and(Answer::NotUnderstood(beyond)));
    let answers = if pass.schema.loads || store.is_sound() {
        foreign_keys(pass, &tables)
    } else {
        // Perhaps SQLite does not even take the schema that was read.
        vec![store; tables.len()]
    };
    for (table, answer) in tables.iter_mut().zip(&answers) {
        table.foreign_keys = *answer;
    }
    Checked {
        store,
        pages,
        tables,
        foreign_keys: answers.into_iter().fold(Answer::Sound, Answer::and),
        visited: tally.state,
    }
}

/// Each table and its indexes, whose trees follow one another; nothing is said of foreign keys yet.
fn tables<V: Visitor>(pass: &Pass<'_, V>, tally: &Tally<V::State>) -> Vec<TableChecked> {
    let mut trees = (0..pass.trees.len()).map(|tree| (tree, pass.answer(tree)));
    let mut of_table = |table: &Table| {
        // A virtual table has no tree.
        let (tree, own) = if table.root == 0 {
            (None, Answer::Sound)
        } else {
            trees.next().map_or((None, Answer::Sound), |(tree, own)| (Some(tree), own))
        };
        let all_read = own.is_sound() && table.rows_beyond.is_none();
        let beyond = match (table.rules_beyond, tree.and_then(|tree| tally.doubts.get(tree))) {
            // Each row was asked.
            (Some(Unsupported::Check), Some(None)) if !table.evaluable_checks.is_empty() => None,
            (Some(Unsupported::Check), Some(Some(Damage::Forbidden))) => Some(Damage::Forbidden),
            (beyond, _) => beyond.map(Damage::Unsupported),
        };
        let beyond = table.rows_beyond.map(Damage::Unsupported).or(beyond);
        let answer = beyond.map_or(own, |damage| own.and(fault_at(table.root, damage)));
        let of_index = |((tree, own), index): ((usize, Answer), &Index)| {
            let beyond = index.beyond.filter(|_| index.computed.is_none());
            let doubt = tally.doubts.get(tree).copied().flatten().and(index.beyond);
            let own = beyond.or(doubt).map_or(own, |beyond| own.and(Answer::NotUnderstood(beyond)));
            match own {
                // Without all rows, an index is held against nothing.
                Answer::Sound if !all_read => answer,
                Answer::Sound => index_holds(tally, tree, index),
                _ => own,
            }
        };
        TableChecked {
            table: answer,
            rows: tree.and_then(|tree| tally.rows.get(tree)).copied().unwrap_or(0),
            all_read,
            indexes: trees.by_ref().take(table.indexes.len()).zip(&table.indexes).map(of_index).collect(),
            foreign_keys: Answer::Sound,
        }
    };
    pass.schema.tables.iter().map(&mut of_table).collect()
}

/// Answers for the spatial indexes: their nodes are rows of tables that were read.
fn spatial_indexes<V: Visitor>(pass: &Pass<'_, V>, tables: &mut [TableChecked]) {
    for (at, table) in pass.schema.tables.iter().enumerate() {
        if let Some(index) = table.spatial
            && spatial::check(pass, table, index, tables).is_ok()
            && let Some(checked) = tables.get_mut(at)
        {
            checked.table = Answer::Sound;
        }
    }
}

/// Answers for an index whose entries were all read: it is sound when it holds those that its table wants there.
fn index_holds<S>(tally: &Tally<S>, tree: usize, index: &Index) -> Answer {
    if tally.wanted.get(tree) == tally.entries.get(tree) {
        return Answer::Sound;
    }
    fault_at(index.root, Damage::Disagree)
}

/// Returns the answer for a tree of which its root is all that is known.
fn fault_at(root: u32, damage: Damage) -> Answer {
    let page = root;
    Fault { root, page, damage }.into()
}

/// The pages, whatever they hold.
fn pages<V: Visitor>(pass: &Pass<'_, V>, file: Result<(), (u32, Damage)>, pointers: Sum) -> Answer {
    let outside = |(page, damage)| Fault { root: 0, page, damage }.into();
    let pages: Answer = file.map_or_else(outside, |()| Answer::Sound);
    let pages = (0..pass.trees.len()).fold(pages, |answer, tree| answer.and(pass.answer(tree)));
    // Where a tree was left, its pages were not all taken.
    if (0..pass.trees.len()).any(|tree| pass.has_failed(tree)) {
        return pages;
    }
    pages.and(rest_of_file(pass, pointers).map_or_else(outside, |()| Answer::Sound))
}

/// Checks that every page is used, and that the pointer map says what the trees say.
fn rest_of_file<V: Visitor>(pass: &Pass<'_, V>, wanted: Sum) -> Result<(), (u32, Damage)> {
    if let Some(page) = pass.accounts.unused() {
        return Err((page, Damage::NeverUsed));
    }
    let Some(map) = &pass.pointer_map else {
        return Ok(());
    };
    let mut found = Sum::default();
    pass.progress(map.own_pages().count() as u64);
    map.entries(pass.source, &mut |page, what, parent| {
        found.add(pass.pointer(page, what, parent));
        if page % 64 == 0 && pass.is_time_to_stop() {
            Err(Damage::Stopped)
        } else {
            Ok(())
        }
    })?;
    if found == wanted {
        Ok(())
    } else {
        Err((2, Damage::PointerMap))
    }
}

/// The foreign keys of each table: one holds only where both tables and the parent's index are sound.
fn foreign_keys<V: Visitor>(pass: &Pass<'_, V>, tables: &[TableChecked]) -> Vec<Answer> {
    let answer = |reference: &Reference| {
        let child = pass.schema.tables.get(reference.child).map_or(0, |table| table.root);
        let all_read = |table: usize| tables.get(table).is_some_and(|table| table.all_read);
        let (parent, keys) = match reference.target {
            Target::Rowids(table) | Target::PrimaryKeys(table) => (Some(table), true),
            Target::Keys(table, index) => {
                let index = tables.get(table).and_then(|table| table.indexes.get(index));
                (Some(table), index.is_some_and(|index| index.is_sound()))
            }
            Target::None(_) => (None, true),
        };
        let sound = all_read(reference.child) && parent.is_none_or(all_read) && keys;
        let present = parent.and_then(|parent| pass.references.present.get(parent)).and_then(Option::as_ref);
        let done = match reference.known(present) {
            Some(Err(damage @ Damage::Unsupported(_))) => Err(damage),
            _ if !sound => Err(Damage::Dangling),
            Some(known) => known,
            None => look_for(pass, reference),
        };
        let fault = |damage| {
            Answer::from(Fault {
                root: child,
                page: 0,
                damage,
            })
        };
        done.map_or_else(fault, |()| Answer::Sound)
    };
    let begin = |table: &Table| match table.rows_beyond {
        // Of these the foreign keys are known, or there are none.
        None | Some(Unsupported::WithoutRowid | Unsupported::GeneratedColumn | Unsupported::VirtualTable) => {
            Answer::Sound
        }
        // A statement that is not taken apart may have any.
        Some(beyond) => Answer::NotUnderstood(beyond),
    };
    let mut answers: Vec<Answer> = pass.schema.tables.iter().map(begin).collect();
    for reference in &pass.references.all {
        if let Some(of_table) = answers.get_mut(reference.child) {
            *of_table = of_table.and(answer(reference));
        }
    }
    answers
}

/// Looks through a parent's keys for all that is referred to.
fn look_for<V: Visitor>(pass: &Pass<'_, V>, reference: &Reference) -> Result<()> {
    if pass.is_time_to_stop() {
        return Err(Damage::Stopped);
    }
    let mut missing = reference.missing();
    let tree = tree_of(reference.target);
    let root = pass.trees.iter().find(|of| Some(of.of) == tree).map_or(0, |tree| tree.root);
    let (mut page, mut held, mut of_entry) = (Vec::new(), Vec::new(), Fields::default());
    let ended = scan(pass.source, root, pass.stop, &mut |cell| {
        if let Some(fields) = key_fields(pass, reference.target) {
            whole(pass.source, &cell.payload, MOST_HELD, &mut page, &mut held)?;
            of_entry.read(&held, held.len())?;
            missing.is_there(key(pass, of_entry.all().get(..fields).ok_or(Damage::FieldCount)?, &held));
        } else {
            missing.is_there(cell.rowid.cast_unsigned());
        }
        // Ended by an error, because there is no other way out of a scan.
        if missing.is_over() {
            Err(Damage::Stopped)
        } else {
            Ok(())
        }
    });
    match ended {
        _ if missing.is_over() => Ok(()),
        Ok(()) => Err(Damage::Dangling),
        Err(damage) => {
            // Notes that it was time, if it was.
            pass.is_time_to_stop();
            Err(damage)
        }
    }
}

/// Returns how many fields at the beginning of an entry are its key; `None` where the rowid is.
fn key_fields<V>(pass: &Pass<'_, V>, target: Target) -> Option<usize> {
    let table = |at: usize| pass.schema.tables.get(at);
    match target {
        Target::Keys(of, index) => table(of)?.indexes.get(index).map(|index| index.key().len()),
        Target::PrimaryKeys(of) => table(of)?.keyed.as_ref().map(|rows| rows.orders.len()),
        Target::Rowids(_) | Target::None(_) => None,
    }
}

/// Returns the hash of a parent's key.
fn key<V>(pass: &Pass<'_, V>, fields: &[Field], held: &[u8]) -> u64 {
    let mut hash = Hash::new(&pass.keys);
    for field in fields {
        hash.field(*field, held);
    }
    hash.finish()
}
