//! Action in, native object out.
//!
//! The local stores ([`cas`], [`action_cache`], [`state`]), what bounds a machine ([`slots`], [`make_jobserver`],
//! [`memory`]), one compiler run ([`process`], [`warm`], [`action_root`], [`object_check`], [`local`]) and the order of many of
//! them ([`schedule`]). Nothing here knows of linking: a job is an [`thindist_core::plan::action::Action`] and where its
//! inputs are on this host.

pub mod action_cache;
pub mod action_root;
pub mod cancel;
pub mod cas;
mod estimate;
mod file_stamp;
pub mod job;
mod layout;
mod link_directory;
mod lld_cache;
pub mod local;
pub mod maintenance;
pub mod make_jobserver;
pub mod memory;
pub mod object_check;
pub mod permit;
pub mod process;
mod queue;
pub mod schedule;
pub mod scratch;
pub mod slots;
pub mod state;
pub mod store_error;
mod temporary;
pub mod warm;

pub use action_cache::{ActionCache, CachedOutput, CachedResult};
pub use cancel::CancelToken;
pub use cas::Cas;
pub use job::{Job, NativeObject, Origin, Outcome, Source, Times};
pub use layout::WHAT_RAN;
pub use lld_cache::LldCache;
pub use local::{Executor, LocalExecutor};
pub use maintenance::LinkDirectory;
pub use make_jobserver::MakeJobserver;
pub use memory::MemoryBudget;
pub use permit::{LocalLane, Permit};
pub use schedule::{Limits, ProgressSink, look_up, run_all};
pub use slots::{Slot, Slots};
pub use estimate::Estimate;
pub use state::{FileStamp, State};
pub use store_error::StoreError;
pub use warm::WarmCompiler;
