//! What a test needs and a machine may lack: then the test says so in a line on standard error, and is left out.
//!
//! With `DOCTOR_TESTS_MUST_NOT_SKIP=1` that is a failure, but for what `DOCTOR_TESTS_MAY_SKIP` lists (`root,mount`).

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::place::{has_landlock, is_root};

/// Ends a test that needs something that is not here: `needs!("strace", "root")`. What can be asked for: [`is_here`].
macro_rules! needs {
    ($($what:expr),+) => {
        $(if !$crate::support::missing::is_here($what) {
            return $crate::support::missing::skipped!($what);
        })+
    };
}

/// Says that the test around it was left out, or this part of it, and what it needs.
macro_rules! skipped {
    ($what:expr) => {
        $crate::support::missing::skipped!($what, "")
    };
    ($what:expr, $part:expr) => {{
        fn here() {}
        $crate::support::missing::say_skipped(std::any::type_name_of_val(&here), $part, $what)
    }};
}

/// The kernels that a test is run on: without `strace` this machine's own alone, and that is said.
macro_rules! kernels {
    () => {
        if $crate::support::missing::is_here("strace") {
            &$crate::support::Kernel::ALL[..]
        } else {
            $crate::support::missing::skipped!("strace", "on other kernels");
            &[$crate::support::Kernel::Whole][..]
        }
    };
}

pub(crate) use kernels;
pub(crate) use needs;
pub(crate) use skipped;

/// Whether this is here: `root`, `landlock`, or else a program that runs.
pub fn is_here(what: &str) -> bool {
    match what {
        "root" => is_root(),
        "landlock" => has_landlock(),
        program => find(program).is_some_and(|path| {
            let mut trial = Command::new(path);
            trial
                .args(trial_of(program))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            trial.status().is_ok_and(|status| status.success())
        }),
    }
}

/// Where a program lies.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Arguments with which a program does a little of what the tests want of it, and ends with 0.
fn trial_of(program: &str) -> &'static [&'static str] {
    match program {
        // A container may forbid to trace.
        "strace" => &["-f", "-o", "/dev/null", "true"],
        // Other systems have another `script`.
        "script" => &["-qec", "true", "/dev/null"],
        _ => &["--version"],
    }
}

/// What [`skipped!`] says. `here` is the path of a function within the test.
pub fn say_skipped(here: &str, part: &str, what: &str) {
    let test = here.trim_end_matches("::here").trim_end_matches("::{{closure}}");
    let test = test.split_once("::").map_or(test, |(_, test)| test);
    let test = format!("{test} {part}");
    let test = test.trim_end();
    let may = env::var("DOCTOR_TESTS_MAY_SKIP").unwrap_or_default();
    let must_not = env::var_os("DOCTOR_TESTS_MUST_NOT_SKIP").is_some_and(|value| !value.is_empty());
    assert!(
        !must_not || may.split(',').any(|allowed| allowed == what),
        "{test} needs {what}, and with DOCTOR_TESTS_MUST_NOT_SKIP no test may be skipped"
    );
    // Not by `eprintln!`, whose lines are shown only where a test fails.
    let _ = io::stderr().write_all(format!("skipped: {test}: needs {what}\n").as_bytes());
}
