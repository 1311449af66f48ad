//! thindist against real engines: a C++ program, linked by one client and then by another that has nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::checks::{Checks, require};
use crate::project::Home;
use crate::stats::{self, Backends};
use crate::{Result, apt, arguments, cargo, files, run};

use super::running::Running;
use super::{ENGINES, Engine, home};

const LLVM: u32 = 22;
/// Each module uses the next one and the standard library, so that backends import and objects are not tiny.
const MODULES: u64 = 8;
/// Without exceptions: of the groups with their personality routine a `-r` output keeps others than in-process, engine or not.
const FLAGS: [&str; 5] = ["-O2", "-flto=thin", "-fPIC", "-fno-exceptions", "-c"];

/// The task `engine check`: the engines that are named, or all.
pub(super) fn run(arguments: &[String]) -> Result<()> {
    let (named, unknown): (Vec<_>, Vec<_>) =
        arguments.iter().cloned().partition(|name| ENGINES.iter().any(|engine| engine.name == *name));
    arguments::reject_rest(&unknown)?;
    apt::ensure(&[apt::llvm(LLVM), ["g++", "libstdc++-12-dev"].map(String::from).to_vec()].concat())?;
    let mut checks = Checks::default();
    for engine in ENGINES.iter().filter(|engine| named.is_empty() || named.iter().any(|name| name == engine.name)) {
        let result = check(engine, &mut checks);
        if let Err(error) = result {
            checks.record(engine.name, Err(error));
        }
    }
    checks.finish()
}

fn check(engine: &Engine, checks: &mut Checks) -> Result<()> {
    let home = home(engine)?;
    (engine.provide)(&home)?;
    let data = home.dir.join("check-data");
    files::remove_dir(&data)?;
    let running = Running::start(engine, &home, &data)?;
    let program = Program::compile(&home, running.address(), engine.executes);
    let outcome = program.map(|program| {
        checks.record(&format!("{}: made", engine.name), program.is_made(engine.executes));
        checks.record(&format!("{}: found by another client", engine.name), program.is_found());
        checks.record(&format!("{}: verify", engine.name), program.verify());
    });
    running.stop()?;
    outcome
}

/// A program of several modules, compiled to bitcode.
struct Program {
    home: Home,
    linker: PathBuf,
    directory: PathBuf,
    settings: Vec<(String, String)>,
}

impl Program {
    fn compile(home: &Home, address: String, executes: bool) -> Result<Self> {
        let linker = cargo::install_thindist(home)?;
        let directory = home.dir.join("program");
        files::remove_dir(&directory)?;
        files::make_dir(&directory)?;
        for number in 0..MODULES {
            files::write(&directory.join(format!("m{number}.cc")), source(number))?;
            let mut clang = Command::new(format!("clang++-{LLVM}"));
            clang.current_dir(&directory).args(FLAGS).arg(format!("m{number}.cc"));
            run::quiet(&mut clang, &home.log("compile"))?;
        }
        let setting = |name: &str, value: &str| (format!("THINDIST_{name}"), value.to_owned());
        let mut settings = vec![setting("LLD", &format!("ld.lld-{LLVM}"))];
        if executes {
            settings.extend([setting("REMOTE_EXECUTOR", &address), setting("REMOTE_ONLY", "1")]);
        } else {
            settings.extend([setting("REMOTE_CACHE", &address), setting("REMOTE_UPLOAD_LOCAL_RESULTS", "1")]);
        }
        Ok(Self { home: home.clone(), linker, directory, settings })
    }

    fn command(&self, program: &Path, client: &str) -> Result<Command> {
        let cache = self.home.dir.join(format!("cache-{client}"));
        files::remove_dir(&cache)?;
        let mut command = Command::new(program);
        command.current_dir(&self.directory).env("THINDIST_CACHE_DIR", cache);
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }

    /// A link by a client that has nothing but the engine.
    fn link(&self, client: &str) -> Result<Backends> {
        let file = self.home.fresh_stats(client)?;
        let mut command = self.command(&self.linker, client)?;
        command.env("THINDIST_STATS", &file).args(["-r", "-o", &format!("{client}.out")]).args(objects());
        run::quiet(&mut command, &self.home.log(client))?;
        let links = stats::read(&file)?;
        links.into_iter().next().map(|link| link.backends).ok_or_else(|| "no link".to_owned())
    }

    fn is_made(&self, executes: bool) -> Result<String> {
        let backends = self.link("first")?;
        let made = if executes { backends.remote_executed } else { backends.executed };
        require(made == MODULES, || format!("{made} of {MODULES} backends ran where they should: {backends:?}"))?;
        Ok(format!("{made} backends ran {}", if executes { "there" } else { "here" }))
    }

    fn is_found(&self) -> Result<String> {
        let backends = self.link("second")?;
        let (ran, found) = (backends.run(), backends.remote_cache);
        require((ran, found) == (0, MODULES), || format!("{found} of {MODULES} were found: {backends:?}"))?;
        let read = |client: &str| files::read_bytes(&self.directory.join(format!("{client}.out")));
        require(read("first")? == read("second")?, || "the outputs differ".to_owned())?;
        Ok(format!("{found} objects fetched, 0 backends ran, the same output"))
    }

    /// In-process ThinLTO against objects of the engine.
    fn verify(&self) -> Result<String> {
        let thindist = self.linker.with_file_name("thindist");
        let mut command = self.command(&thindist, "verify")?;
        command.args(["verify", "--", "-r", "-o", "verify.out"]).args(objects());
        let said = String::from_utf8_lossy(&run::output(&mut command)?).trim().to_owned();
        require(said.starts_with("identical: "), || said.clone())?;
        Ok(said)
    }
}

fn objects() -> impl Iterator<Item = String> {
    (0..MODULES).map(|number| format!("m{number}.o"))
}

fn source(number: u64) -> String {
    let next = (number + 1) % MODULES;
    format!(
        "#include <map>\n#include <string>\n#include <vector>\n\
         int f{next}(int);\n\
         static std::map<std::string, std::vector<int>> seen;\n\
         int f{number}(int x) {{\n\
           seen[std::to_string(x)].push_back(x);\n\
           return x < 0 ? (int)seen.size() : f{next}(x - {number} - 1);\n\
         }}\n"
    )
}
