//! Bugs, each under its name.

use crate::on_each_llvm;
use testkit::Sandbox;

on_each_llvm!(
    a_versioned_library_without_soname_holds_no_path_of_ours,
    a_strong_definition_in_bitcode_wins_from_any_place,
    fatal_warnings_hold_for_backends,
    a_file_that_regular_lto_includes_is_no_reason_to_remember,
    paths_that_are_not_ascii,
    an_archive_that_is_taken_whole_twice,
    an_imported_module_that_names_a_variable_of_the_importer,
);

/// LLVM puts the importer's own variables in the order in which the imported module names them, if it does, whatever is imported.
fn an_imported_module_that_names_a_variable_of_the_importer(sandbox: &Sandbox) {
    sandbox
        .bitcode(&[("a.c", "int first = 1, second = 2, next(int); int f(int x) { return next(x) + first + second; }")]);
    let next = "extern int first, second; int next(int x) { return x * 3 + 1; }";
    for nobodys in ["", "int *nobodys(void) { return &first; }", "int *nobodys(int x) { return x ? &second : &first; }"]
    {
        sandbox.bitcode(&[("b.c", &format!("{next} {nobodys}"))]);
        sandbox.link("-r a.o b.o -o out.o");
        sandbox.lld("-r a.o b.o -o theirs.o");
        assert!(sandbox.read("out.o") == sandbox.read("theirs.o"), "{nobodys}");
    }
}

/// The kernel's linux_banner: weak in vmlinux.o, which is native by then, and strong in bitcode.
fn a_strong_definition_in_bitcode_wins_from_any_place(sandbox: &Sandbox) {
    sandbox.bitcode(&[("a.c", "const char banner[] = \"strong\";")]);
    sandbox.compile("-O2", "b.c", "__attribute__((weak)) const char banner[] = \"weak\";");
    sandbox.verify_identical("-r b.o a.o -o out.o");
    sandbox.verify_identical("-r a.o b.o -o out.o");
}

/// lld names the base of a library's versions by the output's path, which was one in the cache.
fn a_versioned_library_without_soname_holds_no_path_of_ours(sandbox: &Sandbox) {
    sandbox.compile("-O2 -fPIC -flto=thin", "a.c", "int f(void) { return 1; }");
    sandbox.write("v.ver", "ONE { global: f; local: *; };\n");
    let line = "-shared a.o --version-script=v.ver";
    sandbox.make_directory(sandbox.path("out"));
    sandbox.lld(&format!("{line} -o out/x.so"));
    let theirs = sandbox.read("out/x.so");
    sandbox.write("out/x.so", "as it was");
    sandbox.compile("-O2 -fPIC -flto=thin", "b.c", "int none(void); int g(void) { return none(); }");
    sandbox.ld(&format!("{line} b.o -u g -z defs -o out/x.so")).run().exits(1).says("undefined symbol: none");
    assert_eq!(sandbox.read("out/x.so"), b"as it was");
    sandbox.link(&format!("{line} -o out/x.so"));
    assert!(sandbox.read("out/x.so") == theirs);
    assert_eq!(sandbox.link(&format!("{line} -o out/x.so")).memo(), 1);
    assert!(sandbox.read("out/x.so") == theirs);
    sandbox.verify_identical(&format!("{line} -o out/x.so"));
}

fn fatal_warnings_hold_for_backends(sandbox: &Sandbox) {
    let text = "void use(char *); void f(void) { char large[4000]; use(large); }";
    sandbox.compile("-O2 -flto=thin -Wframe-larger-than=100", "a.c", text);
    sandbox.ld("-r a.o -o a.out").ok().says("thindist: warning: ");
    sandbox.ld("-r a.o -o fatal.out --fatal-warnings").run().exits(1).says("--fatal-warnings");
    assert!(!sandbox.path("fatal.out").exists());
    let run = sandbox.ld("-r a.o -o silent.out -w").ok();
    assert_eq!(run.lines_with("warning"), 0, "{run}");
}

/// The thin link compiles regular LTO's part, and nobody tells what its assembly reads.
fn a_file_that_regular_lto_includes_is_no_reason_to_remember(sandbox: &Sandbox) {
    sandbox.write("data.bin", "1");
    sandbox.bitcode(&[("m.c", "extern char data[]; char first(void) { return data[0]; }")]);
    sandbox.compile(
        "-O2 -flto",
        "d.c",
        r#"void keep(void) { __asm__(".data\n.globl data\ndata: .incbin \"data.bin\"\n.text\n"); }"#,
    );
    sandbox.link("-r m.o d.o -o out.o");
    let before = sandbox.read("out.o");
    sandbox.write("data.bin", "7");
    assert_eq!(sandbox.link("-r m.o d.o -o out.o").memo(), 0);
    assert_ne!(sandbox.read("out.o"), before);
}

/// LLVM 19 and 22 write indexes with bytes above 127 or-ed into what follows: the link ended with "is damaged".
fn paths_that_are_not_ascii(sandbox: &Sandbox) {
    let line = |names: [&str; 2]| format!("-r {} {} -o out.o", names[0], names[1]);
    for names in [["größe/a.o", "测试/bc.o"], ["größe/größe.o", "b.o"]] {
        sandbox.compile("-O2 -flto=thin", "x.c", "int f(int); int start(int x) { return f(x) + 2; }");
        sandbox.make_directory(sandbox.path(names[0]).parent().unwrap());
        std::fs::rename(sandbox.path("x.o"), sandbox.path(names[0])).unwrap();
        sandbox.compile("-O2 -flto=thin", "x.c", "int hidden = 5; int f(int x) { return x * hidden; }");
        sandbox.make_directory(sandbox.path(names[1]).parent().unwrap());
        std::fs::rename(sandbox.path("x.o"), sandbox.path(names[1])).unwrap();
        assert_eq!(sandbox.link(&line(names)).modules, 2);
        sandbox.verify_identical(&line(names));
    }
    // The last bytes of a name end up in the next record: no reader can tell what that was. And of two names that differ
    // only where both are garbled none can tell which is meant.
    for other in ["ö", "größe/grüße.o"] {
        std::fs::copy(sandbox.path("b.o"), sandbox.path(other)).unwrap();
        let run = sandbox.ld(&line(["größe/größe.o", other])).ok();
        assert_eq!((run.lines_with("warning: "), run.stderr.lines().count()), (1, 1), "{run}");
    }
}

/// lld links each native member twice. The index-only way linked it once, and said nothing.
fn an_archive_that_is_taken_whole_twice(sandbox: &Sandbox) {
    let weak = "int f(void); __attribute__((weak)) int w(void) { return 1; } int start(void) { return f() + w(); }";
    sandbox.bitcode(&[("m.c", weak), ("f.c", "int f(void) { return 2; }")]);
    sandbox.compile("-O2", "w.c", "__attribute__((weak)) int w(void) { return 3; }");
    sandbox.ar("rc libw.a w.o");
    let line = "-r m.o f.o --whole-archive libw.a libw.a -o out.o";
    sandbox.lld(line);
    let theirs = sandbox.read("out.o");
    sandbox.ld(line).ok().says("libw.a(w.o) cannot be carried to separate backends: lld has loaded it more often");
    assert!(sandbox.read("out.o") == theirs, "other bytes than lld's: {line}");
}
