//! The stores return what was stored, and nothing else.

use crate::on_each_llvm;
use crate::programs::{CHAIN_OBJECTS, chain, edit};
use std::path::Path;
use testkit::{FakeCompiler, Sandbox, Stats};

on_each_llvm!(
    a_relink_with_nothing_changed_runs_no_tool,
    a_second_directory_shares_every_backend,
    neither_jobs_nor_the_surroundings_are_part_of_a_key,
    another_compiler_runs_every_backend,
    another_compiler_behind_a_wrapper_runs_every_backend,
    a_wrapper_around_nobody_knows_what,
    a_link_by_a_wrapper_around_lld_is_not_remembered,
    a_carried_flag_runs_every_backend,
    a_corrupted_blob_is_detected_dropped_and_rebuilt,
    a_corrupted_action_result_is_a_miss,
    a_blob_that_vanishes_after_its_look_up_is_a_miss,
    a_cas_that_keeps_nothing_is_an_error,
    warnings_of_a_backend_come_again_from_the_cache,
    cache_commands,
);

fn line(output: &str) -> String {
    format!("-r {CHAIN_OBJECTS} -o {output}")
}

/// Links, with an output of its own so that the memo has nothing to say.
#[track_caller]
fn expect(stats: &Stats, executed: usize, from_cache: usize) {
    assert_eq!((stats.executed(), stats.local_cache(), stats.memo()), (executed, from_cache, 0), "{stats:?}");
}

fn a_relink_with_nothing_changed_runs_no_tool(sandbox: &Sandbox) {
    chain(sandbox);
    expect(&sandbox.link(&line("out.o")), 4, 0);
    let first = sandbox.read("out.o");
    for changed in [false, true] {
        if changed {
            sandbox.write("out.o", "something else");
        }
        let stats = sandbox.link(&line("out.o"));
        assert_eq!((stats.executed(), stats.memo(), stats.modules), (0, 4, 4), "{stats:?}");
        assert!(!stats.thin_link_ran(), "{stats:?}");
        assert_eq!(sandbox.read("out.o"), first);
    }
    // Times are not content.
    for object in CHAIN_OBJECTS.split(' ') {
        let content = sandbox.read(object);
        std::fs::remove_file(sandbox.path(object)).unwrap();
        sandbox.write(object, content);
    }
    assert_eq!(sandbox.link(&line("out.o")).memo(), 4);
}

fn a_second_directory_shares_every_backend(sandbox: &Sandbox) {
    chain(sandbox);
    expect(&sandbox.link(&line("out.o")), 4, 0);
    for directory in ["second", "third/deeper"] {
        for object in CHAIN_OBJECTS.split(' ') {
            sandbox.write(Path::new(directory).join(object), sandbox.read(object));
        }
    }
    // The same line: remembered whole.
    let stats = sandbox.stats_of(sandbox.ld(&line("out.o")).dir(sandbox.path("second")));
    assert_eq!((stats.executed(), stats.memo()), (0, 4));
    assert_eq!(sandbox.read("second/out.o"), sandbox.read("out.o"));
    // Another line: every native object is known.
    expect(&sandbox.stats_of(sandbox.ld(&line("other.o")).dir(sandbox.path("third/deeper"))), 0, 4);
    let absolute: String =
        CHAIN_OBJECTS.split(' ').map(|object| format!("{} ", sandbox.path("second").join(object).display())).collect();
    expect(&sandbox.link(&format!("-r {absolute} -o absolute.o")), 0, 4);
    assert_eq!(sandbox.read("absolute.o"), sandbox.read("out.o"));
}

fn neither_jobs_nor_the_surroundings_are_part_of_a_key(sandbox: &Sandbox) {
    chain(sandbox);
    expect(&sandbox.stats_of(sandbox.ld(&line("0.o")).env("THINDIST_JOBS", "1")), 4, 0);
    let elsewhere = sandbox.root("elsewhere");
    sandbox.make_directory(&elsewhere);
    let tools = [
        sandbox.ld(&line("1.o")).env("THINDIST_JOBS", "8").env("THINDIST_SLOTS", "8"),
        sandbox.ld(&line("2.o")).args("--threads=1"),
        sandbox.ld(&line("3.o")).args("--thinlto-jobs=8"),
        sandbox.ld(&line("4.o")).env("TMPDIR", &elsewhere),
        sandbox.ld(&line("5.o")).env("HOME", &elsewhere).env("USER", "somebody").env("LOGNAME", "somebody"),
        sandbox.ld(&line("6.o")).env("LC_ALL", "C.UTF-8").env("SOURCE_DATE_EPOCH", "1").env("PWD", "/"),
        sandbox.ld(&line("7.o")).env("CPATH", &elsewhere).env("CCC_OVERRIDE_OPTIONS", "+-O0"),
        sandbox.ld(&line("8.o")).env("THINDIST_SLOTS_DIR", sandbox.root("other-slots")),
    ];
    for tool in tools {
        expect(&sandbox.stats_of(tool), 0, 4);
    }
    for number in 1..=8 {
        assert_eq!(sandbox.read(format!("{number}.o")), sandbox.read("0.o"), "{number}.o");
    }
}

fn another_compiler_runs_every_backend(sandbox: &Sandbox) {
    chain(sandbox);
    expect(&sandbox.link(&line("out.o")), 4, 0);
    let copy = copy_of_clang(sandbox, "copy");
    // A copy elsewhere is the same compiler.
    expect(&sandbox.stats_of(sandbox.ld(&line("same.o")).env("THINDIST_CLANG", &copy)), 0, 4);
    add_a_byte(&copy);
    expect(&sandbox.stats_of(sandbox.ld(&line("out.o")).env("THINDIST_CLANG", &copy)), 4, 0);
    let script = FakeCompiler::new(sandbox, "script", "exec $real \"$@\"");
    expect(&sandbox.stats_of(sandbox.ld(&line("out.o")).env("THINDIST_CLANG", &script.path)), 4, 0);
    let script = FakeCompiler::new(sandbox, "script", "exec $real \"$@\" # another");
    expect(&sandbox.stats_of(sandbox.ld(&line("out.o")).env("THINDIST_CLANG", &script.path)), 4, 0);
}

/// A copy of clang, which loads the system's libraries.
fn copy_of_clang(sandbox: &Sandbox, directory: &str) -> std::path::PathBuf {
    let real = std::fs::canonicalize(format!("/usr/lib/llvm-{}/bin/clang", sandbox.llvm())).unwrap();
    let copy = sandbox.root(directory).join("clang");
    sandbox.make_directory(sandbox.root(directory));
    std::fs::copy(real, &copy).unwrap();
    copy
}

fn add_a_byte(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes.push(0);
    std::fs::write(path, bytes).unwrap();
}

fn another_compiler_behind_a_wrapper_runs_every_backend(sandbox: &Sandbox) {
    chain(sandbox);
    let (one, two) = (copy_of_clang(sandbox, "one"), copy_of_clang(sandbox, "two"));
    let current = sandbox.root("current");
    std::os::unix::fs::symlink(&one, &current).unwrap();
    let wrapper = FakeCompiler::around(sandbox, "wrapper", &current, "exec $real \"$@\"");
    let link = |output: &str| sandbox.stats_of(sandbox.ld(&line(output)).env("THINDIST_CLANG", &wrapper.path));
    expect(&link("out.o"), 4, 0);
    expect(&link("other.o"), 0, 4);
    // Updated in its place; the wrapper is as it was.
    add_a_byte(&one);
    expect(&link("out.o"), 4, 0);
    // The wrapper leads to another, which has the first one's content, and is then updated, too.
    std::fs::remove_file(&current).unwrap();
    std::os::unix::fs::symlink(&two, &current).unwrap();
    expect(&link("third.o"), 0, 4);
    add_a_byte(&two);
    add_a_byte(&two);
    expect(&link("out.o"), 4, 0);
}

fn a_wrapper_around_nobody_knows_what(sandbox: &Sandbox) {
    chain(sandbox);
    let nowhere = sandbox.root("nowhere");
    for installed in
        ["true", "echo InstalledDir: /usr/bin/nowhere", &format!("echo InstalledDir: {}", nowhere.display())]
    {
        let say = format!("echo clang version {}.0.0; {installed}", sandbox.llvm());
        let body = format!("[ \"$1\" != --version ] || {{ {say}; exit; }}; exec $real \"$@\"");
        let wrapper = FakeCompiler::bare(sandbox, "wrapper", &body);
        sandbox.write("out.o", "as it was");
        let run = sandbox.ld(&line("out.o")).env("THINDIST_CLANG", &wrapper.path).run().exits(1);
        let name = wrapper.path.display().to_string();
        let run = run.says(&name).says("is a wrapper").says("name the compiler itself with THINDIST_CLANG");
        assert_eq!(sandbox.read("out.o"), b"as it was", "{run}");
    }
    assert_eq!(sandbox.action_results(), 0);
}

/// lld does not say where it is installed.
fn a_link_by_a_wrapper_around_lld_is_not_remembered(sandbox: &Sandbox) {
    chain(sandbox);
    let body = format!("exec /usr/bin/ld.lld-{} \"$@\"", sandbox.llvm());
    let wrapper = FakeCompiler::bare(sandbox, "ld.lld-wrapper", &body);
    let link = || sandbox.stats_of(sandbox.ld(&line("out.o")).env("THINDIST_LLD", &wrapper.path));
    expect(&link(), 4, 0);
    expect(&link(), 0, 4);
}

fn a_carried_flag_runs_every_backend(sandbox: &Sandbox) {
    chain(sandbox);
    expect(&sandbox.link(&line("out.o")), 4, 0);
    for flag in ["--lto-O3", "-mllvm -inline-threshold=1", "-plugin-opt=mcpu=x86-64-v3"] {
        expect(&sandbox.link(&format!("{} {flag}", line("out.o"))), 4, 0);
    }
    // One that only lld's own steps see runs none.
    expect(&sandbox.link(&format!("{} --build-id", line("out.o"))), 0, 4);
}

/// The files of the CAS whose content has something to do with `text`.
fn blobs_with(sandbox: &Sandbox, text: &[u8]) -> Vec<std::path::PathBuf> {
    let mut blobs = sandbox.files_below("cache/cas");
    blobs.retain(|path| std::fs::read(path).unwrap().windows(text.len()).any(|part| part == text));
    blobs
}

fn a_corrupted_blob_is_detected_dropped_and_rebuilt(sandbox: &Sandbox) {
    chain(sandbox);
    expect(&sandbox.link(&line("out.o")), 4, 0);
    let good = sandbox.read("out.o");
    // Every blob that has to do with `alone`: its native object, and the link's output.
    for blob in blobs_with(sandbox, b".text.alone") {
        let mut bytes = std::fs::read(&blob).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::remove_file(&blob).unwrap();
        std::fs::write(&blob, bytes).unwrap();
    }
    expect(&sandbox.link(&line("out.o")), 1, 3);
    assert_eq!(sandbox.read("out.o"), good);
    let run = sandbox.tool("thindist").args("cache verify").ok();
    assert!(run.stdout.ends_with(" 0 damaged\n"), "{run}");
}

fn a_corrupted_action_result_is_a_miss(sandbox: &Sandbox) {
    chain(sandbox);
    expect(&sandbox.link(&line("out.o")), 4, 0);
    let results = sandbox.files_below("cache/ac");
    assert_eq!(results.len(), 6, "one for each module, two for the link");
    for (number, result) in results.iter().enumerate() {
        std::fs::write(result, ["", "\u{1}\u{2}garbage"][number % 2]).unwrap();
    }
    expect(&sandbox.link(&line("out.o")), 4, 0);
    expect(&sandbox.link(&line("other.o")), 0, 4);
}

/// A compiler that empties the CAS before its work, if a file of this name is there, which it removes.
fn forgetful(sandbox: &Sandbox, file: &str) -> FakeCompiler {
    let (file, cas) = (sandbox.root(file), sandbox.root("cache/cas"));
    let body = format!("mv {0} {0}.done 2>/dev/null && rm -r {1}/*\nexec $real \"$@\"", file.display(), cas.display());
    FakeCompiler::new(sandbox, "forgetful", &body)
}

fn a_blob_that_vanishes_after_its_look_up_is_a_miss(sandbox: &Sandbox) {
    chain(sandbox);
    let clang = forgetful(sandbox, "forget");
    let link = |output: &str| sandbox.stats_of(sandbox.ld(&line(output)).env("THINDIST_CLANG", &clang.path));
    expect(&link("out.o"), 4, 0);
    edit(sandbox, "alone.c", "int counter; int alone(int x) { return counter -= x; }\n");
    std::fs::write(sandbox.root("forget"), "").unwrap();
    // `alone` because it was edited; the other three have been found, and are gone when they are to be linked.
    expect(&link("out.o"), 4, 0);
    expect(&sandbox.link(&line("other-compilers.o")), 4, 0);
    assert!(sandbox.read("out.o") == sandbox.read("other-compilers.o"), "not the output of a link without gaps");
    expect(&link("other.o"), 0, 4);
    // `verify` reads what it has linked, not what the CAS still has.
    std::fs::write(sandbox.root("forget"), "").unwrap();
    edit(sandbox, "alone.c", "int counter; int alone(int x) { return counter ^= x; }\n");
    sandbox.verify(&line("out.o")).env("THINDIST_CLANG", &clang.path).ok();
}

fn a_cas_that_keeps_nothing_is_an_error(sandbox: &Sandbox) {
    chain(sandbox);
    // One backend at a time. Each but the first waits for the object of the one before: that is stored beside its run.
    let (cas, first) = (sandbox.root("cache/cas"), sandbox.root("first"));
    let body = format!(
        "rm {1} 2>/dev/null || until [ -n \"$(find {0} -type f)\" ]; do :; done\nrm -r {0}/*\nexec $real \"$@\"",
        cas.display(),
        first.display()
    );
    std::fs::write(&first, "").unwrap();
    let clang = FakeCompiler::new(sandbox, "thief", &body);
    sandbox.write("out.o", "as it was");
    let run = sandbox.ld(&line("out.o")).env("THINDIST_CLANG", &clang.path).env("THINDIST_JOBS", "1").run().exits(1);
    let run = run.says("the native object of ").says("from the CAS").says("link again");
    assert_eq!(sandbox.read("out.o"), b"as it was", "{run}");
    assert_eq!(sandbox.temporaries(), Vec::<std::path::PathBuf>::new(), "{run}");
}

fn warnings_of_a_backend_come_again_from_the_cache(sandbox: &Sandbox) {
    chain(sandbox);
    let body = "echo 'warning: module.bc: stack frame size exceeds limit' >&2; echo '1 warning generated.' >&2; exec $real \"$@\"";
    let clang = FakeCompiler::new(sandbox, "warning", body);
    for output in ["out.o", "other.o", "out.o"] {
        let run = sandbox.ld(&line(output)).env("THINDIST_CLANG", &clang.path).ok();
        for object in CHAIN_OBJECTS.split(' ') {
            assert_eq!(run.lines_with(&format!("warning: {object}: stack frame size exceeds limit")), 1, "{run}");
        }
        assert_eq!(run.stderr.lines().count(), 4, "{run}");
    }
}

fn cache_commands(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.link(&line("out.o"));
    let cache = |word: &str| sandbox.tool("thindist").args("cache").args(word);
    assert!(cache("stats").ok().stdout.contains("6  action results"));
    assert!(cache("gc").env("THINDIST_CACHE_SIZE", "1").ok().stdout.contains("kept 0 bytes"));
    expect(&sandbox.link(&line("out.o")), 4, 0);
    cache("clear").ok();
    assert_eq!(sandbox.action_results(), 0);
    expect(&sandbox.link(&line("out.o")), 4, 0);
    cache("frobnicate").run().exits(1).says("usage");
    sandbox.tool("thindist").args("doctor").ok();
}
