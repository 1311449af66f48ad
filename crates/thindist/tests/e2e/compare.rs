//! `thindist compare` measures every way and touches no file of the user's, or exits with 2.

use crate::on_each_llvm;
use crate::programs::{pair, row};
use serde_json::Value;
use testkit::{FakeCompiler, Sandbox};

on_each_llvm!(
    every_way_is_measured_and_what_ran_is_counted,
    compare_leaves_the_output_the_inputs_and_the_stores_alone,
    other_objects_are_exit_code_1,
    what_cannot_be_measured_is_exit_code_2,
);

fn every_way_is_measured_and_what_ran_is_counted(sandbox: &Sandbox) {
    let objects = row(sandbox, 5);
    let line = format!("compare --rounds 2 --format json -- -r {objects} -o out.o");
    let run = sandbox.tool("thindist").args(&line).ok();
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["modules"], 5, "{run}");
    let ways = report["ways"].as_array().unwrap();
    let backends: Vec<Option<f64>> = ways.iter().map(|way| way["backends"].as_f64()).collect();
    assert_eq!(backends, [None, None, None, Some(5.0), Some(0.0), Some(0.0)], "{run}");
    let measured = |way: &Value| ["wall_s", "cpu_s", "largest_process_kib", "ratio"].map(|name| way[name].as_f64());
    assert!(ways.iter().flat_map(measured).all(|figure| figure.is_some_and(|figure| figure > 0.0)), "{run}");
    let disk: Vec<bool> = ways.iter().map(|way| way["disk_bytes"].as_f64() > Some(0.0)).collect();
    assert_eq!(disk, [false, true, true, true, true, true], "{run}");
    assert!(report["output"]["differences"].as_u64().unwrap_or(0) == 0, "{run}");
    let text = sandbox.tool("thindist").args(&line.replace("json", "text")).ok().stdout;
    assert!(text.contains("thindist, nothing changed") && text.contains("outputs identical"), "{text}");
}

fn compare_leaves_the_output_the_inputs_and_the_stores_alone(sandbox: &Sandbox) {
    pair(sandbox);
    sandbox.write("out.o", "as it was");
    let before = sandbox.files_below("work");
    sandbox.tool("thindist").args("compare -- -r a.o b.o -o out.o -Map=out.map --thinlto-cache-dir=c").ok();
    assert_eq!(sandbox.read("out.o"), b"as it was");
    assert_eq!(sandbox.files_below("work"), before);
    assert_eq!(sandbox.temporaries(), Vec::<std::path::PathBuf>::new());
    assert_eq!(sandbox.action_results(), 0);
}

fn other_objects_are_exit_code_1(sandbox: &Sandbox) {
    pair(sandbox);
    let clang = FakeCompiler::new(sandbox, "careless", "exec $real \"$@\" -O0");
    let run = sandbox.tool("thindist").args("compare -- -r a.o b.o").env("THINDIST_CLANG", &clang.path).run().exits(1);
    assert!(run.stdout.contains("`thindist verify` names them"), "{run}");
}

fn what_cannot_be_measured_is_exit_code_2(sandbox: &Sandbox) {
    pair(sandbox);
    sandbox.compile("-O2", "native.c", "int native;");
    let compare = |words: &str| sandbox.tool("thindist").args(&format!("compare {words}"));
    compare("-- -r native.o").run().exits(2).says("no bitcode");
    compare("-- -r a.o missing.o").run().exits(2).says("missing.o");
    compare("-r a.o b.o").run().exits(2).says("usage: thindist compare");
    compare("--rounds 0 -- -r a.o b.o").run().exits(2).says("--rounds");
    compare("--format xml -- -r a.o b.o").run().exits(2).says("--format");
    compare("-- -r a.o b.o --lto-emit-asm").run().exits(2).says("--lto-emit-asm");
    let broken = FakeCompiler::new(sandbox, "broken", "echo oh dear >&2; exit 3");
    compare("-- -r a.o b.o").env("THINDIST_CLANG", &broken.path).run().exits(2).says("oh dear");
}
