//! A path → a handle to read through. Starts over when somebody changes the store in the middle.

mod access;
mod guards;
mod read_only;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

pub use access::{Access, Means, Way};
pub(crate) use access::{Witness, open_copy};
pub(crate) use guards::{BUSY_TIMEOUT_MS, LONGEST_VALUE, interruptible, prepare_rehearsal};
pub use read_only::ReadOnly;

use crate::error::{Error, Result};
use crate::probe::{Nature, Probe};

/// How long, and how often at least, the doctor starts over before it says that the store is never left alone. One look at a
/// large store may take longer than that; the next ones then take locks, and stand what moves.
const PATIENCE: (Duration, u32) = (Duration::from_secs(10), 5);

/// Probes a path, makes it ready to be read, and lets `work` read it; starts over where something moved that the way in
/// does not stand, so that what is returned is the committed truth of one moment.
///
/// `work` sees why the store could not be made ready, where it could not. Everything it opens it must have closed.
///
/// # Errors
/// [`Error::Moving`] when the store was never left alone, [`Error::Stopped`] when it was not left alone in time.
pub fn look<T>(path: &Path, means: &Means<'_>, mut work: impl FnMut(&Probe, Result<&Access<'_>>) -> T) -> Result<T> {
    let begun = Instant::now();
    let mut disturbed = 0;
    loop {
        let probe = Probe::of(path);
        if !matches!(probe.nature, Nature::Sqlite(_)) {
            let why = Error::NotAStore(crate::probe::words(&probe.nature, probe.size()));
            return Ok(work(&probe, Err(why)));
        }
        match Access::prepare(&probe, disturbed, means) {
            Ok(access) => {
                let found = work(&probe, Ok(&access));
                if access.held(&probe) {
                    return Ok(found);
                }
            }
            Err(error) => {
                let settled = probe.is_unchanged() && Probe::of(path).situation == probe.situation;
                let found = work(&probe, Err(error));
                if settled {
                    return Ok(found);
                }
            }
        }
        // What was found in a store that moved is no truth, also when there is no time for another look.
        means.stop.check()?;
        disturbed += 1;
        if begun.elapsed() > PATIENCE.0 && disturbed >= PATIENCE.1 {
            return Err(Error::Moving(disturbed));
        }
        thread::sleep(Duration::from_millis(u64::from(disturbed.min(20))));
    }
}
