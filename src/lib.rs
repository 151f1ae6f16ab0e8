//! Examines banger's store, an SQLite file named `state.db`, without changing anything. **Linux only.**
//!
//! Three calls are what a program makes:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("state.db");
//! use banger_doctor::{Application, Compatibility};
//!
//! // When the daemon starts: the store is made where there is none, every pending migration is applied, and it is closed again.
//! let applied = Application::banger().migrate(&path)?;
//! assert_eq!(applied, [1, 2, 3]);
//!
//! // Its updater asks whether this binary may take the store over.
//! let state = banger_doctor::inspect_schema_state(&path)?;
//! assert_eq!(state.compatibility, Compatibility::Compatible);
//!
//! // Somebody who wants to know what is wrong examines it: one row per check.
//! let report = banger_doctor::examine(&path);
//! println!("{}", report.to_table(None, false));
//! assert!(!report.failed());
//! # Ok(())
//! # }
//! ```
//!
//! Another application's store is examined against its own migrations, given as a value ([`Application::new`]; an example is
//! `examples/own_application.rs`), or without any knowledge of it ([`Application::any`]).
//!
//! [`Examination`] takes settings: some checks only, a time limit, an interrupt, progress. A store that the calling process has
//! open is refused, because reading it would drop that process's locks ([`Examination`](Examination#locks)).
//!
//! # Beside another crate that links SQLite
//!
//! Cargo allows one crate in a program to link SQLite (`links = "sqlite3"`), and this one does, through `rusqlite`. A program that
//! has another version of `rusqlite`, `libsqlite3-sys` or `sqlx` with SQLite does not build with it unless both agree on one
//! version of `libsqlite3-sys`: take the version of `rusqlite` that this crate's `Cargo.toml` names, or run the program `doctor`
//! and read its JSON (`docs/integration.md`).

// What is public is what another program calls: `docs/public-api.txt` lists it.
#![warn(unreachable_pub)]
// Without the program, what only the program asks for is compiled and dropped: the gate, folders of migrations, the salvage of a store.
#![cfg_attr(not(feature = "cli"), allow(dead_code, unused_imports))]

#[cfg(not(target_os = "linux"))]
compile_error!("banger-doctor runs on Linux only: it relies on Landlock, seccomp, /proc and Linux's file locks");

mod text;

mod findings;

#[doc(hidden)]
pub mod limits;

mod error;

mod application;

mod banger;

mod probe;

mod store;

mod migrations;

mod page_map;

#[doc(hidden)]
#[allow(
    unreachable_pub,
    reason = "what is public within the salvage is what its own modules share"
)]
pub mod salvage;

mod cause;

mod report;

mod checks;

mod examine;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod program;

#[doc(hidden)]
pub mod inside;

#[doc(hidden)]
pub mod fuzzing;

pub use application::{Application, Migration};
pub use error::opaque::{Error, ErrorKind};
pub use examine::examination::{Examination, Rehearsal, examine, inspect_schema_state};
pub use findings::Finding;
pub use findings::check_id::{CheckId, UnknownCheck};
pub use limits::progress::Progress;
pub use migrations::daemon::Store;
pub use migrations::schema_state::{Compatibility, SchemaState};
pub use report::{Report, Row, Status};
