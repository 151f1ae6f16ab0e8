//! The kind and the owner of each page, in four bytes a page.

use sqlite_format::page::Kind;

/// The owner of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Nothing that could be read leads to it.
    Unowned,
    /// The freelist.
    Free,
    /// A table or index that is not known.
    Other,
    /// A known table.
    Table(usize),
    /// A known index: the table's place and the index's own among that table's keys.
    Index(usize, usize),
}

/// The notes of all pages.
#[derive(Debug, Clone)]
pub struct PageNotes(Vec<u32>);

const KINDS: [Option<Kind>; 5] = [
    None,
    Some(Kind::IndexInterior),
    Some(Kind::TableInterior),
    Some(Kind::IndexLeaf),
    Some(Kind::TableLeaf),
];

/// The first number of an owner that is known.
const KNOWN: u32 = 3;
/// The numbers that a table takes: its own and those of its keys.
const EACH: u32 = 5;
const _: () = assert!(EACH as usize == 1 + super::schema::MOST_KEYS);

impl PageNotes {
    /// Creates notes of so many pages, of which nothing is known.
    pub fn new(pages: u32) -> Self {
        Self(vec![0; pages as usize])
    }

    fn slot(&self, page: u32) -> u32 {
        page.checked_sub(1).and_then(|at| self.0.get(at as usize)).copied().unwrap_or(0)
    }

    fn set(&mut self, page: u32, change: impl FnOnce(u32) -> u32) {
        if let Some(slot) = page.checked_sub(1).and_then(|at| self.0.get_mut(at as usize)) {
            *slot = change(*slot);
        }
    }

    /// Returns the kind as which the page begins.
    pub fn kind(&self, page: u32) -> Option<Kind> {
        KINDS.get((self.slot(page) & 7) as usize).copied().flatten()
    }

    /// Sets the kind as which the page begins.
    pub fn set_kind(&mut self, page: u32, kind: Option<Kind>) {
        let at = KINDS
            .iter()
            .position(|one| *one == kind)
            .and_then(|at| u32::try_from(at).ok())
            .unwrap_or(0);
        self.set(page, |slot| slot & !7 | at);
    }

    /// Returns the owner of the page.
    pub fn owner(&self, page: u32) -> Owner {
        let number = self.slot(page) >> 3;
        let Some(known) = number.checked_sub(KNOWN) else {
            return match number {
                0 => Owner::Unowned,
                1 => Owner::Free,
                _ => Owner::Other,
            };
        };
        let table = (known / EACH) as usize;
        match ((known % EACH) as usize).checked_sub(1) {
            None => Owner::Table(table),
            Some(key) => Owner::Index(table, key),
        }
    }

    /// Sets the owner of the page.
    pub fn set_owner(&mut self, page: u32, owner: Owner) {
        let number = |table: usize, part: usize| {
            let known = table * EACH as usize + part + KNOWN as usize;
            u32::try_from(known).ok().filter(|number| *number < 1 << 29).unwrap_or(2)
        };
        let number = match owner {
            Owner::Unowned => 0,
            Owner::Free => 1,
            Owner::Other => 2,
            Owner::Table(table) => number(table, 0),
            Owner::Index(table, key) => number(table, key + 1),
        };
        self.set(page, |slot| slot & 7 | number << 3);
    }

    /// Returns the number of pages.
    pub fn pages(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_read_again() {
        let mut notes = PageNotes::new(3);
        let owners = [
            Owner::Unowned,
            Owner::Free,
            Owner::Other,
            Owner::Table(0),
            Owner::Table(7),
            Owner::Index(0, 0),
            Owner::Index(5, 3),
        ];
        for owner in owners {
            for kind in KINDS {
                notes.set_kind(2, kind);
                notes.set_owner(2, owner);
                assert_eq!((notes.kind(2), notes.owner(2)), (kind, owner));
            }
        }
        assert_eq!(
            (notes.owner(1), notes.owner(0), notes.owner(9)),
            (Owner::Unowned, Owner::Unowned, Owner::Unowned)
        );
    }
}
