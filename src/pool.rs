//! Work on many things at once; the results come in order, and only so many wait to be taken.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
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

/// Hands in a result in place of a job that hangs. Its thread is lost; another takes its place.
pub type GiveUp<T> = Box<dyn FnOnce(T) + Send>;

/// Things to work on.
pub trait Jobs: Send + Sync + 'static {
    /// A job that was begun.
    type Task;

    /// What a job makes.
    type Made: Send + 'static;

    /// Begins a job, which `give_up` gives up should it hang. Nothing else is asked of a job that was not begun.
    fn begin(&self, job: usize, give_up: GiveUp<Self::Made>) -> Self::Task;

    /// The files that the job is about. Two jobs that share one never run at once: one is begun again later.
    fn files(&self, task: &Self::Task) -> Vec<Identity>;

    /// Does the job.
    fn work(&self, task: Self::Task) -> Self::Made;

    /// Whether to begin another job.
    fn goes_on(&self) -> bool;

    /// Whether the job must be done again with nothing else running, because it was short of what all share.
    fn wants_to_be_alone(&self, made: &Self::Made) -> bool;

    /// The taker itself did this job, because there was no thread, and it hangs: nobody is left to take what it made, or
    /// anything else.
    fn taker_is_lost(&self, made: Self::Made);
}

/// Who works on what.
struct State<T> {
    /// The next job that nobody has begun.
    next: usize,
    /// The next job whose result is to be taken.
    taken: usize,
    /// Jobs that share a file with one that was running, and the files that they were about then.
    put_off: VecDeque<(usize, Vec<Identity>)>,
    running: Vec<Running>,
    /// How many turns were begun; each has a number of its own.
    turns: u64,
    /// How many jobs wait until nothing else runs.
    lonely: usize,
    ready: BTreeMap<usize, thread::Result<T>>,
    ended: bool,
    /// The threads that are not lost.
    workers: usize,
}

/// A job that somebody works on.
struct Running {
    turn: u64,
    job: usize,
    files: Vec<Identity>,
    alone: bool,
    by: By,
}

/// Who does a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// A thread of the pool's.
    Worker,
    /// The calling thread, where no other could be had.
    Taker,
}

struct Pool<J: Jobs> {
    jobs: Arc<J>,
    count: usize,
    window: usize,
    stack: usize,
    state: Mutex<State<J::Made>>,
    changed: Condvar,
}

/// Does `count` jobs on `threads` threads and hands the results to `take` in order, on the calling thread; `None` is a sign
/// of life while it waits. Ends when all are taken, `take` breaks, or the jobs do not go on, and when every thread that does
/// not hang has ended. Where no thread can be started, the calling thread does the work as well.
///
/// # Panics
/// Where a job panics, as soon as it would be taken.
pub fn in_order<J: Jobs>(
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
        state: Mutex::new(State {
            next: 0,
            taken: 0,
            put_off: VecDeque::new(),
            running: Vec::new(),
            turns: 0,
            lonely: 0,
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
    let panicked = pool.take_all(&mut take).err();
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

impl<T> State<T> {
    /// Takes a job that may be begun now: one that was put off, or the next one.
    fn candidate(&mut self, count: usize, window: usize) -> Option<usize> {
        if self.lonely > 0 || self.running.iter().any(|running| running.alone) {
            return None;
        }
        let free = self.put_off.iter().position(|(_, files)| !self.shares(files));
        if let Some((job, _)) = free.and_then(|at| self.put_off.remove(at)) {
            return Some(job);
        }
        let job = self.next;
        let is_near = job < count && job < self.taken + window;
        self.next += usize::from(is_near);
        is_near.then_some(job)
    }

    /// Whether a running job is about one of these files.
    fn shares(&self, files: &[Identity]) -> bool {
        self.running.iter().any(|running| files.iter().any(|file| running.files.contains(file)))
    }

    fn is_done(&self, count: usize) -> bool {
        self.next >= count && self.put_off.is_empty()
    }

    /// Enters a job among those that are running; its turn's number.
    fn run(&mut self, job: usize, by: By, alone: bool) -> u64 {
        self.turns += 1;
        self.running.push(Running {
            turn: self.turns,
            job,
            files: Vec::new(),
            alone,
            by,
        });
        self.turns
    }

    /// Takes a turn from those that are running; `None` where it was given up.
    fn leave(&mut self, turn: u64) -> Option<Running> {
        let at = self.running.iter().position(|running| running.turn == turn)?;
        Some(self.running.swap_remove(at))
    }
}

/// The thread that works on this was given up, and another took its place.
struct Lost;

/// A job that was begun, or what panicked on the way.
struct Claimed<J: Jobs> {
    turn: u64,
    task: thread::Result<J::Task>,
}

fn caught<T>(work: impl FnOnce() -> T) -> thread::Result<T> {
    panic::catch_unwind(AssertUnwindSafe(work))
}

impl<J: Jobs> Pool<J> {
    fn lock(&self) -> MutexGuard<'_, State<J::Made>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&'s self, state: MutexGuard<'s, State<J::Made>>) -> MutexGuard<'s, State<J::Made>> {
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

    fn take_all(self: &Arc<Self>, take: &mut impl FnMut(Option<J::Made>) -> ControlFlow<()>) -> thread::Result<()> {
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
                if let Ok(true) = self.work_once(By::Taker) {
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

    fn work(self: &Arc<Self>, by: By) -> Result<(), Lost> {
        while self.work_once(by)? {}
        Ok(())
    }

    /// Does one job; whether there was one.
    fn work_once(self: &Arc<Self>, by: By) -> Result<bool, Lost> {
        let Some(Claimed { turn, task }) = self.claim(by)? else {
            return Ok(false);
        };
        let made = task.and_then(|task| caught(|| self.jobs.work(task)));
        let mut state = self.lock();
        let job = state.leave(turn).ok_or(Lost)?.job;
        if made.as_ref().is_ok_and(|made| self.jobs.wants_to_be_alone(made)) {
            state.lonely += 1;
            drop(state);
            self.changed.notify_all();
            return self.alone(job, by);
        }
        state.ready.insert(job, made);
        self.changed.notify_all();
        Ok(true)
    }

    /// Does a job again while nothing else runs.
    fn alone(self: &Arc<Self>, job: usize, by: By) -> Result<bool, Lost> {
        let mut state = self.lock();
        while !state.running.is_empty() {
            state = self.wait(state);
        }
        state.lonely -= 1;
        let turn = state.run(job, by, true);
        drop(state);
        let made = caught(|| self.jobs.work(self.jobs.begin(job, self.give_up(turn))));
        let mut state = self.lock();
        state.leave(turn).ok_or(Lost)?;
        state.ready.insert(job, made);
        self.changed.notify_all();
        Ok(true)
    }

    /// Begins a job, once there is one that may run; `None` when there is no more to do.
    fn claim(self: &Arc<Self>, by: By) -> Result<Option<Claimed<J>>, Lost> {
        let mut state = self.lock();
        loop {
            if state.ended || state.is_done(self.count) || !self.jobs.goes_on() {
                return Ok(None);
            }
            let Some(job) = state.candidate(self.count, self.window) else {
                state = self.wait(state);
                continue;
            };
            let turn = state.run(job, by, false);
            drop(state);
            // Asked at the last moment, because what lies at a path may change; and without the lock, because a file system
            // that does not answer shall hold up this thread alone.
            let begun = caught(|| {
                let task = self.jobs.begin(job, self.give_up(turn));
                let files = self.jobs.files(&task);
                (task, files)
            });
            state = self.lock();
            let mut running = state.leave(turn).ok_or(Lost)?;
            match begun {
                Ok((task, files)) if state.shares(&files) => {
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

    /// What gives a turn up: the result is handed in, and the thread is nobody's any more.
    fn give_up(self: &Arc<Self>, turn: u64) -> GiveUp<J::Made> {
        let pool = self.clone();
        Box::new(move |made| {
            let mut state = pool.lock();
            // It may have ended in the last moment.
            let Some(running) = state.leave(turn) else { return };
            if running.by == By::Taker {
                drop(state);
                return pool.jobs.taker_is_lost(made);
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
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Instant;

    /// When a pool counts as hung. No test waits for this unless it fails.
    const HUNG: Duration = Duration::from_secs(60);

    /// Jobs that count how many of them run at once, for each thing that they are about.
    #[derive(Default)]
    struct Counting {
        things: u64,
        running: Vec<AtomicUsize>,
        crowded: AtomicBool,
        begun: AtomicUsize,
        short: bool,
        /// The jobs that hang, and give themselves up; some even before it is known what they are about.
        hang: BTreeSet<usize>,
        hang_early: BTreeSet<usize>,
        hang_again: BTreeSet<usize>,
        panics: Option<usize>,
        /// How many are begun before the jobs do not go on.
        enough: Option<usize>,
        /// The jobs that wanted to be alone, and how many had been worked on by then.
        asked: Mutex<Vec<(usize, usize)>>,
        lost: Mutex<Vec<usize>>,
        worked: Mutex<Vec<(usize, thread::ThreadId)>>,
    }

    impl Counting {
        fn of(things: usize) -> Self {
            Self {
                things: things as u64,
                running: (0..things).map(|_| AtomicUsize::new(0)).collect(),
                ..Self::default()
            }
        }

        fn begun(&self) -> usize {
            self.begun.load(Ordering::SeqCst)
        }
    }

    struct Begun {
        job: usize,
        give_up: Mutex<Option<GiveUp<(usize, usize)>>>,
    }

    impl Begun {
        /// Does not return before the watchdog of this test has given the job up, and not for long after.
        fn hang(&self) {
            let give_up = self.give_up.lock().unwrap().take().unwrap();
            let job = self.job;
            thread::spawn(move || give_up((job, 0)));
            thread::sleep(Duration::from_millis(300));
        }
    }

    impl Jobs for Counting {
        type Task = Begun;
        type Made = (usize, usize);

        fn begin(&self, job: usize, give_up: GiveUp<Self::Made>) -> Begun {
            Begun {
                job,
                give_up: Mutex::new(Some(give_up)),
            }
        }

        fn files(&self, task: &Begun) -> Vec<Identity> {
            if self.hang_early.contains(&task.job) {
                task.hang();
            }
            vec![(2, task.job as u64), (1, task.job as u64 % self.things)]
        }

        fn work(&self, task: Begun) -> Self::Made {
            let job = task.job;
            self.begun.fetch_add(1, Ordering::SeqCst);
            let again = self.worked.lock().unwrap().iter().any(|(other, _)| *other == job);
            self.worked.lock().unwrap().push((job, thread::current().id()));
            assert!(self.panics != Some(job), "as it was told");
            if self.hang.contains(&job) || (again && self.hang_again.contains(&job)) {
                task.hang();
                return (job, 99);
            }
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

        fn goes_on(&self) -> bool {
            self.enough.is_none_or(|enough| self.begun() < enough)
        }

        fn wants_to_be_alone(&self, made: &Self::Made) -> bool {
            let wants = self.short && made.0.is_multiple_of(7);
            if wants {
                self.asked.lock().unwrap().push((made.0, self.worked.lock().unwrap().len()));
            }
            wants
        }

        fn taker_is_lost(&self, made: Self::Made) {
            self.lost.lock().unwrap().push(made.0);
        }
    }

    /// Does something that must come to an end.
    fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || tell.send(work()));
        told.recv_timeout(HUNG).expect("it comes to an end")
    }

    fn run_on(stack: usize, jobs: &Arc<Counting>, count: usize, threads: usize) -> Vec<(usize, usize)> {
        let jobs = jobs.clone();
        in_time(move || {
            let mut taken = Vec::new();
            on_stacks(stack, &jobs, count, threads, |made| {
                taken.extend(made);
                ControlFlow::Continue(())
            });
            taken
        })
    }

    fn run(jobs: &Arc<Counting>, count: usize, threads: usize) -> Vec<(usize, usize)> {
        run_on(STACK, jobs, count, threads)
    }

    fn order(made: &[(usize, usize)]) -> Vec<usize> {
        made.iter().map(|(job, _)| *job).collect()
    }

    fn all(count: usize) -> Vec<usize> {
        (0..count).collect()
    }

    #[test]
    fn results_come_in_order() {
        let jobs = Arc::new(Counting::of(300));
        assert_eq!(order(&run(&jobs, 300, 4)), all(300));
    }

    #[test]
    fn no_more_results_wait_for_a_taker_that_stalls_than_the_window_holds() {
        let jobs = Arc::new(Counting::of(300));
        let mut most = 0;
        in_order(&jobs, 300, 4, |made| {
            // The first is being taken, and nothing else is for a while.
            if made.is_some() && most == 0 {
                let begun = Instant::now();
                while jobs.begun() < 1 + 4 * WINDOW && begun.elapsed() < HUNG {
                    thread::sleep(Duration::from_millis(1));
                }
                thread::sleep(Duration::from_millis(50));
                most = jobs.begun();
            }
            ControlFlow::Continue(())
        });
        assert_eq!(most, 1 + 4 * WINDOW);
    }

    #[test]
    fn two_jobs_about_one_thing_never_run_at_once() {
        let jobs = Arc::new(Counting::of(3));
        assert_eq!(order(&run(&jobs, 100, 8)), all(100));
        assert!(!jobs.crowded.load(Ordering::SeqCst));
    }

    /// All but the last jobs are about one file, which a slow one holds.
    struct OneFile {
        others_are_done: Mutex<mpsc::Receiver<()>>,
        done: Mutex<mpsc::Sender<()>>,
    }

    impl Jobs for OneFile {
        type Task = usize;
        type Made = usize;

        fn begin(&self, job: usize, _: GiveUp<usize>) -> usize {
            job
        }

        fn files(&self, job: &usize) -> Vec<Identity> {
            vec![(0, if *job < 6 { 0 } else { *job as u64 })]
        }

        fn work(&self, job: usize) -> usize {
            if job == 0 {
                for _ in 6..10 {
                    self.others_are_done.lock().unwrap().recv_timeout(HUNG).expect("the others go on");
                }
            } else if job >= 6 {
                self.done.lock().unwrap().send(()).unwrap();
            }
            job
        }

        fn goes_on(&self) -> bool {
            true
        }

        fn wants_to_be_alone(&self, _: &usize) -> bool {
            false
        }

        fn taker_is_lost(&self, _: usize) {}
    }

    #[test]
    fn many_paths_to_one_file_keep_no_thread_from_the_other_files() {
        let (done, others_are_done) = mpsc::channel();
        let jobs = Arc::new(OneFile {
            others_are_done: Mutex::new(others_are_done),
            done: Mutex::new(done),
        });
        let taken = in_time(move || {
            let mut taken = Vec::new();
            in_order(&jobs, 10, 2, |made| {
                taken.extend(made);
                ControlFlow::Continue(())
            });
            taken
        });
        assert_eq!(taken, all(10));
    }

    #[test]
    fn a_job_that_was_short_of_something_is_done_again_alone() {
        let jobs = Arc::new(Counting {
            short: true,
            ..Counting::of(100)
        });
        let made = run(&jobs, 100, 4);
        assert_eq!(order(&made), all(100));
        assert!(made.iter().filter(|(job, _)| job.is_multiple_of(7)).all(|(_, beside)| *beside == 1));
        assert_eq!(jobs.begun(), 100 + 15);
    }

    #[test]
    fn nothing_is_begun_while_a_job_waits_to_be_alone() {
        const THREADS: usize = 4;
        let jobs = Arc::new(Counting {
            short: true,
            ..Counting::of(100)
        });
        run(&jobs, 100, THREADS);
        let worked: Vec<usize> = jobs.worked.lock().unwrap().iter().map(|(job, _)| *job).collect();
        for (job, asked) in jobs.asked.lock().unwrap().iter() {
            let waited = worked[*asked..].iter().take_while(|other| *other != job);
            // What is done again had been begun before.
            let begun = waited.filter(|other| !worked[..*asked].contains(other)).count();
            assert!(begun < THREADS, "{begun} were begun while {job} waited: {worked:?}");
        }
    }

    #[test]
    fn it_ends_when_the_jobs_do_not_go_on() {
        let jobs = Arc::new(Counting {
            enough: Some(10),
            ..Counting::of(1000)
        });
        let made = run(&jobs, 1000, 4);
        assert_eq!(order(&made), all(made.len()), "what was begun is taken");
        assert!((10..14).contains(&jobs.begun()), "{}", jobs.begun());
    }

    #[test]
    fn it_ends_when_nobody_takes_any_more() {
        let jobs = Arc::new(Counting::of(1000));
        let mut taken = 0;
        in_order(&jobs, 1000, 4, |made| {
            taken += usize::from(made.is_some());
            if taken == 5 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert_eq!(taken, 5);
        assert!(jobs.begun() < 100);
    }

    #[test]
    fn jobs_that_hang_cost_their_threads_and_nothing_else() {
        // More than there are threads: in the work, in the look at what it is about, and when it is done again alone.
        let jobs = Arc::new(Counting {
            hang: [0, 1, 2, 7, 30].into(),
            hang_early: [3, 20, 22, 39].into(),
            hang_again: [14, 21].into(),
            short: true,
            ..Counting::of(40)
        });
        let made = run(&jobs, 40, 2);
        assert_eq!(order(&made), all(40));
        for job in jobs.hang.iter().chain(&jobs.hang_early).chain(&jobs.hang_again) {
            assert_eq!(made[*job], (*job, 0), "what stands for it is taken, once");
        }
    }

    #[test]
    fn without_any_thread_the_taker_does_the_work() {
        let jobs = Arc::new(Counting {
            short: true,
            ..Counting::of(3)
        });
        // No machine has room for such a stack.
        let made = run_on(usize::MAX / 4, &jobs, 50, 4);
        assert_eq!(order(&made), all(50));
        let worked = jobs.worked.lock().unwrap();
        assert!(worked.iter().all(|(_, thread)| *thread == worked[0].1));
    }

    #[test]
    fn a_taker_that_hangs_in_the_work_says_so() {
        let jobs = Arc::new(Counting {
            hang: [2].into(),
            ..Counting::of(3)
        });
        let made = run_on(usize::MAX / 4, &jobs, 5, 4);
        assert_eq!(order(&made), [0, 1], "the program ends there");
        assert_eq!(*jobs.lost.lock().unwrap(), [2]);
    }

    #[test]
    fn a_job_that_panics_ends_it_all() {
        let jobs = Arc::new(Counting {
            panics: Some(11),
            ..Counting::of(50)
        });
        let taken = in_time(move || {
            let mut taken = Vec::new();
            let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
                in_order(&jobs, 50, 4, |made| {
                    taken.extend(made);
                    ControlFlow::Continue(())
                });
            }));
            (order(&taken), panicked.is_err())
        });
        assert_eq!(taken, (all(11), true));
    }
}
