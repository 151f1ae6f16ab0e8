//! What the checks look at: one store, ready to be read, and what they share.

use std::sync::OnceLock;

use crate::application::Application;
use crate::error::{Error, Result};
use crate::probe::Probe;
use crate::schema::state::SchemaState;
use crate::store::{Access, Environment, ReadOnly};

/// One store under examination, shared by every check and every thread.
#[derive(Debug)]
pub(crate) struct StoreContext<'a> {
    /// What is known of the application whose store it is.
    pub application: &'a Application,
    /// What plain reads found.
    pub probe: &'a Probe,
    /// The way in.
    pub access: &'a Access<'a>,
    /// The private folder, the bounds, the stop.
    pub environment: &'a Environment<'a>,
    /// Whether to look for the files that the store names.
    pub artifacts: bool,
    state: OnceLock<Result<SchemaState>>,
}

impl<'a> StoreContext<'a> {
    /// A store of which nothing has been read yet.
    pub(crate) fn new(
        application: &'a Application,
        probe: &'a Probe,
        access: &'a Access<'a>,
        environment: &'a Environment<'a>,
        artifacts: bool,
    ) -> Self {
        Self {
            application,
            probe,
            access,
            environment,
            artifacts,
            state: OnceLock::new(),
        }
    }

    /// Where the store stands among the known migrations; read once, by whoever asks first.
    ///
    /// # Errors
    /// Why the ledger could not be read.
    pub(crate) fn state(&self, handle: &ReadOnly) -> Result<&SchemaState, &Error> {
        self.state.get_or_init(|| SchemaState::read(self.application, handle)).as_ref()
    }
}
