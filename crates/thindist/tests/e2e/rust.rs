//! cargo with ThinLTO left to the linker. rustc uses LLVM 22, so all of these tests do.

use std::path::Path;
use testkit::{Sandbox, Stats, Tool};

/// The settings of docs/build-systems.md, with the linker by its path.
const CONFIG: &str = "[target.x86_64-unknown-linux-gnu]\nlinker = \"clang-22\"\nrustflags = [\"-Clinker-plugin-lto\", \
    \"-Clink-arg=-fuse-ld=lld\", \"-Clink-arg=--ld-path=LINKER\"]\n";

const MANIFEST: &str = "[package]\nname = \"NAME\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\n";

/// As the cc crate does: the variables of the target, an archive, and where it is.
const BUILD_SCRIPT: &str = r#"
use std::process::Command;
fn main() {
    let target = std::env::var("TARGET").unwrap().replace('-', "_");
    let tool = |name: &str, other: &str| std::env::var(format!("{name}_{target}")).unwrap_or(other.into());
    let out = std::env::var("OUT_DIR").unwrap();
    let compile = |compiler: &str, flags: String, source: &str| {
        let object = format!("{out}/{source}.o");
        let mut command = Command::new(compiler);
        command.args(flags.split_whitespace()).args(["-O2", "-fPIC", "-c", source, "-o", &object]);
        assert!(command.status().unwrap().success());
        object
    };
    let objects = [
        compile(&tool("CC", "cc"), tool("CFLAGS", ""), "part.c"),
        compile(&tool("CXX", "c++"), tool("CXXFLAGS", ""), "part.cpp"),
    ];
    let archived = Command::new(tool("AR", "ar")).args(["crs", &format!("{out}/libpart.a")]).args(&objects).status();
    assert!(archived.unwrap().success());
    println!("cargo:rustc-link-search=native={out}\ncargo:rustc-link-lib=static=part\ncargo:rerun-if-changed=part.c");
}
"#;

fn manifest(name: &str) -> String {
    MANIFEST.replace("NAME", name)
}

/// A program and the library that it inlines.
fn workspace(sandbox: &Sandbox) {
    sandbox.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"app\", \"lib\"]\n");
    sandbox.write("app/Cargo.toml", manifest("app") + "lib = { path = \"../lib\" }\n");
    sandbox.write("app/src/main.rs", "fn main() { println!(\"{}\", lib::sum(std::env::args().count() as u32)); }\n");
    sandbox.write("lib/Cargo.toml", manifest("lib"));
    sandbox.write("lib/src/lib.rs", "pub fn sum(x: u32) -> u32 { (0..=x).map(|y| y * 3 + 1).sum() }\n");
}

fn link_with(sandbox: &Sandbox, linker: &Path) {
    sandbox.write(".cargo/config.toml", CONFIG.replace("LINKER", &linker.display().to_string()));
}

/// A tool that finds the cargo and rustc that run this test, and not what they were told.
fn with_cargo(sandbox: &Sandbox, tool: Tool) -> Tool {
    let toolchain = Path::new(env!("CARGO")).parent().unwrap();
    let path = format!("{}:{}:/usr/bin:/bin", sandbox.root("bin").display(), toolchain.display());
    tool.env("PATH", path).env("CARGO", env!("CARGO")).env("CARGO_NET_OFFLINE", "true")
}

fn cargo(sandbox: &Sandbox, target: &str) -> Tool {
    with_cargo(sandbox, sandbox.tool(env!("CARGO")))
        .args("build --release")
        .env("CARGO_TARGET_DIR", sandbox.path(target))
}

#[track_caller]
fn prints(sandbox: &Sandbox, program: &str, expect: &str) {
    assert_eq!(sandbox.tool(sandbox.path(program)).ok().stdout, expect);
}

/// rustc names a directory at random for each link, and target directories have absolute paths.
#[test]
fn the_random_directory_of_rustc_costs_no_hit() {
    let sandbox = crate::sandbox(22);
    workspace(&sandbox);
    link_with(&sandbox, &sandbox.root("bin/ld.thindist"));
    let first = sandbox.stats_of(cargo(&sandbox, "first"));
    assert_eq!(first.executed(), first.modules, "{first:?}");
    assert!(first.modules >= 2, "{first:?}");
    prints(&sandbox, "first/release/app", "5\n");
    let elsewhere = sandbox.stats_of(cargo(&sandbox, "second"));
    assert_eq!((elsewhere.executed(), elsewhere.local_cache()), (0, first.modules), "{elsewhere:?}");
    // Compiled again to the same: cargo links again, from another random directory.
    let main = std::fs::File::options().append(true).open(sandbox.path("app/src/main.rs")).unwrap();
    main.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(10)).unwrap();
    let touched = sandbox.stats_of(cargo(&sandbox, "first"));
    assert_eq!((touched.executed(), touched.memo()), (0, first.modules), "{touched:?}");
    prints(&sandbox, "first/release/app", "5\n");
}

/// The line as rustc writes it: absolute paths, native members beside bitcode, options of a plugin.
#[test]
fn rustcs_own_line_is_verified() {
    let sandbox = crate::sandbox(22);
    workspace(&sandbox);
    let bin = sandbox.root("bin");
    let script = format!(
        "#!/bin/sh\n{0}/thindist verify -- \"$@\" > {1}\nexec {0}/ld.thindist \"$@\"\n",
        bin.display(),
        sandbox.path("verified").display()
    );
    sandbox.write("verifying-linker", script);
    let linker = sandbox.path("verifying-linker");
    std::fs::set_permissions(&linker, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    link_with(&sandbox, &linker);
    cargo(&sandbox, "target").ok();
    // Every native object; the numbers of dynamic symbols, and so the places in the GOT, are a limit of final links.
    let said = String::from_utf8(sandbox.read("verified")).unwrap();
    let objects: Vec<&str> = said.lines().filter(|line| line.starts_with("different: ")).collect();
    assert!(objects.iter().all(|line| line.starts_with("different: output ")), "{said}");
    assert!(said.contains("identical: ") || said.contains(" native objects and "), "{said}");
    prints(&sandbox, "target/release/app", "5\n");
}

fn mixed(sandbox: &Sandbox) {
    sandbox.write("Cargo.toml", manifest("app"));
    sandbox.write("build.rs", BUILD_SCRIPT);
    sandbox.write("part.c", "int from_c(int x) { return x * 2 + 1; }\n");
    sandbox.write(
        "part.cpp",
        "extern \"C\" int from_rust(int);\n\
         template <typename T> static T twice(T x) { return from_rust(x) + from_rust(x + 1); }\n\
         extern \"C\" int from_cpp(int x) { return twice(x); }\n",
    );
    sandbox.write(
        "src/main.rs",
        "unsafe extern \"C\" { safe fn from_c(x: i32) -> i32; safe fn from_cpp(x: i32) -> i32; }\n\
         #[unsafe(no_mangle)] extern \"C\" fn from_rust(x: i32) -> i32 { x * 10 }\n\
         fn main() { println!(\"{}\", from_cpp(from_c(std::env::args().count() as i32))); }\n",
    );
}

/// What the link of the program did. That of the build script, which cargo does not optimise, is in-process.
fn stats_of_app(sandbox: &Sandbox, tool: Tool) -> Stats {
    let file = sandbox.root("stats-of-cargo");
    let _ = std::fs::remove_file(&file);
    tool.env("THINDIST_STATS", &file).ok();
    let text = std::fs::read_to_string(&file).unwrap();
    let mut links = text.lines().map(|line| serde_json::from_str::<Stats>(line).unwrap());
    links.find(|link| link.output.contains("/deps/app-")).unwrap_or_else(|| panic!("no link of the program: {text}"))
}

#[test]
fn c_and_cxx_are_inlined_into_rust_by_one_command() {
    let sandbox = crate::sandbox(22);
    mixed(&sandbox);
    let build = |target: &str| {
        let tool = with_cargo(&sandbox, sandbox.tool("thindist")).args("cargo --with-c build --release");
        stats_of_app(&sandbox, tool.env("CARGO_TARGET_DIR", sandbox.path(target)))
    };
    let first = build("first");
    assert!(first.executed() == first.modules && first.modules >= 4, "{first:?}");
    prints(&sandbox, "first/release/app", "70\n");
    let symbols = sandbox.tool("llvm-nm-22").arg(sandbox.path("first/release/app")).ok().stdout;
    let left: Vec<&str> = symbols.lines().filter(|line| line.contains("from_c")).collect();
    assert!(symbols.contains(" main") && left.is_empty(), "not inlined: {left:?}");
    let second = build("second");
    assert_eq!((second.executed(), second.local_cache()), (0, first.modules), "{second:?}");
    prints(&sandbox, "second/release/app", "70\n");
}

#[test]
fn cargo_says_what_it_cannot_do() {
    let sandbox = crate::sandbox(22);
    workspace(&sandbox);
    let thindist = |words: &str| with_cargo(&sandbox, sandbox.tool("thindist")).args(words);
    thindist("cargo").run().exits(1).says("no arguments for cargo").says("usage: ");
    thindist("cargo build --target wasm32-wasip1").run().exits(1).says("wasm32-wasip1").says(".cargo/config.toml");
    let other = thindist("cargo build").env("THINDIST_LLD", "ld.lld-19").run().exits(1);
    other.says("rustc is of LLVM 22").says("THINDIST_LLD=ld.lld-22");
    thindist("cargo build").env("RUSTC", "/bin/false").run().exits(1).says("/bin/false -vV");
    assert!(!sandbox.path("target").exists());
}
