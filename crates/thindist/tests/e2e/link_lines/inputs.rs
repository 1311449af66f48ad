//! Where inputs come from.

use super::*;

/// Prints what `f` and `g` give.
const MAIN: (&str, &str, &str) = (
    "main.c",
    THIN,
    "int printf(const char *, ...); int f(int), g(int);\n\
     int main(int n, char **v) { printf(\"%d %d %s\\n\", f(n), g(n), v[0] ? \"ok\" : \"\"); return 0; }",
);
const F: (&str, &str, &str) = ("f.c", THIN, "int puts(const char *); int f(int x) { return x * 3 + puts(\"f\"); }");
const G: (&str, &str, &str) = ("g.c", NATIVE, "int f(int); int g(int x) { return f(x) + 40; }");
const G_THIN: (&str, &str, &str) = ("g.c", THIN, "int f(int); int g(int x) { return f(x) + 40; }");
/// Never wanted.
const UNUSED: (&str, &str, &str) = ("unused.c", THIN, "int f(int); int unused(int x) { return f(x) + 9; }");

rows! {
    objects: Row {
        what: "objects, native ones among them",
        files: &[MAIN, F, G], archives: &[], reader: Driver, line: "main.o g.o f.o", done: Distributed(2),
    },
    archives_by_path: Row {
        what: "archives by path, with native members",
        files: &[MAIN, F, G, UNUSED], archives: &["crs lib.a unused.o g.o f.o"],
        reader: Driver, line: "main.o lib.a", done: Distributed(2),
    },
    thin_archives: Row {
        what: "thin archives",
        files: &[MAIN, F, G, UNUSED], archives: &["crsT lib.a unused.o g.o f.o"],
        reader: Driver, line: "main.o lib.a", done: Distributed(2),
    },
    nested_thin_archives: Row {
        what: "thin archives made of thin archives",
        files: &[MAIN, F, G], archives: &["crsT inner.a f.o", "crsT lib.a inner.a g.o"],
        reader: Driver, line: "main.o lib.a", done: Distributed(2),
    },
    members_of_equal_names: Row {
        what: "archive members of equal names",
        files: &[MAIN, ("one/x.c", THIN, F.2), ("two/x.c", THIN, G.2)], archives: &["qcs lib.a one/x.o two/x.o"],
        reader: Driver, line: "main.o lib.a", done: Distributed(3),
    },
    members_of_equal_names_of_both_kinds: Row {
        what: "archive members of equal names, one native and one bitcode",
        files: &[MAIN, ("one/x.c", THIN, F.2), ("two/x.c", NATIVE, G.2)], archives: &["qcs lib.a one/x.o two/x.o"],
        reader: Driver, line: "main.o lib.a", done: Distributed(2),
    },
    members_of_equal_names_of_which_one_is_linked: Row {
        what: "archive members of equal names, one native and one bitcode, of which some are linked",
        files: &[MAIN, G, ("one/x.c", NATIVE, F.2), ("two/x.c", THIN, "int f(int x) { return x; } int spare(void) { return 1; }")],
        archives: &["qcs lib.a one/x.o two/x.o"], reader: Driver, line: "main.o g.o lib.a", done: InProcess("lld has loaded this bitcode, but not as a module of ThinLTO"),
    },
    native_members_of_equal_names: Row {
        what: "native archive members of equal names of which some are linked",
        files: &[MAIN, F, ("one/x.c", NATIVE, G.2), ("two/x.c", NATIVE, "int two;")],
        archives: &["qcs lib.a one/x.o two/x.o"],
        reader: Driver, line: "main.o f.o lib.a", done: InProcess("several members of the archive have this name"),
    },
    empty_archives: Row {
        what: "archives without members",
        files: &[MAIN, F, G], archives: &["crs empty.a", "crsT thin.a"],
        reader: Driver, line: "main.o empty.a g.o thin.a f.o -Wl,--whole-archive empty.a -Wl,--no-whole-archive",
        done: Distributed(2),
    },
    libraries: Row {
        what: "`-l`, `-L`, `-Bstatic`",
        files: &[MAIN, F, G], archives: &["crs libone.a f.o", "crs libtwo.a g.o"],
        reader: Driver, line: "main.o -L. -Wl,-Bstatic -ltwo -Wl,-Bdynamic -lone", done: Distributed(2),
    },
    libraries_by_file_name: Row {
        what: "`-l:file`",
        files: &[MAIN, F, G], archives: &["crs one.a f.o"], reader: Driver, line: "main.o -L. g.o -l:one.a",
        done: Distributed(2),
    },
    sysroot: Row {
        what: "`--sysroot` with `-L=`",
        files: &[MAIN, F, G], archives: &["crs libone.a f.o"],
        reader: Linker, line: "-e main --unresolved-symbols=ignore-all main.o g.o --sysroot=. -L=/ -lone", done: Distributed(2),
    },
    start_lib: Row {
        what: "`--start-lib`",
        files: &[MAIN, F, G, UNUSED, ("spare.c", NATIVE, "int spare(void) { return 1; }")], archives: &[],
        reader: Driver, line: "main.o -Wl,--start-lib unused.o g.o spare.o f.o -Wl,--end-lib", done: Distributed(2),
    },
    whole_archive: Row {
        what: "`--whole-archive`",
        files: &[MAIN, F, G, UNUSED], archives: &["crs lib.a unused.o g.o f.o"],
        reader: Driver, line: "main.o -Wl,--whole-archive lib.a -Wl,--no-whole-archive", done: Distributed(3),
    },
    scripts_that_name_files: Row {
        what: "linker scripts that only name files: `INPUT`, `GROUP`, `AS_NEEDED`",
        files: &[
            MAIN, F, G, UNUSED,
            ("all.lds", "", "INPUT(main.o) /* all */ GROUP(g.o lib.a AS_NEEDED(-lc)) INPUT(inner.lds)"),
            ("inner.lds", "", "INPUT(-lsecond)"),
        ],
        archives: &["crs lib.a unused.o", "crs libsecond.a f.o"],
        reader: Driver, line: "-L. all.lds", done: Distributed(2),
    },
    scripts_that_say_more: Row {
        what: "linker scripts among the inputs that name objects and say more",
        files: &[MAIN, F, G, ("all.lds", "", "INPUT(g.o) five = 5;")], archives: &[],
        reader: Driver, line: "main.o all.lds f.o", done: InProcess("says more than names"),
    },
    fat_objects: Row {
        what: "FatLTO objects with `--fat-lto-objects`",
        files: &[
            ("main.c", "-O2 -fPIC -flto=thin -ffat-lto-objects", MAIN.2), ("f.c", "-O2 -fPIC -flto=thin -ffat-lto-objects", F.2), G,
        ],
        archives: &["crs lib.a f.o g.o"],
        reader: Driver, line: "-Wl,--fat-lto-objects main.o lib.a", done: Distributed(2),
    },
    fat_objects_as_native_ones: Row {
        what: "FatLTO objects without it, as native ones",
        files: &[MAIN, ("f.c", "-O2 -fPIC -flto=thin -ffat-lto-objects", F.2), G], archives: &[],
        reader: Driver, line: "main.o f.o g.o", done: Distributed(1),
    },
    binary_data: Row {
        what: "`--format=binary`",
        files: &[
            ("main.c", THIN, "int puts(const char *); extern char _binary_text_start[]; int main(void) { return puts(_binary_text_start) < 0; }"),
            ("text", "", "some data\0"),
        ],
        archives: &[], reader: Driver, line: "main.o -Wl,--format=binary text -Wl,--format=default", done: Distributed(1),
    },
    windows_quoting: Row {
        what: "response files with `--rsp-quoting=windows`",
        files: &[MAIN, F, G, ("sub\\dir/x.c", THIN, "int x;"), ("line.rsp", "", "-r \"main.o\" sub\\dir/x.o f.o g.o")], archives: &[],
        reader: Linker, line: "--rsp-quoting=windows @line.rsp", done: Distributed(3),
    },
    dependent_libraries: Row {
        what: "libraries that an object names itself",
        files: &[
            MAIN, F, G_THIN, ("native.c", NATIVE, "#pragma comment(lib, \"extra\")\nint extra(void); int native(void) { return extra(); }"),
            ("extra.c", NATIVE, "int extra(void) { return 1; }"),
        ],
        archives: &["crs libextra.a extra.o"], reader: Driver, line: "-L. main.o g.o native.o f.o", done: InProcess("an object names this library"),
    },
}
