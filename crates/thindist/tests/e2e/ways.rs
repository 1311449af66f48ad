//! How lld is driven: which way a link takes, what it leaves for the next one, and what happens on errors.

use crate::bad_input::big_pair;
use crate::on_each_llvm;
use crate::programs::{CHAIN_OBJECTS, chain, edit, row};
use std::path::PathBuf;
use testkit::{FakeEngine, Random, Sandbox, SmallDisk, Stats};

on_each_llvm!(
    a_first_link_is_llds_own_and_is_harvested,
    a_second_directory_finds_what_was_harvested,
    a_client_of_a_shared_cache_finds_what_was_harvested,
    a_leaf_edit_runs_one_backend,
    an_edit_of_what_many_import_is_left_to_import_equivalence,
    content_under_another_name_is_compiled_again,
    files_that_assembly_names_are_in_no_key_of_llds,
    a_private_cache_that_cannot_be_made_costs_nothing_but_time,
    a_private_cache_on_a_full_disk_is_as_none,
    a_line_that_lld_refuses_is_refused_in_its_words_and_nothing_is_stored,
    warnings_of_backends_are_repeated,
    killed_while_lld_links,
    a_way_that_is_forced_and_cannot_do_the_line_says_so,
    an_output_that_the_line_does_not_name_is_llds_to_place,
    under_make_lld_has_no_more_threads_than_make_allows,
    a_line_that_names_its_emulation_decides_the_os_abi,
);

#[track_caller]
fn expect(stats: &Stats, way: &str, executed: usize, local: usize) {
    assert_eq!((stats.way(), stats.executed(), stats.local_cache()), (way, executed, local), "{stats:?}");
}

/// Links as a user does, without the memo of whole links, and expects lld's bytes.
#[track_caller]
fn link(sandbox: &Sandbox, line: &str) -> Stats {
    let stats = sandbox.stats_of(sandbox.auto(&format!("{line} -o ours.o")).env("THINDIST_MEMO", "0"));
    same(sandbox, line);
    stats
}

#[track_caller]
fn same(sandbox: &Sandbox, line: &str) {
    // Maps and messages have the name of the output.
    std::fs::rename(sandbox.path("ours.o"), sandbox.path("mine.o")).unwrap();
    sandbox.lld(&format!("{line} -o ours.o"));
    assert!(sandbox.read("mine.o") == sandbox.read("ours.o"), "other bytes than lld's: {line}");
}

#[track_caller]
fn sound(sandbox: &Sandbox) {
    let report = sandbox.tool("thindist").args("cache verify").ok();
    assert!(report.stdout.ends_with(" 0 damaged\n"), "{report}");
}

const LINE: &str = "-r main.o middle.o alone.o leaf.o";

/// The way of separate backends for a line of the chain.
fn separate(sandbox: &Sandbox) -> &'static str {
    if sandbox.llvm() < 21 { "index-only" } else { "distributor" }
}

fn a_first_link_is_llds_own_and_is_harvested(sandbox: &Sandbox) {
    chain(sandbox);
    expect(&link(sandbox, LINE), "in-process", 4, 0);
    assert_eq!(sandbox.action_results(), 4);
    // Every way has the same keys.
    for way in ["index-only", separate(sandbox)] {
        let forced = sandbox.auto(&format!("{LINE} -o ours.o")).env("THINDIST_MEMO", "0").env("THINDIST_WAY", way);
        expect(&sandbox.stats_of(forced), way, 0, 4);
        same(sandbox, LINE);
    }
    assert_eq!(sandbox.action_results(), 4);
    expect(&link(sandbox, LINE), "in-process", 0, 4);
    sound(sandbox);
}

fn a_second_directory_finds_what_was_harvested(sandbox: &Sandbox) {
    chain(sandbox);
    link(sandbox, LINE);
    sandbox.make_directory(sandbox.path("other"));
    for object in CHAIN_OBJECTS.split(' ') {
        std::fs::copy(sandbox.path(object), sandbox.path("other").join(object)).unwrap();
    }
    let there = sandbox.auto(&format!("{LINE} -o there.o")).dir(sandbox.path("other"));
    expect(&sandbox.stats_of(there), separate(sandbox), 0, 4);
    assert!(sandbox.read("other/there.o") == sandbox.read("ours.o"));
}

fn a_client_of_a_shared_cache_finds_what_was_harvested(sandbox: &Sandbox) {
    chain(sandbox);
    let engine = FakeEngine::start();
    let client = |name: &str| {
        let cache = sandbox.root(format!("cache-{name}"));
        sandbox.make_directory(&cache);
        std::fs::copy(sandbox.root("cache/state.sqlite"), cache.join("state.sqlite")).unwrap();
        let tool = sandbox.auto(&format!("{LINE} -o {name}.o")).env("THINDIST_CACHE_DIR", cache);
        tool.env("THINDIST_REMOTE_CACHE", engine.address())
    };
    let stats = sandbox.stats_of(client("first").env("THINDIST_REMOTE_UPLOAD_LOCAL_RESULTS", "1"));
    expect(&stats, "in-process", 4, 0);
    assert_eq!(engine.size(), (4, 4));
    let stats = sandbox.stats_of(client("second"));
    assert_eq!((stats.executed(), stats.remote_cache() + stats.local_cache()), (0, 4), "{stats:?}");
    assert!(sandbox.read("first.o") == sandbox.read("second.o"));
}

fn a_leaf_edit_runs_one_backend(sandbox: &Sandbox) {
    let line = format!("-r {}", row(sandbox, 12));
    sandbox.compile("-O2 -flto=thin", "alone.c", "int alone(int x) { return x + 1; }");
    let line = format!("{line} alone.o");
    expect(&link(sandbox, &line), "in-process", 13, 0);
    sandbox.compile("-O2 -flto=thin", "alone.c", "int alone(int x) { return x + 2; }");
    expect(&link(sandbox, &line), "in-process", 1, 12);
    // Nobody has stored it: the way is that of the cheapest link. Reverted, lld's cache has the old one.
    sandbox.compile("-O2 -flto=thin", "alone.c", "int alone(int x) { return x + 1; }");
    expect(&link(sandbox, &line), "in-process", 0, 13);
}

/// Of modules as small as these lld compiles hundreds while anything else starts, so they have to be many or slow.
fn an_edit_of_what_many_import_is_left_to_import_equivalence(sandbox: &Sandbox) {
    let slow = |number: usize| {
        let cases: String =
            (0..600).map(|case| format!("case {case}: x = x * {number} + hot(x ^ {case}); break;")).collect();
        format!(
            "int hot(int); int f{number}(int x) {{ for (int i = 0; i < 9; i++) switch (x % 977) {{ {cases} }} return x; }}"
        )
    };
    let objects: Vec<String> = (1..=6).map(|number| format!("f{number}")).collect();
    for (number, name) in (1..).zip(&objects) {
        sandbox.compile("-O2 -flto=thin", &format!("{name}.c"), &slow(number));
    }
    let hot = |more: &str| format!("int hot(int x) {{ return x * 3; }} {more}");
    sandbox.compile("-O2 -flto=thin", "hot.c", &hot(""));
    let line = format!("-r hot.o {}.o", objects.join(".o "));
    expect(&link(sandbox, &line), "in-process", 7, 0);
    sandbox.compile("-O2 -flto=thin", "hot.c", &hot("int nobody(int x) { return x * 99; }"));
    expect(&link(sandbox, &line), separate(sandbox), 1, 6);
}

/// LLVM links imports in the order of their modules' names, and lld's keys hold contents only.
fn content_under_another_name_is_compiled_again(sandbox: &Sandbox) {
    chain(sandbox);
    link(sandbox, LINE);
    for (from, to) in [("middle.o", "x.o"), ("alone.o", "middle.o"), ("x.o", "alone.o")] {
        std::fs::rename(sandbox.path(from), sandbox.path(to)).unwrap();
    }
    let stats = link(sandbox, LINE);
    assert_ne!(stats.way(), "in-process", "{stats:?}");
}

fn files_that_assembly_names_are_in_no_key_of_llds(sandbox: &Sandbox) {
    sandbox.write("data.bin", "one");
    let text =
        "asm(\".section .rodata.d,\\\"a\\\"\\n .incbin \\\"data.bin\\\"\\n .previous\"); int f(int x) { return x; }";
    sandbox.compile("-O2 -flto=thin", "a.c", text);
    sandbox.compile("-O2 -flto=thin", "b.c", "int b(int x) { return x; }");
    link(sandbox, "-r a.o b.o");
    link(sandbox, "-r a.o b.o");
    sandbox.write("data.bin", "two");
    link(sandbox, "-r a.o b.o");
    // With the memo as well.
    for content in ["three", "four"] {
        sandbox.write("data.bin", content);
        sandbox.auto("-r a.o b.o -o ours.o").ok();
        same(sandbox, "-r a.o b.o");
    }
}

/// The files of lld's private caches.
fn private(sandbox: &Sandbox) -> Vec<PathBuf> {
    let is_entry =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("llvmcache-"));
    sandbox.files_below("cache/lld").into_iter().filter(is_entry).collect()
}

fn a_private_cache_that_cannot_be_made_costs_nothing_but_time(sandbox: &Sandbox) {
    chain(sandbox);
    std::fs::write(sandbox.root("cache/lld"), "no directory").unwrap();
    let run = sandbox.auto(&format!("{LINE} -o ours.o")).ok();
    assert_eq!(run.lines_with("thindist: warning: "), 1, "{run}");
    same(sandbox, LINE);
}

fn a_private_cache_on_a_full_disk_is_as_none(sandbox: &Sandbox) {
    big_pair(sandbox);
    let disk = SmallDisk::mount(&sandbox.root("cache/lld"), 64);
    for kib in [64, 128, 100_000] {
        disk.resize(kib);
        let run = sandbox.auto("-r a.o b.o -o ours.o").env("THINDIST_MEMO", "0").ok();
        assert!(run.lines_with("thindist: warning: ") <= 1, "with {kib} KiB: {run}");
        same(sandbox, "-r a.o b.o");
    }
}

fn a_line_that_lld_refuses_is_refused_in_its_words_and_nothing_is_stored(sandbox: &Sandbox) {
    chain(sandbox);
    for line in [
        "main.o middle.o -o none",
        "-r main.o none.o -o none",
        "-r main.o -o",
        "-r main.o main.o -o none",
        "-r main.o -T nothing.t -o none",
    ] {
        let run = sandbox.auto(line).run();
        let lld = sandbox.tool(format!("ld.lld-{}", sandbox.llvm())).args(line).run();
        assert_eq!(
            (run.status, run.stderr.as_str(), run.stdout.as_str()),
            (lld.status, lld.stderr.as_str(), lld.stdout.as_str()),
            "{line}"
        );
        assert!(!run.status.success(), "{line}");
    }
    assert_eq!((sandbox.action_results(), private(sandbox).len()), (0, 0));
}

fn warnings_of_backends_are_repeated(sandbox: &Sandbox) {
    let text = "void use(char *); int large(int x) { char buffer[4000]; use(buffer); return buffer[x]; }";
    sandbox.compile("-O2 -flto=thin -Wframe-larger-than=100", "large.c", text);
    chain(sandbox);
    let line = format!("{LINE} large.o");
    let warnings = |run: &testkit::Run| run.lines_with("stack frame size");
    for round in ["cold", "warm", "warm again"] {
        let run = sandbox.auto(&format!("{line} -o ours.o")).env("THINDIST_MEMO", "0").ok();
        assert_eq!(warnings(&run), 1, "{round}: {run}");
        same(sandbox, &line);
    }
    edit(sandbox, "alone.c", "int alone(int x) { return x - 7; }");
    let run = sandbox.auto(&format!("{line} -o ours.o")).env("THINDIST_MEMO", "0").ok();
    assert_eq!(warnings(&run), 1, "after an edit of another module: {run}");
    sandbox.compile("-O2 -flto=thin -Wframe-larger-than=100", "large.c", "int large(int x) { return x; }");
    let run = sandbox.auto(&format!("{line} -o ours.o")).env("THINDIST_MEMO", "0").ok();
    assert_eq!(warnings(&run), 0, "after it was mended: {run}");
    same(sandbox, &line);
}

/// Of which there are two tests.
const KILLS: usize = 50;

fn killed_while_lld_links(sandbox: &Sandbox) {
    let line = format!("-r {}", row(sandbox, 8));
    let begun = std::time::Instant::now();
    link(sandbox, &line);
    let whole = u64::try_from(begun.elapsed().as_micros()).unwrap();
    let good = sandbox.read("ours.o");
    let mut random = Random(u64::from(sandbox.llvm()) + 7);
    for round in 0..KILLS {
        let _ = std::fs::remove_dir_all(sandbox.root("cache/ac"));
        let _ = std::fs::remove_dir_all(sandbox.root("cache/lld"));
        let seconds = std::time::Duration::from_micros(random.below(whole)).as_secs_f64();
        let timeout = sandbox.tool("timeout").args(&format!("-s KILL {seconds} ld.thindist {line} -o ours.o"));
        timeout.without_env("THINDIST_WAY").without_env("THINDIST_UNLISTED").env("THINDIST_MEMO", "0").run();
        sandbox.auto(&format!("{line} -o ours.o")).env("THINDIST_MEMO", "0").ok();
        assert!(sandbox.read("ours.o") == good, "round {round}: another output after the kill");
        if round % 10 == 9 {
            sound(sandbox);
        }
    }
}

fn a_way_that_is_forced_and_cannot_do_the_line_says_so(sandbox: &Sandbox) {
    chain(sandbox);
    let forced = || sandbox.auto(&format!("{LINE} -Map=map -o ours.o")).env("THINDIST_WAY", "index-only");
    forced().ok().says("thindist: warning: ").says("linking in-process");
    let run = forced().env("THINDIST_FALLBACK", "never").run().exits(1);
    run.says("thindist: error: ").says("-Map=map");
}

/// With a private output the distributor's lld would write a file called `-`, and overrule the script.
fn an_output_that_the_line_does_not_name_is_llds_to_place(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.write("named.lds", "OUTPUT(named)");
    for way in ["auto", "distributor"] {
        let link = |line: &str| sandbox.auto(line).env("THINDIST_MEMO", "0").env("THINDIST_WAY", way);
        let _ = std::fs::remove_file(sandbox.path("named"));
        link("-r main.o middle.o alone.o leaf.o -T named.lds").ok();
        assert!(sandbox.path("named").exists() && !sandbox.path("a.out").exists(), "{way}");
        let run = link("-r main.o middle.o alone.o leaf.o -o -").ok();
        assert!(run.stdout.contains("ELF") && !sandbox.path("-").exists(), "{way}");
    }
}

/// CMake since 3.27 asks for one in every link.
#[test]
fn a_dependency_file_is_that_of_lld() {
    for llvm in [19, 22] {
        let sandbox = crate::sandbox(llvm);
        chain(&sandbox);
        sandbox.ar("crs rest.a middle.o alone.o");
        std::fs::rename(sandbox.path("rest.a"), sandbox.path("re st#.a")).unwrap();
        let line = |tool: testkit::Tool| {
            let tool = tool.args("-e main main.o leaf.o --unresolved-symbols=ignore-all --dependency-file=link.d");
            tool.arg("re st#.a").arg("-o").arg("o ut$#")
        };
        let link = |tool: testkit::Tool| {
            let run = line(tool).ok();
            (run.stdout, run.stderr, sandbox.read("link.d"), sandbox.read("o ut$#"))
        };
        let by_lld = link(sandbox.tool(format!("ld.lld-{llvm}")));
        assert!(String::from_utf8_lossy(&by_lld.2).contains("re\\ st\\#.a"), "lld escapes names");
        for way in if llvm == 22 { &["auto", "in-process", "distributor"][..] } else { &["auto", "in-process"] } {
            let _ = std::fs::remove_dir_all(sandbox.root("cache"));
            for _ in 0..2 {
                let ours = sandbox.auto("").env("THINDIST_WAY", way).env("THINDIST_FALLBACK", "never");
                assert!(link(ours.env("THINDIST_MEMO", "0")) == by_lld, "LLVM {llvm}, {way}");
            }
        }
        // lld writes it before it misses a symbol.
        sandbox.compile("-O2 -flto=thin", "misses.c", "int none(void); int misses(void) { return none(); }");
        for way in if llvm == 22 { &["in-process", "distributor"][..] } else { &["in-process"] } {
            let fail = |tool: testkit::Tool| {
                let _ = std::fs::remove_file(sandbox.path("missed.d"));
                tool.args("-e main main.o leaf.o middle.o alone.o misses.o -o missed --dependency-file=missed.d")
                    .run()
                    .exits(1);
                std::fs::read(sandbox.path("missed.d")).ok()
            };
            let by_lld = fail(sandbox.tool(format!("ld.lld-{llvm}")));
            assert!(fail(sandbox.auto("").env("THINDIST_WAY", way)) == by_lld, "LLVM {llvm}, {way}");
        }
        // Index-only and steps have a final link of their own.
        let index_only = sandbox.auto("").env("THINDIST_WAY", "index-only").env("THINDIST_FALLBACK", "never");
        line(index_only).run().exits(1).says("thindist: error: ");
    }
}

/// Of a distributor's lld: objects are in a directory of ours, and members of archives are unpacked there.
#[test]
fn what_lld_shows_has_the_names_of_in_process() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    sandbox.ar("crs rest.a middle.o alone.o");
    sandbox.compile("-O2", "native.c", "int leaf(int); int native(int x) { return leaf(x); }");
    let line = "-e main main.o rest.a leaf.o native.o --gc-sections --unresolved-symbols=ignore-all -o out";
    for shown in [
        "-Map=report",
        "--cref",
        "--print-map --cref",
        "--print-gc-sections",
        "--print-gc-sections=report",
        "--why-extract=report",
        "--print-archive-stats=report",
        "--trace",
        "-y leaf",
        "--verbose",
    ] {
        let link = |tool: testkit::Tool| {
            let run = tool.args(&format!("{line} {shown}")).ok();
            let report = std::fs::read(sandbox.path("report")).ok();
            let _ = std::fs::remove_file(sandbox.path("report"));
            (run.stdout, run.stderr, report, sandbox.read("out"))
        };
        let by_lld = link(sandbox.tool("ld.lld-22"));
        let cold = sandbox.root("cache");
        let _ = std::fs::remove_dir_all(cold);
        for _ in 0..2 {
            let ours = sandbox.auto("").env("THINDIST_WAY", "distributor").env("THINDIST_FALLBACK", "never");
            assert!(link(ours.env("THINDIST_MEMO", "0")) == by_lld, "{shown}");
        }
    }
    // A place of the cache as people write it.
    let line = format!("{line} -Map=report");
    sandbox.lld(&line);
    let by_lld = sandbox.read("report");
    let unclean = format!("{}/../cache//x", sandbox.root("home").display());
    sandbox.auto(&line).env("THINDIST_WAY", "distributor").env("THINDIST_CACHE_DIR", unclean).ok();
    assert!(sandbox.read("report") == by_lld);
    // In-process has the archive's name in that of the object, and here it is the member's file.
    sandbox.ar("crsT thin.a middle.o alone.o");
    let line = "-r main.o --whole-archive thin.a --no-whole-archive leaf.o -o out -Map=report";
    let forced = || sandbox.auto(line).env("THINDIST_WAY", "distributor");
    forced().ok().says("names other objects").says("linking in-process");
    forced().env("THINDIST_FALLBACK", "never").run().exits(1).says("names other objects");
}

/// The backends are right for them; an index-only final link has another OS/ABI.
#[test]
fn systems_beside_linux_are_carried_by_a_distributor() {
    let sandbox = crate::sandbox(22);
    for target in [
        "x86_64-unknown-freebsd",
        "aarch64-unknown-freebsd",
        "x86_64-unknown-netbsd",
        "x86_64-unknown-openbsd",
        "x86_64-unknown-fuchsia",
        "x86_64-unknown-haiku",
        "x86_64-unknown-hermit",
        "x86_64-scei-ps4",
        "x86_64-sie-ps5",
        "aarch64_be-unknown-linux-gnu",
    ] {
        let flags = format!("--target={target} -O2 -g -flto=thin -ffreestanding -fno-emulated-tls");
        sandbox.compile(&flags, "f.c", "_Thread_local int own; int g(int); int f(int x) { return own++ + g(x); }");
        sandbox.compile(&flags, "g.c", "int counter; int g(int x) { return x * 7 + ++counter; }");
        sandbox.lld("-r f.o g.o -o out.o");
        let by_lld = sandbox.read("out.o");
        let ours = sandbox.auto("-r f.o g.o -o out.o").env("THINDIST_WAY", "distributor");
        let stats = sandbox.stats_of(ours.env("THINDIST_FALLBACK", "never"));
        assert_eq!((stats.executed(), stats.way()), (2, "distributor"), "{target}: {stats:?}");
        assert!(sandbox.read("out.o") == by_lld, "{target}");
    }
}

/// Every kernel has an object with one, by a symbol that is retained, and Kbuild's links name the emulation.
fn a_line_that_names_its_emulation_decides_the_os_abi(sandbox: &Sandbox) {
    chain(sandbox);
    let kept = "__attribute__((used, retain)) static int kept; int keeps(void) { return ++kept; }";
    sandbox.compile("-O2 -flto=thin", "kept.c", kept);
    let forced = |line: &str| {
        let ours = sandbox.auto(&format!("{line} -o ours.o")).env("THINDIST_WAY", "index-only");
        ours.env("THINDIST_MEMO", "0").env("THINDIST_FALLBACK", "never")
    };
    for emulation in ["-m elf_x86_64", "-melf_x86_64_fbsd"] {
        let line = format!("{emulation} {LINE} kept.o");
        let stats = sandbox.stats_of(forced(&line));
        assert_eq!(stats.way(), "index-only", "{emulation}: {stats:?}");
        same(sandbox, &line);
    }
    forced(&format!("{LINE} kept.o")).run().exits(1).says("an object has an OS/ABI");
}

/// What lld is told, as a wrapper around it hears.
fn under_make_lld_has_no_more_threads_than_make_allows(sandbox: &Sandbox) {
    chain(sandbox);
    let log = sandbox.root("heard");
    let lld = sandbox.lld_behind("heard", &format!("echo \"$*\" >> {}", log.display()));
    sandbox.write("Makefile", format!("all:\n\t+ld.thindist {LINE} -o ours.o\n"));
    let make = sandbox.tool("make").args("-j1").without_env("THINDIST_WAY").env("THINDIST_LLD", &lld);
    make.env("THINDIST_CLANG", format!("/usr/bin/clang-{}", sandbox.llvm())).ok();
    let heard = std::fs::read_to_string(&log).unwrap();
    assert!(heard.lines().any(|line| line.contains("--thinlto-jobs=1 ")), "{heard}");
    assert!(!heard.contains("--thinlto-jobs=2"), "{heard}");
}

/// To plan and store them would take longer than to compile them; lld's files are made in memory and then kept.
#[test]
fn many_small_modules_stay_in_llds_cache() {
    let sandbox = crate::sandbox(22);
    let objects = crate::programs::row(&sandbox, 201);
    let line = format!("-r {objects} -o ours.o");
    let stats = sandbox.stats_of(sandbox.auto(&line).env("THINDIST_MEMO", "0"));
    assert_eq!((stats.way(), stats.executed(), sandbox.action_results()), ("in-process", 201, 0), "{stats:?}");
    assert_eq!(private(&sandbox).len(), 201);
    assert_eq!(sandbox.temporaries(), Vec::<PathBuf>::new());
    sandbox.compile("-O2 -flto=thin", "m7.c", "int f8(int); int f7(int x) { return f8(x) * 3; }\n");
    let stats = sandbox.stats_of(sandbox.auto(&line).env("THINDIST_MEMO", "0"));
    assert!((1..=20).contains(&stats.executed()), "{stats:?}");
    let ours = sandbox.read("ours.o");
    sandbox.lld(&line);
    assert!(sandbox.read("ours.o") == ours);
}
