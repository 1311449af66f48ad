//! A link in the test's own process, and what was heard of it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use testkit::{FakeCompiler, FakeLld, Sandbox, Stats, messenger};
use thindist_engine::environment::Environment;
use thindist_engine::failure::Ending;
use thindist_engine::report::{Report, Stream};

/// No DTLTO: separate backends are linked by the index-only way.
const WITHOUT_DTLTO: u32 = 19;
/// They are linked by the distributor way.
const WITH_DTLTO: u32 = 22;

/// Two modules, of which the first imports from the second.
const SOURCES: [(&str, &str); 2] =
    [("main.c", "int leaf(int); int main(void) { return leaf(1); }"), ("leaf.c", "int leaf(int x) { return x + 1; }")];

/// Everything that a link says, a line each.
#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn add(&self, kind: &str, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{kind}: {text}"));
    }
}

impl Report for Heard {
    fn warning(&self, text: &str) {
        self.add("warning", text);
    }

    fn error(&self, text: &str) {
        self.add("error", text);
    }

    fn hint(&self, text: &str) {
        self.add("hint", text);
    }

    fn note(&self, text: &str) {
        self.add("note", text);
    }

    fn tell(&self, line: &str) {
        self.add("tool", line);
    }

    fn pass_on(&self, _: Stream, bytes: &[u8]) -> std::io::Result<()> {
        String::from_utf8_lossy(bytes).lines().for_each(|line| self.add("tool", line));
        Ok(())
    }

    fn progress(&self, _: Option<&str>) {}

    fn shows_progress(&self) -> bool {
        false
    }
}

/// The place and the tools of links.
pub(crate) struct Bed {
    pub(crate) sandbox: Sandbox,
    variables: Vec<(OsString, OsString)>,
    program: PathBuf,
}

impl Bed {
    /// Two modules in a place of their own, and real tools.
    pub(crate) fn new() -> Self {
        Self::of(WITHOUT_DTLTO)
    }

    /// The same with an lld that can call a distributor.
    pub(crate) fn with_dtlto() -> Self {
        Self::of(WITH_DTLTO)
    }

    fn of(llvm: u32) -> Self {
        let sandbox = Sandbox::without_program(llvm);
        sandbox.bitcode(&SOURCES);
        let (variables, program) = (sandbox.variables(), messenger(&sandbox));
        Self { sandbox, variables, program }.set("CLANG", format!("/usr/bin/clang-{llvm}"))
    }

    /// A setting.
    pub(crate) fn set(mut self, name: &str, value: impl Into<OsString>) -> Self {
        // Of two the first counts.
        self.variables.insert(0, (format!("THINDIST_{name}").into(), value.into()));
        self
    }

    pub(crate) fn lld(self, lld: &FakeLld) -> Self {
        self.set("LLD", &lld.path)
    }

    pub(crate) fn compiler(self, compiler: &FakeCompiler) -> Self {
        self.set("CLANG", &compiler.path)
    }

    pub(crate) fn output(&self) -> PathBuf {
        self.sandbox.path("out.o")
    }

    fn words(&self, output: &Path) -> Vec<OsString> {
        let inputs = SOURCES.map(|(name, _)| self.sandbox.path(name).with_extension("o").into());
        ["-r".into(), "-o".into(), output.into()].into_iter().chain(inputs).collect()
    }

    /// Links the two modules.
    pub(crate) fn link(&self) -> Ended {
        let (heard, stats) = (Heard::default(), self.sandbox.root("stats"));
        // Of an earlier link.
        let _ = std::fs::remove_file(&stats);
        let stats_variable = ("THINDIST_STATS".into(), stats.clone().into());
        let variables = self.variables.iter().cloned().chain([stats_variable]);
        let environment = Environment::of(variables).heard_by(heard.clone()).with_program(self.program.clone());
        let ended = thindist_engine::run(&environment, "ld.thindist", self.words(&self.output()));
        let code = ended.unwrap_or_else(|failure| {
            failure.report(environment.report());
            match failure.ending() {
                Ending::Tool(code) => ExitCode::from(code),
                Ending::NotDone | Ending::NoAnswer => ExitCode::FAILURE,
            }
        });
        let stats = std::fs::read_to_string(&stats).ok().map(|text| serde_json::from_str(&text).unwrap());
        let heard = heard.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ended { code, heard, stats }
    }

    /// Expects that the output is what the real lld gives in-process.
    #[track_caller]
    pub(crate) fn expect_in_process_output(&self) {
        let theirs = self.sandbox.path("theirs/out.o");
        self.sandbox.make_directory(theirs.parent().unwrap());
        let words: Vec<String> = self.words(&theirs).iter().map(|word| word.to_string_lossy().into_owned()).collect();
        self.sandbox.lld(&words.join(" "));
        assert!(self.sandbox.read("out.o") == self.sandbox.read("theirs/out.o"), "out.o is not in-process' output");
    }
}

/// A link that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: ExitCode,
    /// Everything that was said, with its kind in front.
    pub(crate) heard: Vec<String>,
    stats: Option<Stats>,
}

impl Ended {
    /// Expects success, and nothing but this to have been said.
    #[track_caller]
    pub(crate) fn ok(&self, heard: &[&str]) -> &Stats {
        assert_eq!(self.code, ExitCode::SUCCESS, "{self:?}");
        self.expect_heard(heard);
        self.stats.as_ref().unwrap_or_else(|| panic!("no stats: {self:?}"))
    }

    /// Expects a failure with this code, no figures, and nothing but this to have been said.
    #[track_caller]
    pub(crate) fn fails(&self, code: u8, heard: &[&str]) {
        assert_eq!(self.code, ExitCode::from(code), "{self:?}");
        self.expect_heard(heard);
        assert!(self.stats.is_none(), "{self:?}");
    }

    /// Each line holds its text.
    #[track_caller]
    fn expect_heard(&self, expect: &[&str]) {
        let all =
            self.heard.len() == expect.len() && self.heard.iter().zip(expect).all(|(line, part)| line.contains(part));
        assert!(all, "expected lines that hold {expect:#?}\nheard {:#?}", self.heard);
    }
}
