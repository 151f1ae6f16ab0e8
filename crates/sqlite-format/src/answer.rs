//! The answers of a check. Only "sound" is meant to be believed; SQLite has the last word on everything else.

use super::damage::Damage;
use super::schema::{Schema, Unsupported};

/// An answer about a store, a tree, or a foreign key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is sound: SQLite's integrity check would find nothing.
    Sound,
    /// Perhaps it is not. SQLite's check has to say.
    PerhapsNot(Fault),
    /// It is not understood. SQLite's check has to say.
    NotUnderstood(Unsupported),
}

/// The place of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The root page of the tree; 0 for what is outside of all trees.
    pub root: u32,
    /// The page.
    pub page: u32,
    /// The damage.
    pub damage: Damage,
}

impl From<Fault> for Answer {
    fn from(fault: Fault) -> Self {
        match fault.damage {
            Damage::Unsupported(beyond) => Self::NotUnderstood(beyond),
            _ => Self::PerhapsNot(fault),
        }
    }
}

impl Answer {
    /// Returns `true` when it is sound.
    pub fn is_sound(self) -> bool {
        self == Self::Sound
    }

    /// The graver one of two: perhaps not, not understood, sound.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::PerhapsNot(_), _) | (Self::NotUnderstood(_), Self::Sound | Self::NotUnderstood(_)) => self,
            (_, other) => other,
        }
    }
}

/// The result of a pass over a database.
#[derive(Debug, Clone)]
pub struct Checked<S> {
    /// The whole store: its pages, trees, rows and indexes. Foreign keys are apart.
    pub store: Answer,
    /// The pages alone: each is used once, and the cells, chains, freelist and pointer map are in order.
    pub pages: Answer,
    /// Each table, in the schema's order.
    pub tables: Vec<TableChecked>,
    /// All foreign keys of all tables.
    pub foreign_keys: Answer,
    /// The state that the visitor gathered; it is right for tables that are sound.
    pub visited: S,
}

/// The result of a pass over a table.
#[derive(Debug, Clone)]
pub struct TableChecked {
    /// The table with its rows, without its indexes.
    pub table: Answer,
    /// The number of its rows, if it is sound.
    pub rows: u64,
    /// `true` when all of its rows were read: the visitor then saw each, also of a table that is not understood otherwise.
    pub all_read: bool,
    /// Each of its indexes, in the schema's order.
    pub indexes: Vec<Answer>,
    /// Its foreign keys: sound where each row that refers to another refers to one that is there.
    pub foreign_keys: Answer,
}

impl TableChecked {
    /// The table together with its indexes.
    pub(super) fn whole(&self) -> Answer {
        self.indexes.iter().fold(self.table, |answer, index| answer.and(*index))
    }
}

impl<S> Checked<S> {
    /// Returns one answer to everything.
    pub(super) fn unknown(answer: Answer, schema: &Schema, visited: S) -> Self {
        let table = |table: &super::schema::Table| TableChecked {
            table: answer,
            rows: 0,
            all_read: false,
            indexes: table.indexes.iter().map(|_| answer).collect(),
            foreign_keys: answer,
        };
        Self {
            store: answer,
            pages: answer,
            tables: schema.tables.iter().map(table).collect(),
            foreign_keys: answer,
            visited,
        }
    }
}
