//! Private folders of runs that were killed or aborted, and could not remove their own. A later run that needs a folder removes them.
//!
//! A run holds a lock (`flock`) on its folder for as long as it lives, which the kernel gives back whatever its end: a folder that
//! can be locked has no owner any more. Nothing is followed by name: each folder is opened without following a link, must be this
//! user's alone, and its files are removed through its descriptor.

use std::ffi::CStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, flock, fstat, openat, statat, unlinkat};
use rustix::io::{Errno, Result};

/// The beginning of a private folder's name.
pub(super) const PREFIX: &str = "doctor-";

/// The length of a private folder's name: the beginning, and six random letters.
const NAME_LEN: usize = PREFIX.len() + 6;

/// The most abandoned folders that one run removes.
const MOST_FOLDERS: usize = 100;

/// The most entries of one folder that are removed.
const MOST_ENTRIES: usize = 10_000;

/// The flags for a folder that is opened to be looked into, and never through a link.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Locks a new private folder for as long as the descriptor is kept; `None` when another run took it for an abandoned one before
/// that.
pub(super) fn claim(folder: &Path) -> Option<OwnedFd> {
    let descriptor = openat(CWD, folder, FOLDER, Mode::empty()).ok()?;
    // A file system without such locks has no run that removes what it cannot lock.
    if flock(&descriptor, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
        return None;
    }
    let (opened, named) = (fstat(&descriptor).ok()?, statat(CWD, folder, AtFlags::SYMLINK_NOFOLLOW).ok()?);
    ((opened.st_dev, opened.st_ino) == (named.st_dev, named.st_ino)).then_some(descriptor)
}

/// Removes the private folders in `parent` whose runs are gone. What cannot be removed stays.
pub(super) fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    let Ok(parent) = openat(CWD, parent, FOLDER - OFlags::NOFOLLOW, Mode::empty()) else {
        return;
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    let is_ours = |name: &std::ffi::OsString| name.len() == NAME_LEN && name.as_bytes().starts_with(PREFIX.as_bytes());
    for name in names.filter(is_ours).take(MOST_FOLDERS) {
        // Another run may be at the same.
        let _ = remove_if_abandoned(&parent, Path::new(&name));
    }
}

fn remove_if_abandoned(parent: &OwnedFd, name: &Path) -> Result<()> {
    let folder = openat(parent, name, FOLDER, Mode::empty())?;
    let stat = fstat(&folder)?;
    let is_private = stat.st_uid == rustix::process::geteuid().as_raw() && stat.st_mode & 0o7777 == 0o700;
    if !is_private || flock(&folder, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(());
    }
    for copy in entries(&folder)? {
        let below = openat(&folder, copy.as_c_str(), FOLDER, Mode::empty());
        if let Ok(below) = below {
            for file in entries(&below)? {
                unlinkat(&below, file.as_c_str(), AtFlags::empty())?;
            }
            unlinkat(&folder, copy.as_c_str(), AtFlags::REMOVEDIR)?;
        }
    }
    unlinkat(parent, name, AtFlags::REMOVEDIR)
}

/// Returns the names of what is in a folder.
fn entries(folder: &OwnedFd) -> Result<Vec<std::ffi::CString>> {
    let is_entry = |name: &CStr| name != c"." && name != c"..";
    let names = Dir::read_from(folder)?.filter_map(|entry| entry.ok().map(|entry| entry.file_name().to_owned()));
    Ok(names.filter(|name| is_entry(name)).take(MOST_ENTRIES).collect())
}

#[cfg(test)]
mod tests {
    use std::fs::{File, Permissions, create_dir, set_permissions, write};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    use super::*;

    /// A folder as a run leaves it that was killed while it read a copy.
    fn abandoned(parent: &Path, name: &str) -> PathBuf {
        let folder = parent.join(name);
        create_dir(&folder).unwrap();
        set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        create_dir(folder.join("0")).unwrap();
        write(folder.join("0/state.db"), "rows").unwrap();
        write(folder.join("0/state.db-journal"), "").unwrap();
        folder
    }

    #[test]
    fn the_folder_of_a_run_that_is_gone_is_removed_and_no_other() {
        let parent = tempfile::tempdir().unwrap();
        let gone = abandoned(parent.path(), "doctor-aaaaaa");
        let held = abandoned(parent.path(), "doctor-bbbbbb");
        let open = abandoned(parent.path(), "doctor-cccccc");
        set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
        let other = abandoned(parent.path(), "doctors-notes");
        let longer = abandoned(parent.path(), "doctor-who-and-why");
        let claimed = claim(&held).unwrap();
        remove_abandoned(parent.path());
        assert!(!gone.exists());
        for kept in [&held, &open, &other, &longer] {
            assert!(kept.join("0/state.db").exists(), "{}", kept.display());
        }
        drop(claimed);
        remove_abandoned(parent.path());
        assert!(!held.exists());
    }

    #[test]
    fn no_link_is_followed() {
        let parent = tempfile::tempdir().unwrap();
        let precious = tempfile::tempdir().unwrap();
        write(precious.path().join("state.db"), "rows").unwrap();
        symlink(precious.path(), parent.path().join("doctor-dddddd")).unwrap();
        let folder = abandoned(parent.path(), "doctor-eeeeee");
        symlink(precious.path(), folder.join("1")).unwrap();
        symlink(precious.path().join("state.db"), folder.join("0/link")).unwrap();
        remove_abandoned(parent.path());
        assert_eq!(fs::read(precious.path().join("state.db")).unwrap(), b"rows");
        assert!(parent.path().join("doctor-dddddd").is_symlink());
        // What no run leaves there keeps the folder.
        assert!(folder.join("1").is_symlink() && !folder.join("0").exists());
    }

    #[test]
    fn a_folder_that_was_taken_away_is_not_claimed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = abandoned(parent.path(), "doctor-ffffff");
        let other = File::open(&folder).unwrap();
        flock(&other, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert!(claim(&folder).is_none());
    }
}
