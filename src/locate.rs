//! Where this user's store and the system's store live.

use std::env;
use std::path::{Path, PathBuf};

/// The system's store.
pub const SYSTEM_STORE: &str = "/var/lib/banger/state.db";

/// This user's store: `$XDG_STATE_HOME/banger/state.db`, or `~/.local/state/banger/state.db`.
///
/// An `XDG_STATE_HOME` that is empty or relative is ignored, as the XDG Base Directory Specification asks.
/// `None` without a home folder.
pub fn user_store() -> Option<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(home()?.join(".local/state")))?;
    Some(state.join("banger/state.db"))
}

/// This user's home folder, by `$HOME`.
fn home() -> Option<PathBuf> {
    env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The path as it may be shown: a home folder, this user's or another's, is written `~`.
pub fn shown(path: &Path) -> String {
    let mut text = lossless(path);
    if let Some(home) = home().filter(|home| home.parent().is_some()) {
        text = without(&text, &lossless(&home));
    }
    without_other_homes(&text)
}

/// Writes `~` for each whole `home` at the start of a path.
fn without(text: &str, home: &str) -> String {
    match text.strip_prefix(home.trim_end_matches('/')) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("~{rest}"),
        _ => text.to_owned(),
    }
}

/// Writes `~` for `/home/NAME`, `/Users/NAME` and `/root`.
fn without_other_homes(text: &str) -> String {
    for parent in ["/home/", "/Users/"] {
        if let Some(rest) = text.strip_prefix(parent)
            && let Some(slash) = rest.find('/')
        {
            return format!("~{}", &rest[slash..]);
        }
    }
    without(text, "/root")
}

/// The path as text, each byte that is not UTF-8 written `\xff`.
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

    #[test]
    fn a_home_folder_is_written_as_a_tilde_and_nothing_else_is() {
        assert_eq!(without("/home/op/x/state.db", "/home/op"), "~/x/state.db");
        assert_eq!(without("/home/operator/x", "/home/op"), "/home/operator/x");
        assert_eq!(without_other_homes("/home/someone/state.db"), "~/state.db");
        assert_eq!(without_other_homes("/root/state.db"), "~/state.db");
        assert_eq!(without_other_homes("/var/lib/banger/state.db"), "/var/lib/banger/state.db");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_spelled_out() {
        assert_eq!(lossless(Path::new(OsStr::from_bytes(b"/a/\xff\xfe.db"))), "/a/\\xff\\xfe.db");
    }
}
