//! Results come in order, each job is done once, and nothing that hangs or panics holds up the others.

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
    /// The number of jobs that are started before the jobs wait.
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

    fn should_continue(&self) -> bool {
        self.enough.is_none_or(|enough| self.begun() < enough)
    }

    fn needs_exclusive_run(&self, made: &Self::Made) -> bool {
        let wants = self.short && made.0.is_multiple_of(7);
        if wants {
            self.asked.lock().unwrap().push((made.0, self.worked.lock().unwrap().len()));
        }
        wants
    }

    fn receiver_is_lost(&self, made: Self::Made) {
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
    run_in_order(&jobs, 300, 4, |made| {
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

    fn should_continue(&self) -> bool {
        true
    }

    fn needs_exclusive_run(&self, _: &usize) -> bool {
        false
    }

    fn receiver_is_lost(&self, _: usize) {}
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
        run_in_order(&jobs, 10, 2, |made| {
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
    run_in_order(&jobs, 1000, 4, |made| {
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
            run_in_order(&jobs, 50, 4, |made| {
                taken.extend(made);
                ControlFlow::Continue(())
            });
        }));
        (order(&taken), panicked.is_err())
    });
    assert_eq!(taken, (all(11), true));
}
