//! Runs jobs on several threads. The results come in order, and only a bounded number of them waits to be received.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The number of jobs per thread that may be begun beyond the one that is taken next.
const WINDOW: usize = 8;

/// The stack of each thread, in bytes: as large as the first thread's usually is.
const STACK: usize = 8 << 20;

/// The interval between two calls of the receiver while it waits.
const TICK: Duration = Duration::from_millis(100);

/// Device and inode: what two paths to one file have in common.
pub(super) type Identity = (u64, u64);

/// Hands in a result in place of a job that hangs. Its thread is lost; another takes its place.
pub(super) type GiveUp<T> = Box<dyn FnOnce(T) + Send>;

/// Things to work on.
pub(super) trait Jobs: Send + Sync + 'static {
    /// A job that was begun.
    type Task;

    /// The result of a job.
    type Made: Send + 'static;

    /// Begins a job, which `give_up` gives up should it hang. Nothing else is asked of a job that was not begun.
    fn begin(&self, job: usize, give_up: GiveUp<Self::Made>) -> Self::Task;

    /// Returns the files that the job is about. Two jobs that share one never run at once: one is begun again later.
    fn files(&self, task: &Self::Task) -> Vec<Identity>;

    /// Does the job.
    fn work(&self, task: Self::Task) -> Self::Made;

    /// Returns true if to begin another job.
    fn should_continue(&self) -> bool;

    /// Returns true if the job must be done again with nothing else running, because it was short of what all share.
    fn needs_exclusive_run(&self, made: &Self::Made) -> bool;

    /// Handles the result of a job that hangs on the receiving thread, which did it because there was no other thread. Nothing receives
    /// any further result.
    fn receiver_is_lost(&self, made: Self::Made);
}

/// The jobs that wait, run and are done.
struct PoolState<T> {
    /// The next job that has not been begun.
    next: usize,
    /// The next job whose result is to be received.
    taken: usize,
    /// Jobs that share a file with one that was running, and the files that they were about then.
    put_off: VecDeque<(usize, Vec<Identity>)>,
    running: Vec<RunningJob>,
    /// The number of turns that were begun; each has a number of its own.
    turns: u64,
    /// The number of jobs that wait until nothing else runs. A lock that the workers share would not do: a thread that
    /// hangs never lets go of it.
    exclusive: usize,
    ready: BTreeMap<usize, thread::Result<T>>,
    ended: bool,
    /// The threads that are not lost.
    workers: usize,
}

/// A job that is running.
struct RunningJob {
    turn: u64,
    job: usize,
    files: Vec<Identity>,
    alone: bool,
    by: By,
}

/// The thread that does a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// A thread of the pool.
    Worker,
    /// The calling thread, where no other could be had.
    Receiver,
}

struct Pool<J: Jobs> {
    jobs: Arc<J>,
    count: usize,
    window: usize,
    stack: usize,
    state: Mutex<PoolState<J::Made>>,
    changed: Condvar,
}

/// Runs `count` jobs on `threads` threads and hands the results to `take` in order, on the calling thread; `None` is a sign
/// of life while it waits. Ends when all are taken, `take` breaks, or the jobs do not go on, and when every thread that does
/// not hang has ended. Where no thread can be started, the calling thread does the work as well.
///
/// # Panics
/// Panics when the result of a job that panicked would be taken.
pub(super) fn run_in_order<J: Jobs>(
    jobs: &Arc<J>,
    count: usize,
    threads: usize,
    take: impl FnMut(Option<J::Made>) -> ControlFlow<()>,
) {
    on_stacks(STACK, jobs, count, threads, take);
}

fn on_stacks<J: Jobs>(
    stack: usize,
    jobs: &Arc<J>,
    count: usize,
    threads: usize,
    mut take: impl FnMut(Option<J::Made>) -> ControlFlow<()>,
) {
    let pool = Arc::new(Pool {
        jobs: jobs.clone(),
        count,
        window: threads.saturating_mul(WINDOW),
        stack,
        state: Mutex::new(PoolState {
            next: 0,
            taken: 0,
            put_off: VecDeque::new(),
            running: Vec::new(),
            turns: 0,
            exclusive: 0,
            ready: BTreeMap::new(),
            ended: false,
            workers: 0,
        }),
        changed: Condvar::new(),
    });
    for _ in 0..threads {
        // Fewer threads do as well.
        if !pool.start_worker() {
            break;
        }
    }
    let panicked = pool.receive_all(&mut take).err();
    let mut state = pool.lock();
    state.ended = true;
    pool.changed.notify_all();
    while state.workers > 0 {
        state = pool.wait(state);
    }
    drop(state);
    if let Some(panic) = panicked {
        panic::resume_unwind(panic);
    }
}

impl<T> PoolState<T> {
    /// Takes a job that may be begun now: one that was put off, or the next one.
    fn take_next_job(&mut self, count: usize, window: usize) -> Option<usize> {
        if self.exclusive > 0 || self.running.iter().any(|running| running.alone) {
            return None;
        }
        let free = self.put_off.iter().position(|(_, files)| !self.is_about_any(files));
        if let Some((job, _)) = free.and_then(|at| self.put_off.remove(at)) {
            return Some(job);
        }
        let job = self.next;
        let is_near = job < count && job < self.taken + window;
        self.next += usize::from(is_near);
        is_near.then_some(job)
    }

    /// Returns true if a running job is about one of these files.
    fn is_about_any(&self, files: &[Identity]) -> bool {
        self.running.iter().any(|running| files.iter().any(|file| running.files.contains(file)))
    }

    fn is_done(&self, count: usize) -> bool {
        self.next >= count && self.put_off.is_empty()
    }

    /// Enters a job among those that are running; its turn's number.
    fn begin_turn(&mut self, job: usize, by: By, alone: bool) -> u64 {
        self.turns += 1;
        self.running.push(RunningJob {
            turn: self.turns,
            job,
            files: Vec::new(),
            alone,
            by,
        });
        self.turns
    }

    /// Takes a turn from those that are running; `None` where it was given up.
    fn end_turn(&mut self, turn: u64) -> Option<RunningJob> {
        let at = self.running.iter().position(|running| running.turn == turn)?;
        Some(self.running.swap_remove(at))
    }
}

/// The thread that works on this was given up, and another took its place.
struct LostThread;

/// A job that was begun, or what panicked on the way.
struct Claimed<J: Jobs> {
    turn: u64,
    task: thread::Result<J::Task>,
}

fn caught<T>(work: impl FnOnce() -> T) -> thread::Result<T> {
    panic::catch_unwind(AssertUnwindSafe(work))
}

impl<J: Jobs> Pool<J> {
    fn lock(&self) -> MutexGuard<'_, PoolState<J::Made>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&'s self, state: MutexGuard<'s, PoolState<J::Made>>) -> MutexGuard<'s, PoolState<J::Made>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread that works; whether one could be had.
    fn start_worker(self: &Arc<Self>) -> bool {
        self.lock().workers += 1;
        let pool = self.clone();
        let begun = thread::Builder::new().stack_size(self.stack).spawn(move || {
            // One that was given up is no longer counted.
            if let Ok(()) = pool.work(By::Worker) {
                pool.lock().workers -= 1;
                pool.changed.notify_all();
            }
        });
        if begun.is_err() {
            self.lock().workers -= 1;
        }
        begun.is_ok()
    }

    fn receive_all(self: &Arc<Self>, take: &mut impl FnMut(Option<J::Made>) -> ControlFlow<()>) -> thread::Result<()> {
        loop {
            let mut state = self.lock();
            let now = state.taken;
            let made = state.ready.remove(&now);
            if made.is_some() {
                state.taken += 1;
                self.changed.notify_all();
            } else if now == self.count {
                return Ok(());
            } else if state.workers > 0 {
                state = self.changed.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0;
                if state.ready.contains_key(&now) {
                    continue;
                }
            } else {
                drop(state);
                if let Ok(true) = self.work_once(By::Receiver) {
                    continue;
                }
                return Ok(());
            }
            drop(state);
            if take(made.transpose()?).is_break() {
                return Ok(());
            }
        }
    }

    fn work(self: &Arc<Self>, by: By) -> Result<(), LostThread> {
        while self.work_once(by)? {}
        Ok(())
    }

    /// Does one job; whether there was one.
    fn work_once(self: &Arc<Self>, by: By) -> Result<bool, LostThread> {
        let Some(Claimed { turn, task }) = self.claim_job(by)? else {
            return Ok(false);
        };
        let made = task.and_then(|task| caught(|| self.jobs.work(task)));
        let mut state = self.lock();
        let job = state.end_turn(turn).ok_or(LostThread)?.job;
        if made.as_ref().is_ok_and(|made| self.jobs.needs_exclusive_run(made)) {
            state.exclusive += 1;
            drop(state);
            self.changed.notify_all();
            return self.work_alone(job, by);
        }
        state.ready.insert(job, made);
        self.changed.notify_all();
        Ok(true)
    }

    /// Does a job again while nothing else runs.
    fn work_alone(self: &Arc<Self>, job: usize, by: By) -> Result<bool, LostThread> {
        let mut state = self.lock();
        while !state.running.is_empty() {
            state = self.wait(state);
        }
        state.exclusive -= 1;
        let turn = state.begin_turn(job, by, true);
        drop(state);
        let made = caught(|| self.jobs.work(self.jobs.begin(job, self.give_up(turn))));
        let mut state = self.lock();
        state.end_turn(turn).ok_or(LostThread)?;
        state.ready.insert(job, made);
        self.changed.notify_all();
        Ok(true)
    }

    /// Begins a job, once there is one that may run; `None` when there is no more to do.
    fn claim_job(self: &Arc<Self>, by: By) -> Result<Option<Claimed<J>>, LostThread> {
        let mut state = self.lock();
        loop {
            if state.ended || state.is_done(self.count) || !self.jobs.should_continue() {
                return Ok(None);
            }
            let Some(job) = state.take_next_job(self.count, self.window) else {
                state = self.wait(state);
                continue;
            };
            let turn = state.begin_turn(job, by, false);
            drop(state);
            // Asked at the last moment, because what lies at a path may change; and without the lock, because a file system
            // that does not answer shall hold up this thread alone.
            let begun = caught(|| {
                let task = self.jobs.begin(job, self.give_up(turn));
                let files = self.jobs.files(&task);
                (task, files)
            });
            state = self.lock();
            let mut running = state.end_turn(turn).ok_or(LostThread)?;
            match begun {
                Ok((task, files)) if state.is_about_any(&files) => {
                    state.put_off.push_back((job, files));
                    drop(state);
                    drop(task);
                    state = self.lock();
                }
                Ok((task, files)) => {
                    running.files = files;
                    state.running.push(running);
                    return Ok(Some(Claimed { turn, task: Ok(task) }));
                }
                Err(panic) => {
                    state.running.push(running);
                    return Ok(Some(Claimed { turn, task: Err(panic) }));
                }
            }
        }
    }

    /// Returns the function that gives a turn up: the result is handed in, and the thread no longer counts.
    fn give_up(self: &Arc<Self>, turn: u64) -> GiveUp<J::Made> {
        let pool = self.clone();
        Box::new(move |made| {
            let mut state = pool.lock();
            // It may have ended in the last moment.
            let Some(running) = state.end_turn(turn) else { return };
            if running.by == By::Receiver {
                drop(state);
                return pool.jobs.receiver_is_lost(made);
            }
            state.ready.insert(running.job, Ok(made));
            drop(state);
            pool.start_worker();
            pool.lock().workers -= 1;
            pool.changed.notify_all();
        })
    }
}

#[cfg(test)]
mod tests;
