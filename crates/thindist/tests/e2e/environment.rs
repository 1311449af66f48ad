//! Environments of users: no place for a cache, and settings in every spelling.

use crate::on_each_llvm;
use crate::programs::{CHAIN_OBJECTS, chain};
use testkit::{Sandbox, Tool};

on_each_llvm!(
    without_a_place_for_the_stores_the_link_is_done_with_one_warning,
    steps_without_a_place_for_the_stores,
    off_is_off_however_it_is_spelt,
    a_switch_that_is_neither_on_nor_off_is_named,
);

/// Environments in which the stores have no place.
fn nowhere(sandbox: &Sandbox, tool: impl Fn() -> Tool) -> Vec<Tool> {
    sandbox.write("file", "no directory");
    let home = |home: &str| tool().without_env("THINDIST_CACHE_DIR").env("HOME", home);
    let below_a_file = sandbox.path("file").join("cache");
    vec![
        tool().without_env("THINDIST_CACHE_DIR").without_env("HOME"),
        home("/dev/null"),
        home("/proc"),
        tool().env("THINDIST_CACHE_DIR", below_a_file),
    ]
}

#[track_caller]
fn expect_one_warning(sandbox: &Sandbox, tool: Tool) {
    let run = tool.ok();
    assert_eq!(run.lines_with("thindist: warning: "), 1, "{run}");
    run.says("nothing is kept for later");
    assert_eq!(sandbox.files_below("tmp"), Vec::<std::path::PathBuf>::new());
}

fn without_a_place_for_the_stores_the_link_is_done_with_one_warning(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.lld(&format!("-r {CHAIN_OBJECTS} -o out.o"));
    let expected = sandbox.read("out.o");
    for tool in nowhere(sandbox, || sandbox.auto(&format!("-r {CHAIN_OBJECTS} -o out.o"))) {
        std::fs::remove_file(sandbox.path("out.o")).unwrap();
        expect_one_warning(sandbox, tool);
        assert!(sandbox.read("out.o") == expected);
    }
    // Separate backends as well.
    for tool in nowhere(sandbox, || sandbox.ld(&format!("-r {CHAIN_OBJECTS} -o out.o"))) {
        expect_one_warning(sandbox, tool);
        assert!(sandbox.read("out.o") == expected);
    }
}

fn steps_without_a_place_for_the_stores(sandbox: &Sandbox) {
    chain(sandbox);
    let line = format!("thin-link --list list -- -r -o out.o {CHAIN_OBJECTS}");
    for tool in nowhere(sandbox, || sandbox.tool("thindist").args(&line)) {
        expect_one_warning(sandbox, tool);
    }
    for tool in nowhere(sandbox, || sandbox.tool("thindist").args("backend leaf.o.thinlto.job")) {
        expect_one_warning(sandbox, tool);
        assert!(sandbox.read("leaf.thinlto-native.o").starts_with(b"\x7fELF"));
    }
}

fn off_is_off_however_it_is_spelt(sandbox: &Sandbox) {
    chain(sandbox);
    let link = |memo: &str| {
        let tool = sandbox.ld(&format!("-r {CHAIN_OBJECTS} -o out.o")).env("THINDIST_MEMO", memo);
        sandbox.stats_of(tool).memo()
    };
    link("1");
    for off in ["0", "false", "no", "off", "False"] {
        assert_eq!(link(off), 0, "{off}");
    }
    for on in ["1", "true", "yes", "on", "ON"] {
        assert_eq!(link(on), 4, "{on}");
    }
}

fn a_switch_that_is_neither_on_nor_off_is_named(sandbox: &Sandbox) {
    chain(sandbox);
    let tool = |name: &str| sandbox.ld(&format!("-r {CHAIN_OBJECTS} -o out.o")).env(name, "maybe");
    for name in ["THINDIST_MEMO", "THINDIST_REMOTE_UPLOAD_LOCAL_RESULTS", "THINDIST_KEEP"] {
        tool(name).run().exits(1).says(&format!("{name}=maybe")).says("`false`");
    }
}
