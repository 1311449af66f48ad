//! `cargo xtask bench edits`: for each edit of a kernel, which backends run and which native objects have changed.
//!
//! After every edit vmlinux.o is linked by thindist, on stores that remember all edits before, and in-process by lld without any
//! store. Both outputs have to be the same: so no object was taken that should not have been. What has changed is seen in lld's
//! own objects. A difference is a failure of the bench; a ratio that misses its goal is reported.

mod corpus;
mod report;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use crate::Result;
use crate::command::arguments;
use crate::figures::measure;
use crate::figures::stats;
use crate::host::project::Home;
use crate::host::{apt, cargo, files, machine, run};
use crate::kernel::build::{self, Linker};
use crate::kernel::checkout::{HOME, Kernel};
use crate::kernel::{config, link_line, source};

use corpus::Edit;
use report::Measured;

/// As distributions have it.
const DEBUG_INFORMATION: &str = "CONFIG_DEBUG_KERNEL=y\nCONFIG_DEBUG_INFO_DWARF5=y\nCONFIG_DEBUG_INFO_BTF=y\n";

/// The task `bench edits`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let llvm = arguments::take_number(&mut arguments, "--llvm")?.unwrap_or(22);
    let with_debug = !arguments::take_flag(&mut arguments, "--no-debug");
    let only = arguments;
    apt::ensure(&[apt::llvm(llvm), apt::kernel()].concat())?;
    let home = Home::open(HOME)?;
    let linker = Linker::thindist(cargo::install_thindist(&home)?);
    let kernel = Kernel::in_tree(&home, if with_debug { "edits-debug" } else { "edits" }, llvm);
    let bench = Bench::prepare(&kernel, &home, &linker, with_debug)?;
    let measured = bench.all(&only);
    bench.restore()?;
    report::publish(machine::describe(llvm), with_debug, &measured?)
}

struct Bench<'a> {
    kernel: &'a Kernel,
    home: &'a Home,
    linker: &'a Linker,
    /// The text of each source as it was.
    texts: Vec<(&'static corpus::Source, String)>,
    dir: PathBuf,
}

/// The objects of an in-process link, by hashes that count them, and the link's output.
struct InProcess {
    objects: BTreeMap<u64, usize>,
    output: Vec<u8>,
}

impl<'a> Bench<'a> {
    fn prepare(kernel: &'a Kernel, home: &'a Home, linker: &'a Linker, with_debug: bool) -> Result<Bench<'a>> {
        source::provide(home, &kernel.src)?;
        let more = if with_debug { DEBUG_INFORMATION } else { "" };
        config::apply_with(kernel, home, more)?;
        let dir = home.dir.join(kernel.log_name("bench"));
        files::remove_dir(&dir)?;
        files::make_dir(&dir)?;
        let pristine = home.dir.join(source::PRISTINE);
        let text = |source: &'static corpus::Source| Ok((source, files::read(&pristine.join(source.path))?));
        let texts = corpus::SOURCES.iter().map(text).collect::<Result<_>>()?;
        let bench = Bench { kernel, home, linker, texts, dir };
        bench.restore()?;
        build::make(kernel, home, linker, "bench-edits-prepare", &["vmlinux_o"])?;
        Ok(bench)
    }

    /// Every source as it was, where it is not.
    fn restore(&self) -> Result<()> {
        for (source, text) in &self.texts {
            let path = self.kernel.src.join(source.path);
            if files::read(&path)? != *text {
                files::write(&path, text)?;
            }
        }
        Ok(())
    }

    fn all(&self, only: &[String]) -> Result<Vec<Measured>> {
        let (_, before) = (self.thindist("first")?, self.in_process()?);
        let mut measured = Vec::new();
        let is_chosen = |source: &corpus::Source| only.is_empty() || only.iter().any(|name| name == source.path);
        for (source, text) in self.texts.iter().filter(|(source, _)| is_chosen(source)) {
            let member = Path::new(source.path).with_extension("o");
            let member = member.file_name().unwrap_or_default().to_string_lossy().into_owned();
            for edit in corpus::edits(source, text) {
                let one = self.one(&edit, &before, &member)?;
                println!("{}", report::line(&one));
                measured.push(one);
            }
            self.restore()?;
            self.compile(source.path)?;
            self.thindist("restored")?;
        }
        Ok(measured)
    }

    fn one(&self, edit: &Edit, before: &InProcess, member: &str) -> Result<Measured> {
        files::write(&self.kernel.src.join(edit.path), &edit.text)?;
        self.compile(edit.path)?;
        let (link, wall_s, output) = self.thindist("edit")?;
        let now = self.in_process()?;
        Ok(Measured {
            source: edit.path,
            edit: edit.what,
            way: link.way.clone().unwrap_or_default(),
            backends_run: link.backends.run(),
            objects_changed: now.changed_since(before),
            importers: link_line::importers(self.kernel, self.home, member)?,
            wall_s,
            is_lld: output == now.output,
        })
    }

    /// The one object that an edit makes anew.
    fn compile(&self, source: &str) -> Result<()> {
        let object = Path::new(source).with_extension("o").display().to_string();
        build::make(self.kernel, self.home, self.linker, "bench-edits-compile", &[&object]).map(drop)
    }

    fn thindist(&self, step: &str) -> Result<(stats::Link, f64, Vec<u8>)> {
        let (name, output) = (self.kernel.log_name(&format!("bench-edits-{step}")), self.dir.join("thindist.o"));
        let stats = self.home.fresh_stats(&name)?;
        let mut command = link_line::command(self.kernel, &self.linker.path(), &output, &[])?;
        build::set_environment(&mut command, self.kernel.llvm, &self.dir.join("cache"));
        let usage = measure::measured(command.env("THINDIST_STATS", &stats), &self.home.log(&name))?;
        let link = stats::read(&stats)?.pop().ok_or("no link was recorded")?;
        Ok((link, usage.wall_s, files::read_bytes(&output)?))
    }

    /// By lld alone. Its objects are those that it puts into an empty cache: asked for them by `--lto-obj-path` it adds an object
    /// of regular LTO to the output, which is none of the link.
    fn in_process(&self) -> Result<InProcess> {
        let (name, output, objects) =
            (self.kernel.log_name("bench-edits-lld"), self.dir.join("lld.o"), self.dir.join("objects"));
        files::remove_dir(&objects)?;
        files::make_dir(&objects)?;
        let more = [format!("--thinlto-cache-dir={}", objects.display())];
        let lld = format!("ld.lld-{}", self.kernel.llvm);
        let mut command = link_line::command(self.kernel, Path::new(&lld), &output, &more)?;
        build::set_environment(&mut command, self.kernel.llvm, &self.dir.join("cache"));
        run::quiet(&mut command, &self.home.log(&name))?;
        let mut counted = BTreeMap::new();
        for path in files::list(&objects)? {
            let mut hasher = DefaultHasher::new();
            files::read_bytes(&path)?.hash(&mut hasher);
            *counted.entry(hasher.finish()).or_default() += 1;
        }
        Ok(InProcess { objects: counted, output: files::read_bytes(&output)? })
    }
}

impl InProcess {
    /// How many of its objects were not there `before`.
    fn changed_since(&self, before: &InProcess) -> usize {
        let known = |hash| before.objects.get(hash).copied().unwrap_or(0);
        self.objects.iter().map(|(hash, count)| count.saturating_sub(known(hash))).sum()
    }
}
