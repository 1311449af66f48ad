//! The option of kbuild/: vmlinux and modules by explicit steps, in a kernel with our patches.
//!
//! It starts from the tree that `LD=ld.thindist` has built: the sources, the compiled objects and the cache are the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::checks::require;
use crate::project::{self, Home};
use crate::stats::{self, Link};
use crate::{Result, files, run};

use super::build::{self, Linker};
use super::edits::Edited;
use super::{Kernel, boot, config, link_line, source};

const PATCHES: &str = "kbuild/linux-6.12";

/// Says which patches a tree has.
const STAMP: &str = ".thindist-patches";

/// Some of the kernel as modules; the others are still in vmlinux.
const MODULES: &str = "CONFIG_EXT4_FS=m\nCONFIG_HID=m\nCONFIG_SERIO_SERPORT=m\n";

/// Fewer would mean that the option was not in effect.
const LEAST_BACKENDS: usize = 900;

/// What a user of the option builds.
const ALL: &[&str] = &["vmlinux", "bzImage", "modules"];

/// The patched tree, made from what `built` has built.
pub(crate) fn prepare(home: &Home, built: &Kernel) -> Result<Kernel> {
    patched(home, "dist", built)
}

/// The same in a directory of another name.
pub(crate) fn patched(home: &Home, name: &str, built: &Kernel) -> Result<Kernel> {
    let kernel = Kernel::in_tree(home, name, built.llvm);
    let patches = files::list(&project::root().join(PATCHES))?;
    let stamp = patches.iter().map(|patch| files::read(patch)).collect::<Result<String>>()?;
    if !files::read(&kernel.src.join(STAMP)).is_ok_and(|applied| applied == stamp) {
        files::remove_dir(&kernel.src)?;
        source::provide_built(home, &built.out, &kernel.src)?;
        patches.iter().try_for_each(|patch| apply(&kernel, home, patch))?;
        files::write(&kernel.src.join(STAMP), stamp)?;
    }
    Edited::leaf(&kernel).restore()?;
    Edited::hot(&kernel).restore()?;
    Ok(kernel)
}

fn apply(kernel: &Kernel, home: &Home, patch: &Path) -> Result<()> {
    check_style(kernel, home, patch)?;
    let mut command = Command::new("patch");
    command.args(["-p1", "-s", "-i"]).arg(patch).current_dir(&kernel.src);
    run::quiet(&mut command, &home.log("dist-patch"))
}

/// Who submits a patch signs it off.
fn check_style(kernel: &Kernel, home: &Home, patch: &Path) -> Result<()> {
    let mut command = Command::new("perl");
    command.args(["scripts/checkpatch.pl", "--no-signoff"]).arg(patch).current_dir(&kernel.src);
    run::quiet(&mut command, &home.log("dist-checkpatch"))
}

fn make(kernel: &Kernel, home: &Home, linker: &Linker, step: &str) -> Result<Vec<Link>> {
    build::make(kernel, home, &Linker::Steps(linker.program()?), step, ALL)
}

/// The backends that make ran as targets: one line of the statistics each.
fn targets(links: &[Link]) -> usize {
    links.iter().filter(|link| link.output.ends_with(".thinlto-native.o")).count()
}

pub(crate) fn built(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<String> {
    let steps = Linker::Steps(linker.program()?);
    config::apply_instead(kernel, home, &steps, ("CONFIG_LTO_CLANG_THIN=y", "CONFIG_LTO_CLANG_THIN_DIST=y"), MODULES)?;
    files::remove_file(&kernel.out.join("vmlinux.thinlto-index"))?;
    compile_what_is_edited(kernel)?;
    let links = make(kernel, home, linker, "build")?;
    let objects = files::read(&kernel.out.join("vmlinux.thinlto-objects"))?;
    let natives = objects.lines().filter(|line| line.ends_with(".thinlto-native.o")).count();
    require(natives >= LEAST_BACKENDS, || format!("vmlinux.o has only {natives} native objects of backends"))?;
    let module = files::read_bytes(&kernel.out.join("fs/ext4/ext4.ko"))?;
    require(module.starts_with(b"\x7fELF"), || "fs/ext4/ext4.ko is no ELF file".to_string())?;
    Ok(format!("{natives} native objects, {} made now, {} of them compiled", targets(&links), stats::run_in(&links)))
}

/// The copied objects of the files that are edited later are not what this tree's compiler makes of them: clang numbers
/// inline assembly by its distance from the start of all text (`!srcloc`), so another length of autoconf.h is another
/// object, and on a new cache the reverted edit was compiled.
fn compile_what_is_edited(kernel: &Kernel) -> Result<()> {
    Edited::leaf(kernel).touch()?;
    Edited::hot(kernel).touch()
}

/// `thindist verify` of the same line, and the output of the steps against that of `thindist ld`: the same but for the order of
/// symbols, which lld takes from what it reads.
pub(crate) fn verified(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<String> {
    let outputs = ["steps", "ld"].map(|way| home.dir.join(format!("dist-{way}.o")));
    let steps = link_line::arguments(kernel, &outputs[0])?;
    let in_one = |output: &Path| -> Result<Vec<String>> {
        let bitcode = |word: String| if word == "vmlinux.thinlto.a" { "vmlinux.a".to_string() } else { word };
        Ok(link_line::arguments(kernel, output)?.into_iter().map(bitcode).collect())
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

/// Nothing, a leaf, a file that many import from, and back: the targets that make ran for each.
pub(crate) fn edits(kernel: &Kernel, home: &Home, linker: &Linker, number: u64) -> Result<String> {
    let counted = |step: &str, expected: usize| {
        let ran = targets(&make(kernel, home, linker, step)?);
        require(ran == expected, || format!("{step}: make ran {ran} backends, expected {expected}"))
    };
    let (leaf, hot) = (Edited::leaf(kernel), Edited::hot(kernel));
    counted("nothing", 0)?;
    leaf.append(number)?;
    counted("append", 1)?;
    hot.append(number + 1)?;
    counted("append-hot", 1)?;
    leaf.restore()?;
    hot.restore()?;
    let links = make(kernel, home, linker, "revert")?;
    let compiled = stats::run_in(&links);
    require(compiled == 0, || format!("reverted: {compiled} backends were compiled"))?;
    Ok(format!("0, 1, 1; reverted: {} from the cache", targets(&links)))
}

pub(crate) fn boots(kernel: &Kernel, home: &Home) -> Result<String> {
    boot::check(kernel, home, "boot")
}
