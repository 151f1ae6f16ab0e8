//! Which migrations are applied, pending, unknown: of those that are compiled in, or of a folder's. Of an application of which nothing is
//! known: what its ledger says.

mod any;
mod folder;

use crate::application::{History, Problem};
use crate::checks::check::{Check, Input, Needs};
use crate::checks::context::StoreContext;
use crate::error::Result;
use crate::findings::check_id::CheckId;
use crate::migrations::schema_state::Compatibility;
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::text::words::{id_list, plural};

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::SchemaState,
    summary: "this binary knows every applied migration",
    needs: Needs::Passed(CheckId::ReadOnly),
    input: Input::Handle(run),
};

fn run(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Outcome> {
    match &context.application.history {
        History::NotKnown => return any::look(handle),
        History::InFolder(migrations) => return folder::look(context, migrations, handle),
        History::CompiledIn => {}
    }
    let state = match context.state(handle) {
        Ok(state) => state,
        Err(error) => return Ok(Outcome::could_not_look(error)),
    };
    let applied = state.applied.len() - state.unknown.len();
    let pending = id_list(&state.pending, 10);
    Ok(match state.compatibility {
        Compatibility::Compatible => Outcome::pass(format!("all {applied} known migrations are applied")),
        Compatibility::MigrationsNeeded => Outcome::pass(format!(
            "{applied} applied, pending {pending}: {} applies them when it next opens the store",
            context.application.name()
        )),
        Compatibility::Incompatible => {
            let also = if state.pending.is_empty() {
                String::new()
            } else {
                format!(", and pending {pending}")
            };
            let unknown = plural(state.unknown.len() as u64, "migration", "migrations");
            let detail = format!("{unknown} applied that this binary does not know{also}; no data is lost");
            let unknown = state.unknown.clone();
            Outcome::fail(detail, Problem::Newer { unknown })
        }
    })
}
