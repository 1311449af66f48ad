//! Link lines that need more than a case of the table in `tests/link_lines`: the output equals the in-process link's, and the
//! program runs alike.

use crate::on_each_llvm;
use crate::programs::{CHAIN_OBJECTS, chain, pair};
use testkit::{Run, Sandbox};

on_each_llvm!(
    version_and_a_line_without_bitcode_are_llds_own,
    the_kernels_line,
    response_files_with_quotes_that_name_others,
    regular_archives_give_the_members_that_are_needed,
    a_dynamic_executable_through_clangs_driver,
    a_shared_object,
    a_plain_gnu_linker_line_with_llvmgold_options,
    masquerading_finds_the_real_lld_behind,
    own_flags_are_stripped_and_unknown_ones_refused,
    own_flags_in_response_files,
    a_response_file_that_is_no_text_is_llds_to_read,
    files_that_assembly_names,
    module_assembly_of_an_imported_module,
    a_file_that_assembly_names_but_does_not_read,
    plugin_options_of_rustc,
    modules_of_another_vendor,
    archive_members_of_equal_names,
    archives_in_bsds_format,
    an_archive_that_only_lld_can_read_is_left_to_it,
    an_output_in_a_sub_directory_and_inputs_outside_of_this_one,
    paths_with_blanks,
    module_and_native_order_of_initializers,
    output_to_dev_null,
    maps_and_messages_name_objects_as_in_process,
    natives_of_archives_in_linker_scripts_and_maps,
    scripts_found_through_library_directories,
    libraries_found_through_search_dir,
    search_dir_in_an_input_script_is_left_to_lld,
    search_directories_as_lld_spells_them,
);

/// Links with thindist and in-process, and verifies.
#[track_caller]
fn check(sandbox: &Sandbox, modules: usize, line: &str) {
    let stats = sandbox.link(&format!("{line} -o ours"));
    assert_eq!((stats.modules, stats.executed()), (modules, modules), "{stats:?}");
    sandbox.verify_identical(line);
    assert_eq!(sandbox.temporaries(), Vec::<std::path::PathBuf>::new(), "left behind");
}

/// The same for what clang's driver makes of the line; then runs both executables.
#[track_caller]
fn check_program(sandbox: &Sandbox, modules: usize, line: &str) -> Run {
    let words = sandbox.linker_line(line);
    check(sandbox, modules, &words);
    sandbox.lld(&format!("{words} -o theirs"));
    let (ours, theirs) = (sandbox.tool(sandbox.path("ours")).run(), sandbox.tool(sandbox.path("theirs")).run());
    assert_eq!((ours.status, &ours.stdout), (theirs.status, &theirs.stdout), "{ours}\nin-process: {theirs}");
    ours
}

fn version_and_a_line_without_bitcode_are_llds_own(sandbox: &Sandbox) {
    for flag in ["--version", "-v", "-V"] {
        assert_eq!(sandbox.ld(flag).ok().stdout, sandbox.lld(flag).stdout);
    }
    sandbox.compile("-O2", "a.c", "int a;");
    sandbox.lld("-r a.o -o theirs.o");
    let stats = sandbox.root("none");
    sandbox.ld("-r a.o -o ours.o").env("THINDIST_STATS", &stats).ok().says_nothing();
    assert_eq!(sandbox.read("ours.o"), sandbox.read("theirs.o"));
    assert!(!stats.exists() && sandbox.action_results() == 0, "a line without bitcode went through the engine");
}

fn the_kernels_line(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.compile("-O2 -fno-lto", "native.c", "int native_one(void) { return 1; }");
    sandbox.ar("crsT vmlinux.a main.o middle.o alone.o leaf.o native.o");
    sandbox.write("initcalls.lds", "SECTIONS { .initcalls : { *(.text.middle) *(.text.leaf) } }\n");
    let line = "-m elf_x86_64 -mllvm -import-instr-limit=5 -z noexecstack -r -T initcalls.lds \
                --whole-archive vmlinux.a --no-whole-archive --start-group --end-group";
    check(sandbox, 4, line);
}

fn response_files_with_quotes_that_name_others(sandbox: &Sandbox) {
    pair(sandbox);
    sandbox.bitcode(&[("odd.c", "int odd;")]);
    sandbox.make_directory(sandbox.path("odd dir"));
    std::fs::rename(sandbox.path("odd.o"), sandbox.path("odd dir/c d.o")).unwrap();
    sandbox.write("inner.rsp", "'odd dir/c d.o' b\\.o\n");
    sandbox.write("outer.rsp", "-r \"a.o\"\n\t@inner.rsp --defsym \"five=5\"");
    check(sandbox, 3, "@outer.rsp");
    sandbox.write("itself.rsp", "-r a.o @itself.rsp");
    sandbox.ld("@itself.rsp -o none").run().exits(1).says("itself.rsp");
}

fn regular_archives_give_the_members_that_are_needed(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.ar("crs libmiddle.a middle.o alone.o");
    sandbox.ar("crs libleaf.a leaf.o");
    sandbox.compile("-O2", "native.c", "int leaf(int x) { return x + 40; } int native;");
    sandbox.ar("crs libnative.a native.o");
    let group = "-Wl,--start-group -lmiddle -lleaf -Wl,--end-group";
    assert_eq!(check_program(sandbox, 3, &format!("main.o -L. {group} -lnative")).stdout, "3\n");
    // `leaf` comes from the first archive that has it, here the native one.
    sandbox.link(&format!("{} -o ours", sandbox.linker_line(&format!("main.o -L. -lnative {group}"))));
    assert_eq!(sandbox.tool(sandbox.path("ours")).ok().stdout, "3\n");
    sandbox.ar("crs unused.a alone.o");
    check(sandbox, 1, "-shared leaf.o unused.a");
}

fn a_dynamic_executable_through_clangs_driver(sandbox: &Sandbox) {
    chain(sandbox);
    assert_eq!(check_program(sandbox, 4, &format!("-no-pie {CHAIN_OBJECTS}")).stdout, "3\n");
    let linker = sandbox.root("bin/ld.thindist");
    sandbox.clang(&format!("-flto=thin -fuse-ld=lld --ld-path={} {CHAIN_OBJECTS} -o by-driver", linker.display()));
    assert_eq!(sandbox.tool(sandbox.path("by-driver")).ok().stdout, "3\n");
}

fn a_shared_object(sandbox: &Sandbox) {
    sandbox.compile("-O2 -fPIC -flto=thin", "a.c", "int f(int); int exported(int x) { return f(x) + 2; }");
    sandbox.compile(
        "-O2 -fPIC -flto=thin",
        "b.c",
        "__attribute__((visibility(\"hidden\"))) int f(int x) { return x * 7; }",
    );
    sandbox.write("versions", "V1 { global: exported; local: *; };\n");
    check_program_as_library(sandbox, "-shared a.o b.o -Wl,--version-script=versions -Wl,-soname,libours.so");
}

#[track_caller]
fn check_program_as_library(sandbox: &Sandbox, line: &str) {
    check(sandbox, 2, &sandbox.linker_line(line));
    sandbox.compile("-O2", "user.c", "int exported(int); int main(void) { return exported(5); }");
    sandbox.clang("user.o ours -Wl,-rpath,. -o user");
    std::fs::copy(sandbox.path("ours"), sandbox.path("libours.so")).unwrap();
    sandbox.tool("./user").run().exits(37);
}

fn a_plain_gnu_linker_line_with_llvmgold_options(sandbox: &Sandbox) {
    pair(sandbox);
    let gold =
        "-plugin /usr/lib/LLVMgold.so -plugin-opt=thinlto -plugin-opt=mcpu=x86-64 -plugin-opt=-function-sections=1";
    check(sandbox, 2, &format!("{gold} -r a.o b.o"));
}

fn masquerading_finds_the_real_lld_behind(sandbox: &Sandbox) {
    pair(sandbox);
    let name = format!("ld.lld-{}", sandbox.llvm());
    sandbox.masquerade_as(&name);
    let ours = sandbox.root("bin").join(&name);
    let tool = || sandbox.tool(&ours).without_env("THINDIST_LLD");
    assert!(tool().args("--version").ok().stdout.contains(&format!("LLD {}.", sandbox.llvm())));
    let stats = sandbox.stats_of(tool().args("-r a.o b.o -o ours.o"));
    assert_eq!(stats.executed(), 2);
    tool().args("--version").env("PATH", sandbox.root("bin")).run().exits(1).says("no other").says("THINDIST_LLD");
}

fn own_flags_are_stripped_and_unknown_ones_refused(sandbox: &Sandbox) {
    pair(sandbox);
    let elsewhere = sandbox.root("elsewhere");
    let line = format!("-r a.o b.o -o ours.o --thindist-cache-dir={}", elsewhere.display());
    assert_eq!(sandbox.link(&line).executed(), 2);
    assert!(elsewhere.join("ac").is_dir() && sandbox.action_results() == 0);
    let refused = sandbox.ld("-r a.o b.o -o none --thindist-frobnicate=1").run().exits(1);
    assert!(refused.says("--thindist-frobnicate").says("hint").stderr.lines().count() == 2);
    // Without bitcode they are stripped as well: lld knows none of them.
    sandbox.ld("--thindist-jobs=1 --version").ok();
}

/// Nested ones, too; and whoever does the link, lld does not see them.
fn own_flags_in_response_files(sandbox: &Sandbox) {
    pair(sandbox);
    let (one, two) = (sandbox.root("one"), sandbox.root("two"));
    sandbox.write("inner.rsp", format!("--defsym=x=1 '--thindist-cache-dir={}'", two.display()));
    sandbox.write("outer.rsp", format!("--thindist-cache-dir={} -r a.o @inner.rsp b.o", one.display()));
    assert_eq!(sandbox.link("--thindist-cache-dir=none @outer.rsp --thindist-jobs=1 -o ours").executed(), 2);
    assert!(two.join("ac").is_dir() && !one.exists() && !sandbox.path("none").exists());
    sandbox.verify_identical("@outer.rsp");
    // The last one counts, as on the line.
    assert_eq!(sandbox.link(&format!("@outer.rsp --thindist-cache-dir={} -o ours", one.display())).executed(), 2);
    assert!(one.join("ac").is_dir());
    sandbox.ld("@outer.rsp -o ours --save-temps").ok().says("--save-temps");
    sandbox.compile("-O2", "native.c", "int native;");
    let strange = "'--undefined=a b\"\\\\' ".repeat(20_000);
    sandbox.write("long.rsp", format!("--thindist-jobs=1 -r native.o {strange}"));
    sandbox.ld("@long.rsp -o ours").ok().says_nothing();
    sandbox.write("plain.rsp", format!("-r native.o {strange}"));
    sandbox.lld("@plain.rsp -o theirs");
    assert!(sandbox.read("ours") == sandbox.read("theirs"));
    sandbox.write("inner.rsp", "--thindist-frobnicate");
    sandbox.ld("@outer.rsp -o none").run().exits(1).says("--thindist-frobnicate").says("hint");
}

fn a_response_file_that_is_no_text_is_llds_to_read(sandbox: &Sandbox) {
    pair(sandbox);
    sandbox.write("odd.rsp", b"-r a.o b.o --defsym=\xff=1");
    sandbox.ld("@odd.rsp --thindist-jobs=1 -o ours").ok().says_nothing();
    sandbox.lld("@odd.rsp -o theirs");
    assert!(sandbox.read("ours") == sandbox.read("theirs"));
}

fn files_that_assembly_names(sandbox: &Sandbox) {
    sandbox.write("data/blob.bin", "BLOB");
    sandbox.write("data/more.s", ".ascii \"more\"\n.incbin \"data/blob.bin\"\n");
    sandbox.bitcode(&[
        ("a.c", "__asm__(\".pushsection .blob,\\\"a\\\"\\n.incbin \\\"data/blob.bin\\\"\\n.popsection\");\nint a;\n"),
        (
            "b.c",
            "void b(void) { __asm__ volatile(\".pushsection .more,\\\"a\\\"\\n.include \\\"data/more.s\\\"\\n.popsection\"); }\n",
        ),
    ]);
    check(sandbox, 2, "-r a.o b.o");
    let output = sandbox.read("ours");
    assert!(output.windows(8).any(|part| part == b"moreBLOB"));
}

/// It is assembled at an import, although nothing of it gets into the importer.
fn module_assembly_of_an_imported_module(sandbox: &Sandbox) {
    sandbox.write("data.bin", "BLOB");
    let assembly = "__asm__(\".pushsection .blob,\\\"a\\\"\\n.incbin \\\"data.bin\\\"\\n.popsection\");\n";
    sandbox.bitcode(&[
        ("a.c", &format!("{assembly}int imported(int x) {{ return x * 3; }}\n")),
        ("b.c", "int imported(int); int importer(int x) { return imported(x) + 1; }\n"),
    ]);
    check(sandbox, 2, "-r a.o b.o");
}

fn a_file_that_assembly_names_but_does_not_read(sandbox: &Sandbox) {
    pair(sandbox);
    sandbox.write("more.s", ".if 0\n.incbin \"inner.bin\"\n.endif\n");
    for (number, assembly) in
        [".if 0\\n.incbin \\\"none.bin\\\"\\n.endif", ".include \\\"more.s\\\"", "# .incbin"].into_iter().enumerate()
    {
        sandbox.bitcode(&[("c.c", &format!("__asm__(\"{assembly}\");\nint c{number};\n"))]);
        let run = sandbox.ld("-r a.o b.o c.o -o ours").ok();
        let expected = usize::from(number < 2);
        assert_eq!(run.lines_with("thindist: warning: "), expected, "{run}");
        assert_eq!(run.lines_with(".bin cannot be carried"), expected, "{run}");
        if expected == 1 {
            sandbox.lld("-r a.o b.o c.o -o theirs");
            assert!(sandbox.read("ours") == sandbox.read("theirs"), "{assembly}");
        }
    }
    // One that it does read is lld's to miss.
    sandbox.write("none.bin", "");
    sandbox.bitcode(&[("c.c", "__asm__(\".incbin \\\"none.bin\\\"\");\n")]);
    std::fs::remove_file(sandbox.path("none.bin")).unwrap();
    sandbox.write("out.o", "as it was");
    let run = sandbox.ld("-r a.o b.o c.o -o out.o").env("THINDIST_FALLBACK", "never").run().exits(1);
    run.says("none.bin").says("c.o").says("No such file").says("hint");
    assert_eq!(sandbox.read("out.o"), b"as it was");
    sandbox.ld("-r a.o b.o c.o -o out.o").run().exits(1).says("none.bin");
}

fn plugin_options_of_rustc(sandbox: &Sandbox) {
    chain(sandbox);
    check_program(sandbox, 4, &format!("-Wl,-plugin-opt=O3 -Wl,-plugin-opt=mcpu=x86-64-v2 {CHAIN_OBJECTS}")).exits(0);
}

/// rustc's triple has `unknown` where that of a distribution's clang has `pc`.
fn modules_of_another_vendor(sandbox: &Sandbox) {
    chain(sandbox);
    let leaf = "int leaf(int x) { return x * 3 + 1; }\n";
    sandbox.compile("-O2 -flto=thin -fPIC --target=x86_64-unknown-linux-gnu", "leaf.c", leaf);
    sandbox.compile("-O2 -flto=thin -fPIC --target=x86_64-pc-linux-gnu", "alone.c", "int alone;\n");
    let line = format!("-r {CHAIN_OBJECTS}");
    check(sandbox, 4, &line);
}

fn archive_members_of_equal_names(sandbox: &Sandbox) {
    pair(sandbox);
    sandbox.bitcode(&[("one/x.c", "int one(void) { return 1; }"), ("two/x.c", "int two(void) { return 2; }")]);
    sandbox.ar("qcs equal.a one/x.o two/x.o");
    check(sandbox, 4, "-r a.o b.o --whole-archive equal.a");
    sandbox.ar("qcsT thin.a one/x.o two/x.o");
    let line = "-r a.o b.o --whole-archive thin.a";
    // Whether members stand in the archive or beside it is no part of any key.
    assert_eq!(sandbox.link(&format!("{line} -o ours")).local_cache(), 4);
    sandbox.verify_identical(line);
}

/// Long names before the content, short ones filled up with blanks, a symbol table of another name.
fn archives_in_bsds_format(sandbox: &Sandbox) {
    chain(sandbox);
    let long = "a_native_object_with_a_name_of_more_than_sixteen_letters";
    sandbox.compile("-O2", &format!("{long}.c"), "int native(void) { return 1; }");
    for format in ["bsd", "darwin"] {
        sandbox.ar(&format!("--format={format} qcsD {format}.a middle.o alone.o leaf.o {long}.o"));
        sandbox.verify_identical(&format!("-e main main.o {format}.a -u native --unresolved-symbols=ignore-all"));
        sandbox.verify_identical(&format!("-r main.o --whole-archive {format}.a"));
        let stats = sandbox.link(&format!("-r main.o --whole-archive {format}.a -o ours"));
        assert_eq!((stats.modules, stats.local_cache()), (4, 4), "{stats:?}");
    }
}

fn an_archive_that_only_lld_can_read_is_left_to_it(sandbox: &Sandbox) {
    pair(sandbox);
    sandbox.ar("qcS odd.a b.o");
    let mut bytes = sandbox.read("odd.a");
    let name = bytes.windows(4).position(|part| part == b"b.o/").unwrap();
    bytes[name] = 0xff;
    sandbox.write("odd.a", bytes);
    let run = sandbox.ld("-r a.o --whole-archive odd.a -o ours").ok().says("odd.a cannot be carried").says("UTF-8");
    assert_eq!(run.lines_with("thindist: "), 1, "{run}");
    sandbox.lld("-r a.o --whole-archive odd.a -o theirs");
    assert!(sandbox.read("ours") == sandbox.read("theirs"));
}

fn an_output_in_a_sub_directory_and_inputs_outside_of_this_one(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.make_directory(sandbox.path("build/out"));
    sandbox.ar("crs lib.a middle.o leaf.o");
    let line = "-r ../alone.o --whole-archive ../lib.a";
    let stats = sandbox.stats_of(sandbox.ld(line).args("-o out/all.o").dir(sandbox.path("build")));
    assert_eq!((stats.modules, stats.executed()), (3, 3));
    assert!(sandbox.path("build/out/all.o").is_file());
    sandbox.verify(line).dir(sandbox.path("build")).ok();
}

fn paths_with_blanks(sandbox: &Sandbox) {
    sandbox.make_directory(sandbox.path("my dir"));
    pair(sandbox);
    for name in ["a", "b"] {
        std::fs::rename(sandbox.path(format!("{name}.o")), sandbox.path(format!("my dir/{name} b.o"))).unwrap();
    }
    sandbox.compile("-O2", "native.c", "int native;");
    std::fs::rename(sandbox.path("native.o"), sandbox.path("my dir/native $x.o")).unwrap();
    sandbox.write("line.rsp", "-r 'my dir/a b.o' 'my dir/native $x.o' \"my dir/b b.o\"");
    check(sandbox, 2, "@line.rsp");
    let stats = sandbox.stats_of(sandbox.ld("@line.rsp -o").arg("my dir/out put.o"));
    assert_eq!(stats.local_cache(), 2);
    // The same line again is remembered although its files have blanks in their names.
    let stats = sandbox.stats_of(sandbox.ld("@line.rsp -o").arg("my dir/out put.o"));
    assert_eq!(stats.memo(), 2);
}

fn module_and_native_order_of_initializers(sandbox: &Sandbox) {
    let source = |name: &str| {
        format!("int puts(const char *); __attribute__((constructor)) static void c(void) {{ puts(\"{name}\"); }}\n")
    };
    for (name, flags) in [("one", "-O2"), ("two", "-O2 -flto=thin"), ("three", "-O2"), ("four", "-O2 -flto=thin")] {
        sandbox.compile(flags, &format!("{name}.c"), &source(name));
    }
    sandbox.bitcode(&[("main.c", "int main(void) { return 0; }")]);
    check_program(sandbox, 3, "four.o three.o main.o two.o one.o").exits(0);
}

fn output_to_dev_null(sandbox: &Sandbox) {
    pair(sandbox);
    sandbox.link("-r a.o b.o -o /dev/null");
    sandbox.tool("test").args("-c /dev/null").ok();
}

/// As lld finds them: as given, else in each directory of `-L`.
fn scripts_found_through_library_directories(sandbox: &Sandbox) {
    pair(sandbox);
    sandbox.write("sys/scripts/t.lds", "SECTIONS { .both : { *(.text.*) } }\n");
    let line = "-r a.o b.o --sysroot=sys -L none -L=/scripts -T t.lds";
    check(sandbox, 2, line);
    let link = || sandbox.link(&format!("{line} -o ours"));
    assert_eq!(link().memo(), 2);
    sandbox.write("sys/scripts/t.lds", "SECTIONS { .other : { *(.text.*) } }\n");
    assert_eq!(link().memo(), 0);
    assert!(sandbox.read("ours").windows(6).any(|part| part == b".other"));
    // Here it comes first.
    sandbox.write("t.lds", "SECTIONS { .here : { *(.text.*) } }\n");
    assert_eq!(link().memo(), 0);
    assert!(sandbox.read("ours").windows(5).any(|part| part == b".here"));
    sandbox.compile("-O2 -fPIC -flto=thin", "c.c", "int start(void) { return 1; } int more(void) { return 2; }");
    sandbox.write("sys/scripts/v.ver", "{ global: start; local: *; };\n");
    sandbox.write("sys/scripts/d.lds", "SECTIONS { .default : { *(.text.*) } }\n");
    check(sandbox, 1, "-shared c.o -L sys/scripts --version-script v.ver --default-script=d.lds");
}

/// `libf.a` of bitcode in `libs/`.
fn library(sandbox: &Sandbox) {
    sandbox.bitcode(&[
        ("m.c", "int f(int); int start(int x) { return f(x) + 2; }\n"),
        ("f.c", "int f(int x) { return x * 5; }\n"),
    ]);
    sandbox.make_directory(sandbox.path("libs"));
    sandbox.ar("crs libs/libf.a f.o");
}

fn libraries_found_through_search_dir(sandbox: &Sandbox) {
    library(sandbox);
    sandbox.write("s.lds", "/* SEARCH_DIR(none) */ INCLUDE more.lds\nSECTIONS { .text : { *(.text.*) } }\n");
    sandbox.write("more.lds", "SEARCH_DIR(nowhere) SEARCH_DIR(\"=/libs\")\n");
    check(sandbox, 2, "-e start m.o -T s.lds -lf --sysroot=.");
    // Nothing is found where lld finds nothing.
    let before = "-e start m.o -lf -T s.lds --sysroot=. -o none";
    sandbox.ld(before).run().exits(1).says("unable to find library -lf");
    sandbox.ld(&format!("-nostdlib -T s.lds {before}")).run().exits(1).says("unable to find library -lf");
}

fn search_dir_in_an_input_script_is_left_to_lld(sandbox: &Sandbox) {
    library(sandbox);
    sandbox.write("s.lds", "SEARCH_DIR(libs)\n");
    sandbox.write("outer.lds", "INPUT(s.lds)\n");
    for script in ["s.lds", "outer.lds", "-T outer.lds"] {
        let line = format!("-e start m.o {script} -lf");
        let run = sandbox.ld(&format!("{line} -o ours")).ok().says("s.lds adds directories");
        assert_eq!((run.lines_with("thindist: "), run.lines_with("thindist: warning: ")), (1, 1), "{run}");
        sandbox.lld(&format!("{line} -o theirs"));
        assert!(sandbox.read("ours") == sandbox.read("theirs"), "{line}");
        // What -L has comes before what any script adds.
        sandbox.verify_identical(&format!("{line} -L libs"));
    }
}

fn search_directories_as_lld_spells_them(sandbox: &Sandbox) {
    library(sandbox);
    for directory in ["-L libs/", "-L=libs --sysroot .", "-L =/libs --sysroot=.", "-L=libs/ --sysroot=./"] {
        sandbox.verify_identical(&format!("-e start m.o -lf {directory}"));
    }
    // GNU ld's spelling is none of lld's.
    sandbox.ld("m.o -lf -L $SYSROOT/libs --sysroot=. -o none").run().exits(1).says("unable to find library -lf");
}

/// Everything that lld prints or writes beside the output. Addresses and sizes are the same as well.
fn maps_and_messages_name_objects_as_in_process(sandbox: &Sandbox) {
    sandbox.bitcode(&[
        ("x/m.c", "int f(int), g(int), h(int), k(int); int start(int x) { return f(x) + g(x) + h(x) + k(x); }\n"),
        ("y/f.c", "int f(int x) { return x * 5; } int unused(int x) { return x * 11; }\n"),
        ("y/m.c", "__attribute__((noinline)) int h(int x) { return x * 9; }\n"),
        ("z/m.c", "int z(int x) { return x * 9; }\n"),
    ]);
    sandbox.compile("-O2 -flto", "g.c", "int g(int x) { return x * 7; }");
    let functions = "int k(int x) { return x * 3; } int l(int x) { return x; }";
    sandbox.compile("-O2 -ffunction-sections", "y/k.c", functions);
    sandbox.make_directory(sandbox.path("out"));
    sandbox.ar("crs y/liby.a y/f.o y/k.o");
    sandbox.ar("crsT thin.a y/m.o");
    let line =
        format!("-e start ./x//../x/m.o z/m.o -u z {} -Ly -ly thin.a --gc-sections", sandbox.path("g.o").display());
    let reports = "--print-gc-sections --cref --print-map";
    let compare = |line: &str, options: &str, file: &str| {
        let run = sandbox.ld(&format!("{line} {options} -o out/program")).ok();
        let ours = (run.stdout, sandbox.path(file).exists().then(|| sandbox.read(file)));
        let run = sandbox.lld(&format!("{line} {options} -o out/program"));
        let theirs = (run.stdout, sandbox.path(file).exists().then(|| sandbox.read(file)));
        assert!(theirs.0.contains("x/program.lto.m.o") || theirs.1.is_some(), "{options}: {}", theirs.0);
        assert_eq!(ours.0, theirs.0, "{options}");
        assert!(ours.1 == theirs.1, "{options}: {}", String::from_utf8_lossy(&ours.1.unwrap()));
    };
    compare(&line, reports, "none");
    compare(&line, "-M", "none");
    compare(&line, "-Map=-", "none");
    compare(&line, "-Map out.map", "out.map");
    let map = String::from_utf8(sandbox.read("out.map")).unwrap();
    for name in [" x/program.lto.m.o:", " z/program.lto.m.o:", " program.lto.thin.a(m.o at ", " y/liby.a(k.o):"] {
        assert!(map.contains(name), "no `{name}` in {map}");
    }
    if sandbox.llvm() >= 22 {
        compare(&line, "--print-gc-sections=gc.list", "gc.list");
    }
    chain(sandbox);
    compare(&sandbox.linker_line(&format!("-pie {CHAIN_OBJECTS}")), "-Map chain.map", "chain.map");
    // Messages, too.
    let wrong = format!("{line} -u none --unresolved-symbols=report-all x/m.o -o out/none");
    let undefined = "-e start x/m.o y/m.o -o out/none";
    for line in [wrong.as_str(), undefined] {
        let ours = sandbox.ld(line).run().exits(1).stderr;
        let theirs = sandbox.tool(format!("ld.lld-{}", sandbox.llvm())).args(line).run().exits(1).stderr;
        assert_eq!(ours, theirs);
    }
}

/// `archive:member` in a script means those of thin archives, too.
fn natives_of_archives_in_linker_scripts_and_maps(sandbox: &Sandbox) {
    pair(sandbox);
    for name in ["lib/n", "o"] {
        let function = name.rsplit('/').next().unwrap();
        sandbox.compile(
            "-O2 -ffunction-sections",
            &format!("{name}.c"),
            &format!("int {function}(void) {{ return 1; }}"),
        );
    }
    sandbox.ar("crs lib/regular.a b.o lib/n.o o.o");
    sandbox.ar("crsT lib/thin.a b.o lib/n.o o.o");
    for archive in ["regular.a", "thin.a"] {
        let script =
            format!("SECTIONS {{ .one : {{ *{archive}:n.o(.text.*) }} .two : {{ *{archive}:*o.o(.text.*) }} }}\n");
        sandbox.write("s.lds", script);
        let line = format!("-e start a.o -T s.lds --whole-archive lib/{archive}");
        sandbox.verify_identical(&line);
        sandbox.ld(&format!("{line} -o ours -Map=ours.map")).ok();
        sandbox.lld(&format!("{line} -o ours -Map=theirs.map"));
        let (ours, theirs) = (sandbox.read("ours.map"), sandbox.read("theirs.map"));
        assert!(ours == theirs, "{}\n{}", String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs));
        assert!(ours.windows(4).any(|part| part == b".one") && ours.windows(4).any(|part| part == b".two"));
    }
}
