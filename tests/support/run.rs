//! The binary, about to be run, running, and how it ended.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// When a run counts as hung. No test waits for this unless it fails.
const HUNG: Duration = Duration::from_secs(120);

/// The binary, about to be run.
pub struct Doctor {
    pub command: Command,
    root: PathBuf,
}

impl Doctor {
    /// A program that knows nothing of whoever runs the tests, in this folder.
    pub fn new(program: &Path, folder: &Path) -> Self {
        let mut command = Command::new(program);
        command
            .env_clear()
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self {
            command,
            root: folder.to_path_buf(),
        }
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    pub fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stdout(to);
        self
    }

    /// Leaves Landlock out, where the binary was built for that.
    pub fn sandboxed(self, yes: bool) -> Self {
        if yes {
            self
        } else {
            self.env("DOCTOR_TEST_NO_SANDBOX", "1")
        }
    }

    pub fn run(self) -> Ran {
        self.start().end()
    }

    pub fn start(mut self) -> Running {
        Running {
            child: self.command.spawn().expect("the binary can be run"),
            root: self.root,
        }
    }
}

/// The binary while it runs.
pub struct Running {
    child: Child,
    root: PathBuf,
}

impl Running {
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the end; a run that hangs is ended, and fails the test.
    pub fn end(self) -> Ran {
        let Self { child, root } = self;
        let pid = Pid::from_child(&child);
        let (send, receive) = mpsc::channel();
        thread::spawn(move || send.send(child.wait_with_output()));
        let Ok(output) = receive.recv_timeout(HUNG) else {
            kill_process(pid, Signal::KILL).unwrap();
            panic!("it hangs");
        };
        let output = output.unwrap();
        Ran {
            code: output.status.code(),
            signal: output.status.signal(),
            stdout: String::from_utf8(output.stdout).expect("the output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("the messages are UTF-8"),
            root,
        }
    }
}

/// How a run ended, and what it said.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    root: PathBuf,
}

impl Ran {
    /// All that it said and how it ended, as one text; the test's folder, the sandbox and versions are written as placeholders.
    pub fn text(&self) -> String {
        let mut text = self.shown_stdout();
        if !self.stderr.is_empty() {
            let _ = write!(text, "--- stderr ---\n{}", self.placeholders(&self.stderr));
        }
        match (self.code, self.signal) {
            (Some(code), _) => text += &format!("--- exit {code} ---"),
            (None, signal) => text += &format!("--- killed by signal {signal:?} ---"),
        }
        text
    }

    /// What it printed, with placeholders.
    pub fn shown_stdout(&self) -> String {
        self.placeholders(&self.stdout)
    }

    fn placeholders(&self, text: &str) -> String {
        let text = text.replace(self.root.to_str().unwrap(), "[PLACE]");
        text.lines().map(|line| without_sandbox(&without_random_name(line)) + "\n").collect()
    }

    /// The report, from `--format json`.
    pub fn report(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no report: {error}: {self:?}"))
    }

    /// The checks whose rows failed, from `--format json`.
    pub fn failing(&self) -> Vec<String> {
        let report = self.report();
        let rows = report["rows"].as_array().expect("a report has rows").clone();
        rows.iter()
            .filter(|row| row["status"] == "fail")
            .map(|row| row["check"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The row of a check, from `--format json`.
    pub fn row(&self, check: &str) -> Value {
        let report = self.report();
        let row = report["rows"].as_array().unwrap().iter().find(|row| row["check"] == check);
        row.cloned().unwrap_or_else(|| panic!("no row {check}: {self:?}"))
    }
}

/// Writes `[RANDOM]` for what distinguishes a private folder's name.
fn without_random_name(line: &str) -> String {
    const BEFORE: &str = "/tmp/doctor-";
    match line.split_once(BEFORE) {
        Some((before, name)) => format!("{before}{BEFORE}[RANDOM]{}", name.get(6..).unwrap_or_default()),
        None => line.to_owned(),
    }
}

/// Writes `[SANDBOX]` for what this kernel holds a process to.
fn without_sandbox(line: &str) -> String {
    match line.split_once("; sandbox: ") {
        Some((before, _)) => format!("{before}; sandbox: [SANDBOX]"),
        None => line.to_owned(),
    }
}

/// A row as text: status, detail, each finding and the remedy.
pub fn whole(row: &Value) -> String {
    let mut text = format!("{}: {}\n", row["status"].as_str().unwrap(), row["detail"].as_str().unwrap());
    for finding in row["findings"].as_array().into_iter().flatten() {
        let mut finding = finding.as_object().unwrap().clone();
        let what = finding.remove("what").unwrap();
        let place: Vec<String> = finding.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let _ = writeln!(text, "  {}: {}", place.join(", "), what.as_str().unwrap());
    }
    if let Some(total) = row["findings_total"].as_u64() {
        let least = if row["findings_at_least"] == true {
            "at least "
        } else {
            ""
        };
        let _ = writeln!(text, "  {least}{total} in all");
    }
    if let Some(remedy) = row["remedy"].as_str() {
        let _ = writeln!(text, "  -> {remedy}");
    }
    text
}

/// A row in short: status and detail, and beneath it what is wrong where.
pub fn in_short(row: &Value) -> String {
    let mut text = format!("{}: {}", row["status"].as_str().unwrap(), row["detail"].as_str().unwrap());
    for finding in row["findings"].as_array().into_iter().flatten() {
        let place: Vec<String> = ["table", "index", "column", "id"]
            .iter()
            .filter_map(|key| finding.get(*key))
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            .collect();
        let _ = write!(text, "\n - {}: {}", place.join(" "), finding["what"].as_str().unwrap());
    }
    text
}
