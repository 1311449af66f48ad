//! Links that are killed, interrupted or cancelled leave nothing that disturbs the next one.

use crate::on_each_llvm;
use crate::programs::row;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};
use testkit::{Announcements, FakeCompiler, Random, Sandbox};

on_each_llvm!(
    killed_at_random_moments_fifty_times,
    a_signal_ends_the_link_and_its_compilers,
    a_backend_that_fails_cancels_the_rest,
);

/// Of which there are two tests.
const KILLS: usize = 50;
const MODULES: usize = 12;

fn kill(process: &Child, signal: &str) {
    let status = std::process::Command::new("kill").args([signal, &process.id().to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "this test needs kill (Debian: procps)");
}

/// Half of them when a compiler has just been started, half at any moment at all, in any step or between two.
fn killed_at_random_moments_fifty_times(sandbox: &Sandbox) {
    let line = format!("-r {} -o out.o", row(sandbox, MODULES));
    let mut announcements = Announcements::new(sandbox);
    let silent = FakeCompiler::replaying(sandbox, "silent", None);
    let talking = FakeCompiler::replaying(sandbox, "talking", Some(&announcements));
    let link = |clang: &FakeCompiler| sandbox.ld(&line).env("THINDIST_CLANG", &clang.path);
    sandbox.stats_of(link(&FakeCompiler::recording(sandbox)));
    let good = sandbox.read("out.o");
    sandbox.verify_identical(&line);
    let start = Instant::now();
    link(&silent).ok();
    let whole = u64::try_from(start.elapsed().as_micros()).unwrap();
    let mut random = Random(u64::from(sandbox.llvm()));
    for round in 0..KILLS {
        clear(sandbox);
        sandbox.write("out.o", "as it was");
        if round % 2 == 0 {
            let mut process = link(&talking).start();
            for _ in 0..=random.below(MODULES as u64 - 1) {
                assert_eq!(announcements.read(), "start");
            }
            kill(&process, "-KILL");
            process.wait().unwrap();
        } else {
            let seconds = Duration::from_micros(random.below(whole)).as_secs_f64();
            let timeout = sandbox.tool("timeout").args(&format!("-s KILL {seconds} ld.thindist {line}"));
            timeout.env("THINDIST_CLANG", &silent.path).run();
        }
        let left = sandbox.read("out.o");
        assert!(left == b"as it was" || left == good, "round {round}: half an output was left");
        link(&silent).ok();
        assert!(sandbox.read("out.o") == good, "round {round}: another output after the kill");
        announcements.drain();
        if round % 10 == 9 {
            let report = sandbox.tool("thindist").args("cache verify").ok();
            assert!(report.stdout.ends_with(" 0 damaged\n"), "round {round}: {report}");
        }
    }
}

/// Makes work for the next link.
fn clear(sandbox: &Sandbox) {
    let _ = fs::remove_dir_all(sandbox.root("cache/ac"));
}

fn a_signal_ends_the_link_and_its_compilers(sandbox: &Sandbox) {
    let line = format!("-r {} -o out.o", row(sandbox, 4));
    let mut announcements = Announcements::new(sandbox);
    let body = format!("echo $$ > {}; exec /bin/sleep 1000", announcements.path.display());
    let clang = FakeCompiler::new(sandbox, "endless", &body);
    for (name, number) in [("-INT", 2), ("-TERM", 15), ("-HUP", 1)] {
        sandbox.write("out.o", "as it was");
        let tool = sandbox.ld(&line).env("THINDIST_CLANG", &clang.path).env("THINDIST_SLOTS", "2");
        let mut process = tool.start();
        let compilers = [announcements.read(), announcements.read()];
        kill(&process, name);
        let status = process.wait().unwrap();
        assert_eq!(status.signal(), Some(number), "{status}");
        for compiler in compilers {
            assert!(!PathBuf::from("/proc").join(&compiler).exists(), "compiler {compiler} still runs after {name}");
        }
        assert_eq!(sandbox.read("out.o"), b"as it was");
        assert_eq!(sandbox.temporaries(), Vec::<PathBuf>::new(), "after {name}");
        assert_eq!(sandbox.action_results(), 0, "after {name}");
    }
}

/// One backend fails, and those that run would run for ever.
fn a_backend_that_fails_cancels_the_rest(sandbox: &Sandbox) {
    let line = format!("-r {} -o out.o", row(sandbox, 6));
    let mut announcements = Announcements::new(sandbox);
    let pipe = announcements.path.display();
    let gate = sandbox.root("gate");
    let gate = gate.display();
    // The first to make the directory waits for ever; the second fails once the first is under way.
    let body = format!(
        "if mkdir {gate} 2>/dev/null; then echo $$ > {pipe}; touch {gate}/open; exec /bin/sleep 1000; fi\n\
         until [ -e {gate}/open ]; do :; done\necho 'error: no' >&2; exit 1"
    );
    let clang = FakeCompiler::new(sandbox, "failing", &body);
    sandbox.write("out.o", "as it was");
    let run = sandbox.ld(&line).env("THINDIST_CLANG", &clang.path).env("THINDIST_SLOTS", "2").run();
    let run = run.exits(1).says("failed: ").says("exit status 1");
    let endless = announcements.read();
    assert!(!PathBuf::from("/proc").join(&endless).exists(), "compiler {endless} still runs: {run}");
    assert_eq!(run.lines_with("error: no"), 1, "{run}");
    assert_eq!((sandbox.read("out.o"), sandbox.action_results()), (b"as it was".to_vec(), 0), "{run}");
    assert_eq!(sandbox.temporaries(), Vec::<PathBuf>::new(), "{run}");
}
