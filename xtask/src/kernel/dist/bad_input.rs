//! Errors in a build with the option on: other tools, a thindist that is missing or another version, a path that Kbuild
//! does not accept.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::Result;
use crate::figures::checks::require;
use crate::host::project::Home;
use crate::host::{files, run};

use super::super::build::{self, Linker};
use super::super::checkout::Kernel;
use super::option::targets;

const OPTION: &str = "CONFIG_LTO_CLANG_THIN_DIST=y";

type Check = fn(&Kernel, &Home, &Linker) -> Result<String>;

const CHECKS: &[(&str, Check)] = &[
    ("not offered with gcc, GNU ld, an old clang or no thindist", offered),
    ("thindist has gone: make says so before it compiles", gone),
    ("thindist is of another version: the thin link is done again", another_version),
    ("a path with a space: Kbuild refuses it", space),
];

pub(super) fn all(kernel: &Kernel, home: &Home, linker: &Linker) -> Vec<(&'static str, Result<String>)> {
    CHECKS.iter().map(|(name, check)| (*name, check(kernel, home, linker))).collect()
}

fn steps(linker: &Linker) -> Result<Linker> {
    Ok(Linker::Steps(linker.program()?))
}

/// Kconfig with one tool after another replaced; with none, the option stays.
fn offered(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<String> {
    let old = old_clang(kernel, home)?;
    let old = format!("CC={}", old.display());
    let cases: [(&str, &[&str]); 5] = [
        ("nothing", &[]),
        ("gcc", &["LLVM=", "CC=gcc"]),
        ("GNU ld", &["LD=ld"]),
        ("clang 14", &[&old]),
        ("no thindist", &["THINDIST=/nowhere/thindist"]),
    ];
    for (name, words) in cases {
        let has = configure(kernel, home, linker, words)?.lines().any(|line| line == OPTION);
        require(has == words.is_empty(), || {
            format!("with {name} replaced the option is {}", if has { "on" } else { "off" })
        })?;
    }
    Ok("falls back to no LTO with each, stays without".to_string())
}

/// `make olddefconfig` on a copy of the configuration.
fn configure(kernel: &Kernel, home: &Home, linker: &Linker, words: &[&str]) -> Result<String> {
    let config = home.dir.join("dist-offered.config");
    files::write(&config, files::read(&kernel.out.join(".config"))?)?;
    let mut make = build::command(kernel, home, &steps(linker)?);
    make.args(words).arg("olddefconfig").env("KCONFIG_CONFIG", &config);
    run::quiet(&mut make, &home.log("dist-offered"))?;
    files::read(&config)
}

/// The compiler under test, which says that it is older.
fn old_clang(kernel: &Kernel, home: &Home) -> Result<std::path::PathBuf> {
    let path = home.dir.join("dist-old-clang");
    let major = "-Wno-builtin-macro-redefined -U__clang_major__ -D__clang_major__=14";
    script(&path, &format!("exec clang-{} {major} \"$@\"\n", kernel.llvm))?;
    Ok(path)
}

fn script(path: &Path, body: &str) -> Result<()> {
    files::write(path, format!("#!/bin/sh\n{body}"))?;
    let executable = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755));
    executable.map_err(|error| format!("cannot make {} executable: {error}", path.display()))
}

/// Runs make with something else in thindist's place; what was there comes back whatever happens.
fn with_another<T>(
    linker: &Linker,
    put: impl FnOnce(&Path, &Path) -> Result<()>,
    then: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let program = linker.program()?;
    let aside = program.with_file_name("thindist-aside");
    files::rename(&program, &aside)?;
    let outcome = put(&program, &aside).and_then(|()| then());
    files::rename(&aside, &program)?;
    outcome
}

fn gone(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<String> {
    let steps = steps(linker)?;
    let failed = with_another(
        linker,
        |_, _| Ok(()),
        || Ok(build::make(kernel, home, &steps, "gone", &["vmlinux"]).err().unwrap_or_default()),
    )?;
    let says = "CONFIG_LTO_CLANG_THIN_DIST needs";
    require(failed.contains(says) && failed.contains("make THINDIST="), || {
        format!("make does not say what is missing: {failed}")
    })?;
    require(!failed.contains("  CC  "), || format!("make compiled first: {failed}"))?;
    Ok(format!("*** {says} …"))
}

fn another_version(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<String> {
    let steps = steps(linker)?;
    let put = |program: &Path, aside: &Path| {
        let other = "if [ \"$1\" = --version ]; then echo thindist 9.9.9; exit; fi\n";
        script(program, &format!("{other}exec {} \"$@\"\n", aside.display()))
    };
    let links = with_another(linker, put, || build::make(kernel, home, &steps, "another-version", &["vmlinux"]))?;
    let log = files::read(&home.log(&kernel.log_name("another-version")))?;
    let thin_links = log.lines().filter(|line| line.trim_start().starts_with("THINLTO ")).count();
    require(thin_links == 1, || format!("{thin_links} thin links"))?;
    // This one writes what the other wrote, so nothing else is out of date.
    require(targets(&links) == 0, || format!("{} backends ran", targets(&links)))?;
    Ok("1 thin link, 0 backends".to_string())
}

/// What the steps do with such a path is in their own tests. Kbuild refuses before it reads anything but its Makefile.
fn space(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<String> {
    let src = home.dir.join("dist with a space");
    files::make_dir(&src)?;
    files::write(&src.join("Makefile"), files::read(&kernel.src.join("Makefile"))?)?;
    let there = Kernel { src: src.clone(), out: src, ..kernel.clone() };
    let mut make = build::command(&there, home, &steps(linker)?);
    let failed = run::quiet(make.arg("olddefconfig"), &home.log("dist-space")).err().unwrap_or_default();
    let says = "source directory cannot contain spaces";
    require(failed.contains(says), || format!("make says nothing of the space: {failed}"))?;
    Ok(says.to_string())
}
