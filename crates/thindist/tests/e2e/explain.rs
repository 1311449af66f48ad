//! `thindist explain`: the first input that differs, and what would have spared the run.

use crate::on_each_llvm;
use crate::programs::{CHAIN_OBJECTS, chain, edit};
use testkit::{Run, Sandbox};

on_each_llvm!(
    an_import_is_named_with_both_values,
    stable_names_would_have_spared_it,
    an_argument_is_shown_as_it_was_and_is,
    what_has_gone_from_the_stores_has_not_changed,
    modules_keys_and_outputs_are_found,
    links_that_lld_does_are_explained,
);

fn explain(sandbox: &Sandbox, words: &str) -> Run {
    sandbox.tool("thindist").arg("explain").args(words).ok().says_nothing()
}

#[track_caller]
fn says(run: &Run, lines: &[&str]) {
    for line in lines {
        assert!(run.stdout.lines().any(|said| said.trim() == *line), "no line `{line}`:\n{run}");
    }
}

fn link(sandbox: &Sandbox, options: &str) {
    sandbox.link(&format!("-r {CHAIN_OBJECTS} -o out.o {options}"));
}

/// The values of the first input that differs.
fn values(run: &Run) -> (String, String) {
    let value = |name: &str| {
        let found = run.stdout.lines().find_map(|line| line.trim().strip_prefix(name));
        found.unwrap_or_else(|| panic!("no `{name}`:\n{run}")).to_owned()
    };
    (value("old: "), value("new: "))
}

fn an_import_is_named_with_both_values(sandbox: &Sandbox) {
    chain(sandbox);
    link(sandbox, "");
    let run = explain(sandbox, "");
    says(
        &run,
        &["4 of 4 modules ran; the stores had the objects of the others", "leaf.o: no earlier action of it is known"],
    );
    says(&explain(sandbox, "leaf.o"), &["no earlier action of it is known to compare it with"]);

    edit(sandbox, "leaf.c", "int leaf(int x) { return x * 5 + 1; }\n");
    link(sandbox, "");
    let run = explain(sandbox, "");
    assert!(run.stdout.starts_with("out.o in "), "{run}");
    says(&run, &["3 of 4 modules ran; the stores had the objects of the others", "leaf.o: its own bitcode and 1 more"]);
    let of_main = explain(sandbox, "main.o");
    says(&of_main, &["first input that differs: what it imports from leaf.o"]);
    says(&of_main, &["what would have spared it: nothing: what is imported is in its object"]);
    let (old, new) = values(&of_main);
    assert!(old != new && old.len() > 64 && new.len() > 64, "{of_main}");
    let of_leaf = explain(sandbox, "leaf.o");
    says(
        &of_leaf,
        &[
            "first input that differs: its own bitcode",
            "what would have spared it: nothing: the module itself is another one",
        ],
    );
    let of_alone = explain(sandbox, "alone.o");
    assert!(of_alone.stdout.contains("it did not run: its object was in the local stores"), "{of_alone}");
}

fn leaf(more: &str) -> String {
    format!(
        "static int calls; static __attribute__((noinline)) int grow(int x) {{ calls += x; return calls; }}\n\
         int leaf(int x) {{ return grow(x) + calls; }}\n{more}"
    )
}

fn stable_names_would_have_spared_it(sandbox: &Sandbox) {
    chain(sandbox);
    edit(sandbox, "leaf.c", &leaf(""));
    link(sandbox, "");
    edit(sandbox, "leaf.c", &leaf("int of_its_own(int x) { return x + 1; }"));
    link(sandbox, "");
    for module in ["main.o", "middle.o"] {
        let run = explain(sandbox, module);
        says(&run, &["first input that differs: what it imports from leaf.o"]);
        says(
            &run,
            &[
                "what would have spared it: stable names (THINDIST_PROMOTED_NAMES=stable): only hashes in promoted names differ",
            ],
        );
    }
    assert!(explain(sandbox, "").stdout.contains("stable names would have spared it"));
    // What they see of it they see under any names.
    edit(sandbox, "leaf.c", &leaf("").replace("grow(x) + calls", "grow(x) - calls"));
    link(sandbox, "");
    let run = explain(sandbox, "main.o");
    assert!(!run.stdout.contains("PROMOTED_NAMES"), "{run}");
}

fn an_argument_is_shown_as_it_was_and_is(sandbox: &Sandbox) {
    chain(sandbox);
    link(sandbox, "--lto-O2");
    link(sandbox, "--lto-O3");
    let run = explain(sandbox, "alone.o");
    says(&run, &["first input that differs: an argument of the compiler", "old: -O2", "new: -O3"]);
    says(&run, &["what would have spared it: the options of the link before"]);
}

fn what_has_gone_from_the_stores_has_not_changed(sandbox: &Sandbox) {
    chain(sandbox);
    link(sandbox, "");
    for store in ["cache/ac", "cache/cas"] {
        std::fs::remove_dir_all(sandbox.root(store)).unwrap();
    }
    link(sandbox, "");
    let run = explain(sandbox, "");
    says(&run, &["leaf.o: it has not changed since the link before, and its object was not in the stores"]);
}

fn modules_keys_and_outputs_are_found(sandbox: &Sandbox) {
    let refused = |words: &str| sandbox.tool("thindist").arg("explain").args(words).run().exits(1);
    refused("").says("no link is on record").says("thindist: hint: ");
    chain(sandbox);
    sandbox.ar("crs lib.a leaf.o middle.o");
    sandbox.link("-r main.o alone.o --whole-archive lib.a -o first.o");
    sandbox.link(&format!("-r {CHAIN_OBJECTS} -o second.o"));
    let key = explain(sandbox, "main.o").stdout.lines().nth(1).unwrap()["action ".len()..]
        .split(':')
        .next()
        .unwrap()
        .to_owned();
    assert!(explain(sandbox, &key).stdout.starts_with("main.o of second.o in "));
    assert!(explain(sandbox, "first.o").stdout.starts_with("first.o in "));
    assert!(explain(sandbox, "--output first.o lib.a(leaf.o)").stdout.starts_with("lib.a(leaf.o at "));
    refused("mian.o").says("mian.o is no module and no key of the link of second.o").says("did you mean main.o?");
    refused("--output third.o").says("no link of third.o is on record");
    // verify leaves no trace: its output goes with it.
    sandbox.verify_identical(&format!("-r {CHAIN_OBJECTS} -o third.o"));
    refused("--output third.o").says("no link of third.o is on record");
    // An archive grows in front of a member, and the member is what it was.
    edit(sandbox, "leaf.c", "int leaf(int x) { return x * 5; } int more(int x) { return leaf(x) * 7; }\n");
    sandbox.ar("crs lib.a leaf.o middle.o");
    sandbox.link("-r main.o alone.o --whole-archive lib.a -o first.o");
    says(&explain(sandbox, "lib.a(middle.o)"), &["first input that differs: what it imports from lib.a(leaf.o)"]);
}

fn links_that_lld_does_are_explained(sandbox: &Sandbox) {
    chain(sandbox);
    let link = || sandbox.auto(&format!("-r {CHAIN_OBJECTS} -o out.o")).env("THINDIST_WAY", "in-process").ok();
    link();
    let run = explain(sandbox, "");
    assert!(run.stdout.contains("in-process: the setting says so"), "{run}");
    says(&run, &["leaf.o: no earlier action of it is known"]);
    // lld's private cache has the others, whether there was a plan or not.
    edit(sandbox, "alone.c", "int counter; int alone(int x) { return counter -= x; }\n");
    link();
    let run = explain(sandbox, "");
    assert!(run.stdout.contains("alone.o: "), "{run}");
    assert!(!run.stdout.contains("leaf.o: "), "{run}");
}
