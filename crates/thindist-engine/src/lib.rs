//! A link: what lld does of it, what separate backends do, and where their objects come from.
//!
//! Its rooms, from the ground up: `session` (settings, tools, stores, lld), `inputs`, `backends` (jobs and nothing of a link),
//! `thin`, `plan`, `finish`; `pipeline` puts them in a row, `ways` chooses how lld is driven, `dtlto` is the distributor's side,
//! `entrance` is the linker, and `steps`, `both_ways`, `measure` and `replay` are what else is done with a link. None imports from one
//! that comes later; crates/testkit/tests/architecture.rs holds that.
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
pub mod both_ways;
mod dtlto;
mod entrance;
pub mod environment;
pub mod failure;
mod finish;
mod inputs;
pub mod measure;
mod memo;
mod parallel;
mod pipeline;
mod plan;
pub mod replay;
pub mod report;
mod session;
pub mod settings;
pub mod steps;
mod stop;
mod thin;
mod ways;

pub use backends::{explained, what_ran};
pub use dtlto::run as distribute;
pub use entrance::run;
pub use inputs::kind;
pub use session::{remote, tools};
pub use ways::distributor::{MESSENGER, tell};
