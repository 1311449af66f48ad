//! Backends on an engine: the same bytes, each blob sent once, and local execution of whatever fails there.

use crate::on_each_llvm;
use crate::programs::{chain, edit};
use crate::remote_cache::client;
use testkit::{Code, FakeEngine, Fault, Offer, Sandbox, Stats, Tool};

on_each_llvm!(
    a_worker_needs_nothing_but_what_it_is_sent,
    local_places_work_beside_the_engine,
    inputs_are_sent_while_results_are_still_asked_for,
    what_runs_here_is_not_sent,
    what_assembly_reads_is_sent_along,
    a_compilers_error_is_told_as_if_it_had_run_here,
);

/// A link whose backends run on the engine only.
pub(crate) fn remote(sandbox: &Sandbox, engine: &FakeEngine, name: &str) -> Tool {
    let tool = client(sandbox, &engine.address(), name).without_env("THINDIST_REMOTE_CACHE");
    tool.env("THINDIST_REMOTE_EXECUTOR", engine.address()).env("THINDIST_REMOTE_ONLY", "1")
}

/// The same with the compiler of the worker, which is this machine's: nothing of 200 MB is sent.
pub(crate) fn installed(sandbox: &Sandbox, engine: &FakeEngine, name: &str) -> Tool {
    remote(sandbox, engine, name).env("THINDIST_REMOTE_TOOLCHAIN", "installed")
}

#[track_caller]
pub(crate) fn expect(stats: &Stats, here: usize, cached: usize, there: usize) {
    assert_eq!((stats.executed(), stats.remote_cache(), stats.remote_executed()), (here, cached, there), "{stats:?}");
}

/// The output of a link that knows no engine.
pub(crate) fn plain(sandbox: &Sandbox) -> Vec<u8> {
    sandbox.stats_of(client(sandbox, "", "plain"));
    sandbox.read("plain.o")
}

fn a_worker_needs_nothing_but_what_it_is_sent(sandbox: &Sandbox) {
    chain(sandbox);
    let good = plain(sandbox);
    let engine = FakeEngine::start();
    expect(&sandbox.stats_of(remote(sandbox, &engine, "first")), 0, 0, 4);
    assert!(sandbox.read("first.o") == good);
    let (sent, _) = engine.take_traffic();
    assert_eq!(sent, engine.distinct_bytes(), "a blob was sent twice");

    // Another client finds what was executed, and sends nothing.
    expect(&sandbox.stats_of(remote(sandbox, &engine, "second")), 0, 4, 0);
    assert!(sandbox.read("second.o") == good);
    let (sent, received) = engine.take_traffic();
    assert_eq!(sent, 0);
    assert!(received < 20_000, "more than four small objects: {received}");

    // After an edit: the module, its index, and what lists them; the compiler is there.
    edit(sandbox, "alone.c", "int counter; int alone(int x) { return counter -= x; }\n");
    let module = sandbox.read("alone.o").len();
    expect(&sandbox.stats_of(remote(sandbox, &engine, "second")), 0, 0, 1);
    let (sent, _) = engine.take_traffic();
    assert!(sent > module && sent < module + 8_000, "{sent} bytes for a module of {module}");
}

fn local_places_work_beside_the_engine(sandbox: &Sandbox) {
    chain(sandbox);
    let good = plain(sandbox);
    let engine = FakeEngine::start();
    let link = installed(sandbox, &engine, "first").env("THINDIST_REMOTE_ONLY", "0").env("THINDIST_JOBS", "1");
    let stats = sandbox.stats_of(link);
    assert_eq!(stats.executed() + stats.remote_executed(), 4, "{stats:?}");
    assert!(stats.executed() >= 1, "{stats:?}");
    assert!(sandbox.read("first.o") == good);
}

fn inputs_are_sent_while_results_are_still_asked_for(sandbox: &Sandbox) {
    chain(sandbox);
    let good = plain(sandbox);
    let engine = FakeEngine::start();
    // Each of four actions is asked for by two keys. The last answer comes when inputs of others are there.
    engine.fail(Fault::Curious { answers: 7, blobs: 5 });
    expect(&sandbox.stats_of(installed(sandbox, &engine, "first")), 0, 0, 4);
    assert_eq!(engine.calls("GetActionResult"), 8, "an answer was asked for twice");
    let (sent, _) = engine.take_traffic();
    assert_eq!(sent, engine.distinct_bytes(), "a blob was sent twice");
    assert!(sandbox.read("first.o") == good);

    // What has been executed is found: nothing is sent.
    engine.fail(Fault::None);
    expect(&sandbox.stats_of(installed(sandbox, &engine, "second")), 0, 4, 0);
    assert_eq!(engine.take_traffic().0, 0);
}

fn what_runs_here_is_not_sent(sandbox: &Sandbox) {
    chain(sandbox);
    let engine = FakeEngine::start();
    expect(&sandbox.stats_of(client(sandbox, "", "first").without_env("THINDIST_REMOTE_CACHE")), 4, 0, 0);
    edit(sandbox, "alone.c", "int counter; int alone(int x) { return counter -= x; }\n");
    // One backend, and a place for it here.
    expect(&sandbox.stats_of(installed(sandbox, &engine, "first").env("THINDIST_REMOTE_ONLY", "0")), 1, 0, 0);
    assert_eq!((engine.take_traffic().0, engine.calls("FindMissingBlobs")), (0, 0));
}

fn what_assembly_reads_is_sent_along(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.write("data/blob.bin", "read by assembly");
    edit(
        sandbox,
        "alone.c",
        "__asm__(\".section .rodata.blob,\\\"a\\\"\\n.incbin \\\"data/blob.bin\\\"\\n.text\");\nint alone(void) { return 1; }\n",
    );
    let good = plain(sandbox);
    assert!(good.windows(16).any(|window| window == b"read by assembly"));
    let engine = FakeEngine::start();
    expect(&sandbox.stats_of(installed(sandbox, &engine, "first")), 0, 0, 4);
    assert!(sandbox.read("first.o") == good);
}

fn a_compilers_error_is_told_as_if_it_had_run_here(sandbox: &Sandbox) {
    chain(sandbox);
    edit(sandbox, "alone.c", "int alone(void) { __asm__ volatile(\"no such instruction\"); return 1; }\n");
    let engine = FakeEngine::start();
    let run = installed(sandbox, &engine, "first").run().exits(1).says("the backend of alone.o failed");
    run.says("cannot compile inline asm");
    let alone = installed(sandbox, &engine, "first").env("THINDIST_REMOTE_LOCAL_FALLBACK", "0");
    alone.run().exits(1).says("cannot compile inline asm");
}

/// A link while the engine fails like this: right, with so many backends here, and at most one warning.
#[track_caller]
fn check(sandbox: &Sandbox, good: &[u8], fault: Fault, here: usize, warnings: usize) {
    let engine = FakeEngine::start();
    engine.fail(fault);
    let name = format!("client-{fault:?}").replace(['(', ')', ' ', ','], "-");
    let stats = sandbox.root(format!("stats-{name}"));
    let link = installed(sandbox, &engine, &name).env("THINDIST_REMOTE_TIMEOUT", "4").env("THINDIST_STATS", &stats);
    let run = link.ok();
    assert!(sandbox.read(format!("{name}.o")) == good, "{fault:?}: another output\n{run}");
    let counts = std::fs::read_to_string(stats).unwrap();
    assert!(counts.contains(&format!("\"executed\":{here},")), "{fault:?}: {counts}\n{run}");
    assert_eq!(run.lines_with("warning: remote_executor="), warnings, "{fault:?}: {run}");
    assert_eq!(run.stderr.lines().count(), warnings, "{fault:?}: {run}");
}

#[test]
fn whatever_fails_there_runs_here() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    let good = plain(&sandbox);
    check(&sandbox, &good, Fault::NoOutput, 4, 1);
    check(&sandbox, &good, Fault::BrokenWorker, 4, 0);
    check(&sandbox, &good, Fault::Queue, 4, 1);
    check(&sandbox, &good, Fault::Mute, 4, 1);
    check(&sandbox, &good, Fault::WrongBytes, 4, 1);
    check(&sandbox, &good, Fault::Storm(Code::Unavailable, usize::MAX), 4, 1);
}

#[test]
fn what_passes_costs_nothing_but_time() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    let good = plain(&sandbox);
    check(&sandbox, &good, Fault::LostStreams, 0, 0);
    check(&sandbox, &good, Fault::Evicting(1), 0, 0);
    check(&sandbox, &good, Fault::Storm(Code::ResourceExhausted, 1), 0, 0);
}

#[test]
fn a_connection_that_is_cut_anywhere_leaves_the_link_right() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    let good = plain(&sandbox);
    // Two questions for capabilities, eight for results; from there on what is sent and executed.
    for calls in 0..20 {
        let engine = FakeEngine::start();
        engine.fail(Fault::Cut(calls));
        let name = format!("cut-{calls}");
        let run = installed(&sandbox, &engine, &name).env("THINDIST_REMOTE_RETRIES", "1").ok();
        assert!(sandbox.read(format!("{name}.o")) == good, "{calls}: another output\n{run}");
        assert!((1..=2).contains(&run.lines_with("warning: remote_executor=")), "{calls}: {run}");
    }
}

#[test]
fn two_clients_at_once_do_not_disturb_each_other() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    let good = plain(&sandbox);
    let engine = FakeEngine::start();
    let links = ["one", "other"].map(|name| (name, installed(&sandbox, &engine, name)));
    std::thread::scope(|scope| {
        for (_, link) in links {
            scope.spawn(|| link.ok().says_nothing());
        }
    });
    for name in ["one", "other"] {
        assert!(sandbox.read(format!("{name}.o")) == good, "{name}");
    }
    // Each action once, or once for each client; four results in any case.
    assert!((4..=8).contains(&engine.calls("Execute")));
    assert_eq!(engine.size().1, 4);
}

/// As casd, BuildGrid and justbuild have it.
#[test]
fn servers_say_in_their_own_ways_what_they_do_not_have() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    let good = plain(&sandbox);
    for code in [Code::NotFound, Code::FailedPrecondition, Code::Internal] {
        let engine = FakeEngine::offering(Offer { absent_result: code, absent_blob: code, ..Offer::default() });
        engine.fail(Fault::Evicting(1));
        let name = format!("client-{code:?}");
        let stats = sandbox.root(&name);
        installed(&sandbox, &engine, &name).env("THINDIST_STATS", &stats).ok().says_nothing();
        assert!(sandbox.read(format!("{name}.o")) == good, "{code:?}");
        let counts = std::fs::read_to_string(stats).unwrap();
        assert!(counts.contains("\"executed\":0,") && counts.contains("\"remote_executed\":4,"), "{code:?}: {counts}");
    }
}

/// Out of memory, most often: no error of the source, which the random faults found it to be told as.
#[test]
fn a_compiler_that_is_killed_there_is_tried_again_and_then_run_here() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    let good = plain(&sandbox);
    check(&sandbox, &good, Fault::KilledCompiler, 4, 1);
    let engine = FakeEngine::start();
    engine.fail(Fault::KilledCompiler);
    let link = installed(&sandbox, &engine, "alone").env("THINDIST_REMOTE_LOCAL_FALLBACK", "0");
    link.run().exits(1).says("its compiler was killed (exit status 137)").says("remote_executor=grpc://");
    assert!(engine.calls("Execute") > 4, "it was not tried again");
}

/// As long as it takes to bring up another one.
#[test]
fn an_action_whose_worker_has_gone_is_executed_again() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    let good = plain(&sandbox);
    let engine = FakeEngine::start();
    // Two questions for capabilities, eight for results, then blobs; the first executions are among these.
    engine.fail_during(0..20, Fault::Killed(Code::Unavailable));
    expect(&sandbox.stats_of(installed(&sandbox, &engine, "client")), 0, 0, 4);
    assert!(sandbox.read("client.o") == good);
    assert!(engine.calls("Execute") > 4, "no worker has gone");
    check(&sandbox, &good, Fault::Killed(Code::Unavailable), 4, 1);
}

/// A server may tell whoever waits at once that this took too long, as often as it is asked.
#[test]
fn a_server_that_sends_away_whoever_waits_is_not_asked_without_a_pause() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    let good = plain(&sandbox);
    let engine = FakeEngine::start();
    engine.fail(Fault::Impatient);
    let run = installed(&sandbox, &engine, "client").env("THINDIST_REMOTE_TIMEOUT", "2").ok();
    assert!(sandbox.read("client.o") == good, "{run}");
    assert_eq!(run.lines_with("no action has begun or ended within remote_timeout"), 1, "{run}");
    // Each of four every 50 ms at most, for two seconds and a little more on a machine that is busy.
    let asked = engine.calls("WaitExecution");
    assert!((4..1000).contains(&asked), "{asked} calls");
}

#[test]
fn without_fallback_an_engine_that_fails_is_an_error() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    let engine = FakeEngine::start();
    engine.fail(Fault::NoOutput);
    let link = || installed(&sandbox, &engine, "first").env("THINDIST_REMOTE_LOCAL_FALLBACK", "0");
    link().run().exits(1).says("it gave no native object");
    let cache_only = FakeEngine::offering(Offer { executes: false, ..Offer::default() });
    let run = installed(&sandbox, &cache_only, "second").ok();
    assert_eq!(run.lines_with("it does not execute actions"), 1, "{run}");
}

#[test]
fn doctor_has_a_backend_run_there() {
    let sandbox = crate::sandbox(22);
    let engine = FakeEngine::start();
    let doctor = || {
        let doctor = sandbox.tool("thindist").args("doctor").env("THINDIST_REMOTE_EXECUTOR", engine.address());
        doctor.env("THINDIST_REMOTE_TOOLCHAIN", "installed")
    };
    let run = doctor().ok().says_nothing();
    let line = "ok     remote executor: remote_executor=grpc://";
    assert!(run.stdout.contains(line) && run.stdout.contains("equals the one made here"), "{run}");
    assert_eq!(engine.calls("Execute"), 1);
    engine.fail(Fault::NoOutput);
    let run = doctor().run().exits(1).says("a backend there: ").says("it gave no native object");
    assert!(run.stdout.contains("WRONG  remote executor"), "{run}");
}
