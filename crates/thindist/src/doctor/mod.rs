//! `thindist doctor`: what thindist finds on this machine, and which of it is a problem.

mod engine;

use crate::ui::{BAD, GOOD, say};
use std::process::ExitCode;
use thindist_engine::environment::Environment;
use thindist_engine::failure::Result;
use thindist_engine::remote;
use thindist_engine::settings::Settings;
use thindist_engine::tools::{self, Tool};
use thindist_exec::{Cas, MakeJobserver, State};

pub(crate) fn run(environment: &Environment) -> Result<ExitCode> {
    let settings = Settings::load(environment)?;
    settings.warn_of_unknown_variables();
    let mut sound = true;
    let mut report = |what: &str, finding: Result<String>| match finding {
        Ok(text) => say!("{GOOD}ok{GOOD:#}     {what}: {text}"),
        Err(failure) => {
            say!("{BAD}WRONG{BAD:#}  {what}:");
            failure.report(environment.report());
            sound = false;
        }
    };
    match settings.cache_dir() {
        Err(failure) => report("cache", Err(failure)),
        Ok(root) => {
            report("cache", check_store(&root));
            let state = State::open(&root);
            let lld =
                tools::find_lld(&settings, "ld.thindist").and_then(|path| Tool::examine(&path, environment, &state));
            if let Ok(lld) = &lld {
                report("clang", tools::find_clang(&settings, lld, &state).and_then(|clang| describe(&clang, &state)));
            }
            report("lld", lld.and_then(|lld| describe(&lld, &state)));
        }
    }
    report(
        "fallback",
        settings.never_falls_back().map(|never| if never { "never".to_owned() } else { "warn".to_owned() }),
    );
    match remote::options(&settings) {
        Err(failure) => report("remote cache", Err(failure)),
        Ok(Some(options)) => {
            report("remote cache", engine::check(&options));
            if options.executor.is_some() {
                let run = |root: std::path::PathBuf| engine::run_backend(&settings, &options, &root);
                report("remote executor", settings.cache_dir().and_then(run));
            }
        }
        Ok(None) => {}
    }
    let jobserver = if MakeJobserver::from_makeflags(environment.makeflags()).is_some() {
        "in use"
    } else {
        "none (not started by make, or closed by it)"
    };
    report("make jobserver", Ok(jobserver.to_owned()));
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn describe(tool: &Tool, state: &State) -> Result<String> {
    let identity = tool.identity(state)?.hex();
    Ok(format!("{} (LLVM {}, {})", tool.path.display(), tool.major, identity.get(..12).unwrap_or_default()))
}

/// A blob there and back.
fn check_store(root: &std::path::Path) -> Result<String> {
    let cas = Cas::open(root)?;
    let digest = cas.put_bytes(b"thindist doctor")?;
    let back = cas.read(&digest)?;
    if back.as_deref() == Some(b"thindist doctor") {
        Ok(format!("{} (a blob written and read back)", root.display()))
    } else {
        Err(thindist_engine::failure::Failure::new(format_args!(
            "{}: a blob that was just written cannot be read back",
            root.display()
        )))
    }
}
