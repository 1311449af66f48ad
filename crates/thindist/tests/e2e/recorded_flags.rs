//! Backends with the flags of their own files, from Kbuild's records and compile_commands.json, and errors in these.

use crate::on_each_llvm;
use testkit::{Sandbox, Stats};

on_each_llvm!(
    each_backend_has_the_flags_of_its_file,
    a_changed_flag_runs_one_backend,
    the_frontends_flags_run_none,
    kbuilds_paths_and_quotes,
    flags_from_compile_commands,
    steps_with_flags_of_their_own,
    a_file_of_which_nothing_is_recorded,
    records_that_do_not_fit,
    it_is_not_what_in_process_does,
);

const LOOP: &str = "(const int *p, int n) { int s = 0; for (int i = 0; i < n; i++) s += p[i] * 3; return s; }\n";
const LINE: &str = "-r a.o sub/b.o -o out.o --thindist-backend-flags=per-module";

/// Two modules that import nothing, and Kbuild's records of them.
fn program(sandbox: &Sandbox) {
    sandbox.bitcode(&[("a.c", &format!("int a{LOOP}")), ("sub/b.c", &format!("int b{LOOP}"))]);
    record(sandbox, "a.o", "-O1 -fno-pic");
    record(sandbox, "sub/b.o", "-Os -mno-sse -fno-pic");
}

fn record_file(object: &str) -> String {
    let (directory, name) = object.rsplit_once('/').map_or(("", object), |(directory, name)| (directory, name));
    format!("{directory}{}.{name}.cmd", if directory.is_empty() { "" } else { "/" })
}

fn record(sandbox: &Sandbox, object: &str, flags: &str) {
    let source = object.replace(".o", ".c");
    let command = format!("clang -Wp,-MMD,x.d -nostdinc -Iinc -D__KERNEL__ {flags} -flto=thin -c -o {object} {source}");
    sandbox.write(
        record_file(object),
        format!("savedcmd_{object} := {command} ; objtool {object}\n\nsource_{object} := {source}\n"),
    );
}

fn link(sandbox: &Sandbox) -> Stats {
    sandbox.link(LINE)
}

/// The oracle is the compiler, as kernel 7.2's own mode starts it.
fn each_backend_has_the_flags_of_its_file(sandbox: &Sandbox) {
    program(sandbox);
    let line = format!("thin-link --list list -- {LINE}");
    sandbox.tool("thindist").args(&line).ok();
    sandbox.tool("thindist").args("backend a.o.thinlto.job sub/b.o.thinlto.job").ok();
    for (name, flags) in [("a", "-O1 -fno-pic"), ("sub/b", "-Os -mno-sse -fno-pic")] {
        let lto = format!("-ffunction-sections -fdata-sections -faddrsig -x ir -fthinlto-index={name}.o.thinlto.bc");
        // The index knows it by this name.
        sandbox.write("module.bc", sandbox.read(format!("{name}.o")));
        let rest = "-c -o expected.o module.bc -Wno-unused-command-line-argument";
        sandbox.clang(&format!("--target=x86_64-unknown-linux-gnu {flags} {lto} {rest}"));
        let ours = sandbox.read(format!("{name}.thinlto-native.o"));
        assert!(ours == sandbox.read("expected.o"), "{name} was not compiled with its flags");
    }
    // With the link's flags they are others.
    sandbox.link("-r a.o sub/b.o -o parity.o");
    link(sandbox);
    assert!(sandbox.read("parity.o") != sandbox.read("out.o"));
}

fn a_changed_flag_runs_one_backend(sandbox: &Sandbox) {
    program(sandbox);
    // A link of files that were written in the same moment is not remembered.
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert_eq!(link(sandbox).executed(), 2);
    let first = sandbox.read("out.o");
    assert_eq!(link(sandbox).memo(), 2);
    record(sandbox, "a.o", "-O3 -fno-pic");
    let stats = link(sandbox);
    assert_eq!((stats.executed(), stats.local_cache()), (1, 1), "{stats:?}");
    assert!(sandbox.read("out.o") != first);
    record(sandbox, "a.o", "-O1 -fno-pic");
    assert_eq!(link(sandbox).executed(), 0);
    assert!(sandbox.read("out.o") == first);
    assert_eq!(sandbox.link("-r a.o sub/b.o -o out.o").executed(), 2, "the policies share an object");
}

fn the_frontends_flags_run_none(sandbox: &Sandbox) {
    program(sandbox);
    assert_eq!(link(sandbox).executed(), 2);
    record(sandbox, "a.o", "-O1 -fno-pic -DNEW=1 -include inc/more.h -Wall -fno-strict-aliasing -fno-stack-protector");
    let stats = link(sandbox);
    assert_eq!((stats.executed(), stats.local_cache()), (0, 2), "{stats:?}");
}

/// A key saved under `arch/arm64/kvm/../../../virt/kvm/x.o`, and quotes with blanks and parentheses in them.
fn kbuilds_paths_and_quotes(sandbox: &Sandbox) {
    program(sandbox);
    sandbox.make_directory(sandbox.path("arch/kvm"));
    let text = "savedcmd_arch/kvm/../../sub/b.o := ccache clang -D'pr_fmt(fmt)=\"b$(pound): \" fmt' \
                -DKBUILD_MODFILE='\"sub/b\"' -Os -mno-sse -fno-pic -c -o sub/b.o b.c\n";
    sandbox.write("sub/.b.o.cmd", text);
    sandbox.ar("crs --thin all.a a.o arch/kvm/../../sub/b.o");
    let line = "-r --whole-archive all.a -o out.o --thindist-backend-flags=per-module";
    assert_eq!(sandbox.link(line).executed(), 2);
    assert_eq!(link(sandbox).executed(), 0);
    let absolute = format!("-r {} sub/../sub/b.o -o out.o", sandbox.path("a.o").display());
    assert_eq!(sandbox.link(&format!("{absolute} --thindist-backend-flags=per-module")).executed(), 0);
    // What 7.2 saves beside the command counts more than that.
    sandbox.write("sub/.b.o.cmd", format!("{text}saved_c_flags_sub/b.o := -O2 -fno-pic -DKBUILD_MODNAME='\"b\"'\n"));
    assert_eq!(link(sandbox).executed(), 1);
}

fn flags_from_compile_commands(sandbox: &Sandbox) {
    program(sandbox);
    assert_eq!(link(sandbox).executed(), 2);
    let entry = |object: &str, flags: &str| {
        let directory = sandbox.path("");
        let command = format!("clang '-DTEXT=\\\"a b\\\"' {flags} -c x.c -o {object}");
        format!("{{\"directory\": \"{}\", \"file\": \"x.c\", \"command\": \"{command}\"}}", directory.display())
    };
    let write = |flags: &str| {
        let entries = [entry("a.o", flags), entry("sub/../sub/b.o", "-Os -mno-sse -fno-pic")];
        sandbox.write("compile_commands.json", format!("[{}]", entries.join(",\n")));
    };
    let line = format!("{LINE} --thindist-compile-commands=compile_commands.json");
    write("-O1 -fno-pic");
    // The same flags from elsewhere.
    assert_eq!(sandbox.link(&line).executed(), 0);
    write("-O3 -fno-pic");
    assert_eq!(sandbox.link(&line).executed(), 1);
    sandbox.write("compile_commands.json", format!("[{}]", entry("a.o", "-O1")));
    sandbox.ld(&line).run().exits(1).says("sub/b.o").says("no command").says("compile_commands.json");
    sandbox.write("compile_commands.json", "{}");
    sandbox.ld(&line).run().exits(1).says("compile_commands.json");
}

fn steps_with_flags_of_their_own(sandbox: &Sandbox) {
    program(sandbox);
    let thin_link = || {
        sandbox.tool("thindist").args(&format!("thin-link --list list -- {LINE}")).ok();
        [sandbox.read("a.o.thinlto.job"), sandbox.read("sub/b.o.thinlto.job")]
    };
    let [a, b] = thin_link();
    sandbox.tool("thindist").args("backend a.o.thinlto.job sub/b.o.thinlto.job").ok();
    assert_eq!(link(sandbox).local_cache(), 2);
    record(sandbox, "a.o", "-O3 -fno-pic -DANOTHER");
    let [other, same] = thin_link();
    assert!(a != other && b == same);
}

fn a_file_of_which_nothing_is_recorded(sandbox: &Sandbox) {
    program(sandbox);
    std::fs::remove_file(sandbox.path("sub/.b.o.cmd")).unwrap();
    sandbox.ld(LINE).run().exits(1).says("sub/.b.o.cmd").says("hint: ");
    sandbox.ar("crs all.a a.o sub/b.o");
    let line = "-r --whole-archive all.a -o out.o --thindist-backend-flags=per-module";
    sandbox.ld(line).run().exits(1).says("all.a(a.o)").says("thin archive");
    assert!(!sandbox.path("out.o").exists());
}

fn records_that_do_not_fit(sandbox: &Sandbox) {
    program(sandbox);
    let refused = |flags: &str, what: &str| {
        record(sandbox, "sub/b.o", flags);
        sandbox.ld(LINE).run().exits(1).says("sub/b.o").says(what).says("sub/.b.o.cmd");
    };
    refused("-O2 -fno-such-flag", "-fno-such-flag");
    refused("--target=aarch64-linux-gnu -O2", "aarch64-linux-gnu");
    refused("-O2 -fbasic-block-sections=list=clusters", "clusters");
    refused("-O2 -mllvm -load=plugin.so", "-load=plugin.so");
    refused("-D$(NAME) -O2", "make");
    refused("-D`date` -O2", "shell");
    sandbox.write("sub/.b.o.cmd", "savedcmd_lib/other.o := clang -O2 -c -o lib/other.o other.c\n");
    sandbox.ld(LINE).run().exits(1).says("sub/b.o").says("lib/other.o");
    // clang knows which flags of the target there are.
    record(sandbox, "sub/b.o", "-mno-such-feature -O2");
    sandbox.ld(LINE).run().exits(1).says("sub/b.o").says("-mno-such-feature");
    assert!(!sandbox.path("out.o").exists());
}

fn it_is_not_what_in_process_does(sandbox: &Sandbox) {
    program(sandbox);
    sandbox.verify(LINE).run().exits(2).says("own flags").says("THINDIST_BACKEND_FLAGS");
    sandbox.ld(&format!("{LINE} --lto-O1")).ok().says("linking in-process without each file's own flags");
    let run = sandbox.ld("-r a.o -o out.o").env("THINDIST_BACKEND_FLAGS", "file").run();
    run.exits(1).says("THINDIST_BACKEND_FLAGS=file").says("`per-module`");
}
