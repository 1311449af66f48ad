//! Files and names that the linker entrance carries, in a link by DTLTO.

use super::{dtlto, same_as_in_process, sandbox};
use crate::profiles::{program, samples};
use crate::programs::{CHAIN_OBJECTS, chain};

#[test]
fn a_profile_on_llds_line_is_an_input_and_the_linkers_actions_are_shared() {
    let sandbox = sandbox();
    program(&sandbox);
    samples(&sandbox, 1);
    let line = "-r a.o b.o --lto-sample-profile=samples.afdo";
    assert_eq!(same_as_in_process(&sandbox, line), 2);
    let linked = sandbox.stats_of(sandbox.ld(&format!("{line} -o out")).env("THINDIST_MEMO", "0"));
    assert_eq!(linked.executed(), 0, "{linked:?}");
    samples(&sandbox, 50_000);
    assert_eq!(same_as_in_process(&sandbox, line), 2);
    // The plain command has the line's name for the file.
    dtlto(&sandbox, &format!("{line} -o out --thinlto-distributor-arg=--thindist-verify")).ok();
}

#[test]
fn stable_names_are_refused() {
    let sandbox = sandbox();
    chain(&sandbox);
    let link = dtlto(&sandbox, &format!("-shared {CHAIN_OBJECTS} -o out")).env("THINDIST_PROMOTED_NAMES", "stable");
    link.run().exits(1).says("stable names: not possible").says("ld.thindist");
}
