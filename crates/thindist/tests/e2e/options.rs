//! lld's options against the table: every option of `--help` has a row, and every carried option gives the same bytes.

use crate::on_each_llvm;
use std::collections::BTreeSet;
use testkit::{Sandbox, VERSIONS};
use thindist_core::flags::backend_flags::lld_only_mllvm;
use thindist_core::lld::link_line::options::{Role, find};

on_each_llvm!(
    every_option_of_llds_help_has_a_row,
    carried_options_give_the_same_bytes,
    options_of_the_code_generator_give_the_same_bytes,
    options_that_cannot_be_carried_fall_back_with_one_warning,
    an_option_that_nobody_knows_is_llds_to_refuse,
);

/// `--name=<value>`, `--name <value>` or `--name<value>` of a line of the help, without the value; and whether it has
/// one joined.
fn spelling(line: &str) -> Option<(&str, bool)> {
    let option = line.strip_prefix("  ").filter(|rest| rest.starts_with('-'))?.split("  ").next()?;
    let word = option.split(' ').next()?;
    let end = word.find(['<', '[', '{']).unwrap_or(word.len());
    let end = ["=glob", "=file"].iter().find_map(|literal| word.find(literal)).map_or(end, |at| at + 1);
    Some((&word[..end], end < word.len()))
}

fn every_option_of_llds_help_has_a_row(sandbox: &Sandbox) {
    let help = sandbox.lld("--help").stdout;
    let options: Vec<(&str, bool)> = help.lines().filter_map(spelling).collect();
    assert!(options.len() > 250, "only {} options were found in --help: has its format changed?", options.len());
    let mut wrong = Vec::new();
    for (name, has_value) in options {
        let sample = if has_value { format!("{name}1") } else { name.to_owned() };
        let Some(found) = find(&sample) else {
            wrong.push(format!("{sample}: no row"));
            continue;
        };
        let plain = name.trim_start_matches('-').trim_end_matches('=');
        let row = found.spec.name.trim_end_matches('=');
        if plain.trim_start_matches("no-") != row.trim_start_matches("no-") {
            wrong.push(format!("{sample}: only the row of `{}` takes it", found.spec.name));
        }
        if is_lto(plain) && !matches!(found.spec.role, Role::Lto(_)) && !plain.contains("time-trace") {
            wrong.push(format!("{sample}: an LTO option, but its row is {:?}", found.spec.role));
        }
    }
    assert!(wrong.is_empty(), "add rows to thindist_core::lld::link_line::options:\n{}", wrong.join("\n"));
}

fn is_lto(name: &str) -> bool {
    let others = ["mllvm", "save-temps", "disable-verify", "load-pass-plugin", "threads", "plugin"];
    ["lto", "opt-remarks"].iter().any(|part| name.contains(part))
        || name.starts_with("plugin-opt=")
        || others.contains(&name)
}

fn names_in(help: &str) -> BTreeSet<&str> {
    help.lines()
        .filter(|line| line.starts_with("  "))
        .filter_map(|line| line.trim_start().strip_prefix('-'))
        .filter_map(|rest| rest.trim_start_matches('-').split([' ', '=', '<']).next())
        .filter(|name| !name.is_empty())
        .collect()
}

/// What clang does not know it would refuse; what it knows would be refused here for nothing.
#[test]
fn mllvm_options_that_only_lld_knows() {
    let mut differing = BTreeSet::new();
    for llvm in VERSIONS {
        let sandbox = crate::sandbox(llvm);
        sandbox.write("a.c", "");
        let (lld, clang) = (sandbox.lld("-mllvm --help-hidden"), sandbox.clang("-mllvm --help-hidden -c a.c"));
        let only_lld = &names_in(&lld.stdout) - &names_in(&clang.stdout);
        assert!(only_lld.len() > 30, "the format of --help-hidden has changed: {only_lld:?}");
        differing.extend(only_lld.into_iter().map(str::to_owned));
    }
    // These are carried in clang's own spelling.
    assert!(["mcpu", "mattr"].into_iter().all(|name| differing.remove(name)));
    let listed: BTreeSet<String> = lld_only_mllvm().map(str::to_owned).collect();
    assert_eq!(listed, differing, "thindist_core::flags::backend_flags::LLD_ONLY_MLLVM is not what the tools say");
}

/// Loops, floating point and calls: something for every level to decide.
fn program(sandbox: &Sandbox) {
    sandbox.bitcode(&[
        (
            "a.c",
            "double scale(double, int); int table[64];\n\
             int sum(const int *p, int n) { int s = 0; for (int i = 0; i < n; i++) s += p[i] * 3; return s; }\n\
             double start(double x, int n) { for (int i = 0; i < n; i++) x = scale(x, i); return x + sum(table, n); }\n",
        ),
        (
            "b.c",
            "static int cold; double scale(double x, int i) { if (i > 100) { cold++; return x - cold; }\n\
             switch (i) { case 1: return x; case 3: return -x; case 5: return x * x; case 7: return 1; } return x * i; }\n",
        ),
    ]);
}

#[rustfmt::skip]
const CARRIED: &[&str] = &[
    "--lto-O0", "--lto-O1", "--lto-O3 --lto-CGO2", "--lto-CGO0", "--lto-CGO3 --lto-O1", "--lto-O0 --lto-CGO0", "--lto-O1 --lto-CGO1", "--lto-O2", "--lto-O3", "--lto-O3 --lto-CGO3", "-plugin-opt=O3",
    "-plugin-opt=mcpu=x86-64-v3", "-mllvm -mcpu=x86-64-v2", "-mllvm -mattr=+avx2,+fma", "-mllvm -inline-threshold=0",
    "-plugin-opt=-inline-threshold=0", "-plugin-opt=-split-machine-functions", "--lto-basic-block-sections=all", "--lto-basic-block-sections=none",
    "--lto-basic-block-sections=all --lto-unique-basic-block-section-names", "--lto-basic-block-address-map",
    "--lto-partitions=1 --disable-verify --lto-whole-program-visibility --thinlto-jobs=1",
];

fn carried_options_give_the_same_bytes(sandbox: &Sandbox) {
    program(sandbox);
    for options in CARRIED {
        sandbox.verify_identical(&format!("-r a.o b.o {options}"));
    }
    sandbox.compile("-O2 -flto=thin -funified-lto", "u.c", "int f(int); int u(int x) { return f(x); }");
    sandbox.compile("-O2 -flto=thin -funified-lto", "v.c", "int f(int x) { return x * 3; }");
    sandbox.verify_identical("-r u.o v.o --lto=thin");
    sandbox.ld("-r u.o v.o --lto=full -o full.o").ok().says("--lto=full");
}

/// Options of lld's code generator, and whether they change the output of the program below.
#[rustfmt::skip]
const OF_THE_CODE_GENERATOR: &[(&str, bool)] = &[
    ("-plugin-opt=-function-sections=1 -plugin-opt=-data-sections=0", false), ("-mllvm -function-sections=0", false),
    ("-mllvm -addrsig=0", false), ("-mllvm -unique-basic-block-section-names", false),
    ("-mllvm -basic-block-address-map", false), ("-mllvm -emulated-tls=0", false), ("-mllvm -emulated-tls", true),
    ("-plugin-opt=-emulated-tls=1", true), ("-mllvm -emulated-tls=0 -plugin-opt=-emulated-tls=1", false),
    ("-mllvm -emulated-tls=1 -plugin-opt=-emulated-tls=0", true), ("-mllvm -debugger-tune=gdb -plugin-opt=-debugger-tune=lldb", false), ("-mllvm -unique-section-names=0", true),
    ("-mllvm -stack-size-section", true), ("-plugin-opt=-debugger-tune=lldb", true), ("-mllvm -debugger-tune=sce", true),
    ("-mllvm -align-loops=32", true), ("-mllvm -force-dwarf-frame-section", true), ("-mllvm -use-ctors", true),
    ("-mllvm -code-model=medium", true), ("-mllvm -code-model=large", true), ("-mllvm -xray-function-index=0", true),
];

fn options_of_the_code_generator_give_the_same_bytes(sandbox: &Sandbox) {
    let flags = "-O2 -g -flto=thin -fxray-instrument -fxray-instruction-threshold=1";
    let text = "_Thread_local int own; int callee(int, ...); static int big[40000];\n\
        __attribute__((section(\"named\"))) int first; __attribute__((section(\"named\"))) int second;\n\
        __attribute__((constructor)) static void begin(void) { own = 3; big[7] = first; }\n\
        int run(int *p, int n) { int s = second; for (int i = 0; i < n; i++) s += callee(p[i], big[i], 1.5) * own; return s; }\n\
        int vary(int n) { int a[n]; return callee(n, a); }\n";
    sandbox.compile(flags, "a.c", text);
    sandbox.compile(
        flags,
        "b.c",
        "int state; __attribute__((nothrow)) int callee(int x, ...) { return x + ++state; }\n",
    );
    let plain = |options: &str| {
        sandbox.lld(&format!("-r a.o b.o -o plain.o {options}"));
        sandbox.read("plain.o")
    };
    let without = plain("");
    for (options, matters) in OF_THE_CODE_GENERATOR {
        assert_eq!(plain(options) != without, *matters, "{options}: a row that shows nothing");
        sandbox.verify_identical(&format!("-r a.o b.o {options}"));
    }
    sandbox.ld("-r a.o b.o -mllvm -use-ctors=perhaps -o out.o").run().says("neither true nor false");
}

/// The options, and how the warning names the one that is to blame.
const REFUSED: &[(&str, &str)] = &[
    ("--lto-O1 --opt-remarks-filename r", "--lto-O1"),
    ("--lto-partitions=2", "--lto-partitions=2"),
    ("-mllvm -stackrealign", "-mllvm -stackrealign"),
    ("-mllvm -relocation-model=static", "-mllvm -relocation-model=static"),
    ("-plugin-opt=mcpu=native", "mcpu=native"),
    ("--lto-newpm-passes=default<O1>", "--lto-newpm-passes=default<O1>"),
];

fn options_that_cannot_be_carried_fall_back_with_one_warning(sandbox: &Sandbox) {
    program(sandbox);
    for (options, name) in REFUSED {
        sandbox.write("never.o", "as it was");
        let line = format!("-r a.o b.o {options}");
        let never = sandbox.ld(&line).args("-o never.o").env("THINDIST_FALLBACK", "never");
        never.run().exits(1).says("thindist: error: ").says(name).says("thindist: hint: ");
        assert_eq!(sandbox.read("never.o"), b"as it was", "{options}");
        let run = sandbox.ld(&line).args("-o ours.o").ok().says(name);
        assert_eq!((run.lines_with("thindist: "), run.lines_with("thindist: warning: ")), (1, 1), "{run}");
        sandbox.lld(&format!("{line} -o theirs.o"));
        assert_eq!(sandbox.read("ours.o"), sandbox.read("theirs.o"), "{options}");
    }
    assert_eq!(sandbox.action_results(), 0, "what cannot be carried was stored");
}

fn an_option_that_nobody_knows_is_llds_to_refuse(sandbox: &Sandbox) {
    program(sandbox);
    let line = "-r a.o b.o -o none.o --lto-frobnicate=1";
    let run = sandbox.ld(line).run().exits(1).says("unknown argument");
    assert_eq!(run.lines_with("thindist: warning: --lto-frobnicate=1 "), 1, "{run}");
    let run = sandbox.ld(line).env("THINDIST_FALLBACK", "never").run().exits(1);
    assert_eq!(run.lines_with("thindist: error: --lto-frobnicate=1 "), 1, "{run}");
    assert!(!sandbox.path("none.o").exists());
}
