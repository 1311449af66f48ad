//! A link as steps of make: thin-link, one backend a module, the final link by lld or by final-link.

use crate::on_each_llvm;
use crate::programs::{CHAIN_OBJECTS, chain, edit};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use testkit::{FakeCompiler, Run, Sandbox, Tool};

on_each_llvm!(
    steps_give_the_output_of_the_link_and_share_its_objects,
    make_runs_what_an_edit_concerns,
    an_unchanged_thin_link_writes_nothing,
    a_symbol_more_in_an_archive_changes_no_other_job,
    members_of_an_archive_are_unpacked,
    final_link_gives_the_output_of_the_link,
    final_link_has_the_order_of_the_thin_link,
    final_link_of_another_line_or_changed_inputs_is_refused,
    final_link_takes_from_natives_what_they_lose,
    bitcode_that_is_native_now_is_refused,
    bitcode_in_native_objects_is_unpacked,
    members_of_one_name_have_files_of_their_own,
    what_belonged_to_a_removed_module_goes,
    a_job_whose_import_has_changed_is_refused,
    jobs_of_another_version_or_none_at_all,
    a_path_with_a_space,
    a_wrapper_around_the_compiler_is_the_same_in_every_step,
    a_native_object_is_the_build_systems_own,
    options_that_make_no_sense,
);

const MAKEFILE: &str = "define newline\n\n\nendef\nobjects := $(subst $(newline), ,$(file <list))\n\
    out.o: list $(objects)\n\t$(LLD) -r -o $@ $(objects)\n\
    %.thinlto-native.o: %.o.thinlto.job %.o.thinlto.bc %.o\n\t@echo backend $@\n\tthindist backend -o $@ $<\n";

fn thin_link(sandbox: &Sandbox, line: &str) -> Tool {
    sandbox.tool("thindist").args(&format!("thin-link --list list -- -r -o out.o {line}"))
}

/// make's final link of the objects that are listed, and how many backends it ran for them.
fn make(sandbox: &Sandbox) -> usize {
    sandbox.write("Makefile", MAKEFILE);
    let run = sandbox.tool("make").args("-s -j2").env("LLD", format!("ld.lld-{}", sandbox.llvm())).ok();
    run.stdout.lines().filter(|line| line.starts_with("backend ")).count()
}

/// Every file of the steps with its time.
fn times(sandbox: &Sandbox) -> BTreeMap<PathBuf, SystemTime> {
    let files = sandbox.files_below("work").into_iter().filter(|path| path.to_string_lossy().contains("thinlto"));
    let time = |path: &Path| path.metadata().unwrap().modified().unwrap();
    files.chain([sandbox.path("list")]).map(|path| (path.clone(), time(&path))).collect()
}

fn steps_give_the_output_of_the_link_and_share_its_objects(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.compile("-O2", "native.c", "int native = 1;");
    let line = format!("{CHAIN_OBJECTS} native.o");
    thin_link(sandbox, &line).ok();
    assert_eq!(make(sandbox), 4);
    let stats = sandbox.link(&format!("-r -o link.o {line}"));
    assert_eq!((stats.executed(), stats.local_cache()), (0, 4), "{stats:?}");
    // lld numbers symbols as it meets them, and make's link meets no bitcode.
    sandbox.tool("thindist").args("diff out.o link.o").ok();
    sandbox.verify_identical(&format!("-r -o out.o {line}"));
}

fn a_wrapper_around_the_compiler_is_the_same_in_every_step(sandbox: &Sandbox) {
    chain(sandbox);
    let wrapper = FakeCompiler::logging(sandbox, "compilations");
    thin_link(sandbox, CHAIN_OBJECTS).env("THINDIST_CLANG", &wrapper.path).ok();
    assert_eq!(make(sandbox), 4);
    let compilations = std::fs::read_to_string(sandbox.root("compilations")).unwrap();
    assert_eq!(compilations.matches('+').count(), 4);
}

fn make_runs_what_an_edit_concerns(sandbox: &Sandbox) {
    chain(sandbox);
    let steps = |expected: usize| {
        thin_link(sandbox, CHAIN_OBJECTS).ok();
        assert_eq!(make(sandbox), expected);
    };
    steps(4);
    steps(0);
    // What nobody imports: the importers of `leaf` do not see it.
    edit(sandbox, "leaf.c", "int leaf(int x) { return x * 3 + 1; } double of_its_own(double x) { return x / 3; }\n");
    steps(1);
    edit(sandbox, "leaf.c", "int leaf(int x) { return x * 5 + 1; }\n");
    steps(3);
    sandbox.link(&format!("-r -o link.o {CHAIN_OBJECTS}"));
    sandbox.tool("thindist").args("diff out.o link.o").ok();
}

fn an_unchanged_thin_link_writes_nothing(sandbox: &Sandbox) {
    chain(sandbox);
    thin_link(sandbox, CHAIN_OBJECTS).ok();
    let before = times(sandbox);
    assert_eq!(before.len(), 9, "an index and a job each, and the list: {before:?}");
    thin_link(sandbox, CHAIN_OBJECTS).ok();
    assert_eq!(times(sandbox), before);
    // The same sources in another order of the line: other objects in the list, the same jobs.
    thin_link(sandbox, "leaf.o alone.o middle.o main.o").ok();
    let changed: Vec<PathBuf> =
        times(sandbox).into_iter().filter(|it| before.get(&it.0) != Some(&it.1)).map(|it| it.0).collect();
    assert_eq!(changed, [sandbox.path("list")]);
}

/// lld's identifiers of archive members have offsets, which move with the archive's table of symbols.
fn a_symbol_more_in_an_archive_changes_no_other_job(sandbox: &Sandbox) {
    chain(sandbox);
    let archive = || {
        let _ = std::fs::remove_file(sandbox.path("all.a"));
        sandbox.ar("crsT all.a main.o middle.o alone.o leaf.o");
        thin_link(sandbox, "--whole-archive all.a").ok();
    };
    archive();
    let before = times(sandbox);
    edit(
        sandbox,
        "alone.c",
        "int counter, more; int alone(int x) { return counter += x; } int another_symbol(void) { return more; }\n",
    );
    archive();
    let changed: Vec<PathBuf> =
        times(sandbox).into_iter().filter(|it| before.get(&it.0) != Some(&it.1)).map(|it| it.0).collect();
    assert_eq!(changed, ["alone.o.thinlto.bc", "alone.o.thinlto.job"].map(|name| sandbox.path(name)));
}

fn members_of_an_archive_are_unpacked(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.ar("crs rest.a middle.o alone.o leaf.o");
    thin_link(sandbox, "main.o --whole-archive rest.a").ok();
    let list = String::from_utf8(sandbox.read("list")).unwrap();
    assert_eq!(list.lines().filter(|line| line.starts_with("list.members/")).count(), 3, "{list}");
    run_backends(sandbox);
    let objects: Vec<&str> = list.lines().collect();
    assert!(objects.iter().all(|object| sandbox.path(object).is_file()), "{list}");
    // A native member as well: the list names files.
    sandbox.compile("-O2", "native.c", "int native = 1;");
    sandbox.ar("crs rest.a native.o");
    thin_link(sandbox, "main.o --whole-archive rest.a").ok();
    assert_eq!(sandbox.read("list.members/rest.a/native.o"), sandbox.read("native.o"));
    assert_eq!(make(sandbox), 0, "an archive's other members are no part of a module's name or job");
}

/// Runs the backend of every job in the work directory that has no object yet.
fn run_backends(sandbox: &Sandbox) {
    for job in sandbox.files_below("work").iter().filter(|path| path.to_string_lossy().ends_with(".thinlto.job")) {
        sandbox.tool("thindist").args("backend").arg(job).ok();
    }
}

fn final_link(sandbox: &Sandbox, line: &str) -> Tool {
    sandbox.tool("thindist").args(&format!("final-link --list list -- {line}"))
}

/// A program: start files, an archive with native and bitcode members, libraries.
fn final_link_gives_the_output_of_the_link(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.compile("-O2 -fPIC", "native.c", "int alone(int); int native(int x) { return alone(x) + 1; }");
    sandbox.ar("crs rest.a middle.o native.o alone.o leaf.o");
    let words = sandbox.linker_line("-pie main.o rest.a -Wl,-u,native -o program");
    let stats = sandbox.link(&words);
    assert_eq!(stats.executed(), 4);
    let linked = sandbox.read("program");
    std::fs::remove_file(sandbox.path("program")).unwrap();
    sandbox.tool("thindist").args(&format!("thin-link --list list -- {words}")).ok();
    final_link(sandbox, &words).run().exits(1).says("main.thinlto-native.o").says("thindist backend");
    run_backends(sandbox);
    final_link(sandbox, &words).ok().says_nothing();
    assert!(sandbox.read("program") == linked, "the steps' output is not the link's");
    assert_eq!(sandbox.tool(sandbox.path("program")).ok().stdout, "3\n");
    // Nothing changed: nobody who depends on it has to run.
    let before = sandbox.path("program").metadata().unwrap().modified().unwrap();
    final_link(sandbox, &words).ok();
    assert_eq!(sandbox.path("program").metadata().unwrap().modified().unwrap(), before);
    // Another object of a module is another output.
    edit(sandbox, "main.c", "int middle(int); int main(void) { return middle(2) == 17 ? 0 : 7; }\n");
    sandbox.tool("thindist").args(&format!("thin-link --list list -- {words}")).ok();
    run_backends(sandbox);
    final_link(sandbox, &words).ok();
    sandbox.tool(sandbox.path("program")).run().exits(7);
}

fn final_link_of_another_line_or_changed_inputs_is_refused(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.compile("-O2", "native.c", "int native = 1;");
    let line = format!("-r -o out.o {CHAIN_OBJECTS} native.o");
    final_link(sandbox, &line).run().exits(1).says("list.final").says("thin-link");
    thin_link(sandbox, &format!("{CHAIN_OBJECTS} native.o")).ok();
    run_backends(sandbox);
    final_link(sandbox, &format!("{line} --build-id")).run().exits(1).says("list.final").says("another line");
    sandbox.compile("-O2", "native.c", "int native = 2;");
    final_link(sandbox, &line).run().exits(1).says("native.o has changed").says("thin-link` again");
    // A library in front of the one that the thin link found.
    sandbox.compile("-O2", "library.c", "int library;");
    sandbox.ar("crs libx.a library.o");
    sandbox.make_directory(sandbox.path("d"));
    let line = format!("-r -o out.o {CHAIN_OBJECTS} -L d -L . -lx");
    sandbox.tool("thindist").args(&format!("thin-link --list list -- {line}")).ok();
    std::fs::copy(sandbox.path("libx.a"), sandbox.path("d/libx.a")).unwrap();
    final_link(sandbox, &line).run().exits(1).says("d/libx.a was not an input").says("thin-link` again");
    sandbox.write("list.final", "{");
    final_link(sandbox, &line).run().exits(1).says("list.final").says("thin-link` again");
    sandbox.tool("thindist").args("final-link -- -r main.o").run().exits(1).says("--list <FILE>").says("usage: ");
    assert!(!sandbox.path("out.o").exists());
}

/// What is edited after the thin link is no part of its link, whoever runs the steps too late or too early.
fn final_link_has_the_order_of_the_thin_link(sandbox: &Sandbox) {
    chain(sandbox);
    let line = "-r -o out.o main.o middle.o alone.o leaf.o";
    let linked = sandbox.link(line);
    assert_eq!(linked.executed(), 4);
    let linked = sandbox.read("out.o");
    thin_link(sandbox, CHAIN_OBJECTS).ok();
    run_backends(sandbox);
    // The names in another order, and weak.
    edit(
        sandbox,
        "leaf.c",
        "int new_one(int x) { return x; } __attribute__((weak)) int main(void) { return 1; } int leaf(int x) { return x; }",
    );
    std::fs::remove_file(sandbox.path("out.o")).unwrap();
    final_link(sandbox, line).ok().says_nothing();
    assert!(sandbox.read("out.o") == linked, "the edit has come into a link that it is no part of");
}

/// The definition that comes first counts, and in-process a native object is not the first.
fn final_link_takes_from_natives_what_they_lose(sandbox: &Sandbox) {
    sandbox.compile("-O2 -flto=thin", "main.c", "int chosen(void); int main(void) { return chosen(); }");
    let weak = |value| format!("__attribute__((weak, noinline)) int chosen(void) {{ return {value}; }}");
    sandbox.compile("-O2 -flto=thin", "first.c", &weak(1));
    sandbox.compile("-O2 -fPIC", "native.c", &weak(2));
    let words = sandbox.linker_line("-pie main.o first.o native.o -o program");
    sandbox.link(&words);
    let linked = sandbox.read("program");
    std::fs::remove_file(sandbox.path("program")).unwrap();
    // A build's own link of the list would take the native's.
    let steps = |flags: &str| sandbox.tool("thindist").args(&format!("thin-link --list list{flags} -- {words}"));
    steps("").run().exits(1).says("native.o").says("`chosen`").says("thin-link --final-link`");
    assert!(!sandbox.path("list").exists());
    steps(" --final-link").ok().says_nothing();
    run_backends(sandbox);
    final_link(sandbox, &words).ok().says_nothing();
    assert!(sandbox.read("program") == linked, "the steps' output is not the link's");
    sandbox.tool(sandbox.path("program")).run().exits(1);
}

/// The final link would have it beside the object that was made of the bitcode.
fn bitcode_that_is_native_now_is_refused(sandbox: &Sandbox) {
    chain(sandbox);
    thin_link(sandbox, CHAIN_OBJECTS).ok();
    run_backends(sandbox);
    sandbox.compile("-O2", "leaf.c", "__attribute__((weak)) int leaf(int x) { return x; }");
    let line = format!("-r -o out.o {CHAIN_OBJECTS}");
    final_link(sandbox, &line).run().exits(1).says("leaf.o was bitcode").says("thin-link` again");
    assert!(!sandbox.path("out.o").exists());
}

fn bitcode_in_native_objects_is_unpacked(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.make_directory(sandbox.path("d"));
    sandbox.compile("-O2 -flto=thin -ffat-lto-objects", "fat.c", "int leaf(int); int fat(int x) { return leaf(x); }");
    std::fs::rename(sandbox.path("fat.o"), sandbox.path("d/fat.o")).unwrap();
    let line = format!("--fat-lto-objects {CHAIN_OBJECTS} d/fat.o");
    assert_eq!(sandbox.link(&format!("-r -o out.o {line}")).executed(), 5);
    let linked = sandbox.read("out.o");
    std::fs::remove_file(sandbox.path("out.o")).unwrap();
    thin_link(sandbox, &line).ok();
    let list = String::from_utf8(sandbox.read("list")).unwrap();
    assert!(list.ends_with("list.members/objects/d_fat.thinlto-native.o\n"), "{list}");
    run_backends(sandbox);
    final_link(sandbox, &format!("-r -o out.o {line}")).ok().says_nothing();
    assert!(sandbox.read("out.o") == linked, "the steps' output is not the link's");
}

fn members_of_one_name_have_files_of_their_own(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.make_directory(sandbox.path("d"));
    std::fs::rename(sandbox.path("leaf.o"), sandbox.path("d/alone.o")).unwrap();
    sandbox.ar("cqs rest.a alone.o middle.o d/alone.o");
    thin_link(sandbox, "main.o --whole-archive rest.a").ok();
    let list = String::from_utf8(sandbox.read("list")).unwrap();
    let natives = ["alone", "middle", "alone-2"].map(|name| format!("list.members/rest.a/{name}.thinlto-native.o\n"));
    assert_eq!(list, format!("main.thinlto-native.o\n{}", natives.concat()));
    assert_eq!(make(sandbox), 4);
    let line = "-r -o out.o main.o --whole-archive rest.a";
    final_link(sandbox, line).ok();
    let made = sandbox.read("out.o");
    sandbox.link(line);
    assert!(sandbox.read("out.o") == made, "the steps' output is not the link's");
}

fn what_belonged_to_a_removed_module_goes(sandbox: &Sandbox) {
    chain(sandbox);
    thin_link(sandbox, CHAIN_OBJECTS).ok();
    make(sandbox);
    thin_link(sandbox, "main.o middle.o leaf.o").ok();
    let left: Vec<PathBuf> =
        sandbox.files_below("work").into_iter().filter(|path| path.to_string_lossy().contains("alone.")).collect();
    assert_eq!(left, [sandbox.path("alone.c"), sandbox.path("alone.o")]);
    assert_eq!(make(sandbox), 0);
}

fn refused(sandbox: &Sandbox, job: &str) -> Run {
    let run = sandbox.tool("thindist").args("backend").arg(job).run().exits(1);
    assert!(!sandbox.path(job.replace(".o.thinlto.job", ".thinlto-native.o")).exists(), "{run}");
    run
}

fn a_job_whose_import_has_changed_is_refused(sandbox: &Sandbox) {
    chain(sandbox);
    thin_link(sandbox, CHAIN_OBJECTS).ok();
    edit(sandbox, "leaf.c", "int leaf(int x) { return x * 7; }\n");
    refused(sandbox, "main.o.thinlto.job").says("leaf.o").says("main.o.thinlto.job").says("thin-link` again");
    assert_eq!(sandbox.action_results(), 0, "nothing may be stored");
    // Another compiler under the name of the one that the thin link saw.
    thin_link(sandbox, CHAIN_OBJECTS).ok();
    let job = String::from_utf8(sandbox.read("main.o.thinlto.job")).unwrap();
    let identity = job.lines().find(|line| line.contains("\"identity\"")).unwrap();
    let other = identity.replacen(|digit: char| digit.is_ascii_digit(), "f", 1);
    sandbox.write("main.o.thinlto.job", job.replace(identity, &other));
    refused(sandbox, "main.o.thinlto.job").says("another compiler");
}

fn jobs_of_another_version_or_none_at_all(sandbox: &Sandbox) {
    chain(sandbox);
    thin_link(sandbox, CHAIN_OBJECTS).ok();
    let job = String::from_utf8(sandbox.read("main.o.thinlto.job")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    sandbox
        .write("main.o.thinlto.job", job.replace(&format!("\"thindist\": \"{version}\""), "\"thindist\": \"0.0.9\""));
    refused(sandbox, "main.o.thinlto.job").says("0.0.9").says(version).says("thin-link` again");
    sandbox.write("main.o.thinlto.job", "{");
    refused(sandbox, "main.o.thinlto.job").says("main.o.thinlto.job").says("not a job file");
    refused(sandbox, "missing.o.thinlto.job").says("missing.o.thinlto.job").says("No such file");
    sandbox.write("main.o.thinlto.job", &job);
    sandbox.write("main.o.thinlto.bc", &sandbox.read("main.o.thinlto.bc")[..40]);
    refused(sandbox, "main.o.thinlto.job").says("main.o.thinlto.bc").says("thin-link` again");
}

fn a_path_with_a_space(sandbox: &Sandbox) {
    chain(sandbox);
    for name in ["main", "middle", "alone", "leaf"] {
        sandbox.write(format!("a b/{name} c.o"), sandbox.read(format!("{name}.o")));
    }
    let objects = || ["main", "middle", "alone", "leaf"].map(|name| format!("a b/{name} c.o"));
    let list = "a b/the list";
    let words = |tool: Tool| objects().into_iter().fold(tool, Tool::arg);
    words(sandbox.tool("thindist").args("thin-link --list").arg(list).args("-- -r -o out.o")).ok();
    let natives = String::from_utf8(sandbox.read(list)).unwrap();
    for native in natives.lines() {
        let job = native.replace(".thinlto-native.o", ".o.thinlto.job");
        sandbox.tool("thindist").args("backend -o").arg(native).arg(job).ok();
    }
    words(sandbox.tool("thindist").args("final-link --list").arg(list).args("-- -r -o out.o")).ok();
    let made = sandbox.read("out.o");
    words(sandbox.tool("ld.thindist").args("-r -o out.o")).ok();
    assert!(sandbox.read("out.o") == made, "the steps' output is not the link's");
    // A module that is not linked any more, in the same place.
    sandbox.tool("thindist").args("thin-link --list").arg(list).args("-- -r -o out.o").arg("a b/leaf c.o").ok();
    let left = sandbox.files_below("work/a b").into_iter().filter(|path| path.to_string_lossy().contains("main c."));
    assert_eq!(left.collect::<Vec<_>>(), [sandbox.path("a b/main c.o")]);
}

/// objtool, for one, writes to it.
fn a_native_object_is_the_build_systems_own(sandbox: &Sandbox) {
    chain(sandbox);
    thin_link(sandbox, CHAIN_OBJECTS).ok();
    sandbox.tool("thindist").args("backend leaf.o.thinlto.job").ok();
    sandbox.write("leaf.thinlto-native.o", "overwritten");
    sandbox.tool("thindist").args("cache verify").ok();
    sandbox.tool("thindist").args("backend leaf.o.thinlto.job").ok();
    assert!(sandbox.read("leaf.thinlto-native.o").starts_with(b"\x7fELF"));
}

fn options_that_make_no_sense(sandbox: &Sandbox) {
    chain(sandbox);
    let refuses = |words: &str, what: &str| {
        sandbox.tool("thindist").args(words).run().exits(1).says(what).says("usage: ");
    };
    refuses("thin-link -- -r main.o -o out.o", "not provided: --list <FILE>");
    refuses("thin-link --list", "a value is required for '--list <FILE>'");
    refuses("thin-link --lists x -- main.o", "a similar argument exists: '--list'");
    refuses("thin-link --list list --suffix .o -- -r main.o -o out.o", "it would not tell objects apart");
    refuses("backend", "no job file");
    refuses("backend -o x.o a.job b.job", "several");
    refuses("backend --fast a.job", "'--fast'");
    sandbox.tool("thindist").args("backend main.o").run().exits(1).says("main.o").says("not a job file");
    let run = thin_link(sandbox, "main.o middle.o -mllvm -load=x.so").run().exits(1);
    run.says("-mllvm").says("in-process");
}
