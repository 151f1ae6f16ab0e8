//! No system call of the doctor's that succeeds could change anything outside its private folder and its standard streams.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::stores::{Lies, sized};
use crate::support::{Kernel, Place, needs};

/// Calls that change what their paths, or the files behind their descriptors, name.
const CHANGES: &[&str] = &[
    "chmod",
    "chown",
    "copy_file_range",
    "creat",
    "fallocate",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "fchown",
    "fchownat",
    "fremovexattr",
    "fsetxattr",
    "ftruncate",
    "futimesat",
    "lchown",
    "link",
    "linkat",
    "lremovexattr",
    "lsetxattr",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "mount",
    "move_mount",
    "open_tree",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "removexattr",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "sendfile",
    "setxattr",
    "symlink",
    "symlinkat",
    "truncate",
    "umount2",
    "unlink",
    "unlinkat",
    "utime",
    "utimensat",
    "utimes",
    "write",
    "writev",
];

/// Calls that reach beyond this machine's files.
const REACHES_OUT: &[&str] = &["bind", "connect", "sendmsg", "sendto", "socket"];

/// A call that succeeded.
struct Call<'a> {
    name: &'a str,
    arguments: &'a str,
    result: &'a str,
}

impl<'a> Call<'a> {
    /// Reads a whole line of `strace -f`; `None` for what is no call, and for a call that failed.
    fn succeeded(line: &'a str) -> Option<Self> {
        let (_, call) = line.split_once(' ')?;
        let (name, rest) = call.trim_start().split_once('(')?;
        let (arguments, result) = rest.rsplit_once(" = ")?;
        let failed = result.starts_with('-') || result.starts_with('?');
        (!failed).then_some(Self {
            name,
            arguments,
            result,
        })
    }

    /// The paths that it names, and those of the descriptors that it was given; of a file that was opened, its own.
    fn paths(&self) -> Vec<PathBuf> {
        if self.opens_for_writing() {
            let opened = self.result.split_once('<').and_then(|(_, path)| path.split_once('>'));
            return vec![opened.map_or_else(PathBuf::new, |(path, _)| path.into())];
        }
        let mut folder = PathBuf::new();
        let mut paths = Vec::new();
        let mut rest = self.arguments;
        while let Some(at) = rest.find(['<', '"']) {
            let end = if rest[at..].starts_with('<') { '>' } else { '"' };
            let Some(length) = rest[at + 1..].find(end) else { break };
            let text = &rest[at + 1..at + 1 + length];
            if end == '>' {
                folder = text.into();
            } else {
                paths.push(folder.join(text));
            }
            rest = &rest[at + 2 + length..];
        }
        // A descriptor alone is what the call is about.
        if paths.is_empty() || self.name.contains("write") || self.name.starts_with('f') && !self.name.ends_with("at") {
            return vec![folder];
        }
        paths
    }

    /// Whether it opens a file so that it could be written to, or makes it.
    fn opens_for_writing(&self) -> bool {
        matches!(self.name, "open" | "openat" | "openat2")
            && ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_TMPFILE"]
                .iter()
                .any(|flag| self.arguments.contains(flag))
    }

    /// Whether it maps a file into memory so that what is written there is written to the file.
    fn maps_for_writing(&self) -> bool {
        self.name == "mmap" && self.arguments.contains("MAP_SHARED") && self.arguments.contains("PROT_WRITE")
    }

    /// Whether it takes a lock that keeps others from reading or writing.
    fn takes_a_writers_lock(&self) -> bool {
        self.name == "fcntl" && self.arguments.contains("SETLK") && self.arguments.contains("F_WRLCK")
    }

    /// Whether it could change something that is not the doctor's own.
    fn trespasses(&self, private: &Path) -> bool {
        if REACHES_OUT.contains(&self.name) {
            return true;
        }
        let own = |path: &PathBuf| {
            let text = path.to_string_lossy();
            text.starts_with(&*private.to_string_lossy()) || text.starts_with("pipe:") || text == "/dev/null"
        };
        let changes = CHANGES.contains(&self.name) || self.maps_for_writing() || self.takes_a_writers_lock();
        (changes || self.opens_for_writing()) && !self.paths().iter().all(own)
    }
}

/// The lines of a trace, calls that were interrupted by other threads' put together again.
fn whole_lines(trace: &str) -> Vec<String> {
    let mut begun: HashMap<&str, &str> = HashMap::new();
    let mut lines = Vec::new();
    for line in trace.lines() {
        let (pid, rest) = line.split_once(' ').unwrap_or((line, ""));
        if let Some(first) = line.strip_suffix(" <unfinished ...>") {
            begun.insert(pid, first);
        } else if let (true, Some((_, end))) = (rest.trim_start().starts_with("<... "), rest.split_once(" resumed>")) {
            lines.push(format!("{}{end}", begun.remove(pid).unwrap_or_default()));
        } else {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// The calls in a trace that could change something that is not the doctor's own.
fn trespasses(place: &Place) -> Vec<String> {
    let private = place.tmp().join("doctor-");
    let lines = whole_lines(&place.trace());
    assert!(lines.len() > 50, "the trace is too short to be one");
    let trespasses = |line: &String| Call::succeeded(line).is_some_and(|call| call.trespasses(&private));
    lines.into_iter().filter(trespasses).collect()
}

/// Whether a private folder was made.
pub fn made_a_folder(place: &Place) -> bool {
    let lines = whole_lines(&place.trace());
    lines
        .iter()
        .any(|line| Call::succeeded(line).is_some_and(|call| call.name.starts_with("mkdir")))
}

#[test]
fn nothing_outside_the_private_folder_could_be_changed_in_any_situation_on_any_kernel() {
    needs!("strace");
    for lies in Lies::ALL {
        let place = Place::new();
        let daemon = lies.make(&place.store());
        for kernel in Kernel::ALL {
            for arguments in [&[][..], &["--format", "json"], &["--check-migrations"]] {
                let when = format!("{lies:?} {arguments:?} {kernel:?}");
                place.traced_doctor(kernel.refusing()).args(arguments).arg(place.store()).run();
                assert_eq!(trespasses(&place), [""; 0], "{when}");
                assert_eq!(
                    made_a_folder(&place),
                    lies.needs_a_copy(kernel),
                    "{when}: a private folder only where a copy is needed"
                );
            }
        }
        drop(daemon);
    }
}

#[test]
fn nothing_outside_the_private_folder_could_be_changed_for_a_store_too_large_for_memory() {
    needs!("strace");
    let place = Place::new();
    sized(&place.store(), 30_000);
    place.traced_doctor(&[]).arg(place.store()).run();
    assert_eq!(trespasses(&place), [""; 0]);
}

#[test]
fn what_this_looks_for_is_seen_where_it_happens() {
    needs!("strace");
    let place = Place::new();
    let store = place.store();
    let store = store.to_str().unwrap();
    let script = format!(
        "touch {store}; echo x >> {store}; mv {store} {store}2; chmod 600 {store}2; mkdir {store}3; rmdir {store}3; rm {store}2"
    );
    let trace = place.root().join("trace");
    let mut shell = Command::new("strace");
    shell.args(["-f", "-y", "-o"]).arg(trace).args(["/bin/sh", "-c", &script]);
    assert!(shell.status().unwrap().success());
    let seen = trespasses(&place);
    for call in [
        "openat(",
        "write(",
        "utimensat(",
        "rename",
        "fchmodat",
        "mkdir(",
        "rmdir(",
        "unlinkat(",
    ] {
        assert!(seen.iter().any(|line| line.contains(call)), "{call} is not seen: {seen:#?}");
    }
}
