//! A file system of a test's own, which only root can mount, and not everywhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::place::is_root;

/// A file system over a folder, as long as this lives.
pub struct Mounted(PathBuf);

impl Mounted {
    /// A file system of this kind; `None` where it cannot be mounted.
    pub fn over(folder: &Path, kind: &str, options: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", kind, "-o", options, "none"]).arg(folder);
        let mounted = is_root() && mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self(folder.to_path_buf()))
    }

    /// A file system in memory of this size, as `mount` writes it: `64k`, `256m`.
    pub fn with_room_for(folder: &Path, size: &str) -> Option<Self> {
        Self::over(folder, "tmpfs", &format!("size={size},mode=1777"))
    }

    /// How many bytes of it are in use.
    pub fn used(&self) -> u64 {
        let stat = rustix::fs::statvfs(&self.0).unwrap();
        (stat.f_blocks - stat.f_bfree) * stat.f_frsize
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
