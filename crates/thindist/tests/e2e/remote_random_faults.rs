//! Each fault of an engine at random points of fifty links: each link ends in time, and is right or says clearly why
//! not.
//!
//! A link knows the engine as a cache, as a worker beside this machine or in its place, and has fallback or not, all at random;
//! the engine has its results already, or nothing. The seed of a failure is in its message: `THINDIST_SEED=N cargo test NAME`
//! begins with that one.

use crate::programs::{CHAIN_OBJECTS, chain};
use crate::remote_cache::client;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use testkit::{BadWire, Certificates, Code, FakeCompiler, FakeEngine, Fault, Random, Run, Sandbox, Tool, Wire};

const TIMES: u64 = 50;
/// Links that wait cost nothing, so more of them than processors.
const AT_ONCE: usize = 6;
/// A link makes about so many calls.
const CALLS: u64 = 24;
/// And sends and receives about so many bytes.
const BYTES: u64 = 24_000;
/// `remote_timeout` is a second or two, and a compiler may be silent for twenty times that: what takes longer hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a fault has for a link.
struct Armed {
    engine: FakeEngine,
    wire: Option<Wire>,
}

impl Armed {
    /// The engine fails at some calls, for a while or for good.
    fn calls(engine: FakeEngine, random: &mut Random, fault: Fault) -> Self {
        let first = index(random, CALLS);
        let last = if random.below(2) == 0 { usize::MAX } else { first + 1 + index(random, CALLS) };
        engine.fail_during(first..last, fault);
        Self { engine, wire: None }
    }

    fn wire(engine: FakeEngine, random: &mut Random, bad: BadWire) -> Self {
        let wire = Wire::new(&engine, index(random, BYTES), bad);
        Self { engine, wire: Some(wire) }
    }

    fn address(&self) -> String {
        self.wire.as_ref().map_or_else(|| self.engine.address(), Wire::address)
    }

    fn has_failed(&self) -> bool {
        self.wire.as_ref().map_or_else(|| self.engine.has_failed(), Wire::is_bad)
    }
}

fn index(random: &mut Random, below: u64) -> usize {
    usize::try_from(random.below(below)).unwrap()
}

/// One of these.
fn any<T: Copy>(random: &mut Random, of: &[T]) -> T {
    of[index(random, of.len() as u64)]
}

/// What all links of a test have in common.
struct Rig {
    sandbox: Sandbox,
    compiler: FakeCompiler,
    /// The output of lld's own, in-process ThinLTO.
    good: Vec<u8>,
    filled: FakeEngine,
    authority: Certificates,
}

impl Rig {
    fn new() -> Self {
        let sandbox = crate::sandbox(22);
        chain(&sandbox);
        sandbox.lld(&format!("-r {CHAIN_OBJECTS} -o in-process.o"));
        let (good, compiler) = (sandbox.read("in-process.o"), FakeCompiler::remembering(&sandbox));
        let authority = Certificates::default();
        authority.write_authority(&sandbox.path("ca.pem"));
        let rig = Self { sandbox, compiler, good, filled: FakeEngine::start(), authority };
        let link = rig.executing(&rig.filled.address(), "filler").env("THINDIST_REMOTE_UPLOAD_LOCAL_RESULTS", "1");
        let stats = rig.sandbox.stats_of(link);
        assert_eq!(stats.remote_executed(), 4, "{stats:?}");
        assert!(rig.sandbox.read("filler.o") == rig.good);
        rig
    }

    fn link(&self, name: &str) -> Tool {
        let link = client(&self.sandbox, "", name).without_env("THINDIST_REMOTE_CACHE").env("THINDIST_WARM", "0");
        link.env("THINDIST_CLANG", &self.compiler.path).env("THINDIST_TLS_CERTIFICATE", "ca.pem")
    }

    fn executing(&self, address: &str, name: &str) -> Tool {
        let link = self.link(name).env("THINDIST_REMOTE_EXECUTOR", address).env("THINDIST_REMOTE_ONLY", "1");
        link.env("THINDIST_REMOTE_TOOLCHAIN", "installed")
    }

    /// With all results or with none.
    fn engine(&self, random: &mut Random) -> FakeEngine {
        if random.below(2) == 0 { FakeEngine::start() } else { self.filled.copy() }
    }

    /// The same, with TLS.
    fn engine_with_tls(&self, random: &mut Random) -> FakeEngine {
        let tls = self.authority.server();
        if random.below(2) == 0 { FakeEngine::with_tls(tls) } else { self.filled.copy_with_tls(tls) }
    }

    /// One link with this fault. Whether the fault has come to pass.
    fn inject(&self, seed: u64, arm: &impl Fn(&Self, &mut Random) -> Armed) -> bool {
        let mut random = Random(seed);
        // The first numbers of seeds that are neighbours are neighbours.
        random.below(2);
        let armed = arm(self, &mut random);
        let name = format!("client-{seed}");
        let falls_back = random.below(5) > 0;
        let link = self.any_link(&mut random, &armed.address(), &name);
        let link = link.env("THINDIST_REMOTE_TIMEOUT", any(&mut random, &["1", "2"]));
        let link = link.env("THINDIST_REMOTE_LOCAL_FALLBACK", if falls_back { "1" } else { "0" });
        let run = link.ends_within(DEADLINE);
        self.judge(&run, &format!("{name}.o"), falls_back);
        std::fs::remove_dir_all(self.sandbox.root(format!("cache-{name}"))).unwrap();
        armed.has_failed()
    }

    fn any_link(&self, random: &mut Random, address: &str, name: &str) -> Tool {
        let only = any(random, &["0", "1"]);
        let upload = any(random, &["0", "1"]);
        match random.below(4) {
            0 => self.link(name).env("THINDIST_REMOTE_CACHE", address),
            1 => self.executing(address, name).env("THINDIST_REMOTE_ACCEPT_CACHED", "0"),
            _ => self.executing(address, name).env("THINDIST_REMOTE_ONLY", only),
        }
        .env("THINDIST_REMOTE_UPLOAD_LOCAL_RESULTS", upload)
    }

    /// Right, with a warning or two; or one clear error and no output.
    fn judge(&self, run: &Run, output: &str, falls_back: bool) {
        let lines: Vec<&str> = run.stderr.lines().collect();
        let is_known = |line: &str| line.starts_with("thindist: warning: remote_");
        if run.status.success() {
            assert!(self.sandbox.read(output) == self.good, "another output\n{run}");
            assert!(lines.len() <= 3 && lines.iter().all(|line| is_known(line)), "{run}");
            std::fs::remove_file(self.sandbox.path(output)).unwrap();
            return;
        }
        assert!(!falls_back && run.status.code() == Some(1), "{run}");
        let errors: Vec<&&str> = lines.iter().filter(|line| line.starts_with("thindist: error: ")).collect();
        assert!(matches!(errors.as_slice(), [error] if error.contains("remote_")), "not one clear error\n{run}");
        assert!(!self.sandbox.path(output).exists(), "{run}");
    }
}

/// Fifty links with this fault, of which most must have met it.
fn fifty(name: &str, arm: impl Fn(&Rig, &mut Random) -> Armed + Sync) {
    let first = std::env::var("THINDIST_SEED").map_or(1, |seed| seed.parse().unwrap());
    let (rig, next, met) = (Rig::new(), AtomicU64::new(first), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= first + TIMES {
                    return;
                }
                match catch_unwind(AssertUnwindSafe(|| rig.inject(seed, &arm))) {
                    Ok(has_failed) => drop(met.fetch_add(usize::from(has_failed), Ordering::Relaxed)),
                    Err(panic) => {
                        eprintln!("{name}: THINDIST_SEED={seed}");
                        next.store(u64::MAX / 2, Ordering::Relaxed);
                        resume_unwind(panic);
                    }
                }
            }
        };
        (0..AT_ONCE).for_each(|_| drop(scope.spawn(work)));
    });
    let met = met.into_inner();
    assert!(met >= 20, "{name}: only {met} of {TIMES} links have met it");
}

/// A test of each fault.
macro_rules! faults {
    ($($name:ident: $arm:expr;)+) => {$(
        #[test]
        fn $name() {
            fifty(stringify!($name), $arm);
        }
    )+};
}

faults! {
    an_engine_that_is_restarted_in_mid_build: |rig, random| {
        let keeps = random.below(2) == 0;
        Armed::calls(rig.engine(random), random, Fault::Restart { keeps })
    };
    a_connection_that_is_cut_at_any_byte: |rig, random| {
        let engine = if random.below(4) == 0 { rig.engine_with_tls(random) } else { rig.engine(random) };
        Armed::wire(engine, random, BadWire::Cut)
    };
    a_store_that_is_emptied_between_look_up_and_use: |rig, random| {
        let action = Fault::Evicting(1 + index(random, 4));
        let fault = any(random, &[Fault::Forget, action]);
        Armed::calls(rig.engine(random), random, fault)
    };
    wrong_bytes_under_a_right_digest: |rig, random| Armed::calls(rig.engine(random), random, Fault::WrongBytes);
    results_that_name_blobs_which_are_gone: |rig, random| {
        let engine = rig.filled.copy();
        engine.forget_some_blobs(random);
        Armed { engine, wire: None }
    };
    a_worker_that_is_killed: |rig, random| {
        let code = any(random, &[Code::Unavailable, Code::Aborted, Code::Internal, Code::Cancelled, Code::Unknown]);
        let fault = any(random, &[Fault::Killed(code), Fault::KilledCompiler, Fault::LostStreams]);
        Armed::calls(rig.engine(random), random, fault)
    };
    a_worker_that_succeeds_without_an_output: |rig, random| Armed::calls(rig.engine(random), random, Fault::NoOutput);
    a_queue_that_never_starts: |rig, random| {
        let fault = any(random, &[Fault::Queue, Fault::Mute]);
        Armed::calls(rig.engine(random), random, fault)
    };
    a_property_that_no_worker_has: |rig, random| {
        let fault = any(random, &[Fault::Refused, Fault::Mute, Fault::Queue]);
        Armed::calls(rig.engine(random), random, fault)
    };
    storms: |rig, random| {
        let code = any(random, &[Code::Unavailable, Code::ResourceExhausted]);
        let fault = Fault::Storm(code, 1 + index(random, 40));
        Armed::calls(rig.engine(random), random, fault)
    };
    whoever_waits_is_sent_away: |rig, random| Armed::calls(rig.engine(random), random, Fault::Impatient);
    a_certificate_that_has_expired: |rig, random| {
        let engine = rig.engine_with_tls(random);
        engine.present_after_restart(rig.authority.expired_server());
        Armed::calls(engine, random, Fault::Restart { keeps: true })
    };
    a_slow_loris: |rig, random| {
        let time = Duration::from_millis(1 + random.below(60));
        let bad = any(random, &[BadWire::Drip(time), BadWire::Stall]);
        Armed::wire(rig.engine(random), random, bad)
    };
    clocks_that_are_wrong: |rig, random| {
        let seconds = any(random, &[-7 * 3600, 7 * 3600, 400 * 86_400, i64::MAX / 5]);
        if random.below(4) > 0 {
            return Armed::calls(rig.engine(random), random, Fault::Clock(seconds));
        }
        let engine = rig.engine_with_tls(random);
        engine.present_after_restart(rig.authority.early_server());
        Armed::calls(engine, random, Fault::Restart { keeps: true })
    };
}
