//! Options that have to do with symbols and sections.

use super::*;

const MAIN: (&str, &str, &str) = (
    "main.c",
    THIN,
    "int printf(const char *, ...); int f(int), g(int); int main(int n, char **v) { (void)v; printf(\"%d %d\\n\", f(n), g(n)); return 0; }",
);
const F: (&str, &str, &str) = ("f.c", THIN, "int f(int x) { return x * 3; } int unused_f(int x) { return x * 5; }");
const G: (&str, &str, &str) = (
    "g.c",
    "-O2 -fPIC -ffunction-sections",
    "int f(int); int g(int x) { return f(x) + 40; } int unused_g(int x) { return f(x) + 41; }",
);
const FILES: &[(&str, &str, &str)] = &[MAIN, F, G];
const SAME: (&str, &str, &str) = (
    "same.c",
    THIN,
    "__attribute__((noinline)) int one(int x) { return x * 77 / 5; } __attribute__((noinline)) int two(int x) { return x * 77 / 5; }\n\
     int f(int x) { return one(x) + two(x); }",
);

rows! {
    gc_sections: Row {
        what: "`--gc-sections`", files: FILES, archives: &[], reader: Driver, line: "-Wl,--gc-sections main.o g.o f.o", done: Distributed(2),
    },
    icf_all: Row {
        what: "`--icf=all`", files: &[MAIN, SAME, G], archives: &[],
        reader: Driver, line: "-Wl,--icf=all main.o g.o same.o", done: Distributed(2),
    },
    icf_safe: Row {
        what: "`--icf=safe`", files: &[MAIN, SAME, G], archives: &[],
        reader: Driver, line: "-Wl,--icf=safe -pie main.o g.o same.o", done: Distributed(2),
    },
    version_script: Row {
        what: "`--version-script`",
        files: &[MAIN, F, G, ("v.ver", "", "ONE { global: f; g; local: *; }; TWO { global: main; };\n")], archives: &[],
        reader: Linker, line: "-shared main.o g.o f.o --version-script=v.ver -soname=libx.so", done: Distributed(2),
    },
    symbol_versions: Row {
        what: "`.symver` in native objects and in bitcode",
        files: &[
            MAIN, ("f.c", THIN, "__asm__(\".symver f_old, f@ONE\"); int f_old(int x) { return x; } int f(int x) { return x * 3; }"),
            ("g.c", NATIVE, "__asm__(\".symver g_new, g@@TWO\"); int f(int); int g_new(int x) { return f(x) + 40; }"),
            ("v.ver", "", "ONE { global: f; local: *; }; TWO { global: g; f; };\n"),
        ],
        archives: &[], reader: Linker, line: "-shared main.o g.o f.o --version-script=v.ver", done: Distributed(2),
    },
    wrap: Row {
        what: "`--wrap` of what natives or libraries define",
        files: &[
            MAIN, F, ("g.c", NATIVE, "int f(int); int g(int x) { return f(x) + 40; }"),
            ("w.c", THIN, "int __real_g(int); int __wrap_g(int x) { return __real_g(x) + 2000; }"),
            ("w2.c", NATIVE, "int __real_printf(const char *, ...); int __wrap_printf(const char *f, int a, int b) { return __real_printf(f, a + 1, b); }"),
        ],
        archives: &[], reader: Driver, line: "-Wl,--wrap=printf -Wl,--wrap,g main.o g.o f.o w.o w2.o", done: Distributed(3),
    },
    wrap_bitcode: Row {
        what: "`--wrap` of what bitcode defines",
        files: &[MAIN, F, G, ("w.c", NATIVE, "int __real_f(int); int __wrap_f(int x) { return __real_f(x) + 1000; }")],
        archives: &[], reader: Driver, line: "-Wl,--wrap=f main.o g.o f.o w.o", done: InProcess("--wrap"),
    },
    defsym: Row {
        what: "`--defsym`",
        files: &[MAIN, F, ("k.c", THIN, "int helper(int x) { return x + 2; }")], archives: &[],
        reader: Driver, line: "-Wl,--defsym=g=helper -Wl,--defsym=five=5 main.o f.o k.o", done: Distributed(3),
    },
    export_dynamic: Row {
        what: "`--export-dynamic`, `--export-dynamic-symbol`, `--dynamic-list`",
        files: &[MAIN, F, G, ("d.list", "", "{ unused_f; };\n")], archives: &[],
        reader: Driver,
        line: "-Wl,--export-dynamic -Wl,--export-dynamic-symbol=unused_g -Wl,--dynamic-list=d.list main.o g.o f.o", done: Distributed(2),
    },
    undefined: Row {
        what: "`-u`",
        files: FILES, archives: &["crs lib.a f.o"], reader: Driver, line: "-Wl,-u,unused_f -Wl,--undefined=nowhere main.o g.o lib.a", done: Distributed(2),
    },
    exclude_libs: Row {
        what: "`--exclude-libs`",
        files: FILES, archives: &["crs lib.a f.o g.o"],
        reader: Driver, line: "-Wl,--export-dynamic -Wl,--exclude-libs,lib.a main.o lib.a", done: Distributed(2),
    },
    exclude_all_libs: Row {
        what: "`--exclude-libs=ALL`",
        files: FILES, archives: &["crs one.a f.o", "crs two.a g.o"],
        reader: Linker, line: "-shared -u main --exclude-libs=ALL main.o one.a two.a", done: Distributed(2),
    },
    exclude_libs_and_regular_lto: Row {
        what: "`--exclude-libs` beside regular LTO",
        files: &[MAIN, ("f.c", FULL, F.2), G], archives: &["crs lib.a f.o g.o"],
        reader: Driver, line: "-Wl,--exclude-libs,lib.a main.o lib.a", done: InProcess("--exclude-libs"),
    },
    build_id: Row {
        what: "`--build-id`", files: FILES, archives: &[], reader: Driver, line: "-Wl,--build-id=sha1 main.o g.o f.o", done: Distributed(2),
    },
    symbolic: Row {
        what: "`-Bsymbolic`, `-z` options, `--hash-style`", files: FILES, archives: &[],
        reader: Linker, line: "-shared -Bsymbolic -z now -z relro --hash-style=both --pack-dyn-relocs=relr main.o g.o f.o",
        done: Distributed(2),
    },
    linker_script: Row {
        what: "`-T` script with sections of archive members",
        files: &[
            MAIN, F, G, ("s.lds", "", "SECTIONS { .text : { *(.text .text.*) } .special : { *lib.a:g.o(.data .data.*) } .data : { *(.data .data.*) } }\n"),
        ],
        archives: &["crs lib.a f.o g.o"],
        reader: Linker, line: "-e main --unresolved-symbols=ignore-all -T s.lds main.o lib.a", done: Distributed(2),
    },
    linker_script_with_paths: Row {
        what: "`-T` script with a pattern that holds the path of an archive or of an LTO object",
        files: &[
            MAIN, F, ("lib/g.c", G.1, G.2), ("s.lds", "", "SECTIONS { .special : { lib/lib.a:g.o(.text .text.*) } .text : { *(.text .text.*) } }\n"),
        ],
        archives: &["crs lib/lib.a f.o lib/g.o"],
        reader: Linker, line: "-e main --unresolved-symbols=ignore-all -T s.lds main.o lib/lib.a",
        done: InProcess("its pattern `lib/lib.a:g.o`"),
    },
    optimisation_levels: Row {
        what: "`--lto-O3`", files: FILES, archives: &[], reader: Driver, line: "-Wl,--lto-O3 main.o g.o f.o", done: Distributed(2),
    },
    code_generation_level: Row {
        what: "`--lto-O1` without `--lto-CGO1`", files: FILES, archives: &[],
        reader: Driver, line: "-Wl,--lto-O1 main.o g.o f.o", done: InProcess("--lto-O1"),
    },
    save_temps: Row {
        what: "`--save-temps`", files: FILES, archives: &[],
        reader: Driver, line: "-Wl,--save-temps main.o g.o f.o", done: InProcess("--save-temps"),
    },
    emit_asm: Row {
        what: "`--lto-emit-asm`, `--lto-emit-llvm`", files: FILES, archives: &[],
        reader: Linker, line: "--lto-emit-llvm main.o g.o f.o", done: InProcess("--lto-emit-llvm"),
    },
    time_trace: Row {
        what: "`--time-trace`", files: FILES, archives: &[],
        reader: Driver, line: "-Wl,--time-trace main.o g.o f.o", done: InProcess("--time-trace"),
    },
    remarks: Row {
        what: "`--opt-remarks-filename`", files: FILES, archives: &[],
        reader: Driver, line: "-Wl,--opt-remarks-filename,r.yml main.o g.o f.o", done: InProcess("--opt-remarks-filename"),
    },
    pass_plugins: Row {
        what: "`--lto-newpm-passes`", files: FILES, archives: &[],
        reader: Linker, line: "-r --lto-newpm-passes=default<O1> main.o g.o f.o", done: InProcess("--lto-newpm-passes"),
    },
    dwo_directory: Row {
        what: "`--plugin-opt=dwo_dir=`", files: FILES, archives: &[],
        reader: Driver, line: "-Wl,--plugin-opt=dwo_dir=dwo main.o g.o f.o", done: InProcess("dwo_dir"),
    },
    remapped_inputs: Row {
        what: "`--remap-inputs`", files: FILES, archives: &[],
        reader: Linker, line: "-r --remap-inputs=x.o=f.o main.o g.o x.o", done: InProcess("it renames inputs"),
    },
}
