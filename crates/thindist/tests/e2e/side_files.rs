//! Files that backends write beside their objects, which in-process lld names after the numbers of its LTO objects: split debug
//! information and optimisation remarks; and the trace that lld writes of a link.

use crate::on_each_llvm;
use crate::programs::{CHAIN_OBJECTS, chain};
use std::collections::BTreeMap;
use std::path::PathBuf;
use testkit::{FakeEngine, Sandbox, Tool};

on_each_llvm!(
    they_are_those_of_in_process_cold_and_warm,
    what_follows_from_stores_is_put_back,
    they_are_there_when_the_link_fails,
    they_are_made_here_beside_an_engine,
    steps_refuse_them,
);

/// Inlined and not, so that there is something to remark.
const SOURCES: [(&str, &str); 3] = [
    ("main.c", "int leaf(int); int other(int); int main(int c, char **v) { (void)v; return leaf(c) + other(c); }\n"),
    ("other.c", "int leaf(int); int other(int x) { int s = 0; for (int i = 0; i < x; i++) s += leaf(i); return s; }\n"),
    ("leaf.c", "static int z[4]; int leaf(int x) { z[x & 3] += x; return z[1] * 3; }\n"),
];

const LINES: [&str; 3] = [
    "-plugin-opt=dwo_dir=out-dwo",
    "--opt-remarks-filename=none -plugin-opt=opt-remarks-filename=r.yml -plugin-opt=opt-remarks-format=yaml",
    "-plugin-opt=dwo_dir=deep/er -plugin-opt=opt-remarks-filename=r --opt-remarks-passes inline --opt-remarks-format yaml",
];

fn line(options: &str) -> String {
    format!("-r main.o other.o leaf.o -o out.o {}", options.replace("--opt-remarks-filename=none ", ""))
}

fn compile(sandbox: &Sandbox) {
    SOURCES.iter().for_each(|(name, text)| sandbox.compile("-g -O2 -gsplit-dwarf -flto=thin -fPIC", name, text));
}

/// Everything that a link leaves, which is removed.
fn left(sandbox: &Sandbox) -> BTreeMap<PathBuf, Vec<u8>> {
    let made = sandbox.files_below("work").into_iter().filter(|path| {
        let name = path.strip_prefix(sandbox.path("")).unwrap().to_string_lossy().into_owned();
        path.is_file() && ["out", "r.", "deep"].iter().any(|start| name.starts_with(start))
    });
    made.map(|path| {
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        (path, bytes)
    })
    .collect()
}

fn ours(sandbox: &Sandbox, options: &str) -> Tool {
    sandbox.auto(&line(options)).env("THINDIST_FALLBACK", "never")
}

#[track_caller]
fn expect_lld(sandbox: &Sandbox, options: &str, executed: usize) {
    sandbox.lld(&line(options));
    let by_lld = left(sandbox);
    assert!(by_lld.len() > 3, "{options}: {:?}", by_lld.keys());
    let stats = sandbox.stats_of(ours(sandbox, options));
    assert_eq!((stats.modules, stats.executed()), (3, executed), "{options}: {stats:?}");
    let here = left(sandbox);
    assert_eq!(here.keys().collect::<Vec<_>>(), by_lld.keys().collect::<Vec<_>>(), "{options}");
    let other = here.iter().find(|(path, bytes)| by_lld[*path] != **bytes);
    assert!(other.is_none(), "{options}: {} is not lld's", other.unwrap().0.display());
}

fn they_are_those_of_in_process_cold_and_warm(sandbox: &Sandbox) {
    compile(sandbox);
    for options in LINES {
        expect_lld(sandbox, options, 3);
        expect_lld(sandbox, options, 0);
    }
    // Another directory is another name in each object; another name of remarks is in none.
    expect_lld(sandbox, "-plugin-opt=dwo_dir=out-other", 3);
    expect_lld(sandbox, &LINES[1].replace("r.yml", "r.other"), 0);
    sandbox.compile("-g -O2 -gsplit-dwarf -flto=thin -fPIC", "leaf.c", "int leaf(int x) { return x * 5; }\n");
    for options in LINES {
        expect_lld(sandbox, options, 3);
    }
}

/// A blob beside an object that has gone means that the backend runs again.
fn what_follows_from_stores_is_put_back(sandbox: &Sandbox) {
    compile(sandbox);
    expect_lld(sandbox, LINES[0], 3);
    let is_dwo = |bytes: &[u8]| bytes.windows(4).any(|word| word == b".dwo");
    let blobs = sandbox.files_below("cache/cas").into_iter().filter(|path| path.is_file());
    let dwos: Vec<PathBuf> = blobs.filter(|path| is_dwo(&std::fs::read(path).unwrap())).collect();
    assert!(dwos.len() >= 3, "{dwos:?}");
    dwos.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    let stats = sandbox.stats_of(ours(sandbox, LINES[0]));
    assert_eq!(stats.executed(), 3, "{stats:?}");
    expect_lld(sandbox, LINES[0], 0);
}

/// lld looks for undefined symbols after LTO. (Random link 6000069.)
fn they_are_there_when_the_link_fails(sandbox: &Sandbox) {
    compile(sandbox);
    sandbox.compile("-O2", "start.c", "int main(int, char **); int _start(void) { return main(0, 0); }");
    for options in LINES {
        let line = line(options).replace("-r main.o other.o", "start.o main.o");
        sandbox.tool(format!("ld.lld-{}", sandbox.llvm())).args(&line).run().exits(1);
        let by_lld = left(sandbox);
        sandbox.auto(&line).env("THINDIST_FALLBACK", "never").run().exits(1).says("undefined symbol: other");
        assert!(left(sandbox) == by_lld, "{options}: {:?}", by_lld.keys());
    }
}

/// An engine is asked for objects and nothing beside them.
fn they_are_made_here_beside_an_engine(sandbox: &Sandbox) {
    compile(sandbox);
    let engine = FakeEngine::start();
    let stats = sandbox.stats_of(
        ours(sandbox, LINES[0])
            .env("THINDIST_REMOTE_EXECUTOR", engine.address())
            .env("THINDIST_REMOTE_TOOLCHAIN", "installed"),
    );
    assert_eq!((stats.executed(), stats.remote_executed()), (3, 0), "{stats:?}");
    let here = left(sandbox);
    sandbox.lld(&line(LINES[0]));
    assert!(left(sandbox) == here);
}

fn steps_refuse_them(sandbox: &Sandbox) {
    compile(sandbox);
    let run = sandbox.tool("thindist").args(&format!("thin-link --list list -- {}", line(LINES[0]))).run().exits(1);
    run.says("beside their objects").says("thindist: hint: link it with ld.thindist");
}

/// lld 22's own, with the backends that ran in rows of another process.
#[test]
fn a_time_trace_has_the_backends() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    for (options, file) in
        [("--time-trace", "out.o.time-trace"), ("--time-trace=named --time-trace-granularity=1", "named")]
    {
        let line = format!("-r {CHAIN_OBJECTS} -o out.o {options}");
        sandbox.tool("thindist").args("cache clear").ok();
        sandbox.auto(&line).env("THINDIST_WAY", "distributor").env("THINDIST_FALLBACK", "never").ok();
        let trace: serde_json::Value = serde_json::from_slice(&sandbox.read(file)).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        let backends = events.iter().filter(|event| event["name"] == "Backend");
        let mut modules: Vec<&str> = backends.map(|event| event["args"]["detail"].as_str().unwrap()).collect();
        modules.sort_unstable();
        assert_eq!(modules, ["alone.o", "leaf.o", "main.o", "middle.o"], "{options}");
        assert!(events.iter().any(|event| event["name"] == "LTO"), "lld's own are there as well");
        let ours = sandbox.read("out.o");
        sandbox.lld(&line);
        assert!(sandbox.read("out.o") == ours, "{options}");
    }
}
