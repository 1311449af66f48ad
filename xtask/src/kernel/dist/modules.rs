//! Modules of a kernel with the option: their links compared with in-process ThinLTO, an out-of-tree module, and
//! loading.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::figures::checks::require;
use crate::host::project::Home;
use crate::host::{files, run};

use super::super::build::{self, Goal, Linker};
use super::super::checkout::Kernel;
use super::super::modules::{self, Module};
use super::super::{boot, link_line};

/// Of one object and of several, with and without imports.
const VERIFIED: &[&str] =
    &["fs/ext4/ext4.o", "fs/jbd2/jbd2.o", "fs/fat/fat.o", "fs/minix/minix.o", "lib/crc7.o", "crypto/md4.o"];

/// The module from out of the tree; it needs one of the tree's.
const OUTSIDE: &[(&str, &str)] = &[
    ("Kbuild", "obj-m := outside.o\noutside-y := first.o second.o\n"),
    (
        "first.c",
        "#include <linux/init.h>\n#include <linux/module.h>\n\nu8 outside_sum(const u8 *bytes, size_t size);\n\n\
         static int __init outside_init(void)\n{\n\treturn outside_sum(\"123456789\", 9) == 0xea ? 0 : -EINVAL;\n}\n\n\
         static void __exit outside_exit(void)\n{\n}\n\nmodule_init(outside_init);\nmodule_exit(outside_exit);\n\
         MODULE_DESCRIPTION(\"of thindist's checks\");\nMODULE_LICENSE(\"GPL\");\n",
    ),
    (
        "second.c",
        "#include <linux/crc7.h>\n\nu8 outside_sum(const u8 *bytes, size_t size);\n\n\
         u8 outside_sum(const u8 *bytes, size_t size)\n{\n\treturn crc7_be(0, bytes, size);\n}\n",
    ),
];

/// `thindist verify` of the link of each.
pub(super) fn verified(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<String> {
    let dir = home.dir.join("dist-modules");
    files::remove_dir(&dir)?;
    files::make_dir(&dir)?;
    for object in VERIFIED {
        verify(kernel, home, linker, Path::new(object), &dir)?;
    }
    Ok(VERIFIED.join(" "))
}

fn verify(kernel: &Kernel, home: &Home, linker: &Linker, object: &Path, dir: &Path) -> Result<()> {
    let link = link_line::of_module(kernel, object)?;
    let bitcode = dir.join("bitcode.o");
    if let Some(compile) = &link.compile {
        compile_again(kernel, home, compile, object, &bitcode)?;
    }
    let word = |word: String| match &link.compile {
        Some(_) if Path::new(&word) == object => bitcode.display().to_string(),
        _ => word,
    };
    let mut words: Vec<String> = link.words.iter().cloned().map(word).collect();
    let output = words.iter().position(|word| word == "-o").and_then(|place| words.get_mut(place + 1));
    *output.ok_or_else(|| format!("the link of {} has no -o", object.display()))? =
        dir.join("out.o").display().to_string();
    let mut command = Command::new(linker.program()?);
    command.current_dir(&kernel.out).args(["verify", "--"]).args(words);
    build::set_environment(&mut command, kernel.llvm, &home.cache());
    run::quiet(&mut command, &home.log("dist-verify-module")).map_err(|error| format!("{}: {error}", object.display()))
}

/// The bitcode that the link of a module of one object has replaced. The command is Kbuild's own, so a shell reads it.
fn compile_again(kernel: &Kernel, home: &Home, compile: &str, object: &Path, bitcode: &Path) -> Result<()> {
    let depfile = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        format!("-MMD,{}", path.with_file_name(format!(".{name}.d")).display())
    };
    let command = compile
        .replace(&format!("-o {} ", object.display()), &format!("-o {} ", bitcode.display()))
        .replace(&depfile(object), &depfile(bitcode));
    require(command.contains(&bitcode.display().to_string()), || {
        format!("`{compile}` does not make {}", object.display())
    })?;
    run::quiet(Command::new("sh").arg("-c").arg(command).current_dir(&kernel.out), &home.log("dist-compile-module"))
}

fn outside_dir(kernel: &Kernel, home: &Home) -> PathBuf {
    home.dir.join(format!("outside-{}", kernel.name))
}

/// `make M=`.
pub(super) fn outside(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<String> {
    let dir = outside_dir(kernel, home);
    files::remove_dir(&dir)?;
    files::make_dir(&dir)?;
    OUTSIDE.iter().try_for_each(|(name, text)| files::write(&dir.join(name), text))?;
    let steps = Linker::Steps(linker.program()?);
    let links = build::make_with(kernel, home, &steps, Goal { step: "outside", targets: &["modules"] }, |make| {
        make.arg(format!("M={}", dir.display()));
    })?;
    let link = links.iter().find(|link| link.output.ends_with("outside.o"));
    let link = link.ok_or("thindist recorded no link of outside.o")?;
    require(link.modules == 2, || format!("outside.o has {} bitcode modules, expected 2", link.modules))?;
    Ok(format!("{} backends, outside.ko", link.modules))
}

/// Loads every module that make has built, and the one from outside if that has been.
pub(super) fn boots(kernel: &Kernel, home: &Home, least: usize) -> Result<String> {
    let mut all = modules::built(kernel)?;
    let outside = outside_dir(kernel, home).join("outside.ko");
    if outside.exists() {
        all.push(Module::read(outside)?);
    }
    require(all.len() >= least, || format!("only {} modules were built", all.len()))?;
    boot::check_modules(kernel, home, "boot", &modules::in_order(all)?)
}
