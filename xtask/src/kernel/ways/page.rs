//! The page: its text is in xtask/kernel/in-process-or-distributed.md, with a `{{name}}` for each table.

use std::fmt::Write as _;

use crate::Result;
use crate::figures::measure::median;
use crate::host::files;
use crate::host::machine::Machine;
use crate::host::project;

use super::steps::Row;
use super::trees::{Made, Sizes};

const TEXT: &str = include_str!("../../../kernel/in-process-or-distributed.md");
const PAGE: &str = "docs/in-process-or-distributed.md";

/// Everything that was measured.
pub(super) struct Figures {
    pub(super) rounds: Vec<Vec<Row>>,
    pub(super) sizes: Vec<Sizes>,
    /// What `thindist compare` printed of the link of vmlinux.o.
    pub(super) compared: String,
}

/// Writes the page.
pub(crate) fn publish(machine: &Machine, figures: &Figures) -> Result<()> {
    let path = project::root().join(PAGE);
    files::write(&path, fill(TEXT, &fields(machine, figures))?)?;
    println!("Written: {}", path.display());
    Ok(())
}

fn fields(machine: &Machine, figures: &Figures) -> Vec<(&'static str, String)> {
    vec![
        ("machine", machine.sentence()),
        ("rounds", figures.rounds.len().to_string()),
        ("wall", table(figures, wall)),
        ("cpu", table(figures, |made, _| seconds(made, |made| made.usage.cpu_s))),
        ("backends", table(figures, |made, _| backends(made))),
        ("sizes", sizes(&figures.sizes)),
        ("compare", figures.compared.trim_end().to_string()),
    ]
}

/// Every field must be in the text, and the text may ask for no other.
fn fill(text: &str, fields: &[(&'static str, String)]) -> Result<String> {
    let mut page = text.to_string();
    for (name, value) in fields {
        let place = format!("{{{{{name}}}}}");
        if !page.contains(&place) {
            return Err(format!("the text of {PAGE} has no {place}"));
        }
        page = page.replace(&place, value);
    }
    match page.split_once("{{") {
        Some((_, rest)) => Err(format!("the text of {PAGE} asks for {}", rest.lines().next().unwrap_or_default())),
        None => Ok(page),
    }
}

/// A row for each step and a column for each way. A cell sees what its way made in all rounds, and what in-process did.
fn table(figures: &Figures, cell: impl Fn(&[&Made], &[&Made]) -> String) -> String {
    let names: Vec<&str> = figures.sizes.iter().map(|way| way.name).collect();
    let mut text = format!("| before `make vmlinux` | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for (rank, row) in figures.rounds.first().into_iter().flatten().enumerate() {
        let of =
            |way: usize| figures.rounds.iter().filter_map(|round| round.get(rank)?.made.get(way)).collect::<Vec<_>>();
        let cells = (0..row.made.len()).map(|way| cell(&of(way), &of(0)));
        let _ = writeln!(text, "| {} | {} |", row.what, cells.collect::<Vec<_>>().join(" | "));
    }
    text.trim_end().to_string()
}

fn middle(made: &[&Made], figure: impl Fn(&Made) -> f64) -> f64 {
    median(made.iter().map(|made| figure(made)).collect())
}

fn seconds(made: &[&Made], figure: impl Fn(&Made) -> f64) -> String {
    format!("{:.1}", middle(made, figure))
}

fn wall(made: &[&Made], in_process: &[&Made]) -> String {
    let (ours, theirs) = (middle(made, |made| made.usage.wall_s), middle(in_process, |made| made.usage.wall_s));
    format!("{ours:.1} ({:.2})", ours / theirs)
}

fn backends(made: &[&Made]) -> String {
    let counts: Option<Vec<f64>> = made.iter().map(|made| made.backends.map(|count| count as f64)).collect();
    counts.map_or_else(|| "-".to_string(), |counts| format!("{:.0}", median(counts)))
}

fn sizes(ways: &[Sizes]) -> String {
    let mut text =
        String::from("| | vmlinux, bytes | bzImage, bytes | same image as in-process | more on the disk, MiB |\n");
    text += "|---|---|---|---|---|\n";
    let in_process = ways.first().map(|way| &way.image);
    for way in ways {
        let same = if Some(&way.image) == in_process { "yes, byte for byte" } else { "no" };
        let mib = way.extra as f64 / 1048576.0;
        let _ = writeln!(text, "| {} | {} | {} | {same} | {mib:.0} |", way.name, way.vmlinux, way.image.len());
    }
    text.trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::measure::Usage;

    fn figures() -> Figures {
        let made = |wall_s: f64, backends| {
            let usage = Usage { wall_s, cpu_s: 2.0 * wall_s, peak_rss_kib: 2048 };
            Made { usage, backends }
        };
        let row = |wall_s| Row { what: "a step", made: vec![made(wall_s, None), made(wall_s / 2.0, Some(1))] };
        let size = |name, image: &[u8]| Sizes { name, vmlinux: 3, image: image.to_vec(), extra: 1 << 20 };
        Figures {
            rounds: vec![vec![row(8.0)], vec![row(4.0)], vec![row(6.0)]],
            sizes: vec![size("one", b"i"), size("two", b"i")],
            compared: "compared\n".to_string(),
        }
    }

    #[test]
    fn the_text_has_a_place_for_every_table_and_no_other() {
        let machine = crate::host::machine::describe(22);
        let page = fill(TEXT, &fields(&machine, &figures())).unwrap();
        assert!(page.contains("| a step | 6.0 (1.00) | 3.0 (0.50) |"), "{page}");
        assert!(
            page.contains("| a step | - | 1 |") && page.contains("| two | 3 | 1 | yes, byte for byte | 1 |"),
            "{page}"
        );
        assert!(fill("{{machine}}{{more}}", &[("machine", String::new())]).unwrap_err().contains("more"));
        assert!(fill("nothing", &[("machine", String::new())]).unwrap_err().contains("machine"));
    }
}
