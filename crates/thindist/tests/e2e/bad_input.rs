//! Bad input: the message names the file and says what to do, the output is unchanged, nothing is stored.

use crate::on_each_llvm;
use crate::programs::pair;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use testkit::{FakeCompiler, Random, Run, Sandbox, SmallDisk, Tool};

on_each_llvm!(
    truncated_bitcode,
    damaged_bitcode_is_never_a_crash,
    a_damaged_archive,
    an_archive_that_is_cut_off_anywhere,
    a_thin_archive_within_a_thin_archive,
    ten_thousand_inputs,
    names_that_are_as_long_as_can_be,
    lld_and_clang_of_different_majors,
    no_clang,
    a_module_for_another_target,
    archive_members_whose_names_climb_out,
    inputs_that_cannot_be_read,
    a_full_disk_in_the_cache,
    a_full_disk_in_the_output_directory,
    a_full_scratch_directory_costs_a_second_try,
    a_wrapper_that_puts_words_in_front,
    a_compiler_killed_by_a_signal,
    a_compiler_on_a_full_disk,
    tools_that_are_not_there,
    an_output_that_cannot_be_written,
    settings_that_make_no_sense,
);

const LINE: &str = "-r a.o b.o -o out.o";

/// Expects a refusal that says each of `words` and leaves no trace.
#[track_caller]
fn refused(sandbox: &Sandbox, tool: Tool, words: &[&str]) -> Run {
    sandbox.write("out.o", "as it was");
    let results = sandbox.action_results();
    let mut run = tool.run().exits(1);
    for word in words {
        run = run.says(word);
    }
    assert!(run.stderr.contains("thindist: hint: "), "it does not say what to do:\n{run}");
    assert_eq!(sandbox.read("out.o"), b"as it was", "the output was touched");
    assert_eq!(sandbox.action_results(), results, "something was stored:\n{run}");
    assert_eq!(sandbox.temporaries(), Vec::<PathBuf>::new(), "temporaries were left");
    run
}

fn truncated_bitcode(sandbox: &Sandbox) {
    pair(sandbox);
    let whole = sandbox.read("b.o");
    for length in [8, 100, whole.len() / 2, whole.len() - 4] {
        sandbox.write("b.o", &whole[..length]);
        refused(sandbox, sandbox.ld(LINE), &["b.o", "compile it again"]);
    }
    sandbox.write("b.o", [&whole[..64], &[0xff; 1000]].concat());
    refused(sandbox, sandbox.ld(LINE), &["b.o"]);
}

/// Whatever thindist does not notice lld or clang does; but nobody crashes into a half-written output.
fn damaged_bitcode_is_never_a_crash(sandbox: &Sandbox) {
    pair(sandbox);
    let whole = sandbox.read("b.o");
    let mut random = Random(u64::from(sandbox.llvm()));
    for _ in 0..8 {
        let mut bytes = whole.clone();
        for _ in 0..3 {
            let place = usize::try_from(random.below(bytes.len() as u64)).unwrap();
            bytes[place] ^= 1 << random.below(8);
        }
        sandbox.write("b.o", bytes);
        sandbox.write("out.o", "as it was");
        let run = sandbox.ld(LINE).run();
        match run.status.code() {
            Some(0) => {}
            Some(1) => assert_eq!(sandbox.read("out.o"), b"as it was", "{run}"),
            _ => panic!("{run}"),
        }
        assert!(!run.stderr.contains("panicked"), "{run}");
        assert_eq!(sandbox.temporaries(), Vec::<PathBuf>::new(), "{run}");
    }
}

fn a_damaged_archive(sandbox: &Sandbox) {
    pair(sandbox);
    sandbox.ar("crs lib.a b.o");
    let mut bytes = sandbox.read("lib.a");
    bytes.truncate(bytes.len() - 100);
    sandbox.write("lib.a", bytes);
    refused(sandbox, sandbox.ld("-r a.o --whole-archive lib.a -o out.o"), &["lib.a", "make it again"]);
    sandbox.ar("crsT thin.a b.o");
    fs::remove_file(sandbox.path("b.o")).unwrap();
    refused(sandbox, sandbox.ld("-r a.o thin.a -o out.o"), &["b.o", "thin.a", "make the archive again"]);
    // The archive has moved, its member has not.
    sandbox.compile("-O2 -flto=thin", "b.c", "int b;");
    sandbox.make_directory(sandbox.path("elsewhere"));
    fs::rename(sandbox.path("thin.a"), sandbox.path("elsewhere/thin.a")).unwrap();
    let line = "-r a.o elsewhere/thin.a -o out.o";
    refused(sandbox, sandbox.ld(line), &["elsewhere/b.o", "elsewhere/thin.a", "make the archive again"]);
}

/// In the table of symbols, in that of names, in a header, in a member.
fn an_archive_that_is_cut_off_anywhere(sandbox: &Sandbox) {
    pair(sandbox);
    let long = "an_object_with_a_name_of_more_than_sixteen_letters.o";
    fs::copy(sandbox.path("b.o"), sandbox.path(long)).unwrap();
    sandbox.ar(&format!("crs whole.a {long}"));
    let whole = sandbox.read("whole.a");
    let find = |text: &[u8]| whole.windows(text.len()).position(|part| part == text).unwrap();
    let (names, member) = (find(b"//  "), find(b"/0  "));
    assert!(8 < names && names < member, "the archive is not as expected");
    for length in [9, 67, 70, names - 1, names + 30, names + 62, member - 1, member + 59, member + 61, whole.len() - 1]
    {
        sandbox.write("cut.a", &whole[..length]);
        refused(sandbox, sandbox.ld("-r a.o --whole-archive cut.a -o out.o"), &["cut.a", "make it again"]);
    }
}

/// As GNU's `ar` makes it: names of the inner archive with the members' places in it.
fn a_thin_archive_within_a_thin_archive(sandbox: &Sandbox) {
    pair(sandbox);
    sandbox.ar("crs inner.a b.o");
    let header = |name: &str, size: usize| format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644);
    let names = "inner.a/\n\n";
    let member = header("/0:8", sandbox.read("b.o").len());
    sandbox.write("outer.a", format!("!<thin>\n{}{names}{member}", header("//", names.len())));
    let line = "-r a.o --whole-archive outer.a -o out.o";
    let ours = sandbox.ld(line).run();
    let theirs = sandbox.tool(format!("ld.lld-{}", sandbox.llvm())).args(line).run();
    // Whatever lld makes of it.
    assert_eq!(ours.status, theirs.status, "{ours}\n{theirs}");
    assert_eq!(ours.lines_with("thindist: warning: outer.a cannot be carried"), 1, "{ours}");
}

fn ten_thousand_inputs(sandbox: &Sandbox) {
    pair(sandbox);
    sandbox.compile("-O2", "native.c", "__attribute__((used)) static int local = 5;");
    sandbox.make_directory(sandbox.path("many"));
    let name = |number: usize| format!("many/native-{number}.o");
    (0..9_998).for_each(|number| fs::hard_link(sandbox.path("native.o"), sandbox.path(name(number))).unwrap());
    let names: Vec<String> = (0..9_998).map(name).collect();
    sandbox.write("line.rsp", format!("-r {} a.o b.o", names.join("\n")));
    let stats = sandbox.link("@line.rsp -o ours");
    assert_eq!((stats.modules, stats.executed()), (2, 2));
    sandbox.lld("@line.rsp -o theirs");
    assert!(sandbox.read("ours") == sandbox.read("theirs"));
    assert_eq!(sandbox.link("@line.rsp -o ours").memo(), 2);
}

/// In-process makes no files of modules' names.
fn names_that_are_as_long_as_can_be(sandbox: &Sandbox) {
    pair(sandbox);
    let path = |length: usize| format!("{}b.o", "./".repeat((length - 3) / 2));
    let component = format!("{}.o", "b".repeat(253));
    fs::copy(sandbox.path("b.o"), sandbox.path(&component)).unwrap();
    for name in [path(4_081), component] {
        let run = sandbox.ld(&format!("-r a.o {name} -o ours")).ok();
        assert_eq!(run.lines_with("the name is too long"), 1, "{run}");
        sandbox.lld(&format!("-r a.o {name} -o theirs"));
        assert!(sandbox.read("ours") == sandbox.read("theirs"));
    }
    let name = path(4_097);
    refused(sandbox, sandbox.ld(&format!("-r a.o {name} -o out.o")), &[&name, "File name too long"]);
}

#[test]
fn bitcode_of_a_newer_llvm() {
    let sandbox = crate::sandbox(19);
    pair(&sandbox);
    sandbox.tool("clang-22").args("-O2 -flto=thin -c b.c -o b.o").ok();
    refused(&sandbox, sandbox.ld(LINE), &["b.o", "LLVM 22", "LLVM 19", "THINDIST_LLD=ld.lld-22"]);
    sandbox.ar("crs lib.a b.o");
    refused(&sandbox, sandbox.ld("-r a.o lib.a -o out.o"), &["lib.a(b.o at", "LLVM 22"]);
}

fn lld_and_clang_of_different_majors(sandbox: &Sandbox) {
    pair(sandbox);
    let other = if sandbox.llvm() == 19 { "clang-22" } else { "clang-19" };
    let (ours, theirs) = (format!("LLVM {}", sandbox.llvm()), format!("LLVM {}", &other[6..]));
    refused(
        sandbox,
        sandbox.ld(LINE).env("THINDIST_CLANG", other),
        &[other, "ld.lld", &ours, &theirs, "THINDIST_CLANG"],
    );
}

fn no_clang(sandbox: &Sandbox) {
    pair(sandbox);
    let alone = sandbox.root("alone");
    sandbox.make_directory(&alone);
    let lld = alone.join(format!("ld.lld-{}", sandbox.llvm()));
    fs::copy(format!("/usr/lib/llvm-{}/bin/lld", sandbox.llvm()), &lld).unwrap();
    let tool = sandbox.ld(LINE).env("THINDIST_LLD", &lld).env("PATH", &alone);
    let package = format!("install clang-{}", sandbox.llvm());
    refused(sandbox, tool, &["no clang", &lld.display().to_string(), &package, "THINDIST_CLANG"]);
}

fn a_module_for_another_target(sandbox: &Sandbox) {
    pair(sandbox);
    sandbox.clang("--target=aarch64-linux-gnu -O2 -flto=thin -c b.c -o b.o");
    refused(sandbox, sandbox.ld(LINE), &["b.o", "aarch64", "x86_64"]);
    // One architecture, another triple.
    sandbox.clang("--target=x86_64-unknown-freebsd -O2 -flto=thin -c b.c -o b.o");
    refused(sandbox, sandbox.ld(LINE), &["b.o", "freebsd"]);
}

/// An archive with one member under this name, as `ar` would not make it.
fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let names = format!("{name}/\n");
    let padded = format!("{names}{}", if names.len() % 2 == 1 { "\n" } else { "" });
    let header = |name: &str, size: usize| format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644);
    let mut bytes =
        format!("!<arch>\n{}{padded}{}", header("//", padded.len()), header("/0", content.len())).into_bytes();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(2), b'\n');
    bytes
}

fn archive_members_whose_names_climb_out(sandbox: &Sandbox) {
    pair(sandbox);
    for name in ["../../x", "/x", "/../x", "down/../../x"] {
        sandbox.write("odd.a", archive(name, &sandbox.read("b.o")));
        refused(sandbox, sandbox.ld("-r a.o --whole-archive odd.a -o out.o"), &["odd.a", &format!("`{name}`")]);
        // Native members' names lead nowhere either.
        sandbox.compile("-O2", "native.c", "int native;");
        sandbox.write("odd.a", archive(name, &sandbox.read("native.o")));
        refused(sandbox, sandbox.ld("-r a.o b.o --whole-archive odd.a -o out.o"), &["odd.a", &format!("`{name}`")]);
    }
    let stray: Vec<_> = sandbox.files_below("").into_iter().filter(|path| path.ends_with("x")).collect();
    assert_eq!(stray, Vec::<PathBuf>::new());
}

fn inputs_that_cannot_be_read(sandbox: &Sandbox) {
    pair(sandbox);
    refused(sandbox, sandbox.ld("-r a.o missing.o -o out.o"), &["missing.o", "No such file"]);
    refused(sandbox, sandbox.ld("-r a.o b.o -lmissing -o out.o"), &["-lmissing"]);
    refused(sandbox, sandbox.ld("-r a.o b.o -T missing.lds -o out.o"), &["missing.lds"]);
    sandbox.make_directory(sandbox.path("directory.o"));
    refused(sandbox, sandbox.ld("-r a.o directory.o -o out.o"), &["directory.o", "s a directory"]);
    unreadable(sandbox);
}

/// As another user: what root may not read does not exist.
fn unreadable(sandbox: &Sandbox) {
    for (path, mode) in [("", 0o777), ("work", 0o777), ("work/b.o", 0o600), ("tmp", 0o777), ("home", 0o777)] {
        fs::set_permissions(sandbox.root(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    let program = sandbox.root("thindist-copy");
    fs::copy(fs::canonicalize(sandbox.root("bin/thindist")).unwrap(), &program).unwrap();
    let tool = sandbox.tool("setpriv").args("--reuid=65534 --regid=65534 --clear-groups").arg(&program).args("ld --");
    let tool = tool.args(LINE).env("THINDIST_CACHE_DIR", sandbox.root("home/cache"));
    refused(sandbox, tool, &["b.o", "Permission denied", "permissions"]);
}

/// From a file system that holds nothing at all to one that nearly suffices: an error that names a file on it, until
/// there is room enough.
fn a_full_disk_in_the_cache(sandbox: &Sandbox) {
    big_pair(sandbox);
    let cache = sandbox.root("disk");
    let disk = SmallDisk::mount(&cache, 16);
    let tool = || sandbox.ld(LINE).env("THINDIST_CACHE_DIR", &cache);
    let mut failures = 0;
    for kib in [16, 64, 128, 256, 400, 600, 800, 1200, 1600, 100_000] {
        disk.resize(kib);
        sandbox.write("out.o", "as it was");
        let run = tool().run();
        if run.status.success() {
            continue;
        }
        failures += 1;
        let run = run.exits(1);
        assert_eq!(sandbox.read("out.o"), b"as it was", "with {kib} KiB: {run}");
        let says_why = ["No space left", "SIGBUS"].iter().any(|why| run.stderr.contains(why));
        assert!(says_why, "with {kib} KiB it does not say why: {run}");
        assert!(run.stderr.contains("free some space"), "with {kib} KiB it does not say what to do: {run}");
        assert_eq!(sandbox.files_below("disk/tmp"), Vec::<PathBuf>::new(), "with {kib} KiB: {run}");
    }
    assert!(failures >= 3, "the file system was never full");
    tool().ok();
    assert!(sandbox.read("out.o").len() > 300_000);
    sandbox.tool("thindist").args("cache verify").env("THINDIST_CACHE_DIR", &cache).ok();
}

/// Native objects and an output of 300 KB.
pub(crate) fn big_pair(sandbox: &Sandbox) {
    sandbox.write("big.bin", vec![7; 300_000]);
    sandbox.bitcode(&[
        ("a.c", "__asm__(\".pushsection .big,\\\"a\\\"\\n.incbin \\\"big.bin\\\"\\n.popsection\"); int a;"),
        ("b.c", "int b;"),
    ]);
}

fn a_full_disk_in_the_output_directory(sandbox: &Sandbox) {
    big_pair(sandbox);
    let small = sandbox.path("small");
    let _disk = SmallDisk::mount(&small, 64);
    let line = "-r a.o b.o -o small/out.o";
    // First from a link, then out of the memo.
    sandbox.link("-r a.o b.o -o out.o");
    for before in [None, Some("as it was")] {
        if let Some(text) = before {
            sandbox.write("small/out.o", text);
        }
        let run = sandbox.ld(line).run().exits(1).says("small/out.o").says("No space left").says("free some space");
        assert_eq!(fs::read(small.join("out.o")).ok().as_deref(), before.map(str::as_bytes), "{run}");
        let left: Vec<_> =
            sandbox.files_below("work/small").into_iter().filter(|path| !path.ends_with("out.o")).collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "{run}");
        assert_eq!(sandbox.temporaries(), Vec::<PathBuf>::new(), "{run}");
    }
}

/// What is short-lived is in memory, and when that is full, on disk.
fn a_full_scratch_directory_costs_a_second_try(sandbox: &Sandbox) {
    big_pair(sandbox);
    sandbox.link(LINE);
    let expect = sandbox.read("out.o");
    let scratch = sandbox.root("small-scratch");
    let disk = SmallDisk::mount(&scratch, 8);
    for way in ["index-only", "distributor"] {
        for kib in [8, 12, 16, 64, 300, 700] {
            disk.resize(kib);
            sandbox.write("out.o", "as it was");
            let tool = sandbox.auto(LINE).env("THINDIST_WAY", way).env("THINDIST_MEMO", "0");
            let run = tool.env("THINDIST_SCRATCH_DIR", &scratch).ok();
            assert!(sandbox.read("out.o") == expect, "{way} with {kib} KiB: {run}");
            assert_eq!(sandbox.files_below("small-scratch"), Vec::<PathBuf>::new(), "{way} with {kib} KiB: {run}");
        }
    }
}

fn a_wrapper_that_puts_words_in_front(sandbox: &Sandbox) {
    pair(sandbox);
    let clang = FakeCompiler::new(sandbox, "wrapper", "exec $real -Wall \"$@\"");
    refused(sandbox, sandbox.ld(LINE).env("THINDIST_CLANG", &clang.path), &["-cc1", "name clang itself"]);
}

fn a_compiler_killed_by_a_signal(sandbox: &Sandbox) {
    pair(sandbox);
    for (signal, name) in [("KILL", "SIGKILL"), ("SEGV", "SIGSEGV"), ("ABRT", "SIGABRT")] {
        let clang = FakeCompiler::new(sandbox, "killed", &format!("kill -{signal} $$; exec $real \"$@\""));
        refused(sandbox, sandbox.ld(LINE).env("THINDIST_CLANG", &clang.path), &["the backend of ", ".o failed", name]);
    }
}

/// However it ends.
fn a_compiler_on_a_full_disk(sandbox: &Sandbox) {
    pair(sandbox);
    for end in ["exit 1", "exit 70", "kill -SEGV $$", "kill -ABRT $$", ": > $out"] {
        let body = format!("echo 'LLVM ERROR: IO failure on output stream: No space left on device' >&2; {end}");
        let clang = FakeCompiler::new(sandbox, "full", &body);
        refused(sandbox, sandbox.ld(LINE).env("THINDIST_CLANG", &clang.path), &["No space left", "free some space"]);
    }
}

fn tools_that_are_not_there(sandbox: &Sandbox) {
    pair(sandbox);
    refused(sandbox, sandbox.ld(LINE).env("THINDIST_LLD", "/no/ld.lld"), &["/no/ld.lld", "THINDIST_LLD"]);
    refused(sandbox, sandbox.ld(LINE).env("THINDIST_CLANG", "no-clang"), &["no-clang", "THINDIST_CLANG"]);
    refused(
        sandbox,
        sandbox.ld(LINE).without_env("THINDIST_LLD").env("PATH", "/nowhere"),
        &["no ld.lld", "THINDIST_LLD"],
    );
    // Not an lld at all.
    refused(sandbox, sandbox.ld(LINE).env("THINDIST_LLD", "/bin/true"), &["/bin/true", "THINDIST_LLD"]);
}

fn an_output_that_cannot_be_written(sandbox: &Sandbox) {
    pair(sandbox);
    sandbox.ld("-r a.o b.o -o nowhere/out.o").run().exits(1).says("nowhere/out.o");
    sandbox.make_directory(sandbox.path("directory"));
    sandbox.ld("-r a.o b.o -o directory").run().exits(1).says("directory");
    assert_eq!(sandbox.temporaries(), Vec::<PathBuf>::new());
}

fn settings_that_make_no_sense(sandbox: &Sandbox) {
    pair(sandbox);
    let cases = [
        ("THINDIST_JOBS", "many"),
        ("THINDIST_JOBS", "0"),
        ("THINDIST_SLOTS", "-1"),
        ("THINDIST_CACHE_SIZE", "big"),
        ("THINDIST_FALLBACK", "perhaps"),
        ("THINDIST_SLOTS", "0"),
    ];
    for (name, value) in cases {
        sandbox.write("out.o", "as it was");
        sandbox.ld(LINE).env(name, value).run().exits(1).says(&format!("{name}={value}")).says("expected");
        assert_eq!(sandbox.read("out.o"), b"as it was", "{name}={value}");
    }
    // Figures that cannot be written are no reason for a link to fail whose output is in its place.
    sandbox.ld(LINE).env("THINDIST_STATS", "nowhere/stats").ok().says("warning: cannot write nowhere/stats");
    sandbox.write("thindist.toml", "frobnicate = 1\n");
    refused(sandbox, sandbox.ld(LINE), &["thindist.toml", "frobnicate", "help settings"]);
    sandbox.write("thindist.toml", "cache-dir = \"x\"\n");
    refused(sandbox, sandbox.ld(LINE), &["unknown setting `cache-dir`", "did you mean `cache_dir`?"]);
    sandbox.write("thindist.toml", "jobs = [3]\n");
    sandbox.ld(LINE).run().exits(1).says("thindist.toml: jobs = [3]: expected text, a number");
    sandbox.write("thindist.toml", "");
    // A variable may be another version's.
    let run = sandbox.ld(LINE).env("THINDIST_JOSB", "3").ok();
    assert_eq!(run.lines_with("THINDIST_JOSB is no setting; did you mean THINDIST_JOBS?"), 1, "{run}");
    sandbox.ld("--thindist-josb=3 -r a.o b.o -o out.o").run().exits(1).says("--thindist-josb").says("`jobs`");
}
