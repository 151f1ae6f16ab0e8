//! Whether what was read from a store is still valid: no file changed meanwhile in a way that matters to how it was read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::read_method::{Facts, ReadMethod, Seen};
use crate::probe::Probe;

/// Remembers how a store is read, to say afterwards whether the result is still valid. Any thread may ask.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    way: ReadMethod,
    facts: Facts,
    disturbed: Arc<AtomicBool>,
}

impl Witness {
    /// For a store that is read in this way because of these facts; `disturbed` is set if SQLite could not read.
    pub(super) fn new(way: ReadMethod, facts: Facts, disturbed: Arc<AtomicBool>) -> Self {
        Self { way, facts, disturbed }
    }

    /// Whether the result is still valid: no file changed in a way that matters to this read method.
    pub(crate) fn still_valid(&self, probe: &Probe) -> bool {
        self.way
            .still_valid(&self.facts, Seen::now(probe, self.disturbed.load(Ordering::Relaxed)))
    }
}
