//! An application's migrations, rehearsed with its own runner: each in a transaction with its ledger row, with foreign keys on.

use rusqlite::Connection;

use super::Rehearsal;
use super::attempt::{MigrationRunner, attempt};
use super::copy::RehearsalCopy;
use super::usable::Unusable;
use super::verify::{RehearsalFault, RowCounts};
use crate::application::{Application, Impact};
use crate::error::Result;
use crate::limits::stop::Stop;
use crate::migrations::runner;
use crate::migrations::shape::Shape;
use crate::migrations::status::MigrationStatus;
use crate::store::{Environment, ReadOnly, prepare_rehearsal};

/// An application on a store that stands so among its migrations.
struct BuiltInRunner<'a> {
    application: &'a Application,
    status: &'a MigrationStatus,
}

impl MigrationRunner for BuiltInRunner<'_> {
    fn prepare(&mut self, copy: &mut Connection, stop: &Stop) -> rusqlite::Result<()> {
        prepare_rehearsal(copy, true, stop)
    }

    fn run(&mut self, copy: &mut Connection, _: &RowCounts, _: &Stop) -> Result<Vec<String>> {
        let ran = runner::migrate(copy, &self.application.ledger, &self.application.migrations)?;
        Ok(ran.iter().map(ToString::to_string).collect())
    }

    fn is_ledger(&self, table: &str) -> bool {
        table.eq_ignore_ascii_case(&self.application.ledger.table)
    }

    fn former(&self, table: &str) -> String {
        table.to_owned()
    }

    fn cost(&self, impact: Impact) -> &'static str {
        impact.words()
    }

    fn shape_after(&self, _: &Stop) -> Result<Option<Result<Shape, String>>> {
        if !self.status.diff.unknown.is_empty() {
            return Ok(None);
        }
        Shape::replay(&self.application.ledger, &self.application.migrations).map(|shape| Some(Ok(shape)))
    }

    fn find_unusable(&self, _: &Connection, _: &Stop) -> Result<Unusable> {
        // What is merely extra in the store is no reason not to migrate it, and views and triggers are.
        Ok(Unusable::new())
    }

    fn shape_before(&self, _: &Stop) -> Result<Shape> {
        Shape::replay(&self.application.ledger, &self.status.applied_migrations(self.application))
    }
}

/// Rehearses the known migrations. Every row that is lost is a fault: the application deletes none on purpose.
pub(super) fn rehearse(
    source: &ReadOnly,
    copies: &dyn Fn() -> Result<RehearsalCopy>,
    application: &Application,
    status: &MigrationStatus,
    environment: &Environment<'_>,
) -> Result<Rehearsal> {
    let attempt = attempt(source, copies, &mut BuiltInRunner { application, status }, environment)?;
    let unknown = "migrations are applied that this binary does not know";
    let faults = match &attempt.failed {
        Some(error) => vec![RehearsalFault::of_migration(error)],
        None => attempt.lost.iter().map(RehearsalFault::of_lost).chain(attempt.faults).collect(),
    };
    Ok(Rehearsal {
        ran: attempt.ran,
        rows: attempt.rows,
        took: attempt.took,
        faults,
        notes: Vec::new(),
        rows_gone: Vec::new(),
        shape_unknown: (!status.diff.unknown.is_empty()).then(|| unknown.to_owned()),
    })
}
