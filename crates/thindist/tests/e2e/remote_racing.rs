//! This machine and an engine at once: the slower one is helped, the loser is cancelled, and the output is the same.

use crate::on_each_llvm;
use crate::programs::{chain, edit};
use crate::remote_cache::client;
use crate::remote_execution::{expect, installed, plain};
use testkit::{Announcements, FakeCompiler, FakeEngine, Fault, Sandbox, Tool};

on_each_llvm!(
    an_action_that_a_worker_does_not_end_is_run_here,
    the_one_that_loses_here_has_ended_with_the_link,
    an_engine_that_begins_nothing_is_not_waited_for,
);

/// A link whose backends run on the engine and, one at a time, here.
fn both(sandbox: &Sandbox, engine: &FakeEngine, name: &str) -> Tool {
    installed(sandbox, engine, name).env("THINDIST_REMOTE_ONLY", "0").env("THINDIST_JOBS", "1")
}

#[track_caller]
fn expect_nothing_left(sandbox: &Sandbox, name: &str) {
    let left = [sandbox.files_below("scratch"), sandbox.files_below(format!("cache-{name}/tmp"))].concat();
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
}

fn an_action_that_a_worker_does_not_end_is_run_here(sandbox: &Sandbox) {
    chain(sandbox);
    // What is expected of each is known from a link before.
    expect(&sandbox.stats_of(client(sandbox, "", "first")), 4, 0, 0);
    ["alone", "leaf", "middle"].iter().for_each(|name| add_to(sandbox, name));
    let good = plain(sandbox);
    let engine = FakeEngine::start();
    engine.fail(Fault::Stuck(1));
    // One is run here at once, and one of the other two is the engine's in vain.
    let stats = sandbox.stats_of(both(sandbox, &engine, "first"));
    assert_eq!(stats.executed() + stats.remote_executed(), 3, "{stats:?}");
    assert!(stats.executed() >= 2, "{stats:?}");
    assert!(engine.calls("Execute") <= 2);
    assert!(sandbox.read("first.o") == good);
    expect_nothing_left(sandbox, "first");
}

/// Another source for the module, and another object.
fn add_to(sandbox: &Sandbox, name: &str) {
    let text = std::fs::read_to_string(sandbox.path(format!("{name}.c"))).unwrap();
    edit(sandbox, &format!("{name}.c"), &format!("{text}int added_to_{name}(void) {{ return 3; }}\n"));
}

fn the_one_that_loses_here_has_ended_with_the_link(sandbox: &Sandbox) {
    chain(sandbox);
    let good = plain(sandbox);
    let mut announcements = Announcements::new(sandbox);
    // On a worker the module is a file, here it is a link to one. The second backend here would never end.
    let first = sandbox.root("first-here");
    let script = format!(
        "if [ -L module.bc ] && ! mkdir {} 2>/dev/null; then echo $$ > {}; exec sleep 100000; fi\nexec $real \"$@\"",
        first.display(),
        announcements.path.display()
    );
    let compiler = FakeCompiler::new(sandbox, "stuck-clang", &script);
    let engine = FakeEngine::start();
    engine.fail(Fault::Held);
    let stats = sandbox.root("stats-racing");
    let link = both(sandbox, &engine, "first").env("THINDIST_CLANG", &compiler.path).env("THINDIST_STATS", &stats);
    let mut link = link.start();
    let loser = announcements.read();
    engine.fail(Fault::None);
    assert!(link.wait().unwrap().success());
    assert!(!std::path::Path::new("/proc").join(&loser).exists(), "the compiler {loser} outlived its link");
    let counts = std::fs::read_to_string(stats).unwrap();
    assert!(counts.contains("\"executed\":1,") && counts.contains("\"remote_executed\":3,"), "{counts}");
    assert!(sandbox.read("first.o") == good);
    expect_nothing_left(sandbox, "first");
}

fn an_engine_that_begins_nothing_is_not_waited_for(sandbox: &Sandbox) {
    chain(sandbox);
    let good = plain(sandbox);
    let engine = FakeEngine::start();
    engine.fail(Fault::Held);
    expect(&sandbox.stats_of(both(sandbox, &engine, "first")), 4, 0, 0);
    assert!(sandbox.read("first.o") == good);
    expect_nothing_left(sandbox, "first");
}
