//! An edit runs the backends that it affects, and no other.

use crate::on_each_llvm;
use crate::programs::{CHAIN_OBJECTS, chain, edit};
use testkit::{Sandbox, Stats};

on_each_llvm!(
    a_leaf_edit_runs_one_backend_and_reverting_it_none,
    an_edit_of_what_others_import_runs_those_as_well,
    an_edit_of_what_nobody_imports_runs_no_importer,
    importers_of_what_reaches_a_local_value_run_with_every_edit,
    what_is_told_of_declarations_is_told_of_what_is_imported,
    with_debug_information_those_run_that_show_it,
    what_only_an_imported_call_describes_is_shown,
    types_of_debug_information_that_have_identifiers_count,
    edits_around_virtual_functions_run_those_concerned,
    a_touched_file_runs_none,
    a_native_object_runs_none,
    an_incbin_file_runs_its_module,
    an_included_file_runs_its_module,
    a_script_that_alters_symbol_resolution_runs_those_concerned,
    a_byte_of_an_archive_member_runs_its_module,
    a_member_before_it_that_grows_runs_none,
    an_option_file_that_changes_is_not_remembered,
);

const LINE: &str = "-r -o out.o";

#[track_caller]
fn link(sandbox: &Sandbox) -> Stats {
    sandbox.link(&format!("{LINE} {CHAIN_OBJECTS}"))
}

#[track_caller]
fn expect_executed(stats: &Stats, executed: usize) {
    assert_eq!((stats.executed(), stats.local_cache()), (executed, stats.modules - executed), "{stats:?}");
}

fn a_leaf_edit_runs_one_backend_and_reverting_it_none(sandbox: &Sandbox) {
    chain(sandbox);
    expect_executed(&link(sandbox), 4);
    let (first, source) = (sandbox.read("out.o"), String::from_utf8(sandbox.read("alone.c")).unwrap());
    edit(sandbox, "alone.c", &format!("{source} int added(void) {{ return 8; }}\n"));
    expect_executed(&link(sandbox), 1);
    sandbox.verify_identical(&format!("{LINE} {CHAIN_OBJECTS}"));
    edit(sandbox, "alone.c", &source);
    let reverted = link(sandbox);
    assert_eq!(reverted.executed(), 0, "{reverted:?}");
    assert_eq!(sandbox.read("out.o"), first);
}

/// Three of the four: `main` inlines `middle`, which inlines the leaf; `alone` has nothing to do with it.
fn an_edit_of_what_others_import_runs_those_as_well(sandbox: &Sandbox) {
    chain(sandbox);
    expect_executed(&link(sandbox), 4);
    edit(sandbox, "leaf.c", "int leaf(int x) { return x * 5 + 1; }\n");
    expect_executed(&link(sandbox), 3);
    sandbox.verify_identical(&format!("{LINE} {CHAIN_OBJECTS}"));
}

/// lib/bcd.c of the kernel: one function more ran drivers/rtc/rtc-mc146818-lib.o, which imports another one.
fn an_edit_of_what_nobody_imports_runs_no_importer(sandbox: &Sandbox) {
    chain(sandbox);
    let whole = |more: &str| format!("{more} int leaf(int x) {{ return x * 3 + 1; }}\n");
    expect_executed(&link(sandbox), 4);
    edit(sandbox, "leaf.c", &whole("static int calls; int *of_its_own(int x) { calls += x; return &calls; }"));
    expect_executed(&link(sandbox), 1);
    sandbox.verify_identical(&format!("{LINE} {CHAIN_OBJECTS}"));
    edit(sandbox, "leaf.c", &whole("__attribute__((used)) double another(double x) { return x / 3; }"));
    expect_executed(&link(sandbox), 1);
    sandbox.verify_identical(&format!("{LINE} {CHAIN_OBJECTS}"));
}

/// The local value gets the module's hash in its name, which is in the importers' objects: they do change.
fn importers_of_what_reaches_a_local_value_run_with_every_edit(sandbox: &Sandbox) {
    chain(sandbox);
    let whole = |more: &str| format!("{more} static int calls; int leaf(int x) {{ calls += x; return calls; }}\n");
    edit(sandbox, "leaf.c", &whole(""));
    expect_executed(&link(sandbox), 4);
    edit(sandbox, "leaf.c", &whole("int of_its_own(int x) { return x + 1; }"));
    expect_executed(&link(sandbox), 3);
    sandbox.verify_identical(&format!("{LINE} {CHAIN_OBJECTS}"));
}

/// `main` imports `near`; with `-fPIE` its index tells of variables that it only names, and of no others.
fn what_is_told_of_declarations_is_told_of_what_is_imported(sandbox: &Sandbox) {
    let pie = |name: &str, text: &str| sandbox.compile("-O2 -flto=thin -fPIE", name, text);
    let near = |more: &str, of: &str| {
        pie("near.c", &format!("{more} extern int far, further; int near(int **to) {{ *to = &{of}; return 1; }}"));
    };
    pie("main.c", "int near(int **), *user(int); int main(int n) { int *p; return near(&p) + *p + *user(n); }");
    pie(
        "user.c",
        "extern int far, further; __attribute__((noinline)) int *user(int n) { return n > 1 ? &far : &further; }",
    );
    pie("far.c", "int far = 3; int further = 4;");
    near("", "far");
    let line = sandbox.linker_line("-pie main.o near.o user.o far.o");
    let link = |executed| {
        expect_executed(&sandbox.link(&format!("{line} -o out")), executed);
        sandbox.verify_identical(&format!("{line} -o out"));
    };
    link(4);
    near("extern int further; __attribute__((used)) int *another(void) { return &further; }", "far");
    link(1);
    near("", "further");
    link(2);
    // A native definition is none that in-process knows of: `near` and `user` take its address by the GOT again.
    sandbox.compile("-O2 -fPIE", "far.c", "int far = 3; int further = 4;");
    let natively = sandbox.link(&format!("{line} -o out"));
    assert_eq!((natively.modules, natively.executed()), (3, 3), "{natively:?}");
    sandbox.verify_identical(&format!("{line} -o out"));
}

/// `main` takes a variable and a function of `near`, and inlines neither; `user` inlines `small`.
fn with_debug_information_those_run_that_show_it(sandbox: &Sandbox) {
    let compile = |name: &str, text: &str| sandbox.compile("-O2 -g -flto=thin", name, text);
    let near = |top: &str, factor: u32, more: &str| {
        let text = format!(
            "{top}\nint table[4] = {{1, 2, 3, 4}}; int out(int);\nint big(int x) {{ return out(x) + out(x + 1); }}\n\
             int small(int x) {{\n  int y = out(x * {factor});\n  return y + 1;\n}}\n{more}\n"
        );
        compile("near.c", &text);
    };
    compile(
        "main.c",
        "extern int table[4]; int big(int), user(int);\n\
         int main(int n) { int r, s; [[clang::noinline]] r = big(n); [[clang::noinline]] s = user(n); return r + table[n & 3] + s; }",
    );
    compile("user.c", "int small(int); int user(int x) { return small(x) * 2; }");
    compile("far.c", "int count; int out(int x) { return count += x; }");
    near("", 3, "");
    let line = "-r -o out.o main.o near.o user.o far.o";
    let link = |executed| {
        expect_executed(&sandbox.link(line), executed);
        sandbox.verify_identical(line);
    };
    link(4);
    near("/* One line more. */", 3, "");
    link(2);
    near("", 3, "static int of_its_own; int nobodys(void) { return of_its_own++; }");
    link(2);
    // `main` imports `small` with `user`, and keeps nothing of it.
    near("", 5, "");
    link(3);
    near("", 3, "");
    assert_eq!(sandbox.link(line).memo(), 4);
    // With another place for lines, and with none.
    sandbox.compile(
        "-O2 -g1 -flto=thin",
        "near.c",
        "int table[4]; int out(int); int big(int x) { return out(x); } int small(int x) { return x; }",
    );
    sandbox.link(line);
    sandbox.verify_identical(line);
    sandbox.compile(
        "-O2 -flto=thin",
        "near.c",
        "int table[4]; int out(int); int big(int x) { return out(x); } int small(int x) { return x; }",
    );
    sandbox.link(line);
    sandbox.verify_identical(line);
}

/// What a link has from the stores, after one state of a source and after the next, is in-process' own.
#[track_caller]
fn identical_after_each(sandbox: &Sandbox, line: &str, edit: impl Fn(&str), states: &[&str]) {
    for state in states {
        edit(state);
        sandbox.link(line);
        sandbox.verify_identical(line);
    }
}

/// Two imported functions are nothing but a call, which LLVM makes one of: no place in either is left, and the object shows what
/// their module says of the function that is called.
fn what_only_an_imported_call_describes_is_shown(sandbox: &Sandbox) {
    let compile = |name: &str, text: &str| sandbox.compile("-O2 -g -flto=thin", name, text);
    let near = |kind: &str| {
        sandbox.write("out.h", format!("{kind}\nint out(kind);\n"));
        compile(
            "near.c",
            "#include \"out.h\"\nint one(int x) { return out(x); }\n int two(int x) { return out(x); }\n",
        );
    };
    compile("far.c", "int count; __attribute__((noinline)) int out(int x) { return count += x; }");
    let line = "-r -o out.o main.o near.o far.o";
    // A local function of the same name is not the one that is called.
    for own in ["", "static __attribute__((noinline)) int out(int x) { return x * 7; }"] {
        let call = if own.is_empty() { "0" } else { "out(n)" };
        let main =
            format!("int one(int), two(int); {own} int main(int n) {{ return {call} + (n > 3 ? one(n) : two(n)); }}");
        compile("main.c", &main);
        identical_after_each(
            sandbox,
            line,
            near,
            &["typedef int kind;", "\n\ntypedef int kind;", "typedef int a; typedef a kind;"],
        );
    }
}

/// A class that one module only names is another's, if that one is imported from.
fn types_of_debug_information_that_have_identifiers_count(sandbox: &Sandbox) {
    let compile = |name: &str, text: &str| sandbox.compile("-O2 -g -flto=thin", name, text);
    let near = |members: &str| {
        compile(
            "near.cpp",
            &format!(
                "struct S {{ int a; {members} }};\nint table[4]; int of(S *s) {{ return s->a; }} S *made() {{ return nullptr; }}\n"
            ),
        );
    };
    compile("main.cpp", "struct S; extern int table[4]; S *kept; int main(int n, char **) { return table[n & 3]; }");
    let line = "-r -o out.o main.o near.o";
    identical_after_each(sandbox, line, near, &["int b;", "int renamed;", "long b; int c;"]);
}

/// What the linker devirtualises is in the indexes beside the parts that are imported.
fn edits_around_virtual_functions_run_those_concerned(sandbox: &Sandbox) {
    let flags = "-O2 -flto=thin -fPIE -fwhole-program-vtables -fno-split-lto-unit -fvisibility=hidden -fno-rtti";
    let shape = "struct Shape { virtual int area(int) const; virtual int twice(int) const; }; Shape *make();\n";
    let square = "struct Square : Shape { int area(int) const override; };\n";
    let compile = |name: &str, text: &str| sandbox.compile(flags, name, &format!("{shape}{text}"));
    compile(
        "a.cpp",
        "int far(int); int (*call)(int) = far; int main(int n, char **) { Shape *s = make(); return s->area(n) + s->twice(n); }",
    );
    compile(
        "b.cpp",
        "int Shape::area(int x) const { return x; } int Shape::twice(int x) const { return 2 * area(x); } int far(int x) { return x; }",
    );
    let line = "-pie -e main a.o b.o c.o";
    let makes = "Shape *make() { return new (memory) Square; }\n";
    let with = |methods: &str| {
        let new = "inline void *operator new(unsigned long, char *p) { return p; } char memory[99];\n";
        compile("c.cpp", &format!("{new}{square}{methods}{makes}"));
    };
    with("int Square::area(int x) const { return x * x + 3; }");
    assert_eq!(sandbox.link(&format!("{line} -o out")).executed(), 3);
    for methods in [
        "int Square::area(int x) const { return x * x + 4; }",
        "int Square::area(int x) const { return x * x + 4; } int nobodys(int x) { return x; }",
        "__attribute__((noinline)) int Square::area(int x) const { return x * x + 4; }",
        "static int of_it(int x) { return x ^ 5; } int Square::area(int x) const { return of_it(of_it(x) * 3); }",
    ] {
        with(methods);
        let stats = sandbox.link(&format!("{line} -o out"));
        assert!((1..=3).contains(&stats.executed()), "{methods}: {stats:?}");
        sandbox.verify_identical(line);
    }
    compile(
        "b.cpp",
        "int Shape::area(int x) const { return x; } int Shape::twice(int x) const { return 3 * area(x); } int far(int x) { return x; }",
    );
    sandbox.verify_identical(line);
}

fn a_touched_file_runs_none(sandbox: &Sandbox) {
    chain(sandbox);
    expect_executed(&link(sandbox), 4);
    sandbox.tool("touch").args("-d 2001-01-01 main.o leaf.o").ok();
    let stats = link(sandbox);
    assert_eq!((stats.memo(), stats.thin_link_ran()), (4, false), "{stats:?}");
}

fn a_native_object_runs_none(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.compile("-O2", "native.c", "int native = 1;");
    let line = format!("{LINE} {CHAIN_OBJECTS} native.o");
    expect_executed(&sandbox.link(&line), 4);
    let first = sandbox.read("out.o");
    sandbox.compile("-O2", "native.c", "int native = 2;");
    expect_executed(&sandbox.link(&line), 0);
    assert_ne!(sandbox.read("out.o"), first, "the output of another native object was given");
}

const INCBIN: &str = "__asm__(\".pushsection .blob,\\\"a\\\"\\n.incbin \\\"data.bin\\\"\\n.popsection\");\nint alone(int x) { return x; }\n";
const INCLUDE: &str = "__asm__(\".pushsection .blob,\\\"a\\\"\\n.include \\\"outer.s\\\"\\n.popsection\");\nint alone(int x) { return x; }\n";

fn an_incbin_file_runs_its_module(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.write("data.bin", "one");
    edit(sandbox, "alone.c", INCBIN);
    expect_executed(&link(sandbox), 4);
    assert_eq!(link(sandbox).memo(), 4);
    sandbox.write("data.bin", "two");
    expect_executed(&link(sandbox), 1);
    assert!(sandbox.read("out.o").windows(3).any(|part| part == b"two"));
    sandbox.write("data.bin", "one");
    assert_eq!(link(sandbox).executed(), 0);
    assert!(sandbox.read("out.o").windows(3).any(|part| part == b"one"));
    std::fs::remove_file(sandbox.path("data.bin")).unwrap();
    sandbox.ld(&format!("{LINE} {CHAIN_OBJECTS}")).run().exits(1).says("data.bin").says("alone.o");
}

fn an_included_file_runs_its_module(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.write("inner.bin", "one");
    sandbox.write("outer.s", ".incbin \"inner.bin\"\n");
    edit(sandbox, "alone.c", INCLUDE);
    expect_executed(&link(sandbox), 4);
    sandbox.write("inner.bin", "two");
    expect_executed(&link(sandbox), 1);
    sandbox.write("outer.s", ".incbin \"inner.bin\"\n.ascii \"three\"\n");
    expect_executed(&link(sandbox), 1);
    assert!(sandbox.read("out.o").windows(8).any(|part| part == b"twothree"));
}

/// A function that a script defines anew may not be inlined: its module and those that inlined it change, which are three of
/// the four, as in-process ThinLTO's objects do.
fn a_script_that_alters_symbol_resolution_runs_those_concerned(sandbox: &Sandbox) {
    chain(sandbox);
    let line = format!("-shared -o out.so -T script.lds {CHAIN_OBJECTS}");
    sandbox.write("script.lds", "SECTIONS { .text : { *(.text .text.*) } }\n");
    expect_executed(&sandbox.link(&line), 4);
    sandbox.write("script.lds", "SECTIONS { .text : { *(.text.main) *(.text .text.*) } }\n");
    expect_executed(&sandbox.link(&line), 0);
    sandbox.write("script.lds", "SECTIONS { .text : { *(.text .text.*) } }\nleaf = alone;\n");
    expect_executed(&sandbox.link(&line), 3);
    // A dynamic output's symbols are in another order (see docs/limits.md); the native objects are in-process' own.
    let run = sandbox.verify(&line).run();
    assert_eq!(run.lines_with("different: "), run.lines_with("different: output ."), "{run}");
}

fn a_byte_of_an_archive_member_runs_its_module(sandbox: &Sandbox) {
    chain(sandbox);
    let line = format!("{LINE} main.o --whole-archive rest.a");
    sandbox.ar("crs rest.a middle.o alone.o leaf.o");
    expect_executed(&sandbox.link(&line), 4);
    edit(sandbox, "alone.c", "int counter; int alone(int x) { return counter -= x; }\n");
    sandbox.ar("crs rest.a alone.o");
    expect_executed(&sandbox.link(&line), 1);
}

/// Offsets in the archive are part of lld's identifiers, but of no key.
fn a_member_before_it_that_grows_runs_none(sandbox: &Sandbox) {
    chain(sandbox);
    let line = format!("{LINE} main.o --whole-archive rest.a");
    sandbox.ar("crs rest.a alone.o middle.o leaf.o");
    expect_executed(&sandbox.link(&line), 4);
    let names: String = (0..300).map(|number| format!("int another_{number};\n")).collect();
    edit(sandbox, "alone.c", &format!("{names}int counter; int alone(int x) {{ return counter += x; }}\n"));
    std::fs::remove_file(sandbox.path("rest.a")).unwrap();
    sandbox.ar("crs rest.a alone.o middle.o leaf.o");
    expect_executed(&sandbox.link(&line), 1);
}

fn an_option_file_that_changes_is_not_remembered(sandbox: &Sandbox) {
    chain(sandbox);
    let line = format!("-shared -o out.so --version-script=versions {CHAIN_OBJECTS}");
    sandbox.write("versions", "V1 { global: main; local: *; };\n");
    expect_executed(&sandbox.link(&line), 4);
    assert_eq!(sandbox.link(&line).memo(), 4);
    sandbox.write("versions", "V1 { global: main; local: *; };\n# said otherwise\n");
    expect_executed(&sandbox.link(&line), 0);
    sandbox.write("inner.lds", "INPUT(leaf.o)\n");
    sandbox.write("outer.lds", "INCLUDE inner.lds\n");
    let line = "-r -o scripted.o main.o middle.o alone.o outer.lds";
    // Bitcode that only a script names is lld's to find: in-process, with one warning that says so.
    let run = sandbox.ld(line).ok();
    assert_eq!(run.lines_with("thindist: warning: "), 1, "{run}");
    sandbox.lld("-r -o theirs.o main.o middle.o alone.o outer.lds");
    assert_eq!(sandbox.read("scripted.o"), sandbox.read("theirs.o"));
}
