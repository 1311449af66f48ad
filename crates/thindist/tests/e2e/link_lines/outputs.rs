//! What is linked.

use super::*;

/// A program that takes from the C library functions, variables and what only code generation calls.
const FILES: &[(&str, &str, &str)] = &[
    (
        "main.c",
        THIN,
        "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n\
         struct big { char text[600]; }; int middle(int); extern char **environ; __attribute__((weak)) int absent(void);\n\
         int main(int n, char **v) { struct big *b = calloc(1, sizeof *b); strcpy(b->text, \"text\"); struct big c = *b; free(b);\n\
         printf(\"%d %s %d\\n\", middle(n), c.text, environ != 0); fprintf(stderr, \"%p\", (void *)v); return absent ? absent() : 0; }",
    ),
    (
        "middle.c",
        THIN,
        "#include <stdlib.h>\nint native(int); int middle(int x) { return native(x) * abs(x - 9) + atoi(\"7\"); }",
    ),
    (
        "native.c",
        NATIVE,
        "#include <unistd.h>\nint other(int); int native(int x) { return x + (getpid() > 0) + other(x); }",
    ),
    ("other.c", THIN, "#include <errno.h>\nint other(int x) { return errno + x; }"),
];

rows! {
    pie: Row {
        what: "`-pie`", files: FILES, archives: &[], reader: Driver, line: "-pie main.o middle.o native.o other.o", done: Distributed(3),
    },
    no_pie: Row {
        what: "`-no-pie`", files: FILES, archives: &[], reader: Driver, line: "-no-pie main.o middle.o native.o other.o", done: Distributed(3),
    },
    fully_static: Row {
        what: "`-static`, with members that are loaded for LTO objects",
        files: FILES, archives: &[], reader: Driver, line: "-static main.o middle.o native.o other.o", done: Distributed(3),
    },
    static_pie: Row {
        what: "`-static-pie`", files: FILES, archives: &[], reader: Driver, line: "-static-pie main.o middle.o native.o other.o", done: Distributed(3),
    },
    shared: Row {
        what: "`-shared`", files: FILES, archives: &[], reader: Linker, line: "-shared main.o middle.o native.o other.o", done: Distributed(3),
    },
    relocatable: Row {
        what: "`-r`", files: FILES, archives: &[], reader: Linker, line: "-r main.o middle.o native.o other.o", done: Distributed(3),
    },
}
