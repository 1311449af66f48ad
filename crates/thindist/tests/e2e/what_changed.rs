//! `thindist what-changed`: which functions differ and why, and which only seem to.

use crate::on_each_llvm;
use crate::programs::{CHAIN_OBJECTS, chain, edit};
use testkit::{Run, Sandbox};

on_each_llvm!(
    an_edit_and_its_importers_are_told_apart,
    what_only_moved_has_not_changed,
    a_name_is_no_change,
    another_target_of_a_call_is_a_change,
    flags_and_inputs_are_causes,
    two_objects_and_json,
    outputs_of_steps,
    kept_objects_are_those_of_the_link,
    what_cannot_be_compared,
);

fn keep(sandbox: &Sandbox, directory: &str, options: &str) {
    sandbox.link(&format!("-r -o out.o {CHAIN_OBJECTS} --thindist-keep-native={directory} {options}"));
}

fn changed(sandbox: &Sandbox, words: &str) -> Run {
    sandbox.tool("thindist").args(&format!("what-changed {words}")).run()
}

#[track_caller]
fn expect(sandbox: &Sandbox, words: &str, lines: &[&str]) {
    let run = changed(sandbox, words).exits(i32::from(!lines.is_empty())).says_nothing();
    let found: Vec<String> = run.stdout.lines().map(|line| line.replace('\t', " ")).collect();
    assert_eq!(found, lines, "{run}");
}

fn an_edit_and_its_importers_are_told_apart(sandbox: &Sandbox) {
    chain(sandbox);
    keep(sandbox, "old", "");
    keep(sandbox, "new", "");
    expect(sandbox, "old new", &[]);
    edit(sandbox, "leaf.c", "int leaf(int x) { return x * 5 + 1; } int more(int x) { return x / 7; }\n");
    keep(sandbox, "new", "");
    let lines = [
        "added function leaf.thinlto-native.o - more edit, index",
        "changed function leaf.thinlto-native.o - leaf edit, index",
        "changed function main.thinlto-native.o - main import leaf.o",
        "changed function middle.thinlto-native.o - middle import leaf.o",
    ];
    let run = changed(sandbox, "old new").exits(1);
    let mut found: Vec<String> = run.stdout.lines().map(|line| line.replace('\t', " ")).collect();
    found.sort_unstable();
    assert_eq!(found, lines, "{run}");
}

/// An object of a source file that is always called the same.
fn object(sandbox: &Sandbox, name: &str, flags: &str, text: &str) {
    sandbox.compile(flags, "x.c", text);
    std::fs::rename(sandbox.path("x.o"), sandbox.path(name)).unwrap();
}

const STRINGS: &str = "int puts(const char *); static const double table[3] = { 1.5, 2.5, 3.5 }; int number = 7;\n\
    int leaf(int x) { puts(x ? \"leaf is here\" : \"nowhere\"); number += x; return (int)(table[x & 1] * 3.25); }\n";

/// One function more in front: strings, constants, symbols and sections all get other numbers.
fn what_only_moved_has_not_changed(sandbox: &Sandbox) {
    chain(sandbox);
    for flags in ["-O2", "-O2 -ffunction-sections -fdata-sections", "-O2 -g"] {
        object(sandbox, "old.o", &format!("{flags} -fPIC"), STRINGS);
        let front = "int puts(const char *); static int early = 3; __attribute__((noinline)) static double half(double x) { return x * 0.75; }\n\
            double first(double x) { puts(\"another\"); early++; return half(x) + early; }\n";
        object(sandbox, "new.o", &format!("{flags} -fPIC"), &format!("{front}{STRINGS}"));
        let run = changed(sandbox, "old.o new.o").exits(1);
        assert!(run.stdout.lines().all(|line| line.starts_with("added\t")), "{flags}: {run}");
        assert_eq!(run.stdout.matches("function").count(), 2, "{flags}: {run}");
    }
}

fn a_name_is_no_change(sandbox: &Sandbox) {
    chain(sandbox);
    let leaf = |more: &str| format!("static int calls; int leaf(int x) {{ calls += x; return calls; }}\n{more}");
    edit(sandbox, "leaf.c", &leaf(""));
    keep(sandbox, "old", "");
    keep(sandbox, "old-stable", "--thindist-promoted-names=stable");
    edit(sandbox, "leaf.c", &leaf("int of_its_own(int x) { return x + 1; }"));
    keep(sandbox, "new", "");
    let run = changed(sandbox, "old new").exits(1);
    let renamed = run.stdout.lines().filter(|line| line.starts_with("renamed\t") && line.ends_with("\tname")).count();
    assert_eq!((renamed, run.stdout.lines().count()), (4, 5), "{run}");
    keep(sandbox, "new-stable", "--thindist-promoted-names=stable");
    expect(sandbox, "old-stable new-stable", &["added function leaf.thinlto-native.o - of_its_own edit, index"]);
}

fn another_target_of_a_call_is_a_change(sandbox: &Sandbox) {
    let text = |called: &str, string: &str, constant: &str| {
        format!(
            "int puts(const char *); int f(int), g(int); double d(double); static int v, w; int *vw(int x) {{ return x ? &v : &w; }}\n\
             int call(int x) {{ return {called}(x) + 1; }} void say(void) {{ puts(\"{string}\"); }}\n\
             double scale(double x) {{ return x * {constant}; }} int same(int x) {{ return f(x) * 3; }}\n"
        )
    };
    object(sandbox, "old.o", "-O2 -fno-pic", &text("f", "one", "1.25"));
    for (called, string, constant, name) in
        [("g", "one", "1.25", "call"), ("f", "two", "1.25", "say"), ("f", "one", "2.25", "scale")]
    {
        object(sandbox, "new.o", "-O2 -fno-pic", &text(called, string, constant));
        expect(sandbox, "old.o new.o", &[&format!("changed function - - {name} unknown")]);
    }
}

fn flags_and_inputs_are_causes(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.write("clusters", "v1\nf main\nc 0\n");
    keep(sandbox, "old", "--lto-basic-block-sections=clusters");
    keep(sandbox, "flags", "--lto-basic-block-sections=clusters -mllvm -inline-threshold=-1000");
    let run = changed(sandbox, "old flags").exits(1);
    assert!(run.stdout.lines().all(|line| line.ends_with("\tflags")), "{run}");
    sandbox.write("clusters", "v1\nf alone\nc 0\n");
    keep(sandbox, "input", "--lto-basic-block-sections=clusters");
    let run = changed(sandbox, "old input").exits(1);
    assert!(run.stdout.lines().all(|line| line.ends_with("\tinput basic-block-sections")), "{run}");
}

fn two_objects_and_json(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.link(&format!("-r -o old.o {CHAIN_OBJECTS}"));
    edit(sandbox, "alone.c", "int counter; int alone(int x) { return counter -= x; }\n");
    sandbox.link(&format!("-r -o new.o {CHAIN_OBJECTS}"));
    expect(sandbox, "old.o new.o", &["changed function - - alone unknown"]);
    let json = "{\"schema\":1,\"objects\":1,\"definitions\":5,\"differences\":[{\"status\":\"changed\",\"kind\":\"function\",\
                \"object\":\"\",\"file\":\"\",\"name\":\"alone\",\"causes\":[\"unknown\"]}]}\n";
    assert_eq!(changed(sandbox, "--format json old.o new.o").exits(1).stdout, json);
    let none = "{\"schema\":1,\"objects\":1,\"definitions\":0,\"differences\":[]}\n";
    assert_eq!(changed(sandbox, "--format json old.o old.o").exits(0).stdout, none);
}

fn outputs_of_steps(sandbox: &Sandbox) {
    chain(sandbox);
    let build = |directory: &str| {
        sandbox.tool("thindist").args(&format!("thin-link --list list -- -r -o out.o {CHAIN_OBJECTS}")).ok();
        let jobs = CHAIN_OBJECTS.replace(".o", ".o.thinlto.job");
        sandbox.tool("thindist").args(&format!("backend {jobs}")).ok();
        sandbox.make_directory(sandbox.path(directory));
        let natives = CHAIN_OBJECTS.replace(".o", ".thinlto-native.o");
        sandbox.tool("cp").args(&format!("{jobs} {natives} {CHAIN_OBJECTS} {directory}")).ok();
    };
    build("old");
    edit(sandbox, "middle.c", "int leaf(int); int middle(int x) { return leaf(x) ^ leaf(x + 2); }\n");
    build("new");
    let lines = [
        "changed function main.thinlto-native.o - main import middle.o",
        "changed function middle.thinlto-native.o - middle edit, index",
    ];
    expect(sandbox, "old new", &lines);
}

fn kept_objects_are_those_of_the_link(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.link(&format!("-r -o out.o {CHAIN_OBJECTS}"));
    // Also of a link that would be remembered, and of members.
    keep(sandbox, "kept", "");
    let natives: Vec<_> =
        CHAIN_OBJECTS.split(' ').map(|name| format!("kept/{}", name.replace(".o", ".thinlto-native.o"))).collect();
    sandbox.lld(&format!("-r -o ours.o {}", natives.join(" ")));
    // lld numbers the symbols of a link of its own in another order.
    sandbox.tool("thindist").args("diff ours.o out.o").ok();
    sandbox.ar("crs rest.a middle.o alone.o leaf.o");
    sandbox.link("-r -o other.o alone.o --thindist-keep-native=kept");
    sandbox.link("-r -o out.o main.o --whole-archive rest.a --thindist-keep-native=kept");
    assert!(sandbox.path("kept/rest.a(leaf.o).thinlto-native.o").exists());
    assert!(!sandbox.path("kept/leaf.thinlto-native.o").exists(), "an object that is not of the link was left");
    assert!(!sandbox.path("kept/leaf.o.thinlto.job").exists());
    assert!(sandbox.path("kept/alone.thinlto-native.o").exists(), "it is of another output's link");
}

fn what_cannot_be_compared(sandbox: &Sandbox) {
    chain(sandbox);
    let words = sandbox.linker_line(&format!("-no-pie {CHAIN_OBJECTS}"));
    sandbox.link(&format!("{words} -o program"));
    let refused = |words: &str, what: &str| changed(sandbox, words).exits(2).says(what);
    refused("program program.o", "program.o").says("No such file");
    sandbox.tool("cp").args("program other").ok();
    sandbox.write("other", [sandbox.read("other"), b" ".to_vec()].concat());
    refused("program other", "already linked").says("program");
    refused("main.o leaf.o", "main.o").says("native object");
    sandbox.make_directory(sandbox.path("empty"));
    refused("empty empty", "no native objects").says("THINDIST_KEEP_NATIVE");
    refused("empty main.o", "one is a directory");
    refused("main.o", "not provided: <NEW>").says("usage: ");
    refused("--format xml a b", "'xml'").says("[possible values: text, json]").says("usage: ");
    refused("--colour a b", "a similar argument exists: '--color'").says("usage: ");
    keep(sandbox, "old", "");
    keep(sandbox, "new", "-mllvm -inline-threshold=-1000");
    sandbox.write("old/main.o.thinlto.job", "{");
    refused("old new", "main.o.thinlto.job").says("not a job file");
}
