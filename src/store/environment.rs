//! What an examination brings along.

use crate::limits::stop::Stop;
use crate::store::private::PrivateFolder;
use crate::store::sandbox::Sandbox;

/// Where copies may go, what the kernel forbids, how much memory SQLite may take, when to stop.
#[derive(Debug, Clone)]
pub(crate) struct Environment<'a> {
    /// Where private copies may go.
    pub private: &'a PrivateFolder,
    /// What the kernel holds this process to.
    pub sandbox: &'a Sandbox,
    /// The most memory that SQLite may take in this process, in bytes; `None` leaves SQLite's bound as it is.
    pub heap_limit: Option<u64>,
    /// When to stop.
    pub stop: &'a Stop,
}
