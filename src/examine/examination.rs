//! An examination as another program asks for it: built step by step, then run.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::application::Application;
use crate::banger::APPLICATION;
use crate::error::internal_error;
use crate::error::opaque::Error;
use crate::examine::{self, Answers, Options};
use crate::findings::check_id::CheckId;
use crate::limits::progress::{Progress, Ticker};
use crate::limits::stop::Stop;
use crate::migrations::schema_state::SchemaState;
use crate::probe::in_use::{self, Sighting};
use crate::report::Report;
use crate::store::Environment;
use crate::store::PrivateFolder;
use crate::store::refuse_if_open_here;
use crate::store::sandbox::Sandbox;

/// The time limit of an examination for which none is set: the one of the program `doctor` for each store.
const DEFAULT_TIME_LIMIT: Duration = Duration::from_secs(300);

/// Examines the store at `path` with every check but `artifacts`, without changing anything. Whatever is wrong is a row of
/// the report.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("state.db");
/// # drop(banger_doctor::Store::open(&path)?);
/// let report = banger_doctor::examine(&path);
/// for row in report.rows().iter().filter(|row| row.status() == banger_doctor::Status::Fail) {
///     eprintln!("{}: {}", row.check(), row.detail());
/// }
/// assert!(!report.failed());
/// # Ok(())
/// # }
/// ```
///
/// # Locks
/// See [`Examination`].
pub fn examine(path: impl AsRef<Path>) -> Report {
    Examination::new(path).run()
}

/// Returns the migration status of the store at `path`, without changing anything: what an updater asks before it
/// swaps binaries.
///
/// A file of no bytes, which is what SQLite makes of a new database, has everything pending.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use banger_doctor::{Compatibility, Store, inspect_schema_state};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("state.db");
/// drop(Store::open(&path)?); // as the daemon opens it: creates the store and applies the migrations
///
/// let state = inspect_schema_state(&path)?;
/// assert_eq!(state.compatibility, Compatibility::Compatible);
/// assert!(state.pending.is_empty() && state.unknown.is_empty());
/// # Ok(())
/// # }
/// ```
///
/// # Locks
/// It opens and closes the files of the store: a store that this process has open is refused with
/// [`ErrorKind::OpenHere`](crate::ErrorKind::OpenHere). See [`Examination`].
///
/// # Errors
/// Fails on anything that cannot be read: a missing store, no permission, not a database, damage on the way to the ledger, a
/// ledger that is another application's, a WAL that does not belong to the store. And a store that this process has open.
pub fn inspect_schema_state(path: impl AsRef<Path>) -> Result<SchemaState, Error> {
    Examination::new(path).schema_state()
}

/// An examination of one store that has not begun: say what is asked for, then [`run`](Self::run) it, or ask for the
/// [`schema_state`](Self::schema_state) alone.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use banger_doctor::{CheckId, Examination};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("state.db");
/// # drop(banger_doctor::Store::open(&path)?);
///
/// let report = Examination::new(&path)
///     .skip([CheckId::PageStructure])
///     .time_limit(Duration::from_secs(10))
///     .run();
/// print!("{}", report.to_table(Some(100), false));
/// # assert_eq!(report.rows().len(), CheckId::ALL.len() - 1);
/// # Ok(())
/// # }
/// ```
///
/// The process is not shut in, as the program `doctor` shuts itself in: that holds for good, and is the caller's to decide.
/// A thread of its own, held by seccomp, opens a WAL where that could change anything. Copies that are needed go to a folder
/// below `TMPDIR`, which is removed at the end.
///
/// # Locks
/// It opens and closes the files of the store, and POSIX drops every lock that a process holds on a file as soon as the
/// process closes any descriptor of it: a transaction of this process's own would go on without its locks, and another
/// process could write into it. So a store that this process has open, through SQLite or otherwise, is not looked at, and a
/// row or an error of its own kind says so. Do not open it on another thread before this returns, either.
#[must_use = "nothing is looked at before it is run"]
pub struct Examination {
    path: PathBuf,
    application: Application,
    checks: Vec<CheckId>,
    artifacts: bool,
    page_map: bool,
    time_limit: Duration,
    interrupt: Arc<AtomicBool>,
    ticker: Option<Arc<Ticker>>,
}

impl fmt::Debug for Examination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Examination")
            .field("path", &self.path)
            .field("checks", &self.checks)
            .field("artifacts", &self.artifacts)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}

impl Examination {
    /// Creates an examination of the store at `path`, as one of the application that is compiled in: every check but the look for
    /// artifacts, within 300 seconds, as the program `doctor` does it.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_path_buf(),
            application: APPLICATION.clone(),
            checks: CheckId::ALL.to_vec(),
            artifacts: false,
            page_map: false,
            time_limit: DEFAULT_TIME_LIMIT,
            interrupt: Arc::default(),
            ticker: None,
        }
    }

    /// Sets the application whose store it is, if it is not the built-in one; [`Application::any`] if it is unknown. What
    /// is not known of an application is not looked at, and the rows of those checks say so.
    pub fn application(mut self, application: Application) -> Self {
        self.application = application;
        self
    }

    /// Limits the rows to these checks; an examination without checks looks at nothing that matters, and its report has no row. What a
    /// check needs is looked at all the same; where that fails, the check's own row says so.
    pub fn only(mut self, checks: impl IntoIterator<Item = CheckId>) -> Self {
        self.checks = checks.into_iter().collect();
        self
    }

    /// Leaves out the rows of these checks.
    pub fn skip(mut self, checks: impl IntoIterator<Item = CheckId>) -> Self {
        for check in checks {
            self.checks.retain(|wanted| *wanted != check);
        }
        self
    }

    /// Sets if the files that the store names are looked for. A copied store names files of the machine that it came from.
    pub fn artifacts(mut self, look: bool) -> Self {
        self.artifacts = look;
        self
    }

    /// Sets if a map of the store's pages is made, which [`Report::to_html`] draws. It reads the store once more.
    pub fn page_map(mut self, make: bool) -> Self {
        self.page_map = make;
        self
    }

    /// Sets the time limit, counted from [`run`](Self::run), if it is not to be 300 seconds; [`Duration::MAX`] is none. A check that is
    /// not done by then fails and says so. SQLite is asked to end between
    /// two steps of a statement: one call of a function takes as long as it takes.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Sets the flag that ends the examination, as the time limit does.
    pub fn interrupt(mut self, flag: Arc<AtomicBool>) -> Self {
        self.interrupt = flag;
        self
    }

    /// Reports progress at this interval, on the thread that is at work; `show` should not take long.
    pub fn progress(mut self, every: Duration, show: impl FnMut(&Progress) + Send + 'static) -> Self {
        let show = Mutex::new(show);
        self.ticker = Some(Arc::new(Ticker::new(every, every, move |progress| {
            if let Ok(mut show) = show.try_lock() {
                (*show)(progress);
            }
        })));
        self
    }

    /// Examines the store. Whatever is wrong is a row of the report.
    pub fn run(&self) -> Report {
        let users = self.checks.contains(&CheckId::InUse).then(|| in_use::see(&[&self.path]));
        self.with_environment(|environment| {
            let options = Options {
                users: users.as_deref().and_then(<[_]>::first),
                checks: self.checks.clone(),
                artifacts: self.artifacts,
                page_map: self.page_map,
                application: &self.application,
                environment,
            };
            let answers = Answers::of(&self.path, &options);
            examine::report_despite_panics(&answers, &self.path, &options)
        })
    }

    /// Returns the migration status of the store; the selected checks make no difference.
    ///
    /// # Errors
    /// Fails as [`inspect_schema_state`], at the time limit, and on an interrupt.
    pub fn schema_state(&self) -> Result<SchemaState, Error> {
        self.with_environment(|environment| {
            internal_error::catch_panic(|| {
                examine::migration_status(&self.path, &self.application, false, self.users().as_ref(), &environment)
            })
        })
        .flatten()
        .map(|(status, _)| status.schema_state())
        .map_err(Error::from)
    }

    /// Tries the pending migrations on a private copy of the store, with its real rows.
    ///
    /// # Errors
    /// Fails as [`schema_state`](Self::schema_state), and where no copy can be made or something else than the migrations ended
    /// the rehearsal.
    pub fn rehearse(&self) -> Result<Rehearsal, Error> {
        self.with_environment(|environment| {
            internal_error::catch_panic(|| {
                examine::migration_status(&self.path, &self.application, true, self.users().as_ref(), &environment)
            })
        })
        .flatten()
        .map(|(status, rehearsal)| Rehearsal {
            state: status.schema_state(),
            failure: rehearsal.and_then(|rehearsal| rehearsal.failure()),
        })
        .map_err(Error::from)
    }

    /// Returns who has the store open, where a program may write to a log that was deleted.
    fn users(&self) -> Option<Sighting> {
        // The question opens the database. A store that this process has open is refused later.
        if refuse_if_open_here(&self.path).is_err() {
            return None;
        }
        in_use::may_be_in_use(&self.path)
            .then(|| in_use::see(&[&self.path]))
            .and_then(|mut seen| seen.pop())
    }

    fn with_environment<T>(&self, work: impl FnOnce(Environment<'_>) -> T) -> T {
        let mut stop = Stop::after(self.time_limit, self.interrupt.clone());
        if let Some(ticker) = &self.ticker {
            stop = stop.showing(ticker.clone());
        }
        work(Environment {
            private: &PrivateFolder::for_stores(&[&self.path]),
            sandbox: &Sandbox::not_asked(),
            heap_limit: None,
            stop: &stop,
        })
    }
}

/// The migration status of a store, and the result of trying its pending migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rehearsal {
    state: SchemaState,
    failure: Option<String>,
}

impl Rehearsal {
    /// Returns the migration status.
    pub fn state(&self) -> &SchemaState {
        &self.state
    }

    /// Returns the reason not to run the pending migrations on this store; `None` if they may be run, or if none is pending.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::opaque::ErrorKind;
    use crate::report::{Row, Status};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Returns a healthy store of the test's own: another test that has the same file open would be in the way.
    fn healthy() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/samples/healthy.db"), &path).unwrap();
        (folder, path)
    }

    #[test]
    fn the_rows_are_those_asked_for_in_the_order_of_the_report() {
        let (_folder, path) = healthy();
        let ids =
            |examination: Examination| -> Vec<CheckId> { examination.run().rows().iter().map(Row::check).collect() };
        assert_eq!(ids(Examination::new(&path)), CheckId::ALL);
        let two = [CheckId::ForeignKeys, CheckId::File];
        assert_eq!(ids(Examination::new(&path).only(two)), [CheckId::File, CheckId::ForeignKeys]);
        assert_eq!(ids(Examination::new(&path).only(two).skip([CheckId::File])), [CheckId::ForeignKeys]);
    }

    #[test]
    fn a_limit_and_an_interrupt_end_it_and_each_says_so() {
        let (_folder, path) = healthy();
        let limited = Examination::new(&path).time_limit(Duration::ZERO);
        assert!(limited.run().failed());
        assert_eq!(limited.schema_state().unwrap_err().kind(), ErrorKind::TimeLimit);
        let interrupted = Examination::new(&path).interrupt(Arc::new(AtomicBool::new(true)));
        let report = interrupted.run();
        assert!(
            report.failed() && report.rows().iter().any(|row| row.detail().contains("interrupted")),
            "{report:?}"
        );
        assert_eq!(interrupted.rehearse().unwrap_err().kind(), ErrorKind::Interrupted);
    }

    #[test]
    fn progress_is_told_and_changes_no_row() {
        let (_folder, path) = healthy();
        let told = Arc::new(AtomicUsize::new(0));
        let count = told.clone();
        let watched = Examination::new(&path).progress(Duration::ZERO, move |progress| {
            count.fetch_add(usize::from(progress.check().is_some()), Ordering::Relaxed);
        });
        let statuses = |report: &Report| -> Vec<Status> { report.rows().iter().map(Row::status).collect() };
        assert_eq!(statuses(&watched.run()), statuses(&examine(&path)));
        assert!(told.load(Ordering::Relaxed) > 0);
    }

    #[test]
    fn a_rehearsal_says_where_the_store_stands() {
        let (_folder, path) = healthy();
        let rehearsal = Examination::new(&path).rehearse().unwrap();
        assert_eq!((rehearsal.failure(), rehearsal.state().pending.len()), (None, 0));
        let missing = Examination::new("/nowhere/state.db").schema_state().unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotAStore);
    }
}
