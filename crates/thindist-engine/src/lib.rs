//! A link: what lld does of it, what separate backends do, and where their objects come from.
//!
//! Its rooms, from the ground up: `session` (settings, tools, stores, lld), `inputs`, `backends` (jobs and nothing of a link),
//! `thin`, `plan`, `finish`; `pipeline` puts them in a row, `ways` chooses how lld is driven, `dtlto` is the distributor's side, and
//! `entrance` is the linker. None imports from one that comes later; crates/testkit/tests/architecture.rs holds that.
//!
//! Nothing here reads variables of the process or prints: an [`environment::Environment`] is handed in, with the
//! [`report::Report`] that hears what is said.
//!
//! ```no_run
//! use thindist_engine::environment::Environment;
//!
//! let environment = Environment::of(std::env::vars_os());
//! let words = ["-r", "-o", "all.o", "a.o", "b.o"].map(Into::into).to_vec();
//! if let Err(failure) = thindist_engine::run(&environment, "ld.thindist", words) {
//!     failure.report(environment.report());
//! }
//! ```

mod backends;
mod dtlto;
mod entrance;
pub mod environment;
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

pub use backends::{batch, execution, explained, jobs, step_files, what_ran};
pub use dtlto::run as distribute;
pub use entrance::{open, run};
pub use finish::{final_link, native_objects, native_side, parts};
pub use inputs::{content, imported, kind, loaded, private_line, survey, words};
pub use plan::{extra_inputs, planning};
pub use session::{doubts, lld_run, output_files, remote, stats, tools, way, workspace};
pub use thin::thin_link;
pub use ways::ahead;
pub use ways::distributor::{MESSENGER, tell};
