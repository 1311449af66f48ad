//! The symbol table beside a module, compared with what llvm-nm prints for the same file.

use crate::tools::{Random, Scratch, VERSIONS, compile};
use thindist_core::lld::ir_symbols::{IrSymbols, read};
use thindist_core::lld::symbol_order::{Definition, Symbol, Visibility};

const C: &str = "__attribute__((visibility(\"hidden\"))) int hidden = 3; __attribute__((weak)) int weak(void) { return 1; }\n\
    extern int other(void) __attribute__((weak)); int used(void), common_one; static int local; int printf(const char *, ...);\n\
    int f(int x) { local += x; return (other ? other() : 0) + used() + printf(\"%d\", local) + weak() + hidden; }\n\
    __asm__(\".globl in_asm\\nin_asm: jmp from_asm\"); void *const alias_target = &local;\n\
    extern __typeof(f) alias_of_f __attribute__((alias(\"f\")));\n";
const CPP: &str = "template <class T> struct S { T value; virtual T get() const { return value; } static T shared; };\n\
    template <class T> T S<T>::shared; inline int &counter() { static int count; return count; }\n\
    int g() { S<int> s{}; const S<int> *p = &s; return p->get() + counter()++ + S<int>::shared; }\n";

/// llvm-nm's letter for a symbol.
fn letter(symbol: &Symbol) -> &'static str {
    match (symbol.definition, symbol.weak) {
        (Definition::Undefined, false) => "U",
        (Definition::Undefined, true) => "w",
        (Definition::Common, _) => "C",
        (Definition::Defined, false) => "T",
        (Definition::Defined, true) => "W",
    }
}

/// In the order of the table, globals only; what lies in data counts as what lies in text.
fn by_llvm(version: u32, scratch: &Scratch, object: &str) -> Vec<String> {
    let output = scratch.run(&format!("llvm-nm-{version} -p {object}"));
    let symbols = output.lines().map(|line| line.split_ascii_whitespace().rev().take(2).collect::<Vec<_>>());
    let globals = symbols.filter(|words| !matches!(words[1], "t" | "d" | "b" | "r"));
    let plain = |letter: &str| match letter {
        "D" | "B" | "R" => "T".to_owned(),
        "V" => "W".to_owned(),
        "v" => "w".to_owned(),
        letter => letter.to_owned(),
    };
    globals.map(|words| format!("{} {}", plain(words[1]), words[0])).collect()
}

fn symbols(version: u32, scratch: &Scratch, object: &str) -> IrSymbols {
    let known = read(&scratch.read(object)).unwrap_or_else(|| panic!("{object} of LLVM {version} has no table"));
    let ours: Vec<String> = known.symbols.iter().map(|symbol| format!("{} {}", letter(symbol), symbol.name)).collect();
    assert_eq!(ours, by_llvm(version, scratch, object), "LLVM {version}");
    known
}

#[test]
fn names_order_and_kinds() {
    for version in VERSIONS {
        let scratch = Scratch::new("ir-symbols");
        compile(version, &scratch, &[("a.c", C), ("b.cpp", CPP)]);
        scratch.run(&format!("clang-{version} -O2 -flto -fcommon -c a.c -o full.o"));
        scratch
            .run(&format!("clang-{version} -O2 -flto=thin -fsplit-lto-unit -fwhole-program-vtables -c b.cpp -o two.o"));
        let c = symbols(version, &scratch, "a.o");
        assert!(c.groups.is_empty() && c.symbols.len() > 8, "{c:?}");
        let hidden: Vec<&str> = c
            .symbols
            .iter()
            .filter(|symbol| symbol.visibility == Visibility::Hidden)
            .map(|it| it.name.as_str())
            .collect();
        assert_eq!(hidden, ["hidden"]);
        let common = symbols(version, &scratch, "full.o").symbols;
        assert!(common.iter().any(|symbol| symbol.definition == Definition::Common && symbol.name == "common_one"));
        let cpp = symbols(version, &scratch, "b.o");
        assert!(cpp.groups.iter().any(|group| group == "_ZN1SIiE6sharedE"), "{cpp:?}");
        symbols(version, &scratch, "two.o");
    }
}

#[test]
fn what_is_damaged_or_no_bitcode_has_none() {
    let scratch = Scratch::new("ir-symbols-damaged");
    compile(22, &scratch, &[("a.c", C)]);
    let whole = scratch.read("a.o");
    let mut random = Random(5);
    for _ in 0..2_000 {
        // Read or not, but neither a panic nor a name that is not there.
        let _ = read(&random.damage(&whole));
    }
    assert_eq!(read(b""), None);
    assert_eq!(read(&whole[..whole.len() / 2]), None);
}
