//! The large kernel: the option in the tree that `LD=ld.thindist` has built, with some of it as modules.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::figures::checks::require;
use crate::figures::stats::{self, Link};
use crate::host::project::Home;
use crate::host::{files, run};

use super::super::build::{self, Linker};
use super::super::checkout::Kernel;
use super::super::edits::Edited;
use super::super::{config, link_line};
use super::option::{ALL, SUFFIX, in_one_link, targets};
use super::patches::{self, EDITED};

/// Some of the kernel as modules; the others are still in vmlinux.
const MODULES: &str = include_str!("../../../kernel/modules.config");

/// Fewer would mean that the option was not in effect.
const LEAST_BACKENDS: usize = 900;

fn make(kernel: &Kernel, home: &Home, linker: &Linker, step: &str) -> Result<Vec<Link>> {
    build::make(kernel, home, &Linker::Steps(linker.program()?), step, ALL)
}

pub(super) fn built(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<String> {
    let steps = Linker::Steps(linker.program()?);
    config::apply_instead(kernel, home, &steps, ("CONFIG_LTO_CLANG_THIN=y", "CONFIG_LTO_CLANG_THIN_DIST=y"), MODULES)?;
    files::remove_file(&kernel.out.join("vmlinux.thinlto-index"))?;
    compile_what_is_edited(kernel)?;
    let links = make(kernel, home, linker, "build")?;
    let objects = files::read(&kernel.out.join("vmlinux.thinlto-objects"))?;
    let natives = objects.lines().filter(|line| line.ends_with(SUFFIX)).count();
    require(natives >= LEAST_BACKENDS, || format!("vmlinux.o has only {natives} native objects of backends"))?;
    patches::ignored(kernel, home, &patches::left_by_the_option(kernel, SUFFIX)?)?;
    Ok(format!("{natives} native objects, {} made now, {} of them compiled", targets(&links), stats::run_in(&links)))
}

/// The copied objects of the files that are edited later are not what this tree's compiler makes of them: clang numbers
/// inline assembly by its distance from the start of all text (`!srcloc`), so another length of autoconf.h is another
/// object, and on a new cache the reverted edit was compiled.
fn compile_what_is_edited(kernel: &Kernel) -> Result<()> {
    EDITED.iter().try_for_each(|edited| edited(kernel).touch())
}

/// `thindist verify` of the same line, and the output of the steps against that of `thindist ld`: the same but for the order of
/// symbols, which lld takes from what it reads.
pub(super) fn verified(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<String> {
    let outputs = ["steps", "ld"].map(|way| home.dir.join(format!("dist-{way}.o")));
    let steps = link_line::arguments(kernel, &outputs[0])?;
    let in_one = |output: &Path| -> Result<Vec<String>> {
        Ok(link_line::arguments(kernel, output)?.into_iter().map(in_one_link).collect())
    };
    let run = |program: PathBuf, words: Vec<String>, log: &str| {
        let mut command = Command::new(program);
        command.current_dir(&kernel.out).args(words);
        build::set_environment(&mut command, kernel.llvm, &home.cache());
        run::quiet(&mut command, &home.log(log))
    };
    let program = linker.program()?;
    run(PathBuf::from(format!("ld.lld-{}", kernel.llvm)), steps, "dist-link")?;
    run(program.clone(), [vec!["ld".to_string(), "--".to_string()], in_one(&outputs[1])?].concat(), "dist-ld")?;
    let compared = [vec!["diff".to_string()], outputs.iter().map(|output| output.display().to_string()).collect()];
    run(program.clone(), compared.concat(), "dist-diff")?;
    run(program, [vec!["verify".to_string(), "--".to_string()], in_one(&outputs[1])?].concat(), "dist-verify")?;
    let size = files::read_bytes(&outputs[0])?.len();
    outputs.iter().try_for_each(|output| files::remove_file(output))?;
    let said = files::read(&home.log("dist-verify"))?;
    Ok(format!("{size} bytes; {}", said.lines().last().unwrap_or_default()))
}

/// Nothing, a leaf together with sources of two modules, a file that many import from, and back: what make ran for each.
pub(super) fn edits(kernel: &Kernel, home: &Home, linker: &Linker, number: u64) -> Result<String> {
    let links = make(kernel, home, linker, "nothing")?;
    require(links.is_empty(), || format!("nothing changed: {} links or backends", links.len()))?;
    for edited in [Edited::leaf, Edited::of_one_object, Edited::of_several_objects] {
        edited(kernel).append(number)?;
    }
    counted(&make(kernel, home, linker, "append")?, 1, 3)?;
    Edited::hot(kernel).append(number + 1)?;
    counted(&make(kernel, home, linker, "append-hot")?, 1, 1)?;
    EDITED.iter().try_for_each(|edited| edited(kernel).restore())?;
    let links = make(kernel, home, linker, "revert")?;
    let compiled = stats::run_in(&links);
    require(compiled == 0, || format!("reverted: {compiled} backends were compiled"))?;
    Ok(format!("0; 1 of vmlinux and 1 of each module; 1; reverted: {} from the cache", targets(&links)))
}

/// So many backends were targets of make, for vmlinux; and so many were compiled, for modules as well.
fn counted(links: &[Link], of_vmlinux: usize, all: u64) -> Result<()> {
    let (ran, compiled) = (targets(links), stats::run_in(links));
    require((ran, compiled) == (of_vmlinux, all), || {
        format!("make ran {ran} backends for vmlinux and compiled {compiled} in all, expected {of_vmlinux} and {all}")
    })
}
