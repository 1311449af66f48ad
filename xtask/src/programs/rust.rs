//! cargo programs: ripgrep with its own tests, and a Rust program with C++ inlined in both directions.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::figures::checks::{Checks, require};
use crate::figures::stats::{self, Link};
use crate::host::{cargo, files, project, run};

use super::dtlto;
use super::suite::{LLVM, Suite, all_is_identical, figures};

const RIPGREP: &str = "15.1.0";
const COUNTS: &str = "1 a\n2 and\n1 birds\n2 cat\n1 dog\n3 the\n";

/// A package and what it is linked from.
struct Package {
    name: &'static str,
    /// Its program, by the beginning of the name that cargo links it under.
    program: &'static str,
    dir: PathBuf,
    with_c: bool,
}

/// Those of `names`.
pub(super) fn check(suite: &Suite, checks: &mut Checks, names: &[&str]) {
    for name in names {
        let is_ripgrep = *name == "ripgrep";
        let package = match if is_ripgrep { ripgrep(suite) } else { words(suite) } {
            Ok(package) => package,
            Err(error) => {
                checks.record(&format!("{name}: sources"), Err(error));
                continue;
            }
        };
        checks.record(&format!("{name}: linked from an empty cache"), first(suite, &package));
        checks.record(&format!("{name}: DTLTO from an empty cache"), package.was_beside(suite, 1));
        checks.record(&format!("{name}: linked again in another directory, verify"), second(suite, &package));
        checks.record(&format!("{name}: DTLTO again in another directory"), package.was_beside(suite, 2));
        if is_ripgrep {
            checks.record("ripgrep: tests of its own", own_tests(suite, &package));
        } else {
            checks.record("words: its output", counts(suite, &package));
        }
    }
}

/// As the registry has it, in a directory of its own: cargo tests no dependency.
fn ripgrep(suite: &Suite) -> Result<Package> {
    let dir = suite.home.dir.join("ripgrep");
    let fetched = suite.home.dir.join("ripgrep-fetch");
    if !dir.exists() {
        let manifest = format!(
            "[package]\nname = \"sources\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
             ripgrep = \"={RIPGREP}\"\n"
        );
        files::make_dir(&fetched.join("src"))?;
        files::write(&fetched.join("src/lib.rs"), "")?;
        files::write(&fetched.join("Cargo.toml"), manifest)?;
        let mut command = cargo::command(&["vendor", "--versioned-dirs", "vendor"]);
        run::logged("fetch ripgrep", command.current_dir(&fetched), &suite.home.log("fetch-ripgrep"))?;
        let package = fetched.join(format!("vendor/ripgrep-{RIPGREP}"));
        // It lies below our own workspace, which it does not belong to.
        let manifest = files::read(&package.join("Cargo.toml"))? + "\n[workspace]\n";
        files::write(&package.join("Cargo.toml"), manifest)?;
        files::rename(&package, &dir)?;
        files::remove_dir(&fetched)?;
    }
    Ok(Package { name: "ripgrep", program: "/deps/rg-", dir, with_c: false })
}

fn words(suite: &Suite) -> Result<Package> {
    let (from, dir) = (project::root().join("xtask/programs/cxx"), suite.home.dir.join("words"));
    for name in ["Cargo.toml", "build.rs", "src/main.rs", "src/words.h", "src/words.cc"] {
        files::make_dir(&dir.join("src"))?;
        files::write(&dir.join(name), files::read(&from.join(name))?)?;
    }
    Ok(Package { name: "words", program: "/deps/words-", dir, with_c: true })
}

impl Package {
    fn target(&self, suite: &Suite, number: u32) -> PathBuf {
        suite.home.dir.join(format!("{}-target-{number}", self.name))
    }

    /// cargo in the package, as docs/build-systems.md has it.
    fn cargo(&self, suite: &Suite, target: &Path, words: &[&str]) -> Result<Command> {
        let mut command = cargo::command(words);
        suite.environment(&mut command);
        // Build scripts are not optimised, and a link of level 0 cannot be carried.
        command.current_dir(&self.dir).env("CARGO_TARGET_DIR", target).env("THINDIST_FALLBACK", "warn");
        let triple = format!("{}_unknown_linux_gnu", std::env::consts::ARCH);
        command.env(format!("CARGO_TARGET_{}_LINKER", triple.to_uppercase()), format!("clang-{LLVM}"));
        let linker = self.linker(suite)?;
        let flags = "-Clinker-plugin-lto -Clink-arg=-fuse-ld=lld -Clink-arg=--ld-path=";
        command.env("RUSTFLAGS", format!("{flags}{}", linker.display()));
        let c = [("CC", "clang"), ("CXX", "clang++"), ("AR", "llvm-ar")]
            .map(|(name, tool)| (name, format!("{tool}-{LLVM}")));
        let flags = ["CFLAGS", "CXXFLAGS"].map(|name| (name, "-flto=thin".to_string()));
        for (name, value) in c.into_iter().chain(flags).filter(|_| self.with_c) {
            command.env(format!("{name}_{triple}"), value);
        }
        Ok(command)
    }

    /// thindist, in a script that first links the program by DTLTO and, if it is asked to, verifies its line: rustc removes
    /// the objects afterwards. Always the same one, because the linker's path is part of what cargo hashes into the names of symbols.
    fn linker(&self, suite: &Suite) -> Result<PathBuf> {
        let script = suite.home.dir.join(format!("bin/linker-of-{}", self.name));
        let text = format!(
            "#!/bin/sh\ncase \"$BESIDE $*\" in /*{program}*) {dtlto};; esac\n\
             case \"$VERIFIED $*\" in /*{program}*) {thindist} verify -- \"$@\" > \"$VERIFIED\" 2>&1;; esac\n\
             exec {linker} \"$@\"\n",
            program = self.program,
            dtlto = dtlto::beside(suite),
            thindist = suite.thindist().display(),
            linker = suite.linker.display()
        );
        files::write(&script, text)?;
        files::make_executable(&script)?;
        Ok(script)
    }

    /// Where the script links it by DTLTO.
    fn beside(&self, suite: &Suite, number: u32) -> PathBuf {
        suite.home.dir.join(format!("{}-beside-{number}", self.name))
    }

    fn was_beside(&self, suite: &Suite, number: u32) -> Result<String> {
        let expected = match number {
            1 => dtlto::Run::All,
            _ if self.with_c => dtlto::Run::Some,
            _ => dtlto::Run::None,
        };
        dtlto::was_beside(&self.beside(suite, number), expected)
    }

    /// Builds it, and gives the link of its program.
    fn build(&self, suite: &Suite, number: u32, verified: &str) -> Result<Link> {
        let (target, beside) = (self.target(suite, number), self.beside(suite, number));
        [&target, &beside].into_iter().try_for_each(|dir| files::remove_dir(dir))?;
        files::make_dir(&beside)?;
        let name = format!("{}-{number}", self.name);
        let stats = suite.home.fresh_stats(&name)?;
        let mut command = self.cargo(suite, &target, &["build", "--release"])?;
        command.env("THINDIST_STATS", &stats).env("VERIFIED", verified).env("BESIDE", &beside);
        run::logged(&format!("{name}: cargo build"), &mut command, &suite.home.log(&name))?;
        let links = stats::read(&stats)?;
        let link = links.iter().find(|link| link.output.contains(self.program));
        link.cloned().ok_or_else(|| format!("thindist recorded no link of {}", self.program))
    }
}

fn first(suite: &Suite, package: &Package) -> Result<String> {
    let link = package.build(suite, 1, "")?;
    let (run, modules) = (link.backends.run(), link.modules);
    require(run == modules && run > 1, || format!("{run} backends ran for {modules} modules"))?;
    Ok(figures(&link))
}

fn second(suite: &Suite, package: &Package) -> Result<String> {
    let verified = suite.home.dir.join(format!("{}-verified", package.name));
    files::remove_file(&verified)?;
    let link = package.build(suite, 2, &verified.display().to_string())?;
    let run = link.backends.run();
    require(run == 0, || format!("{run} backends ran"))?;
    let said = files::read(&verified)?;
    Ok(format!("{}; {}", figures(&link), all_is_identical(&said)?))
}

fn own_tests(suite: &Suite, package: &Package) -> Result<String> {
    let log = suite.home.log("ripgrep-tests");
    let mut command = package.cargo(suite, &package.target(suite, 1), &["test", "--release"])?;
    run::logged("ripgrep: cargo test", &mut command, &log)?;
    let passed: u64 = files::read(&log)?.lines().filter_map(passed).sum();
    require(passed > 100, || format!("only {passed} tests ran"))?;
    Ok(format!("{passed} passed"))
}

/// `test result: ok. 12 passed; …`
fn passed(line: &str) -> Option<u64> {
    line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse().ok()
}

fn counts(suite: &Suite, package: &Package) -> Result<String> {
    let output = run::output(&mut Command::new(package.target(suite, 1).join("release/words")))?;
    require(output == COUNTS.as_bytes(), || String::from_utf8_lossy(&output).into_owned())?;
    Ok("as expected".to_string())
}

#[cfg(test)]
mod tests {
    use super::passed;

    #[test]
    fn passed_tests_are_counted() {
        assert_eq!(passed("test result: ok. 272 passed; 0 failed; 0 ignored"), Some(272));
        assert_eq!(passed("test result: FAILED. 1 passed; 3 failed"), None);
    }
}
