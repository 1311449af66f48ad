use super::*;
use std::fs::{self, File};
use std::path::Path;

fn shell(script: &str) -> Invocation {
    Invocation { program: "/bin/sh".into(), arguments: vec!["-c".into(), script.into()], ..Invocation::default() }
}

fn check(script: &str) -> Finished {
    run(&shell(script), None, &CancelToken::new()).unwrap()
}

#[test]
fn output_and_status_are_told_apart() {
    let finished = check("echo out; echo err >&2; exit 3");
    assert_eq!((finished.stdout.as_slice(), finished.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!(finished.status, Status::Exited(3));
    assert_eq!(finished.status.to_string(), "exit status 3");
}

#[test]
fn a_signal_is_not_an_exit_status() {
    let status = check("kill -SEGV $$").status;
    assert_eq!(status, Status::Signaled(libc::SIGSEGV));
    assert_eq!(status.to_string(), "killed by signal 11 (SIGSEGV)");
    assert_eq!(check("exit 139").status, Status::Exited(139));
}

#[test]
fn big_output_on_both_pipes_does_not_block() {
    let finished = check("i=0; while [ $i -lt 20000 ]; do echo 0123456789; echo 9876543210 >&2; i=$((i+1)); done");
    assert_eq!((finished.stdout.len(), finished.stderr.len()), (220_000, 220_000));
}

#[test]
fn the_environment_is_what_was_given_and_nothing_else() {
    let mut invocation = Invocation { program: "/usr/bin/env".into(), ..Invocation::default() };
    invocation.environment = vec![("A".into(), "1".into()), ("B".into(), "2".into())];
    let finished = run(&invocation, None, &CancelToken::new()).unwrap();
    assert_eq!(finished.stdout, b"A=1\nB=2\n");
}

#[test]
fn input_is_empty_and_usage_is_measured() {
    let finished = check("read line && echo no; i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done");
    assert_eq!(finished.stdout, b"");
    assert!(finished.usage.peak_rss_kib > 100 && !finished.usage.cpu.is_zero() && !finished.usage.elapsed.is_zero());
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let invocation = Invocation { program: "/nonexistent/clang".into(), ..Invocation::default() };
    let error = run(&invocation, None, &CancelToken::new()).unwrap_err().to_string();
    assert!(error.starts_with("cannot run /nonexistent/clang: No such file"), "{error}");
}

fn fifo(directory: &Path, name: &str) -> PathBuf {
    let path = directory.join(name);
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    path
}

/// Runs a script that writes to the fifo `ready` and then would run for ever, and cancels it.
fn check_cancel(script: &str, token: &CancelToken) -> Status {
    let directory = tempfile::tempdir().unwrap();
    let (ready, _never) = (fifo(directory.path(), "ready"), fifo(directory.path(), "never"));
    let invocation = Invocation { directory: Some(directory.path().to_owned()), ..shell(script) };
    thread::scope(|scope| {
        let child = scope.spawn(|| run(&invocation, None, token).unwrap());
        File::open(ready).unwrap().read_to_end(&mut Vec::new()).unwrap();
        token.await_children(1);
        token.cancel();
        child.join().unwrap().status
    })
}

#[test]
fn cancelling_ends_a_child() {
    let status = check_cancel("echo > ready; read line < never", &CancelToken::new());
    assert_eq!(status, Status::Signaled(libc::SIGTERM));
}

#[test]
fn cancelling_ends_what_the_child_started() {
    // The shell waits for a child of its own, which holds our pipes; a signal to the shell alone would leave it.
    let status = check_cancel("/bin/sh -c 'echo > ready; read line < never'; exit 0", &CancelToken::new());
    assert_eq!(status, Status::Signaled(libc::SIGTERM));
}

#[test]
fn a_child_that_ignores_sigterm_is_killed() {
    let token = CancelToken::with_grace(Duration::from_millis(1));
    let script = "trap '' TERM; echo > ready; while :; do read line < never; done";
    assert_eq!(check_cancel(script, &token), Status::Signaled(libc::SIGKILL));
}

#[test]
fn a_child_of_a_cancelled_token_does_not_live() {
    let directory = tempfile::tempdir().unwrap();
    fifo(directory.path(), "never");
    let token = CancelToken::new();
    token.cancel();
    let invocation = Invocation { directory: Some(directory.path().to_owned()), ..shell("read line < never") };
    assert_eq!(run(&invocation, None, &token).unwrap().status, Status::Signaled(libc::SIGKILL));
}

#[test]
fn what_a_child_leaves_running_is_ended_with_it() {
    let directory = tempfile::tempdir().unwrap();
    fifo(directory.path(), "never");
    let script = "read line < never & echo done";
    let invocation = Invocation { directory: Some(directory.path().to_owned()), ..shell(script) };
    let finished = run(&invocation, None, &CancelToken::new()).unwrap();
    assert_eq!((finished.status, finished.stdout.as_slice()), (Status::Exited(0), &b"done\n"[..]));
}

/// Not a test by itself: what the next one kills.
#[test]
#[ignore = "started by a_child_dies_with_us"]
fn helper_that_waits_for_a_child() {
    let Some(directory) = std::env::var_os("THINDIST_TEST_DIRECTORY") else { return };
    // exec: the shell itself holds `alive` until it dies.
    let script = "exec 3> alive; echo > ready; read line < never";
    let _ = run(&Invocation { directory: Some(directory.into()), ..shell(script) }, None, &CancelToken::new());
}

#[test]
fn a_child_dies_with_us() {
    let directory = tempfile::tempdir().unwrap();
    let [ready, alive, _never] = ["ready", "alive", "never"].map(|name| fifo(directory.path(), name));
    let mut helper = Command::new(std::env::current_exe().unwrap());
    helper.args(["--exact", "run::process::tests::helper_that_waits_for_a_child", "--include-ignored"]);
    helper.env("THINDIST_TEST_DIRECTORY", directory.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut helper = helper.spawn().unwrap();
    let mut alive = File::open(alive).unwrap();
    assert_eq!(fs::read(ready).unwrap(), b"\n");
    helper.kill().unwrap();
    helper.wait().unwrap();
    // Ends when the last process that holds the other end is gone.
    alive.read_to_end(&mut Vec::new()).unwrap();
}
