//! `cargo xtask bench small`: thousands of modules of about two milliseconds each, which show all work that is not
//! lld's.
//!
//! Each round links from nothing and after the edit of one leaf, by thindist and by lld, in turn.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::Result;
use crate::command::arguments;
use crate::figures::measure::{self, Usage, in_turn, median};
use crate::figures::table;
use crate::host::machine::{self, Machine};
use crate::host::project::Home;
use crate::host::{apt, cargo, files, run};

const LLVM: u32 = 22;
const MODULES: usize = 8000;
const USUAL_ROUNDS: u32 = 3;

/// The command line of clang has room for so many files.
const AT_A_TIME: usize = 500;

#[derive(Debug, Serialize)]
struct Round {
    cold_thindist: Usage,
    cold_in_process: Usage,
    leaf_thindist: Usage,
    leaf_lld_cache: Usage,
}

#[derive(Serialize)]
struct Report {
    schema: u32,
    machine: Machine,
    modules: usize,
    rounds: Vec<Round>,
}

/// The task `bench small`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let rounds = arguments::take_rounds(&mut arguments, USUAL_ROUNDS)?;
    arguments::reject_rest(&arguments)?;
    apt::ensure(&apt::llvm(LLVM))?;
    let home = Home::open("small")?;
    let stores = std::env::temp_dir().join(format!("thindist-bench-small-{}", std::process::id()));
    let bench = Bench { linker: cargo::install_thindist(&home)?, home, stores };
    bench.compile_all()?;
    let measured = (1..=rounds).map(|number| bench.round(number)).collect::<Result<Vec<_>>>()?;
    files::remove_dir(&bench.stores)?;
    print!("{}", render(&measured));
    let report = Report { schema: 1, machine: machine::describe(LLVM), modules: MODULES, rounds: measured };
    let path = measure::keep("small", &report)?;
    println!("\nMedians of {rounds} alternating rounds; all figures are in {}.", path.display());
    Ok(())
}

struct Bench {
    home: Home,
    linker: PathBuf,
    /// Those of all rounds, removed when all is measured, and not where others were removed before: for minutes ext4 looks among the
    /// inodes that have just been freed in a directory's group for each file that is made there, half a millisecond each.
    stores: PathBuf,
}

impl Bench {
    fn sources(&self) -> PathBuf {
        self.home.dir.join("sources")
    }

    /// Compiled once; a run that finds the last object has all of them.
    fn compile_all(&self) -> Result<()> {
        let sources = self.sources();
        if sources.join(object(MODULES - 1)).is_file() {
            return self.edit(0);
        }
        files::remove_dir(&sources)?;
        files::make_dir(&sources)?;
        let numbers: Vec<usize> = (0..MODULES).collect();
        for number in &numbers {
            files::write(&sources.join(source(*number)), text(*number, 0))?;
        }
        files::write(
            &sources.join("objects"),
            numbers.iter().map(|number| object(*number) + "\n").collect::<String>(),
        )?;
        for some in numbers.chunks(AT_A_TIME) {
            self.compile(some)?;
        }
        Ok(())
    }

    fn compile(&self, numbers: &[usize]) -> Result<()> {
        let mut clang = Command::new(format!("clang-{LLVM}"));
        clang.args(["-O2", "-flto=thin", "-c"]).args(numbers.iter().map(|number| source(*number)));
        run::quiet(clang.current_dir(self.sources()), &self.home.log("compile"))
    }

    /// The last module: nobody imports from it.
    fn edit(&self, edition: u32) -> Result<()> {
        files::write(&self.sources().join(source(MODULES - 1)), text(MODULES - 1, edition))?;
        self.compile(&[MODULES - 1])
    }

    fn round(&self, number: u32) -> Result<Round> {
        eprintln!("round {number}");
        self.edit(0)?;
        let [ours, theirs] = self.stores(number);
        let first = !number.is_multiple_of(2);
        let (cold_thindist, cold_in_process) = in_turn(first, || self.thindist(&ours), || self.lld(None))?;
        self.lld(Some(&theirs))?;
        self.edit(number)?;
        let (leaf_thindist, leaf_lld_cache) = in_turn(first, || self.thindist(&ours), || self.lld(Some(&theirs)))?;
        Ok(Round { cold_thindist, cold_in_process, leaf_thindist, leaf_lld_cache })
    }

    fn stores(&self, number: u32) -> [PathBuf; 2] {
        ["thindist", "lld"].map(|name| self.stores.join(format!("{name}-{number}")))
    }

    fn thindist(&self, store: &Path) -> Result<Usage> {
        let mut command = Command::new(&self.linker);
        command.env("THINDIST_CACHE_DIR", store).env("THINDIST_LLD", format!("ld.lld-{LLVM}"));
        self.link(command, "ours.o")
    }

    fn lld(&self, cache: Option<&Path>) -> Result<Usage> {
        let mut command = Command::new(format!("ld.lld-{LLVM}"));
        command.args(cache.map(|cache| format!("--thinlto-cache-dir={}", cache.display())));
        self.link(command, "theirs.o")
    }

    fn link(&self, mut command: Command, output: &str) -> Result<Usage> {
        let threads = format!("--threads={}", machine::cpus());
        command.args(["-r", "@objects", &threads, "-o"]).arg(self.home.dir.join(output)).current_dir(self.sources());
        measure::measured(&mut command, &self.home.log(output))
    }
}

fn source(number: usize) -> String {
    format!("m{number:05}.c")
}

fn object(number: usize) -> String {
    format!("m{number:05}.o")
}

/// Each calls two others and has a little work of its own.
fn text(number: usize, edition: u32) -> String {
    let [one, other] = [number * 7 + 1, number * 13 + 5].map(|called| called % (MODULES - 1));
    format!(
        "int f{one}(int); int f{other}(int);\nstatic int table[8] = {{1, 2, 3, {number}, 5, 6, 7, {edition}}};\n\
         int f{number}(int x)\n{{\n\tfor (int i = 0; i < 8; i++)\n\t\tx = x * 31 + table[(x + i) & 7];\n\
         \treturn x > 1000000 ? f{one}(x / 3) : x < -1000000 ? f{other}(x / 5) : x;\n}}\n"
    )
}

type Figure = fn(&Round) -> (f64, f64);

fn render(rounds: &[Round]) -> String {
    let comparisons: [(&str, Figure); 3] = [
        ("cold / in-process, wall s", |round| (round.cold_thindist.wall_s, round.cold_in_process.wall_s)),
        ("cold / in-process, CPU s", |round| (round.cold_thindist.cpu_s, round.cold_in_process.cpu_s)),
        ("leaf edit / lld's cache, wall s", |round| (round.leaf_thindist.wall_s, round.leaf_lld_cache.wall_s)),
    ];
    let mut rows = vec![table::row([&format!("{MODULES} modules"), "thindist", "lld", "ratio"])];
    for (name, figure) in comparisons {
        let ours = median(rounds.iter().map(|round| figure(round).0).collect());
        let theirs = median(rounds.iter().map(|round| figure(round).1).collect());
        let [ours_text, theirs_text, ratio] = [ours, theirs, ours / theirs].map(|number| format!("{number:.3}"));
        rows.push(table::row([name, &ours_text, &theirs_text, &ratio]));
    }
    table::render(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_of_medians() {
        let usage = |wall_s| Usage { wall_s, cpu_s: 2.0 * wall_s, peak_rss_kib: 1 };
        let round = |ours, theirs| Round {
            cold_thindist: usage(ours),
            cold_in_process: usage(theirs),
            leaf_thindist: usage(ours),
            leaf_lld_cache: usage(theirs),
        };
        let text = render(&[round(1.0, 2.0), round(9.0, 1.0), round(2.0, 4.0)]);
        assert_eq!(text.matches("1.000").count(), 3, "{text}");
    }

    #[test]
    fn nobody_calls_the_leaf() {
        assert!((0..MODULES).all(|number| !text(number, 0).contains(&format!("f{}(x /", MODULES - 1))));
    }
}
