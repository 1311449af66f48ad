//! The task `demo`: a kernel through ld.thindist, from nothing to one table.
//!
//! It can be stopped and started again: sources and objects stay. The links are made anew each time, from an empty
//! cache, because the table is of this run.

use crate::Result;
use crate::command::arguments;
use crate::figures::measure::{self, Usage};
use crate::figures::stats::{self, Link};
use crate::figures::table;
use crate::host::project::Home;
use crate::host::{apt, cargo, files};
use crate::kernel::build::{self, Linker};
use crate::kernel::checkout::Kernel;
use crate::kernel::edits::{self, Edited};
use crate::kernel::{boot, link_line};

const LLVM: u32 = 22;

/// One line of the table.
struct Row {
    what: &'static str,
    thindist: Link,
    in_process: Usage,
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    arguments::reject_rest(arguments)?;
    apt::ensure(&[apt::llvm(LLVM), apt::kernel()].concat())?;
    let home = Home::open("demo")?;
    println!("Everything stays below {}.", home.dir.display());
    let linker = Linker::thindist(cargo::install_thindist(&home)?);
    let kernel = Kernel::out_of_tree(&home, LLVM);
    let rows = measure_all(&kernel, &home, &linker)?;
    print!("\n{}", render(&rows));
    println!(
        "\nTimes in seconds, of the link of vmlinux.o; in-process is ld.lld-{LLVM} on the same objects, with no cache."
    );
    Ok(())
}

fn measure_all(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<[Row; 3]> {
    edits::prepare(kernel, home)?;
    files::remove_dir(&home.cache())?;
    let first = relink(kernel, home, linker, "build", build::ALL)?;
    println!("  booted: {}", boot::check(kernel, home, "boot")?);
    let before = in_process(kernel, home)?;
    let leaf = Edited::leaf(kernel);
    leaf.append(1)?;
    let edited = relink(kernel, home, linker, "edit", &["vmlinux"])?;
    let after = in_process(kernel, home)?;
    let unchanged = relink(kernel, home, linker, "unchanged", &["vmlinux"])?;
    leaf.restore()?;
    Ok([
        Row { what: "first link, empty cache", thindist: first, in_process: before },
        Row { what: "one function added to fs/readdir.c", thindist: edited, in_process: after },
        Row { what: "linked again, nothing changed", thindist: unchanged, in_process: after },
    ])
}

fn relink(kernel: &Kernel, home: &Home, linker: &Linker, step: &str, targets: &[&str]) -> Result<Link> {
    build::forget_link(kernel)?;
    let links = build::make(kernel, home, linker, step, targets)?;
    stats::of_vmlinux_o(&links).cloned()
}

fn in_process(kernel: &Kernel, home: &Home) -> Result<Usage> {
    eprintln!("  the same link in-process …");
    let output = home.dir.join("in-process.o");
    let lld = format!("ld.lld-{LLVM}");
    let mut command = link_line::command(kernel, lld.as_ref(), &output, &[])?;
    let usage = measure::measured(&mut command, &home.log("in-process"))?;
    files::remove_file(&output)?;
    Ok(usage)
}

fn render(rows: &[Row]) -> String {
    let heading = table::row([
        "link",
        "modules",
        "thin link",
        "backends run",
        "reused",
        "final link",
        "total",
        "in-process",
        "ratio",
    ]);
    let lines: Vec<Vec<String>> = std::iter::once(heading).chain(rows.iter().map(cells)).collect();
    table::render(&lines)
}

fn cells(row: &Row) -> Vec<String> {
    let (link, phases) = (&row.thindist, &row.thindist.phases_s);
    let total = phases.total.unwrap_or(0.0);
    vec![
        row.what.to_string(),
        link.modules.to_string(),
        seconds(phases.thin_link),
        link.backends.run().to_string(),
        link.backends.reused().to_string(),
        seconds(phases.final_link),
        seconds(phases.total),
        seconds(Some(row.in_process.wall_s)),
        format!("{:.3}", total / row.in_process.wall_s),
    ]
}

/// A phase that did not take place is a dash: 0.00 would claim that it did.
fn seconds(phase: Option<f64>) -> String {
    match phase {
        Some(seconds) if seconds > 0.0 => format!("{seconds:.2}"),
        _ => "-".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_without_time_is_a_dash() {
        assert_eq!([seconds(None), seconds(Some(0.0)), seconds(Some(1.234))], ["-", "-", "1.23"]);
    }
}
