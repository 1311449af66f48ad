//! A link: what lld does of it, what separate backends do, and where their objects come from.
//!
//! The rooms stand in the order in which data goes through them: session, inputs, thin link, plan, backends, finish; the ways
//! of driving lld are over them. None imports from one that comes later.

mod backends;
mod dtlto;
mod entrance;
pub mod failure;
mod finish;
mod inputs;
mod memo;
mod parallel;
pub mod pipeline;
mod plan;
pub mod report;
mod session;
pub mod settings;
pub mod stop;
mod thin;
mod ways;

pub use backends::{batch, execution, explained, native_objects, step_files, what_ran};
pub use dtlto::run as distribute;
pub use entrance::{open, run};
pub use finish::{final_link, native_side, parts};
pub use inputs::{content, kind, loaded, private_line, survey, words};
pub use plan::{extra_inputs, imported, planning};
pub use session::{doubts, lld_run, output_files, remote, stats, tools, way, workspace};
pub use thin::thin_link;
pub use ways::ahead;
pub use ways::distributor::{MESSENGER, tell};
