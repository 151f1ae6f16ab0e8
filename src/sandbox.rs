//! Gives up the process's right to write, before any byte of a store reaches SQLite: with Landlock what is in files and
//! folders, with seccomp what Landlock leaves out, their owners, modes and times.

use std::collections::BTreeMap;
use std::fmt;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use crate::private::PrivateFolder;

/// The newest Landlock whose rights are asked for; an older kernel gives up what it knows.
const NEWEST: ABI = ABI::V7;

/// What the kernel holds the process to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sandbox {
    /// Landlock, at this version of its interface: no file can be created, written, truncated, renamed or removed
    /// outside the private folder, and no network used.
    Landlock {
        /// The version of Landlock's interface.
        abi: i32,
        /// Whether owners, modes and times cannot be changed either (seccomp).
        metadata: bool,
    },
    /// No Landlock, and why.
    None {
        /// Why.
        why: String,
        /// Whether owners, modes and times cannot be changed nevertheless (seccomp).
        metadata: bool,
    },
}

impl Sandbox {
    /// Gives up the right to write anywhere but in `private`, for good. Call it before any thread is started: it holds
    /// for the calling thread and those that it starts.
    ///
    /// Where the kernel cannot, the answer says so and nothing is given up.
    pub fn enter(private: Option<&PrivateFolder>) -> Self {
        let landlock = if left_out() {
            Err("switched off by a test".to_owned())
        } else {
            restrict(private)
        };
        let metadata = forbid_metadata().is_ok();
        match landlock {
            Ok(abi) => Self::Landlock { abi, metadata },
            Err(why) => Self::None { why, metadata },
        }
    }

    /// Not asked for: the caller of the library decides for its own process.
    pub fn not_asked() -> Self {
        Self::None {
            why: "not asked for".to_owned(),
            metadata: false,
        }
    }

    /// Whether the kernel says no to writes.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Landlock { .. })
    }

    /// Whether SQLite, opening a WAL, cannot change its owner or ctime: the kernel forbids it, or this process is not root's.
    pub fn metadata_is_safe(&self) -> bool {
        self.holds_metadata() || !rustix::process::geteuid().is_root()
    }

    /// Whether the kernel says no to changes of owners, modes and times.
    fn holds_metadata(&self) -> bool {
        matches!(self, Self::Landlock { metadata: true, .. } | Self::None { metadata: true, .. })
    }
}

/// Whether a build for tests was told to go without Landlock.
fn left_out() -> bool {
    cfg!(feature = "test-without-sandbox") && std::env::var_os("DOCTOR_TEST_NO_SANDBOX").is_some()
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Landlock { abi, .. } => write!(f, "landlock {abi}")?,
            Self::None { why, .. } => write!(f, "none ({why})")?,
        }
        f.write_str(if self.holds_metadata() { " + seccomp" } else { "" })
    }
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

/// Lets the kernel refuse [`METADATA_CALLS`] from here on, with "operation not permitted".
fn forbid_metadata() -> Result<(), Box<dyn std::error::Error>> {
    let calls: BTreeMap<i64, Vec<_>> = METADATA_CALLS.iter().map(|call| (*call, Vec::new())).collect();
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(calls, SeccompAction::Allow, refuse, std::env::consts::ARCH.try_into()?)?;
    seccompiler::apply_filter(&BpfProgram::try_from(filter)?)?;
    Ok(())
}

/// Enters Landlock; its interface's version, or why not.
fn restrict(private: Option<&PrivateFolder>) -> Result<i32, String> {
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

fn enforce(private: Option<&PrivateFolder>) -> Result<RestrictionStatus, Box<dyn std::error::Error>> {
    let writes = AccessFs::from_write(NEWEST);
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(writes)?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    if let Some(folder) = private {
        ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(folder.path())?, writes))?;
        // To remove the folder itself is a right on the folder that holds it. It covers empty folders alone.
        if let Some(parent) = folder.path().parent() {
            let removal: BitFlags<AccessFs> = AccessFs::RemoveDir.into();
            ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(parent)?, removal))?;
        }
    }
    Ok(ruleset.restrict_self()?)
}
