//! Many links at once, and under make.

use crate::on_each_llvm;
use crate::programs::row;
use std::fs;
use testkit::{FakeCompiler, Sandbox, most_at_a_time};

on_each_llvm!(
    sixteen_links_at_once_on_one_cache,
    the_jobservers_tokens_are_obeyed_and_returned,
    a_make_of_one_job_runs_one_backend,
);

const LINKS: usize = 16;

/// Four modules that all links share, and one of its own for each.
fn sixteen_links_at_once_on_one_cache(sandbox: &Sandbox) {
    let shared = row(sandbox, 4);
    let clang = FakeCompiler::logging(sandbox, "log");
    let line = |number: usize| format!("-r own{number}.o {shared}");
    for number in 0..LINKS {
        let source = format!("int f0(int); int own(int x) {{ return f0(x) + {number}; }}\n");
        sandbox.compile("-O2 -flto=thin", &format!("own{number}.c"), &source);
    }
    let links: Vec<_> = (0..LINKS)
        .map(|number| {
            let tool = sandbox.ld(&line(number)).args(&format!("-o ours{number}.o"));
            tool.env("THINDIST_CLANG", &clang.path).env("THINDIST_SLOTS", "2").env("THINDIST_JOBS", "4").start()
        })
        .collect();
    for mut link in links {
        assert!(link.wait().unwrap().success());
    }
    for number in 0..LINKS {
        sandbox.lld(&format!("{} -o theirs.o", line(number)));
        assert_eq!(sandbox.read(format!("ours{number}.o")), sandbox.read("theirs.o"), "link {number}");
    }
    let (most, starts) = most_at_a_time(&fs::read_to_string(sandbox.root("log")).unwrap());
    assert!(most <= 2, "{most} compilers at a time with two slots");
    // Links that miss at the same moment each compile what they share; none compiles another's own module.
    assert!((LINKS + 4..=LINKS * 5).contains(&starts), "{starts} compilers were run");
    let report = sandbox.tool("thindist").args("cache verify").ok();
    assert!(report.stdout.ends_with(" 0 damaged\n"), "{report}");
    assert_eq!(sandbox.temporaries(), Vec::<std::path::PathBuf>::new());
}

/// make says so itself if tokens are missing at its end, or if there are too many.
fn the_jobservers_tokens_are_obeyed_and_returned(sandbox: &Sandbox) {
    let objects = row(sandbox, 6);
    let clang = FakeCompiler::logging(sandbox, "log");
    let failing = FakeCompiler::new(sandbox, "failing", "exit 1");
    sandbox.write(
        "Makefile",
        format!(
            "all: one.o two.o bad.o\n\
             one.o two.o:\n\t+ld.thindist -r {objects} --defsym=$(basename $@)=1 -o $@\n\
             bad.o:\n\t+-THINDIST_CLANG={} ld.thindist -r {objects} -o $@ 2>/dev/null\n",
            failing.path.display()
        ),
    );
    // The styles that this make has: all have the pipe, 4.4 has the fifo as well.
    let styles: &[&str] = match sandbox.tool("make").args("--jobserver-style=pipe --version").run().status.success() {
        true => &["--jobserver-style=pipe", "--jobserver-style=fifo"],
        false => &[""],
    };
    for style in styles {
        for (output, count) in [("one.o", 2), ("all", 2), ("all", 3)] {
            let _ = fs::remove_dir_all(sandbox.root("cache/ac"));
            let _ = fs::remove_file(sandbox.root("log"));
            let make = sandbox.tool("make").args(&format!("-B -j{count} {style} {output}"));
            let run = make.env("THINDIST_CLANG", &clang.path).env("THINDIST_SLOTS", "8").env("THINDIST_JOBS", "8").ok();
            assert!(!run.stderr.contains("jobserver") && !run.stderr.contains("token"), "{run}");
            let (most, starts) = most_at_a_time(&fs::read_to_string(sandbox.root("log")).unwrap());
            assert!(most <= count, "{most} compilers at a time under -j{count}");
            assert!(starts >= 6, "{starts} compilers were run");
        }
    }
}

/// `make -j1` has no jobserver that could say so.
fn a_make_of_one_job_runs_one_backend(sandbox: &Sandbox) {
    let objects = row(sandbox, 6);
    let clang = FakeCompiler::logging(sandbox, "log");
    sandbox.write("Makefile", format!("one.o:\n\tld.thindist -r {objects} -o $@\n"));
    let make = sandbox.tool("make").args("-j1 one.o").env("THINDIST_CLANG", &clang.path);
    make.env("THINDIST_SLOTS", "8").ok();
    let (most, starts) = most_at_a_time(&fs::read_to_string(sandbox.root("log")).unwrap());
    assert_eq!((most, starts), (1, 6));
}
