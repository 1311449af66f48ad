//! Sources fetched, compiled to bitcode once, and the linker's line that clang makes of a link.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::Result;
use crate::host::project::Home;
use crate::host::{cargo, files, machine, run};

use super::recipes::{RECIPES, Recipe};

/// A program that has been compiled.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) recipe: &'static Recipe,
    /// Of the compiler.
    llvm: u32,
    /// Where it is linked.
    pub(crate) dir: PathBuf,
    /// Objects by their names in `dir`, native ones of assembly among them.
    pub(crate) objects: Vec<String>,
}

/// Has cargo fetch the crates of all recipes of the size of those and lay them out below `vendor`, unless they are there.
pub(crate) fn fetch(home: &Home, wanted: &[&'static Recipe]) -> Result<PathBuf> {
    let large = wanted.iter().any(|recipe| recipe.is_large);
    let dir = home.dir.join(if large { "sources-all" } else { "sources" });
    let vendor = dir.join("vendor");
    let manifest = manifest(RECIPES.iter().filter(|recipe| large || !recipe.is_large));
    let done = dir.join("fetched");
    if done.exists() && files::read(&done)? == manifest {
        return Ok(vendor);
    }
    files::make_dir(&dir.join("src"))?;
    files::write(&dir.join("src/lib.rs"), "")?;
    files::write(&dir.join("Cargo.toml"), &manifest)?;
    let mut command = cargo::command(&["vendor", "--versioned-dirs", "vendor"]);
    run::logged("fetch the sources", command.current_dir(&dir), &home.log("fetch"))?;
    files::write(&done, manifest)?;
    Ok(vendor)
}

/// A package that nobody builds, in a workspace of its own.
fn manifest(recipes: impl Iterator<Item = &'static Recipe>) -> String {
    let mut text = String::from(
        "[package]\nname = \"sources\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n",
    );
    for recipe in recipes {
        text.push_str(&format!("{} = \"={}\"\n", recipe.crate_name, recipe.version));
    }
    text
}

/// Compiles what is not compiled yet. The sources are never edited; other flags begin anew.
pub(crate) fn compile(home: &Home, vendor: &Path, recipe: &'static Recipe, llvm: u32) -> Result<Program> {
    let dir = home.dir.join(recipe.name);
    let crate_dir = vendor.join(format!("{}-{}", recipe.crate_name, recipe.version));
    let stamp = dir.join("flags");
    let wanted = format!("{llvm} {:?}\n{}", recipe.flags, recipe.main);
    if !stamp.exists() || files::read(&stamp)? != wanted {
        files::remove_dir(&dir)?;
        files::make_dir(&dir)?;
        files::write(&dir.join(recipe.main_name()), recipe.main)?;
        files::write(&stamp, wanted)?;
    }
    let main = dir.join(recipe.main_name()).display().to_string();
    let sources = [vec![main], recipe.sources(&crate_dir)?].concat();
    let objects: Vec<String> = sources.iter().map(|source| object_name(source)).collect();
    if objects.iter().collect::<BTreeSet<_>>().len() != objects.len() {
        return Err(format!("two sources of {} would have one object", recipe.name));
    }
    let missing: Vec<(&String, &String)> =
        sources.iter().zip(&objects).filter(|(_, object)| !dir.join(object).exists()).collect();
    if !missing.is_empty() {
        Compilation { home, recipe, crate_dir: &crate_dir, dir: &dir, llvm }.all(&missing)?;
    }
    Ok(Program { recipe, llvm, dir, objects })
}

fn object_name(source: &str) -> String {
    let name = if source.starts_with('/') { source.rsplit('/').next().unwrap_or(source) } else { source };
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    format!("{}.o", stem.replace('/', "-"))
}

/// What compiles the sources of a program.
struct Compilation<'a> {
    home: &'a Home,
    recipe: &'a Recipe,
    crate_dir: &'a Path,
    dir: &'a Path,
    llvm: u32,
}

impl Compilation<'_> {
    fn all(&self, missing: &[(&String, &String)]) -> Result<()> {
        let name = self.recipe.name;
        eprintln!("  {name}: {} files to compile …", missing.len());
        let start = Instant::now();
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
        std::thread::scope(|scope| {
            for _ in 0..machine::cpus() {
                scope.spawn(|| {
                    while let Some((source, object)) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if let Err(error) = self.one(source, &self.dir.join(object)) {
                            next.store(missing.len(), Ordering::Relaxed);
                            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        }
                    }
                });
            }
        });
        eprintln!("  {name}: compiled ({:.1} s)", start.elapsed().as_secs_f64());
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn one(&self, source: &str, object: &Path) -> Result<()> {
        let fresh = object.with_extension("o.new");
        let mut command = Command::new(compiler(self.recipe, self.llvm));
        command.current_dir(self.crate_dir).args(["-O2", "-flto=thin", "-fPIC", "-w"]).args(self.recipe.flags);
        command.args(["-c", source, "-o"]).arg(&fresh);
        let name = object.file_name().unwrap_or_default().to_string_lossy().into_owned();
        run::quiet(&mut command, &self.home.log(&format!("{}-{name}", self.recipe.name)))?;
        files::rename(&fresh, object)
    }
}

fn compiler(recipe: &Recipe, llvm: u32) -> String {
    format!("{}-{llvm}", if recipe.is_cxx { "clang++" } else { "clang" })
}

impl Program {
    /// `clang` on the link of this program to `output`.
    pub(crate) fn link(&self, linker: &Path, output: &str) -> Command {
        let mut command = Command::new(compiler(self.recipe, self.llvm));
        command.current_dir(&self.dir).args(["-O2", "-flto=thin", "-fuse-ld=lld"]);
        command.arg(format!("--ld-path={}", linker.display())).args(&self.objects).args(self.recipe.libraries);
        command.args(["-o", output]);
        command
    }

    /// The linker's arguments of that link in a response file, from what clang says that it would run.
    pub(crate) fn line(&self, linker: &Path, output: &str) -> Result<String> {
        let mut command = self.link(linker, output);
        let said = command.arg("-###").output().map_err(|error| run::cannot_start(&command, &error))?;
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        let named = format!("\"{}\" ", linker.display());
        let line = said.lines().find_map(|line| line.trim().strip_prefix(named.as_str()));
        let line = line.ok_or_else(|| format!("clang -### shows no linker's line:\n{said}"))?;
        files::write(&self.dir.join("line"), line)?;
        Ok("@line".to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_have_one_name_each() {
        assert_eq!(object_name("zstd/lib/common/pool.c"), "zstd-lib-common-pool.o");
        assert_eq!(object_name("/home/of/main.cc"), "main.o");
    }
}
