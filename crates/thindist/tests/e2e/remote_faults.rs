//! A cache that fails in every way: the link is right, ends, and reports the fault once.

use crate::programs::chain;
use crate::remote_cache::{client, writer};
use testkit::{Code, FakeEngine, Fault, Random, Sandbox};

/// An engine with the results of the chain.
fn filled(sandbox: &Sandbox) -> FakeEngine {
    chain(sandbox);
    refilled(sandbox, "good")
}

/// Another one, by a client of this name.
fn refilled(sandbox: &Sandbox, name: &str) -> FakeEngine {
    let engine = FakeEngine::start();
    sandbox.stats_of(writer(sandbox, &engine.address(), name));
    assert_eq!(engine.size(), (4, 4));
    engine
}

/// A link by a new client while the engine fails like this: it takes `remote` objects and warns so often.
#[track_caller]
fn check(sandbox: &Sandbox, engine: &FakeEngine, fault: Fault, remote: usize, warnings: usize) {
    engine.fail(fault);
    let stats = sandbox.root("stats-faults");
    let _ = std::fs::remove_file(&stats);
    let name =
        format!("client-{}", sandbox.files_below("").iter().filter(|path| path.ends_with("state.sqlite")).count());
    let link = client(sandbox, &engine.address(), &name).env("THINDIST_REMOTE_TIMEOUT", "2");
    let run = link.env("THINDIST_STATS", &stats).ok();
    assert!(sandbox.read(format!("{name}.o")) == sandbox.read("good.o"), "{fault:?}: another output\n{run}");
    let counts = std::fs::read_to_string(stats).unwrap();
    assert!(counts.contains(&format!("\"remote_cache\":{remote},")), "{fault:?}: {counts}\n{run}");
    assert_eq!(run.lines_with("warning: remote_cache="), warnings, "{fault:?}: {run}");
    assert_eq!(run.stderr.lines().count(), warnings, "{fault:?}: {run}");
}

#[test]
fn a_short_storm_passes_and_a_long_one_is_left() {
    let sandbox = crate::sandbox(22);
    let engine = filled(&sandbox);
    for code in [Code::Unavailable, Code::ResourceExhausted] {
        check(&sandbox, &engine, Fault::Storm(code, 1), 4, 0);
        check(&sandbox, &engine, Fault::Storm(code, usize::MAX), 0, 1);
    }
}

#[test]
fn blobs_with_another_content_are_not_taken() {
    let sandbox = crate::sandbox(22);
    let engine = filled(&sandbox);
    check(&sandbox, &engine, Fault::WrongBytes, 0, 1);
}

#[test]
fn results_whose_blobs_have_gone_are_misses() {
    let sandbox = crate::sandbox(22);
    let engine = filled(&sandbox);
    engine.forget_blobs();
    check(&sandbox, &engine, Fault::None, 0, 0);
}

#[test]
fn an_engine_that_does_not_answer_is_waited_for_once() {
    let sandbox = crate::sandbox(22);
    let engine = filled(&sandbox);
    let calls = |engine: &FakeEngine| engine.calls("GetCapabilities") + engine.calls("GetActionResult");
    let before = calls(&engine);
    check(&sandbox, &engine, Fault::Silence, 0, 1);
    assert_eq!(calls(&engine) - before, 1);
}

/// A build is many links.
#[test]
fn an_engine_that_does_not_answer_is_waited_for_by_one_link() {
    let sandbox = crate::sandbox(22);
    let engine = filled(&sandbox);
    engine.fail(Fault::Silence);
    let asked = engine.calls("GetCapabilities");
    let link = |line: &str| {
        let tool = client(&sandbox, &engine.address(), "client").args(line);
        tool.env("THINDIST_REMOTE_TIMEOUT", "2").ok()
    };
    link("").says("warning: remote_cache=grpc:");
    // Another line with other objects.
    link("--lto-O3").says("it did not answer").says("s ago");
    assert_eq!(engine.calls("GetCapabilities") - asked, 1);
}

/// Every blob is what its digest says, and the result is that of another module.
#[test]
fn a_sample_finds_an_engine_that_mixes_results_up() {
    let sandbox = crate::sandbox(22);
    let engine = filled(&sandbox);
    let link = |name: &str| client(&sandbox, &engine.address(), name).env("THINDIST_REMOTE_VERIFY_SAMPLE", "1");
    let stats = sandbox.stats_of(link("honest"));
    assert_eq!((stats.remote_cache(), stats.executed()), (4, 0), "{stats:?}");
    assert!(sandbox.read("honest.o") == sandbox.read("good.o"));
    engine.fail(Fault::Swapped);
    let run = link("swapped").run().exits(1).says("from the engine is").says("but compiled here it is");
    assert!(!sandbox.path("swapped.o").exists(), "{run}");
    client(&sandbox, "", "odd")
        .env("THINDIST_REMOTE_VERIFY_SAMPLE", "2")
        .run()
        .exits(1)
        .says("expected a number from 0 to 1");
}

/// Wherever the connection is cut, what has arrived is used and the rest is made.
#[test]
fn a_cut_connection_costs_what_has_not_arrived() {
    let sandbox = crate::sandbox(22);
    filled(&sandbox);
    // A link makes six calls: capabilities, four results, one batch.
    for calls in 0..6 {
        let engine = refilled(&sandbox, &format!("filler-{calls}"));
        check(&sandbox, &engine, Fault::Cut(calls), 0, 1);
    }
}

/// What is left for others costs the link nothing but a warning, wherever it ends.
#[test]
fn a_cut_connection_does_not_keep_a_result_from_being_linked() {
    let sandbox = crate::sandbox(22);
    filled(&sandbox);
    let mut random = Random(4);
    for number in 0..6 {
        let engine = FakeEngine::start();
        // Capabilities, four results that are not there, a question, a batch, four results.
        let calls = usize::try_from(random.below(11)).unwrap();
        engine.fail(Fault::Cut(calls));
        let name = format!("writer-{number}");
        let run = writer(&sandbox, &engine.address(), &name).env("THINDIST_REMOTE_TIMEOUT", "2").ok();
        assert!(sandbox.read(format!("{name}.o")) == sandbox.read("good.o"), "{calls}: another output\n{run}");
        assert_eq!(run.lines_with("warning: remote_cache="), 1, "{calls}: {run}");
    }
}
