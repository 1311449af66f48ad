//! Targets.

use super::*;

/// Raw system calls: no library of the target is needed.
macro_rules! program {
    ($write:literal) => {
        concat!(
            "int f(int), g(int); static char text[] = \"0\\n\";\n",
            "static long call(long number, long a, long b, long c) {\n",
            $write,
            "}\nvoid _start(void) { text[0] = (char)('0' + (f(2) + g(3)) % 10); call(64, 1, (long)text, 2); call(93, 7, 0, 0); }"
        )
    };
}
const AARCH64_MAIN: &str = program!(
    "register long n __asm__(\"x8\") = number, x __asm__(\"x0\") = a, y __asm__(\"x1\") = b, z __asm__(\"x2\") = c;\n\
     __asm__ volatile(\"svc 0\" : \"+r\"(x) : \"r\"(n), \"r\"(y), \"r\"(z) : \"memory\"); return x;"
);
const RISCV64_MAIN: &str = program!(
    "register long n __asm__(\"a7\") = number, x __asm__(\"a0\") = a, y __asm__(\"a1\") = b, z __asm__(\"a2\") = c;\n\
     __asm__ volatile(\"ecall\" : \"+r\"(x) : \"r\"(n), \"r\"(y), \"r\"(z) : \"memory\"); return x;"
);
const F: &str = "int g(int); float scale = 1.5f; int f(int x) { return (int)((float)x * scale) + g(x); }";
const G: &str = "int counter; int g(int x) { return x * 7 + ++counter; }";
const AARCH64: &str = "--target=aarch64-linux-gnu -O2 -flto=thin -ffreestanding";
const AARCH64_NATIVE: &str = "--target=aarch64-linux-gnu -O2 -ffreestanding";
const RISCV64: &str = "--target=riscv64-linux-gnu -O2 -flto=thin -ffreestanding";
const RISCV64_NATIVE: &str = "--target=riscv64-linux-gnu -O2 -ffreestanding";
const RISCV64_SOFT: &str =
    "--target=riscv64-linux-gnu -march=rv64imac_zba -mabi=lp64 -mno-relax -O2 -flto=thin -ffreestanding";
const RISCV64_VECTORS: &str = "--target=riscv64-linux-gnu -march=rv64gcv -O3 -g -fPIC -flto=thin -ffreestanding";

const TLS: &str = "_Thread_local int own = 3; int g(int); int f(int x) { return own++ + g(x); }";

rows! {
    x86_64: Row {
        what: "x86_64",
        files: &[("f.c", "-O2 -flto=thin -march=x86-64-v3", F), ("g.c", "-O2 -flto=thin -mtune=native", G)],
        archives: &[], reader: Linker, line: "-m elf_x86_64 -e f f.o g.o", done: Distributed(2),
    },
    aarch64: Row {
        what: "aarch64",
        files: &[("main.c", AARCH64, AARCH64_MAIN), ("f.c", AARCH64, F), ("g.c", AARCH64_NATIVE, G)],
        archives: &[], reader: Emulated("qemu-aarch64"), line: "-m aarch64linux main.o f.o g.o", done: Distributed(2),
    },
    aarch64_shared: Row {
        what: "aarch64",
        files: &[("f.c", "--target=aarch64-linux-gnu -O2 -fPIC -flto=thin -mbranch-protection=standard", F), ("g.c", "--target=aarch64-linux-gnu -O2 -fPIC", G)],
        archives: &[], reader: Linker, line: "-m aarch64linux -shared f.o g.o", done: Distributed(1),
    },
    riscv64: Row {
        what: "riscv64",
        files: &[("main.c", RISCV64, RISCV64_MAIN), ("f.c", RISCV64, F), ("g.c", RISCV64_NATIVE, G)],
        archives: &[], reader: Emulated("qemu-riscv64"), line: "-m elf64lriscv main.o f.o g.o", done: Distributed(2),
    },
    riscv64_without_floating_point: Row {
        what: "riscv64",
        files: &[("main.c", RISCV64_SOFT, RISCV64_MAIN), ("f.c", RISCV64_SOFT, "int g(int); int f(int x) { return x * 3 + g(x); }"), ("g.c", RISCV64_SOFT, G)],
        archives: &[], reader: Emulated("qemu-riscv64"), line: "-m elf64lriscv main.o f.o g.o", done: Distributed(3),
    },
    riscv64_shared: Row {
        what: "riscv64",
        files: &[
            ("f.c", RISCV64_VECTORS, "int g(int); int table[64]; int f(int x) { int s = 0; for (int i = 0; i < 64; i++) s += table[i] * x; return s + g(x); }"),
            ("g.c", RISCV64_VECTORS, G),
        ],
        archives: &[], reader: Linker, line: "-m elf64lriscv -shared f.o g.o", done: Distributed(2),
    },
    riscv32: Row {
        what: "riscv32",
        files: &[("f.c", "--target=riscv32-unknown-elf -O2 -flto=thin -ffreestanding", "int g(int); int f(int x) { return x + 3 + g(x); }"), ("g.c", "--target=riscv32-unknown-elf -O2 -flto=thin -ffreestanding", "int counter; int g(int x) { return x + ++counter; }")],
        archives: &[], reader: Linker, line: "-m elf32lriscv -e f f.o g.o", done: Distributed(2),
    },
    loongarch64: Row {
        what: "loongarch64",
        files: &[("f.c", "--target=loongarch64-linux-gnu -O2 -flto=thin -ffreestanding", F), ("g.c", "--target=loongarch64-linux-gnu -O2 -flto=thin -ffreestanding", G)],
        archives: &[], reader: Linker, line: "-m elf64loongarch -e f f.o g.o", done: Distributed(2),
    },
    // clang's driver would have emulated TLS on these.
    android: Row {
        what: "aarch64",
        files: &[("f.c", "--target=aarch64-linux-android21 -O2 -fno-emulated-tls -fPIC -flto=thin -ffreestanding", TLS), ("g.c", "--target=aarch64-linux-android21 -O2 -fPIC -flto=thin -ffreestanding", G)],
        archives: &[], reader: Linker, line: "-m aarch64linux -shared f.o g.o", done: Distributed(2),
    },
    ohos: Row {
        what: "x86_64",
        files: &[("f.c", "--target=x86_64-linux-ohos -O2 -fno-emulated-tls -fPIC -flto=thin -ffreestanding", TLS), ("g.c", "--target=x86_64-linux-ohos -O2 -fPIC -flto=thin -ffreestanding", G)],
        archives: &[], reader: Linker, line: "-m elf_x86_64 -shared f.o g.o", done: Distributed(2),
    },
    // Outline atomics, of which a call would be left.
    aarch64_atomics: Row {
        what: "aarch64",
        files: &[("f.c", "--target=aarch64-linux-gnu -O2 -mno-outline-atomics -flto=thin -ffreestanding", "int g(int); int shared; int f(int x) { return __atomic_fetch_add(&shared, x, 5) + g(x); }"), ("g.c", AARCH64, G)],
        archives: &[], reader: Linker, line: "-m aarch64linux -e f f.o g.o", done: Distributed(2),
    },
    arm: Row {
        what: "every other target",
        files: &[("f.c", "--target=arm-linux-gnueabihf -O2 -flto=thin -ffreestanding", G)],
        archives: &[], reader: Linker, line: "-r f.o", done: InProcess("not proven"),
    },
}
