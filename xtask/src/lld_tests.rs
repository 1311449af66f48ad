//! `cargo xtask lld-tests`: lld's own tests with thindist in its place, cold and then warm.
//!
//! LLVM 19's tests are in Debian's source package, with the runner (lit); the tools that they use are in its binary packages.
//! A test that passes with lld has to pass with thindist as well, or to be in [`LISTED`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;
use crate::command::arguments;
use crate::host::project::Home;
use crate::host::{apt, cargo, files, newer_suite, run};

const LLVM: u32 = 19;

/// Tests that may fail, and why users want it so.
const LISTED: &[(&str, &str)] = &[
    (
        "ELF/lto/emit-asm.ll",
        "expects not a line on stderr: that backends of this option cannot be separate is said once",
    ),
    ("ELF/lto/devirt_vcall_vis_localize.ll", "the same, of --save-temps"),
    (
        "ELF/lto/thinlto-index-only.ll",
        "looks into an index: ours has each module by lld's name, in another encoding, and changes less often",
    ),
    ("ELF/lto/thinlto-object-suffix-replace.ll", "compares an index of ours with one of a mode that is lld's alone"),
];

/// The task.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let below = arguments::take_text(&mut arguments, "--below")?.unwrap_or_else(|| "ELF".to_owned());
    arguments::reject_rest(&arguments)?;
    apt::ensure(
        &[apt::llvm(LLVM), vec![format!("llvm-{LLVM}-tools"), format!("llvm-{LLVM}-dev"), "python3".to_owned()]]
            .concat(),
    )?;
    let home = Home::open("lld-tests")?;
    let tests = Tests { source: source(&home)?, linker: cargo::install_thindist(&home)?, home };
    tests.configure()?;
    tests.prepare_tools()?;
    files::remove_dir(&tests.home.dir.join("cache"))?;
    let plain = tests.passed("lld", &tests.real_tools(), &below)?;
    println!("lld {LLVM}: {} tests pass", plain.len());
    let mut failed = 0;
    for round in ["cold", "warm"] {
        let ours = tests.passed(round, &tests.home.dir.join("tools"), &below)?;
        let lost: Vec<&String> = plain.difference(&ours).collect();
        for test in &lost {
            match LISTED.iter().find(|(name, _)| test.ends_with(name)) {
                Some((_, why)) => println!("listed  {round}: {test}: {why}"),
                None => {
                    failed += 1;
                    println!("FAILED  {round}: {test}: see {}", tests.home.log(round).display());
                }
            }
        }
        println!("thindist, {round}: {} of {} tests pass", plain.len() - lost.len(), plain.len());
    }
    if failed == 0 { Ok(()) } else { Err(format!("{failed} of lld's tests fail with thindist in its place")) }
}

/// The tests, once; kept below target/.
fn source(home: &Home) -> Result<PathBuf> {
    let unpacked = home.dir.join("source");
    if unpacked.join("lld/test/lit.cfg.py").is_file() {
        return Ok(unpacked);
    }
    let apt = newer_suite::Apt::of_sources(&home.dir.join("apt"), &home.log("apt"))?;
    let archive = apt.source(&format!("llvm-toolchain-{LLVM}"), &home.dir.join("packages"))?;
    files::remove_dir(&unpacked)?;
    files::make_dir(&unpacked)?;
    let mut tar = Command::new("tar");
    // For tar, -C is of the names that follow.
    tar.arg("-xf").arg(archive).arg("--strip-components=1").arg("-C").arg(&unpacked);
    tar.args(["--wildcards", "*/lld/test/*", "*/llvm/utils/lit/*"]);
    run::logged("unpack lld's tests", &mut tar, &home.log("unpack"))?;
    files::remove_dir(&home.dir.join("packages"))?;
    Ok(unpacked)
}

struct Tests {
    home: Home,
    source: PathBuf,
    linker: PathBuf,
}

impl Tests {
    fn real_tools(&self) -> PathBuf {
        PathBuf::from(format!("/usr/lib/llvm-{LLVM}/bin"))
    }

    /// lld's names, of which one is thindist.
    fn prepare_tools(&self) -> Result<()> {
        let tools = self.home.dir.join("tools");
        files::make_dir(&tools)?;
        for name in ["lld", "lld-link", "ld64.lld", "wasm-ld"] {
            files::symlink(&self.real_tools().join(name), &tools.join(name))?;
        }
        files::symlink(&self.linker, &tools.join("ld.lld"))
    }

    /// What CMake would write: where things are. What is tested is in the environment.
    fn configure(&self) -> Result<()> {
        let (llvm, source) = (format!("/usr/lib/llvm-{LLVM}"), self.source.display().to_string());
        let text = format!(
            "import os, sys\n\
             config.llvm_src_root = \"{source}/llvm\"\n\
             config.llvm_obj_root = \"{llvm}\"\n\
             config.llvm_tools_dir = \"{llvm}/bin\"\n\
             config.llvm_libs_dir = config.llvm_shlib_dir = config.lld_libs_dir = \"{llvm}/lib\"\n\
             config.llvm_shlib_ext = \".so\"\n\
             config.lit_tools_dir = config.errc_messages = \"\"\n\
             config.enable_backtrace = config.has_plugins = True\n\
             config.have_zlib = config.have_zstd = config.have_libxml2 = True\n\
             config.have_dia_sdk = config.ld_lld_default_mingw = config.build_examples = False\n\
             config.linked_bye_extension = False\n\
             config.sizeof_void_p = 8\n\
             config.host_triple = config.target_triple = \"x86_64-pc-linux-gnu\"\n\
             config.python_executable = sys.executable\n\
             config.lld_obj_root = os.environ[\"TESTS_OUTPUT\"]\n\
             config.lld_tools_dir = os.environ[\"TESTS_TOOLS\"]\n\
             for name in os.environ:\n    if name.startswith(\"THINDIST_\"):\n        config.environment[name] = os.environ[name]\n\
             import lit.llvm\n\
             lit.llvm.initialize(lit_config, config)\n\
             lit_config.load_config(config, \"{source}/lld/test/lit.cfg.py\")\n"
        );
        files::make_dir(&self.home.dir.join("site"))?;
        files::write(&self.home.dir.join("site/lit.site.cfg.py"), text)
    }

    /// The names of the tests that pass. All of them link in one directory, so that the second round finds what the first made.
    fn passed(&self, round: &str, tools: &Path, below: &str) -> Result<BTreeSet<String>> {
        let output = self.home.dir.join(if round == "lld" { "with-lld" } else { "with-thindist" });
        files::remove_dir(&output)?;
        files::make_dir(&output)?;
        let (report, log) = (self.home.dir.join(format!("{round}.json")), self.home.log(round));
        let mut lit = Command::new("python3");
        lit.arg(self.source.join("llvm/utils/lit/lit.py")).args(["-sv", "--output"]).arg(&report);
        lit.arg(self.home.dir.join("site").join(below));
        lit.env("TESTS_TOOLS", tools).env("TESTS_OUTPUT", &output);
        lit.env("THINDIST_LLD", self.real_tools().join("ld.lld"))
            .env("THINDIST_CACHE_DIR", self.home.dir.join("cache"));
        eprintln!("  lld's tests, {round} …");
        run::attach_log(&mut lit, &log)?;
        // lit's exit code is 1 as soon as a test fails; which ones is in its report.
        lit.stdin(Stdio::null()).status().map_err(|error| format!("cannot start python3: {error}"))?;
        read_report(&files::read(&report)?)
            .ok_or_else(|| format!("{}: lit has left no report that can be read", log.display()))
    }
}

/// Names of the tests that have passed, in lit's JSON.
fn read_report(text: &str) -> Option<BTreeSet<String>> {
    let report: serde_json::Value = serde_json::from_str(text).ok()?;
    let tests = report.get("tests")?.as_array()?;
    let passed = tests.iter().filter(|test| test.get("code").and_then(|code| code.as_str()) == Some("PASS"));
    Some(passed.filter_map(|test| test.get("name")?.as_str().map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_passed() {
        let text =
            r#"{"tests": [{"name": "lld :: ELF/a.s", "code": "PASS"}, {"name": "lld :: ELF/b.s", "code": "FAIL"}]}"#;
        assert_eq!(read_report(text).unwrap().into_iter().collect::<Vec<_>>(), ["lld :: ELF/a.s"]);
        assert_eq!(read_report("{}"), None);
    }
}
