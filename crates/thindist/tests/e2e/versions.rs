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

/// What every version is tried with; `cargo xtask matrix` names others by `THINDIST_TEST_LLVM`.
mod of_each {
    use super::{LOOPS, OLDER, compile, link_line};
    use testkit::{Run, Sandbox, versions_or};

    fn sandboxes() -> impl Iterator<Item = Sandbox> {
        versions_or(&OLDER).into_iter().map(crate::sandbox)
    }

    #[track_caller]
    fn verify(sandbox: &Sandbox, line: &str) {
        let verified = sandbox.tool("thindist").args(&format!("verify -- {line}")).run().exits(0);
        assert!(verified.stdout.starts_with("identical: "), "LLVM {}: {line}: {verified}", sandbox.llvm());
    }

    /// Cold and warm it is lld's output, with lld's words and exit code, and by separate backends where there are any.
    #[track_caller]
    fn expect_lld(sandbox: &Sandbox, line: &str, files: &[&str], code: i32) {
        let read = || files.iter().map(|name| std::fs::read(sandbox.path(name)).ok()).collect::<Vec<_>>();
        let by_lld = sandbox.tool(format!("ld.lld-{}", sandbox.llvm())).args(line).run().exits(code);
        let expected = read();
        let same = |ours: &Run, round: &str| {
            let llvm = sandbox.llvm();
            assert_eq!((&ours.stdout, &ours.stderr), (&by_lld.stdout, &by_lld.stderr), "LLVM {llvm}, {round}: {line}");
            assert!(read() == expected, "LLVM {llvm}, {round}: other bytes than lld's: {line}");
        };
        for round in ["cold", "warm", "again"] {
            same(&sandbox.auto(line).env("THINDIST_MEMO", "0").run().exits(code), round);
        }
        let apart = sandbox.auto(line).env("THINDIST_WAY", "index-only").env("THINDIST_MEMO", "0");
        let apart = apart.env("THINDIST_FALLBACK", "never").run();
        if apart.status.code() == Some(code) && !apart.stderr.contains("allow in-process") {
            same(&apart, "apart");
        } else {
            apart.says("allow in-process");
        }
    }

    /// LLVM 14 to 16 split the type metadata off, and write functions without hotness in another record of the index (16 and older);
    /// clang before 16 does not relax relocations of its own accord.
    #[test]
    fn cxx_is_that_of_in_process() {
        for sandbox in sandboxes() {
            for flags in ["", "-g", "-fwhole-program-vtables"] {
                compile(&sandbox, flags);
                let line = link_line(&sandbox, flags);
                verify(&sandbox, &line);
                expect_lld(&sandbox, &line, &["program"], 0);
            }
        }
    }

    #[test]
    fn c_is_that_of_in_process() {
        for sandbox in sandboxes() {
            crate::programs::chain(&sandbox);
            let line = format!("-r {} -o out.o", crate::programs::CHAIN_OBJECTS);
            expect_lld(&sandbox, &line, &["out.o"], 0);
            let ours = sandbox.auto(&line).env("THINDIST_WAY", "index-only").env("THINDIST_FALLBACK", "never");
            let stats = sandbox.stats_of(ours.env("THINDIST_MEMO", "0"));
            assert_eq!(stats.way(), "index-only", "LLVM {}: {stats:?}", sandbox.llvm());
        }
    }

    /// Passes that a version's lld has in its pipeline and clang has not by itself.
    #[test]
    fn loops_are_those_of_in_process() {
        for sandbox in sandboxes() {
            sandbox.write("loops.c", LOOPS);
            for flags in ["-O2", "-O3 -ffast-math"] {
                sandbox.clang(&format!("{flags} -fPIC -flto=thin -c loops.c -o loops.o"));
                let line = format!("-shared loops.o -o out.so --lto-{}", &flags[1..3]);
                verify(&sandbox, &line);
                expect_lld(&sandbox, &line, &["out.so"], 0);
            }
        }
    }

    /// The lld of older versions names an object that comes from its cache after the cache's file: in messages, in maps, and for a
    /// script's patterns.
    #[test]
    fn a_private_cache_is_not_seen() {
        for sandbox in sandboxes() {
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
                expect_lld(&sandbox, &line, &["out", "map"], code);
            }
        }
    }
}

/// Sums over the columns of arrays that are stored by rows.
const LOOPS: &str = "#define N 512\n\
    double a[N][N], b[N][N], c[N][N];\n\
    void multiply(void) {\n\
      for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) for (int k = 0; k < N; k++) c[j][i] += a[k][i] * b[j][k];\n\
    }\n\
    double sum(void) {\n\
      double s = 0;\n\
      for (int j = 0; j < N; j++) for (int i = 0; i < N; i++) s += c[i][j] * a[i][j];\n\
      return s;\n\
    }\n\
    void add(void) { for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) a[j][i] = a[j][i] + b[j][i]; }\n";

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
