//! Rust for Linux: rustc produces native objects there; they are members of vmlinux.a beside bitcode and pass through
//! unchanged.

use crate::on_each_llvm;
use std::path::PathBuf;
use testkit::Sandbox;

on_each_llvm!(a_native_object_of_rustc_stays_in_its_place_and_as_it_is);

/// The compiler of the toolchain that these tests are built with.
fn rustc() -> PathBuf {
    let cargo = std::env::var_os("CARGO").map(PathBuf::from).expect("these tests are run by cargo");
    cargo.with_file_name("rustc")
}

/// The kernel's flags: no standard library, an object and no bitcode.
fn compile_rust(sandbox: &Sandbox) {
    let source = "#![no_std]\nunsafe extern \"C\" { fn from_c(x: u32) -> u32; static LEVEL: u32; }\n\
        #[unsafe(no_mangle)] pub extern \"C\" fn from_rust(x: u32) -> u32 { unsafe { from_c(x) * 3 + LEVEL } }\n\
        #[panic_handler] fn panic(_: &core::panic::PanicInfo) -> ! { loop {} }\n";
    sandbox.write("r.rs", source);
    let flags = "--edition=2024 --crate-type=lib --emit=obj=r.o -Cpanic=abort -Copt-level=2 -Ccodegen-units=1 -Crelocation-model=static";
    sandbox.tool(rustc()).args(&format!("{flags} r.rs")).ok();
    assert!(sandbox.read("r.o").starts_with(b"\x7fELF"), "rustc made no native object");
}

fn a_native_object_of_rustc_stays_in_its_place_and_as_it_is(sandbox: &Sandbox) {
    compile_rust(sandbox);
    sandbox.bitcode(&[
        ("a.c", "unsigned from_rust(unsigned); unsigned start(unsigned x) { return from_rust(x) + 1; }\n"),
        ("b.c", "unsigned LEVEL = 4; unsigned from_c(unsigned x) { return x ^ 7; }\n"),
    ]);
    let before = sandbox.read("r.o");
    sandbox.ar("crs --thin vmlinux.a a.o r.o b.o");
    for line in ["-r -o out.o a.o r.o b.o", "-r -o out.o --whole-archive vmlinux.a"] {
        assert_eq!(sandbox.link(line).modules, 2, "the native object was taken for a module");
        sandbox.verify_identical(line);
        let code = ".text.from_rust";
        let section = |object: &str| {
            let words = format!("-O binary --only-section={code} {object} section.bin");
            sandbox.tool(format!("llvm-objcopy-{}", sandbox.llvm())).args(&words).ok();
            sandbox.read("section.bin")
        };
        assert!(!section("r.o").is_empty() && section("r.o") == section("out.o"), "{line}: its code is not as it was");
    }
    sandbox.tool("thindist").args("thin-link --list list -- -r -o out.o --whole-archive vmlinux.a").ok();
    let list = String::from_utf8(sandbox.read("list")).unwrap();
    assert_eq!(list, "r.o\na.thinlto-native.o\nb.thinlto-native.o\n");
    assert!(!sandbox.path("r.o.thinlto.job").exists() && sandbox.read("r.o") == before);
}
