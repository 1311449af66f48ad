//! Versions of LLVM beside the two that everything is tried with: `thindist_core::lld::versions` has a row for each.

use testkit::Sandbox;

/// Those that are packages of the same distribution.
const OLDER: [u32; 3] = [14, 15, 16];

/// Virtual functions whose calls take type metadata, exceptions, and code of the library.
const MAIN: &str = "#include <iostream>\n#include <memory>\n#include <vector>\n\
    struct S { virtual int f(int) = 0; virtual ~S() {} };\n\
    std::unique_ptr<S> make(int);\n\
    int main(int c, char **) {\n\
      std::vector<std::unique_ptr<S>> all;\n\
      for (int i = 0; i < 9; i++) all.push_back(make(i));\n\
      int sum = 0;\n\
      for (auto &one : all) sum += one->f(c);\n\
      std::cout << sum << \"\\n\";\n\
      try { if (sum > 0) throw sum; } catch (int) {}\n\
    }\n";
const MAKE: &str = "#include <memory>\n#include <string>\n\
    struct S { virtual int f(int) = 0; virtual ~S() {} };\n\
    struct A : S { int f(int x) override { return x + 1; } };\n\
    struct B : S { std::string t = \"x\"; int f(int x) override { return x + (int)t.size(); } };\n\
    std::unique_ptr<S> make(int i) { if (i & 1) return std::make_unique<A>(); return std::make_unique<B>(); }\n";

/// LLVM 14 to 16 split the type metadata off, and write functions without hotness in another record of the index (16 and older);
/// clang before 16 does not relax relocations of its own accord.
#[test]
fn cxx_of_older_versions_is_that_of_in_process() {
    for llvm in OLDER {
        let sandbox = crate::sandbox(llvm);
        for flags in ["", "-g", "-fwhole-program-vtables"] {
            compile(&sandbox, flags);
            let line = link_line(&sandbox, flags);
            let verified = sandbox.tool("thindist").args(&format!("verify -- {line}")).run().exits(0);
            assert!(verified.stdout.starts_with("identical: "), "LLVM {llvm} {flags}: {verified}");
        }
    }
}

/// By separate backends it is lld's output.
#[track_caller]
fn expect_apart(sandbox: &Sandbox, line: &str, output: &str) {
    let ours = sandbox.auto(line).env("THINDIST_WAY", "index-only").env("THINDIST_FALLBACK", "never");
    let stats = sandbox.stats_of(ours);
    assert_eq!(stats.way(), "index-only", "LLVM {}: {stats:?}", sandbox.llvm());
    let ours = sandbox.read(output);
    sandbox.lld(line);
    assert!(sandbox.read(output) == ours, "LLVM {}: other bytes than lld's: {line}", sandbox.llvm());
}

#[test]
fn c_of_older_versions_is_that_of_in_process() {
    for llvm in OLDER {
        let sandbox = crate::sandbox(llvm);
        crate::programs::chain(&sandbox);
        expect_apart(&sandbox, &format!("-r {} -o out.o", crate::programs::CHAIN_OBJECTS), "out.o");
    }
}

/// Their lld names an object that comes from its cache after the cache's file: in messages, in maps, and for a script's patterns.
#[test]
fn a_private_cache_of_older_versions_is_not_seen() {
    for llvm in OLDER {
        let sandbox = crate::sandbox(llvm);
        crate::programs::chain(&sandbox);
        sandbox.compile("-O2 -flto=thin", "misses.c", "int none(void); int misses(void) { return none(); }");
        sandbox.write("script", "SECTIONS { .first : { *lto.tmp(.text*) } .rest : { *(.text*) } }\n");
        let objects = crate::programs::CHAIN_OBJECTS;
        let loose = "--unresolved-symbols=ignore-all";
        for (line, code) in [
            (format!("-e main {objects} misses.o -o out"), 1),
            (format!("-e main {objects} misses.o -o out --warn-unresolved-symbols"), 0),
            (format!("-e main {objects} -o out {loose} -Map=map"), 0),
            (format!("-e main {objects} -o out {loose} -y main"), 0),
            (format!("-e main {objects} -o out {loose} -T script"), 0),
        ] {
            let by_lld = sandbox.tool(format!("ld.lld-{llvm}")).args(&line).run().exits(code);
            let files = || ["out", "map"].map(|name| std::fs::read(sandbox.path(name)).ok());
            let expected = files();
            for round in ["cold", "warm", "again"] {
                let ours = sandbox.auto(&line).env("THINDIST_MEMO", "0").run().exits(code);
                assert_eq!(
                    (&ours.stdout, &ours.stderr),
                    (&by_lld.stdout, &by_lld.stderr),
                    "LLVM {llvm}, {round}: {line}"
                );
                assert!(files() == expected, "LLVM {llvm}, {round}: {line}");
            }
        }
    }
}

#[track_caller]
fn compile(sandbox: &Sandbox, flags: &str) {
    for (name, text) in [("main.cc", MAIN), ("make.cc", MAKE)] {
        sandbox.write(name, text);
        let object = name.replace(".cc", ".o");
        let line = format!("-O2 -flto=thin {flags} -c {name} -o {object}");
        sandbox.tool(format!("clang++-{}", sandbox.llvm())).args(&line).ok();
    }
}

/// What clang's driver would start.
#[track_caller]
fn link_line(sandbox: &Sandbox, flags: &str) -> String {
    let line = format!("-flto=thin -fuse-ld=lld {flags} main.o make.o -o program -###");
    let run = sandbox.tool(format!("clang++-{}", sandbox.llvm())).args(&line).ok();
    let last = run.stderr.lines().last().unwrap().replace('"', "");
    last.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
}

/// Nothing is taken from an lld that was not tried: it links alone, with one warning.
#[test]
fn a_version_without_a_row_is_left_to_lld() {
    let sandbox = crate::sandbox(22);
    crate::programs::chain(&sandbox);
    let line = format!("-r {} -o out.o", crate::programs::CHAIN_OBJECTS);
    sandbox.lld(&line);
    let by_lld = sandbox.read("out.o");
    for version in ["13.0.1", "25.1.0"] {
        let answer = format!("[ \"$1\" = --version ] && echo 'LLD {version} (compatible with GNU linkers)' && exit");
        let lld = sandbox.lld_behind("other", &answer);
        let run = sandbox.auto(&line).env("THINDIST_LLD", &lld).ok();
        assert_eq!(run.lines_with("thindist: "), 1, "{run}");
        run.says("thindist was not tried").says("linking in-process");
        assert!(sandbox.read("out.o") == by_lld);
        assert_eq!(sandbox.action_results(), 0);
        let never = sandbox.auto(&line).env("THINDIST_LLD", &lld).env("THINDIST_FALLBACK", "never");
        never.run().exits(1).says("thindist was not tried");
    }
}
