use super::*;
use crate::run::job::Source;
use crate::run::results::cached;
use crate::store::layout::{Layout, Store};
use std::fs;
use std::sync::{Arc, Barrier, Mutex};
use tempfile::TempDir;
use thindist_core::digest::Digest;
use thindist_core::plan::action::Action;

/// What the fake executor does with a job.
type Behaviour = Box<dyn Fn(&Job, &CancelToken) -> Outcome + Send + Sync>;

/// An executor without processes; notes in which order it was asked.
struct Fake {
    work: Behaviour,
    asked: Mutex<Vec<String>>,
}

impl Executor for Fake {
    fn execute(&self, job: &Job, _permit: &mut Permit, cancel: &CancelToken) -> Outcome {
        self.asked.lock().unwrap().push(job.name.clone());
        (self.work)(job, cancel)
    }
}

fn fake(work: impl Fn(&Job, &CancelToken) -> Outcome + Send + Sync + 'static) -> Fake {
    Fake { work: Box::new(work), asked: Mutex::default() }
}

fn success(job: &Job) -> Outcome {
    let digest = Digest::of(job.name.as_bytes());
    Outcome::Success(NativeObject {
        side: Box::default(),
        digest,
        stderr: b"warning".to_vec(),
        from: Origin::Executed,
        estimate: None,
        times: Box::default(),
    })
}

fn failure() -> Outcome {
    Outcome::CompileFailed { status: "exit status 1".into(), stderr: vec![] }
}

#[derive(Default)]
struct Progress(Mutex<Vec<String>>);

impl ProgressSink for Progress {
    fn started(&self, index: usize) {
        self.0.lock().unwrap().push(format!("start {index}"));
    }
    fn finished(&self, index: usize, outcome: &Outcome) {
        self.0.lock().unwrap().push(format!("{} {index}", kind(outcome)));
    }
}

fn kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Success(_) => "success",
        Outcome::CompileFailed { .. } => "failure",
        Outcome::InfraFailed { .. } => "infra",
        Outcome::Cancelled => "cancelled",
    }
}

fn kinds(outcomes: &[Outcome]) -> Vec<&'static str> {
    outcomes.iter().map(kind).collect()
}

/// A job for each name; equal names have equal keys.
fn jobs(names: &[&str]) -> Vec<Job> {
    names.iter().map(|name| job(name)).collect()
}

fn job(name: &str) -> Job {
    let digest = Digest::of(name.as_bytes());
    let action = Action {
        compiler: digest,
        arguments: vec![],
        module: digest,
        index: digest,
        imports: vec![],
        extra_inputs: vec![],
        working_directory_depth: 0,
        elf_machine: 62,
    };
    let nothing = Source::Bytes(Arc::from([].as_slice()));
    Job { action, name: name.into(), module: nothing.clone(), index: nothing, imports: vec![], extra_inputs: vec![] }
}

struct Fixture {
    root: TempDir,
    slots: Slots,
    cas: Cas,
    cache: ActionCache,
    progress: Progress,
    cancel: CancelToken,
}

fn fixture(slots: usize) -> Fixture {
    let root = tempfile::tempdir().unwrap();
    Fixture {
        slots: Slots::open(Some(&root.path().join("slots")), slots).unwrap(),
        cas: Cas::open(root.path()).unwrap(),
        cache: ActionCache::open(root.path()).unwrap(),
        progress: Progress::default(),
        cancel: CancelToken::new(),
        root,
    }
}

impl Fixture {
    fn limits(&self, max_jobs: usize) -> Limits<'_> {
        let memory = MemoryBudget::FixedKib(u64::MAX);
        Limits {
            max_jobs,
            max_unfinished: Limits::storing(max_jobs),
            slots: Some(&self.slots),
            jobserver: None,
            memory,
        }
    }

    fn work<'a>(&'a self, jobs: &'a [Job], executor: &'a dyn Executor) -> Work<'a> {
        Work { jobs, estimates: &[], executor, cache: &self.cache, cas: &self.cas }
    }

    fn run(&self, jobs: &[Job], executor: &dyn Executor, limits: Limits<'_>) -> Vec<Outcome> {
        run_all(self.work(jobs, executor), limits, &self.progress, &self.cancel)
    }

    fn store(&self, key: &Digest, content: &[u8]) -> Digest {
        let digest = self.cas.put_bytes(content).unwrap();
        let object = NativeObject {
            side: Box::default(),
            digest,
            stderr: b"warning".to_vec(),
            from: Origin::Executed,
            estimate: None,
            times: Box::default(),
        };
        self.cache.put(key, &cached(&object)).unwrap();
        digest
    }
}

#[test]
fn outcomes_are_in_the_order_of_the_jobs_and_jobs_in_the_order_of_length() {
    let f = fixture(1);
    let estimate = |duration_ms| Some(Estimate { duration_ms, peak_rss_kib: 1 });
    let estimates = [estimate(1), estimate(3), estimate(2)];
    let executor = fake(|job, _| success(job));
    let limits = f.limits(1);
    let jobs = jobs(&["a", "b", "c"]);
    let work = Work { estimates: &estimates, ..f.work(&jobs, &executor) };
    let outcomes = run_all(work, limits, &f.progress, &f.cancel);
    assert_eq!(*executor.asked.lock().unwrap(), ["b", "c", "a"]);
    let names = ["a", "b", "c"].map(|name| Digest::of(name.as_bytes()));
    for (outcome, name) in outcomes.iter().zip(names) {
        assert!(matches!(outcome, Outcome::Success(object) if object.digest == name));
    }
    let order = ["start 1", "success 1", "start 2", "success 2", "start 0", "success 0"];
    assert_eq!(*f.progress.0.lock().unwrap(), order);
}

#[test]
fn jobs_run_side_by_side_within_the_bound() {
    let f = fixture(2);
    // Each pair meets here; alone, the first would wait for ever. A third would come to meet the next one early.
    let meeting = Arc::new(Barrier::new(2));
    let running = Arc::new(Mutex::new((0, 0)));
    let executor = fake({
        let running = Arc::clone(&running);
        move |job, _| {
            let mut count = running.lock().unwrap();
            count.0 += 1;
            count.1 = count.1.max(count.0);
            drop(count);
            meeting.wait();
            running.lock().unwrap().0 -= 1;
            success(job)
        }
    });
    let outcomes = f.run(&jobs(&["a", "b", "c", "d", "e", "f"]), &executor, f.limits(100));
    assert_eq!(kinds(&outcomes), ["success"; 6]);
    assert_eq!(*running.lock().unwrap(), (0, 2));
}

#[test]
fn equal_keys_are_run_once() {
    let f = fixture(4);
    let executor = fake(|job, _| success(job));
    let outcomes = f.run(&jobs(&["a", "b", "a", "a"]), &executor, f.limits(4));
    assert_eq!(kinds(&outcomes), ["success"; 4]);
    assert_eq!(executor.asked.lock().unwrap().len(), 2);
    let finished = f.progress.0.lock().unwrap().iter().filter(|line| line.starts_with("success")).count();
    assert_eq!(finished, 4);
}

#[test]
fn the_first_failure_cancels_the_rest_but_not_the_link() {
    let f = fixture(1);
    let executor = fake(|job, _| if job.name == "a" { failure() } else { success(job) });
    let outcomes = f.run(&jobs(&["a", "b", "a"]), &executor, f.limits(1));
    assert_eq!(kinds(&outcomes), ["failure", "cancelled", "cancelled"]);
    assert_eq!(*executor.asked.lock().unwrap(), ["a"]);
    assert!(!f.cancel.is_cancelled());
}

#[test]
fn a_failure_ends_what_runs_beside_it() {
    let f = fixture(2);
    let both_run = Arc::new(Barrier::new(2));
    let executor = fake(move |job, cancel| {
        both_run.wait();
        if job.name == "bad" {
            return failure();
        }
        while !cancel.wait(std::time::Duration::from_secs(600)) {}
        Outcome::Cancelled
    });
    let outcomes = f.run(&jobs(&["long", "bad"]), &executor, f.limits(2));
    assert_eq!(kinds(&outcomes), ["cancelled", "failure"]);
}

#[test]
fn a_cancelled_link_starts_nothing() {
    let f = fixture(1);
    f.cancel.cancel();
    let executor = fake(|job, _| success(job));
    assert_eq!(kinds(&f.run(&jobs(&["a", "b"]), &executor, f.limits(1))), ["cancelled"; 2]);
    assert!(executor.asked.lock().unwrap().is_empty());
}

#[test]
fn a_link_that_waits_for_a_slot_can_be_cancelled() {
    let f = fixture(1);
    let _elsewhere = f.slots.try_acquire().unwrap();
    let executor = fake(|job, _| success(job));
    thread::scope(|scope| {
        let link = scope.spawn(|| f.run(&jobs(&["a"]), &executor, f.limits(1)));
        f.cancel.cancel();
        assert_eq!(kinds(&link.join().unwrap()), ["cancelled"]);
    });
}

#[test]
fn a_panic_of_an_executor_is_an_error_that_names_the_module() {
    let f = fixture(1);
    let executor = fake(|_, _| panic!("a bug, on purpose"));
    let outcomes = f.run(&jobs(&["a.o"]), &executor, f.limits(1));
    assert!(matches!(&outcomes[0], Outcome::InfraFailed { message } if message.contains("panicked on a.o")));
}

#[test]
fn makes_tokens_bound_the_jobs_and_are_all_given_back() {
    let f = fixture(8);
    let make = jobserver::Client::new(1).unwrap();
    let mut command = std::process::Command::new("true");
    make.configure(&mut command);
    let flags = command.get_envs().find_map(|(name, value)| value.filter(|_| name == "CARGO_MAKEFLAGS")).unwrap();
    let server = MakeJobserver::from_makeflags(flags.to_str().unwrap());
    assert!(server.is_some());
    // The implicit token and one of make's: two at a time, as the barrier needs.
    let meeting = Barrier::new(2);
    let running = Arc::new(Mutex::new((0, 0)));
    let executor = fake({
        let running = Arc::clone(&running);
        move |job, _| {
            let mut count = running.lock().unwrap();
            count.0 += 1;
            count.1 = count.1.max(count.0);
            drop(count);
            meeting.wait();
            running.lock().unwrap().0 -= 1;
            success(job)
        }
    });
    let limits = Limits { jobserver: server, ..f.limits(8) };
    assert_eq!(kinds(&f.run(&jobs(&["a", "b", "c", "d"]), &executor, limits)), ["success"; 4]);
    assert_eq!(*running.lock().unwrap(), (0, 2));
    assert_eq!(make.available().unwrap(), 1);
}

#[test]
fn only_success_is_stored_and_then_found() {
    let f = fixture(1);
    let executor = fake(|job, _| if job.name == "bad" { failure() } else { success(job) });
    let jobs = jobs(&["good", "bad"]);
    f.cas.put_bytes(b"good").unwrap();
    f.run(&jobs, &executor, f.limits(1));
    let actions: Vec<_> = jobs.iter().map(|job| &job.action).collect();
    let found = look_up(&f.cas, &f.cache, &actions, 2);
    let object = found[0].as_ref().unwrap();
    assert_eq!((object.digest, object.from), (Digest::of(b"good"), Origin::LocalCache));
    assert_eq!(object.stderr, b"warning");
    assert_eq!(found[1], None);
}

#[test]
fn a_gap_or_a_damaged_blob_is_a_miss() {
    let f = fixture(1);
    let jobs = jobs(&["good", "gone", "damaged", "empty"]);
    let actions: Vec<_> = jobs.iter().map(|job| &job.action).collect();
    let contents = [&b"1"[..], b"2", b"3", b""];
    let stored = contents.iter().zip(&actions);
    let blobs: Vec<_> = stored.map(|(blob, action)| f.store(&action.key(), blob)).collect();
    let path = |digest| Layout::new(f.root.path()).path(Store::Cas, digest);
    fs::remove_file(path(&blobs[1])).unwrap();
    fs::remove_file(path(&blobs[2])).unwrap();
    fs::write(path(&blobs[2]), b"X").unwrap();
    let found = look_up(&f.cas, &f.cache, &actions, 4);
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false, false]);
}

/// The link goes on if its results cannot be kept.
#[test]
fn a_full_action_cache_is_survived() {
    let f = fixture(1);
    fs::remove_dir_all(f.root.path().join("ac")).unwrap();
    fs::write(f.root.path().join("ac"), "in the way").unwrap();
    let executor = fake(|job, _| success(job));
    let outcomes = run_all(f.work(&jobs(&["a"]), &executor), f.limits(1), &Progress::default(), &f.cancel);
    assert_eq!(kinds(&outcomes), ["success"]);
}

#[test]
fn the_next_job_starts_while_the_last_ones_object_is_stored() {
    let f = fixture(1);
    // "a" gives its permit back and waits to be joined by "b"; neither could end without that.
    let meeting = Barrier::new(2);
    struct Releases<'a>(&'a Barrier);
    impl Executor for Releases<'_> {
        fn execute(&self, job: &Job, permit: &mut Permit, _cancel: &CancelToken) -> Outcome {
            permit.release();
            self.0.wait();
            success(job)
        }
    }
    let outcomes = f.run(&jobs(&["a", "b"]), &Releases(&meeting), f.limits(1));
    assert_eq!(kinds(&outcomes), ["success"; 2]);
}
