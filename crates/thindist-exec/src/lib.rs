//! Action in, native object out.
//!
//! The local stores (`store`), what bounds a machine (`limits`), and one compiler run and the order of many of them (`run`).
//! Nothing here knows of linking: a job is an [`thindist_core::plan::action::Action`] and where its inputs are on this host.

mod cancel;
mod estimate;
mod limits;
mod run;
mod store;

pub use cancel::CancelToken;
pub use estimate::Estimate;
pub use limits::descriptors::{allow_all, at_a_time, most_processes};
pub use limits::make_jobserver::{MakeJobserver, jobs_told};
pub use limits::memory::{MemoryBudget, available_kib};
pub use limits::permit::{LocalLane, Permit};
pub use limits::slots::{Slot, Slots};
pub use run::action_root::ActionRoot;
pub use run::job::{Job, NativeObject, Origin, Outcome, Source, Times};
pub use run::local::{Executor, LocalExecutor};
pub use run::schedule::{Limits, ProgressSink, Work, execute, look_up, run_all};
pub use run::warm::WarmCompiler;
pub use run::{object_check, process, results, scratch};
pub use store::action_cache::{ActionCache, CachedOutput, CachedResult};
pub use store::cas::Cas;
pub use store::file_stamp::FileStamp;
pub use store::layout::WHAT_RAN;
pub use store::link_directory::LinkDirectory;
pub use store::lld_cache::LldCache;
pub use store::maintenance;
pub use store::state::State;
pub use store::store_error::StoreError;
