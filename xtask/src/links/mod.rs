//! Random links: `cargo xtask fuzz links`. Small lines of every kind of input and many options, each linked by plain lld and by
//! ld.thindist, which have to give the same exit code, the same words on both streams and the same files.
//!
//! A seed is a link. One that differs is made smaller while it still differs, and printed as text that `--case FILE` takes; those
//! that were found stay in `regressions/` and are tried first.

mod compare;
mod generate;
mod reduce;
mod scenario;
mod sources;

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Result;
use crate::command::arguments;
use crate::host::project::{self, Home};
use crate::host::{apt, cargo, files};

use compare::{Bench, Tried};
use scenario::Scenario;

const LLVMS: [u32; 2] = [22, 19];

/// So many seeds when nobody says how many.
const USUAL: u32 = 500;

/// The ways that are tried; `auto` is the rule, which after an edit may take another than before it.
const WAYS: [&str; 4] = ["auto", "in-process", "distributor", "index-only"];

/// The task `fuzz links`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let seeds = arguments::take_number(&mut arguments, "--seeds")?.unwrap_or(USUAL);
    let from = arguments::take_number(&mut arguments, "--from")?;
    let llvm = arguments::take_number(&mut arguments, "--llvm")?;
    let way = arguments::take_text(&mut arguments, "--way")?;
    let case = arguments::take_text(&mut arguments, "--case")?;
    arguments::reject_rest(&arguments)?;
    let llvms: Vec<u32> = llvm.map_or_else(|| LLVMS.to_vec(), |llvm| vec![llvm]);
    let ways: Vec<&str> = way.as_deref().map_or_else(|| WAYS.to_vec(), |way| vec![way]);
    llvms.iter().try_for_each(|llvm| apt::ensure(&apt::llvm(*llvm)))?;
    if let Some(case) = case {
        return all(&llvms, &ways, &[(case.clone(), read(&PathBuf::from(case))?)]);
    }
    let regressions = regressions()?;
    println!("== random links: {} that were found once", regressions.len());
    all(&llvms, &ways, &regressions)?;
    let from = from.unwrap_or_else(any_seed);
    println!("== random links: {seeds} seeds from {from}");
    all(&llvms, &ways, &scenarios(from..from.saturating_add(seeds)))
}

/// The first seeds, so many for each LLVM, as part of the tests, which are to give the same each time. Each is linked by the rule and
/// by one of the ways, in turn. Fresh ones, and each by all ways, are for the task.
pub(crate) fn briefly(seeds: u32) -> Result<()> {
    all(&LLVMS, &WAYS, &regressions()?)?;
    let (rule, others) = WAYS.split_first().unwrap_or((&"auto", &[]));
    for (llvm, number) in LLVMS.iter().zip(0..) {
        for (way, turn) in others.iter().zip(0..) {
            let own = (number * seeds + turn..(number + 1) * seeds).step_by(others.len());
            all(&[*llvm], &[rule, way], &scenarios(own))?;
        }
    }
    Ok(())
}

fn scenarios(seeds: impl Iterator<Item = u32>) -> Vec<(String, Scenario)> {
    seeds.map(|seed| (format!("seed {seed}"), generate::scenario(seed.into()))).collect()
}

fn any_seed() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(now.as_nanos() % 1_000_000_000).unwrap_or(0)
}

fn read(path: &std::path::Path) -> Result<Scenario> {
    serde_json::from_str(&files::read(path)?).map_err(|error| format!("{}: {error}", path.display()))
}

fn regressions() -> Result<Vec<(String, Scenario)>> {
    let mut paths = files::list(&project::root().join("xtask/src/links/regressions"))?;
    paths.sort();
    paths
        .iter()
        .map(|path| Ok((path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), read(path)?)))
        .collect()
}

fn all(llvms: &[u32], ways: &[&str], links: &[(String, Scenario)]) -> Result<()> {
    let home = Home::open("links")?;
    let linker = cargo::install_thindist(&home)?;
    let mut failed = Vec::new();
    for llvm in llvms {
        let bench = Bench::new(&home.dir, &linker, *llvm);
        let tried = bench.try_all(links, ways)?;
        for (number, way) in ways.iter().enumerate() {
            let of_way = || tried.iter().filter_map(|by_way| by_way.get(number));
            let word = if of_way().all(|tried| tried.difference().is_none()) { "pass" } else { "FAIL" };
            println!("{word}  links, LLVM {llvm}, {way}: {}", summary(of_way()));
            for (name, scenario, difference) in of_way().filter_map(Tried::difference) {
                println!("DIFFERS  LLVM {llvm}, {way}, {name}: {difference}");
                let (small, difference) = reduce::smaller(&bench, way, scenario.clone(), difference.clone())?;
                println!("{}\n{difference}", small.show());
                failed.push(format!("LLVM {llvm}, {way}, {name}"));
            }
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("{} links differ from lld's: {}", failed.len(), failed.join("; ")))
    }
}

fn summary<'a>(tried: impl Iterator<Item = &'a Tried> + Clone) -> String {
    let count = |wanted: fn(&Tried) -> bool| tried.clone().filter(|tried| wanted(tried)).count();
    format!(
        "{} equal, {} of them links that lld refuses as well; {} not of this way; {} differ",
        count(Tried::is_equal),
        count(|tried| matches!(tried, Tried::Refused)),
        count(|tried| matches!(tried, Tried::OtherWay)),
        count(|tried| matches!(tried, Tried::Differs(..))),
    )
}
