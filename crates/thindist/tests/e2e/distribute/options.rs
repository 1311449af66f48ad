//! Options that DTLTO passes on, options that it leaves out, and options for thindist.

use super::{dtlto, left_behind, same_as_in_process, sandbox};
use crate::programs::{CHAIN_OBJECTS, chain};
use testkit::{FakeCompiler, Sandbox};

fn line(more: &str) -> String {
    format!("-shared {CHAIN_OBJECTS} {more}")
}

fn with(argument: &str) -> String {
    line(&format!("-o out --thinlto-distributor-arg={argument}"))
}

#[test]
fn what_dtlto_leaves_out_is_taken_from_llds_line() {
    let sandbox = sandbox();
    chain(&sandbox);
    let plain = same_as_in_process(&sandbox, &line(""));
    assert_eq!(plain, 4);
    sandbox.write("options.rsp", "-plugin-opt=mcpu=skylake-avx512 -mllvm -inline-threshold=0");
    for more in ["@options.rsp", "--lto-O3", "-plugin-opt=-mattr=+bmi2", "--lto-O1 --lto-CGO1", "--lto-O1"] {
        assert_eq!(same_as_in_process(&sandbox, &line(more)), 4, "{more} reaches no backend");
    }
}

#[test]
fn what_cannot_be_carried_is_said() {
    let sandbox = sandbox();
    chain(&sandbox);
    for (more, named) in [
        ("--lto-O1 --opt-remarks-filename r", "--lto-O1"),
        ("-mllvm -stackrealign", "-mllvm -stackrealign"),
        ("--lto-newpm-passes=default<O2>", "--lto-newpm-passes"),
    ] {
        let tool = || dtlto(&sandbox, &line(&format!("{more} -o out")));
        tool().run().exits(1).says(named).says("THINDIST_FALLBACK=warn");
        let run = tool().env("THINDIST_FALLBACK", "warn").ok();
        assert_eq!((run.lines_with(named), run.stderr.lines().count()), (1, 1), "{run}");
    }
}

/// DTLTO by itself leaves them out.
#[test]
fn files_beside_objects_are_those_of_in_process() {
    let sandbox = sandbox();
    for (name, text) in
        [("a.c", "int f(int); int g(int x) { return f(x) + 1; }"), ("b.c", "int f(int x) { return x * 3; }")]
    {
        sandbox.compile("-g -O2 -gsplit-dwarf -flto=thin -fPIC", name, text);
    }
    let files = ["dwo/1.dwo", "dwo/2.dwo", "r", "r.thin.1.yaml", "r.thin.2.yaml", "out"];
    let line = "-r a.o b.o -o out -plugin-opt=dwo_dir=dwo --opt-remarks-filename r --opt-remarks-format yaml";
    sandbox.lld(line);
    let by_lld = files.map(|name| sandbox.read(name));
    for executed in [2, 0] {
        files.iter().for_each(|name| std::fs::remove_file(sandbox.path(name)).unwrap());
        assert_eq!(sandbox.stats_of(dtlto(&sandbox, line)).executed(), executed);
        for (name, expected) in files.iter().zip(&by_lld) {
            assert!(sandbox.read(name) == *expected, "{name}");
        }
    }
}

#[test]
fn options_for_the_compiler() {
    let sandbox = sandbox();
    chain(&sandbox);
    let link = |option: &str| dtlto(&sandbox, &line(&format!("-o out --thinlto-remote-compiler-arg={option}")));
    assert_eq!(sandbox.stats_of(link("-fstack-protector-all")).executed(), 4);
    assert_eq!(sandbox.stats_of(link("-fstack-protector-all")).executed(), 0);
    assert_eq!(sandbox.stats_of(link("-O1")).executed(), 4, "it is not lld's -O2");
    // As clang 23 hands over its own.
    assert_eq!(sandbox.stats_of(link("-mllvm=-inline-threshold=0")).executed(), 4);
    for option in ["-fproc-stat-report=report", "-save-temps", "-I/usr/include"] {
        link(option).run().exits(1).says(option).says("hint: ");
        let run = link(option).env("THINDIST_FALLBACK", "warn").ok();
        assert_eq!((run.lines_with(option), run.stderr.lines().count()), (1, 1), "{run}");
    }
    assert!(sandbox.path("report").is_file(), "the plain command has the option");
}

#[test]
fn settings_on_llds_line() {
    let sandbox = sandbox();
    chain(&sandbox);
    let cache = format!("--thindist-cache-dir={}", sandbox.root("other").display());
    assert_eq!(sandbox.stats_of(dtlto(&sandbox, &with(&cache))).executed(), 4);
    assert_eq!(sandbox.stats_of(dtlto(&sandbox, &with("--thindist-jobs=1"))).executed(), 4, "it was another cache");
    dtlto(&sandbox, &with("--thindist-frobnicate")).run().exits(1).says("--thindist-frobnicate").says("help settings");
    let other = dtlto(&sandbox, &line("-o out")).env("THINDIST_CLANG", "clang-19").run().exits(1);
    other.says("LLVM 19").says("LLVM 22").says("THINDIST_CLANG");
    let missing = format!("{} --thinlto-remote-compiler=/no/clang", line("-o out"));
    dtlto(&sandbox, &missing).run().exits(1).says("/no/clang").says("--thinlto-remote-compiler=");
}

/// What is stored is wrong; nothing but a comparison can tell.
#[test]
fn verify_names_the_module() {
    let sandbox = sandbox();
    chain(&sandbox);
    let verify = || dtlto(&sandbox, &with("--thindist-verify"));
    sandbox.stats_of(verify());
    sandbox.tool("thindist").args("cache clear").ok();
    let body = "if [ -e module.bc ] && grep -q alone module.bc; then exec $real \"$@\" -O0; fi; exec $real \"$@\"";
    let clang = FakeCompiler::new(&sandbox, "careless", body);
    let run = verify().env("THINDIST_CLANG", &clang.path).run().exits(1).says("--thindist-verify").says("alone.o");
    assert_eq!(run.lines_with("native object of"), 1, "{run}");
    dtlto(&sandbox, &with("--thindist-jobs=1")).env("THINDIST_CLANG", &clang.path).ok().says_nothing();
}

#[test]
fn files_of_save_temps_are_the_users() {
    let sandbox = sandbox();
    chain(&sandbox);
    sandbox.stats_of(dtlto(&sandbox, &line("--save-temps -o out")));
    let natives = natives(&sandbox);
    assert_eq!(natives.len(), 4, "{natives:?}");
    for native in natives {
        sandbox.write(native, "overwritten");
    }
    let verified = sandbox.tool("thindist").args("cache verify").ok();
    assert!(verified.stdout.ends_with(" 0 damaged\n"), "{verified}");
}

fn natives(sandbox: &Sandbox) -> Vec<std::path::PathBuf> {
    left_behind(sandbox).into_iter().filter(|path| path.to_string_lossy().ends_with(".native.o")).collect()
}

/// A script between lld and thindist.
#[test]
fn a_wrapper_around_the_distributor() {
    let sandbox = sandbox();
    chain(&sandbox);
    let program = sandbox.root("bin/thindist");
    let wrapper = FakeCompiler::bare(&sandbox, "wrapper", &format!("{} distribute \"$@\"; exit $?", program.display()));
    let tool = sandbox
        .tool("ld.lld-22")
        .args(&line("-mllvm -inline-threshold=0 -o out"))
        .args(&format!("--thinlto-distributor={} --thinlto-remote-compiler=/usr/bin/clang-22", wrapper.path.display()));
    assert_eq!(sandbox.stats_of(tool).executed(), 4);
    let through = sandbox.read("out");
    assert_eq!(same_as_in_process(&sandbox, &line("-mllvm -inline-threshold=0")), 0);
    assert!(sandbox.read("out") == through);
}
