//! The limits of a run: when it has to stop, how far it has come, and what only one thread at a time may do.

pub(crate) mod progress;
pub mod stop;

use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use stop::{Stop, Stopped};

/// A permit for work that takes much memory or much of the disk, and that one thread at a time may do.
#[derive(Debug, Default)]
pub(crate) struct HeavyWork(Mutex<()>);

impl HeavyWork {
    /// Creates a permit that is free.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(()))
    }

    /// Waits for the permit, which is given back when the result is dropped; `None` after `patience`, if there is one. A thread that
    /// works at a disk that hangs never gives it back, and the others must not wait for it for ever.
    ///
    /// This asks again and again instead of blocking, because a lock cannot be interrupted by the time limit or by Ctrl-C.
    ///
    /// # Errors
    /// Fails at the time limit, or on Ctrl-C.
    pub(crate) fn wait(&self, patience: Option<Duration>, stop: &Stop) -> Result<Option<MutexGuard<'_, ()>>, Stopped> {
        const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(5);
        let begun = Instant::now();
        loop {
            match self.0.try_lock() {
                Ok(permit) => return Ok(Some(permit)),
                // The lock guards nothing that a panic could have left half done.
                Err(TryLockError::Poisoned(permit)) => return Ok(Some(permit.into_inner())),
                Err(TryLockError::WouldBlock) if patience.is_some_and(|most| begun.elapsed() > most) => {
                    return Ok(None);
                }
                Err(TryLockError::WouldBlock) => {
                    stop.check()?;
                    thread::sleep(BETWEEN_ATTEMPTS);
                }
            }
        }
    }
}
