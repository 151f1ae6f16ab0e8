//! What all stores have in common, and the examination of one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;

use anyhow::Result;
use banger_doctor::banger::APPLICATION;
use banger_doctor::check::Input;
use banger_doctor::checks::CHECKS;
use banger_doctor::private::{PrivateFolder, Purpose};
use banger_doctor::sandbox::Sandbox;
use banger_doctor::stop::Stop;
use banger_doctor::store::Environment;
use banger_doctor::{Error, Examination, Options, Report, mistake, shown};

use crate::cli::Args;
use crate::fleet;
use crate::gate::{self, Answer, EXIT_CANNOT_TELL};
use crate::meter::Meter;
use crate::output::{Output, print};
use crate::said;
use crate::signals::Signals;
use crate::watchdog::Watchdog;

/// The most memory that SQLite may take in the whole process, in bytes; with the rest of the program this stays below 64 MiB.
const HEAP_LIMIT: u64 = 40 << 20;

/// What all stores have in common.
pub struct Run {
    pub args: Args,
    pub stores: Vec<PathBuf>,
    pub signals: Signals,
    pub watchdog: Watchdog,
    checks: Vec<&'static str>,
    private: PrivateFolder,
    sandbox: Sandbox,
}

impl Run {
    /// Gives up the right to write, but in a private folder where one may be needed. From here on, nothing else is written.
    ///
    /// Signals are caught before, so that the folder is removed; threads are started afterwards, so that the kernel holds
    /// them all.
    pub fn prepare(args: Args, checks: Vec<&'static str>, stores: Vec<PathBuf>, signals: Signals) -> Arc<Self> {
        shown::introduce(&stores);
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
            private,
            sandbox,
        })
    }

    /// When to stop with a store that is begun now.
    pub fn stop(&self) -> Stop {
        Stop::after(self.args.time_limit, self.signals.flag())
    }

    fn environment<'s>(&'s self, stop: &'s Stop) -> Environment<'s> {
        Environment {
            private: &self.private,
            sandbox: &self.sandbox,
            heap_limit: Some(HEAP_LIMIT),
            stop,
        }
    }

    fn options<'s>(&'s self, stop: &'s Stop) -> Options<'s> {
        Options {
            checks: self.checks.clone(),
            artifacts: self.args.artifacts || self.args.stores.is_empty(),
            application: &APPLICATION,
            environment: self.environment(stop),
        }
    }

    fn store(&self) -> &Path {
        self.stores.first().map_or(Path::new(""), PathBuf::as_path)
    }

    /// The gate's question to the one store.
    pub fn gate(self: &Arc<Self>) -> Answer {
        let meter = Arc::new(Meter::new());
        let mut stop = self.stop();
        // Elsewhere the gate prints its one line and no other.
        if meter.on_terminal() {
            stop = stop.showing(meter.progress(&[]));
        }
        let format = self.args.format;
        let watch = {
            let (run, meter) = (self.clone(), meter.clone());
            self.watchdog.watch(&stop, move |why| {
                let why = format!("{}: {}", shown::shown(run.store()), Error::Stuck(why));
                let answer = gate::cannot_tell(&why, format);
                meter.clear();
                let _ = print(answer.line.as_bytes());
                run.end(answer.exit)
            })
        };
        let asked = mistake::caught(|| {
            gate::ask(self.store(), &APPLICATION, &self.environment(&stop), self.args.rehearse, format)
        });
        watch.end();
        meter.clear();
        asked.unwrap_or_else(|mistake| gate::cannot_tell(&mistake.to_string(), format))
    }

    /// Examines the stores and prints their reports.
    pub fn doctor(self: &Arc<Self>) -> Result<u8> {
        if self.stores.len() == 1 {
            return self.one();
        }
        fleet::examine(self)
    }

    fn one(self: &Arc<Self>) -> Result<u8> {
        let meter = Arc::new(Meter::new());
        let stop = self.stop().showing(meter.progress(&self.checks));
        let examination = self.examination(self.store(), &stop);
        let watch = {
            let (run, examination, meter) = (self.clone(), examination.clone(), meter.clone());
            self.watchdog.watch(&stop, move |why| {
                let report = examination.broken_off(&Error::Stuck(why));
                let printed = mistake::caught(|| run.print(&report, &meter)).map_err(anyhow::Error::from).flatten();
                run.end(said(printed))
            })
        };
        let report = self.examined(&examination, self.store(), &stop);
        watch.end();
        self.print(&report, &meter)
    }

    fn print(&self, report: &Report, meter: &Meter) -> Result<u8> {
        meter.clear();
        let _ = print(Output::new(&self.args).report(report).as_bytes())?;
        Ok(self.exit(report.failed()))
    }

    /// A store's examination, not begun yet.
    pub fn examination(&self, path: &Path, stop: &Stop) -> Examination {
        Examination::of(path, &self.options(stop))
    }

    /// A store's report; a mistake of the doctor's is a row of it and touches no other store.
    pub fn examined(&self, examination: &Examination, path: &Path, stop: &Stop) -> Report {
        mistake::caught(|| examination.run(path, &self.options(stop)))
            .unwrap_or_else(|mistake| examination.broken_off(&mistake))
    }

    /// The exit code.
    pub fn exit(&self, failed: bool) -> u8 {
        self.signals.exit_code().unwrap_or(u8::from(failed))
    }

    /// Removes the private folder, so that only SIGKILL leaves one behind.
    pub fn remove_private_folder(&self) {
        if let Some(folder) = self.private.path() {
            remove(folder);
        }
    }

    /// Ends the process, whatever hangs in it.
    pub fn end(&self, code: u8) -> ! {
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

/// What the stores will be read for.
fn purpose(args: &Args, checks: &[&'static str]) -> Purpose {
    if args.check_migrations {
        return Purpose {
            opened: true,
            whole: args.rehearse,
            rehearsed: args.rehearse,
        };
    }
    let asked = || CHECKS.iter().filter(|check| checks.contains(&check.id));
    let opened = asked().any(|check| !matches!(check.input, Input::Probe(_)));
    Purpose {
        opened,
        whole: opened,
        rehearsed: checks.contains(&"migration-rehearsal"),
    }
}
