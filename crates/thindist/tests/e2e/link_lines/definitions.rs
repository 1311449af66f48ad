//! Definitions of every kind, in bitcode and in native objects.

use super::*;

const MAIN: (&str, &str, &str) = (
    "main.c",
    THIN,
    "int printf(const char *, ...); int f(void), g(void); int main(void) { printf(\"%d %d\\n\", f(), g()); return 0; }",
);
/// A class of which both sides have everything, and each says where it is.
macro_rules! class {
    ($text:literal) => {
        concat!(
            "struct Base { virtual int id() const; int data; };\n",
            "template <class T> struct Box : Base { T value; static int count; explicit Box(T v) : value(v) { count++; }\n",
            "  int id() const override { return (int)sizeof(T) + count; } };\n",
            "template <class T> int Box<T>::count = WHERE;\n",
            "inline int Base::id() const { return 1; }\n",
            "inline int &shared() { static int number = WHERE * 10; return ++number; }\n",
            "__attribute__((noinline)) inline int where() { return WHERE; }\n",
            $text
        )
    };
}

const CPP_FIRST: &str = class!(
    "extern \"C\" int printf(const char *, ...); Base *other(); int more();\n\
     int main() { Box<int> mine(1); Base *theirs = other(); Base *own = &mine;\n\
     printf(\"%d %d %d %d %d\\n\", own->id(), theirs->id(), shared(), where(), more()); return 0; }"
);
const CPP_SECOND: &str = class!(
    "static Box<int> box(2); static Box<char> small(3); Base *other() { return where() > 100 ? (Base *)&small : &box; } int more() { return shared() + where(); }"
);
const CPP_THIN_1: &str = "-O2 -fPIC -flto=thin -DWHERE=1 -std=c++17 -fno-rtti -fno-threadsafe-statics";
const CPP_THIN_2: &str = "-O2 -fPIC -flto=thin -DWHERE=2 -std=c++17 -fno-rtti -fno-threadsafe-statics";
const CPP_NATIVE_1: &str = "-O2 -fPIC -DWHERE=1 -std=c++17 -fno-rtti -fno-threadsafe-statics";
const CPP_NATIVE_2: &str = "-O2 -fPIC -DWHERE=2 -std=c++17 -fno-rtti -fno-threadsafe-statics";

/// References that say who sees a symbol, and that are no more when LTO has seen `flag`.
const NARROW: &str = "\
extern int far __attribute__((visibility(\"hidden\"))), near __attribute__((visibility(\"protected\"))); int flag(void);\n\
int of_archive(void) __attribute__((visibility(\"hidden\")));\n\
int use(void) { if (flag()) return far + near + of_archive(); return 7; }";
const FLAG: &str = "int flag(void) { return 0; }";
const WIDE: &str = "int far = 5, near = 6; int also(void) { return far + near; }";
const NARROWED: &[(&str, &str, &str)] = &[
    ("a.c", THIN, NARROW),
    ("b.c", THIN, FLAG),
    ("n.c", NATIVE, WIDE),
    ("m.c", NATIVE, "int of_archive(void) { return 8; }"),
    (
        "main.c",
        THIN,
        "int printf(const char *, ...); int use(void); int main(void) { printf(\"%d\\n\", use()); return 0; }",
    ),
];

rows! {
    hidden_in_bitcode_alone: Row {
        what: "symbols that only references in bitcode hide", files: NARROWED, archives: &["crs lib.a m.o"], reader: Linker,
        line: "-shared a.o b.o n.o lib.a", done: Distributed(2),
    },
    hidden_in_bitcode_alone_of_a_program: Row {
        what: "symbols that only references in bitcode hide", files: NARROWED, archives: &["crsT lib.a m.o"], reader: Driver,
        line: "-Wl,--export-dynamic main.o n.o a.o b.o lib.a", done: Distributed(3),
    },
    hidden_in_bitcode_alone_and_kept: Row {
        what: "symbols that only references in bitcode hide", files: NARROWED, archives: &["crs lib.a m.o"], reader: Linker,
        line: "-r n.o a.o b.o lib.a", done: Distributed(2),
    },
    hidden_by_one_of_two_modules: Row {
        what: "symbols that only references in bitcode hide",
        files: &[
            ("a.c", THIN, NARROW), ("b.c", THIN, FLAG), ("c.c", THIN, WIDE), ("d.c", FULL, "int of_archive(void) { return 8; }"),
        ],
        archives: &[], reader: Linker, line: "-shared a.o b.o c.o d.o", done: Distributed(3),
    },
    weak_in_bitcode_first: Row {
        what: "weak definitions in bitcode and in native objects",
        files: &[
            MAIN, ("a.c", THIN, "__attribute__((weak)) int f(void) { return 1; } __attribute__((weak)) int v = 1;"),
            ("b.c", NATIVE, "__attribute__((weak)) int f(void) { return 2; } __attribute__((weak)) int v = 2; int g(void) { return v * 10 + f(); }"),
        ],
        archives: &[], reader: Driver, line: "main.o a.o b.o", done: Distributed(2),
    },
    weak_in_native_first: Row {
        what: "weak definitions in bitcode and in native objects",
        files: &[
            MAIN, ("a.c", THIN, "__attribute__((weak)) int f(void) { return 1; } __attribute__((weak)) int v = 1;"),
            ("b.c", NATIVE, "__attribute__((weak)) int f(void) { return 2; } __attribute__((weak)) int v = 2; int g(void) { return v * 10 + f(); }"),
        ],
        archives: &[], reader: Driver, line: "b.o main.o a.o", done: Distributed(2),
    },
    weak_in_a_relocatable_output: Row {
        what: "weak definitions in bitcode and in native objects",
        files: &[
            MAIN, ("a.c", THIN, "__attribute__((weak)) int f(void) { return 1; }"),
            ("b.c", NATIVE, "__attribute__((weak)) int f(void) { return 2; } int g(void) { return f(); }"),
        ],
        archives: &[], reader: Linker, line: "-r main.o a.o b.o", done: Distributed(2),
    },
    weak_in_archive_members: Row {
        what: "weak definitions in bitcode and in native objects",
        files: &[
            MAIN, ("a.c", THIN, "__attribute__((weak)) int f(void) { return 1; }"),
            ("b.c", NATIVE, "__attribute__((weak)) int f(void) { return 2; } int g(void) { return f(); }"),
        ],
        archives: &["crs lib.a a.o b.o"], reader: Driver, line: "main.o lib.a", done: Distributed(2),
    },
    strong_in_bitcode: Row {
        what: "a strong definition beside weak ones",
        files: &[
            MAIN, ("a.c", THIN, "int f(void) { return 1; }"),
            ("b.c", NATIVE, "__attribute__((weak)) int f(void) { return 2; } int g(void) { return f(); }"),
        ],
        archives: &[], reader: Driver, line: "b.o main.o a.o", done: Distributed(2),
    },
    strong_in_native: Row {
        what: "a strong definition beside weak ones",
        files: &[
            MAIN, ("a.c", THIN, "__attribute__((weak)) int f(void) { return 1; }"),
            ("b.c", NATIVE, "int f(void) { return 2; } int g(void) { return f(); }"),
        ],
        archives: &[], reader: Driver, line: "main.o a.o b.o", done: Distributed(2),
    },
    comdat_in_bitcode_first: Row {
        what: "C++: COMDAT groups in bitcode and in native objects",
        files: &[("a.cpp", CPP_THIN_1, CPP_FIRST), ("b.cpp", CPP_NATIVE_2, CPP_SECOND)],
        archives: &[], reader: Driver, line: "a.o b.o", done: Distributed(1),
    },
    comdat_in_native_first: Row {
        what: "C++: COMDAT groups in bitcode and in native objects",
        files: &[("a.cpp", CPP_NATIVE_1, CPP_FIRST), ("b.cpp", CPP_THIN_2, CPP_SECOND)],
        archives: &[], reader: Driver, line: "a.o b.o", done: Distributed(1),
    },
    comdat_in_between: Row {
        what: "C++: COMDAT groups in bitcode and in native objects",
        files: &[
            ("a.cpp", CPP_THIN_1, CPP_FIRST), ("b.cpp", CPP_NATIVE_2, CPP_SECOND),
            ("c.cpp", "-O2 -fPIC -DWHERE=3 -std=c++17 -fno-rtti -fno-threadsafe-statics -g", class!("int third() { Box<long> l(2); Base *b = &l; return b->id() + shared() + where(); }")),
            ("d.cpp", "-O2 -fPIC -flto=thin -DWHERE=4 -std=c++17 -fno-rtti -fno-threadsafe-statics", class!("int fourth() { Box<long> l(3); Base *b = &l; return b->id() + shared() + where(); }")),
        ],
        archives: &["crs lib.a b.o d.o"],
        reader: Driver, line: "-Wl,--gc-sections c.o a.o -Wl,--whole-archive lib.a -Wl,--no-whole-archive -Wl,--export-dynamic", done: Distributed(2),
    },
    comdat_only_in_bitcode: Row {
        what: "C++: COMDAT groups in bitcode alone",
        files: &[("a.cpp", CPP_THIN_1, CPP_FIRST), ("b.cpp", CPP_THIN_2, CPP_SECOND)],
        archives: &[], reader: Driver, line: "a.o b.o", done: Distributed(2),
    },
    comdat_in_a_relocatable_output: Row {
        what: "C++: COMDAT groups in bitcode and in native objects, with `-r`",
        files: &[("a.cpp", CPP_THIN_1, CPP_FIRST), ("b.cpp", CPP_NATIVE_2, CPP_SECOND)],
        archives: &[], reader: Linker, line: "-r a.o b.o", done: InProcess("the output keeps groups"),
    },
    common: Row {
        what: "common symbols",
        files: &[
            MAIN, ("a.c", "-O2 -fPIC -flto=thin -fcommon", "int bitcode_only; int f(void) { return bitcode_only += 2; }"),
            ("b.c", "-O2 -fPIC -fcommon", "int native_only; int g(void) { return native_only += 3; }"),
        ],
        archives: &[], reader: Driver, line: "main.o a.o b.o", done: Distributed(2),
    },
    common_in_both: Row {
        what: "the same common symbol in bitcode and in native objects",
        files: &[
            MAIN, ("a.c", "-O2 -fPIC -flto=thin -fcommon", "int both; int f(void) { return both += 2; }"),
            ("b.c", "-O2 -fPIC -fcommon", "int both; int g(void) { return both += 3; }"),
        ],
        archives: &[], reader: Driver, line: "main.o a.o b.o", done: InProcess("both define `both`"),
    },
    ifuncs: Row {
        what: "ifuncs",
        files: &[
            MAIN, ("a.c", THIN, "static int one(void) { return 1; } static int (*pick(void))(void) { return one; } int f(void) __attribute__((ifunc(\"pick\")));"),
            ("b.c", NATIVE, "static int two(void) { return 2; } static int (*pick(void))(void) { return two; } int g(void) __attribute__((ifunc(\"pick\")));"),
        ],
        archives: &[], reader: Driver, line: "main.o a.o b.o", done: Distributed(2),
    },
    thread_local: Row {
        what: "thread-local variables",
        files: &[
            MAIN, ("a.c", THIN, "__thread int mine = 4; extern __thread int theirs; static __thread int zero; int f(void) { return mine + theirs + zero++; }"),
            ("b.c", NATIVE, "__thread int theirs = 6; extern __thread int mine; int g(void) { return theirs * mine; }"),
        ],
        archives: &[], reader: Driver, line: "main.o a.o b.o", done: Distributed(2),
    },
    aliases: Row {
        what: "aliases and hidden symbols",
        files: &[
            MAIN, ("a.c", THIN, "int real_f(void) { return 7; } extern int f(void) __attribute__((alias(\"real_f\"), weak)); __attribute__((visibility(\"hidden\"))) int inner = 3;"),
            ("b.c", NATIVE, "extern int inner __attribute__((visibility(\"hidden\"))); int g(void) { return inner; }"),
        ],
        archives: &[], reader: Driver, line: "main.o a.o b.o", done: Distributed(2),
    },
    constructors: Row {
        what: "constructors of members whose reference LTO removes",
        files: &[
            ("main.c", THIN, "int puts(const char *); extern int hook; int unused(void) { return hook; } int main(void) { puts(\"main\"); return 0; }"),
            ("hook.c", NATIVE, "int puts(const char *); int hook; __attribute__((constructor)) static void early(void) { puts(\"early\"); }"),
            ("also.c", THIN, "int puts(const char *); __attribute__((constructor(200))) static void also(void) { puts(\"also\"); }"),
        ],
        archives: &["crs lib.a hook.o"], reader: Driver, line: "main.o lib.a also.o", done: Distributed(2),
    },
    library_functions_in_bitcode: Row {
        what: "functions that only code generation calls, in an archive of bitcode",
        files: &[
            ("start.c", "-O2 -flto=thin -fno-builtin", "struct big { char text[4000]; }; extern struct big a, b; int start(void) { a = b; return a.text[5]; }"),
            ("data.c", "-O2 -flto=thin", "struct big { char text[4000]; }; struct big a, b = { \"text\" };"),
            ("memcpy.c", "-O2 -flto=thin -ffreestanding", "void *memcpy(void *to, const void *from, unsigned long n) { for (char *t = to; n--;) *t++ = *(const char *)from; return to; }"),
            ("memset.c", "-O2 -flto=thin -ffreestanding", "void *memset(void *to, int c, unsigned long n) { for (char *t = to; n--;) *t++ = (char)c; return to; }"),
        ],
        archives: &["crs libc.a memcpy.o memset.o"], reader: Linker, line: "-e start start.o data.o libc.a", done: Distributed(4),
    },
    library_functions_in_natives: Row {
        what: "functions that only code generation calls, in an archive of native objects",
        files: &[
            ("start.c", "-O2 -flto=thin", "struct big { char text[4000]; }; extern struct big a, b; int start(void) { a = b; return a.text[5]; }"),
            ("data.c", "-O2 -flto=thin", "struct big { char text[4000]; }; struct big a, b = { \"text\" };"),
            ("memcpy.c", "-O2 -ffreestanding -fno-builtin", "int copies; void note(void); void *memcpy(void *to, const void *from, unsigned long n) { note(); for (volatile char *t = to; n--;) *t++ = *(const char *)from; return to; }"),
            ("note.c", "-O2", "extern int copies; void note(void) { copies++; }"),
        ],
        archives: &["crs libc.a memcpy.o note.o"], reader: Linker, line: "-e start start.o data.o libc.a", done: Distributed(2),
    },
}
