//! `thindist verify`: identical, different with module and section, or not comparable.

use crate::on_each_llvm;
use crate::programs::pair;
use testkit::{FakeCompiler, Sandbox};

on_each_llvm!(
    a_compiler_that_adds_a_flag_is_found_out,
    what_cannot_be_compared_is_exit_code_2,
    files_are_compared_without_a_link,
    numbers_of_no_symbols_in_the_output_are_no_difference,
    verify_leaves_the_output_and_the_inputs_alone,
);

fn a_compiler_that_adds_a_flag_is_found_out(sandbox: &Sandbox) {
    pair(sandbox);
    let clang = FakeCompiler::new(sandbox, "careless", "exec $real \"$@\" -O0");
    let run = sandbox.verify("-r a.o b.o").env("THINDIST_CLANG", &clang.path).run().exits(1);
    assert!(run.stdout.contains("different: a.o: .text"), "{run}");
    assert!(run.stdout.contains("likely --lto-O"), "{run}");
    assert!(run.stdout.contains("different: output .text"), "{run}");
    // One module only.
    let body =
        "if grep -q hidden module.bc; then set -- $(echo \"$@\" | sed s/-fdata-sections//); fi; exec $real \"$@\"";
    let clang = FakeCompiler::new(sandbox, "careless-with-one", body);
    let run = sandbox.verify("-r a.o b.o").env("THINDIST_CLANG", &clang.path).run().exits(1);
    assert!(run.stdout.contains("different: b.o: .data") && !run.stdout.contains("different: a.o"), "{run}");
}

fn what_cannot_be_compared_is_exit_code_2(sandbox: &Sandbox) {
    pair(sandbox);
    sandbox.compile("-O2", "native.c", "int native;");
    sandbox.verify("-r native.o").run().exits(2).says("no bitcode");
    sandbox.verify("-r a.o missing.o").run().exits(2).says("missing.o");
    sandbox.verify("-r a.o b.o --lto-emit-asm").run().exits(2).says("--lto-emit-asm");
    let broken = FakeCompiler::new(sandbox, "broken", "echo oh dear >&2; exit 3");
    sandbox.verify("-r a.o b.o").env("THINDIST_CLANG", &broken.path).run().exits(2).says("oh dear");
    sandbox.write("main.o", "no object");
    sandbox.verify("").run().exits(2);
}

fn files_are_compared_without_a_link(sandbox: &Sandbox) {
    sandbox.compile("-O2", "a.c", "int f(void) { return 1; }");
    sandbox.compile("-O2", "b.c", "int f(void) { return 2; }");
    let diff = |files: &str| sandbox.tool("thindist").args("diff").args(files).run();
    assert!(diff("a.o a.o").exits(0).stdout.ends_with("the whole output\n"));
    assert!(diff("a.o b.o").exits(1).stdout.contains(".text"));
    diff("a.o none.o").exits(2).says("none.o");
    diff("a.o").exits(2).says("not provided: <B>");
    sandbox.write("text", "no object");
    diff("a.o text").exits(2);
}

/// What `ld -r` keeps of `.llvm_addrsig` numbers the symbols of its inputs. (Seen on the kernel's null_blk.o.)
fn numbers_of_no_symbols_in_the_output_are_no_difference(sandbox: &Sandbox) {
    let function = |number: usize| format!("int f{number}(void) {{ return {number}; }}\n");
    let names: Vec<String> = (0..12).map(|number| format!("f{number}")).collect();
    let table = format!("int (*table[])(void) = {{ {} }};\n", names.join(", "));
    sandbox.compile("-O2", "a.c", &((0..12).map(function).collect::<String>() + &table));
    sandbox.lld("-r a.o -o plain.o");
    sandbox.lld("-r --trace-symbol=f11 --trace-symbol=f10 a.o -o ordered.o");
    assert!(sandbox.read("plain.o") != sandbox.read("ordered.o"), "the symbols have one order");
    let diff = |files: &str| sandbox.tool("thindist").args("diff").args(files).run();
    assert!(diff("plain.o ordered.o").exits(0).stdout.ends_with("the order of symbols aside\n"));
    // A compiler's own table names symbols of its file.
    sandbox.compile("-O2", "b.c", &((0..12).map(function).collect::<String>() + &table.replace("f11", "f10")));
    assert!(diff("a.o b.o").exits(1).stdout.contains(".llvm_addrsig"));
}

fn verify_leaves_the_output_and_the_inputs_alone(sandbox: &Sandbox) {
    pair(sandbox);
    sandbox.write("out.o", "as it was");
    let before = sandbox.files_below("work");
    sandbox.verify_identical("-r a.o b.o -o out.o -Map=out.map --thinlto-cache-dir=c");
    assert_eq!(sandbox.read("out.o"), b"as it was");
    assert_eq!(sandbox.files_below("work"), before);
    assert_eq!(sandbox.temporaries(), Vec::<std::path::PathBuf>::new());
}
