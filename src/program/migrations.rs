//! `--migrations`: the folder is read once, before any store and before the sandbox is closed.

use crate::application::{Application, MigrationsFolder};
use crate::banger::APPLICATION;
use crate::dialects::folder::{self, Limits};
use crate::dialects::{KnownSet, NOBODYS, candidates};
use crate::escape::escape_untrusted;
use crate::program::cli::Args;
use crate::shown;

/// The longest reason that is given, in characters.
const LONGEST_REASON: usize = 500;

/// What the arguments say of the application whose stores they are.
///
/// # Errors
/// Why its folder of migrations is of no use, and what to do.
pub(super) fn application(args: &Args) -> Result<Application, String> {
    if args.any {
        return Ok(Application::any());
    }
    let Some(path) = &args.migrations else {
        return Ok(APPLICATION.clone());
    };
    let of_no_use = |why: &str| {
        let path = escape_untrusted(&shown::shown(path), LONGEST_REASON);
        format!("--migrations {path}: {}", escape_untrusted(why, LONGEST_REASON))
    };
    let folder = MigrationsFolder {
        folder: folder::read(path, &Limits::default()).map_err(|error| of_no_use(&format!("{error}; {GIVE}")))?,
        dialect: args.dialect,
        ledger: args.ledger.clone(),
        foreign_keys: args.foreign_keys.map(Into::into),
    };
    let candidates = candidates(&folder);
    let Some(likeliest) = candidates.first() else {
        return Err(of_no_use(&format!("{NOBODYS}; {GIVE}, or say whose they are with --dialect")));
    };
    KnownSet::of(&folder.folder, likeliest).map_err(|error| of_no_use(&error.to_string()))?;
    Ok(Application::of_folder(folder))
}

const GIVE: &str = "give the folder in which the application's migrations lie";
