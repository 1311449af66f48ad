//! Stable names of promoted local values: they survive edits, all modules agree on them, and importers need not run.

use crate::on_each_llvm;
use crate::programs::{CHAIN_OBJECTS, chain, edit};
use std::collections::BTreeSet;
use testkit::{Sandbox, Stats};

on_each_llvm!(
    names_survive_an_edit_and_importers_do_not_run,
    an_edit_of_a_local_value_runs_those_that_see_it,
    a_program_with_stable_names_runs,
    names_do_not_depend_on_where_files_are,
    modules_of_one_name_have_names_of_their_own,
    steps_and_links_have_the_same_names,
    one_link_has_one_kind_of_names,
    calls_that_the_linker_devirtualised_are_left_to_in_process,
    an_unknown_kind_of_names_is_an_error,
);

const LINE: &str = "-r -o out.o --thindist-promoted-names=stable";

/// `leaf` has a static variable, a static function and a string, all of which its importers come to name.
fn leaf(more: &str) -> String {
    format!(
        "static int calls; static const char *said = \"leaf\";\n\
         static __attribute__((noinline)) int grow(int x) {{ calls += x; return calls + said[0]; }}\n\
         int leaf(int x) {{ said = x > 9 ? \"large\" : said; return grow(x) + calls; }}\n{more}"
    )
}

fn link(sandbox: &Sandbox) -> Stats {
    sandbox.link(&format!("{LINE} {CHAIN_OBJECTS}"))
}

/// The names with a suffix in an object of the work directory.
fn promoted(sandbox: &Sandbox, object: &str) -> BTreeSet<String> {
    let said = sandbox.tool(format!("llvm-nm-{}", sandbox.llvm())).args(&format!("-j {object}")).ok().stdout;
    said.lines().filter(|name| name.contains(".llvm.")).map(str::to_owned).collect()
}

fn names_survive_an_edit_and_importers_do_not_run(sandbox: &Sandbox) {
    chain(sandbox);
    edit(sandbox, "leaf.c", &leaf(""));
    assert_eq!(link(sandbox).executed(), 4);
    let before = promoted(sandbox, "out.o");
    assert!(before.len() >= 3, "{before:?}");
    // With the names of in-process it runs three: see importers_of_what_reaches_a_local_value_run_with_every_edit.
    edit(sandbox, "leaf.c", &leaf("int of_its_own(int x) { return x + 1; }"));
    let stats = link(sandbox);
    assert_eq!((stats.executed(), stats.local_cache()), (1, 3), "{stats:?}");
    assert_eq!(promoted(sandbox, "out.o"), before);
    let run = sandbox.verify(&format!("{LINE} {CHAIN_OBJECTS}")).ok();
    assert!(run.stdout.starts_with("identical: 4 native objects byte for byte, 3 of them but for"), "{run}");
}

fn an_edit_of_a_local_value_runs_those_that_see_it(sandbox: &Sandbox) {
    chain(sandbox);
    edit(sandbox, "leaf.c", &leaf(""));
    link(sandbox);
    // Its body is imported by nobody, its type is seen by all.
    edit(sandbox, "leaf.c", &leaf("").replace("calls += x; return", "calls ^= x; return"));
    assert_eq!(link(sandbox).executed(), 1);
    edit(sandbox, "leaf.c", &leaf("").replace("static int calls", "static _Alignas(64) int calls"));
    assert_eq!(link(sandbox).executed(), 3);
    let run = sandbox.verify(&format!("{LINE} {CHAIN_OBJECTS}")).ok();
    assert!(run.stdout.starts_with("identical: "), "{run}");
}

fn a_program_with_stable_names_runs(sandbox: &Sandbox) {
    chain(sandbox);
    edit(sandbox, "leaf.c", &leaf(""));
    let words = sandbox.linker_line(&format!("-no-pie {CHAIN_OBJECTS}"));
    sandbox.link(&format!("{words} -o ours --thindist-promoted-names=stable"));
    sandbox.lld(&format!("{words} -o theirs"));
    assert!(!promoted(sandbox, "ours").is_empty());
    assert_ne!(promoted(sandbox, "ours"), promoted(sandbox, "theirs"));
    let run = |program| sandbox.tool(sandbox.path(program)).run();
    let (ours, theirs) = (run("ours"), run("theirs"));
    assert_eq!((ours.status, &ours.stdout), (theirs.status, &theirs.stdout));
    let line = format!("{words} --thindist-promoted-names=stable");
    assert!(sandbox.verify(&line).ok().stdout.starts_with("identical: "));
}

fn names_do_not_depend_on_where_files_are(sandbox: &Sandbox) {
    chain(sandbox);
    edit(sandbox, "leaf.c", &leaf(""));
    link(sandbox);
    let names = promoted(sandbox, "out.o");
    let absolute: Vec<String> =
        CHAIN_OBJECTS.split(' ').map(|name| sandbox.path(name).to_string_lossy().into_owned()).collect();
    assert_eq!(sandbox.link(&format!("{LINE} {}", absolute.join(" "))).executed(), 0);
    assert_eq!(promoted(sandbox, "out.o"), names);
    sandbox.ar("crs --thin thin.a leaf.o");
    sandbox.link(&format!("{LINE} main.o middle.o alone.o --whole-archive thin.a"));
    assert_eq!(promoted(sandbox, "out.o"), names);
    sandbox.make_directory(sandbox.root("other"));
    for object in CHAIN_OBJECTS.split(' ') {
        std::fs::copy(sandbox.path(object), sandbox.root("other").join(object)).unwrap();
    }
    let elsewhere = sandbox.ld(&format!("{LINE} {CHAIN_OBJECTS}")).dir(sandbox.root("other"));
    assert_eq!(sandbox.stats_of(elsewhere).executed(), 0);
    // A member that grows in front of it moves its offset.
    let archived = |sandbox: &Sandbox| {
        sandbox.ar("crs rest.a alone.o leaf.o");
        sandbox.link(&format!("{LINE} main.o middle.o --whole-archive rest.a"));
        promoted(sandbox, "out.o")
    };
    let names = archived(sandbox);
    let more: String = (0..300).map(|number| format!("int another_{number};\n")).collect();
    edit(sandbox, "alone.c", &format!("{more}int counter; int alone(int x) {{ return counter += x; }}\n"));
    std::fs::remove_file(sandbox.path("rest.a")).unwrap();
    assert_eq!(archived(sandbox), names);
}

/// Equal statics in equal files of two directories, and in two members of one name.
fn modules_of_one_name_have_names_of_their_own(sandbox: &Sandbox) {
    let counter = |name: &str| format!("static int calls; int {name}(int x) {{ calls += x; return calls; }}\n");
    sandbox.bitcode(&[
        ("a/x.c", &counter("a")),
        ("b/x.c", &counter("b")),
        ("main.c", "int a(int), b(int); int main(void) { return a(1) + a(2) + b(5) * 10; }\n"),
    ]);
    sandbox.ar("qcs two.a a/x.o b/x.o");
    for inputs in ["a/x.o b/x.o", "two.a"] {
        let words = sandbox.linker_line(&format!("-no-pie main.o {inputs}"));
        let line = format!("{words} --thindist-promoted-names=stable");
        sandbox.link(&format!("{line} -o ours"));
        assert_eq!(sandbox.tool(sandbox.path("ours")).run().status.code(), Some(54), "{inputs}");
        assert!(sandbox.verify(&line).ok().stdout.starts_with("identical: "));
    }
}

fn steps_and_links_have_the_same_names(sandbox: &Sandbox) {
    chain(sandbox);
    edit(sandbox, "leaf.c", &leaf(""));
    let thin_link = || {
        let line = format!("thin-link --list list -- {LINE} {CHAIN_OBJECTS}");
        sandbox.tool("thindist").args(&line).ok();
    };
    thin_link();
    let jobs = CHAIN_OBJECTS.replace(".o", ".o.thinlto.job");
    sandbox.tool("thindist").args(&format!("backend {jobs}")).ok();
    let stats = link(sandbox);
    assert_eq!((stats.executed(), stats.local_cache()), (0, 4), "{stats:?}");
    let job = sandbox.read("main.o.thinlto.job");
    edit(sandbox, "leaf.c", &leaf("int of_its_own(int x) { return x + 1; }"));
    thin_link();
    assert!(sandbox.read("main.o.thinlto.job") == job, "main.o would run again");
    // What is imported is checked by a backend that runs, and is what it was.
    sandbox.tool("thindist").args(&format!("backend {jobs}")).ok();
    assert_eq!(link(sandbox).executed(), 0);
}

/// Neither a remembered link nor an object in the stores has the other kind.
fn one_link_has_one_kind_of_names(sandbox: &Sandbox) {
    chain(sandbox);
    edit(sandbox, "leaf.c", &leaf(""));
    let line = format!("-r -o out.o {CHAIN_OBJECTS}");
    sandbox.link(&line);
    let hashed = sandbox.read("out.o");
    let stats = link(sandbox);
    assert_eq!((stats.executed(), stats.local_cache()), (4, 0), "{stats:?}");
    assert!(sandbox.read("out.o") != hashed);
    sandbox.link(&line);
    assert!(sandbox.read("out.o") == hashed);
    sandbox.lld(&format!("-r -o theirs.o {CHAIN_OBJECTS}"));
    assert_eq!(promoted(sandbox, "out.o"), promoted(sandbox, "theirs.o"));
    assert!(link(sandbox).memo() == 4);
}

/// The linker names the target of such a call by its module's hash.
fn calls_that_the_linker_devirtualised_are_left_to_in_process(sandbox: &Sandbox) {
    let header = "struct base { virtual int f(int x) = 0; }; base *make(); void set(base *);\n";
    sandbox.write("base.h", header);
    sandbox.write(
        "a.cpp",
        "#include \"base.h\"\n\
         namespace { struct only : base { int f(int x) override; }; int only::f(int x) { return x * 7 + (int)(long)this; } }\n\
         static only one; base *make() { return &one; }\n",
    );
    sandbox.write("b.cpp", "#include \"base.h\"\nint call(int x) { return make()->f(x); }\n");
    for name in ["a", "b"] {
        let flags = "-O2 -flto=thin -fwhole-program-vtables -fno-split-lto-unit -fvisibility=hidden -fno-rtti";
        sandbox.clang(&format!("{flags} -c {name}.cpp -o {name}.o"));
    }
    let line = "-r -o out.o a.o b.o --lto-whole-program-visibility --thindist-promoted-names=stable";
    let run = sandbox.ld(line).ok().says("devirtualised").says("without stable names");
    assert_eq!(run.lines_with("thindist: warning: "), 1, "{run}");
    sandbox.ld(line).env("THINDIST_FALLBACK", "never").run().exits(1).says("devirtualised").says(".o");
    // Without the option there is nothing to devirtualise.
    let stats = sandbox.link("-r -o out.o a.o b.o --thindist-promoted-names=stable");
    assert_eq!(stats.modules, 2);
}

fn an_unknown_kind_of_names_is_an_error(sandbox: &Sandbox) {
    chain(sandbox);
    let run = sandbox.ld(&format!("-r {CHAIN_OBJECTS} -o none.o")).env("THINDIST_PROMOTED_NAMES", "file").run();
    run.exits(1).says("THINDIST_PROMOTED_NAMES=file").says("`stable`");
}
