//! The internals of the library that benches and tests in other crates use: the phases of a run, one by one.
//!
//! Not part of the library's interface: it is public only because they are other crates.

use std::path::Path;

use crate::banger::APPLICATION;
use crate::limits::stop::Stop;
use crate::probe::Probe;
use crate::salvage::{self, KnownStore};
use crate::store::sandbox::Sandbox;
use crate::store::{Access, Environment, Need, with_stable_store};
use crate::store::{PrivateFolder, Purpose};

/// Looks at what lies at a path, with plain reads.
pub fn probe(path: &Path) {
    std::hint::black_box(Probe::of(path));
}

/// Shuts this thread in for good, without a private folder.
pub fn enter_sandbox() {
    let folder = PrivateFolder::for_stores::<&Path>(&[]);
    std::hint::black_box(Sandbox::enter(&folder, Purpose::default()));
}

/// Opens a store the way that it asks for, and closes it.
pub fn open_and_close(path: &Path) {
    in_environment(path, |environment| {
        let opened = with_stable_store(path, Need::Everything, environment, |_, access| access.and_then(Access::open));
        drop(std::hint::black_box(opened));
    });
}

/// Calls `act` each time that a store is looked at, with whether it could be made ready to be read.
///
/// # Errors
/// Fails with the reason of the last attempt.
pub fn each_look(path: &Path, mut act: impl FnMut(bool)) -> Result<(), String> {
    in_environment(path, |environment| {
        let last = with_stable_store(path, Need::Everything, environment, |_, access| {
            let ready = access.map(|_| ());
            act(ready.is_ok());
            ready
        });
        last.and_then(|ready| ready).map_err(|error| error.to_string())
    })
}

/// The schema of the application's stores, as a salvage knows it.
///
/// # Errors
/// Fails if SQLite refuses a migration.
pub fn known() -> salvage::Result<KnownStore> {
    Ok(salvage::describe_stores(&APPLICATION)?)
}

fn in_environment<T>(path: &Path, work: impl FnOnce(&Environment<'_>) -> T) -> T {
    work(&Environment {
        private: &PrivateFolder::for_stores(&[path]),
        sandbox: &Sandbox::not_asked(),
        heap_limit: None,
        stop: &Stop::never(),
    })
}
