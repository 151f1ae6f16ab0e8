//! Text as people read it: numbers and lists, untrusted text made safe to print, paths without the name of a home folder, words for a
//! shell.

pub(crate) mod escape;
pub(crate) mod paths;
pub(crate) mod shell;
pub(crate) mod words;
