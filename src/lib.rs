//! Examines banger's store, an SQLite file named `state.db`, without changing anything.
//!
//! A path is probed with plain reads ([`probe`]), the way in that leaves no trace is chosen ([`store`]), checks look through
//! it ([`checks`]), their answers become a [`report`], and a renderer prints it ([`render`]). The modules below stand in
//! reading order: each imports only from those above it.

pub mod words;

pub mod locate;

pub mod progress;

pub mod stop;

pub mod error;

pub mod mistake;

pub mod finding;

pub mod probe;

pub mod private;

pub mod sandbox;

#[doc(hidden)]
pub mod format;

pub mod store;

pub mod values;

pub mod schema;

pub mod subject;

pub mod check;

pub mod checks;

#[doc(hidden)]
pub mod salvage;

pub mod report;

pub mod examine;

pub mod render;

pub mod daemon;

#[doc(hidden)]
pub mod fuzzing;

pub use daemon::Store;
pub use error::{Error, Result};
pub use examine::{Examination, Options, examine};
pub use report::Report;
pub use schema::state::{Compatibility, SchemaState, inspect_schema_state};
pub use store::ReadOnly;
