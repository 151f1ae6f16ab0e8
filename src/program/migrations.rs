//! `--migrations`: the folder is read once, before any store and before the sandbox is closed.

use std::path::PathBuf;

use crate::application::{Application, Folder, MigrationsFolder};
use crate::banger::APPLICATION;
use crate::migrations::discovery::{NO_KNOWN_TOOL, candidates};
use crate::migrations::folder::{self, FolderLimits};
use crate::migrations::known::KnownSet;
use crate::program::cli::Args;
use crate::text::escape::escape_untrusted;
use crate::text::paths;

/// The longest reason that is given, in characters.
const LONGEST_REASON: usize = 500;

/// Returns the application whose stores are examined, as the arguments say.
///
/// # Errors
/// Fails if the folder of migrations cannot be used; the error names the remedy.
pub(super) fn application(args: &Args) -> Result<Application, String> {
    if args.any {
        return Ok(Application::any());
    }
    let Some(path) = &args.migrations else {
        return Ok(APPLICATION.clone());
    };
    let of_no_use = |why: &str| {
        let path = escape_untrusted(&paths::display_path(path), LONGEST_REASON);
        format!("--migrations {path}: {}", escape_untrusted(why, LONGEST_REASON))
    };
    let folder = MigrationsFolder {
        folder: folder::read(path, &FolderLimits::default()).map_err(|error| of_no_use(&format!("{error}; {GIVE}")))?,
        dialect: args.dialect,
        ledger: args.ledger.clone(),
        foreign_keys: args.foreign_keys.map(Into::into),
    };
    let candidates = candidates(&folder);
    let known = match candidates.first() {
        Some(likeliest) => KnownSet::of(&folder.folder, likeliest).map_err(|error| error.to_string()),
        None => Err(NO_KNOWN_TOOL.to_owned()),
    };
    let Err(why) = known else {
        return Ok(Application::of_folder(folder));
    };
    Err(match (find_likely_folder(&folder.folder, args.dialect), candidates.is_empty()) {
        (Some(below), _) => {
            let below = paths::display_path(&path.join(below));
            of_no_use(&format!("{why}; {below} looks as if it were the folder: give that"))
        }
        (None, true) => of_no_use(&format!("{why}; {GIVE}, or say whose they are with --dialect")),
        (None, false) => of_no_use(&why),
    })
}

/// Returns the first folder below this one that seems to hold migrations, as `prisma/migrations` if `prisma` was given.
fn find_likely_folder(folder: &Folder, dialect: Option<&'static str>) -> Option<PathBuf> {
    /// The depth of the search.
    const DEEPEST: usize = 2;
    /// The number of folders that are looked into.
    const MOST: usize = 200;
    let depth = |path: &PathBuf| path.components().count();
    let mut below: Vec<&PathBuf> = folder.folders.iter().filter(|path| depth(path) <= DEEPEST).collect();
    // The sort is stable: those higher up come first, and of these the first by name.
    below.sort_by_key(|path| depth(path));
    let looks = |path: &&PathBuf| {
        let folder = MigrationsFolder {
            folder: folder.below(path),
            dialect,
            ledger: None,
            foreign_keys: None,
        };
        candidates(&folder).iter().any(|dialect| KnownSet::of(&folder.folder, dialect).is_ok())
    };
    below.into_iter().take(MOST).find(looks).cloned()
}

const GIVE: &str = "give the folder in which the application's migrations lie";
