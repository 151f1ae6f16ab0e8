//! Work on many things at once; the results come in order, and only so many wait to be taken.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How many things may be begun beyond the one that is taken next, for each thread.
const WINDOW: usize = 8;

/// The stack of each thread, in bytes: as large as the first thread's usually is.
const STACK: usize = 8 << 20;

/// How often the taker is asked for a sign of life while it waits.
const TICK: Duration = Duration::from_millis(100);

/// Device and inode: what two paths to one file have in common.
pub type Identity = (u64, u64);

/// Things to work on.
pub trait Jobs: Sync {
    /// What a job makes.
    type Made: Send;

    /// The files that the job is about. Two jobs that share one never run at once.
    fn files(&self, job: usize) -> Vec<Identity>;

    /// Whether to begin another job.
    fn goes_on(&self) -> bool;

    /// Does the job.
    fn work(&self, job: usize) -> Self::Made;

    /// Whether the job must be done again with nothing else running, because it was short of what all share.
    fn wants_to_be_alone(&self, made: &Self::Made) -> bool;
}

/// Who works on what.
struct State<T> {
    /// The next job that nobody has begun.
    next: usize,
    /// The next job whose result is to be taken.
    taken: usize,
    /// The running jobs and what they are about.
    running: Vec<(usize, Vec<Identity>)>,
    /// How many wait until nothing else runs.
    lonely: usize,
    /// Whether one of these runs.
    alone: bool,
    ready: BTreeMap<usize, T>,
    ended: bool,
    workers: usize,
}

struct Pool<'a, J: Jobs> {
    jobs: &'a J,
    count: usize,
    window: usize,
    state: Mutex<State<J::Made>>,
    changed: Condvar,
}

/// Does `count` jobs on `threads` threads and hands the results to `take` in order, on the calling thread; `None` is a sign
/// of life while it waits. Ends when all are taken, `take` breaks, or the jobs do not go on.
///
/// # Errors
/// Where no thread can be started.
pub fn in_order<J: Jobs>(
    jobs: &J,
    count: usize,
    threads: usize,
    mut take: impl FnMut(Option<J::Made>) -> ControlFlow<()>,
) -> io::Result<()> {
    let pool = Pool {
        jobs,
        count,
        window: threads.saturating_mul(WINDOW),
        state: Mutex::new(State {
            next: 0,
            taken: 0,
            running: Vec::new(),
            lonely: 0,
            alone: false,
            ready: BTreeMap::new(),
            ended: false,
            workers: 0,
        }),
        changed: Condvar::new(),
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            pool.lock().workers += 1;
            let worker = Worker(&pool);
            let begun = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, move || worker.work());
            if let Err(error) = begun {
                // Fewer threads do as well; without any there is nobody to do the work.
                if pool.lock().workers == 0 {
                    return Err(error);
                }
                break;
            }
        }
        pool.take_all(&mut take);
        Ok(())
    })
}

impl<J: Jobs> Pool<'_, J> {
    fn lock(&self) -> MutexGuard<'_, State<J::Made>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&'s self, state: MutexGuard<'s, State<J::Made>>) -> MutexGuard<'s, State<J::Made>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn take_all(&self, take: &mut impl FnMut(Option<J::Made>) -> ControlFlow<()>) {
        loop {
            let mut state = self.lock();
            let now = state.taken;
            let made = state.ready.remove(&now);
            if made.is_none() {
                if now == self.count || state.workers == 0 {
                    return;
                }
                state = self.changed.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0;
                if state.ready.contains_key(&now) {
                    continue;
                }
            } else {
                state.taken += 1;
                self.changed.notify_all();
            }
            drop(state);
            if take(made).is_break() {
                self.lock().ended = true;
                self.changed.notify_all();
                return;
            }
        }
    }

    /// The next job, once it may begin; `None` when there is no more to do.
    fn claim(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if state.ended || state.next >= self.count || !self.jobs.goes_on() {
                return None;
            }
            let job = state.next;
            let in_window = job < state.taken + self.window;
            if in_window && !state.alone && state.lonely == 0 {
                // Asked at the last moment: what lies at a path may change.
                let files = self.jobs.files(job);
                let shared = state.running.iter().any(|(_, others)| files.iter().any(|file| others.contains(file)));
                if !shared {
                    state.next += 1;
                    state.running.push((job, files));
                    return Some(job);
                }
            }
            state = self.wait(state);
        }
    }

    /// Does a job again while nothing else runs.
    fn work_alone(&self, job: usize) -> J::Made {
        let mut state = self.lock();
        state.lonely += 1;
        while state.alone || !state.running.is_empty() {
            state = self.wait(state);
        }
        state.alone = true;
        drop(state);
        let made = self.jobs.work(job);
        let mut state = self.lock();
        state.alone = false;
        state.lonely -= 1;
        drop(state);
        self.changed.notify_all();
        made
    }
}

/// One thread's part; says that it is gone however it ends.
struct Worker<'p, 'a, J: Jobs>(&'p Pool<'a, J>);

impl<J: Jobs> Worker<'_, '_, J> {
    fn work(&self) {
        let pool = self.0;
        while let Some(job) = pool.claim() {
            let mut made = pool.jobs.work(job);
            let again = pool.jobs.wants_to_be_alone(&made);
            pool.lock().running.retain(|(running, _)| *running != job);
            pool.changed.notify_all();
            if again {
                made = pool.work_alone(job);
            }
            pool.lock().ready.insert(job, made);
            pool.changed.notify_all();
        }
    }
}

impl<J: Jobs> Drop for Worker<'_, '_, J> {
    fn drop(&mut self) {
        self.0.lock().workers -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    /// Jobs that count how many of them run at once, for each thing that they are about.
    #[derive(Default)]
    struct Counting {
        things: u64,
        running: Vec<AtomicUsize>,
        crowded: AtomicBool,
        begun: AtomicUsize,
        taken: AtomicUsize,
        ahead: AtomicUsize,
        short: bool,
    }

    impl Counting {
        fn of(things: usize) -> Self {
            Self {
                things: things as u64,
                running: (0..things).map(|_| AtomicUsize::new(0)).collect(),
                ..Self::default()
            }
        }
    }

    impl Jobs for Counting {
        type Made = (usize, usize);

        fn files(&self, job: usize) -> Vec<Identity> {
            vec![(2, job as u64), (1, job as u64 % self.things)]
        }

        fn goes_on(&self) -> bool {
            true
        }

        fn work(&self, job: usize) -> Self::Made {
            let begun = self.begun.fetch_add(1, Ordering::SeqCst);
            self.ahead
                .fetch_max(begun.saturating_sub(self.taken.load(Ordering::SeqCst)), Ordering::SeqCst);
            let all = || self.running.iter().map(|n| n.load(Ordering::SeqCst)).sum::<usize>();
            let thing = &self.running[job % self.running.len()];
            if thing.fetch_add(1, Ordering::SeqCst) > 0 {
                self.crowded.store(true, Ordering::SeqCst);
            }
            thread::sleep(Duration::from_micros(200));
            let beside = all();
            thing.fetch_sub(1, Ordering::SeqCst);
            (job, beside)
        }

        fn wants_to_be_alone(&self, made: &Self::Made) -> bool {
            self.short && made.0.is_multiple_of(7)
        }
    }

    fn run(jobs: &Counting, count: usize, threads: usize) -> Vec<(usize, usize)> {
        let mut taken = Vec::new();
        in_order(jobs, count, threads, |made| {
            if let Some(made) = made {
                taken.push(made);
                jobs.taken.fetch_add(1, Ordering::SeqCst);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
        taken
    }

    #[test]
    fn results_come_in_order_and_few_wait() {
        let jobs = Counting::of(300);
        let order: Vec<usize> = run(&jobs, 300, 4).into_iter().map(|(job, _)| job).collect();
        assert_eq!(order, (0..300).collect::<Vec<_>>());
        assert!(jobs.ahead.load(Ordering::SeqCst) <= 4 * WINDOW + 1);
    }

    #[test]
    fn two_jobs_about_one_thing_never_run_at_once() {
        let jobs = Counting::of(3);
        assert_eq!(run(&jobs, 100, 8).len(), 100);
        assert!(!jobs.crowded.load(Ordering::SeqCst));
    }

    #[test]
    fn a_job_that_was_short_of_something_is_done_again_alone() {
        let jobs = Counting {
            short: true,
            ..Counting::of(100)
        };
        let made = run(&jobs, 100, 4);
        assert_eq!(made.len(), 100);
        assert!(made.iter().filter(|(job, _)| job.is_multiple_of(7)).all(|(_, beside)| *beside == 1));
    }

    #[test]
    fn it_ends_when_nobody_takes_any_more() {
        let jobs = Counting::of(1000);
        let mut taken = 0;
        in_order(&jobs, 1000, 4, |made| {
            taken += usize::from(made.is_some());
            if taken == 5 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .unwrap();
        assert_eq!(taken, 5);
        assert!(jobs.begun.load(Ordering::SeqCst) < 100);
    }
}
