//! Judges what surrounds a store: owners and modes of its files, the file system, the sizes. Pure functions over what the
//! file system says.

use std::path::Path;

use super::file_stat::{FileKind, FileStat};

/// A kind of file system on which SQLite's locks cannot be relied on, as they are another machine's or another program's to keep
/// ("How To Corrupt An SQLite Database File", section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileSystem {
    /// NFS.
    Nfs,
    /// SMB, also called CIFS.
    Smb,
    /// 9p, as between a virtual machine or WSL and its host.
    NineP,
    /// A file system of a program (FUSE), or virtiofs, which has the same number.
    Fuse,
    /// AFS.
    Afs,
    /// Ceph.
    Ceph,
    /// A folder shared with a machine of `VirtualBox`.
    VirtualBox,
}

impl FileSystem {
    /// Tells the kind from the number that `statfs` gives (`linux/magic.h`; for FUSE, SMB and Ceph their own sources).
    fn from_magic(magic: u64) -> Option<Self> {
        // The number has 32 bits, and some machines extend its sign.
        Some(match magic & 0xffff_ffff {
            0x6969 => Self::Nfs,
            0x517b | 0xff53_4d42 | 0xfe53_4d42 => Self::Smb,
            0x0102_1997 => Self::NineP,
            0x6573_5546 => Self::Fuse,
            0x5346_414f | 0x6b41_4653 => Self::Afs,
            0x00c3_6400 => Self::Ceph,
            0x786f_4256 => Self::VirtualBox,
            _ => return None,
        })
    }

    /// Returns the kind on which a path lies; `None` for one of this machine's own, or where the system does not say.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let stat = rustix::fs::statfs(path).ok()?;
        Self::from_magic(u64::from_ne_bytes(stat.f_type.to_ne_bytes()))
    }

    /// Returns its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nfs => "NFS",
            Self::Smb => "SMB",
            Self::NineP => "9p",
            Self::Fuse => "FUSE",
            Self::Afs => "AFS",
            Self::Ceph => "Ceph",
            Self::VirtualBox => "vboxsf",
        }
    }
}

/// Returns true if the owner of a database cannot write to a file beside it, and so not to the database either.
///
/// SQLite gives the sidecar files the mode of the database, and, as root, its owner. Users of one group that share a store
/// leave files of different owners that all can write. Which groups the owner is in besides the database's is not known here: a file
/// that another group may write to is not held against it.
pub(crate) fn denies_owner(database: &FileStat, sidecar: &FileStat) -> bool {
    let (owner, group) = database.owner;
    owner != 0 && is_writable_by(database, owner, group) && !is_writable_by(sidecar, owner, group)
}

/// Returns true if a file has an access list, which says more than its owner and mode.
pub(crate) fn has_access_list(path: &Path) -> bool {
    rustix::fs::lgetxattr(path, "system.posix_acl_access", [0; 0].as_mut_slice()).is_ok()
}

fn is_writable_by(file: &FileStat, user: u32, group: u32) -> bool {
    let bit = if file.owner.0 == user {
        0o200
    } else if file.owner.1 == group || file.mode & 0o020 != 0 {
        0o020
    } else {
        0o002
    };
    file.mode & bit != 0
}

/// Returns true if a user owns a file and has taken the right to read it from itself: `chmod` gives it back.
pub(crate) fn is_locked_by_own_mode(file: &FileStat, user: u32) -> bool {
    file.kind == FileKind::Regular && file.owner.0 == user && user != 0 && file.mode & 0o400 == 0
}

/// Returns the ratio of the size of a log to that of its store, if it is worth a note: a log is reused from its start once
/// all of it is written back, by default at some 4 MiB, unless a reader holds it or a transaction is that large.
pub(crate) fn oversized_log(log: u64, store: u64) -> Option<u64> {
    const LEAST: u64 = 8 << 20;
    let times = log / store.max(1);
    (log >= LEAST && times >= 2).then_some(times)
}

/// Returns true if a database in WAL mode never had a table in its file and has no log beside it: what it held, if anything, was in
/// a log that is not here.
pub(crate) fn is_empty_without_log(is_wal: bool, never_had_a_table: bool, file_pages: u64, has_log: bool) -> bool {
    is_wal && never_had_a_table && file_pages == 1 && !has_log
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(owner: u32, group: u32, mode: u32) -> FileStat {
        FileStat {
            id: (1, 2),
            size: 4096,
            mtime: (0, 0),
            ctime: (0, 0),
            owner: (owner, group),
            mode,
            kind: FileKind::Regular,
            links: 1,
        }
    }

    #[test]
    fn an_owner_is_shut_out_by_anothers_log() {
        let database = file(1000, 100, 0o644);
        for (sidecar, expected) in [
            (file(1000, 100, 0o644), false),
            (file(0, 0, 0o644), true),
            (file(0, 0, 0o600), true),
            (file(0, 100, 0o664), false),
            (file(1001, 100, 0o644), true),
            (file(0, 0, 0o666), false),
            (file(0, 200, 0o660), false),
            (file(1000, 100, 0o444), true),
        ] {
            assert_eq!(denies_owner(&database, &sidecar), expected, "{sidecar:?}");
        }
        let read_only = file(1000, 100, 0o444);
        assert!(!denies_owner(&read_only, &file(0, 0, 0o644)));
        assert!(!denies_owner(&file(0, 0, 0o644), &file(1000, 100, 0o600)), "root writes anywhere");
    }

    #[test]
    fn a_mode_of_nothing_is_the_owners_to_change() {
        assert!(is_locked_by_own_mode(&file(1000, 100, 0o000), 1000));
        assert!(!is_locked_by_own_mode(&file(1000, 100, 0o000), 1001));
        assert!(!is_locked_by_own_mode(&file(1000, 100, 0o600), 1000));
    }

    #[test]
    fn file_systems_are_told_by_their_number() {
        assert_eq!(FileSystem::from_magic(0x6969), Some(FileSystem::Nfs));
        assert_eq!(FileSystem::from_magic(0xffff_ffff_ff53_4d42), Some(FileSystem::Smb));
        assert_eq!(FileSystem::from_magic(0x6573_5546), Some(FileSystem::Fuse));
        assert_eq!(FileSystem::from_magic(0x0102_1997).map(FileSystem::name), Some("9p"));
        assert_eq!(FileSystem::from_magic(0xef53), None);
        assert_eq!(FileSystem::of(Path::new("/proc")), None);
        assert_eq!(FileSystem::of(Path::new("/nowhere/at/all")), None);
    }

    #[test]
    fn only_a_log_out_of_proportion_is_worth_a_word() {
        assert_eq!(oversized_log(149 << 20, 25 << 20), Some(5));
        assert_eq!(oversized_log(4 << 20, 4096), None);
        assert_eq!(oversized_log(30 << 20, 25 << 20), None);
        assert_eq!(oversized_log(9 << 20, 0), Some(9 << 20));
    }

    #[test]
    fn an_empty_database_without_its_log_is_seen() {
        assert!(is_empty_without_log(true, true, 1, false));
        for (is_wal, schema_is_empty, pages, log) in [
            (false, true, 1, false),
            (true, false, 1, false),
            (true, true, 2, false),
            (true, true, 1, true),
        ] {
            assert!(!is_empty_without_log(is_wal, schema_is_empty, pages, log));
        }
    }
}
