//! Do the folder's pending migrations succeed on a private copy of the store, run as their tool runs them?

use super::outcome;
use crate::application::MigrationsFolder;
use crate::checks::context::StoreContext;
use crate::error::Result;
use crate::migrations::rehearsed::{Tried, rehearse};
use crate::migrations::status::Stands;
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;

pub(super) fn look(
    context: &StoreContext<'_>,
    folder: &MigrationsFolder,
    stands: &Stands,
    handle: &ReadOnly,
) -> Result<Outcome> {
    Ok(match rehearse(folder, stands, Some((context.probe, handle)), context.environment)? {
        Tried::NonePending => Outcome::pass("none pending"),
        Tried::Not(why) => Outcome::skip(why),
        Tried::Rehearsed(rehearsal) => outcome(&rehearsal),
    })
}
