//! Kinds of bitcode.

use super::*;

const MAIN: (&str, &str, &str) = (
    "main.c",
    THIN,
    "int printf(const char *, ...); int f(int), g(int); int main(int n, char **v) { (void)v; printf(\"%d %d\\n\", f(n), g(n)); return 0; }",
);
const F: &str = "int g(int); int f(int x) { return x * 3 + g(x); }";
const G: &str = "int g(int x) { return x + 40; }";

/// Virtual functions of which the linker sees all classes.
macro_rules! with_shapes {
    ($text:literal) => {
        concat!(
            "struct Shape { virtual int area(int) const; virtual int twice(int) const; };\n",
            "struct Square : Shape { int area(int) const override; };\n",
            "Shape *make(); extern \"C\" int printf(const char *, ...);\n",
            $text
        )
    };
}
const CALLER: &str = with_shapes!(
    "int main(int n, char **) { Shape *s = make(); printf(\"%d %d\\n\", s->area(n), s->twice(n)); return 0; }"
);
const SHAPE: &str =
    with_shapes!("int Shape::area(int x) const { return x; } int Shape::twice(int x) const { return 2 * area(x); }");
const SQUARE: &str = with_shapes!(
    "int Square::area(int x) const { return x * x + 3; } static Square square; Shape *make() { return &square; }"
);
const HYBRID: &str = "-O2 -fPIC -flto=thin -fwhole-program-vtables -fsplit-lto-unit -fvisibility=hidden -fno-rtti";
const VTABLES: &str = "-O2 -fPIC -flto=thin -fwhole-program-vtables -fno-split-lto-unit -fvisibility=hidden -fno-rtti";
const CFI: &str =
    "-O2 -fPIC -flto=thin -fsanitize=cfi-vcall,cfi-icall -fno-sanitize-ignorelist -fvisibility=hidden -fno-rtti";
/// Whether the function is in the same output its caller learns from the thin link alone.
const CALLER_OF_FAR: &str = with_shapes!(
    "int far(int); int (*volatile call)(int);\n\
     int main(int n, char **) { Shape *s = make(); call = far; printf(\"%d %d\\n\", s->area(n), call(s->twice(n))); return 0; }"
);
const FAR: &str = "__attribute__((noinline)) int far(int x) { return x * 4; }";
const HYBRID_PIE: &str = "-O2 -fPIE -flto=thin -fwhole-program-vtables -fsplit-lto-unit -fvisibility=hidden -fno-rtti";
const VTABLES_PIE: &str =
    "-O2 -fPIE -flto=thin -fwhole-program-vtables -fno-split-lto-unit -fvisibility=hidden -fno-rtti";
const CFI_PIE: &str =
    "-O2 -fPIE -flto=thin -fsanitize=cfi-vcall,cfi-icall -fno-sanitize-ignorelist -fvisibility=hidden -fno-rtti";
const PIE: &str = "-O2 -fPIE -flto=thin";

/// Addresses of what regular LTO defines, in each way in which it may be elsewhere.
const NAMES_REGULAR: &str = "\
int printf(const char *, ...); int far(int), hidden(int), weak(int), of_pic(int), both(int), aliased(int); extern int variable, tentative;\n\
int (*volatile calls[])(int) = {0, 0}; void *volatile sink;\n\
int main(int n, char **v) { int sum = v == 0; int (*volatile all[])(int) = {far, hidden, weak, of_pic, both, aliased};\n\
  for (int i = 0; i < 6; i++) sum = sum * 3 + all[i](n); sink = &variable; sum += *(int *)sink; sink = &tentative;\n\
  printf(\"%d %d\\n\", sum, *(int *)sink); return 0; }";
const REGULAR: &str = "\
__attribute__((noinline)) int far(int x) { return x * 4; } __attribute__((noinline, visibility(\"hidden\"))) int hidden(int x) { return x * 5; }\n\
__attribute__((weak)) int weak(int x) { return x * 6; } __attribute__((weak)) int both(int x) { return x * 7; } int variable = 8, tentative;\n\
int aliased(int x) __attribute__((alias(\"far\")));";
const REGULAR_PIC: &str = "int of_pic(int x) { return x * 9; }";
const ALSO_THIN: &str =
    "__attribute__((weak)) int both(int x) { return x * 7; } __attribute__((noinline)) int also(int x) { return x; }";
const NAMED_REGULAR: &[(&str, &str, &str)] = &[
    ("main.c", "-O2 -fPIE -flto=thin", NAMES_REGULAR),
    ("r.c", "-O2 -fPIE -fcommon -flto", REGULAR),
    ("p.c", FULL, REGULAR_PIC),
    ("b.c", "-O2 -fPIE -flto=thin", ALSO_THIN),
    ("unused.c", "-O2 -fPIC -flto", "int far(int x) { return x; }"),
];

/// `allocate` is called on one way to memory that is soon cold, and on another one to memory that is not.
const WITH_PROFILE: &str = "\
@sink = global ptr null\n\
declare ptr @_Znam(i64)\n\
declare i32 @far(i32)\n\
declare void @show(ptr, ptr, ptr)\n\
define ptr @allocate() noinline { %p = call ptr @_Znam(i64 10), !memprof !0, !callsite !5 ret ptr %p }\n\
define ptr @middle() noinline { %p = call ptr @allocate(), !callsite !6 ret ptr %p }\n\
define i32 @main() { %p = call ptr @middle(), !callsite !7 %q = call ptr @middle(), !callsite !8\n\
  store volatile ptr @far, ptr @sink\n\
  call void @show(ptr %p, ptr %q, ptr @far) ret i32 0 }\n\
!llvm.module.flags = !{!9, !10}\n\
!0 = !{!1, !3}\n!1 = !{!2, !\"notcold\"}\n!2 = !{i64 1, i64 2, i64 3}\n!3 = !{!4, !\"cold\"}\n!4 = !{i64 1, i64 2, i64 4}\n\
!5 = !{i64 1}\n!6 = !{i64 2}\n!7 = !{i64 3}\n!8 = !{i64 4}\n\
!9 = !{i32 8, !\"PIC Level\", i32 2}\n!10 = !{i32 7, !\"PIE Level\", i32 2}\n";
const SHOW: &str = "\
int printf(const char *, ...); static char memory[9]; void *_Znam(unsigned long n) { return memory + n % 8; }\n\
void show(void *p, void *q, int (*f)(int)) { printf(\"%d %d\\n\", p == q, f(3)); }";

const UNIFIED: &str = "-O2 -fPIC -flto=thin -funified-lto";
const DEBUG: &str = "-O2 -fPIC -flto=thin -g";
const SPLIT: &str = "-O2 -fPIC -flto=thin -g -gsplit-dwarf";

rows! {
    regular_beside_thin: Row {
        what: "regular LTO beside ThinLTO", files: &[MAIN, ("f.c", FULL, F), ("g.c", THIN, G)], archives: &[],
        reader: Driver, line: "main.o f.o g.o", done: Distributed(2),
    },
    regular_beside_thin_pie: Row {
        what: "regular LTO beside ThinLTO", files: NAMED_REGULAR, archives: &["crs lib.a unused.o"],
        reader: Driver, line: "-pie main.o r.o p.o b.o lib.a", done: Distributed(2),
    },
    regular_beside_thin_at_a_fixed_address: Row {
        what: "regular LTO beside ThinLTO", files: NAMED_REGULAR, archives: &["crs lib.a r.o p.o"],
        reader: Driver, line: "-no-pie main.o b.o lib.a", done: Distributed(2),
    },
    only_regular: Row {
        what: "regular LTO alone, within lld",
        files: &[("main.c", FULL, MAIN.2), ("f.c", FULL, F), ("g.c", FULL, G)], archives: &[],
        reader: Driver, line: "main.o f.o g.o", done: Distributed(0),
    },
    hybrid: Row {
        what: "hybrid modules: `-fwhole-program-vtables -fsplit-lto-unit`",
        files: &[("a.cpp", HYBRID, CALLER), ("b.cpp", HYBRID, SHAPE), ("c.cpp", HYBRID, SQUARE)], archives: &[],
        reader: Driver, line: "-fwhole-program-vtables a.o b.o c.o -Wl,--lto-whole-program-visibility", done: Distributed(3),
    },
    devirtualised: Row {
        what: "virtual functions devirtualised across modules",
        files: &[("a.cpp", VTABLES, CALLER), ("b.cpp", VTABLES, SHAPE), ("c.cpp", VTABLES, SQUARE)], archives: &[],
        reader: Driver, line: "a.o b.o c.o -Wl,--lto-whole-program-visibility", done: Distributed(3),
    },
    hybrid_pie: Row {
        what: "hybrid modules: `-fwhole-program-vtables -fsplit-lto-unit`",
        files: &[
            ("a.cpp", HYBRID_PIE, CALLER_OF_FAR), ("b.cpp", HYBRID_PIE, SHAPE), ("c.cpp", HYBRID_PIE, SQUARE), ("d.cpp", HYBRID_PIE, FAR),
        ],
        archives: &[], reader: Driver, line: "-pie a.o b.o c.o d.o -Wl,--lto-whole-program-visibility", done: Distributed(4),
    },
    devirtualised_pie: Row {
        what: "virtual functions devirtualised across modules",
        files: &[
            ("a.cpp", VTABLES_PIE, CALLER_OF_FAR), ("b.cpp", VTABLES_PIE, SHAPE), ("c.cpp", VTABLES_PIE, SQUARE), ("d.cpp", VTABLES_PIE, FAR),
        ],
        archives: &[], reader: Driver, line: "-pie a.o b.o c.o d.o", done: Distributed(4),
    },
    control_flow_integrity_pie: Row {
        what: "`-fsanitize=cfi`",
        files: &[
            ("a.cpp", CFI_PIE, CALLER_OF_FAR), ("b.cpp", CFI_PIE, SHAPE), ("c.cpp", CFI_PIE, SQUARE), ("d.cpp", CFI_PIE, FAR),
        ],
        archives: &[], reader: Driver, line: "-pie a.o b.o c.o d.o", done: Distributed(4),
    },
    memory_profile: Row {
        what: "memory profiles (`-fmemory-profile-use`)",
        files: &[("a.ll", PIE, WITH_PROFILE), ("b.c", PIE, SHOW), ("c.c", PIE, FAR)], archives: &[],
        reader: Driver, line: "-pie a.o b.o c.o", done: Distributed(3),
    },
    memory_profile_of_an_allocator_that_heeds_it: Row {
        what: "memory profiles (`-fmemory-profile-use`)",
        files: &[("a.ll", PIE, WITH_PROFILE), ("b.c", PIE, SHOW), ("c.c", PIE, FAR)], archives: &[], reader: Driver,
        line: "-pie a.o b.o c.o -Wl,-mllvm,-enable-memprof-context-disambiguation,-mllvm,-supports-hot-cold-new", done: Distributed(3),
    },
    control_flow_integrity: Row {
        what: "`-fsanitize=cfi`",
        files: &[("a.cpp", CFI, CALLER), ("b.cpp", CFI, SHAPE), ("c.cpp", CFI, SQUARE)], archives: &[],
        reader: Driver, line: "a.o b.o c.o", done: Distributed(3),
    },
    unified: Row {
        what: "`-funified-lto`",
        files: &[("main.c", UNIFIED, MAIN.2), ("f.c", UNIFIED, F), ("g.c", UNIFIED, G)], archives: &[],
        reader: Driver, line: "-Wl,--lto=thin main.o f.o g.o", done: Distributed(3),
    },
    unified_as_regular: Row {
        what: "`--lto=full`",
        files: &[("main.c", UNIFIED, MAIN.2), ("f.c", UNIFIED, F), ("g.c", UNIFIED, G)], archives: &[],
        reader: Driver, line: "-Wl,--lto=full main.o f.o g.o", done: InProcess("--lto=full"),
    },
    debug_information: Row {
        what: "`-g`", files: &[("main.c", DEBUG, MAIN.2), ("f.c", DEBUG, F), ("g.c", "-O2 -fPIC -g", G)], archives: &[],
        reader: Driver, line: "main.o f.o g.o", done: Distributed(2),
    },
    split_debug_information: Row {
        what: "`-gsplit-dwarf`", files: &[("main.c", SPLIT, MAIN.2), ("f.c", SPLIT, F), ("g.c", SPLIT, G)], archives: &[],
        reader: Driver, line: "main.o f.o g.o", done: Distributed(3),
    },
    module_assembly: Row {
        what: "module assembly that defines and uses symbols",
        files: &[
            MAIN, ("f.c", THIN, "__asm__(\".globl asm_f\\n.type asm_f,@function\\nasm_f: jmp g@PLT\"); int asm_f(int); int f(int x) { return asm_f(x) + 1; }"),
            ("g.c", THIN, "__attribute__((used)) int g(int x) { return x + 40; }"),
        ],
        archives: &[], reader: Driver, line: "main.o f.o g.o", done: Distributed(3),
    },
}
