//! The gate: one line and an exit code, which tell the updater whether this binary may take over a store.

use std::path::Path;

use banger_doctor::application::Application;
use banger_doctor::render::json;
use banger_doctor::report::escape_untrusted;
use banger_doctor::schema::rehearsal;
use banger_doctor::schema::state::inspect;
use banger_doctor::store::Environment;
use banger_doctor::words::id_list;
use banger_doctor::{Compatibility, SchemaState, shown};

use crate::cli::Format;

/// What the gate says.
pub struct Answer {
    /// One line, with its end.
    pub line: String,
    /// 0 compatible, 1 migrations needed, 2 incompatible, 3 cannot tell.
    pub exit: u8,
}

/// Incompatible: do not swap.
const EXIT_INCOMPATIBLE: u8 = 2;

/// Cannot tell: do not swap.
pub const EXIT_CANNOT_TELL: u8 = 3;

/// How many ids the line shows at most.
const SHOWN_IDS: usize = 20;

/// The longest path that the line shows, in characters.
const LONGEST_PATH: usize = 300;

/// Asks a store; `rehearse`: whether to try pending migrations on a private copy.
pub fn ask(
    path: &Path,
    application: &Application,
    environment: &Environment<'_>,
    rehearse: bool,
    format: Format,
) -> Answer {
    let asked = if rehearse {
        rehearsal::inspect(path, application, environment)
    } else {
        inspect(path, application, environment).map(|state| (state, None))
    };
    match asked {
        Ok((state, Some(why))) => failed_rehearsal(&state, &why, format),
        Ok((state, None)) => answer(&state, format),
        // However long the path is, there is room for the reason.
        Err(error) => cannot_tell(&format!("{}: {error}", escape_untrusted(&shown::shown(path), LONGEST_PATH)), format),
    }
}

fn answer(state: &SchemaState, format: Format) -> Answer {
    let (exit, text) = match state.compatibility {
        Compatibility::Compatible => (0, format!("compatible: all {} migrations applied", state.applied.len())),
        Compatibility::MigrationsNeeded => (
            1,
            format!(
                "migrations needed: pending {} (binary will apply on first Open)",
                id_list(&state.pending, SHOWN_IDS)
            ),
        ),
        Compatibility::Incompatible => (
            EXIT_INCOMPATIBLE,
            format!(
                "incompatible: unknown {} (this binary is older than the store; do not swap)",
                id_list(&state.unknown, SHOWN_IDS)
            ),
        ),
    };
    let line = match format {
        Format::Json => json::gate(Some(state.compatibility), Some(state), None),
        Format::Table | Format::Markdown => text + "\n",
    };
    Answer { line, exit }
}

/// The pending migrations fail on the store as it is: do not swap.
fn failed_rehearsal(state: &SchemaState, why: &str, format: Format) -> Answer {
    let reason = format!("migration rehearsal failed: {}", escape_untrusted(why, 600));
    let line = match format {
        Format::Json => json::gate(Some(Compatibility::Incompatible), Some(state), Some(&reason)),
        Format::Table | Format::Markdown => format!("incompatible: {reason} (do not swap)\n"),
    };
    Answer {
        line,
        exit: EXIT_INCOMPATIBLE,
    }
}

/// The answer where there is none: do not swap.
pub fn cannot_tell(why: &str, format: Format) -> Answer {
    let why = escape_untrusted(why, 600);
    let line = match format {
        Format::Json => json::gate(None, None, Some(&why)),
        Format::Table | Format::Markdown => format!("cannot tell: {why}\n"),
    };
    Answer {
        line,
        exit: EXIT_CANNOT_TELL,
    }
}
