//! A link as a build graph: what ninja and make run, and that the output is that of the link.

use crate::on_each_llvm;
use crate::programs::{CHAIN_OBJECTS, chain, edit};
use testkit::{Run, Sandbox};

on_each_llvm!(
    ninja_runs_what_an_edit_concerns,
    ninja_gives_the_output_of_a_program,
    ninja_follows_an_archive,
    ninja_sees_a_file_that_assembly_names,
    make_runs_what_an_edit_concerns,
    json_has_the_commands,
    names_with_blanks,
    options_that_make_no_sense,
);

const NO_CHANGE: &str = "int leaf(int x) { return x * 3 + 1; } double of_its_own(double x) { return x / 3; }\n";

#[track_caller]
fn emit(sandbox: &Sandbox, format: &str, line: &str) {
    let file = if format == "ninja" { "build.ninja" } else { "plan" };
    sandbox.tool("thindist").args(&format!("emit {format} -o {file} -- {line}")).ok().says_nothing();
}

/// The outputs of what ran, a word for each step; sorted.
#[track_caller]
fn ninja(sandbox: &Sandbox) -> Vec<String> {
    let run = sandbox.tool("ninja").args("-j2").ok();
    let outputs = run.stdout.lines().filter_map(|line| line.split_once("THINDIST "));
    let mut ran: Vec<String> =
        outputs.filter_map(|(_, outputs)| outputs.split(' ').next()).map(str::to_owned).collect();
    ran.sort_unstable();
    ran
}

/// The output, which the link has to give as well, from the same objects.
#[track_caller]
fn is_the_links(sandbox: &Sandbox, output: &str, line: &str, modules: usize) {
    let made = sandbox.read(output);
    std::fs::remove_file(sandbox.path(output)).unwrap();
    let stats = sandbox.link(line);
    assert_eq!((stats.executed(), stats.local_cache()), (0, modules), "{stats:?}");
    assert!(sandbox.read(output) == made, "the graph's output is not the link's");
}

const THIN: &str = "build.ninja.dd";

fn ninja_runs_what_an_edit_concerns(sandbox: &Sandbox) {
    chain(sandbox);
    let line = format!("-r -o out.o {CHAIN_OBJECTS}");
    emit(sandbox, "ninja", &line);
    let natives = ["alone", "leaf", "main", "middle"].map(|name| format!("{name}.thinlto-native.o"));
    let [alone, leaf, main, middle] = natives.each_ref().map(String::as_str);
    assert_eq!(ninja(sandbox), [alone, THIN, leaf, main, middle, "out.o"]);
    let nothing: [&str; 0] = [];
    assert_eq!(ninja(sandbox), nothing);
    sandbox.write("leaf.o", sandbox.read("leaf.o"));
    assert_eq!(ninja(sandbox), [THIN, leaf], "the same object again: nothing to link");
    assert_eq!(ninja(sandbox), nothing);
    // What nobody imports.
    edit(sandbox, "leaf.c", NO_CHANGE);
    assert_eq!(ninja(sandbox), [THIN, leaf, "out.o"]);
    edit(sandbox, "leaf.c", "int leaf(int x) { return x * 5 + 1; }\n");
    assert_eq!(ninja(sandbox), [THIN, leaf, main, middle, "out.o"]);
    assert_eq!(ninja(sandbox), nothing);
    is_the_links(sandbox, "out.o", &line, 4);
}

/// Natives, an archive of which one member is not linked, libraries.
fn ninja_gives_the_output_of_a_program(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.compile("-O2 -fPIC", "native.c", "int native(int x) { return x + 1; }");
    sandbox.ar("crs rest.a middle.o native.o alone.o leaf.o");
    let words = sandbox.linker_line("-pie main.o rest.a -Wl,-u,native -o program");
    emit(sandbox, "ninja", &words);
    let member = |name: &str| format!("build.ninja.objects.members/rest.a/{name}.thinlto-native.o");
    let ran = [THIN.to_owned(), member("leaf"), member("middle"), "main.thinlto-native.o".into(), "program".into()];
    assert_eq!(ninja(sandbox), ran);
    assert_eq!(sandbox.tool(sandbox.path("program")).ok().stdout, "3\n");
    assert!(ninja(sandbox).is_empty());
    is_the_links(sandbox, "program", &words, 3);
}

fn ninja_follows_an_archive(sandbox: &Sandbox) {
    chain(sandbox);
    let line = "-r -o out.o main.o --whole-archive rest.a";
    sandbox.ar("crs rest.a middle.o leaf.o");
    emit(sandbox, "ninja", line);
    assert_eq!(ninja(sandbox).len(), 5);
    sandbox.ar("crs rest.a alone.o");
    let ran = ninja(sandbox);
    let new = "build.ninja.objects.members/rest.a/alone.thinlto-native.o".to_owned();
    assert!(ran.contains(&"build.ninja".to_owned()) && ran.contains(&new), "{ran:?}");
    assert_eq!(ran.iter().filter(|name| name.ends_with("native.o")).count(), 1, "{ran:?}");
    assert!(ninja(sandbox).is_empty());
    is_the_links(sandbox, "out.o", line, 4);
}

fn ninja_sees_a_file_that_assembly_names(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.write("data.bin", "one");
    sandbox.compile(
        "-O2 -flto=thin -fPIC",
        "alone.c",
        "__asm__(\".data\\n.globl d\\nd: .incbin \\\"data.bin\\\"\");\n",
    );
    let line = format!("-r -o out.o {CHAIN_OBJECTS}");
    emit(sandbox, "ninja", &line);
    assert_eq!(ninja(sandbox).len(), 6);
    assert!(ninja(sandbox).is_empty());
    sandbox.write("data.bin", "two");
    assert_eq!(ninja(sandbox), ["alone.thinlto-native.o", THIN, "out.o"]);
    is_the_links(sandbox, "out.o", &line, 4);
}

#[track_caller]
fn make(sandbox: &Sandbox) -> Run {
    sandbox.tool("make").args("-j2 -f plan out.o").ok()
}

fn backends(run: &Run) -> usize {
    run.stdout.lines().filter(|line| line.contains("thindist backend")).count()
}

fn make_runs_what_an_edit_concerns(sandbox: &Sandbox) {
    chain(sandbox);
    let line = format!("-r -o out.o {CHAIN_OBJECTS}");
    emit(sandbox, "make", &line);
    assert_eq!(backends(&make(sandbox)), 4);
    let again = make(sandbox);
    assert!(!again.stdout.contains("thindist"), "{again}");
    edit(sandbox, "leaf.c", NO_CHANGE);
    assert_eq!(backends(&make(sandbox)), 1);
    let again = make(sandbox);
    assert!(!again.stdout.contains("thindist"), "{again}");
    edit(sandbox, "leaf.c", "int leaf(int x) { return x * 5 + 1; }\n");
    assert_eq!(backends(&make(sandbox)), 3);
    is_the_links(sandbox, "out.o", &line, 4);
}

fn json_has_the_commands(sandbox: &Sandbox) {
    chain(sandbox);
    let line = format!("-r -o out.o {CHAIN_OBJECTS}");
    emit(sandbox, "json", &line);
    let graph: serde_json::Value = serde_json::from_slice(&sandbox.read("plan")).unwrap();
    assert_eq!(graph["schema"], 1);
    let backends = graph["backends"].as_array().unwrap();
    assert_eq!(backends.len(), 4);
    let main = backends.iter().find(|step| step["outputs"][0] == "main.thinlto-native.o").unwrap();
    assert_eq!(main["inputs"], serde_json::json!(["main.o", "main.o.thinlto.bc", "main.o.thinlto.job"]));
    assert_eq!(main["imports"].as_array().unwrap().len(), 2, "{main}");
    for step in backends.iter().chain([&graph["final_link"]]) {
        let mut words = step["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        let tool = sandbox.tool(words.next().unwrap());
        words.fold(tool, |tool, word| tool.arg(word)).ok();
    }
    is_the_links(sandbox, "out.o", &line, 4);
}

fn names_with_blanks(sandbox: &Sandbox) {
    chain(sandbox);
    std::fs::rename(sandbox.path("leaf.o"), sandbox.path("the $leaf: it's.o")).unwrap();
    sandbox.write("line.rsp", "-r -o 'out o' main.o middle.o 'the $leaf: it'\\''s.o'");
    emit(sandbox, "ninja", "@line.rsp");
    assert_eq!(ninja(sandbox).len(), 5);
    assert!(ninja(sandbox).is_empty());
    is_the_links(sandbox, "out o", "@line.rsp", 3);
    let refused = sandbox.tool("thindist").args("emit make -o plan -- @line.rsp").run().exits(1);
    refused.says("make has no way to write the path").says("the $leaf: it's.o");
}

fn options_that_make_no_sense(sandbox: &Sandbox) {
    let refuses =
        |words: &str, what: &str| sandbox.tool("thindist").args(words).run().exits(1).says(what).says("hint: ");
    refuses("emit bazel -o x -- a.o", "'bazel'").says("[possible values: ninja, make, json]").says("usage: ");
    refuses("emit ninja -- a.o", "not provided: -o <FILE>").says("usage: ");
    refuses("emit ninja -o x --fast -- a.o", "'--fast'").says("usage: ");
    refuses("emit ninja -o x -- missing.o", "missing.o");
    sandbox.compile("-O2", "native.c", "int native = 1;");
    refuses("emit ninja -o x -- native.o", "no bitcode");
    chain(sandbox);
    let run = sandbox.tool("thindist").args("emit make -o x -- -r main.o middle.o -mllvm -load=x.so").run().exits(1);
    run.says("-mllvm").says("in-process");
}
