//! A folder of a test's own, and the binary run there in a scrubbed environment.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::io::PipeReader;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Once, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::footprint::{Footprint, everything_in, names};
use super::missing::find;

/// The user `nobody`.
const NOBODY: u32 = 65_534;

/// When a run counts as hung. No test waits for this unless it fails.
const HUNG: Duration = Duration::from_secs(120);

/// Lets the programs that tests start have the default disposition of each signal that the doctor handles.
///
/// A program inherits which signals are ignored: `nohup cargo test` ignores SIGHUP, and `cargo test &` in a script SIGINT. A
/// handler is not inherited: `execve` resets the signal to its default. So a handler that does nothing, as ignoring does, is
/// put in place of each ignored signal.
fn reset_ignored_signals() {
    const HANDLED: [Signal; 6] = [
        Signal::HUP,
        Signal::INT,
        Signal::QUIT,
        Signal::ALARM,
        Signal::TERM,
        Signal::XCPU,
    ];
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
        let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
        for signal in HANDLED.map(Signal::as_raw) {
            if mask >> (signal - 1) & 1 == 1 {
                signal_hook::flag::register(signal, Arc::default()).unwrap();
            }
        }
    });
}

/// A folder of a test's own, with a place for a store, for temporary files and for a home.
pub struct Place {
    root: TempDir,
}

impl Place {
    pub fn new() -> Self {
        reset_ignored_signals();
        let root = TempDir::with_prefix("doctor-test-").unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        mode(root.path(), 0o755);
        for (folder, bits) in [("store", 0o755), ("tmp", 0o1777), ("home", 0o755)] {
            let folder = root.path().join(folder);
            fs::create_dir(&folder).unwrap();
            mode(&folder, bits);
        }
        Self { root }
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The folder that the store lies in.
    pub fn folder(&self) -> PathBuf {
        self.root().join("store")
    }

    pub fn store(&self) -> PathBuf {
        self.folder().join("state.db")
    }

    pub fn tmp(&self) -> PathBuf {
        self.root().join("tmp")
    }

    pub fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// The names of what lies in the folder for temporary files.
    pub fn left_in_tmp(&self) -> Vec<String> {
        names(&self.tmp())
    }

    /// The binary, in an environment that is the same everywhere.
    pub fn doctor(&self) -> Doctor {
        self.program(Path::new(env!("CARGO_BIN_EXE_doctor")))
    }

    /// The binary, run by a user who owns nothing (where the tests are root's; otherwise by whoever runs them).
    pub fn doctor_of_nobody(&self) -> Doctor {
        if !is_root() {
            return self.doctor();
        }
        // The build's folder may be closed to others. Copied by another process: a descriptor open for writing in this
        // one could be inherited by a child of another test, and keep the copy from being run.
        let copy = self.root().join("doctor");
        if !copy.exists() {
            let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_doctor")).arg(&copy).status().unwrap();
            assert!(copied.success(), "cannot copy the binary");
            fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
        }
        self.program(&copy).run_by(Some(NOBODY))
    }

    /// The binary under `strace` with these options; what it sees goes to [`Place::trace`].
    pub fn traced_doctor(&self, options: &[&str]) -> Doctor {
        self.program(&strace())
            .args(["-f", "-y", "-s", "4096", "-o"])
            .arg(self.root().join("trace"))
            .args(options)
            .arg(env!("CARGO_BIN_EXE_doctor"))
    }

    /// What `strace` has seen so far.
    pub fn trace(&self) -> String {
        fs::read_to_string(self.root().join("trace")).unwrap_or_default()
    }

    /// A program in the doctor's environment.
    pub fn program(&self, program: &Path) -> Doctor {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.home())
            .env("TMPDIR", self.tmp())
            .current_dir(self.root());
        Doctor::of(command, self.root())
    }

    /// What lies in the store's folder.
    pub fn footprint(&self) -> Footprint {
        Footprint::of(&self.folder())
    }

    /// Gives the store's folder and all in it to `nobody`.
    pub fn give_to_nobody(&self) {
        for path in everything_in(&self.folder()) {
            lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A folder that a test closed to writers could not be emptied.
        let _ = fs::set_permissions(self.folder(), Permissions::from_mode(0o755));
    }
}

/// Whether the tests may change owners and be other users.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// The binary, about to be run.
pub struct Doctor {
    pub command: Command,
    user: Option<u32>,
    root: PathBuf,
}

/// What the kernel has to hold a process with. What it has not is refused by `strace` as such a kernel refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// What this machine's has.
    Whole,
    WithoutLandlock,
    WithoutSeccomp,
    WithoutBoth,
}

impl Kernel {
    pub const ALL: [Self; 4] = [
        Self::Whole,
        Self::WithoutLandlock,
        Self::WithoutSeccomp,
        Self::WithoutBoth,
    ];

    /// Options of `strace`'s that refuse what this kernel has not.
    pub fn refusing(self) -> &'static [&'static str] {
        match self {
            Self::Whole => &[],
            Self::WithoutLandlock => &["-e", "inject=landlock_create_ruleset:error=ENOSYS"],
            Self::WithoutSeccomp => &["-e", "inject=seccomp:error=ENOSYS"],
            Self::WithoutBoth => &["-e", "inject=landlock_create_ruleset,seccomp:error=ENOSYS"],
        }
    }

    /// Whether it says no to writes.
    pub fn holds(self) -> bool {
        has_landlock() && matches!(self, Self::Whole | Self::WithoutSeccomp)
    }
}

/// Where `strace` lies; a test names it first as what it [`needs`](super::needs).
fn strace() -> PathBuf {
    find("strace").expect("strace is here")
}

impl Doctor {
    fn of(mut command: Command, root: &Path) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self {
            command,
            user: None,
            root: root.to_path_buf(),
        }
    }

    fn run_by(mut self, user: Option<u32>) -> Self {
        if let Some(id) = user {
            self.command.uid(id).gid(id);
        }
        self.user = user;
        self
    }

    /// The same on another kernel. Redirect its streams afterwards.
    pub fn on(self, kernel: Kernel) -> Self {
        if kernel == Kernel::Whole {
            return self;
        }
        // No other call is slowed down: what holds a lock for a moment would hold it for long.
        let only_these = ["--seccomp-bpf", "-e", "trace=landlock_create_ruleset,seccomp"];
        let mut command = Command::new(strace());
        command.args(["-f", "-o", "/dev/null"]).args(only_these).args(kernel.refusing());
        command.arg(self.command.get_program()).args(self.command.get_args());
        command
            .env_clear()
            .envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(self.command.get_current_dir().unwrap_or(&self.root));
        Self::of(command, &self.root).run_by(self.user)
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

    pub fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stdout(to);
        self
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
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends it a signal, and waits until it has received it: a second one is a second one then.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
        self.wait_for("the signal", || {
            let pending = self.proc("status");
            let pending = pending.lines().find_map(|line| line.strip_prefix("ShdPnd:")).unwrap_or_default();
            let pending = u64::from_str_radix(pending.trim(), 16).unwrap_or(0);
            pending >> (signal.as_raw() - 1) & 1 == 0
        });
    }

    /// Waits until it has used so much processor time: it is at work then, however busy the machine is.
    pub fn wait_for_cpu_time(&self, time: Duration) {
        // `/proc` counts in hundredths of a second.
        let wanted = time.as_millis() / 10;
        self.wait_for("processor time", || {
            let stat = self.proc("stat");
            // The name of the program may hold spaces.
            let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
            let ticks = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u128>().unwrap());
            ticks.sum::<u128>() >= wanted
        });
    }

    /// Waits until it has this file open.
    pub fn wait_until_open(&self, path: &Path) {
        self.wait_for("an open file", || {
            let open = fs::read_dir(format!("/proc/{}/fd", self.pid().as_raw_nonzero()));
            open.into_iter()
                .flatten()
                .flatten()
                .any(|file| fs::read_link(file.path()).is_ok_and(|to| to == path))
        });
    }

    /// Waits until half of this pipe, to which it writes and which is not read, is full: soon it can write no more.
    pub fn wait_for_output(&self, reader: &PipeReader) {
        self.wait_for("output", || rustix::io::ioctl_fionread(reader).unwrap() >= 32 << 10);
    }

    fn proc(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.pid().as_raw_nonzero())).unwrap_or_default()
    }

    /// Waits until this is so, or the run has ended.
    fn wait_for(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !is_so() && !self.proc("stat").contains(") Z ") {
            assert!(begun.elapsed() < HUNG, "it waits for {what}");
            thread::sleep(Duration::from_millis(2));
        }
    }

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
        text.lines()
            .map(|line| without_unseen_programs(&without_sandbox(&without_random_name(line))) + "\n")
            .collect()
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

/// Leaves out what this machine, or this user, keeps from the check `in-use`.
fn without_unseen_programs(line: &str) -> String {
    let line = line.replace("no program that can be seen has it open", "no program has it open");
    let line = line.replace("; the system hides other users' programs", "");
    match line.find(" may not be looked at") {
        Some(end) => line
            .get(..end)
            .and_then(|before| before.rsplit_once("; "))
            .map_or(line.clone(), |(before, _)| before.to_owned()),
        None => line,
    }
}

/// Writes `[SANDBOX]` for what this kernel holds a process to.
fn without_sandbox(line: &str) -> String {
    match line.split_once("; sandbox: ") {
        Some((before, _)) => format!("{before}; sandbox: [SANDBOX]"),
        None => line.to_owned(),
    }
}

/// Whether this kernel has Landlock: the doctor's own word for it.
pub fn has_landlock() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let ran = Place::new().doctor().args(["--format", "json", "nothing.db"]).run();
        ran.report()["sandbox"].as_str().unwrap().starts_with("landlock")
    })
}
