//! Where a store stands among the migrations of its application's folder.

use super::any::noted;
use crate::application::{MigrationsFolder, Problem, Reached};
use crate::checks::context::StoreContext;
use crate::error::Result;
use crate::findings::{Finding, Findings};
use crate::migrations::key::Key;
use crate::migrations::ledger::State;
use crate::migrations::position::Standing;
use crate::migrations::status::{Stands, whose};
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::text::words::{id_list, plural, thousands};

/// How many other ledgers are named.
const MOST_OTHERS: usize = 3;

pub(super) fn look(context: &StoreContext<'_>, folder: &MigrationsFolder, handle: &ReadOnly) -> Result<Outcome> {
    let stands = match context.stands(handle) {
        Ok(stands) => stands,
        Err(error) => return Ok(Outcome::could_not_look(error)),
    };
    if let State::Dirty(key) | State::Failed(key) = &stands.standing.state {
        return unfinished(context, folder, stands, key, handle);
    }
    if !stands.standing.unknown.is_empty() {
        return Ok(newer(stands));
    }
    if let Some(unrecorded) = stands.unrecorded() {
        let tool = stands.runner();
        let detail = format!("{}: {unrecorded}", stands.whose());
        return Ok(Outcome::fail(detail, Problem::NeverRecorded { tool }));
    }
    Ok(Outcome::pass(format!("{}: {}{}", stands.whose(), where_it_is(stands), also(stands))))
}

/// "3 applied, pending \[4\]: sqlx applies them when it next migrates".
fn where_it_is(stands: &Stands) -> String {
    let applied = &stands.standing.applied;
    if stands.standing.pending.is_empty() {
        return match (applied.len(), stands.set.known.len()) {
            (1, 1) => "the one migration of the folder is applied".to_owned(),
            (some, all) if some == all => format!("all {all} migrations of the folder are applied"),
            (some, _) => format!("{some} applied, none pending"),
        };
    }
    let verb = match stands.refusal() {
        None => format!("{} applies them when it next migrates", stands.runner()),
        Some(why) => format!("{} runs nothing, because {why}", stands.runner()),
    };
    format!("{} applied, pending {}: {verb}", applied.len(), pending(stands))
}

fn pending(stands: &Stands) -> String {
    id_list(&stands.all_shown(&stands.standing.pending), 10)
}

/// What else is worth a word.
fn also(stands: &Stands) -> String {
    let mut out: String = stands.notes.iter().map(|note| format!("; {}", noted(*note))).collect();
    let others = stands.other_ledgers.iter().take(MOST_OTHERS).map(|(tool, table)| whose(tool, table));
    let others: Vec<String> = others.collect();
    if !others.is_empty() {
        let more = match stands.other_ledgers.len() - others.len() {
            0 => String::new(),
            more => format!(" and {} more", thousands(more as u64)),
        };
        out += &format!("; not looked at: {}{more}", others.join(", "));
    }
    if !stands.or_of.is_empty() {
        let others = stands.or_of.join("'s or ");
        out += &format!("; the folder may be {others}'s as well (--dialect says which)");
    }
    out
}

fn newer(stands: &Stands) -> Outcome {
    let standing = &stands.standing;
    let unknown = standing.unknown.len() as u64;
    let pending = if standing.pending.is_empty() {
        String::new()
    } else {
        format!(", and pending {}", pending(stands))
    };
    let detail = match stands.counted() {
        // It counts, and names none of them.
        Some(counted) => {
            let has = plural(stands.set.known.len() as u64, "migration", "migrations");
            format!("user_version is {counted}, and the folder has {has}{pending}; no data is lost")
        }
        None => format!(
            "{}: {} applied that the folder does not have{pending}; no data is lost",
            stands.whose(),
            plural(unknown, "migration", "migrations")
        ),
    };
    Outcome::fail(detail, Problem::NotInFolder { unknown })
}

/// A migration that did not come to its end, and how far it came, as far as the store's shape tells.
fn unfinished(
    context: &StoreContext<'_>,
    folder: &MigrationsFolder,
    stands: &Stands,
    key: &Key,
    handle: &ReadOnly,
) -> Result<Outcome> {
    let (reached, shape) = reached(context, folder, stands, handle)?;
    let shown = stands.shown(key);
    let what = match stands.standing.state {
        State::Dirty(_) => format!("version {shown} is dirty: it was at work there and did not come to its end"),
        _ => format!("migration {shown} failed"),
    };
    let detail = format!(
        "{}: {} applied, and {what}; {shape}; {} runs nothing before that is settled",
        stands.whose(),
        stands.standing.applied.len(),
        stands.runner()
    );
    let mut findings = Findings::default();
    findings.add(|| Finding {
        id: shown.parse().ok(),
        table: stands.ledger.clone(),
        ..Finding::new(format!("{what}; {shape}"))
    });
    let problem = Problem::Unfinished {
        tool: stands.runner(),
        settled_by: stands.dialect.settled_by,
        reached,
    };
    Ok(Outcome::found(detail, problem, findings))
}

fn reached(
    context: &StoreContext<'_>,
    folder: &MigrationsFolder,
    stands: &Stands,
    handle: &ReadOnly,
) -> Result<(Reached, String)> {
    let not_known = |why: String| (Reached::Unknown, format!("whether the store has it is not known: {why}"));
    if let Some(why) = stands.not_replayable(&stands.standing.applied) {
        return Ok(not_known(why));
    }
    let Some(step) = stands.step_in_doubt() else {
        return Ok(not_known("it cannot be replayed, or is not in the folder".to_owned()));
    };
    Ok(match Standing::of(&stands.steps(folder), &step, handle, context.environment.stop) {
        Ok(Standing::Before) => (
            Reached::Nothing,
            "the store has the shape from before it: nothing of it is there".to_owned(),
        ),
        Ok(Standing::After) => (
            Reached::Everything,
            "the store has the shape that it leaves: all of it is there".to_owned(),
        ),
        Ok(Standing::Alike) => not_known("it does not change the shape of the store".to_owned()),
        Ok(Standing::Neither) => (
            Reached::Partial,
            "the store has neither the shape from before it nor the one that it leaves".to_owned(),
        ),
        Err(error) if error.is_own_bound() => return Err(error),
        Err(error) => not_known(error.to_string()),
    })
}
