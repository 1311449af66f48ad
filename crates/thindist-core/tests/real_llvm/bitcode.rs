//! What is read from bitcode, compared with what LLVM's own tools print for the same files.

use crate::tools::{Random, Scratch, VERSIONS};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use thindist_core::bitcode::asm_inputs::AsmInput;
use thindist_core::bitcode::module_flags::FlagValue;
use thindist_core::bitcode::{BitcodeError, LtoKind, ModuleFacts, read_module};
use thindist_core::import_facts;
use thindist_core::index::{self, ModuleName};

const SOURCE: &str = "#include <stdarg.h>\n\
    struct pair { long a; double b; }; static struct pair zero; static const char *const names[] = {\"x\", 0};\n\
    extern int other(const char *, ...); void *volatile sink;\n\
    int f(int x) { sink = &zero; for (int i = 0; i < x; i++) other(names[0], i, (long)x << 40, 1e9); return -7; }\n\
    int g(void) { return f(3) + (int)zero.a; }\n";

fn compile(version: u32, scratch: &Scratch, source: &str, flags: &str) -> ModuleFacts {
    let name = if flags.contains("-x c++") { "in.cpp" } else { "in.c" };
    scratch.write(name, source);
    scratch.run(&format!("clang-{version} -c {name} -o in.o {flags}"));
    read_module(&scratch.read("in.o")).unwrap()
}

/// `!0 = !{…}` lines, by number.
fn nodes(text: &str) -> BTreeMap<&str, &str> {
    text.lines()
        .filter_map(|line| Some((line.split_once(" = ")?.0, line.split_once(" = !{")?.1.strip_suffix('}')?)))
        .collect()
}

/// The module flags that llvm-dis prints, one a line, sorted.
fn flags_by_llvm(version: u32, scratch: &Scratch) -> String {
    let text = scratch.run(&format!("llvm-dis-{version} in.o -o -"));
    let nodes = nodes(&text);
    let mut flags: Vec<String> =
        nodes["!llvm.module.flags"].split(", ").map(|node| flag_by_llvm(nodes[node])).collect();
    flags.sort();
    flags.concat()
}

/// `i32 8, !"PIC Level", i32 2`, of which the value may also be a string or a node.
fn flag_by_llvm(node: &str) -> String {
    let mut parts = node.splitn(3, ", ").skip(1);
    let (name, value) = (parts.next().unwrap(), parts.next().unwrap());
    let integer = value.split_once(' ').filter(|(kind, _)| kind.starts_with('i')).map(|(_, number)| number);
    let string = value.strip_prefix('!').filter(|string| string.starts_with('"'));
    format!("{} = {}\n", name.trim_matches(['!', '"']), integer.or(string).unwrap_or("other"))
}

fn flags_by_us(facts: &ModuleFacts) -> String {
    let mut text = String::new();
    for (name, value) in &facts.flags {
        match value {
            FlagValue::Number(number) => writeln!(text, "{name} = {number}"),
            FlagValue::Text(value) => writeln!(text, "{name} = {value:?}"),
            FlagValue::Other => writeln!(text, "{name} = other"),
        }
        .unwrap();
    }
    text
}

#[test]
fn module_flags_are_those_that_llvm_dis_prints() {
    let cases = [
        "-flto=thin",
        "-flto=thin -O2 -fno-pic",
        "-flto=thin -O2 -fPIC -g",
        "-flto=thin -O2 -fPIE -mcmodel=large -fcf-protection=full",
        "-flto=thin -O1 -fno-pic -mcmodel=kernel --target=x86_64-linux-gnu",
        "-flto=thin -O2 --target=riscv64-linux-gnu -mabi=lp64d -ffreestanding",
        "-flto=thin -O2 --target=aarch64-linux-gnu -mbranch-protection=standard -ffreestanding",
        "-flto -O2 -g3",
        "-x c++ -flto=thin -O2 -fsplit-lto-unit -fwhole-program-vtables -fvisibility=hidden",
        "-emit-llvm -O2",
    ];
    for version in VERSIONS {
        for flags in cases {
            let scratch = Scratch::new("flags");
            let source = SOURCE.replace("#include <stdarg.h>\n", "");
            let facts = compile(version, &scratch, &source, flags);
            assert_eq!(flags_by_us(&facts), flags_by_llvm(version, &scratch), "LLVM {version}, {flags}");
            assert!(!facts.flags.is_empty());
        }
    }
}

#[test]
fn the_head_of_a_module() {
    for version in VERSIONS {
        let scratch = Scratch::new("head");
        let flags = "-flto=thin -O2 -fno-pic -mcmodel=kernel --target=x86_64-linux-gnu";
        let facts = compile(version, &scratch, SOURCE, flags);
        assert!(facts.producer.starts_with(&format!("LLVM{version}.1.")), "{}", facts.producer);
        assert_eq!((facts.llvm_major, facts.triple.as_str()), (Some(version), "x86_64-unknown-linux-gnu"));
        assert_eq!((facts.flags.get("Code Model"), facts.pic_level), (Some(&FlagValue::Number(2)), None));
        assert_eq!((facts.target_abi, facts.has_module_asm), (None, false));
        let facts = compile(version, &scratch, SOURCE, "-flto=thin -fPIE");
        assert_eq!((facts.flags.get("Code Model"), facts.pic_level), (None, Some(2)));
        let riscv = "-flto=thin --target=riscv64-linux-gnu -mabi=lp64d -ffreestanding";
        let facts = compile(version, &scratch, "int f(void) { return 1; }", riscv);
        assert_eq!(facts.target_abi.as_deref(), Some("lp64d"));
    }
}

/// A wrapper is what Apple's tools put around bitcode.
#[test]
fn a_wrapper_changes_nothing() {
    let scratch = Scratch::new("wrapper");
    let facts = compile(22, &scratch, SOURCE, "-flto=thin -O2");
    let raw = scratch.read("in.o");
    let words = [0x0B17_C0DE, 0, 20, u32::try_from(raw.len()).unwrap(), 7];
    let head: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    assert_eq!(read_module(&[&head, raw.as_slice(), &[0; 4]].concat()), Ok(facts));
    let error = read_module(&[&head, &raw[..100]].concat()).unwrap_err().to_string();
    assert!(error.contains("the bitcode wrapper names bytes"), "{error}");
}

#[test]
fn kinds_of_lto() {
    let class = "struct A { virtual int f(); }; int A::f() { return 1; } int g(A *a) { return a->f(); }";
    for version in VERSIONS {
        let check = |source: &str, flags: &str, kind, has_regular_part| {
            let facts = compile(version, &Scratch::new("kinds"), source, flags);
            assert_eq!((facts.kind, facts.has_regular_part), (kind, has_regular_part), "LLVM {version}, {flags}");
        };
        check(SOURCE, "-flto=thin", LtoKind::Thin, false);
        check(SOURCE, "-flto", LtoKind::Regular, true);
        check(SOURCE, "-emit-llvm", LtoKind::Unsummarised, true);
        check(SOURCE, "-flto=thin -O2 -funified-lto", LtoKind::Thin, false);
        let hybrid = "-x c++ -flto=thin -O2 -fsplit-lto-unit -fwhole-program-vtables -fvisibility=hidden";
        check(class, hybrid, LtoKind::Thin, true);
    }
}

#[test]
fn files_that_assembly_names() {
    let source = "__asm__(\".section .rodata\\n\\t.incbin \\\"dir/module.gz\\\"\\n\\t.text\");\n\
        int f(int x) { __asm__ volatile(\".pushsection .x\\n.incbin \\\"b$c\\\"\\n.popsection\" : \"+r\"(x)); return x; }\n\
        int g(int x) { for (; x; x--) __asm__ volatile(\".incbin \\\"%c0\\\"\" :: \"i\"(3)); return f(x); }\n\
        int h(void) { __asm__ volatile(\".include \\\"h.s\\\"\"); __asm__ volatile(\".include \\\"h.s\\\"\"); return 0; }\n";
    for version in VERSIONS {
        let scratch = Scratch::new("asm");
        // clang assembles module asm itself, to learn which symbols it has.
        scratch.write("dir/module.gz", "");
        let facts = compile(version, &scratch, source, "-flto=thin -O2");
        let operand = AsmInput::Unresolvable { directive: ".incbin".into(), text: "\"$\"".into() };
        let incbins = ["b$c", "dir/module.gz"].map(|path| AsmInput::Incbin(path.into()));
        assert_eq!(facts.asm_inputs, [&incbins[..], &[AsmInput::Include("h.s".into()), operand]].concat());
        assert!(facts.has_module_asm);
    }
}

#[test]
fn what_is_no_bitcode_is_an_error() {
    let check = |bytes: &[u8], expect: &str| {
        let error = read_module(bytes).unwrap_err().to_string();
        assert!(error.contains(expect), "{error:?} does not say {expect:?}");
    };
    check(b"", "not bitcode");
    check(b"\x7fELF\x02\x01\x01", "not bitcode: the file begins with [7f, 45, 4c, 46]");
    check(b"BC\xc0\xde", "no module in it");
    check(
        &[b"BC\xc0\xde".as_slice(), &[0; 8]].concat(),
        "malformed at byte 4: something else than a block at top level",
    );
    let scratch = Scratch::new("no-bitcode");
    compile(22, &scratch, SOURCE, "-flto=thin -O2");
    let bytes = scratch.read("in.o");
    check(&bytes[..bytes.len() / 2], "truncated: a block at byte");
    check(&bytes[..40], "truncated");
    let renamed = index::read(&bytes).unwrap_err().to_string();
    assert!(renamed.contains("no module name block"), "{renamed}");
}

#[test]
fn a_later_epoch_is_an_error() {
    let scratch = Scratch::new("epoch");
    compile(22, &scratch, "", "-flto=thin");
    let mut bytes = scratch.read("in.o");
    // The epoch is the one bit field that can be told from the outside: flip each bit until one makes it nonzero.
    let found = (32..8 * 48).find_map(|bit: usize| {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let error = read_module(&bytes).err();
        bytes[bit / 8] ^= 1 << (bit % 8);
        error.filter(|error| matches!(error, BitcodeError::Epoch { .. }))
    });
    let error = found.expect("no bit is the epoch").to_string();
    assert!(error.contains("of producer \"LLVM22.1."), "{error}");
}

#[test]
fn damaged_bitcode_and_indexes_do_not_panic() {
    for version in VERSIONS {
        let scratch = Scratch::new("damage");
        compile(version, &scratch, SOURCE, "-flto=thin -O2 -fno-asynchronous-unwind-tables");
        scratch.run(&format!("ld.lld-{version} -r -o out.o in.o --thinlto-index-only"));
        let (bitcode, index) = (scratch.read("in.o"), scratch.read("in.o.thinlto.bc"));
        let mut random = Random(u64::from(version));
        for _ in 0..2_000 {
            let damaged = random.damage(&bitcode);
            let _ = read_module(&damaged);
            let _ = import_facts::read(&damaged);
            let damaged = random.damage(&index);
            let _ = index::read(&damaged);
            let _ = index::rename_modules(&damaged, &|name| Some(ModuleName::with_hash(format!("{name}x"))));
        }
    }
}
