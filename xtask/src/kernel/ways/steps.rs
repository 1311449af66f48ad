//! What happens to a tree, step by step, and what each way takes for it.

use crate::Result;
use crate::kernel::edits::Edited;
use crate::project::Home;

use super::trees::{Made, Way};

/// One thing that a developer or a build machine does before `make vmlinux`.
struct Step {
    what: &'static str,
    log: &'static str,
    before: fn(&Way, &Home) -> Result<()>,
}

const STEPS: &[Step] = &[
    Step {
        what: "first link, all objects compiled, nothing stored",
        log: "first",
        before: |way, _| way.forget_links(),
    },
    Step { what: "nothing changed", log: "nothing", before: |_, _| Ok(()) },
    Step {
        what: "one function added to lib/bcd.c, a leaf",
        log: "leaf",
        before: |way, _| Edited::leaf(&way.kernel).append(1),
    },
    Step {
        what: "one function added to arch/x86/kernel/cpu/common.c, from which 66 modules import",
        log: "hot",
        before: |way, _| Edited::hot(&way.kernel).append(2),
    },
    Step { what: "both reverted", log: "revert", before: |way, _| way.undo_edits() },
    Step { what: "another CONFIG_LOCALVERSION", log: "config", before: |way, home| way.configure(home, "-edited") },
    Step { what: "the configuration as it was", log: "config-back", before: |way, home| way.configure(home, "") },
    Step { what: "`make clean`, everything compiled again, the stores kept", log: "clean", before: Way::clean },
];

/// One step in every way, in the order of the ways.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) made: Vec<Made>,
}

/// All steps once. Who begins differs from step to step and from round to round.
pub(crate) fn all(ways: &[Way], home: &Home, number: u32) -> Result<Vec<Row>> {
    let first = usize::try_from(number).unwrap_or(0);
    STEPS.iter().enumerate().map(|(rank, step)| one(ways, home, step, first + rank)).collect()
}

fn one(ways: &[Way], home: &Home, step: &Step, first: usize) -> Result<Row> {
    let mut made = Vec::new();
    for turn in 0..ways.len() {
        let position = (first + turn) % ways.len();
        let way = ways.get(position).ok_or("there is no way to build")?;
        (step.before)(way, home)?;
        made.push((position, way.make(home, &format!("ways-{}", step.log), &["vmlinux"])?));
    }
    made.sort_by_key(|(position, _)| *position);
    Ok(Row { what: step.what, made: made.into_iter().map(|(_, made)| made).collect() })
}
