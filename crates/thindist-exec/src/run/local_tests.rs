use super::*;
use crate::limits::slots::Slots;
use crate::run::object_check::tests::tiny_object;
use crate::store::maintenance::stats;
use std::sync::Arc;
use tempfile::TempDir;
use thindist_core::plan::action::Action;

/// A shell for a compiler: the action's arguments are its script. Written to no file, so that no other test's fork can
/// hold that file open while it is to be executed.
struct Fixture {
    root: TempDir,
    executor: LocalExecutor,
    slots: Slots,
}

fn fixture() -> Fixture {
    let root = tempfile::tempdir().unwrap();
    let work_dir = root.path().join("work");
    fs::create_dir(&work_dir).unwrap();
    let executor = LocalExecutor {
        compiler: "/bin/sh".into(),
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        work_dir,
        cas: Cas::open(root.path()).unwrap(),
        warm: None,
    };
    let slots = Slots::open(Some(&root.path().join("slots")), 1).unwrap();
    Fixture { root, executor, slots }
}

fn job(script: &str) -> Job {
    let digest = Digest::of(b"");
    let action = Action {
        compiler: digest,
        arguments: vec!["-c".into(), script.into()],
        module: digest,
        index: digest,
        imports: vec![],
        extra_inputs: vec![],
        working_directory_depth: 0,
        elf_machine: 62,
    };
    let (module, index) = (Source::Bytes(Arc::from(tiny_object(62))), Source::Bytes(Arc::from(tiny_object(183))));
    Job { action, name: "a.o".into(), module, index, imports: vec![], extra_inputs: vec![] }
}

impl Fixture {
    fn permit(&self) -> Permit {
        Permit::new(self.slots.acquire_soon().unwrap())
    }

    fn run(&self, job: &Job) -> Outcome {
        let outcome = self.executor.execute(job, &mut self.permit(), &CancelToken::new());
        assert_eq!(fs::read_dir(&self.executor.work_dir).unwrap().count(), 0, "an action root was left behind");
        outcome
    }

    /// The script's outcome is a failure of the compiler, of which nothing is stored.
    fn check_failure(&self, script: &str, expect_status: &str, expect_stderr: &str) {
        let Outcome::CompileFailed { status, stderr } = self.run(&job(script)) else { panic!("{script}: no failure") };
        assert_eq!(status, expect_status);
        assert_eq!(String::from_utf8(stderr).unwrap(), expect_stderr);
        assert_eq!(stats(self.root.path()).unwrap().cas_blobs, 0);
    }
}

const GOOD: &str = "cat module.bc > module.thinlto-native.o";

#[test]
fn a_success_is_stored_with_its_warnings_and_its_cost() {
    let f = fixture();
    let outcome = f.run(&job(&format!("echo warning: odd >&2; {GOOD}")));
    let Outcome::Success(object) = outcome else { panic!("{outcome:?}") };
    assert_eq!(f.executor.cas.read(&object.digest).unwrap().unwrap(), tiny_object(62));
    assert_eq!((object.stderr.as_slice(), object.from), (&b"warning: odd\n"[..], Origin::Executed));
    assert!(object.estimate.unwrap().peak_rss_kib > 0);
}

#[test]
fn a_failure_shows_the_compilers_words() {
    fixture().check_failure(&format!("{GOOD}; echo error: no >&2; exit 1"), "exit status 1", "error: no\n");
}

#[test]
fn exit_0_does_not_make_an_object() {
    let f = fixture();
    let native = "module.thinlto-native.o";
    let but = |what: &str| format!("exit status 0, but its native object is {what}");
    f.check_failure("exit 0", &but("missing"), "");
    f.check_failure(&format!(": > {native}"), &but("empty"), "");
    f.check_failure(&format!("echo text > {native}"), &but("not an ELF object"), "");
    f.check_failure(&format!("cat index.thinlto.bc > {native}"), &but("for machine 183, expected 62"), "");
    f.check_failure(&format!("ln -s module.bc {native}"), &but("missing"), "");
    f.check_failure(&format!("mkdir {native}"), &but("missing"), "");
}

#[test]
fn a_killed_compiler_is_a_failure_with_a_hint() {
    let f = fixture();
    f.check_failure(&format!("{GOOD}; kill -SEGV $$"), "killed by signal 11 (SIGSEGV)", "");
    let hint = "killed by signal 9 (SIGKILL); perhaps by the kernel for lack of memory: try fewer jobs";
    f.check_failure(&format!("{GOOD}; kill -KILL $$"), hint, "");
}

#[test]
fn a_compiler_that_cannot_be_run_is_no_failure_of_the_module() {
    let mut f = fixture();
    f.executor.compiler = "/nonexistent/clang".into();
    let outcome = f.run(&job(GOOD));
    assert!(
        matches!(&outcome, Outcome::InfraFailed { message } if message.starts_with("cannot run /nonexistent/clang"))
    );
}

#[test]
fn an_input_that_changes_while_it_is_compiled_is_noticed() {
    let f = fixture();
    let input = f.root.path().join("input.bc");
    fs::write(&input, tiny_object(62)).unwrap();
    let stamp = Some(FileStamp::of(&input).unwrap());
    let mut job = job(&format!("{GOOD}; echo >> {}", input.display()));
    job.module = Source::File { path: input.clone(), stamp };
    let outcome = f.run(&job);
    let expect = format!("{} changed while a.o was being compiled", input.display());
    assert!(matches!(&outcome, Outcome::InfraFailed { message } if *message == expect), "{outcome:?}");
    assert_eq!(stats(f.root.path()).unwrap().cas_blobs, 0);
}

#[test]
fn a_cancelled_job_is_neither_run_nor_a_failure() {
    let f = fixture();
    let cancel = CancelToken::new();
    cancel.cancel();
    let marker = f.root.path().join("ran");
    let outcome = f.executor.execute(&job(&format!("echo > {}", marker.display())), &mut f.permit(), &cancel);
    assert!(matches!(outcome, Outcome::Cancelled));
    assert!(!marker.exists());
}

#[test]
fn a_job_cancelled_while_it_runs_is_cancelled() {
    let f = fixture();
    let fifo = |name| {
        let path = f.root.path().join(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        path
    };
    let (ready, never) = (fifo("ready"), fifo("never"));
    let job = job(&format!("echo > {}; read line < {}", ready.display(), never.display()));
    let cancel = CancelToken::new();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| f.executor.execute(&job, &mut f.permit(), &cancel));
        fs::read(&ready).unwrap();
        cancel.cancel();
        assert!(matches!(running.join().unwrap(), Outcome::Cancelled));
    });
}

#[test]
fn a_warm_compiler_does_the_same() {
    let mut f = fixture();
    let warm = WarmCompiler::start(&f.executor.compiler, &f.executor.environment, f.root.path(), 1);
    f.executor.warm = Some(warm.expect("a shell can be kept warm as well"));
    let Outcome::Success(object) = f.run(&job(&format!("echo warning: odd >&2; {GOOD}"))) else { panic!("no success") };
    assert_eq!(f.executor.cas.read(&object.digest).unwrap().unwrap(), tiny_object(62));
    assert_eq!(object.stderr, b"warning: odd\n");
    let Outcome::CompileFailed { status, .. } = f.run(&job("exit 0")) else { panic!("no failure") };
    assert_eq!(status, "exit status 0, but its native object is missing");
    assert_eq!(f.executor.warm.unwrap().plain_runs(), 0);
}
