//! Random edits: `cargo xtask fuzz edits`. Small programs in C with debug information, edited at random; after each edit linked by
//! ld.thindist, whose stores remember all edits before, and by plain lld. The outputs have to be the same.
//!
//! A seed is a program and its edits.

mod program;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::command::arguments;
use crate::figures::stats;
use crate::host::project::Home;
use crate::host::random::Random;
use crate::host::{apt, cargo, files, run};

use program::{Program, header_name, module_name};

const LLVMS: [u32; 2] = [22, 19];

/// So many programs when nobody says how many, and so many edits of each.
const USUAL: u32 = 10;
const EDITS: u32 = 25;

/// Ways in which backends are separate: in-process all objects are lld's own.
const WAYS: [&str; 2] = ["index-only", "distributor"];
/// lld before has no distributor.
const DISTRIBUTOR: u32 = 21;

const OUTPUTS: [&str; 2] = ["-r", "-shared"];

/// The task `fuzz edits`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let seeds = arguments::take_number(&mut arguments, "--seeds")?.unwrap_or(USUAL);
    let from = arguments::take_number(&mut arguments, "--from")?.unwrap_or(0);
    let llvm = arguments::take_number(&mut arguments, "--llvm")?;
    arguments::reject_rest(&arguments)?;
    let llvms: Vec<u32> = llvm.map_or_else(|| LLVMS.to_vec(), |llvm| vec![llvm]);
    println!("== random edits: {seeds} programs from seed {from}, {EDITS} edits each");
    all(&llvms, from..from.saturating_add(seeds))
}

/// The first seed, as part of the tests.
pub(crate) fn briefly() -> Result<()> {
    all(&LLVMS, 0..1)
}

fn all(llvms: &[u32], seeds: std::ops::Range<u32>) -> Result<()> {
    llvms.iter().try_for_each(|llvm| apt::ensure(&apt::llvm(*llvm)))?;
    let home = Home::open("edits")?;
    let linker = cargo::install_thindist(&home)?;
    let mut wrong = Vec::new();
    for llvm in llvms {
        let mut sums = Sums::default();
        for seed in seeds.clone() {
            let tried = Tried { dir: home.dir.join(format!("{llvm}-{seed}")), linker: &linker, llvm: *llvm, seed };
            wrong.extend(tried.run(&mut sums)?);
        }
        let Sums { links, run, modules } = sums;
        let word = if wrong.is_empty() { "pass" } else { "FAIL" };
        println!("{word}  edits, LLVM {llvm}: {links} links, {run} of {modules} backends run");
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Over the edits of some programs.
#[derive(Default)]
struct Sums {
    links: u32,
    run: u64,
    modules: u64,
}

struct Tried<'a> {
    dir: PathBuf,
    linker: &'a Path,
    llvm: u32,
    seed: u32,
}

impl Tried<'_> {
    /// The first edit after which the output is not lld's; then what there is stays for a look.
    fn run(&self, sums: &mut Sums) -> Result<Option<String>> {
        files::remove_dir(&self.dir)?;
        files::make_dir(&self.dir)?;
        let mut random = Random::of(self.seed.into());
        let (mut program, output) = (Program::of(&mut random), random.pick(&OUTPUTS));
        self.compile(&program, None)?;
        let mut what = "nothing yet".to_owned();
        for number in 0..=EDITS {
            if number > 0 {
                let before = program.clone();
                what = program.edit(&mut random);
                self.compile(&program, Some(&before))?;
            }
            let ways = if self.llvm < DISTRIBUTOR { &WAYS[..1] } else { &WAYS[..] };
            let way = random.pick(ways);
            let link = self.thindist(way, output)?;
            self.lld(output)?;
            if files::read_bytes(&self.dir.join("ours"))? != files::read_bytes(&self.dir.join("theirs"))? {
                let place = self.dir.display();
                return Ok(Some(format!(
                    "LLVM {}, seed {}, {way}, edit {number} ({what}): not lld's output; see {place}",
                    self.llvm, self.seed
                )));
            }
            // The first link runs all.
            if number > 0 {
                sums.links += 1;
                sums.run += link.backends.run();
                sums.modules += link.modules;
            }
        }
        files::remove_dir(&self.dir)?;
        Ok(None)
    }

    /// Every module that is not as it was `before`.
    fn compile(&self, program: &Program, before: Option<&Program>) -> Result<()> {
        files::write(&self.dir.join(header_name()), program.header())?;
        let has_changed = before.is_none_or(|before| before.header() != program.header());
        for module in 0..program.modules() {
            let (text, flags) = (program.text(module), program.flags(module));
            let is_same = |before: &Program| before.text(module) == text && before.flags(module) == flags;
            if !has_changed && before.is_some_and(is_same) {
                continue;
            }
            files::write(&self.dir.join(module_name(module)), text)?;
            let mut clang = Command::new(format!("clang-{}", self.llvm));
            clang
                .args(["-O2", "-flto=thin", "-fPIC", "-w", "-c"])
                .args(flags.split_whitespace())
                .arg(module_name(module));
            run::quiet(clang.current_dir(&self.dir), &self.dir.join("log"))?;
        }
        Ok(())
    }

    fn objects(&self) -> Result<Vec<PathBuf>> {
        let mut objects = files::list(&self.dir)?;
        objects.retain(|path| path.extension().is_some_and(|extension| extension == "o"));
        objects.sort();
        Ok(objects.iter().filter_map(|path| path.file_name().map(PathBuf::from)).collect())
    }

    fn thindist(&self, way: &str, output: &str) -> Result<stats::Link> {
        let stats = self.dir.join("stats");
        files::remove_file(&stats)?;
        let mut command = Command::new(self.linker);
        command.env("THINDIST_WAY", way).env("THINDIST_FALLBACK", "never").env("THINDIST_STATS", &stats);
        command.env("THINDIST_LLD", format!("ld.lld-{}", self.llvm)).env("THINDIST_CACHE_DIR", self.dir.join("cache"));
        self.link(command.env("THINDIST_MEMO", "0"), output, "ours")?;
        stats::read(&stats)?.pop().ok_or_else(|| "no link was recorded".to_owned())
    }

    fn lld(&self, output: &str) -> Result<()> {
        self.link(&mut Command::new(format!("ld.lld-{}", self.llvm)), output, "theirs")
    }

    fn link(&self, command: &mut Command, output: &str, name: &str) -> Result<()> {
        command.args(output.split_whitespace()).args(self.objects()?).args(["-o", name]);
        run::quiet(command.current_dir(&self.dir), &self.dir.join("log"))
    }
}
