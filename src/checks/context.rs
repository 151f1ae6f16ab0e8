//! The input of the checks: one store, ready to be read, and the state that they share.

use std::sync::OnceLock;

use crate::application::Application;
use crate::error::{Error, Result};
use crate::limits::stop::Stopped;
use crate::migrations::status::MigrationStatus;
use crate::probe::Probe;
use crate::store::page_reader::Sound;
use crate::store::schema_rows::{OddRow, odd_rows};
use crate::store::{Access, Environment, ReadOnly};

/// One store under examination, shared by every check and every thread.
#[derive(Debug)]
pub(crate) struct StoreContext<'a> {
    /// The application whose store it is.
    pub application: &'a Application,
    /// The result of plain reads.
    pub probe: &'a Probe,
    /// The way in.
    pub access: &'a Access<'a>,
    /// The private folder, the bounds, the stop.
    pub environment: &'a Environment<'a>,
    /// True to look for the files that the store names.
    pub artifacts: bool,
    /// True if the values of its rows are asked for.
    values: bool,
    status: OnceLock<Result<MigrationStatus>>,
    sound: OnceLock<Result<Sound, Stopped>>,
    odd_rows: OnceLock<Result<Vec<OddRow>>>,
}

impl<'a> StoreContext<'a> {
    /// Creates a store of which nothing has been read yet.
    pub(crate) fn new(
        application: &'a Application,
        probe: &'a Probe,
        access: &'a Access<'a>,
        environment: &'a Environment<'a>,
        artifacts: bool,
        values: bool,
    ) -> Self {
        Self {
            application,
            probe,
            access,
            environment,
            artifacts,
            values,
            status: OnceLock::new(),
            sound: OnceLock::new(),
            odd_rows: OnceLock::new(),
        }
    }

    /// Returns the migration status of the store, which is read once.
    ///
    /// # Errors
    /// Fails if it could not be read.
    pub(crate) fn status(&self, handle: &ReadOnly) -> Result<&MigrationStatus, &Error> {
        let read = || MigrationStatus::read(self.application, handle, self.environment.stop);
        self.status.get_or_init(read).as_ref()
    }

    /// Returns the rows of the schema that say something else than their objects are, which are read once.
    ///
    /// # Errors
    /// Fails if they could not be read.
    pub(crate) fn odd_rows(&self, handle: &ReadOnly) -> Result<&[OddRow], &Error> {
        self.odd_rows.get_or_init(|| odd_rows(handle)).as_ref().map(Vec::as_slice)
    }

    /// Returns the results of one pass of the reader over the store, which the first caller makes.
    ///
    /// # Errors
    /// Fails if it is time to stop.
    pub(crate) fn sound(&self) -> Result<&Sound, Stopped> {
        let judged = self.values.then_some(self.application);
        let read = || Sound::read(self.probe, self.access, judged, self.environment.stop);
        self.sound.get_or_init(read).as_ref().map_err(|stopped| *stopped)
    }

    /// Disables the reader, so that SQLite has to answer everything.
    pub(crate) fn without_reader(self) -> Self {
        let _ = self.sound.set(Ok(Sound::default()));
        self
    }
}
