//! The distributor of lld 22's DTLTO. (lld 19 has none.)

mod archives;
mod bad_input;
mod ending;
mod options;
mod profiles;

use crate::programs::{CHAIN_OBJECTS, chain, edit};
use std::path::PathBuf;
use testkit::{Sandbox, Tool};

fn sandbox() -> Sandbox {
    crate::sandbox(22)
}

/// lld's options that make thindist its distributor.
fn distributor(sandbox: &Sandbox) -> String {
    let program = sandbox.root("bin/thindist");
    format!(
        "--thinlto-distributor={} --thinlto-distributor-arg=distribute --thinlto-remote-compiler=/usr/bin/clang-22",
        program.display()
    )
}

/// lld on this line with DTLTO through thindist.
fn dtlto(sandbox: &Sandbox, line: &str) -> Tool {
    sandbox.tool("ld.lld-22").args(&distributor(sandbox)).args(line).env("THINDIST_FALLBACK", "never")
}

/// Links in-process and through thindist and expects one output byte for byte; gives the backends that ran.
#[track_caller]
fn same_as_in_process(sandbox: &Sandbox, line: &str) -> usize {
    sandbox.lld(&format!("{line} -o out"));
    let in_process = sandbox.read("out");
    let stats = sandbox.stats_of(dtlto(sandbox, &format!("{line} -o out")));
    assert!(sandbox.read("out") == in_process, "not in-process' bytes: {line}");
    stats.executed()
}

/// What DTLTO leaves behind: everything that has a process number in its name.
fn left_behind(sandbox: &Sandbox) -> Vec<PathBuf> {
    let marks = [".native.o", ".thinlto.bc", ".dist-file.json", " at "];
    let is_left = |path: &PathBuf| marks.iter().any(|mark| path.to_string_lossy().contains(mark));
    sandbox.files_below("work").into_iter().filter(is_left).collect()
}

/// What other modules define is in the indexes of the other jobs.
#[test]
fn position_independent_programs_are_in_process_ones() {
    let sandbox = sandbox();
    let pie = "-O2 -flto=thin -fPIE";
    sandbox.compile(
        pie,
        "a.c",
        "extern int far; int near(int **); int _start(int *p) { return near(&p) + p[&far - p]; }",
    );
    sandbox.compile(pie, "b.c", "extern int further; int near(int **to) { *to = &further; return 1; }");
    sandbox.compile(pie, "c.c", "int far = 1; int further = 2;");
    for kind in ["-pie", "-no-pie"] {
        assert_eq!(same_as_in_process(&sandbox, &format!("{kind} a.o b.o c.o")), 3);
    }
}

#[test]
fn outputs_of_every_kind_are_in_process_ones_and_share_the_linkers_actions() {
    let sandbox = sandbox();
    chain(&sandbox);
    for kind in ["-r", "-shared", "-pie --unresolved-symbols=ignore-all", "-no-pie --unresolved-symbols=ignore-all"] {
        let line = format!("{kind} {CHAIN_OBJECTS}");
        same_as_in_process(&sandbox, &line);
        let stats = sandbox.stats_of(sandbox.ld(&format!("{line} -o out")).env("THINDIST_MEMO", "0"));
        assert_eq!((stats.executed(), stats.local_cache()), (0, 4), "{kind}: {stats:?}");
        let stats = sandbox.stats_of(dtlto(&sandbox, &format!("{line} -o out")));
        assert_eq!((stats.executed(), stats.local_cache()), (0, 4), "{kind}: {stats:?}");
    }
    assert_eq!(left_behind(&sandbox), Vec::<PathBuf>::new());
    assert_eq!(sandbox.temporaries(), Vec::<PathBuf>::new());
}

#[test]
fn a_second_link_in_another_directory_runs_nothing() {
    let sandbox = sandbox();
    chain(&sandbox);
    sandbox.ar("crs regular.a middle.o alone.o");
    sandbox.ar("crsT thin.a leaf.o");
    let line = "-shared main.o --whole-archive regular.a thin.a -o out";
    assert_eq!(sandbox.stats_of(dtlto(&sandbox, line)).executed(), 4);
    let first = sandbox.read("out");
    sandbox.make_directory(sandbox.path("elsewhere"));
    for name in ["main.o", "regular.a", "thin.a", "leaf.o"] {
        sandbox.write(format!("elsewhere/{name}"), sandbox.read(name));
    }
    let stats = sandbox.stats_of(dtlto(&sandbox, line).dir(sandbox.path("elsewhere")));
    assert_eq!((stats.executed(), stats.local_cache()), (0, 4), "{stats:?}");
    assert!(sandbox.read("elsewhere/out") == first);
}

#[test]
fn clang_as_the_driver() {
    let sandbox = sandbox();
    chain(&sandbox);
    let program = sandbox.root("bin/thindist");
    let line = format!("-flto=thin -fuse-ld=lld {CHAIN_OBJECTS} -o out");
    sandbox.clang(&line);
    let in_process = sandbox.read("out");
    let tool = sandbox.tool("clang-22").args(&line).args(&format!(
        "-fthinlto-distributor={} -Xthinlto-distributor=distribute,--thindist-verify",
        program.display()
    ));
    assert_eq!(sandbox.stats_of(tool.env("THINDIST_FALLBACK", "never")).executed(), 4);
    assert!(sandbox.read("out") == in_process);
    let plain = sandbox.tool("clang-22").args(&format!("{line} -fthinlto-distributor={}", program.display()));
    assert_eq!(sandbox.stats_of(plain).executed(), 0, "the command is understood without its name");
    assert_eq!(sandbox.tool(sandbox.path("out")).ok().stdout, "3\n");
}

/// Function bodies with a constraint that only the kernel's code model can meet, as in the kernel's per-CPU code.
#[test]
fn a_kernels_code_model_is_not_lost() {
    let sandbox = sandbox();
    let flags = "-O2 -flto=thin -fno-pic -mcmodel=kernel";
    sandbox.compile(flags, "a.c", "int f(void); int g(void) { return f() + 1; }");
    sandbox.compile(
        flags,
        "b.c",
        "extern int v[]; int f(void) { int x; __asm__(\"mov %1, %0\" : \"=r\"(x) : \"i\"(&v[3])); return x; }",
    );
    assert_eq!(same_as_in_process(&sandbox, "-r a.o b.o"), 2);
    sandbox.verify_identical("-r a.o b.o -o out");
}

#[test]
fn llds_own_cache_answers_first() {
    let sandbox = sandbox();
    chain(&sandbox);
    let line = format!("-shared {CHAIN_OBJECTS} -o out --thinlto-cache-dir=llds");
    assert_eq!(sandbox.stats_of(dtlto(&sandbox, &line)).modules, 4);
    let first = sandbox.read("out");
    edit(&sandbox, "alone.c", "int counter; int alone(int x) { return counter -= x; }\n");
    let stats = sandbox.stats_of(dtlto(&sandbox, &line));
    assert_eq!((stats.modules, stats.executed()), (1, 1), "{stats:?}");
    edit(&sandbox, "alone.c", "int counter; int alone(int x) { return counter += x; }\n");
    dtlto(&sandbox, &line).ok().says_nothing();
    assert!(sandbox.read("out") == first);
}

#[test]
fn an_edit_runs_the_backends_whose_object_changes() {
    let sandbox = sandbox();
    chain(&sandbox);
    let line = format!("-shared {CHAIN_OBJECTS}");
    same_as_in_process(&sandbox, &line);
    edit(&sandbox, "leaf.c", "int leaf(int x) { return x * 3 + 1; } double of_its_own(double x) { return x / 3; }\n");
    assert_eq!(same_as_in_process(&sandbox, &line), 1, "nobody imports what was added");
    edit(&sandbox, "leaf.c", "int leaf(int x) { return x * 5 + 1; }\n");
    assert_eq!(same_as_in_process(&sandbox, &line), 3);
}
