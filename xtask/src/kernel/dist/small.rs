//! The small kernel: with a configuration of its own, modversions and BTF, compiled from nothing from read-only
//! sources. It tests what takes a whole build, or several.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::figures::checks::require;
use crate::figures::stats::{self, Link};
use crate::host::project::Home;
use crate::host::watched::Watched;
use crate::host::{files, run};

use super::super::build::{self, Linker};
use super::super::checkout::Kernel;
use super::super::edits::Edited;
use super::super::{boot, config, link_line, modules};
use super::option::{ALL, SUFFIX, in_one_link, targets};
use super::{interrupt, patches, read_only};

const CONFIG: &str = include_str!("../../../kernel/small.config");

/// The suffix of the option's first posting.
const FIRST_POSTED: &str = ".final_o";

/// As many as make runs here at a time, whatever machine this is.
const JOBS: usize = 2;

/// Fewer would mean that the option was not in effect.
const LEAST_BACKENDS: usize = 300;

/// Native objects after which make is interrupted.
const BEFORE_INTERRUPT: usize = 60;

/// What is =y, becomes =m, goes, and comes back.
const MOVED: &str = "CONFIG_CRC16";
const MOVED_OBJECT: &str = "lib/crc16";
const MOVED_SYMBOL: &str = " crc16";

/// Each goes on from what the one before it has built.
pub(super) const STEPS: &[(&str, Step)] = &[
    ("read-only sources, O=; make interrupted, and again", interrupted),
    ("boots; modules with modversions and BTF load and unload", boots),
    ("verify, with debug information", verified),
    ("an edit with V=1: full commands; nothing: nothing", verbose),
    ("from =y to =m, to =n, and back", moved),
];

/// What compiles every source again, or every object.
pub(super) const FULL_STEPS: &[(&str, Step)] = &[
    ("-j1 and -j2: so many compilers at a time, the same bytes", one_job),
    ("make clean, another suffix, a warm cache: 0 backends compiled", clean),
];

type Step = fn(&mut Small) -> Result<String>;

pub(super) struct Small {
    kernel: Kernel,
    home: Home,
    linker: Linker,
    compiler: Watched,
    cache: PathBuf,
}

impl Small {
    /// Configured, and nothing built: neither here nor in its cache.
    pub(super) fn prepare(llvm: u32, home: &Home, linker: &Linker) -> Result<Small> {
        let src = patches::sources(home)?;
        let name = format!("small-{llvm}");
        let kernel = Kernel { llvm, src, out: home.dir.join(&name), name };
        let (linker, cache) = (Linker::Steps(linker.program()?), home.dir.join("small-cache"));
        Edited::leaf(&kernel).restore()?;
        [&kernel.out, &cache].into_iter().try_for_each(|directory| files::remove_dir(directory))?;
        let compiler = Watched::create(&home.dir, &format!("clang-{llvm}"))?;
        let small = Small { kernel, home: home.clone(), linker, compiler, cache };
        small.configure(CONFIG)?;
        Ok(small)
    }

    fn configure(&self, wanted: &str) -> Result<()> {
        config::set_with(&self.kernel, wanted, |target| run::quiet(&mut self.command(&[target]), &self.log(target)))
    }

    fn log(&self, step: &str) -> PathBuf {
        self.home.log(&self.kernel.log_name(step))
    }

    /// make, which can write nothing to the sources.
    fn command(&self, words: &[&str]) -> Command {
        let mut make = build::command(&self.kernel, &self.home, &self.linker);
        make.arg(format!("-j{JOBS}")).arg(format!("CC={}", self.compiler.program.display())).args(words);
        make.env("THINDIST_CLANG", &self.compiler.program).env("THINDIST_CACHE_DIR", &self.cache);
        read_only::command(&make, &self.kernel.src)
    }

    fn make(&self, step: &str, words: &[&str]) -> Result<Vec<Link>> {
        let stats = self.home.fresh_stats(&self.kernel.log_name(step))?;
        let mut command = self.command(words);
        command.env("THINDIST_STATS", &stats);
        run::logged(&format!("{}: make", self.kernel.log_name(step)), &mut command, &self.log(step))?;
        stats::read(&stats)
    }

    fn all(&self, step: &str) -> Result<Vec<Link>> {
        self.make(step, ALL)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.kernel.out.join(name)
    }

    fn natives(&self) -> Result<Vec<String>> {
        let listed = files::read(&self.path("vmlinux.thinlto-objects"))?;
        Ok(listed.lines().filter(|line| line.ends_with(SUFFIX)).map(String::from).collect())
    }

    /// vmlinux and every module, with their names.
    fn results(&self) -> Result<Vec<(PathBuf, Vec<u8>)>> {
        let modules = modules::built(&self.kernel)?.into_iter().map(|module| module.path);
        let paths = std::iter::once(self.path("vmlinux")).chain(modules);
        paths.map(|path| Ok((path.clone(), files::read_bytes(&path)?))).collect()
    }
}

/// Ends make in the midst of its backends, and looks that it goes on from there.
fn interrupted(small: &mut Small) -> Result<String> {
    small.compiler.begin()?;
    let stats = small.home.fresh_stats(&small.kernel.log_name("interrupted"))?;
    let mut make = small.command(ALL);
    make.env("THINDIST_STATS", &stats);
    let enough = || Ok(targets(&stats::read_what_is_whole(&stats)?) >= BEFORE_INTERRUPT);
    interrupt::when(&mut make, &small.log("interrupted"), enough)?;
    let before = targets(&stats::read(&stats)?);
    let first = small.compiler.seen()?;
    // Those that were killed have not said that they ended.
    small.compiler.begin()?;
    let after = targets(&small.all("after-interrupt")?);
    let natives = small.natives()?.len();
    require(natives >= LEAST_BACKENDS, || format!("vmlinux.o has only {natives} native objects of backends"))?;
    require(before < natives, || format!("make had run all of its {before} backends when it was interrupted"))?;
    // What ran at that moment may have ended or not, and make removes a target that it was making.
    let difference = natives.abs_diff(before + after);
    require(difference <= JOBS, || format!("{natives} backends; {before} ran before the interrupt and {after} after"))?;
    let second = small.compiler.seen()?;
    let (compiled, most) = (first.0 + second.0, first.1.max(second.1));
    require(most <= JOBS, || format!("{most} compilers at a time with -j{JOBS}"))?;
    Ok(format!("{before} backends, then {after}, of {natives}; at most {most} of {compiled} compilations at a time"))
}

fn boots(small: &mut Small) -> Result<String> {
    for (path, bytes) in small.results()? {
        let is_module = path.extension().is_some();
        let lacks = |section: &str| !bytes.windows(section.len()).any(|window| window == section.as_bytes());
        require(!lacks("\0.BTF\0"), || format!("{} has no BTF", path.display()))?;
        require(!is_module || !lacks("\0__versions\0"), || format!("{} has no modversions", path.display()))?;
    }
    boot::check_modules(&small.kernel, &small.home, "boot", &modules::built(&small.kernel)?)
}

/// By clang without the script, which would be another compiler.
fn verified(small: &mut Small) -> Result<String> {
    let output = small.home.dir.join("small-verify.o");
    let words: Vec<String> = link_line::arguments(&small.kernel, &output)?.into_iter().map(in_one_link).collect();
    let said = link_line::verify_line(&small.kernel, &small.home, &small.linker, &words, &[]);
    files::remove_file(&output)?;
    said
}

fn verbose(small: &mut Small) -> Result<String> {
    let leaf = Edited::leaf(&small.kernel);
    leaf.append(super::super::suite::unseen())?;
    let ran = targets(&small.make("verbose", &[ALL, &["V=1"]].concat())?);
    let log = files::read(&small.log("verbose"))?;
    let target = leaf.target();
    let thin_link = " thin-link --list vmlinux.thinlto-objects --suffix .thinlto-native.o -- ".to_owned();
    let backend = format!("thindist backend -o {target}{SUFFIX} {target}.o.thinlto.job");
    for command in [thin_link, backend] {
        require(log.contains(&command), || format!("V=1 does not show `{command}`"))?;
    }
    let links = small.all("nothing")?;
    require(links.is_empty(), || format!("nothing changed: {} links or backends", links.len()))?;
    leaf.restore()?;
    let compiled = stats::run_in(&small.all("revert")?);
    require(compiled == 0, || format!("reverted: {compiled} backends were compiled"))?;
    Ok(format!("{ran} backends with V=1; 0; reverted: 0 compiled"))
}

/// What the option has left of it goes with it, and counts for nothing.
fn moved(small: &mut Small) -> Result<String> {
    let before = small.results()?;
    set(small, "m")?;
    let as_module = stats::run_in(&small.all("to-m")?);
    has_moved_out(small)?;
    let module = small.path(&format!("{MOVED_OBJECT}.ko"));
    require(module.exists(), || format!("{} was not built", module.display()))?;
    set(small, "n")?;
    small.all("to-n")?;
    has_moved_out(small)?;
    set(small, "y")?;
    let back = stats::run_in(&small.all("back-to-y")?);
    require(back == 0, || format!("back to =y: {back} backends were compiled"))?;
    same(&before, &small.results()?)?;
    Ok(format!("=m: {as_module} compiled; back to =y: 0, and the same bytes"))
}

fn set(small: &Small, value: &str) -> Result<()> {
    let line = match value {
        "n" => format!("# {MOVED} is not set"),
        _ => format!("{MOVED}={value}"),
    };
    let instead = |old: &str| if old.starts_with(MOVED) { line.clone() } else { old.to_string() };
    let wanted: Vec<String> = CONFIG.lines().map(instead).collect();
    small.configure(&(wanted.join("\n") + "\n"))
}

fn has_moved_out(small: &Small) -> Result<()> {
    let native = format!("{MOVED_OBJECT}{SUFFIX}");
    require(!small.path(&native).exists(), || format!("{native} is still there"))?;
    require(!small.natives()?.contains(&native), || format!("{native} is still in vmlinux.o"))?;
    let symbols = files::read(&small.path("System.map"))?;
    require(!symbols.lines().any(|line| line.ends_with(MOVED_SYMBOL)), || "crc16 is still in vmlinux".to_string())
}

fn same(expected: &[(PathBuf, Vec<u8>)], got: &[(PathBuf, Vec<u8>)]) -> Result<()> {
    require(expected.len() == got.len(), || format!("{} files where there were {}", got.len(), expected.len()))?;
    let differs = expected.iter().zip(got).find(|(expected, got)| expected != got);
    differs.map_or(Ok(()), |(expected, _)| Err(format!("{} is another", expected.0.display())))
}

/// Every backend of vmlinux and of the modules once more, on an empty cache, with one job.
fn one_job(small: &mut Small) -> Result<String> {
    link_modules_anew(small)?;
    let two_jobs = small.results()?;
    forget_backends(small)?;
    let warm = std::mem::replace(&mut small.cache, small.home.dir.join("small-cache-of-one-job"));
    files::remove_dir(&small.cache)?;
    small.compiler.begin()?;
    let links = small.make("one-job", &[ALL, &["-j1"]].concat());
    files::remove_dir(&small.cache)?;
    small.cache = warm;
    let run = stats::run_in(&links?);
    let (compiled, most) = small.compiler.seen()?;
    require(run >= LEAST_BACKENDS as u64, || format!("only {run} backends ran"))?;
    require(most == 1, || format!("{most} compilers at a time with -j1"))?;
    same(&two_jobs, &small.results()?)?;
    Ok(format!("{run} backends of {compiled} compilations; {} files equal", two_jobs.len()))
}

/// When vmlinux alone has changed, Kbuild has pahole write BTF into the modules that are there: the same BTF, at another place of
/// the file.
fn link_modules_anew(small: &Small) -> Result<()> {
    for module in modules::built(&small.kernel)? {
        files::remove_file(&module.path)?;
    }
    small.all("modules").map(drop)
}

fn forget_backends(small: &Small) -> Result<()> {
    for native in small.natives()? {
        files::remove_file(&small.path(&native))?;
    }
    for module in modules::built(&small.kernel)? {
        files::remove_file(&module.path.with_extension("o"))?;
    }
    Ok(())
}

/// Everything is compiled anew, as the name of the suffix says, and no backend.
fn clean(small: &mut Small) -> Result<String> {
    let (before, built) = (small.results()?, names(small, SUFFIX)?);
    small.make("clean", &["clean"])?;
    nothing_is_left(small, SUFFIX)?;
    small.compiler.begin()?;
    let suffix = format!("THINLTO_SUFFIX={FIRST_POSTED}");
    let links = small.make("warm", &[ALL, &[suffix.as_str()]].concat())?;
    let (run, ran) = (stats::run_in(&links), stats::targets(&links, FIRST_POSTED));
    require(run == 0, || format!("{run} backends were compiled"))?;
    require(ran >= LEAST_BACKENDS, || format!("make ran only {ran} backends"))?;
    same(&before, &small.results()?)?;
    // An interrupt, moves and edits have left nothing that a plain build does not have.
    let again = names(small, FIRST_POSTED)?;
    let only_before: Vec<&String> = built.difference(&again).collect();
    require(only_before.is_empty(), || format!("earlier builds have left {only_before:?}"))?;
    small.make("clean-suffix", &["clean", &suffix])?;
    nothing_is_left(small, FIRST_POSTED)?;
    Ok(format!("{ran} native objects from the cache, {} compilations of sources", small.compiler.seen()?.0))
}

fn nothing_is_left(small: &Small, suffix: &str) -> Result<()> {
    let left = patches::left_by_the_option(&small.kernel, suffix)?;
    require(left.is_empty(), || format!("make clean has left {left:?}"))
}

/// The option's own files, whatever the suffix of native objects is.
fn names(small: &Small, suffix: &str) -> Result<BTreeSet<String>> {
    let paths = patches::left_by_the_option(&small.kernel, suffix)?;
    Ok(paths.iter().map(|path| path.display().to_string().replace(suffix, ".native")).collect())
}
