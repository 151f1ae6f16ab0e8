//! Gives up the process's right to write, before any byte of a store reaches SQLite: with Landlock what is in files and
//! folders, with seccomp what Landlock leaves out, their owners, modes and times.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;
use std::{fmt, io, thread};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::private_copy::PrivateFolder;
use super::read_method::{Purpose, may_need_copy};

/// The newest Landlock whose rights are asked for; an older kernel gives up what it knows.
const NEWEST: ABI = ABI::V7;

/// The limits that the kernel enforces on the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sandbox {
    /// Landlock, at this version of its interface: no file can be created, written, truncated, renamed or removed
    /// outside the private folder, and no network used.
    Landlock {
        /// The version of Landlock's interface.
        abi: i32,
        /// True when owners, modes and times cannot be changed either (seccomp).
        metadata: bool,
    },
    /// No Landlock.
    None {
        /// The reason.
        why: String,
        /// True when owners, modes and times cannot be changed nevertheless (seccomp).
        metadata: bool,
    },
    /// None: the process is not the doctor's own but that of a caller of the library, which decides for it.
    NotAsked,
}

impl Sandbox {
    /// Gives up the right to write anywhere but in `private`, for good. Call it before any thread is started: it holds
    /// for the calling thread and those that it starts.
    ///
    /// seccomp comes first, because whether a private folder is needed depends on what the kernel says; then the folder,
    /// because Landlock must know it; then Landlock. Where the kernel has none of them, the answer says so and nothing is
    /// given up.
    pub(crate) fn enter(private: &PrivateFolder, purpose: Purpose) -> Self {
        let metadata = forbid(METADATA_CALLS, &[], libc::EPERM).is_ok();
        if purpose.opened {
            private.create_if_needed(|probe| may_need_copy(probe, purpose, owners_are_safe(metadata)));
        }
        match restrict(private.path()) {
            Ok(abi) => {
                private.seal();
                Self::Landlock { abi, metadata }
            }
            // A folder can then still be made when it is first needed.
            Err(why) => Self::None { why, metadata },
        }
    }

    /// Returns the sandbox of a library call: the caller decides for its own process.
    pub(crate) fn not_asked() -> Self {
        Self::NotAsked
    }

    /// Returns true when SQLite can open a store's files in place without changing anything, because the kernel refuses every
    /// change: [`Sandbox::without_writing`] says how.
    pub(crate) fn opens_in_place(&self) -> bool {
        self.guard() != Guard::Missing
    }

    /// Lets SQLite open a store where the kernel refuses to open any of its files for writing, or to change their owners.
    ///
    /// SQLite opens a WAL for writing even where it only reads, which an overlay file system answers by copying the file up,
    /// and, run by root, gives it to the database's owner. The process is held to neither without Landlock or without
    /// seccomp. seccomp alone can hold a thread to both: SQLite opens the files there, and the handle is used here. A handle
    /// opens no file after its first statement, because it stays in one read transaction.
    ///
    /// # Errors
    /// Fails if such a thread is needed and cannot be started, or the kernel takes no filter for it.
    pub(crate) fn without_writing<T: Send>(&self, open: impl FnOnce() -> T + Send) -> io::Result<T> {
        if self.guard() != Guard::Thread {
            return Ok(open());
        }
        on_a_thread(|| {
            forbid_writing().map_err(|error| io::Error::other(error.to_string()))?;
            Ok(open())
        })
    }

    /// Returns the guard that keeps SQLite from changing a WAL that it opens.
    fn guard(&self) -> Guard {
        static THREADS_CAN_BE_HELD: OnceLock<bool> = OnceLock::new();
        match self {
            Self::Landlock { metadata, .. } if owners_are_safe(*metadata) => Guard::Process,
            Self::Landlock { .. } | Self::None { metadata: false, .. } => Guard::Missing,
            Self::None { metadata: true, .. } => Guard::Thread,
            Self::NotAsked => {
                let tried = || on_a_thread(|| Ok(forbid_writing().is_ok())).unwrap_or(false);
                if *THREADS_CAN_BE_HELD.get_or_init(tried) {
                    Guard::Thread
                } else {
                    Guard::Missing
                }
            }
        }
    }

    /// Returns true when the kernel refuses changes of owners, modes and times.
    fn holds_metadata(&self) -> bool {
        matches!(self, Self::Landlock { metadata: true, .. } | Self::None { metadata: true, .. })
    }
}

/// Returns true when SQLite cannot change the owner of a WAL that it opens: seccomp forbids it, or this process is not root's.
fn owners_are_safe(metadata: bool) -> bool {
    metadata || !rustix::process::geteuid().is_root()
}

/// The guard that keeps SQLite from changing a WAL that it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// The kernel, whatever thread opens it.
    Process,
    /// The kernel, on a thread that gave up its right to write.
    Thread,
    /// None: a WAL is read from a copy.
    Missing,
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Landlock { abi, .. } => write!(f, "landlock {abi}")?,
            Self::None { why, .. } => write!(f, "none ({why})")?,
            Self::NotAsked => f.write_str("none (not asked for)")?,
        }
        f.write_str(if self.holds_metadata() { " + seccomp" } else { "" })
    }
}

/// Runs `work` on a thread of its own.
fn on_a_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let started = thread::Builder::new().spawn_scoped(scope, work)?;
        started.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// System calls that change a file's owner, mode or times. Landlock does not cover them, and SQLite, run by root, gives a
/// WAL that it opens to the database's owner, which changes its ctime even where the owner is the same (`os_unix.c`,
/// `unixOpen`). The list is no longer than it must be: the kernel tries a filter on every system call when it is installed.
const METADATA_CALLS: &[libc::c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utime,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_futimesat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
];

/// System calls that open a file, with the argument that says how.
const OPENING_CALLS: &[(libc::c_long, u8)] = &[
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, 1),
    (libc::SYS_openat, 2),
];

/// Lets the kernel refuse, for this thread and for good, what could change a file that SQLite opens: its content, its owner,
/// its mode, its times.
fn forbid_writing() -> Result<(), Box<dyn std::error::Error>> {
    // As Landlock refuses it: SQLite then opens the file for reading.
    forbid(METADATA_CALLS, OPENING_CALLS, libc::EACCES)
}

/// Lets the kernel refuse, from here on and with this error, all of these calls, and those of the others that open for writing.
fn forbid(
    calls: &[libc::c_long],
    opening: &[(libc::c_long, u8)],
    error: libc::c_int,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = calls.iter().map(|call| (*call, Vec::new())).collect();
    for (call, how) in opening {
        rules.insert(*call, for_writing(*how)?);
    }
    let refuse = SeccompAction::Errno(error.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, std::env::consts::ARCH.try_into()?)?;
    seccompiler::apply_filter(&BpfProgram::try_from(filter)?)?;
    Ok(())
}

/// The rules that a call breaks that opens a file for writing or makes it, recognised by its argument `how`.
fn for_writing(how: u8) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let rule = |(mask, flags): (libc::c_int, libc::c_int)| {
        let bits = SeccompCmpOp::MaskedEq(u64::from(mask.unsigned_abs()));
        let flags = u64::from(flags.unsigned_abs());
        SeccompRule::new(vec![SeccompCondition::new(how, SeccompCmpArgLen::Dword, bits, flags)?])
    };
    let how_written = [
        (libc::O_ACCMODE, libc::O_WRONLY),
        (libc::O_ACCMODE, libc::O_RDWR),
        (libc::O_CREAT, libc::O_CREAT),
    ];
    how_written.into_iter().map(rule).collect()
}

/// Enters Landlock and returns its interface's version, or the reason for which it could not.
fn restrict(private: Option<&Path>) -> Result<i32, String> {
    let status = enforce(private).map_err(|error| format!("Landlock refused: {error}"))?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => {
            Err("this kernel has Landlock switched off".to_owned())
        }
        (
            RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced,
            LandlockStatus::Available {
                effective_abi,
                kernel_abi,
            },
        ) => Ok(kernel_abi.unwrap_or(effective_abi as i32)),
        _ => Err("this kernel has no Landlock".to_owned()),
    }
}

fn enforce(private: Option<&Path>) -> Result<RestrictionStatus, Box<dyn std::error::Error>> {
    let writes = AccessFs::from_write(NEWEST);
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(writes)?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    if let Some(folder) = private {
        ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(folder)?, writes))?;
        // To remove the folder itself is a right on the folder that holds it. It covers empty folders alone.
        if let Some(parent) = folder.parent() {
            let removal: BitFlags<AccessFs> = AccessFs::RemoveDir.into();
            ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(parent)?, removal))?;
        }
    }
    Ok(ruleset.restrict_self()?)
}
