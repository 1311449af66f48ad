//! The steps of a tree, and what each way takes for each of them.

use crate::Result;
use crate::host::project::Home;
use crate::kernel::edits::Edited;

use super::trees::{Made, REMOTE_CACHE, Way};

/// One thing that a developer or a build machine does before `make vmlinux`.
struct Step {
    what: &'static str,
    log: &'static str,
    before: fn(&Way, &Home, &str) -> Result<()>,
    /// Whether the stores that others share are asked as well.
    shared: bool,
}

impl Step {
    /// One for which the stores of this machine are all that there is.
    const fn alone(what: &'static str, log: &'static str, before: fn(&Way, &Home, &str) -> Result<()>) -> Self {
        Self { what, log, before, shared: false }
    }
}

pub(crate) const FIRST: &str = "first link, all objects compiled, nothing stored";

const STEPS: &[Step] = &[
    Step::alone(FIRST, "first", |way, _, _| way.forget_links()),
    Step::alone("nothing changed", "nothing", |_, _, _| Ok(())),
    Step::alone("one function added to fs/readdir.c, a leaf", "leaf", |way, _, _| Edited::leaf(&way.kernel).append(1)),
    Step::alone(
        "one function added to arch/x86/kernel/cpu/common.c, from which 66 modules import",
        "hot",
        |way, _, _| Edited::hot(&way.kernel).append(2),
    ),
    Step::alone("both reverted", "revert", |way, _, _| way.undo_edits()),
    Step::alone("another CONFIG_LOCALVERSION", "config", |way, home, _| way.configure(home, "-edited")),
    Step::alone("the configuration as it was", "config-back", |way, home, _| way.configure(home, "")),
    Step::alone("`make clean`, everything compiled again, the stores kept", "clean", |way, home, _| way.clean(home)),
    Step {
        what: "first link on another machine, objects compiled, a remote cache on loopback has what CI made",
        log: "shared",
        before: |way, home, shared| {
            way.leave_with(home, shared)?;
            way.forget_links()
        },
        shared: true,
    },
];

/// One step in every way, in the order of the ways.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) made: Vec<Made>,
}

/// All steps once, with the address of an engine. Who begins differs from step to step and from round to round.
pub(crate) fn all(ways: &[Way], home: &Home, shared: &str, number: u32) -> Result<Vec<Row>> {
    let first = usize::try_from(number).unwrap_or(0);
    STEPS.iter().enumerate().map(|(rank, step)| one(ways, home, shared, step, first + rank)).collect()
}

/// The first step alone.
pub(crate) fn first(ways: &[Way], home: &Home, number: u32) -> Result<Row> {
    let step = STEPS.first().ok_or("there is no step")?;
    one(ways, home, "", step, usize::try_from(number).unwrap_or(0))
}

fn one(ways: &[Way], home: &Home, shared: &str, step: &Step, first: usize) -> Result<Row> {
    let mut made = Vec::new();
    for turn in 0..ways.len() {
        let position = (first + turn) % ways.len();
        let way = ways.get(position).ok_or("there is no way to build")?;
        (step.before)(way, home, shared)?;
        let asked = [(REMOTE_CACHE, shared)];
        let asked = if step.shared { asked.as_slice() } else { &[] };
        made.push((position, way.make_with(home, &format!("ways-{}", step.log), &["vmlinux"], asked)?));
    }
    made.sort_by_key(|(position, _)| *position);
    Ok(Row { what: step.what, made: made.into_iter().map(|(_, made)| made).collect() })
}
