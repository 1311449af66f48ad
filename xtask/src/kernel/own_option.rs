//! The option that kernel 7.2 has itself, `CONFIG_LTO_CLANG_THIN_DIST`, on unpatched sources: `make LD=ld.thindist
//! CC="thindist cc clang-22"`.
//!
//! Debian's package of it is in a newer suite.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use crate::Result;
use crate::figures::checks::require;
use crate::figures::stats::{self, Link};
use crate::host::newer_suite::{self, Apt};
use crate::host::project::Home;
use crate::host::{files, machine, run};

use super::build::{self, Goal, Linker};
use super::checkout::Kernel;
use super::edits::Edited;
use super::{boot, config, link_line, modules, source};

/// The first kernel that has the option.
const SINCE: [u32; 2] = [7, 2];

/// Some twenty small files that are no part of vmlinux, so that its modules are those of the other checks.
const MODULES: &str = "CONFIG_NLS=y\nCONFIG_VFAT_FS=m\nCONFIG_NLS_CODEPAGE_437=m\nCONFIG_NLS_CODEPAGE_737=m\n\
    CONFIG_NLS_CODEPAGE_775=m\nCONFIG_NLS_CODEPAGE_850=m\nCONFIG_NLS_CODEPAGE_852=m\nCONFIG_NLS_CODEPAGE_855=m\n\
    CONFIG_NLS_CODEPAGE_857=m\nCONFIG_NLS_CODEPAGE_860=m\nCONFIG_NLS_CODEPAGE_861=m\nCONFIG_NLS_CODEPAGE_862=m\n\
    CONFIG_NLS_CODEPAGE_863=m\nCONFIG_NLS_CODEPAGE_864=m\nCONFIG_NLS_CODEPAGE_865=m\nCONFIG_NLS_CODEPAGE_866=m\n\
    CONFIG_NLS_CODEPAGE_869=m\nCONFIG_NLS_ASCII=m\nCONFIG_NLS_ISO8859_1=m\nCONFIG_NLS_ISO8859_2=m\n\
    CONFIG_NLS_ISO8859_3=m\nCONFIG_NLS_ISO8859_4=m\nCONFIG_NLS_ISO8859_5=m\nCONFIG_NLS_KOI8_R=m\nCONFIG_NLS_UTF8=m\n";

const LEAST_MODULES: usize = 20;

/// Fewer would mean that the option was not in effect.
const LEAST_BACKENDS: usize = 1000;

/// Of the hot file.
const LEAST_IMPORTERS: usize = 30;

const ALL: &[&str] = &["vmlinux", "bzImage", "modules"];
const VMLINUX: &[&str] = &["vmlinux"];
const LIST: &str = "vmlinux.thinlto-index";
const NATIVE: &str = ".thinlto-native.o";

/// Sources and configuration.
pub(crate) fn prepare(home: &Home, linker: &Linker) -> Result<Kernel> {
    let kernel = Kernel::in_tree(home, "own-option", 22);
    if !kernel.src.exists() {
        let unpacked = home.dir.join("apt/unpacked");
        files::remove_dir(&unpacked)?;
        source::provide_from(home, &fetch(home, &unpacked)?, &kernel.src)?;
        files::remove_dir(&home.dir.join("apt"))?;
    }
    Edited::leaf(&kernel).restore()?;
    Edited::hot(&kernel).restore()?;
    config::apply_instead(&kernel, home, linker, ("CONFIG_LTO_CLANG_THIN=y", "CONFIG_LTO_CLANG_THIN_DIST=y"), MODULES)?;
    Ok(kernel)
}

/// The tarball in the package of the oldest kernel that has the option.
fn fetch(home: &Home, to: &Path) -> Result<PathBuf> {
    let apt = Apt::open(&home.dir.join("apt"), &home.log("own-option-apt"), newer_suite::NEWEST)?;
    let has_option = |name: &str| newer_suite::numbers(name).as_slice() >= SINCE.as_slice();
    let package = apt.find("^linux-source-[0-9]+\\.[0-9]+$", has_option)?;
    apt.unpack(&package, to)?;
    Ok(to.join("usr/src").join(format!("{package}.tar.xz")))
}

/// The selected modules of bitcode, as the thin link lists them.
fn listed(kernel: &Kernel) -> Result<Vec<String>> {
    Ok(files::read(&kernel.out.join(LIST))?.lines().map(String::from).collect())
}

fn native(module: &str) -> String {
    format!("{}{NATIVE}", module.strip_suffix(".o").unwrap_or(module))
}

/// Makes the next make run every backend's rule, and the thin link.
fn forget_backends(kernel: &Kernel) -> Result<()> {
    for module in listed(kernel).unwrap_or_default() {
        files::remove_file(&kernel.out.join(native(&module)))?;
        files::remove_file(&kernel.out.join(format!("{module}.thinlto.bc")))?;
    }
    [LIST, "vmlinux.a", "vmlinux.o"].iter().try_for_each(|name| files::remove_file(&kernel.out.join(name)))
}

fn rules(links: &[Link]) -> usize {
    stats::targets(links, NATIVE)
}

pub(crate) fn built(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<String> {
    forget_backends(kernel)?;
    let links = build::make(kernel, home, linker, "build", ALL)?;
    let (rules, modules) = (rules(&links), listed(kernel)?.len());
    require(rules >= LEAST_BACKENDS, || format!("make ran only {rules} backends"))?;
    require(rules == modules, || format!("{rules} backends for {modules} modules"))?;
    Ok(format!("{rules} backends, {} compiled in all", stats::run_in(&links)))
}

/// The words of the thin link that make ran, without its own mode.
fn thin_link_words(kernel: &Kernel) -> Result<Vec<String>> {
    let saved = files::read(&kernel.out.join(".vmlinux.thinlto-index.cmd"))?;
    let words = link_line::saved_words(&saved, LIST)?;
    Ok(words.into_iter().filter(|word| !word.starts_with("--thinlto-index-only")).collect())
}

/// lld's own indexes and import lists of the thin link, below `directory`.
fn plain_indexes(kernel: &Kernel, home: &Home, directory: &Path) -> Result<()> {
    files::remove_dir(directory)?;
    files::make_dir(directory)?;
    let mut lld = Command::new(format!("ld.lld-{}", kernel.llvm));
    lld.args(thin_link_words(kernel)?).current_dir(&kernel.out).arg("--thinlto-emit-imports-files");
    lld.arg(format!("--thinlto-index-only={}", directory.join("list").display()));
    lld.arg(format!("--thinlto-prefix-replace=;{}/", directory.display()));
    run::quiet(&mut lld, &home.log(&kernel.log_name("plain-indexes")))
}

/// Every native object against what the compiler makes of lld's own index without thindist.
pub(crate) fn same_bytes(kernel: &Kernel, home: &Home) -> Result<String> {
    let directory = home.dir.join(kernel.log_name("plain"));
    plain_indexes(kernel, home, &directory)?;
    let modules = listed(kernel)?;
    let chunk = modules.len().div_ceil(machine::cpus());
    let compile = |chunk: &[String]| chunk.iter().try_for_each(|module| compare(kernel, home, &directory, module));
    thread::scope(|scope| {
        let threads: Vec<_> = modules.chunks(chunk).map(|chunk| scope.spawn(move || compile(chunk))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a comparison panicked".to_string())?)
    })?;
    files::remove_dir(&directory)?;
    Ok(format!("{} objects", modules.len()))
}

fn compare(kernel: &Kernel, home: &Home, directory: &Path, module: &str) -> Result<()> {
    let (native, name) = (native(module), module.replace('/', "_"));
    let (plain, log) = (directory.join("object").join(&name), home.log(&kernel.log_name(&format!("plain-{name}"))));
    files::make_dir(&directory.join("object"))?;
    let line = plain_line(kernel, &native, &format!("{}/", directory.display()), &plain)?;
    run::quiet(Command::new("sh").args(["-c", &line]).current_dir(&kernel.out), &log)?;
    let same = files::read_bytes(&plain)? == files::read_bytes(&kernel.out.join(&native))?;
    require(same, || format!("{native} is not what clang makes"))?;
    files::remove_file(&log)
}

/// The saved command of a backend without `thindist cc`, with an index below `prefix` and another output.
fn plain_line(kernel: &Kernel, native: &str, prefix: &str, output: &Path) -> Result<String> {
    let (directory, name) = native.rsplit_once('/').unwrap_or((".", native));
    let path = kernel.out.join(directory).join(format!(".{name}.cmd"));
    let saved = files::read(&path)?;
    let line = saved.lines().next().and_then(|line| line.split_once("/thindist cc "));
    let (_, line) = line.ok_or_else(|| format!("{} has no call of thindist cc", path.display()))?;
    Ok(unescape(line)
        .replace("-fthinlto-index=", &format!("-fthinlto-index={prefix}"))
        .replace(&format!("-o {native}"), &format!("-o {}", output.display())))
}

/// As make reads it.
fn unescape(line: &str) -> String {
    line.replace("$$", "$").replace("$(pound)", "#")
}

pub(crate) fn boots(kernel: &Kernel, home: &Home) -> Result<String> {
    let modules = modules::built(kernel)?;
    require(modules.len() >= LEAST_MODULES, || format!("only {} modules", modules.len()))?;
    boot::check_modules(kernel, home, "boot", &modules)
}

/// make's rules and the compilations of an edit; the hot edit is left in place.
pub(crate) fn edits(kernel: &Kernel, home: &Home, linker: &Linker, number: u64) -> Result<String> {
    let links = build::make(kernel, home, linker, "nothing", ALL)?;
    require(links.is_empty(), || format!("nothing changed: {} links and backends", links.len()))?;
    let leaf = Edited::leaf(kernel);
    leaf.append(number)?;
    let leaf_rules = counted(kernel, home, linker, Goal { step: "append", targets: VMLINUX }, 1)?;
    leaf.restore()?;
    counted(kernel, home, linker, Goal { step: "revert", targets: VMLINUX }, 0)?;
    let hot = Edited::hot(kernel);
    hot.append(number)?;
    let hot_rules = counted(kernel, home, linker, Goal { step: "append-hot", targets: VMLINUX }, 1)?;
    let importers = importers(kernel, home)?;
    require(importers >= LEAST_IMPORTERS, || format!("only {importers} modules import from {}", hot.object))?;
    let all = listed(kernel)?.len();
    Ok(format!(
        "0; leaf: 1 compiled, {leaf_rules} rules; hot: 1 compiled, {hot_rules} rules, where {importers} modules import from \
         it and 7.2 alone runs {all}"
    ))
}

/// The rules that make ran for `targets`; `expected` backends must have been compiled, those of modules among them.
fn counted(
    kernel: &Kernel,
    home: &Home,
    linker: &Linker,
    Goal { step, targets }: Goal<'_>,
    expected: u64,
) -> Result<usize> {
    let links = build::make(kernel, home, linker, step, targets)?;
    let run = stats::run_in(&links);
    require(run == expected, || format!("{step}: {run} backends compiled, expected {expected}"))?;
    Ok(rules(&links))
}

/// How many modules import from the hot file, as lld says.
fn importers(kernel: &Kernel, home: &Home) -> Result<usize> {
    let directory = home.dir.join(kernel.log_name("imports"));
    plain_indexes(kernel, home, &directory)?;
    let lists = files::below(&directory)?.into_iter().filter(|path| path.to_string_lossy().ends_with(".imports"));
    let texts = lists.map(|path| files::read(&path)).collect::<Result<Vec<_>>>()?;
    files::remove_dir(&directory)?;
    Ok(texts.iter().filter(|text| text.lines().any(|line| line == "arch/x86/kernel/cpu/common.o")).count())
}

/// thindist's own link of the same modules against in-process ThinLTO: what 7.2 does not do, with the flags that it has.
pub(crate) fn verified(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<String> {
    let output = home.dir.join(kernel.log_name("verify.o"));
    let mut words = thin_link_words(kernel)?;
    words.extend(["-o".to_string(), output.display().to_string()]);
    let said = link_line::verify_line(kernel, home, linker, &words, &[]);
    files::remove_file(&output)?;
    said
}

/// Built again on a warm cache: after `make clean`, or with only some sources compiled anew.
pub(crate) fn warm(kernel: &Kernel, home: &Home, linker: &Linker, full: bool) -> Result<String> {
    Edited::hot(kernel).restore()?;
    counted(kernel, home, linker, Goal { step: "revert-hot", targets: VMLINUX }, 0)?;
    let compiled = if full {
        let mut clean = build::command(kernel, home, linker);
        run::quiet(clean.arg("clean"), &home.log(&kernel.log_name("clean")))?;
        "all".to_string()
    } else {
        forget_backends(kernel)?;
        let parts = ["lib", "mm", "block"].iter().map(|part| source::remove_objects(&kernel.out.join(part)));
        parts.sum::<Result<usize>>()?.to_string()
    };
    let rules = counted(kernel, home, linker, Goal { step: "warm", targets: ALL }, 0)?;
    require(rules >= LEAST_BACKENDS, || format!("make ran only {rules} backends"))?;
    Ok(format!("{rules} backends from the cache, {compiled} files compiled"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_kbuild_has_them() {
        assert_eq!(native("lib/bcd.o"), "lib/bcd.thinlto-native.o");
        assert_eq!(unescape("-DX=$$Y -DZ='$(pound)'"), "-DX=$Y -DZ='#'");
    }
}
