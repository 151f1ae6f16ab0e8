//! The state that all stores share: the arguments, the right to write that is given up, and how the program ends.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;

use crate::application::Application;
use crate::checks;
use crate::checks::check::Input;
use crate::examine::{self, Answers, Options};
use crate::findings::check_id::CheckId;
use crate::limits::stop::Stop;
use crate::probe::in_use::{self, Sighting};
use crate::program::cli::{Args, Format};
use crate::program::gate::EXIT_CANNOT_TELL;
use crate::program::signals::Signals;
use crate::program::watchdog::Watchdog;
use crate::report::Report;
use crate::store::Environment;
use crate::store::sandbox::Sandbox;
use crate::store::{PrivateFolder, Purpose};
use crate::text::paths;

/// The most memory that SQLite may take in the whole process, in bytes; with the rest of the program this stays below 64 MiB.
const HEAP_LIMIT: u64 = 40 << 20;

/// The state that all stores share: arguments, signals, watchdog, private folder, sandbox.
pub(super) struct Session {
    pub args: Args,
    pub stores: Vec<PathBuf>,
    pub signals: Signals,
    pub watchdog: Watchdog,
    pub checks: Vec<CheckId>,
    /// Whose stores they are.
    pub application: Application,
    /// Who has each of the stores open, where that was looked for.
    users: HashMap<PathBuf, Sighting>,
    private: PrivateFolder,
    sandbox: Sandbox,
}

impl Session {
    /// Gives up the right to write, but in a private folder where one may be needed. From here on, nothing else is written.
    ///
    /// Signals are caught before, so that the folder is removed; threads are started afterwards, so that the kernel holds
    /// them all.
    pub(super) fn prepare(
        args: Args,
        application: Application,
        checks: Vec<CheckId>,
        stores: Vec<PathBuf>,
        signals: Signals,
    ) -> Arc<Self> {
        paths::register_home_dirs(&stores);
        // Landlock forbids it afterwards.
        let users = users(&args, &checks, &stores);
        let private = PrivateFolder::for_stores(&stores);
        let sandbox = Sandbox::enter(&private, purpose(&args, &checks));
        let folder = private.path().map(Path::to_path_buf);
        let (sent, is_gate) = (signals.clone(), args.check_migrations);
        let watchdog = Watchdog::start(signals.clone(), move || {
            if let Some(folder) = &folder {
                remove(folder);
            }
            let code = sent.exit_code().filter(|_| !is_gate);
            process::exit(code.unwrap_or(EXIT_CANNOT_TELL).into());
        });
        Arc::new(Self {
            args,
            stores,
            signals,
            watchdog,
            checks,
            application,
            users,
            private,
            sandbox,
        })
    }

    /// When to stop with a store that is begun now.
    pub(super) fn stop(&self) -> Stop {
        Stop::after(self.args.time_limit, self.signals.flag())
    }

    /// Returns the environment of an examination with this stop.
    pub(super) fn environment<'s>(&'s self, stop: &'s Stop) -> Environment<'s> {
        Environment {
            private: &self.private,
            sandbox: &self.sandbox,
            heap_limit: Some(HEAP_LIMIT),
            stop,
        }
    }

    /// Returns who has a store open, where that was looked for.
    pub(super) fn users(&self, path: &Path) -> Option<&Sighting> {
        self.users.get(path)
    }

    fn options<'s>(&'s self, path: &Path, stop: &'s Stop) -> Options<'s> {
        Options {
            checks: self.checks.clone(),
            page_map: self.args.format == Format::Html,
            artifacts: self.args.artifacts || self.args.stores.is_empty(),
            application: &self.application,
            users: self.users(path),
            environment: self.environment(stop),
        }
    }

    /// Returns the one store, where there is one.
    pub(super) fn store(&self) -> &Path {
        self.stores.first().map_or(Path::new(""), PathBuf::as_path)
    }

    /// Returns the answers of a store's checks, before the first is asked.
    pub(super) fn answers(&self, path: &Path, stop: &Stop) -> Answers {
        Answers::of(path, &self.options(path, stop))
    }

    /// Returns a store's report.
    pub(super) fn report(&self, answers: &Answers, path: &Path, stop: &Stop) -> Report {
        examine::report_despite_panics(answers, path, &self.options(path, stop))
    }

    /// Returns the exit code.
    pub(super) fn exit_code(&self, failed: bool) -> u8 {
        self.signals.exit_code().unwrap_or(u8::from(failed))
    }

    /// Removes the private folder, so that only SIGKILL leaves one behind.
    pub(super) fn remove_private_folder(&self) {
        if let Some(folder) = self.private.path() {
            remove(folder);
        }
    }

    /// Ends the process, whatever hangs in it.
    pub(super) fn exit_process(&self, code: u8) -> ! {
        self.remove_private_folder();
        process::exit(code.into())
    }
}

/// Removes a folder, in which something that hangs may just have written.
fn remove(folder: &Path) {
    const MOST_TRIES: usize = 5;
    for _ in 0..MOST_TRIES {
        if fs::remove_dir_all(folder).is_ok() || !folder.exists() {
            return;
        }
    }
}

/// Looks who has the stores open, if the report says it or a program may hide commits from the gate or a salvage.
fn users(args: &Args, checks: &[CheckId], stores: &[PathBuf]) -> HashMap<PathBuf, Sighting> {
    let is_asked = if args.check_migrations || args.salvage {
        stores.iter().any(|store| in_use::may_be_in_use(store))
    } else {
        checks.contains(&CheckId::InUse)
    };
    if is_asked {
        stores.iter().cloned().zip(in_use::see(stores)).collect()
    } else {
        HashMap::new()
    }
}

/// Returns the purpose for which the stores will be read.
fn purpose(args: &Args, checks: &[CheckId]) -> Purpose {
    if args.salvage {
        // It reads the files themselves, and needs no copy.
        return Purpose::default();
    }
    if args.check_migrations {
        return Purpose {
            opened: true,
            whole: args.rehearse,
            rehearsed: args.rehearse,
        };
    }
    let opened = args.format == Format::Html
        || checks
            .iter()
            .any(|id| !matches!(checks::get(*id).input, Input::Probe(_) | Input::Users(_)));
    Purpose {
        opened,
        whole: opened,
        rehearsed: !args.any && checks.contains(&CheckId::MigrationRehearsal),
    }
}
