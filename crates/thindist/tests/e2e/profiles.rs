//! Profiles that the line names are inputs of every backend: AutoFDO's samples, Propeller's clusters, context-sensitive
//! counters.

use crate::on_each_llvm;
use testkit::{Sandbox, Stats};

on_each_llvm!(
    a_sample_profile_is_an_input_of_every_backend,
    clusters_of_basic_blocks_are_an_input,
    a_context_sensitive_profile_is_an_input,
    the_kernels_lines_with_profiles,
    steps_with_a_profile,
    a_profile_that_is_not_there,
    what_is_no_profile_is_named,
);

const SOURCES: [(&str, &str); 2] = [
    (
        "a.c",
        "int slow(int); int work(int x) {\n\
         \tif (x > 100)\n\t\treturn slow(x) + slow(x + 1);\n\
         \tfor (int i = 0; i < x; i++)\n\t\tx += i * 3;\n\treturn x;\n}\n\
         int start(int x) {\n\treturn work(x) + work(x + 1);\n}\n",
    ),
    ("b.c", "int count; __attribute__((noinline)) int slow(int x) {\n\tcount++;\n\treturn x / 3;\n}\n"),
];

/// Compiled as the kernel compiles for AutoFDO: samples are matched by lines, and a function is marked to have some.
pub(crate) fn program(sandbox: &Sandbox) {
    samples(sandbox, 10);
    std::fs::rename(sandbox.path("samples.afdo"), sandbox.path("compiled.afdo")).unwrap();
    let flags = "-O2 -gmlt -flto=thin -fdebug-info-for-profiling -fprofile-sample-use=compiled.afdo -fno-pic";
    SOURCES.iter().for_each(|(name, text)| sandbox.compile(flags, name, text));
}

/// Samples of `work`, in which the call of `slow` was met so often.
pub(crate) fn samples(sandbox: &Sandbox, slow: u32) {
    let text = format!(
        "work:90000:1000\n 1: 1000\n 2: {slow} slow:{slow}\n 3: 9000\n 4: 9000\n 5: 1000\nslow:{slow}:{slow}\n 1: {slow}\n"
    );
    sandbox.write("samples.txt", text);
    let tool = format!("llvm-profdata-{}", sandbox.llvm());
    sandbox.tool(tool).args("merge --sample samples.txt -o samples.afdo").ok();
}

fn link(sandbox: &Sandbox, options: &str) -> Stats {
    sandbox.link(&format!("-r a.o b.o -o out.o {options}"))
}

fn a_sample_profile_is_an_input_of_every_backend(sandbox: &Sandbox) {
    program(sandbox);
    samples(sandbox, 1);
    assert_eq!(link(sandbox, "").executed(), 2);
    let option = "--lto-sample-profile=samples.afdo";
    assert_eq!(link(sandbox, option).executed(), 2);
    let rare = sandbox.read("out.o");
    sandbox.verify_identical(&format!("-r a.o b.o {option}"));
    assert_eq!(link(sandbox, option).memo(), 2);
    samples(sandbox, 50_000);
    assert_eq!(link(sandbox, option).executed(), 2);
    assert!(sandbox.read("out.o") != rare, "the profile has no effect");
    sandbox.verify_identical(&format!("-r a.o b.o {option}"));
    // Its path is in no key.
    samples(sandbox, 1);
    std::fs::rename(sandbox.path("samples.afdo"), sandbox.path("moved.afdo")).unwrap();
    assert_eq!(link(sandbox, "-plugin-opt=sample-profile=moved.afdo").local_cache(), 2);
    assert!(sandbox.read("out.o") == rare);
}

fn clusters_of_basic_blocks_are_an_input(sandbox: &Sandbox) {
    program(sandbox);
    sandbox.write("clusters", "v1\nf work\nc 0 2\nc 1\n");
    let option = "--lto-basic-block-sections=clusters";
    assert_eq!(link(sandbox, "").executed(), 2);
    let without = sandbox.read("out.o");
    assert_eq!(link(sandbox, option).executed(), 2);
    let two = sandbox.read("out.o");
    assert!(two != without, "the clusters have no effect");
    sandbox.verify_identical(&format!("-r a.o b.o {option}"));
    assert_eq!(link(sandbox, option).memo(), 2);
    sandbox.write("clusters", "v1\nf work\nc 0 1 2\n");
    assert_eq!(link(sandbox, option).executed(), 2);
    assert!(sandbox.read("out.o") != two, "the new clusters have no effect");
    sandbox.verify_identical(&format!("-r a.o b.o {option}"));
    // The last one counts.
    assert_eq!(link(sandbox, &format!("{option} --lto-basic-block-sections=none")).executed(), 2);
    assert!(sandbox.read("out.o") == without);
}

fn a_context_sensitive_profile_is_an_input(sandbox: &Sandbox) {
    program(sandbox);
    let profile = |kind: &str, hash: u32| {
        sandbox.write("counters.txt", format!("{kind}\nwork\n{hash}\n2\n7000\n1\n\n"));
        let tool = format!("llvm-profdata-{}", sandbox.llvm());
        sandbox.tool(tool).args("merge counters.txt -o counters.profdata").ok();
    };
    let option = "--lto-cs-profile-file=counters.profdata";
    profile(":csir", 24);
    assert_eq!(link(sandbox, option).executed(), 2);
    sandbox.verify_identical(&format!("-r a.o b.o {option}"));
    assert_eq!(link(sandbox, option).memo(), 2);
    profile(":csir", 25);
    assert_eq!(link(sandbox, "-plugin-opt=cs-profile-path=counters.profdata").executed(), 2);
    sandbox.verify_identical(&format!("-r a.o b.o {option}"));
    // One without context lld takes for one that has it; clang does not.
    profile(":ir", 24);
    sandbox.ld(&format!("-r a.o b.o -o out.o {option}")).ok().says("--lto-cs-profile-file=counters.profdata");
}

/// scripts/Makefile.autofdo and scripts/Makefile.propeller of 6.13 and later.
fn the_kernels_lines_with_profiles(sandbox: &Sandbox) {
    program(sandbox);
    samples(sandbox, 10);
    sandbox.write("prefix_cc_profile.txt", "v1\nf work\nc 0 2\nc 1\n");
    sandbox.write("prefix_ld_profile.txt", "work\nslow\n");
    let autofdo = "--lto-sample-profile=samples.afdo --mllvm=-enable-fs-discriminator=true \
                   --mllvm=-improved-fs-discriminator=true -plugin-opt=thinlto -plugin-opt=-split-machine-functions";
    let labels =
        if sandbox.llvm() < 20 { "--lto-basic-block-sections=labels" } else { "--lto-basic-block-address-map" };
    let propeller = "--symbol-ordering-file=prefix_ld_profile.txt --no-warn-symbol-ordering \
                     --lto-basic-block-sections=prefix_cc_profile.txt";
    for line in [autofdo, labels, propeller, &format!("{autofdo} {propeller}")] {
        assert_eq!(link(sandbox, line).executed(), 2, "{line}");
        sandbox.verify_identical(&format!("-r a.o b.o {line}"));
    }
    let first_encoding = "--lto-sample-profile=samples.afdo -mllvm -enable-fs-discriminator";
    sandbox.verify(&format!("-r a.o b.o {first_encoding}")).run().exits(2).says("-improved-fs-discriminator");
}

fn steps_with_a_profile(sandbox: &Sandbox) {
    program(sandbox);
    samples(sandbox, 1);
    let thin_link = || {
        let line = "thin-link --list list -- -r -o out.o a.o b.o --lto-sample-profile=samples.afdo";
        sandbox.tool("thindist").args(line).ok();
    };
    thin_link();
    let job = String::from_utf8(sandbox.read("a.o.thinlto.job")).unwrap();
    assert!(job.contains("\"file\": \"samples.afdo\""), "{job}");
    sandbox.tool("thindist").args("backend a.o.thinlto.job b.o.thinlto.job").ok();
    assert_eq!(link(sandbox, "--lto-sample-profile=samples.afdo").local_cache(), 2);
    samples(sandbox, 50_000);
    sandbox
        .tool("thindist")
        .args("backend a.o.thinlto.job")
        .run()
        .exits(1)
        .says("samples.afdo")
        .says("thin-link` again");
    thin_link();
    sandbox.tool("thindist").args("backend a.o.thinlto.job b.o.thinlto.job").ok();
    assert_eq!(link(sandbox, "--lto-sample-profile=samples.afdo").local_cache(), 2);
}

fn a_profile_that_is_not_there(sandbox: &Sandbox) {
    program(sandbox);
    for option in ["--lto-sample-profile=", "--lto-basic-block-sections=", "--lto-cs-profile-file="] {
        sandbox.ld(&format!("-r a.o b.o -o none.o {option}missing.afdo")).run().exits(1).says("missing.afdo");
        assert!(!sandbox.path("none.o").exists());
    }
    assert_eq!(sandbox.action_results(), 0);
    // An empty name is none.
    assert_eq!(link(sandbox, "--lto-sample-profile=").executed(), 2);
    sandbox.verify_identical("-r a.o b.o --lto-sample-profile=");
}

/// A file that is no profile is named as it is on the line.
fn what_is_no_profile_is_named(sandbox: &Sandbox) {
    program(sandbox);
    sandbox.write("broken.afdo", "no profile\n");
    let run = sandbox.ld("-r a.o b.o -o none.o --lto-sample-profile=broken.afdo").run().exits(1);
    run.says("broken.afdo");
    assert_eq!(sandbox.action_results(), 0);
}
