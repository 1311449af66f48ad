//! Code that does not know whether what it names is in its own output: `-fPIE`, the default of distributions'
//! compilers, and `-fPIC` at a fixed address.
//!
//! The thin link knows it of what bitcode defines, and in-process' code then has no access by the GOT.

use super::*;

/// Takes addresses of everything, and calls what is imported and takes more of them.
const MAIN: &str = "\
int printf(const char *, ...); extern char **environ;\n\
extern int variable, weak_here, weak_twice, overridden, hidden, native, of_asm; extern _Thread_local int thread; extern int common;\n\
extern int nowhere __attribute__((weak)); extern int maybe __attribute__((weak)); extern const int table[4];\n\
int function(int), weak_function(int), native_function(int), aliased(int), imported(int **), cold(int);\n\
void *volatile sink; int (*volatile call)(int);\n\
int main(void) {\n\
  int *volatile all[] = {&variable, &weak_here, &weak_twice, &overridden, &hidden, &native, &of_asm, &thread, &common, &maybe};\n\
  int (*volatile calls[])(int) = {function, weak_function, native_function, aliased, cold};\n\
  int sum = &nowhere != 0; sink = &environ; sink = (void *)printf; sink = (void *)&table[sum + 1];\n\
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) sum = sum * 3 + *all[i];\n\
  for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) sum = sum * 3 + calls[i](sum);\n\
  int *third; sum += imported(&third); printf(\"%d %d\\n\", sum, *third + *(const int *)sink); return 0; }";
const HERE: &str = "\
int variable = 1; __attribute__((weak)) int weak_here = 2; __attribute__((weak)) int weak_twice = 3; __attribute__((weak)) int overridden = 4;\n\
__attribute__((visibility(\"hidden\"))) int hidden = 5; _Thread_local int thread = 6; int common; int maybe = 7; const int table[4] = {1, 2, 3, 4};\n\
extern int far; extern int native; extern _Thread_local int far_thread; int far_function(int); extern int (*const far_table[2])(int); char *getenv(const char *);\n\
int imported(int **to) { *to = &far; far_thread++; return (far_function == (int (*)(int))getenv) + native + far_table[far_thread & 1](1); }\n\
__attribute__((noinline)) int function(int n) { return n + variable; }\n\
__attribute__((weak)) int weak_function(int n) { return n * 2; } int aliased(int n) __attribute__((alias(\"function\")));\n\
__asm__(\".data; .globl of_asm; of_asm: .long 9; .text\");";
const FAR: &str = "\
int far = 30; _Thread_local int far_thread = 2; __attribute__((weak)) int weak_twice = 31; int common;\n\
__attribute__((noinline)) int far_function(int n) { return n * 7 + far; }\n\
__attribute__((noinline, cold)) int cold(int n) { return n ^ far; }\n\
int (*const far_table[2])(int) = {far_function, cold};";
const OUTSIDE: &str = "int native = 40; int overridden = 41; int native_function(int n) { return n - native; }";

/// `-fcommon` for the tentative definitions.
const PIE: &str = "-O2 -fPIE -fcommon -flto=thin";
const PIE_BY_GOT: &str = "-O2 -fPIE -fcommon -flto=thin -fno-direct-access-external-data";
const PIC: &str = "-O2 -fPIC -fcommon -flto=thin";
const FIXED: &str = "-O2 -fno-pic -fcommon -flto=thin";

const AS_PIE: &[(&str, &str, &str)] =
    &[("a.c", PIE, MAIN), ("b.c", PIE, HERE), ("c.c", PIE, FAR), ("d.c", "-O2 -fPIE", OUTSIDE)];
const AS_PIC: &[(&str, &str, &str)] =
    &[("a.c", PIC, MAIN), ("b.c", PIC, HERE), ("c.c", PIC, FAR), ("d.c", "-O2 -fPIC", OUTSIDE)];
const MIXED: &[(&str, &str, &str)] =
    &[("a.c", PIE_BY_GOT, MAIN), ("b.c", PIC, HERE), ("c.c", PIE, FAR), ("d.c", "-O2 -fPIC", OUTSIDE)];

rows! {
    pie: Row {
        what: "`-fPIE`, `-fPIC` and `-fno-pic`, by themselves and together",
        files: AS_PIE, archives: &[], reader: Driver, line: "-pie a.o b.o c.o d.o", done: Distributed(3),
    },
    pie_at_a_fixed_address: Row {
        what: "`-fPIE`, `-fPIC` and `-fno-pic`, by themselves and together",
        files: AS_PIE, archives: &[], reader: Driver, line: "-no-pie d.o a.o b.o c.o", done: Distributed(3),
    },
    static_pie: Row {
        what: "`-fPIE`, `-fPIC` and `-fno-pic`, by themselves and together",
        files: AS_PIE, archives: &["crs lib.a b.o c.o d.o"], reader: Driver, line: "-static-pie a.o lib.a", done: Distributed(3),
    },
    pic: Row {
        what: "`-fPIE`, `-fPIC` and `-fno-pic`, by themselves and together",
        files: AS_PIC, archives: &[], reader: Driver, line: "-pie a.o b.o c.o d.o", done: Distributed(3),
    },
    pic_at_a_fixed_address: Row {
        what: "`-fPIE`, `-fPIC` and `-fno-pic`, by themselves and together",
        files: AS_PIC, archives: &[], reader: Driver, line: "-no-pie a.o b.o c.o d.o", done: Distributed(3),
    },
    pic_in_a_library: Row {
        what: "`-fPIE`, `-fPIC` and `-fno-pic`, by themselves and together",
        files: AS_PIC, archives: &[], reader: Linker, line: "-shared a.o b.o c.o d.o", done: Distributed(3),
    },
    natives_in_a_library: Row {
        what: "`-fPIE`, `-fPIC` and `-fno-pic`, by themselves and together",
        files: &[
            ("a.c", PIE, "int printf(const char *, ...); extern char **environ; extern int one; int two(void); void *volatile sink;\n\
             int main(void) { sink = &environ; sink = (void *)printf; sink = (void *)two; sink = &one; return printf(\"%d\\n\", *(int *)sink + two()) < 0; }"),
            ("b.c", PIE, "extern char **environ; int one = 1; int two(void) { return environ != 0; }"),
        ],
        archives: &[], reader: Driver, line: "-pie a.o b.o", done: Distributed(2),
    },
    mixed: Row {
        what: "`-fPIE`, `-fPIC` and `-fno-pic`, by themselves and together",
        files: MIXED, archives: &[], reader: Driver, line: "-pie a.o b.o c.o d.o", done: Distributed(3),
    },
    mixed_at_a_fixed_address: Row {
        what: "`-fPIE`, `-fPIC` and `-fno-pic`, by themselves and together",
        files: MIXED, archives: &[], reader: Driver, line: "-no-pie a.o b.o c.o d.o", done: Distributed(3),
    },
    fixed: Row {
        what: "`-fPIE`, `-fPIC` and `-fno-pic`, by themselves and together",
        files: &[("a.c", FIXED, MAIN), ("b.c", PIE, HERE), ("c.c", FIXED, FAR), ("d.c", "-O2 -fno-pic", OUTSIDE)],
        archives: &[], reader: Driver, line: "-no-pie a.o b.o c.o d.o", done: Distributed(3),
    },
}
