//! Where an application's stores lie.

use std::borrow::Cow;
use std::env;
use std::path::{Path, PathBuf};

use crate::text::shown::home;

/// Where an application keeps its stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    /// A user's store, below `$XDG_STATE_HOME` or `~/.local/state`.
    pub(crate) user: Cow<'static, str>,
    /// The system's store.
    pub(crate) system: Cow<'static, str>,
}

impl Places {
    /// This user's store: below `$XDG_STATE_HOME`, or below `~/.local/state`.
    ///
    /// An `XDG_STATE_HOME` that is empty or relative is ignored, as the XDG Base Directory Specification asks.
    /// `None` without a home folder.
    pub(crate) fn user_store(&self) -> Option<PathBuf> {
        let state = env::var_os("XDG_STATE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| Some(home()?.join(".local/state")))?;
        Some(state.join(&*self.user))
    }

    /// A user's store below the folder for state.
    pub(crate) fn in_state_home(&self) -> &str {
        &self.user
    }

    /// The system's store.
    pub(crate) fn system_store(&self) -> &Path {
        Path::new(&*self.system)
    }

    /// The name of a store's file.
    pub(crate) fn file(&self) -> &str {
        self.user.rsplit('/').next().unwrap_or_default()
    }
}
