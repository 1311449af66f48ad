//! End to end: the real program, real LLVM 19 and 22, small C programs.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "all of it is tests: a panic is how they fail")]

mod bad_input;
mod cache;
mod cmake;
mod compare;
mod compiler;
mod concurrency;
mod crash;
mod distribute;
mod edits;
mod emit;
mod environment;
mod explain;
mod line;
mod machine;
mod options;
mod profiles;
mod program;
mod programs;
mod promoted_names;
mod recorded_flags;
mod regressions;
mod remote_cache;
mod remote_execution;
mod remote_faults;
mod remote_racing;
mod remote_random_faults;
mod rust;
mod rust_for_linux;
mod side_files;
mod steps;
mod steps_ahead;
mod verify;
mod versions;
mod ways;
mod what_changed;
mod what_ran;
mod words;

use testkit::Sandbox;

/// A sandbox for the thindist under test.
fn sandbox(llvm: u32) -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_thindist"), llvm)
}

/// Makes a test of each function for each LLVM.
macro_rules! on_each_llvm {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[test]
            fn llvm_19() {
                super::$name(&crate::sandbox(19));
            }
            #[test]
            fn llvm_22() {
                super::$name(&crate::sandbox(22));
            }
        }
    )+};
}
use on_each_llvm;
