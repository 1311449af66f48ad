//! What thindist's own tests share: a sandbox with real LLVM, scripted fake tools, a fake engine, the stats of a link.
//!
//! Nothing here skips: a tool that is missing is a failure that says what to install. Nothing here waits for time to
//! pass: a test learns of progress through a pipe that a fake compiler writes to.

mod disk;
mod engine;
mod fake_compiler;
mod fake_lld;
mod machine;
mod random;
mod run;
mod sandbox;
mod stats;

pub use disk::{Overlay, SmallDisk};
pub use engine::{BadWire, Certificates, Code, FakeEngine, Fault, Offer, Simulated, Simulation, Wire, object_of};
pub use fake_compiler::{Announcements, FakeCompiler, most_at_a_time};
pub use fake_lld::{FakeLld, Part, messenger};
pub use machine::MemoryGroup;
pub use random::Random;
pub use run::{Run, Tool};
pub use sandbox::{Sandbox, VERSIONS, versions_or};
pub use stats::Stats;
