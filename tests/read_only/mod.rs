//! Whatever is asked of it, the doctor leaves no trace, and reads the committed truth all the same.

mod busy;
mod endings;
mod hangs;
mod interruptions;
mod kernels;
mod odd_files;
mod odd_paths;
mod private_folder;
mod situations;
mod soak;
mod system_calls;
mod write_locked;

/// Plays a role of another process that only these tests need; returns false if there is no such role.
pub fn play(role: &str, store: &std::path::Path) -> bool {
    soak::play(role, store) || busy::play(role, store) || write_locked::play(role, store)
}
