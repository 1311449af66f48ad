use super::*;
use crate::error::RemoteError;
use crate::execute::{Hybrid, Policy};
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use thindist_core::digest::Digest;
use thindist_core::plan::action::Action as CoreAction;
use thindist_exec::{NativeObject, Origin, Slots, Source};

/// No waiting: everything that is on the engine is worth it at once.
const AT_ONCE: Pace = Pace { begin: Duration::ZERO, factor: 0, end: Duration::ZERO, unknown: Duration::ZERO };
const NEVER: Pace = Pace { begin: Duration::from_secs(3600), end: Duration::from_secs(3600), ..AT_ONCE };

fn job() -> Job {
    let digest = Digest::of(b"job");
    let action = CoreAction {
        compiler: digest,
        arguments: vec![],
        module: digest,
        index: digest,
        imports: vec![],
        extra_inputs: vec![],
        working_directory_depth: 0,
        elf_machine: 62,
    };
    let nothing = Source::Bytes([].into());
    Job { action, name: "a.o".into(), module: nothing.clone(), index: nothing, imports: vec![], extra_inputs: vec![] }
}

fn object(from: Origin) -> NativeObject {
    NativeObject {
        digest: Digest::of(b"object"),
        side: Box::default(),
        stderr: vec![],
        from,
        estimate: None,
        times: Box::default(),
    }
}

fn unavailable() -> Ended {
    Ended::Unavailable(RemoteError::Closed { address: "remote_executor=grpc://x".into() })
}

/// Counts what was begun and what has ended.
#[derive(Default)]
struct Counts {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

impl Counts {
    fn of(&self) -> (usize, usize) {
        (self.begun.load(Ordering::SeqCst), self.ended.load(Ordering::SeqCst))
    }

    fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let done = work();
        self.ended.fetch_add(1, Ordering::SeqCst);
        done
    }
}

type OnCancel<T> = dyn Fn(&CancelToken) -> T + Send + Sync;

struct Engine(Counts, Box<OnCancel<Ended>>);

impl There for Engine {
    fn run(&self, _job: &Job, cancel: &CancelToken, begun: &mut dyn FnMut()) -> Ended {
        self.0.during(|| {
            begun();
            (self.1)(cancel)
        })
    }
}

struct Here(Counts, Box<OnCancel<Outcome>>);

impl Executor for Here {
    fn execute(&self, _job: &Job, _permit: &mut Permit, cancel: &CancelToken) -> Outcome {
        self.0.during(|| (self.1)(cancel))
    }
}

/// Ends when it is cancelled, which a test that fails would wait for in vain.
fn until_cancelled(cancel: &CancelToken) {
    assert!(cancel.wait(Duration::from_secs(300)), "nobody has cancelled the loser");
}

struct Fixture {
    _root: TempDir,
    slots: Slots,
    cancel: CancelToken,
}

fn fixture() -> Fixture {
    let root = tempfile::tempdir().unwrap();
    let slots = Slots::open(Some(&root.path().join("slots")), 1).unwrap();
    Fixture { _root: root, slots, cancel: CancelToken::new() }
}

impl Fixture {
    /// One action that is on the engine, while places here are free.
    fn race(&self, pace: Pace, engine: &Engine, here: &Here) -> Raced {
        let board = Board::new(pace);
        let lane = LocalLane { slots: &self.slots, jobserver: None };
        thread::scope(|scope| {
            scope.spawn(|| board.help(here, &lane));
            let raced = board.run(Racer { job: &job(), expected: None }, engine, &self.cancel, &mut || {});
            board.close();
            raced
        })
    }
}

fn engine(work: impl Fn(&CancelToken) -> Ended + Send + Sync + 'static) -> Engine {
    Engine(Counts::default(), Box::new(work))
}

fn here(work: impl Fn(&CancelToken) -> Outcome + Send + Sync + 'static) -> Here {
    Here(Counts::default(), Box::new(work))
}

fn success() -> Outcome {
    Outcome::Success(object(Origin::Executed))
}

#[test]
fn a_worker_that_never_ends_is_beaten_and_cancelled() {
    let f = fixture();
    let slow = engine(|cancel| {
        until_cancelled(cancel);
        Ended::Cancelled
    });
    let quick = here(|_| success());
    let raced = f.race(AT_ONCE, &slow, &quick);
    assert!(matches!(raced, Raced::Here(Outcome::Success(_))), "{raced:?}");
    assert_eq!((slow.0.of(), quick.0.of()), ((1, 1), (1, 1)));
    assert!(!f.cancel.is_cancelled(), "the link goes on");
}

#[test]
fn the_local_loser_has_ended_before_the_action_has() {
    let f = fixture();
    let running = Arc::new(CancelToken::new());
    let begun = Arc::clone(&running);
    let slow = here(move |cancel| {
        begun.cancel();
        until_cancelled(cancel);
        Outcome::Cancelled
    });
    let quick = engine(move |_| {
        until_cancelled(&running);
        Ended::Success(object(Origin::RemoteExecuted))
    });
    let raced = f.race(AT_ONCE, &quick, &slow);
    assert!(matches!(raced, Raced::There(Ended::Success(_))), "{raced:?}");
    assert_eq!(slow.0.of(), (1, 1), "the loser was not waited for");
}

#[test]
fn an_engine_in_time_is_left_alone() {
    let f = fixture();
    let quick = engine(|_| Ended::Success(object(Origin::RemoteExecuted)));
    let unused = here(|_| success());
    let raced = f.race(NEVER, &quick, &unused);
    assert!(matches!(raced, Raced::There(Ended::Success(_))), "{raced:?}");
    assert_eq!(unused.0.of(), (0, 0));
}

#[test]
fn an_engine_that_fails_meanwhile_leaves_it_to_what_runs_here() {
    let f = fixture();
    let running = Arc::new(CancelToken::new());
    let begun = Arc::clone(&running);
    let only = here(move |_| {
        begun.cancel();
        success()
    });
    let broken = engine(move |_| {
        until_cancelled(&running);
        unavailable()
    });
    let raced = f.race(AT_ONCE, &broken, &only);
    assert!(matches!(raced, Raced::Here(Outcome::Success(_))), "{raced:?}");
    assert_eq!(only.0.of(), (1, 1), "it ran twice here");
}

#[test]
fn what_could_not_be_run_here_is_still_the_engines() {
    let f = fixture();
    let tried = Arc::new(CancelToken::new());
    let ended = Arc::clone(&tried);
    let full = here(move |_| {
        ended.cancel();
        Outcome::InfraFailed { message: "disk full".into() }
    });
    let good = engine(move |_| {
        until_cancelled(&tried);
        Ended::Success(object(Origin::RemoteExecuted))
    });
    let raced = f.race(AT_ONCE, &good, &full);
    assert!(matches!(raced, Raced::There(Ended::Success(_))), "{raced:?}");
}

#[test]
fn a_bug_here_ends_the_link_and_not_in_a_wait_for_ever() {
    let f = fixture();
    let slow = engine(|cancel| {
        until_cancelled(cancel);
        Ended::Cancelled
    });
    let cancel = f.cancel.clone();
    let broken = here(move |_| {
        cancel.cancel();
        panic!("a bug")
    });
    let raced = f.race(AT_ONCE, &slow, &broken);
    assert!(matches!(raced, Raced::Here(Outcome::InfraFailed { .. })), "{raced:?}");
}

#[test]
fn a_cancelled_link_ends_both() {
    let f = fixture();
    let cancel = f.cancel.clone();
    let slow = here(move |own| {
        cancel.cancel();
        until_cancelled(own);
        Outcome::Cancelled
    });
    let slow_there = engine(|cancel| {
        until_cancelled(cancel);
        Ended::Cancelled
    });
    let raced = f.race(AT_ONCE, &slow_there, &slow);
    assert!(matches!(raced, Raced::Here(Outcome::Cancelled)), "{raced:?}");
    assert_eq!((slow.0.of(), slow_there.0.of()), ((1, 1), (1, 1)));
}

#[test]
fn without_racing_nothing_is_run_twice() {
    let f = fixture();
    // The only place is taken, so the action goes to the engine.
    let taken = f.slots.try_acquire();
    let quick = engine(|_| Ended::Success(object(Origin::RemoteExecuted)));
    let unused = here(|_| success());
    let lane = LocalLane { slots: &f.slots, jobserver: None };
    let policy = Policy { beside: true, racing: false, fallback: true };
    let hybrid = Hybrid::new(&unused, lane, &quick, policy);
    let mut place = Permit::new(taken.unwrap());
    let outcome = hybrid.while_helping(|| hybrid.execute(&job(), &mut place, &f.cancel));
    assert!(matches!(outcome, Outcome::Success(_)), "{outcome:?}");
    assert_eq!((quick.0.of(), unused.0.of()), ((1, 1), (0, 0)));
}

/// What is chosen among actions that came at these times: `begun` ones are with a worker.
fn choose(pace: Pace, now_ms: u64, actions: &[(u64, Option<u64>, Option<u64>)]) -> Option<u64> {
    let start = Instant::now();
    let at = |ms: u64| start + Duration::from_millis(ms);
    let mut state = State::default();
    for (number, (since, begun, expected)) in (0..).zip(actions) {
        let action = Action {
            job: job(),
            expected: expected.map(Duration::from_millis),
            since: at(*since),
            there: CancelToken::new(),
            here: CancelToken::new(),
            lap: Mutex::new(Lap { begun: begun.map(at), here: super::Here::Nothing }),
            changed: Condvar::new(),
        };
        state.there.insert(number, Arc::new(action));
    }
    match state.choose(pace, at(now_ms)) {
        Choice::Now(chosen) => state.there.iter().find(|(_, action)| Arc::ptr_eq(action, &chosen)).map(|(n, _)| *n),
        Choice::At(_) | Choice::Never => None,
    }
}

#[test]
fn the_last_to_wait_goes_first_and_then_the_one_that_is_longest_overdue() {
    let pace = Pace::default();
    // Nobody has waited long enough.
    assert_eq!(choose(pace, 200, &[(0, None, None), (100, None, None)]), None);
    assert_eq!(choose(pace, 1000, &[(0, None, None), (100, None, None), (900, None, None)]), Some(1));
    // 100 ms were expected: 3 times that and a second.
    assert_eq!(choose(pace, 1290, &[(0, Some(0), Some(100))]), None);
    assert_eq!(choose(pace, 1310, &[(0, Some(0), Some(100))]), Some(0));
    assert_eq!(choose(pace, 9000, &[(0, Some(0), Some(200)), (0, Some(0), Some(100))]), Some(1));
    assert_eq!(choose(pace, 9000, &[(0, Some(0), Some(100)), (10, None, None)]), Some(1));
    // Of nothing known, half a minute and more is slow.
    assert_eq!(choose(pace, 30_000, &[(0, Some(0), None)]), None);
    assert_eq!(choose(pace, 32_000, &[(0, Some(0), None)]), Some(0));
    assert_eq!(choose(pace, 0, &[]), None);
}
