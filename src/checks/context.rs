//! What the checks look at: one store, ready to be read, and what they share.

use std::sync::OnceLock;

use crate::application::{Application, History};
use crate::error::{Error, Result};
use crate::limits::stop::Stopped;
use crate::migrations::schema_state::SchemaState;
use crate::migrations::status::Stands;
use crate::probe::Probe;
use crate::store::pass::Sound;
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
    state: OnceLock<Result<SchemaState>>,
    stands: OnceLock<Result<Stands>>,
    sound: OnceLock<Result<Sound, Stopped>>,
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
            state: OnceLock::new(),
            stands: OnceLock::new(),
            sound: OnceLock::new(),
        }
    }

    /// Returns where the store stands among the known migrations; read once, by whoever asks first.
    ///
    /// # Errors
    /// Why the ledger could not be read.
    pub(crate) fn state(&self, handle: &ReadOnly) -> Result<&SchemaState, &Error> {
        self.state.get_or_init(|| SchemaState::read(self.application, handle)).as_ref()
    }

    /// Returns where the store stands among the migrations of the application's folder; read once, by whoever asks first.
    ///
    /// # Errors
    /// Why that cannot be told.
    pub(crate) fn stands(&self, handle: &ReadOnly) -> Result<&Stands, &Error> {
        let read = || match self.application.folder() {
            Some(folder) => Stands::read(folder, handle, self.environment.stop),
            None => Err(Error::NothingKnown),
        };
        self.stands.get_or_init(read).as_ref()
    }

    /// Returns true if it can be told where the store stands.
    pub(crate) fn can_tell(&self, handle: &ReadOnly) -> bool {
        match &self.application.history {
            History::NotKnown => false,
            History::CompiledIn => self.state(handle).is_ok(),
            History::InFolder(_) => self.stands(handle).is_ok(),
        }
    }

    /// Returns what the reader found sound in one pass over the store, which the first caller makes.
    ///
    /// # Errors
    /// Where it was time to stop.
    pub(crate) fn sound(&self) -> Result<Sound, Stopped> {
        let judged = self.values.then_some(self.application);
        let read = || Sound::read(self.probe, self.access, judged, self.environment.stop);
        *self.sound.get_or_init(read)
    }

    /// Disables the reader, so that SQLite has to answer everything.
    #[cfg(test)]
    pub(crate) fn without_reader(self) -> Self {
        let _ = self.sound.set(Ok(Sound::default()));
        self
    }
}
