//! An engine as `thindist doctor` sees it: what it offers, which rules it breaks, and a backend that it runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};
use thindist_engine::failure::{Failure, Result, io};
use thindist_engine::settings::Settings;
use thindist_engine::tools::{self, Tool};
use thindist_exec::{LinkDirectory, State};
use thindist_remote::{Client, Options};

/// Whether it can be reached, offers what is needed and keeps the rules.
pub(super) fn check(options: &Options) -> Result<String> {
    let client = Client::connect(options)?;
    let broken = client.examine()?;
    if broken.is_empty() {
        return Ok(format!("{} ({})", options.cache, client.capabilities()));
    }
    let rules: Vec<String> = broken.iter().map(|broken| format!("rule {}: {}", broken.rule, broken.what)).collect();
    Err(Failure::new(format_args!("{} breaks {}", options.cache, rules.join("; "))).hint("see docs/remote.md"))
}

/// A link of one module that nobody has seen, whose backend may run there only; and the same here.
pub(super) fn run_backend(settings: &Settings, options: &Options, root: &Path) -> Result<String> {
    let Some(executor) = &options.executor else { return Err(Failure::new("remote_executor is not set")) };
    let state = State::open(root);
    let lld = Tool::examine(&tools::find_lld(settings, "ld.thindist")?, settings.environment(), &state)?;
    let clang = tools::find_clang(settings, &lld, &state)?;
    let trial = Trial { directory: LinkDirectory::create(root)?, compiler: clang.path };
    trial.compile()?;
    let there =
        trial.link("there", &[("REMOTE_ONLY", "1"), ("REMOTE_LOCAL_FALLBACK", "0"), ("REMOTE_ACCEPT_CACHED", "0")])?;
    let here = trial.link("here", &[("REMOTE_EXECUTOR", ""), ("REMOTE_CACHE", "")])?;
    if there == here {
        Ok(format!("{executor} (ran a backend; its object equals the one made here)"))
    } else {
        Err(Failure::new(format_args!(
            "{executor} breaks rule 9: the object of its backend differs from the one made here"
        ))
        .hint("see docs/remote.md"))
    }
}

struct Trial {
    directory: LinkDirectory,
    compiler: PathBuf,
}

impl Trial {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn compile(&self) -> Result<()> {
        let (source, object) = (self.path("doctor.c"), self.path("doctor.o"));
        // No engine has its result yet.
        let number = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        let text = format!("unsigned long thindist_doctor(unsigned long x) {{ return x * {number}ul; }}\n");
        std::fs::write(&source, text).map_err(|error| io("write", &source, &error))?;
        let mut clang = Command::new(&self.compiler);
        run(clang.args(["-O2", "-flto=thin", "-c"]).arg(&source).arg("-o").arg(&object)).map(drop)
    }

    /// The output of the link under these settings, and stores of its own.
    fn link(&self, name: &str, settings: &[(&str, &str)]) -> Result<Vec<u8>> {
        let program = std::env::current_exe()
            .map_err(|error| Failure::new(format_args!("cannot find the thindist program: {error}")))?;
        let (output, mut link) = (self.path(name), Command::new(program));
        link.args(["ld", "--", "-r", "-o"]).arg(&output).arg(self.path("doctor.o"));
        link.env("THINDIST_CACHE_DIR", self.path(&format!("cache-{name}"))).env("THINDIST_FALLBACK", "never");
        link.envs(settings.iter().map(|(name, value)| (format!("THINDIST_{name}"), value)));
        run(&mut link)?;
        std::fs::read(&output).map_err(|error| io("read", &output, &error))
    }
}

/// What it says is its error.
fn run(command: &mut Command) -> Result<Output> {
    let name = command.get_program().display().to_string();
    let output = command.output().map_err(|error| Failure::new(format_args!("cannot start {name}: {error}")))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let error = said.lines().find_map(|line| line.split_once("error: ")).map_or(said.trim(), |(_, error)| error);
    Err(Failure::new(format_args!("a backend there: {error}")))
}
