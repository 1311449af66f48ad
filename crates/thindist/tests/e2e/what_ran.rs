//! `thindist what-ran`: where each object came from, and the same backend run again by hand.

use crate::on_each_llvm;
use crate::programs::{CHAIN_OBJECTS, chain, edit};
use crate::remote_execution::remote;
use std::process::Command;
use testkit::{FakeEngine, Run, Sandbox, Tool};

on_each_llvm!(a_backend_is_run_again_by_hand, what_runs_on_an_engine_is_told_with_its_worker);

fn what_ran(sandbox: &Sandbox) -> Tool {
    sandbox.tool("thindist").arg("what-ran")
}

/// Cells of the actions, by module.
fn rows(run: &Run) -> Vec<Vec<String>> {
    let cells =
        |line: &str| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect();
    run.stdout.lines().skip(2).map(cells).collect()
}

fn column(run: &Run, number: usize) -> Vec<String> {
    rows(run).iter().map(|row| row[number].clone()).collect()
}

/// Runs the command that `what-ran --reproduce` prints.
fn reproduce(sandbox: &Sandbox, wanted: &str) -> (String, std::process::Output) {
    let command = what_ran(sandbox).arg("--reproduce").arg(wanted).ok().stdout;
    let ran = Command::new("sh").arg("-c").arg(&command).current_dir("/").output().unwrap();
    (command, ran)
}

fn a_backend_is_run_again_by_hand(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.ar("rc lib.a middle.o leaf.o");
    let kept = sandbox.root("kept");
    let link = |output: &str| {
        let line = format!("-r main.o alone.o --whole-archive lib.a --no-whole-archive -o {output}");
        sandbox.ld(&line).env("THINDIST_KEEP_NATIVE", &kept)
    };
    link("a.out").ok();
    let first = what_ran(sandbox).ok();
    assert!(first.stdout.starts_with("a.out in "), "{first}");
    assert_eq!(column(&first, 0), ["here"; 4]);
    let modules = column(&first, 8);

    for module in &modules {
        let (command, ran) = reproduce(sandbox, module);
        assert!(ran.status.success(), "{command}: {}", String::from_utf8_lossy(&ran.stderr));
        let directory = command.strip_prefix("cd ").and_then(|rest| rest.split(" && ").next()).unwrap();
        let again = std::fs::read(format!("{directory}/module.thinlto-native.o")).unwrap();
        let objects = sandbox.files_below("kept").into_iter().filter(|path| path.extension().is_some_and(|e| e == "o"));
        let same = objects.filter(|path| std::fs::read(path).unwrap() == again).count();
        assert_eq!(same, 1, "{module}: {command}");
    }

    // By a key, and from the stores.
    link("other.out").ok();
    let second = what_ran(sandbox).ok();
    assert_eq!(column(&second, 0), ["local cache"; 4]);
    assert!(reproduce(sandbox, &column(&second, 7)[0]).1.status.success());

    edit(sandbox, "alone.c", "int counter; int alone(int x) { return counter -= x; }\n");
    what_ran(sandbox).args("--reproduce alone.o").run().exits(1).says("its inputs or its tools have changed");
    what_ran(sandbox).args("--reproduce nobody.o").run().exits(1).says("no action has the module or the key nobody.o");
}

fn what_runs_on_an_engine_is_told_with_its_worker(sandbox: &Sandbox) {
    chain(sandbox);
    let engine = FakeEngine::start();
    let file = sandbox.root("ran.jsonl");
    let link = |name: &str| remote(sandbox, &engine, name).env("THINDIST_WHAT_RAN", &file).ok();
    link("first");
    let show = || what_ran(sandbox).arg(&file).ok();
    let run = show();
    assert_eq!(column(&run, 0), ["remote fake"; 4]);
    // The heading is a row of its own: seconds and bytes are told of each.
    let told = |number: usize| column(&run, number).iter().all(|cell| cell != "-");
    assert!((1..=6).all(told), "{run}");
    let (sent, received) = engine.take_traffic();
    let sum = |number: usize| column(&run, number).iter().map(|cell| cell.parse::<usize>().unwrap()).sum::<usize>();
    assert_eq!((sum(5), sum(6)), (sent, received), "{run}");

    link("second");
    let run = show();
    assert_eq!(column(&run, 0), ["remote cache"; 4]);
    assert!(run.stdout.starts_with("second.o in "), "{run}");
}

#[test]
fn a_backend_that_fails_can_be_run_again() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    edit(&sandbox, "alone.c", "int alone(void) { __asm__ volatile(\"no such instruction\"); return 1; }\n");
    sandbox.ld(&format!("-r {CHAIN_OBJECTS} -o a.out")).run().exits(1);
    let run = what_ran(&sandbox).ok();
    assert_eq!(rows(&run).iter().filter(|row| row[0] == "failed").count(), 1, "{run}");
    let (command, ran) = reproduce(&sandbox, "alone.o");
    assert!(String::from_utf8_lossy(&ran.stderr).contains("inline asm"), "{command}");
}

#[test]
fn a_file_that_is_none_is_named() {
    let sandbox = crate::sandbox(22);
    what_ran(&sandbox).run().exits(1).says("what-ran.jsonl").says("link something first");
    sandbox.write("text", "hello\n");
    what_ran(&sandbox).arg("text").run().exits(1).says("text: ");
    what_ran(&sandbox).arg("--frob").run().exits(1).says("unexpected argument '--frob'");
}
