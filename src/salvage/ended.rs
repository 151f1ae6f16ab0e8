//! Why a salvage ended before its end.

use std::io;

use crate::limits::stop::Stopped;

/// Why a salvage ended before its end. What it had printed by then has no COMMIT.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The time limit or the user.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The output could not be written.
    #[error("the output could not be written: {0}")]
    Output(#[from] io::Error),
    /// The store is such that no bound of memory would hold.
    #[error("{0}")]
    TooMuch(&'static str),
    /// The schema could not be made from the migrations.
    #[error(transparent)]
    Schema(#[from] crate::error::Error),
}

/// The result of a part of a salvage.
pub type Result<T, E = Ended> = std::result::Result<T, E>;
