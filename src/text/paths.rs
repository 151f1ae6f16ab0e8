//! Paths as they are shown: without the names of users.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::{env, fs};

/// Returns this user's home folder, by `$HOME`.
pub(crate) fn home() -> Option<PathBuf> {
    env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute())
}

/// Folders that hold the users' home folders, by name.
const HOLD_HOMES: [&str; 2] = ["home", "Users"];

/// Folders below which a user's removable disks are mounted, each in a folder with the user's name, and the number of names that follow
/// that name at least. `/media` also holds disks that are no user's.
const HOLD_MEDIA: [(&str, usize); 2] = [("/run/media", 1), ("/media", 2)];

/// Returns the path as it may be shown, without the names of users: this user's home folder is written `~`, other users'
/// `~other1`, `~other2` and so on, in the order in which they are met, however the path spells them.
pub(crate) fn display_path(path: &Path) -> String {
    display_path_from(current_dir, path, own_homes_once(), &mut number)
}

fn current_dir() -> PathBuf {
    env::current_dir().unwrap_or_else(|_| PathBuf::from("/"))
}

/// Returns this user's home folder, as it was when it was first asked for.
fn own_homes_once() -> &'static [PathBuf] {
    static OWN: OnceLock<Vec<PathBuf>> = OnceLock::new();
    OWN.get_or_init(own_homes)
}

/// Gives the other users' home folders on these paths their numbers, in this order: so the same stores get the same numbers in
/// each run, whichever is examined first.
pub(crate) fn register_home_dirs(paths: &[PathBuf]) {
    for path in paths {
        display_path(path);
    }
}

/// Returns the number of another user's home folder: the first one met is 1.
fn number(home: &Path) -> usize {
    static MET: Mutex<BTreeMap<PathBuf, usize>> = Mutex::new(BTreeMap::new());
    let mut met = MET.lock().unwrap_or_else(PoisonError::into_inner);
    let next = met.len() + 1;
    *met.entry(home.to_path_buf()).or_insert(next)
}

/// Returns this user's home folder as `$HOME` spells it, and with its links resolved; none when it is `/` or holds the others.
fn own_homes() -> Vec<PathBuf> {
    let Some(home) = home() else { return Vec::new() };
    let mut homes = vec![home.components().collect()];
    homes.extend(fs::canonicalize(&home));
    homes.retain(|home: &PathBuf| home.parent().is_some() && !(holds_homes(home) && depth(home) == 1));
    homes
}

fn holds_homes(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| HOLD_HOMES.iter().any(|holds| name == *holds))
}

/// Returns the number of names in an absolute path.
fn depth(folder: &Path) -> usize {
    folder.components().count().saturating_sub(1)
}

/// The kind of a folder on the way to a store.
enum HomeFolder {
    OwnHome,
    OtherHome,
    Any,
}

/// Returns true if a folder of home folders holds those of a domain: `/home/DOMAIN`. This user's own home lies there, or the system owns
/// it and not a user.
fn is_domain(folder: &Path, own: &[PathBuf]) -> bool {
    use std::os::unix::fs::MetadataExt;
    let is_below_homes = depth(folder) == 2 && folder.parent().is_some_and(holds_homes);
    let holds_own = || own.iter().any(|home| home.parent() == Some(folder));
    let is_systems = || fs::metadata(folder).is_ok_and(|folder| folder.is_dir() && folder.uid() == 0);
    is_below_homes && !own.iter().any(|home| home == folder) && (holds_own() || is_systems())
}

/// Returns the kind of the folder at a path that has no `.` and no `..` in it and is followed by so many names. If none follows, it may
/// be the store itself.
fn folder(way: &Path, own: &[PathBuf], following: usize) -> HomeFolder {
    let last = following == 0;
    if own.iter().any(|home| home == way) {
        return HomeFolder::OwnHome;
    }
    let in_homes = way.parent().is_some_and(|parent| {
        // Below the top, a folder of that name may hold stores as well: the home folders in a backup hold more.
        holds_homes(parent) && (depth(parent) == 1 || !last) && !own.iter().any(|home| home == parent)
    });
    let in_media = HOLD_MEDIA
        .iter()
        .any(|(media, least)| following >= *least && way.parent() == Some(Path::new(media)));
    let is_hidden = way.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let in_domain = !last && !is_hidden && way.parent().is_some_and(|parent| is_domain(parent, own));
    if in_homes || in_media || in_domain || way == Path::new("/root") {
        HomeFolder::OtherHome
    } else {
        HomeFolder::Any
    }
}

/// [`display_path`] for a user whose working directory is `here`, with these homes.
fn display_path_from(
    here: impl FnOnce() -> PathBuf,
    path: &Path,
    own: &[PathBuf],
    number: &mut dyn FnMut(&Path) -> usize,
) -> String {
    match home_on_path(here, path, own) {
        Some(way) => join_parts(&parts(&way, own, number)),
        None => lossless(path),
    }
}

/// Returns the absolute path without `.` and `..`, if a folder on it is a home folder.
fn home_on_path(here: impl FnOnce() -> PathBuf, path: &Path, own: &[PathBuf]) -> Option<PathBuf> {
    let mut way = if path.is_absolute() { PathBuf::from("/") } else { here() };
    let mut names_a_home = false;
    let mut components = path.components().peekable();
    while let Some(component) = components.next() {
        match component {
            Component::ParentDir => drop(way.pop()),
            Component::Normal(name) => {
                way.push(name);
                names_a_home |= !matches!(folder(&way, own, components.clone().count()), HomeFolder::Any);
            }
            _ => {}
        }
    }
    names_a_home.then_some(way)
}

/// A part of an absolute path.
pub(crate) enum PathPart {
    /// This user's home folder. What comes before it is not needed.
    OwnHome,
    /// Another user's home folder.
    OtherHome {
        /// The number by which it is shown.
        number: usize,
        /// The folder's name.
        name: OsString,
    },
    /// Any other folder, or the file.
    Name(OsString),
}

/// Returns the parts of the absolute path, if a folder on it is a home folder.
pub(crate) fn parts_without_homes(path: &Path) -> Option<Vec<PathPart>> {
    let own = own_homes_once();
    Some(parts(&home_on_path(current_dir, path, own)?, own, &mut number))
}

/// Returns the parts of an absolute path.
fn parts(path: &Path, own: &[PathBuf], number: &mut dyn FnMut(&Path) -> usize) -> Vec<PathPart> {
    let mut way = PathBuf::from("/");
    let mut components = path.components().skip(1).peekable();
    let mut parts = Vec::new();
    while let Some(component) = components.next() {
        way.push(component);
        let name = component.as_os_str().to_owned();
        parts.push(match folder(&way, own, components.clone().count()) {
            HomeFolder::OwnHome => PathPart::OwnHome,
            HomeFolder::OtherHome => PathPart::OtherHome {
                number: number(&way),
                name,
            },
            HomeFolder::Any => PathPart::Name(name),
        });
    }
    parts
}

/// Returns parts as they are shown: each home folder is written `~` or `~other1`.
fn join_parts(parts: &[PathPart]) -> String {
    let mut out = String::new();
    for (before, part) in parts.iter().enumerate() {
        match part {
            PathPart::OwnHome => "~".clone_into(&mut out),
            PathPart::OtherHome { number, .. } => {
                // A home folder that lies deeper, as in a backup, keeps the folders before it.
                if before >= 2 {
                    out.push('/');
                } else {
                    out.clear();
                }
                out += &format!("~other{number}");
            }
            PathPart::Name(name) => {
                out.push('/');
                out += &lossless(Path::new(name));
            }
        }
    }
    if out.is_empty() { "/".to_owned() } else { out }
}

/// Returns the path as text, each byte that is not UTF-8 written `\xff`.
fn lossless(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let chunks = path.as_os_str().as_bytes().utf8_chunks();
    chunks
        .map(|chunk| {
            let invalid: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")).collect();
            chunk.valid().to_owned() + &invalid
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    /// Returns the path as it is shown to a user whose home is `/home/op`, a link to `/data/op`, and who is at `here`.
    fn shown_at(here: &str, path: &str) -> String {
        let own = [PathBuf::from("/home/op"), PathBuf::from("/data/op")];
        let mut met = Vec::new();
        let mut number = |home: &Path| {
            if !met.contains(&home.to_path_buf()) {
                met.push(home.to_path_buf());
            }
            met.iter().position(|known| known == home).map_or(0, |at| at + 1)
        };
        display_path_from(|| PathBuf::from(here), Path::new(path), &own, &mut number)
    }

    #[test]
    fn this_users_home_is_a_tilde_and_another_users_a_number_however_it_is_spelled() {
        for (path, wanted) in [
            ("/home/op/x/state.db", "~/x/state.db"),
            ("/data/op/x/state.db", "~/x/state.db"),
            ("/home/op", "~"),
            ("/home/operator/x", "~other1/x"),
            ("/home/someone/state.db", "~other1/state.db"),
            ("/home/someone", "~other1"),
            ("/Users/someone/state.db", "~other1/state.db"),
            ("/root/state.db", "~other1/state.db"),
            ("//home/someone//state.db", "~other1/state.db"),
            ("/home/./someone/./state.db", "~other1/state.db"),
            ("/tmp/../home/someone/state.db", "~other1/state.db"),
            ("/home/op/../someone/state.db", "~other1/state.db"),
            ("/home/someone/../../srv/state.db", "/srv/state.db"),
            ("/home/someone/../..", "/"),
            ("/home/op/backup/home/someone/state.db", "~/backup/home/~other1/state.db"),
            ("/run/media/someone/DISK/state.db", "/run/media/~other1/DISK/state.db"),
            ("/media/someone/DISK/state.db", "~other1/DISK/state.db"),
            ("/mnt/home/someone/.local/home/else/x", "/mnt/home/~other1/.local/home/~other2/x"),
        ] {
            assert_eq!(shown_at("/", path), wanted, "{path}");
        }
    }

    #[test]
    fn users_of_a_domain_are_not_named() {
        let own = [PathBuf::from("/home/acme/op")];
        let shown = |path: &str| {
            let mut met = Vec::new();
            let mut number = |home: &Path| {
                met.push(home.to_path_buf());
                met.len()
            };
            display_path_from(|| PathBuf::from("/"), Path::new(path), &own, &mut number)
        };
        assert_eq!(shown("/home/acme/op/x/state.db"), "~/x/state.db");
        assert_eq!(shown("/home/acme/someone/x/state.db"), "~other1/~other2/x/state.db");
        assert_eq!(shown("/home/someone/x/state.db"), "~other1/x/state.db");
    }

    #[test]
    fn what_names_no_home_is_shown_as_it_was_given() {
        for path in [
            "/var/lib/banger/state.db",
            "//var/./lib/../state.db",
            "/srv/home/state.db",
            "/media/state.db",
            "/media/cdrom/state.db",
            "/run/media/state.db",
            "/homes/x/state.db",
            "/home",
            "state.db",
            "../state.db",
            "",
        ] {
            assert_eq!(shown_at("/home/op/x", path), path);
        }
    }

    #[test]
    fn a_relative_path_shows_no_home_that_it_names_itself() {
        assert_eq!(shown_at("/home", "someone/state.db"), "~other1/state.db");
        assert_eq!(shown_at("/home/op", "../someone/state.db"), "~other1/state.db");
        assert_eq!(shown_at("/home/op/x", "../../op/state.db"), "~/state.db");
        assert_eq!(shown_at("/", "home/op/state.db"), "~/state.db");
    }

    #[test]
    fn a_home_keeps_its_number() {
        let names =
            ["/home/first", "/home/second", "/home/first"].map(|home| display_path(&Path::new(home).join("state.db")));
        assert_eq!(names[0], names[2]);
        assert_ne!(names[0], names[1]);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_spelled_out() {
        assert_eq!(lossless(Path::new(OsStr::from_bytes(b"/a/\xff\xfe.db"))), "/a/\\xff\\xfe.db");
    }
}
