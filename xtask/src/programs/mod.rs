//! Real programs through the linker entrance and through DTLTO: compiled to ThinLTO bitcode once, linked in each way, run.
//!
//! The sources come with crates of the registry, fetched by cargo; nothing of them is part of this repository.

mod bench;
mod build;
mod dtlto;
mod recipes;
mod rust;

pub(crate) use bench::run as bench;

use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::command::arguments;
use crate::figures::checks::{Checks, require};
use crate::figures::stats::{self, Link};
use crate::host::project::Home;
use crate::host::{apt, cargo, files, run};

use build::{LLVM, Program};
use recipes::{RECIPES, Recipe};

const HOME: &str = "programs";

/// The task `programs`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (wanted, cargo) = Wanted::read(arguments.to_vec())?;
    check(&wanted, &cargo)
}

/// Links, verifies and runs the programs that are always checked.
pub(crate) fn check_small() -> Result<()> {
    check(&Wanted::Small, &[])
}

fn check(wanted: &Wanted, cargo: &[&str]) -> Result<()> {
    apt::ensure(&packages())?;
    let suite = Suite::open(wanted)?;
    let mut checks = Checks::default();
    for recipe in &suite.recipes {
        suite.check(&mut checks, recipe);
    }
    rust::check(&suite, &mut checks, cargo);
    checks.finish()
}

/// Which programs.
enum Wanted {
    Small,
    All,
    Named(Vec<String>),
}

impl Wanted {
    /// `--all`, or names; and which of cargo's programs are among them.
    fn read(mut arguments: Vec<String>) -> Result<(Self, Vec<&'static str>)> {
        let all = arguments::take_flag(&mut arguments, "--all");
        let both = all || arguments::take_flag(&mut arguments, "cargo");
        let mut cargo = rust::NAMES.to_vec();
        cargo.retain(|name| arguments::take_flag(&mut arguments, name) || both);
        let known = |name: &String| RECIPES.iter().any(|recipe| recipe.name == name);
        arguments::reject_rest(&arguments.iter().filter(|name| !known(name)).cloned().collect::<Vec<_>>())?;
        let wanted = match arguments.is_empty() && cargo.is_empty() {
            _ if all => Self::All,
            true => Self::Small,
            false => Self::Named(arguments),
        };
        Ok((wanted, cargo))
    }

    fn has(&self, recipe: &Recipe) -> bool {
        match self {
            Self::Small => !recipe.is_large,
            Self::All => true,
            Self::Named(names) => names.iter().any(|name| name == recipe.name),
        }
    }
}

fn packages() -> Vec<String> {
    [apt::llvm(LLVM), apt::build_systems(), vec!["libc6-dev".to_string()]].concat()
}

/// Where everything is.
struct Suite {
    home: Home,
    vendor: PathBuf,
    linker: PathBuf,
    recipes: Vec<&'static Recipe>,
}

impl Suite {
    fn open(wanted: &Wanted) -> Result<Self> {
        let home = Home::open(HOME)?;
        let linker = cargo::install_thindist(&home)?;
        let recipes: Vec<&Recipe> = RECIPES.iter().filter(|recipe| wanted.has(recipe)).collect();
        let vendor = build::fetch(&home, &recipes)?;
        let suite = Self { home, vendor, linker, recipes };
        [suite.home.cache(), dtlto::cache(&suite)].iter().try_for_each(|cache| files::remove_dir(cache))?;
        Ok(suite)
    }

    fn compile(&self, recipe: &'static Recipe) -> Result<Program> {
        build::compile(&self.home, &self.vendor, recipe)
    }

    fn check(&self, checks: &mut Checks, recipe: &'static Recipe) {
        let name = recipe.name;
        let program = match self.compile(recipe) {
            Ok(program) => program,
            Err(error) => {
                checks.record(&format!("{name}: compiled"), Err(error));
                return;
            }
        };
        checks.record(&format!("{name}: linked from an empty cache"), self.first(&program));
        checks.record(&format!("{name}: the same output as in-process"), self.runs(&program));
        checks.record(&format!("{name}: linked again"), self.again(&program));
        checks.record(&format!("{name}: verify"), self.verify(&program));
        dtlto::check(self, checks, &program);
    }

    /// The program under its own name.
    fn thindist(&self) -> PathBuf {
        self.linker.with_file_name("thindist")
    }

    /// What thindist needs to know, and nothing of whoever runs this.
    fn environment(&self, command: &mut Command) {
        command.env("THINDIST_LLD", format!("ld.lld-{LLVM}")).env("THINDIST_CACHE_DIR", self.home.cache());
        command.env("THINDIST_FALLBACK", "never").env_remove("THINDIST_STATS").env_remove("MAKEFLAGS");
    }

    /// One link through thindist, and what it says of it.
    fn link(&self, program: &Program, step: &str, memo: &str) -> Result<Link> {
        let name = format!("{}-{step}", program.recipe.name);
        let stats = self.home.fresh_stats(&name)?;
        let mut command = program.link(&self.linker, "program");
        self.environment(&mut command);
        command.env("THINDIST_STATS", &stats).env("THINDIST_MEMO", memo);
        run::quiet(&mut command, &self.home.log(&name))?;
        stats::read(&stats)?.pop().ok_or_else(|| "thindist recorded no link".to_string())
    }

    fn first(&self, program: &Program) -> Result<String> {
        let link = self.link(program, "first", "1")?;
        let (run, modules) = (link.backends.run(), link.modules);
        require(run == modules && run > 1, || format!("{run} backends ran for {modules} modules"))?;
        Ok(figures(&link))
    }

    /// Once from the native objects, once from the memo.
    fn again(&self, program: &Program) -> Result<String> {
        let mut said = Vec::new();
        for (step, memo) in [("objects", "0"), ("memo", "1")] {
            let link = self.link(program, step, memo)?;
            let (run, linked) = (link.backends.run(), link.way.is_some());
            require(run == 0 && linked == (memo == "0"), || format!("{step}: {run} backends ran, way {:?}", link.way))?;
            said.push(format!("{step}: {}", figures(&link)));
        }
        Ok(said.join("; "))
    }

    fn runs(&self, program: &Program) -> Result<String> {
        let mut command = program.link(&dtlto::lld(), "in-process");
        run::quiet(&mut command, &self.home.log(&format!("{}-in-process", program.recipe.name)))?;
        let output = |name: &str| run::output(Command::new(program.dir.join(name)).current_dir(&program.dir));
        let (ours, theirs) = (output("program")?, output("in-process")?);
        require(!ours.is_empty() && ours == theirs, || {
            format!("{}\nin-process: {}", String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs))
        })?;
        Ok(format!("{} lines", ours.iter().filter(|byte| **byte == b'\n').count()))
    }

    fn verify(&self, program: &Program) -> Result<String> {
        let mut command = Command::new(self.thindist());
        command.current_dir(&program.dir).args(["verify", "--", &program.line(&self.linker, "verified")?]);
        self.environment(&mut command);
        let output = command.output().map_err(|error| run::cannot_start(&command, &error))?;
        all_is_identical(&String::from_utf8_lossy(&output.stdout))
    }
}

/// Modules, backends and seconds of a link; of DTLTO the distributor's.
fn figures(link: &Link) -> String {
    let seconds = link.phases_s.total.unwrap_or_default();
    format!("{} modules, {} backends, {seconds:.2} s", link.modules, link.backends.run())
}

/// What `verify` says of every native object and of the output.
fn all_is_identical(said: &str) -> Result<String> {
    let last = said.lines().last().unwrap_or_default();
    require(last.starts_with("identical: "), || said.to_string())?;
    Ok(last.to_string())
}

#[cfg(test)]
mod tests {
    use super::all_is_identical;

    #[test]
    fn what_differs_fails() {
        assert!(all_is_identical("identical: 2 native objects byte for byte\n").is_ok());
        assert!(
            all_is_identical("different: output .dynsym: content differs\n1 differences in 2 native objects\n")
                .is_err()
        );
        assert!(all_is_identical("").is_err() && all_is_identical("thindist: error: x\n").is_err());
    }
}
