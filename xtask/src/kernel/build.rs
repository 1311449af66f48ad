//! Runs the kernel's make, with its own linker or with ld.thindist.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::figures::stats::{self, Link};
use crate::host::project::Home;
use crate::host::{files, machine, run};

use super::checkout::Kernel;

/// What a user builds.
pub(crate) const ALL: &[&str] = &["vmlinux", "bzImage"];

/// `LD`.
#[derive(Debug, Clone)]
pub(crate) enum Linker {
    /// lld as `LLVM=` names it.
    InProcess,
    /// The absolute path of ld.thindist: Kbuild changes directories.
    Thindist(PathBuf),
    /// ld.thindist at this path, and `thindist cc` in front of the compiler.
    WithCompiler(PathBuf),
    /// lld, and thindist as the program that Kbuild's own steps call.
    Steps(PathBuf),
}

impl Linker {
    pub(crate) fn thindist(path: PathBuf) -> Linker {
        Linker::Thindist(path)
    }

    /// ld.thindist, however it is used; of the steps the program.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Linker::Thindist(path) | Linker::WithCompiler(path) | Linker::Steps(path) => path.clone(),
            Linker::InProcess => PathBuf::new(),
        }
    }

    /// `thindist` beside `ld.thindist`.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        match self {
            Linker::Thindist(path) | Linker::WithCompiler(path) => Ok(path.with_file_name("thindist")),
            Linker::Steps(program) => Ok(program.clone()),
            Linker::InProcess => Err("in-process linking has no thindist to ask".to_string()),
        }
    }
}

/// `make` for `kernel`, without a target. `LLVM=` alone leaves host programs to lld as well (tools/scripts knows HOSTLD),
/// so `LD` is the only thing that differs between the two ways.
pub(crate) fn command(kernel: &Kernel, home: &Home, linker: &Linker) -> Command {
    let mut make = Command::new("make");
    make.arg("-C").arg(&kernel.src);
    if kernel.out != kernel.src {
        make.arg(format!("O={}", kernel.out.display()));
    }
    make.arg(format!("LLVM=-{}", kernel.llvm)).arg(format!("-j{}", machine::cpus()));
    match linker {
        Linker::InProcess => {}
        Linker::Thindist(path) => drop(make.arg(format!("LD={}", path.display()))),
        Linker::WithCompiler(path) => {
            let program = path.with_file_name("thindist");
            make.arg(format!("LD={}", path.display()));
            make.arg(format!("CC={} cc clang-{}", program.display(), kernel.llvm));
        }
        Linker::Steps(program) => drop(make.arg(format!("THINDIST={}", program.display()))),
    }
    set_environment(&mut make, kernel.llvm, &home.cache());
    make
}

/// What a build must not take from whoever runs it, and what thindist needs to know.
pub(crate) fn set_environment(command: &mut Command, llvm: u32, cache: &Path) {
    for inherited in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS", "THINDIST_STATS"] {
        command.env_remove(inherited);
    }
    command.envs(environment(llvm)).env("THINDIST_CACHE_DIR", cache);
}

/// What a link or a build of the kernel is to see, wherever its stores are.
pub(crate) fn environment(llvm: u32) -> Vec<(String, String)> {
    let lld = format!("ld.lld-{llvm}");
    let variables = [
        // The kernel embeds who built it, when, where and how often; distributors fix these, and so does a test that counts.
        ("KBUILD_BUILD_TIMESTAMP", "Thu Jan  1 00:00:00 UTC 1970"),
        ("KBUILD_BUILD_USER", "thindist"),
        ("KBUILD_BUILD_HOST", "thindist"),
        ("KBUILD_BUILD_VERSION", "1"),
        ("THINDIST_LLD", lld.as_str()),
        // A link that fell back would be right for the wrong reason.
        ("THINDIST_FALLBACK", "never"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// Builds `targets` and returns what thindist says of the links that were made. `step` names the log and the statistics.
pub(crate) fn make(kernel: &Kernel, home: &Home, linker: &Linker, step: &str, targets: &[&str]) -> Result<Vec<Link>> {
    make_with(kernel, home, linker, Goal { step, targets }, |_| ())
}

/// What is built, and what its log and its statistics are called.
#[derive(Clone, Copy)]
pub(crate) struct Goal<'a> {
    pub(crate) step: &'a str,
    pub(crate) targets: &'a [&'a str],
}

/// The same after `adjust` had a go at the command.
pub(crate) fn make_with(
    kernel: &Kernel,
    home: &Home,
    linker: &Linker,
    Goal { step, targets }: Goal<'_>,
    adjust: impl FnOnce(&mut Command),
) -> Result<Vec<Link>> {
    let name = kernel.log_name(step);
    let stats = home.fresh_stats(&name)?;
    let mut command = command(kernel, home, linker);
    command.args(targets).env("THINDIST_STATS", &stats);
    adjust(&mut command);
    run::logged(&format!("{name}: make {}", targets.join(" ")), &mut command, &home.log(&name))?;
    stats::read(&stats)
}

/// Makes the next `make` link vmlinux.o again, from the objects that are there.
pub(crate) fn forget_link(kernel: &Kernel) -> Result<()> {
    files::remove_file(&kernel.out.join("vmlinux.o"))
}
