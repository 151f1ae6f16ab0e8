//! Whether what was read from a store still holds: nothing moved meanwhile that matters to the way in which it was read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::read_method::{Facts, ReadMethod, Seen};
use crate::probe::Probe;

/// Knows by what is read, and so whether it may be believed afterwards; anybody may ask it, on any thread.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    way: ReadMethod,
    facts: Facts,
    disturbed: Arc<AtomicBool>,
}

impl Witness {
    /// Of a store that is read this way, for these reasons; `disturbed` is set where SQLite could not read.
    pub(super) fn new(way: ReadMethod, facts: Facts, disturbed: Arc<AtomicBool>) -> Self {
        Self { way, facts, disturbed }
    }

    /// Whether what was read this way may be believed: nothing moved that this way does not stand.
    pub(crate) fn still_valid(&self, probe: &Probe) -> bool {
        self.way
            .still_valid(&self.facts, Seen::now(probe, self.disturbed.load(Ordering::Relaxed)))
    }
}
