//! A build that runs the thin link and the compiler's backends itself: `ld.thindist --thinlto-index-only=` and `thindist cc`.

use crate::on_each_llvm;
use crate::programs::{CHAIN_OBJECTS, chain, edit};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::SystemTime;
use testkit::{Run, Sandbox, Stats, Tool};

on_each_llvm!(
    an_object_is_plain_clangs_on_llds_own_index,
    debug_information_has_no_directory_of_ours,
    the_indexes_are_good_for_plain_clang,
    only_indexes_that_must_change_do,
    llds_other_files_are_there_as_well,
    a_makefile_of_times_runs_what_an_edit_concerns,
    a_file_that_imported_assembly_names_is_never_missed,
    another_call_becomes_the_compiler_at_once,
    the_compilers_words_are_its_own,
    a_backend_takes_no_second_token_of_make,
    an_empty_index_is_compiled_without_importing,
    inputs_that_are_missing,
    the_index_of_another_module,
    an_index_that_is_older_than_a_module,
    what_is_not_understood_is_left_to_the_compiler,
    compilers_that_are_no_clang,
    an_output_that_cannot_be_written,
    stable_names_are_refused,
);

const FLAGS: &str = "-Os -fPIC -ffunction-sections -Wno-unused-command-line-argument -I include -DX=1";

fn thin_link(sandbox: &Sandbox) -> Run {
    sandbox.ld(&format!("-r --thinlto-index-only=list {CHAIN_OBJECTS}")).ok().says_nothing()
}

/// The arguments of the backend of `NAME.o`.
fn backend(name: &str, output: &str) -> String {
    format!("{FLAGS} -x ir -fthinlto-index={name}.o.thinlto.bc -c -o {output} {name}.o")
}

fn cc(sandbox: &Sandbox, arguments: &str) -> Tool {
    sandbox.tool("thindist").args(&format!("cc clang-{} {arguments}", sandbox.llvm()))
}

fn stats(sandbox: &Sandbox, name: &str) -> Stats {
    sandbox.stats_of(cc(sandbox, &backend(name, &format!("{name}.n.o"))))
}

const NAMES: [&str; 4] = ["main", "middle", "alone", "leaf"];

fn an_object_is_plain_clangs_on_llds_own_index(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.lld(&format!("-r --thinlto-index-only=list {CHAIN_OBJECTS}"));
    for name in NAMES {
        sandbox.clang(&backend(name, &format!("{name}.plain.o")));
    }
    let llds: Vec<Vec<u8>> = NAMES.iter().map(|name| sandbox.read(format!("{name}.o.thinlto.bc"))).collect();
    for name in NAMES {
        assert_eq!(stats(sandbox, name).executed(), 1, "{name}");
        assert!(sandbox.read(format!("{name}.n.o")) == sandbox.read(format!("{name}.plain.o")), "{name}");
    }
    // Another index of the same thin link, another directory of the same files: the same actions.
    thin_link(sandbox);
    let ours: Vec<Vec<u8>> = NAMES.iter().map(|name| sandbox.read(format!("{name}.o.thinlto.bc"))).collect();
    assert_ne!(llds, ours);
    for name in NAMES {
        let again = stats(sandbox, name);
        assert_eq!((again.executed(), again.local_cache()), (0, 1), "{name}");
        assert!(sandbox.read(format!("{name}.n.o")) == sandbox.read(format!("{name}.plain.o")), "{name}");
    }
}

fn stable_names_are_refused(sandbox: &Sandbox) {
    chain(sandbox);
    let thin = sandbox.ld(&format!("-r --thinlto-index-only=list {CHAIN_OBJECTS}"));
    thin.env("THINDIST_PROMOTED_NAMES", "stable").run().exits(1).says("stable names: not possible");
    thin_link(sandbox);
    let backend = cc(sandbox, &backend("main", "main.n.o")).env("THINDIST_PROMOTED_NAMES", "stable");
    backend.run().exits(1).says("stable names: not possible").says("ld.thindist");
}

fn debug_information_has_no_directory_of_ours(sandbox: &Sandbox) {
    sandbox.compile(
        "-O2 -g -flto=thin",
        "a.c",
        "__asm__(\".text\\n.globl z\\nz: nop\\n\"); int b(int); int a(int x) { return b(x) + 1; }",
    );
    sandbox.compile("-O2 -g -flto=thin", "b.c", "int b(int x) { __asm__ volatile(\"nop\"); return x * 3; }");
    sandbox.ld("-r --thinlto-index-only=list a.o b.o").ok();
    let line = |output: &str| format!("-O2 -g -x ir -fthinlto-index=a.o.thinlto.bc -c -o {output} a.o");
    sandbox.clang(&line("plain.o"));
    cc(sandbox, &line("cached.o")).ok();
    assert!(sandbox.read("plain.o") == sandbox.read("cached.o"));
}

fn the_indexes_are_good_for_plain_clang(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.lld(&format!("-r --thinlto-index-only=plain.list {CHAIN_OBJECTS}"));
    for name in NAMES {
        sandbox.clang(&backend(name, &format!("{name}.plain.o")));
    }
    thin_link(sandbox);
    assert_eq!(sandbox.read("list"), sandbox.read("plain.list"));
    for name in NAMES {
        sandbox.clang(&backend(name, &format!("{name}.ours.o")));
        assert!(sandbox.read(format!("{name}.ours.o")) == sandbox.read(format!("{name}.plain.o")), "{name}");
    }
}

/// When each index was written.
fn times(sandbox: &Sandbox) -> BTreeMap<PathBuf, SystemTime> {
    let indexes =
        sandbox.files_below("work").into_iter().filter(|path| path.to_string_lossy().ends_with(".thinlto.bc"));
    indexes.map(|path| (path.clone(), path.metadata().unwrap().modified().unwrap())).collect()
}

fn changed(sandbox: &Sandbox, before: &BTreeMap<PathBuf, SystemTime>) -> Vec<PathBuf> {
    times(sandbox).into_iter().filter(|it| before.get(&it.0) != Some(&it.1)).map(|it| it.0).collect()
}

const LEAF_WITH_MORE: &str = "int leaf(int x) { return x * 3 + 1; } double of_its_own(double x) { return x / 3; }\n";

fn only_indexes_that_must_change_do(sandbox: &Sandbox) {
    chain(sandbox);
    thin_link(sandbox);
    let before = times(sandbox);
    assert_eq!(before.len(), 4, "{before:?}");
    let list = sandbox.path("list").metadata().unwrap().modified().unwrap();
    thin_link(sandbox);
    assert_eq!(changed(sandbox, &before), Vec::<PathBuf>::new());
    assert_ne!(sandbox.path("list").metadata().unwrap().modified().unwrap(), list, "the list says that it was done");
    edit(sandbox, "leaf.c", LEAF_WITH_MORE);
    thin_link(sandbox);
    assert_eq!(changed(sandbox, &before), [sandbox.path("leaf.o.thinlto.bc")]);
    // What is imported has changed, and the summaries of all have not.
    let before = times(sandbox);
    edit(sandbox, "leaf.c", "int leaf(int x) { return x * 5 + 1; }\n");
    thin_link(sandbox);
    let importers = ["leaf", "main", "middle"].map(|name| sandbox.path(format!("{name}.o.thinlto.bc")));
    assert_eq!(changed(sandbox, &before), importers);
}

fn llds_other_files_are_there_as_well(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.make_directory(sandbox.path("theirs"));
    let line = "-r --thinlto-emit-imports-files main.o middle.o --start-lib alone.o --end-lib leaf.o";
    sandbox.ld(&format!("{line} --thinlto-index-only")).ok().says_nothing();
    sandbox.lld(&format!("{line} --thinlto-index-only=theirs/list --thinlto-prefix-replace=;theirs/"));
    for name in NAMES {
        let imports = format!("{name}.o.imports");
        assert_eq!(sandbox.read(&imports), sandbox.read(format!("theirs/{imports}")), "{imports}");
    }
    // Not selected: its index says that there is nothing to compile.
    let alone = "alone.o.thinlto.bc";
    assert_eq!(sandbox.read(alone), sandbox.read(format!("theirs/{alone}")));
    let skipped = cc(sandbox, &backend("alone", "alone.n.o")).ok();
    assert!(sandbox.read("alone.n.o").starts_with(b"\x7fELF"), "{skipped}");
    // Another layout of the indexes is lld's to make.
    fs::remove_file(sandbox.path(alone)).unwrap();
    sandbox.ld(&format!("{line} --thinlto-index-only=moved --thinlto-prefix-replace=;theirs/")).ok().says_nothing();
    assert!(!sandbox.path(alone).exists());
}

const MAKEFILE: &str = "objects := main.o middle.o alone.o leaf.o\n\
    natives := $(objects:.o=.thinlto-native.o)\n\
    out.o: $(natives)\n\t$(LD) -r -o $@ $(natives)\n\
    list: $(objects)\n\t$(LD) -r --thinlto-index-only=$@ $(objects)\n\
    $(natives): %.thinlto-native.o: %.o %.o.thinlto.bc\n\
    \t@echo backend $@\n\t$(CC) -O2 -x ir -fthinlto-index=$*.o.thinlto.bc -c -o $@ $<\n";

/// How many rules of backends make runs, and how many of them a compiler was run for.
fn make(sandbox: &Sandbox) -> (usize, usize) {
    sandbox.write("Makefile", MAKEFILE);
    let file = sandbox.root("make-stats");
    let _ = fs::remove_file(&file);
    let tool = |target: &str| {
        let llvm = sandbox.llvm();
        let tool = sandbox.tool("make").args("-s -j2").arg(target).arg("LD=ld.thindist");
        tool.arg(format!("CC=thindist cc clang-{llvm}")).env("THINDIST_STATS", &file).ok()
    };
    tool("list");
    let run = tool("out.o");
    let rules = run.stdout.lines().filter(|line| line.starts_with("backend ")).count();
    let text = fs::read_to_string(&file).unwrap_or_default();
    (rules, text.lines().filter(|line| line.contains("\"executed\":1,")).count())
}

fn a_makefile_of_times_runs_what_an_edit_concerns(sandbox: &Sandbox) {
    chain(sandbox);
    assert_eq!(make(sandbox), (4, 4));
    assert_eq!(make(sandbox), (0, 0));
    edit(sandbox, "leaf.c", LEAF_WITH_MORE);
    assert_eq!(make(sandbox), (1, 1));
    edit(sandbox, "leaf.c", "int leaf(int x) { return x * 5 + 1; }\n");
    assert_eq!(make(sandbox), (3, 3));
    edit(sandbox, "leaf.c", LEAF_WITH_MORE);
    assert_eq!(make(sandbox), (3, 0));
    assert_eq!(make(sandbox), (0, 0));
    // `make clean`
    for name in NAMES {
        fs::remove_file(sandbox.path(format!("{name}.thinlto-native.o"))).unwrap();
        fs::remove_file(sandbox.path(format!("{name}.o.thinlto.bc"))).unwrap();
    }
    fs::remove_file(sandbox.path("list")).unwrap();
    assert_eq!(make(sandbox), (4, 0));
}

/// The bitcode does not change with the file, and neither does any index.
fn a_file_that_imported_assembly_names_is_never_missed(sandbox: &Sandbox) {
    sandbox.write("data.bin", "one");
    sandbox.bitcode(&[
        ("a.c", "void keep(void); void a(void) { keep(); }\n"),
        (
            "b.c",
            r#"void keep(void) { __asm__ volatile(".pushsection .blob,\"a\"\n.incbin \"data.bin\"\n.popsection\n"); }"#,
        ),
    ]);
    let line = "-r --thinlto-index-only=list a.o b.o";
    sandbox.ld(line).ok();
    let before = times(sandbox);
    sandbox.ld(line).ok();
    assert_eq!(changed(sandbox, &before), [sandbox.path("a.o.thinlto.bc")], "only its time can tell");
    let compile = || {
        let arguments = "-O2 -x ir -fthinlto-index=a.o.thinlto.bc -c -o a.n.o a.o";
        let executed = sandbox.stats_of(cc(sandbox, arguments)).executed();
        sandbox.clang(&arguments.replace("a.n.o", "a.plain.o"));
        assert!(sandbox.read("a.n.o") == sandbox.read("a.plain.o"));
        executed
    };
    assert_eq!((compile(), compile()), (1, 0));
    sandbox.write("data.bin", "two");
    assert_eq!((compile(), compile()), (1, 0));
}

fn another_call_becomes_the_compiler_at_once(sandbox: &Sandbox) {
    sandbox.write("a.c", "int a(int x) { return x + VALUE; }\n");
    let nowhere = sandbox.root("nowhere/cache");
    let call = |arguments: &str| cc(sandbox, arguments).env("THINDIST_CACHE_DIR", &nowhere);
    call("-O2 -DVALUE=1 -c a.c -o a.o").ok().says_nothing();
    sandbox.clang("-O2 -DVALUE=1 -c a.c -o plain.o");
    assert!(sandbox.read("a.o") == sandbox.read("plain.o"));
    assert!(!nowhere.exists(), "something was opened");
    call("-c a.c -o a.o").run().exits(1).says("VALUE");
    assert!(call("--version").ok().stdout.contains(&format!("clang version {}", sandbox.llvm())));
    sandbox.tool("thindist").args("cc clang-of-nobody -c a.c").run().exits(1).says("clang-of-nobody").says("hint");
    sandbox.tool("thindist").args("cc").run().exits(1).says("no compiler").says("usage: ");
}

fn the_compilers_words_are_its_own(sandbox: &Sandbox) {
    sandbox.compile(
        "-O2 -flto=thin -Wframe-larger-than=16",
        "big.c",
        "void use(char *); void big(void) { char many[4000]; use(many); }\n",
    );
    sandbox.ld("-r --thinlto-index-only=list big.o").ok();
    let line = |output: &str| format!("-O2 -x ir -fthinlto-index=big.o.thinlto.bc -c -o {output} big.o");
    let plain = sandbox.clang(&line("plain.o"));
    assert!(plain.stderr.contains("stack frame size"), "{plain}");
    // Made, and answered.
    for _ in 0..2 {
        assert_eq!(cc(sandbox, &line("cached.o")).ok().stderr, plain.stderr);
    }
    // An error and its exit code, made an error by a flag.
    let failing = |output: &str| format!("-Werror {}", line(output));
    let plain = sandbox.tool(format!("clang-{}", sandbox.llvm())).args(&failing("x.o")).run();
    let ours = cc(sandbox, &failing("x.o")).run();
    assert_eq!((ours.status.code(), &ours.stderr), (plain.status.code(), &plain.stderr), "{ours}");
    assert!(!sandbox.path("x.o").exists());
    cc(sandbox, &failing("x.o")).env("THINDIST_FALLBACK", "never").run().exits(1).says("the backend of big.o failed");
}

/// It is one of make's jobs, and has that job's token.
fn a_backend_takes_no_second_token_of_make(sandbox: &Sandbox) {
    chain(sandbox);
    thin_link(sandbox);
    sandbox.tool("mkfifo").arg(sandbox.path("fifo")).ok();
    let flags = format!("-j2 --jobserver-auth=fifo:{}", sandbox.path("fifo").display());
    // Nobody has put a token in: who asked for one would wait for ever.
    cc(sandbox, &backend("main", "main.n.o")).env("MAKEFLAGS", flags).ok().says_nothing();
}

fn an_empty_index_is_compiled_without_importing(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.write("main.o.thinlto.bc", "");
    sandbox.clang(&backend("main", "plain.o"));
    assert_eq!(stats(sandbox, "main").executed(), 1);
    assert!(sandbox.read("main.n.o") == sandbox.read("plain.o"));
    // Bazel's spelling of it.
    let arguments = backend("main", "null.o").replace("main.o.thinlto.bc", "/dev/null");
    assert_eq!(sandbox.stats_of(cc(sandbox, &arguments)).local_cache(), 1);
    assert!(sandbox.read("null.o") == sandbox.read("plain.o"));
}

/// Expects a refusal that says each of `words`, what to do, and leaves no object and no entry.
#[track_caller]
fn refused(sandbox: &Sandbox, tool: Tool, words: &[&str]) {
    let results = sandbox.action_results();
    let mut run = tool.run().exits(1).says("thindist: hint: ");
    for word in words {
        run = run.says(word);
    }
    assert!(!sandbox.path("main.n.o").exists(), "{run}");
    assert_eq!(sandbox.action_results(), results, "{run}");
    assert_eq!(sandbox.temporaries(), Vec::<PathBuf>::new(), "{run}");
}

fn inputs_that_are_missing(sandbox: &Sandbox) {
    chain(sandbox);
    let call = || cc(sandbox, &backend("main", "main.n.o"));
    refused(sandbox, call(), &["main.o.thinlto.bc", "No such file", "thin link again"]);
    thin_link(sandbox);
    fs::remove_file(sandbox.path("leaf.o")).unwrap();
    refused(sandbox, call(), &["leaf.o", "No such file", "main.o imports from it"]);
    fs::remove_file(sandbox.path("main.o")).unwrap();
    refused(sandbox, call(), &["main.o", "No such file"]);
    sandbox.write("main.o", "no bitcode");
    refused(sandbox, call(), &["main.o", "compile it again"]);
}

fn the_index_of_another_module(sandbox: &Sandbox) {
    chain(sandbox);
    thin_link(sandbox);
    let call = |index: &str| cc(sandbox, &backend("main", "main.n.o").replace("main.o.thinlto.bc", index));
    refused(sandbox, call("alone.o.thinlto.bc"), &["alone.o.thinlto.bc", "not the index of main.o", "alone.o"]);
    sandbox.write("cut", &sandbox.read("main.o.thinlto.bc")[..60]);
    refused(sandbox, call("cut"), &["cut", "thin link again"]);
    refused(sandbox, call("main.o"), &["main.o", "index"]);
}

/// plain clang makes an object of two states of the sources out of these.
fn an_index_that_is_older_than_a_module(sandbox: &Sandbox) {
    chain(sandbox);
    for is_ours in [false, true] {
        if is_ours {
            thin_link(sandbox);
        } else {
            sandbox.lld(&format!("-r --thinlto-index-only=list {CHAIN_OBJECTS}"));
        }
        let before = sandbox.read("leaf.o");
        edit(sandbox, "leaf.c", &format!("int leaf(int x) {{ return x * 7 + {}; }}\n", i32::from(is_ours)));
        let call = || cc(sandbox, &backend("main", "main.n.o"));
        refused(sandbox, call(), &["main.o", "another leaf.o", "thin link again"]);
        sandbox.write("leaf.o", before);
    }
}

fn what_is_not_understood_is_left_to_the_compiler(sandbox: &Sandbox) {
    chain(sandbox);
    thin_link(sandbox);
    let arguments = |more: &str| backend("main", "main.n.o").replacen(FLAGS, &format!("{more} {FLAGS}"), 1);
    let check = |more: &str, what: &str| {
        let never = cc(sandbox, &arguments(more)).env("THINDIST_FALLBACK", "never");
        refused(sandbox, never, &[what, "THINDIST_FALLBACK=warn"]);
        let run = cc(sandbox, &arguments(more)).ok().says(what).says("compiling without the stores");
        assert_eq!(run.lines_with("thindist: "), 1, "{run}");
        sandbox.clang(&arguments(more).replace("main.n.o", "plain.o"));
        assert!(sandbox.read("main.n.o") == sandbox.read("plain.o"), "{more}");
        fs::remove_file(sandbox.path("main.n.o")).unwrap();
    };
    check("-march=native", "-march=native");
    check("-save-temps=obj", "-save-temps=obj");
    check("-Xclang -disable-free", "-Xclang");
    assert_eq!(sandbox.action_results(), 0, "nothing of that may be stored");
    cc(sandbox, &arguments("-O2")).env("CCC_OVERRIDE_OPTIONS", "x-O2").ok().says("CCC_OVERRIDE_OPTIONS");
}

fn compilers_that_are_no_clang(sandbox: &Sandbox) {
    chain(sandbox);
    thin_link(sandbox);
    let call =
        |compiler: &str| sandbox.tool("thindist").args(&format!("cc {compiler} {}", backend("main", "main.n.o")));
    let never = |compiler: &str| call(compiler).env("THINDIST_FALLBACK", "never");
    refused(sandbox, never("true"), &["true", "does not name an LLVM version"]);
    call("true").ok().says("true").says("compiling without the stores");
    refused(sandbox, never("clang-of-nobody"), &["clang-of-nobody", "no such compiler"]);
    if sandbox.llvm() == 22 {
        refused(sandbox, call("clang-19"), &["main.o", "LLVM 22", "LLVM 19"]);
    }
}

fn an_output_that_cannot_be_written(sandbox: &Sandbox) {
    chain(sandbox);
    thin_link(sandbox);
    let call = || cc(sandbox, &backend("main", "closed/main.n.o"));
    call().run().exits(1).says("closed/main.n.o").says("No such file").says("hint");
    sandbox.make_directory(sandbox.path("closed/main.n.o"));
    call().run().exits(1).says("closed/main.n.o").says("directory");
    fs::remove_dir(sandbox.path("closed/main.n.o")).unwrap();
    fs::set_permissions(sandbox.path("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    let run = call().run();
    // root may write anywhere.
    match run.status.code() {
        Some(0) => assert!(sandbox.read("closed/main.n.o").starts_with(b"\x7fELF"), "{run}"),
        _ => drop(run.exits(1).says("closed/main.n.o").says("Permission denied")),
    }
    fs::set_permissions(sandbox.path("closed"), fs::Permissions::from_mode(0o755)).unwrap();
}
