//! Builds the library that is preloaded into a warm compiler; `src/run/warm.rs` embeds it.

use std::path::Path;

const SOURCE: &str = "src/run/warm/preload.c";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    let out = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let library = Path::new(&out).join("preload.so");
    // The crate finds the target's compiler; what it compiles otherwise are static libraries.
    let mut command = cc::Build::new().opt_level(2).debug(false).pic(true).get_compiler().to_command();
    command.args(["-shared", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror", SOURCE, "-ldl", "-o"]).arg(&library);
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
