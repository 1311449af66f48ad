//! Where the programs and their stores are, and which of them are asked for.

use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::command::arguments;
use crate::figures::checks::require;
use crate::figures::stats::Link;
use crate::host::project::Home;
use crate::host::{apt, cargo, files};

use super::build::{self, Program};
use super::recipes::{CARGO, RECIPES, Recipe};

const HOME: &str = "programs";

/// rustc's, and the newest that is tested.
pub(crate) const LLVM: u32 = 22;

/// Which programs.
pub(super) enum Wanted {
    Small,
    All,
    Named(Vec<String>),
}

impl Wanted {
    /// `--all`, or names; and which of cargo's programs are among them.
    pub(super) fn read(mut arguments: Vec<String>) -> Result<(Self, Vec<&'static str>)> {
        let all = arguments::take_flag(&mut arguments, "--all");
        let both = all || arguments::take_flag(&mut arguments, "cargo");
        let mut cargo = CARGO.to_vec();
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

/// What cargo builds is built with the usual LLVM only.
pub(super) fn packages(llvm: u32) -> Vec<String> {
    let of_cargo = if llvm == LLVM { apt::build_systems() } else { Vec::new() };
    [apt::llvm(llvm), of_cargo, vec!["libc6-dev".to_string()]].concat()
}

/// Where everything is.
pub(super) struct Suite {
    pub(super) home: Home,
    pub(super) vendor: PathBuf,
    pub(super) linker: PathBuf,
    pub(super) recipes: Vec<&'static Recipe>,
    pub(super) llvm: u32,
}

impl Suite {
    /// What another LLVM than the usual one compiles has a directory of its own.
    pub(super) fn open(wanted: &Wanted, llvm: u32) -> Result<Self> {
        let home = Home::open(&if llvm == LLVM { HOME.to_owned() } else { format!("{HOME}-{llvm}") })?;
        let linker = cargo::install_thindist(&home)?;
        let (vendor, recipes) = Self::fetch(wanted)?;
        let suite = Self { home, vendor, linker, recipes, llvm };
        [suite.home.cache(), suite.cache_of_dtlto()].iter().try_for_each(|cache| files::remove_dir(cache))?;
        Ok(suite)
    }

    /// Where the sources are.
    pub(super) fn fetch(wanted: &Wanted) -> Result<(PathBuf, Vec<&'static Recipe>)> {
        let recipes: Vec<&Recipe> = RECIPES.iter().filter(|recipe| wanted.has(recipe)).collect();
        Ok((build::fetch(&Home::open(HOME)?, &recipes)?, recipes))
    }

    pub(super) fn compile(&self, recipe: &'static Recipe) -> Result<Program> {
        build::compile(&self.home, &self.vendor, recipe, self.llvm)
    }

    /// The program under its own name.
    pub(super) fn thindist(&self) -> PathBuf {
        self.linker.with_file_name("thindist")
    }

    /// The real one.
    pub(super) fn lld(&self) -> PathBuf {
        PathBuf::from(format!("/usr/bin/ld.lld-{}", self.llvm))
    }

    /// Links by DTLTO make the same actions as the linker entrance, and are to make them themselves.
    pub(super) fn cache_of_dtlto(&self) -> PathBuf {
        self.home.dir.join("cache-dtlto")
    }

    /// What thindist needs to know, and nothing of whoever runs this.
    pub(super) fn environment(&self, command: &mut Command) {
        command.env("THINDIST_LLD", format!("ld.lld-{}", self.llvm)).env("THINDIST_CACHE_DIR", self.home.cache());
        command.env("THINDIST_FALLBACK", "never").env_remove("THINDIST_STATS").env_remove("MAKEFLAGS");
    }
}

/// Modules, backends and seconds of a link; of DTLTO the distributor's.
pub(super) fn figures(link: &Link) -> String {
    let seconds = link.phases_s.total.unwrap_or_default();
    format!("{} modules, {} backends, {seconds:.2} s", link.modules, link.backends.run())
}

/// What `verify` says of every native object and of the output.
pub(super) fn all_is_identical(said: &str) -> Result<String> {
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
