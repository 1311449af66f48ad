//! Links that are cut short.

use super::{dtlto, left_behind, sandbox};
use crate::programs::row;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use std::path::PathBuf;
use testkit::{Announcements, FakeCompiler};

#[test]
fn a_backend_that_fails_fails_the_link() {
    let sandbox = sandbox();
    let line = format!("-r {} -o out.o", row(&sandbox, 3));
    let clang = FakeCompiler::new(&sandbox, "failing", "echo 'error: module.bc: no registers' >&2; exit 1");
    let run = dtlto(&sandbox, &line).env("THINDIST_CLANG", &clang.path).env("THINDIST_JOBS", "1").run().exits(1);
    assert_eq!(run.lines_with("no registers"), 1, "{run}");
    let run = run.says("error: m").says("exit status 1").says("distributor execution failed");
    assert!(!sandbox.path("out.o").exists() && sandbox.action_results() == 0, "{run}");
    assert_eq!(left_behind(&sandbox), Vec::<PathBuf>::new(), "{run}");
    assert_eq!(sandbox.temporaries(), Vec::<PathBuf>::new(), "{run}");
}

fn pid(text: &str) -> Pid {
    Pid::from_raw(text.trim().parse().unwrap()).unwrap()
}

fn parent(process: Pid) -> Pid {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero())).unwrap();
    pid(status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap())
}

/// lld is told to end, and nobody tells its distributor. lld 22 leaves its own files behind.
#[test]
fn a_signal_to_lld_ends_distributor_and_compilers() {
    let sandbox = sandbox();
    let line = format!("-r {} -o out.o", row(&sandbox, 3));
    sandbox.ar("crs m.a m2.o");
    let line = line.replace("m2.o", "--whole-archive m.a");
    let mut announcements = Announcements::new(&sandbox);
    let body = format!("echo $$ > {}; exec /bin/sleep 1000", announcements.path.display());
    let clang = FakeCompiler::new(&sandbox, "endless", &body);
    for signal in [Signal::TERM, Signal::KILL] {
        let tool = dtlto(&sandbox, &line).env("THINDIST_CLANG", &clang.path).env("THINDIST_SLOTS", "2");
        let mut lld = tool.start();
        let compilers = [announcements.read(), announcements.read()].map(|text| pid(&text));
        let distributor = parent(compilers[0]);
        assert_eq!(parent(distributor), Pid::from_child(&lld));
        let watched = pidfd_open(distributor, PidfdFlags::empty()).unwrap();
        kill_process(Pid::from_child(&lld), signal).unwrap();
        lld.wait().unwrap();
        poll(&mut [PollFd::new(&watched, PollFlags::IN)], None).unwrap();
        for compiler in compilers {
            let place = PathBuf::from("/proc").join(compiler.as_raw_nonzero().to_string());
            assert!(!place.exists(), "a compiler still runs after {signal:?}");
        }
        assert_eq!(sandbox.temporaries(), Vec::<PathBuf>::new(), "after {signal:?}");
        assert_eq!(left_behind(&sandbox), Vec::<PathBuf>::new(), "after {signal:?}");
        assert!(!sandbox.path("out.o").exists() && sandbox.action_results() == 0);
    }
}
