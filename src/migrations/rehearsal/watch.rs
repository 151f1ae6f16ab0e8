//! Watches a tool's migrations while they run on a copy: what becomes of the rows, and what its drivers would do differently.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::losses::{Losses, wrap_rehearsal_error};
use super::rebuilds::Rebuilds;
use super::verify::RowCounts;
use crate::error::Result;
use crate::migrations::tool_runner::{DriverDifference, StatementObserver};
use crate::store::Touched;

/// The most differences that are kept.
const MOST_DIFFERENCES: usize = 1_000;

/// What was seen in one run.
#[derive(Debug, Default)]
pub(super) struct MigrationWatch {
    pub(super) losses: Losses,
    pub(super) rebuilds: Rebuilds,
    /// What the drivers do differently, with the position of the migration.
    pub(super) differences: Vec<(usize, DriverDifference)>,
}

impl MigrationWatch {
    /// Creates a watch over a copy whose tables have these numbers of rows.
    pub(super) fn of(counts: &RowCounts) -> Self {
        Self {
            losses: Losses::of(counts),
            ..Self::default()
        }
    }
}

impl StatementObserver for MigrationWatch {
    fn before_statement(&mut self, conn: &Connection, sql: &str, statement: &Touched, step: usize) -> Result<()> {
        let read = self.rebuilds.before_statement(conn, sql, statement, step);
        read.map_err(wrap_rehearsal_error)?;
        self.losses.before_statement(conn, sql, statement, step)
    }

    fn after_statement(&mut self, conn: &Connection, statement: &Touched, step: usize) -> Result<()> {
        let read = self.rebuilds.after_statement(conn, statement, step);
        read.map_err(wrap_rehearsal_error)?;
        self.losses.after_statement(conn, statement, step)
    }

    fn after_step(&mut self, conn: &Connection, step: usize, deleted_from: &BTreeSet<String>) -> Result<()> {
        self.rebuilds.after_step(conn).map_err(wrap_rehearsal_error)?;
        self.losses.after_step(conn, step, deleted_from)
    }

    fn driver_differs(&mut self, step: usize, what: DriverDifference) {
        if self.differences.len() < MOST_DIFFERENCES {
            self.differences.push((step, what));
        }
    }
}
