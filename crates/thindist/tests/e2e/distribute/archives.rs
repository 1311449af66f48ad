//! Modules that are not files of their own, and names that are hard to carry.

use super::{distributor, dtlto, left_behind, same_as_in_process, sandbox};
use crate::programs::chain;
use std::path::PathBuf;

#[test]
fn archives_of_both_kinds_give_in_process_bytes() {
    let sandbox = sandbox();
    chain(&sandbox);
    sandbox.make_directory(sandbox.path("lib"));
    sandbox.ar("crs lib/regular.a leaf.o alone.o middle.o");
    sandbox.ar("crsT lib/thin.a leaf.o alone.o middle.o");
    assert_eq!(same_as_in_process(&sandbox, "-shared main.o --whole-archive lib/regular.a"), 4);
    same_as_in_process(&sandbox, "-shared main.o -Llib -l:thin.a --undefined=alone");
    same_as_in_process(&sandbox, "-shared main.o --whole-archive lib/thin.a");
    same_as_in_process(&sandbox, "-r --start-lib leaf.o middle.o --end-lib main.o");
    assert_eq!(left_behind(&sandbox), Vec::<PathBuf>::new());
}

/// Imports are linked in the order of identifiers, which DTLTO changes: here `z.o` is the second of the two in-process.
#[test]
fn the_order_of_imports_is_in_process() {
    let sandbox = sandbox();
    let source = |name: &str, constant: usize| {
        format!(
            "static int v_{name}[2]; __attribute__((noinline)) int *{name}(int x) {{ v_{name}[0] += x * {constant}; return v_{name}; }}\nint *call_{name}(int x) {{ return {name}(x); }}\n"
        )
    };
    sandbox.make_directory(sandbox.path("z"));
    sandbox.compile("-O2 -flto=thin -fPIC", "z/first.c", &source("first", 3));
    sandbox.compile("-O2 -flto=thin -fPIC", "m.c", &source("second", 5));
    sandbox.compile(
        "-O2 -flto=thin -fPIC",
        "main.c",
        "int *call_first(int), *call_second(int); int go(int x) { return *call_second(x) + *call_first(x + 1); }\n",
    );
    sandbox.ar("crsT all.a z/first.o m.o");
    same_as_in_process(&sandbox, "-r main.o --whole-archive all.a");
    let stats = sandbox.stats_of(sandbox.ld("-r main.o --whole-archive all.a -o out").env("THINDIST_MEMO", "0"));
    assert_eq!((stats.executed(), stats.local_cache()), (0, 3), "{stats:?}");
    sandbox.stats_of(dtlto(
        &sandbox,
        "-r main.o --whole-archive all.a -o out --thinlto-distributor-arg=--thindist-verify",
    ));
}

#[test]
fn members_of_one_name() {
    let sandbox = sandbox();
    for (place, number) in [("one", 1), ("two", 2)] {
        sandbox.compile(
            "-O2 -flto=thin -fPIC",
            &format!("{place}/x.c"),
            &format!("int f{number}(void) {{ return {number}; }}"),
        );
    }
    sandbox.compile(
        "-O2 -flto=thin -fPIC",
        "main.c",
        "int f1(void), f2(void); int both(void) { return f1() * 8 + f2(); }",
    );
    sandbox.ar("crs regular.a one/x.o");
    sandbox.ar("qS regular.a two/x.o");
    sandbox.ar("s regular.a");
    sandbox.ar("crsT thin.a one/x.o two/x.o");
    assert_eq!(same_as_in_process(&sandbox, "-shared main.o --whole-archive regular.a"), 3);
    same_as_in_process(&sandbox, "-shared main.o --whole-archive thin.a");
}

/// Two archives of one name, with a member of one name and one content each: which is which cannot be told. That matters only
/// if another module comes between the two.
#[test]
fn members_that_cannot_be_told_apart() {
    let sandbox = sandbox();
    chain(&sandbox);
    let text = "static int own; int *address(void); static int *keep(void) { return &own; }";
    sandbox.compile("-O2 -flto=thin -fPIC", "e.c", text);
    for directory in ["a", "b"] {
        sandbox.make_directory(sandbox.path(directory));
        sandbox.ar(&format!("crs {directory}/e.a e.o"));
    }
    let line = "main.o middle.o leaf.o --whole-archive a/e.a b/e.a";
    same_as_in_process(&sandbox, &format!("-shared {line}"));
    std::fs::rename(sandbox.path("alone.o"), sandbox.path("ab.o")).unwrap();
    let line = format!("-shared ab.o {line} -o out");
    dtlto(&sandbox, &line).run().exits(1).says("e.a(e.o at ").says("cannot be told").says("hint: ");
    let run = dtlto(&sandbox, &line).env("THINDIST_FALLBACK", "warn").ok();
    assert_eq!((run.lines_with("warning: "), run.stderr.lines().count()), (1, 1), "{run}");
}

#[test]
fn unicode_and_spaces_in_paths() {
    let sandbox = sandbox();
    chain(&sandbox);
    let directory = sandbox.path("größe 测试");
    sandbox.make_directory(&directory);
    for name in ["main.o", "middle.o", "alone.o", "leaf.o"] {
        std::fs::rename(sandbox.path(name), directory.join(name)).unwrap();
    }
    let archive = "größe 测试/ένα δύο.a";
    sandbox.tool("llvm-ar-22").args("crs").arg(archive).arg("größe 测试/leaf.o").arg("größe 测试/alone.o").ok();
    let link = |options: &str| {
        let tool = sandbox.tool("ld.lld-22").args(options).args("-shared --whole-archive").arg(archive);
        tool.arg("größe 测试/main.o").arg("größe 测试/middle.o").arg("-o").arg("größe 测试/out file.so")
    };
    link("").ok();
    let in_process = sandbox.read("größe 测试/out file.so");
    let options = format!("{} --thinlto-distributor-arg=--thindist-verify", distributor(&sandbox));
    let stats = sandbox.stats_of(link(&options).env("THINDIST_FALLBACK", "never"));
    assert_eq!(stats.executed(), 4);
    assert!(sandbox.read("größe 测试/out file.so") == in_process);
    assert_eq!(left_behind(&sandbox), Vec::<PathBuf>::new());
}

/// `-fsplit-lto-unit`: a part for regular LTO and one for ThinLTO in one file, which lld 21 refuses of an archive's
/// member. The job is for the latter.
#[test]
fn two_modules_in_one_file() {
    let sandbox = sandbox();
    let flags = "-O2 -flto=thin -fsplit-lto-unit -fPIC -fno-rtti";
    sandbox.compile(
        flags,
        "split.cc",
        "struct A { virtual int foo(); }; int bar(A *a); struct B : A { int foo() { return 2; } };\n\
         int use() { static B b; return bar(&b); }\n",
    );
    sandbox.compile(
        flags,
        "bar.cc",
        "struct A { virtual int foo(); }; int A::foo() { return 1; } int bar(A *a) { return a->foo(); }\n",
    );
    assert_eq!(same_as_in_process(&sandbox, "-shared split.o bar.o"), 2);
    sandbox.ar("crs split.a split.o");
    same_as_in_process(&sandbox, "-shared --whole-archive split.a bar.o");
}

#[test]
fn files_that_assembly_names() {
    let sandbox = sandbox();
    sandbox.write("data.bin", "one");
    sandbox.compile(
        "-O2 -flto=thin -fPIC",
        "data.c",
        "__asm__(\".pushsection .d,\\\"a\\\"\\n.incbin \\\"data.bin\\\"\\n.popsection\"); int data;",
    );
    assert_eq!(same_as_in_process(&sandbox, "-r data.o"), 1);
    sandbox.write("data.bin", "other");
    assert_eq!(same_as_in_process(&sandbox, "-r data.o"), 1);
    assert_eq!(same_as_in_process(&sandbox, "-r data.o"), 0);
    // A name that only the assembler can make out.
    sandbox.compile(
        "-O2 -flto=thin -fPIC",
        "hidden.c",
        "__asm__(\".macro m f\\n.incbin \\\"\\\\f\\\"\\n.endm\\n.pushsection .d,\\\"a\\\"\\nm data.bin\\n.popsection\"); int hidden;",
    );
    sandbox.lld("-r hidden.o -o out");
    let in_process = sandbox.read("out");
    dtlto(&sandbox, "-r hidden.o -o out").run().exits(1).says(".incbin").says("hint: ");
    let run = dtlto(&sandbox, "-r hidden.o -o out").env("THINDIST_FALLBACK", "warn").ok();
    assert_eq!((run.lines_with("warning: "), run.stderr.lines().count()), (1, 1), "{run}");
    assert!(sandbox.read("out") == in_process);
}
