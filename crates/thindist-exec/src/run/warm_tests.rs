use super::*;
use crate::limits::slots::Slots;
use std::fs::File;
use std::thread;
use tempfile::TempDir;

const TOOL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/run/warm/test_tool.c");

/// A small program in place of a compiler, and a place to run it in.
struct Fixture {
    root: TempDir,
    tool: PathBuf,
}

fn build(root: &Path, flags: &[&str]) -> PathBuf {
    let tool = root.join("tool");
    let status = Command::new("cc").args(["-Wall", "-Werror", "-o"]).arg(&tool).arg(TOOL).args(flags).status();
    assert!(status.expect("these tests need a C compiler (Debian: gcc)").success());
    tool
}

fn fixture() -> Fixture {
    // A blank and a colon: the dynamic linker divides its lists at them.
    let root = tempfile::Builder::new().prefix("a b:c-").tempdir().unwrap();
    let tool = build(root.path(), &[]);
    Fixture { root, tool }
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

impl Fixture {
    fn try_start(&self, compiler: &Path) -> Option<WarmCompiler> {
        WarmCompiler::start(compiler, &[("A".into(), "1".into())], self.root.path(), 1)
    }

    fn start(&self) -> WarmCompiler {
        self.try_start(&self.tool).expect("it comes up")
    }

    fn run(&self, warm: &WarmCompiler, arguments: &[&str], cancel: &CancelToken) -> Finished {
        warm.run(words(arguments), self.root.path(), None, cancel).unwrap()
    }

    /// Without the fallback, which would hide that it did not work.
    fn run_warm(&self, warm: &WarmCompiler, arguments: &[&str], slot: Option<BorrowedFd<'_>>) -> io::Result<Finished> {
        let request = request(self.root.path(), &self.tool, &words(arguments));
        warm.0.run(&request, slot, &CancelToken::new())
    }

    fn check(&self, warm: &WarmCompiler, arguments: &[&str]) -> Finished {
        self.run_warm(warm, arguments, None).unwrap()
    }

    fn fifos<const N: usize>(&self, names: [&str; N]) -> [PathBuf; N] {
        names.map(|name| {
            let path = self.root.path().join(name);
            rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
            path
        })
    }

    /// Cancels a run once it says that it is ready.
    fn check_cancel(&self, what: &str, token: &CancelToken) -> Status {
        let [ready, _never] = self.fifos(["ready", "never"]);
        let warm = self.start();
        thread::scope(|scope| {
            let child = scope.spawn(|| self.run(&warm, &[what], token));
            assert_eq!(fs::read(ready).unwrap(), b"\n");
            token.await_children(1);
            token.cancel();
            child.join().unwrap().status
        })
    }
}

#[test]
fn a_request_is_length_prefixed() {
    let request = request(Path::new("/d"), Path::new("cc"), &words(&["-c", ""]));
    assert_eq!(request, [&10_u32.to_ne_bytes()[..], b"/d\0cc\0-c\0\0"].concat());
}

#[test]
fn each_of_many_runs_gets_its_own_output_and_status() {
    let f = fixture();
    let warm = f.start();
    let one = |thread: usize, round: usize| {
        let (out, err, code) = (format!("out {thread}.{round}"), format!("err {thread}.{round}"), thread * 20 + round);
        let finished = f.check(&warm, &["say", &out, &err, &code.to_string()]);
        assert_eq!(finished.status, Status::Exited(i32::try_from(code).unwrap()));
        assert_eq!((finished.stdout, finished.stderr), (out.into_bytes(), err.into_bytes()));
    };
    thread::scope(|scope| {
        for thread in 0..12 {
            let one = &one;
            scope.spawn(move || (0..20).for_each(|round| one(thread, round)));
        }
    });
}

#[test]
fn more_children_than_the_server_had_room_for() {
    let f = fixture();
    let [ready, _never] = f.fifos(["ready", "never"]);
    let (warm, token) = (f.start(), CancelToken::new());
    thread::scope(|scope| {
        let children: Vec<_> = (0..50).map(|_| scope.spawn(|| f.run(&warm, &["wait"], &token))).collect();
        // Open for both: the end of one writer is not the end of all.
        let mut ready = File::options().read(true).write(true).open(ready).unwrap();
        ready.read_exact(&mut [0; 50]).unwrap();
        token.await_children(50);
        token.cancel();
        for child in children {
            assert_eq!(child.join().unwrap().status, Status::Signaled(libc::SIGTERM));
        }
    });
    assert_eq!(f.check(&warm, &["say", "still there", "", "0"]).stdout, b"still there");
}

#[test]
fn surroundings_are_those_of_a_plain_spawn() {
    let f = fixture();
    let arguments = words(&["surroundings", "", "two words"]);
    let request = request(f.root.path(), &f.tool, &arguments);
    let warm = f.start().0.run(&request, None, &CancelToken::new()).unwrap();
    let plain = Invocation {
        program: f.tool.clone(),
        arguments,
        environment: vec![("A".into(), "1".into())],
        directory: Some(f.root.path().to_owned()),
    };
    let plain = process::run(&plain, None, &CancelToken::new()).unwrap();
    let text = String::from_utf8(plain.stdout).unwrap();
    assert_eq!(String::from_utf8(warm.stdout).unwrap(), text);
    assert!(text.ends_with("input 0, leads its group 1, constructed 1\n"), "{text}");
}

#[test]
fn usage_is_measured_and_big_output_does_not_block() {
    let f = fixture();
    let finished = f.check(&f.start(), &["much"]);
    assert_eq!((finished.stdout.len(), finished.stderr.len()), (220_000, 220_000));
    assert!(finished.usage.peak_rss_kib > 100 && !finished.usage.cpu.is_zero() && !finished.usage.elapsed.is_zero());
}

#[test]
fn a_signal_is_told() {
    let f = fixture();
    assert_eq!(f.check(&f.start(), &["signal"]).status, Status::Signaled(libc::SIGSEGV));
}

#[test]
fn nothing_but_the_slot_is_inherited() {
    let f = fixture();
    let warm = f.start();
    let slot = Slots::open(Some(&f.root.path().join("slots")), 1).unwrap().try_acquire().unwrap();
    // What our own caller left open for everybody comes through as well, as it does by a plain spawn.
    let inherited = f.check(&warm, &["descriptors"]).stdout;
    let with_slot = f.run_warm(&warm, &["descriptors"], Some(slot.as_fd())).unwrap().stdout;
    let lines =
        |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    let mut expect = lines(&inherited);
    assert!(!expect.iter().any(|line| line.starts_with("socket:") || line.contains("pidfd")), "{expect:?}");
    expect.push(f.root.path().join("slots/slot-0000").to_str().unwrap().to_owned());
    let mut found = lines(&with_slot);
    expect.sort();
    found.sort();
    assert_eq!(found, expect);
}

#[test]
fn a_slot_is_free_when_its_run_has_ended() {
    let f = fixture();
    let warm = f.start();
    let slots = Slots::open(Some(&f.root.path().join("slots")), 1).unwrap();
    for _ in 0..20 {
        let slot = slots.acquire_soon().expect("neither the server nor a child holds it");
        f.run_warm(&warm, &["say", "", "", "0"], Some(slot.as_fd())).unwrap();
    }
}

#[test]
fn cancelling_ends_a_child() {
    assert_eq!(fixture().check_cancel("wait", &CancelToken::new()), Status::Signaled(libc::SIGTERM));
}

#[test]
fn a_child_that_ignores_sigterm_is_killed() {
    let token = CancelToken::with_grace(Duration::from_millis(1));
    assert_eq!(fixture().check_cancel("stubborn", &token), Status::Signaled(libc::SIGKILL));
}

#[test]
fn a_child_of_a_cancelled_token_does_not_live() {
    let f = fixture();
    let [_ready, _never] = f.fifos(["ready", "never"]);
    let token = CancelToken::new();
    token.cancel();
    assert_eq!(f.run(&f.start(), &["wait"], &token).status, Status::Signaled(libc::SIGKILL));
}

#[test]
fn what_a_child_leaves_running_is_ended_with_it() {
    let f = fixture();
    let [_ready, _never] = f.fifos(["ready", "never"]);
    // Would wait for ever: what was left holds the pipes.
    assert_eq!(f.check(&f.start(), &["leave"]).status, Status::Exited(0));
}

#[test]
fn a_directory_that_is_not_there_is_the_plain_spawns_error() {
    let f = fixture();
    let error = f.start().run(vec![], &f.root.path().join("none"), None, &CancelToken::new()).unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[test]
fn a_server_that_dies_costs_nothing_but_its_runs() {
    let f = fixture();
    let [ready, _never] = f.fifos(["ready", "never"]);
    let warm = f.start();
    thread::scope(|scope| {
        let child = scope.spawn(|| f.run(&warm, &["once"], &CancelToken::new()));
        assert_eq!(fs::read(ready).unwrap(), b"\n");
        rustix::process::kill_process(Pid::from_child(&warm.0.process), rustix::process::Signal::KILL).unwrap();
        let finished = child.join().unwrap();
        assert_eq!((finished.status, finished.stdout.as_slice()), (Status::Exited(0), &b"again\n"[..]));
    });
    assert!(f.run_warm(&warm, &["say", "", "", "0"], None).is_err());
    assert_eq!(f.run(&warm, &["say", "plain", "", "0"], &CancelToken::new()).stdout, b"plain");
    assert_eq!(warm.plain_runs(), 2);
}

#[test]
fn what_cannot_be_kept_warm_is_not() {
    let f = fixture();
    assert!(f.try_start(Path::new("/nonexistent/clang")).is_none());
    // Nobody has it open for writing but `cc`, which has ended.
    build(f.root.path(), &["-static"]);
    assert!(f.try_start(&f.tool).is_none());
    let preloaded = [("LD_PRELOAD".into(), "x.so".into())];
    assert!(WarmCompiler::start(&f.tool, &preloaded, f.root.path(), 1).is_none());
}

/// The shell takes notice of the library, and so does what it starts; neither is the program that was named.
#[test]
fn a_script_is_not_kept_warm() {
    let f = fixture();
    let script = f.root.path().join("script");
    let make = "printf '#!/bin/sh\\nexec ./tool \"$@\"\\n' > script && chmod +x script";
    let status = Command::new("/bin/sh").args(["-c", make]).current_dir(f.root.path()).status();
    assert!(status.unwrap().success());
    assert!(f.try_start(&script).is_none());
}

#[test]
fn the_server_ends_with_its_owner() {
    let f = fixture();
    let warm = f.start();
    let server = Pid::from_child(&warm.0.process);
    drop(warm.clone());
    assert!(rustix::process::test_kill_process(server).is_ok());
    drop(warm);
    assert!(rustix::process::test_kill_process(server).is_err());
}

/// Not a test by itself: what the next one kills.
#[test]
#[ignore = "started by children_and_server_die_with_us"]
fn helper_that_waits_for_a_warm_child() {
    let Some(root) = std::env::var_os("THINDIST_TEST_DIRECTORY").map(PathBuf::from) else { return };
    let Some(warm) = WarmCompiler::start(&root.join("tool"), &[], &root, 1) else { return };
    fs::write(root.join("server"), warm.0.process.id().to_string()).unwrap();
    let _ = warm.run(words(&["hold"]), &root, None, &CancelToken::new());
}

#[test]
fn children_and_server_die_with_us() {
    let f = fixture();
    let [ready, alive, _never] = f.fifos(["ready", "alive", "never"]);
    let mut helper = Command::new(std::env::current_exe().unwrap());
    helper.args(["--exact", "run::warm::tests::helper_that_waits_for_a_warm_child", "--include-ignored"]);
    helper.env("THINDIST_TEST_DIRECTORY", f.root.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut helper = helper.spawn().unwrap();
    let mut alive = File::open(alive).unwrap();
    assert_eq!(fs::read(ready).unwrap(), b"\n");
    let server: i32 = fs::read_to_string(f.root.path().join("server")).unwrap().parse().unwrap();
    let server = rustix::process::pidfd_open(Pid::from_raw(server).unwrap(), rustix::process::PidfdFlags::empty());
    helper.kill().unwrap();
    helper.wait().unwrap();
    // Ends when the last process that holds the other end is gone.
    alive.read_to_end(&mut Vec::new()).unwrap();
    let mut ended = [rustix::event::PollFd::new(server.as_ref().unwrap(), rustix::event::PollFlags::IN)];
    assert_eq!(rustix::event::poll(&mut ended, None).unwrap(), 1);
}
