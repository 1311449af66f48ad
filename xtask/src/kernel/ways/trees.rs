//! The trees: one for each way to link, equal in everything else.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::figures::measure::{self, Usage};
use crate::figures::stats;
use crate::host::project::Home;
use crate::host::{files, run};
use crate::kernel::build::{self, Linker};
use crate::kernel::checkout::Kernel;
use crate::kernel::edits::{self, Edited};
use crate::kernel::{config, dist, source};

/// The newest that is tested.
pub(super) const LLVM: u32 = 22;

/// Says of which configuration the objects of a tree are.
const COMPILED: &str = ".thindist-compiled";

const IN_PROCESS: &str = "CONFIG_LTO_CLANG_THIN=y";
const OPTION: &str = "CONFIG_LTO_CLANG_THIN_DIST=y";

pub(crate) const REMOTE_CACHE: &str = "THINDIST_REMOTE_CACHE";

/// A way to build.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) kernel: Kernel,
    pub(crate) linker: Linker,
    setting: &'static str,
    /// Nobody else's, so that an empty one is empty.
    cache: PathBuf,
}

/// What one `make vmlinux` took.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) usage: Usage,
    /// Native objects compiled, as thindist says; in-process says nothing.
    pub(crate) backends: Option<u64>,
}

/// What a way leaves behind.
#[derive(Debug)]
pub(crate) struct Sizes {
    pub(crate) name: &'static str,
    pub(crate) vmlinux: u64,
    pub(crate) image: Vec<u8>,
    /// On the disk, beside what in-process has: stores, indexes, jobs, native objects.
    pub(crate) extra: u64,
}

/// Sources, configuration and objects of each way, of `LD=ld.thindist` if asked for; every object is compiled, so that what is measured is the same work.
pub(crate) fn prepare(home: &Home, thindist: &Linker, with_linker: bool) -> Result<Vec<Way>> {
    let built = Kernel::usual(home, LLVM);
    edits::prepare(&built, home)?;
    build::make(&built, home, thindist, "ways-built", build::ALL)?;
    let steps = Linker::Steps(thindist.program()?);
    let copy = |name| -> Result<Kernel> {
        let kernel = Kernel::in_tree(home, name, LLVM);
        source::provide_built(home, &built.out, &kernel.src)?;
        Ok(kernel)
    };
    let option = dist::patches::tree(home, "ways-option", &built)?;
    let way = |name, kernel: Kernel, linker, setting| {
        let cache = home.dir.join(format!("{}-cache", kernel.name));
        Way { name, kernel, linker, setting, cache }
    };
    let mut ways = vec![way("in-process", copy("ways-in-process")?, Linker::InProcess, IN_PROCESS)];
    if with_linker {
        ways.push(way("`LD=ld.thindist`", copy("ways-linker")?, thindist.clone(), IN_PROCESS));
    }
    ways.push(way("`CONFIG_LTO_CLANG_THIN_DIST`", option, steps, OPTION));
    for way in &ways {
        way.undo_edits()?;
        way.configure(home, "")?;
        way.compile_whole(home)?;
    }
    Ok(ways)
}

impl Way {
    pub(crate) fn configure(&self, home: &Home, suffix: &str) -> Result<()> {
        let version = format!("CONFIG_LOCALVERSION=\"{suffix}\"\n");
        config::apply_instead(&self.kernel, home, &self.linker, (IN_PROCESS, self.setting), &version)
    }

    /// Once for each tree. Copied objects are of another configuration, and so of another length of autoconf.h, which clang's
    /// `!srcloc` counts in: whatever is compiled again later would be another object (seen: 822 backends after `make clean`).
    fn compile_whole(&self, home: &Home) -> Result<()> {
        let (stamp, of) = (self.kernel.out.join(COMPILED), config::current(&self.kernel)?);
        if !files::read(&stamp).is_ok_and(|compiled| compiled == of) {
            self.clean(home)?;
        }
        self.make(home, "ways-prepare", &["vmlinux"])?;
        files::write(&stamp, of)
    }

    pub(crate) fn undo_edits(&self) -> Result<()> {
        Edited::leaf(&self.kernel).restore()?;
        Edited::hot(&self.kernel).restore()
    }

    /// As if nothing had ever been linked; the compiled objects stay.
    pub(crate) fn forget_links(&self) -> Result<()> {
        files::remove_dir(&self.cache)?;
        build::forget_link(&self.kernel)?;
        self.beside_objects()?.iter().try_for_each(|path| files::remove_file(path))
    }

    /// Links as a build machine does that others take results from.
    pub(crate) fn leave_with(&self, home: &Home, address: &str) -> Result<()> {
        self.forget_links()?;
        let environment = [(REMOTE_CACHE, address), ("THINDIST_REMOTE_UPLOAD_LOCAL_RESULTS", "1")];
        self.make_with(home, "ways-upload", &["vmlinux"], &environment).map(drop)
    }

    /// `make clean`, which no store loses anything by.
    pub(crate) fn clean(&self, home: &Home) -> Result<()> {
        let mut command = self.command(home);
        run::quiet(command.arg("clean"), &home.log(&format!("{}-clean", self.kernel.name)))
    }

    fn make(&self, home: &Home, step: &str, targets: &[&str]) -> Result<Made> {
        self.make_with(home, step, targets, &[])
    }

    /// Runs make and measures it with all that it starts.
    pub(crate) fn make_with(
        &self,
        home: &Home,
        step: &str,
        targets: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Made> {
        let name = format!("{}-{step}", self.kernel.name);
        let stats = home.fresh_stats(&name)?;
        let mut command = self.command(home);
        command.args(targets).env("THINDIST_STATS", &stats).envs(environment.iter().copied());
        let usage = measure::measured(&mut command, &home.log(&name))?;
        eprintln!("  {name}: {:.1} s wall, {:.1} s CPU", usage.wall_s, usage.cpu_s);
        let backends = match self.linker {
            Linker::InProcess => None,
            Linker::Thindist(_) | Linker::WithCompiler(_) | Linker::Steps(_) => {
                Some(stats::run_in(&stats::read(&stats)?))
            }
        };
        Ok(Made { usage, backends })
    }

    fn command(&self, home: &Home) -> Command {
        let mut command = build::command(&self.kernel, home, &self.linker);
        command.env("THINDIST_CACHE_DIR", &self.cache);
        command
    }

    /// Reads the sizes off the tree; the image is made for that.
    pub(crate) fn sizes(&self, home: &Home) -> Result<Sizes> {
        self.make(home, "ways-image", build::ALL)?;
        let image = files::read_bytes(&self.kernel.out.join("arch/x86/boot/bzImage"))?;
        let vmlinux = files::read_bytes(&self.kernel.out.join("vmlinux"))?.len() as u64;
        let beside = self.beside_objects()?;
        let stores = if self.cache.exists() { files::below(&self.cache)? } else { Vec::new() };
        let extra = beside.iter().chain(&stores).map(|path| on_disk(path)).sum::<Result<u64>>()?;
        Ok(Sizes { name: self.name, vmlinux, image, extra })
    }

    /// What the option writes into the build directory.
    fn beside_objects(&self) -> Result<Vec<PathBuf>> {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut paths = files::below(&self.kernel.out)?;
        paths.retain(|path| name(path).contains(".thinlto.") || name(path).contains(".thinlto-"));
        Ok(paths)
    }
}

fn on_disk(path: &Path) -> Result<u64> {
    let metadata = path.symlink_metadata().map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(metadata.blocks() * 512)
}
