//! What the thin link does for all steps at once: a harvest if next to nothing is stored.

use crate::on_each_llvm;
use crate::programs::row;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use testkit::{Random, Sandbox, Tool};

on_each_llvm!(
    with_empty_stores_lld_compiles_and_each_backend_is_a_hit,
    objects_of_the_harvest_are_those_of_the_backends,
    what_is_mostly_stored_is_left_to_the_steps,
    what_lld_does_not_have_is_left_to_the_steps,
    without_the_jobserver_of_a_make_that_has_one_nothing_is_done_ahead,
    under_make_the_thin_link_has_no_more_threads_than_make_allows,
    an_lld_that_is_killed_leaves_the_compiling_to_the_steps,
    a_warning_is_that_of_its_step,
    killed_in_the_midst_of_it,
);

const MODULES: usize = 12;

fn thin_link(sandbox: &Sandbox, objects: &str) -> Tool {
    let tool = sandbox.tool("thindist").args(&format!("thin-link --list list -- -r -o out.o {objects}"));
    tool.without_env("THINDIST_WAY").without_env("THINDIST_UNLISTED")
}

/// Backends that ran, and those that had been stored.
#[track_caller]
fn backends(sandbox: &Sandbox) -> (usize, usize) {
    let jobs = jobs(sandbox).into_iter().map(|job| job.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
    let stats = sandbox.stats_of(sandbox.tool("thindist").args(&format!("backend {jobs}")));
    (stats.executed(), stats.local_cache())
}

fn jobs(sandbox: &Sandbox) -> Vec<PathBuf> {
    let files = sandbox.files_below("work").into_iter();
    files.filter(|path| path.to_string_lossy().ends_with(".thinlto.job")).collect()
}

fn natives(sandbox: &Sandbox) -> Vec<Vec<u8>> {
    (0..MODULES).map(|number| sandbox.read(format!("m{number}.thinlto-native.o"))).collect()
}

/// Nothing is done ahead, and nothing is said.
#[track_caller]
fn expect_nothing(sandbox: &Sandbox, tool: Tool) {
    let stored = sandbox.action_results();
    let run = tool.ok();
    assert_eq!((run.stderr.as_str(), sandbox.action_results()), ("", stored), "{run}");
}

fn with(sandbox: &Sandbox, tool: Tool, lld: &Path) -> Tool {
    tool.env("THINDIST_LLD", lld).env("THINDIST_CLANG", format!("/usr/bin/clang-{}", sandbox.llvm()))
}

fn with_empty_stores_lld_compiles_and_each_backend_is_a_hit(sandbox: &Sandbox) {
    let objects = row(sandbox, MODULES);
    let stats = sandbox.stats_of(thin_link(sandbox, &objects));
    assert_eq!((stats.way(), stats.executed()), ("in-process", MODULES), "{stats:?}");
    assert_eq!(sandbox.action_results(), MODULES);
    assert!(!sandbox.path("out.o").exists(), "the output is the final link's");
    assert_eq!(backends(sandbox), (0, MODULES));
    let list = String::from_utf8(sandbox.read("list")).unwrap().replace('\n', " ");
    sandbox.lld(&format!("-r -o out.o {list}"));
    sandbox.lld(&format!("-r -o lld.o {objects}"));
    sandbox.tool("thindist").args("diff out.o lld.o").ok();
    // The linker entrance finds them, too.
    let stats = sandbox.stats_of(sandbox.auto(&format!("-r -o link.o {objects}")));
    assert_eq!(stats.executed(), 0, "{stats:?}");
}

fn objects_of_the_harvest_are_those_of_the_backends(sandbox: &Sandbox) {
    let objects = row(sandbox, MODULES);
    thin_link(sandbox, &objects).ok();
    backends(sandbox);
    let harvested = natives(sandbox);
    std::fs::remove_dir_all(sandbox.root("cache")).unwrap();
    thin_link(sandbox, &objects).env("THINDIST_WAY", "index-only").ok();
    assert_eq!(backends(sandbox), (MODULES, 0));
    assert!(natives(sandbox) == harvested);
}

fn what_is_mostly_stored_is_left_to_the_steps(sandbox: &Sandbox) {
    let objects = format!("{} alone.o", row(sandbox, MODULES));
    sandbox.compile("-O2 -flto=thin", "alone.c", "int alone(int x) { return x + 1; }");
    thin_link(sandbox, &objects).ok();
    sandbox.compile("-O2 -flto=thin", "alone.c", "int alone(int x) { return x + 2; }");
    expect_nothing(sandbox, thin_link(sandbox, &objects));
    assert_eq!(backends(sandbox), (1, MODULES));
}

fn what_lld_does_not_have_is_left_to_the_steps(sandbox: &Sandbox) {
    let objects = row(sandbox, MODULES);
    expect_nothing(sandbox, thin_link(sandbox, &objects).env("THINDIST_PROMOTED_NAMES", "stable"));
    expect_nothing(sandbox, thin_link(sandbox, &objects).env("THINDIST_WAY", "index-only"));
    expect_nothing(sandbox, thin_link(sandbox, "m0.o m1.o"));
}

fn without_the_jobserver_of_a_make_that_has_one_nothing_is_done_ahead(sandbox: &Sandbox) {
    let objects = row(sandbox, MODULES);
    expect_nothing(sandbox, thin_link(sandbox, &objects).env("MAKEFLAGS", " -j8 --jobserver-auth=97,98"));
    assert_eq!(backends(sandbox), (MODULES, 0));
}

fn under_make_the_thin_link_has_no_more_threads_than_make_allows(sandbox: &Sandbox) {
    let objects = row(sandbox, MODULES);
    let log = sandbox.root("heard");
    let heard = sandbox.lld_behind(
        "heard",
        &format!("for word; do case $word in @*) cat ${{word#@}} >> {};; esac; done", log.display()),
    );
    let rule = format!("all:\n\t+thindist thin-link --list list -- -r -o out.o {objects}\n");
    sandbox.write("Makefile", rule);
    let make = with(sandbox, sandbox.tool("make").args("-j1").without_env("THINDIST_WAY"), &heard);
    make.ok();
    let heard = std::fs::read_to_string(&log).unwrap();
    assert!(heard.contains("--thinlto-jobs=1\"") && !heard.contains("--thinlto-jobs=2"), "{heard}");
    assert_eq!(sandbox.action_results(), MODULES);
}

fn an_lld_that_is_killed_leaves_the_compiling_to_the_steps(sandbox: &Sandbox) {
    let objects = row(sandbox, MODULES);
    let fragile = sandbox.lld_behind("fragile", "case \"$*\" in *ahead.rsp*) kill -KILL $$;; esac");
    expect_nothing(sandbox, with(sandbox, thin_link(sandbox, &objects), &fragile));
    assert_eq!(sandbox.temporaries(), Vec::<PathBuf>::new());
    assert_eq!(backends(sandbox), (MODULES, 0));
}

fn a_warning_is_that_of_its_step(sandbox: &Sandbox) {
    let text = "void use(char *); int large(int x) { char buffer[4000]; use(buffer); return buffer[x]; }";
    sandbox.compile("-O2 -flto=thin -Wframe-larger-than=100", "large.c", text);
    let objects = format!("{} large.o", row(sandbox, MODULES));
    let run = thin_link(sandbox, &objects).ok();
    assert_eq!(run.stderr, "", "{run}");
    let step = || sandbox.tool("thindist").args("backend large.o.thinlto.job").ok();
    for _ in 0..2 {
        let run = step();
        assert_eq!(run.lines_with("stack frame size"), 1, "{run}");
    }
    // Most modules are others; lld's private cache has this one, of which lld says nothing then.
    for number in 0..MODULES {
        let text = format!("int other{number}(int x) {{ return x + {number}; }}");
        sandbox.compile("-O2 -flto=thin", &format!("m{number}.c"), &text);
    }
    let stats = sandbox.stats_of(thin_link(sandbox, &objects));
    assert_eq!(stats.executed(), MODULES, "{stats:?}");
    let run = step();
    assert_eq!(run.lines_with("stack frame size"), 1, "{run}");
}

/// Whenever it is killed, the next one is right, and nothing in the stores is wrong.
fn killed_in_the_midst_of_it(sandbox: &Sandbox) {
    let objects = row(sandbox, MODULES);
    let begun = Instant::now();
    thin_link(sandbox, &objects).ok();
    let whole = u64::try_from(begun.elapsed().as_micros()).unwrap();
    backends(sandbox);
    let good = natives(sandbox);
    let mut random = Random(u64::from(sandbox.llvm()) + 11);
    for round in 0..20 {
        let _ = std::fs::remove_dir_all(sandbox.root("cache/ac"));
        let _ = std::fs::remove_dir_all(sandbox.root("cache/lld"));
        let seconds = Duration::from_micros(random.below(whole)).as_secs_f64();
        let line = format!("-s KILL {seconds} thindist thin-link --list list -- -r -o out.o {objects}");
        let timeout = sandbox.tool("timeout").args(&line);
        timeout.without_env("THINDIST_WAY").without_env("THINDIST_UNLISTED").run();
        thin_link(sandbox, &objects).ok();
        backends(sandbox);
        assert!(natives(sandbox) == good, "round {round}");
    }
    let report = sandbox.tool("thindist").args("cache verify").ok();
    assert!(report.stdout.ends_with(" 0 damaged\n"), "{report}");
}
