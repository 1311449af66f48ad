//! From a seed to a link.

use std::collections::BTreeSet;

use crate::host::random::Random;

use super::scenario::{Form, Kind, Object, Scenario, Symbol, Visibility, Word};

/// Few names, so that objects meet.
const NAMES: usize = 9;

/// One of them for each output.
const OUTPUTS: &[&str] = &["", "", "-pie", "-shared", "-shared -soname out", "-r", "-static", "-shared -Bsymbolic"];

/// The output under another name, in another spelling, or under that which lld has for it.
const OTHER_NAMES: &[&str] = &["", "-o -", "--output=other", "-ojoined"];

const OPTIONS: &[&str] = &[
    "--gc-sections",
    "-m elf_x86_64",
    "--icf=all",
    "-z muldefs",
    "--exclude-libs ALL",
    "--version-script=versions",
    "-Map=map",
    "--trace",
    "-y s1",
    "-y s2",
    "--cref",
    "-u s3",
    "-u s0",
    "--undefined-glob s*",
    "--wrap s2",
    "--wrap s0",
    "--defsym x=s1",
    "--defsym s4=7",
    "--as-needed",
    "--whole-archive",
    "--start-group --end-group",
    "--export-dynamic",
    "--no-undefined",
    "--build-id",
    "--hash-style=gnu",
    "-z now",
    "-s",
    "--strip-debug",
    "--emit-relocs",
    "--lto-O0",
    "--lto-O3",
    "--thinlto-jobs=1",
    "--print-gc-sections",
    "--why-extract=why",
    "--dynamic-list=dynamic",
    "--symbol-ordering-file=order",
    "--fatal-warnings",
    "--sort-section=name",
    "-T script",
    "assigns.t",
    "-n",
    "-N",
    "--dependency-file=deps",
    "--warn-backrefs",
    "--print-archive-stats=stats",
    "--retain-symbols-file=retain",
    "--export-dynamic-symbol s1",
    "--no-gnu-unique",
    "-z noexecstack",
    "--verbose",
    "--print-map",
    "--just-symbols=symbols.o",
    "--unresolved-symbols=ignore-all",
    "--noinhibit-exec",
    "--error-limit=0",
    "--no-allow-shlib-undefined",
    "--lto-whole-program-visibility",
    "--lto-emit-asm",
    "--save-temps",
    "--opt-remarks-filename remarks",
    "--no-demangle",
    "--no-dynamic-linker",
    "--thinlto-cache-dir=cache",
    "-mllvm -enable-import-metadata",
    "-mllvm -import-instr-limit=0",
    "-plugin-opt=-function-sections=1",
    "--threads=1",
    "--lto-obj-path=object",
    "--discard-all",
    "--no-whole-archive",
    "-e s0",
    "--init=s1",
    "--fini=s2",
    "--pack-dyn-relocs=relr",
    "--compress-debug-sections=zlib",
    "--reproduce=repro.tar",
    "--no-relax",
    "-Bstatic",
    "--no-undefined-version",
    "-O2",
];

/// The link of a seed.
pub(crate) fn scenario(seed: u64) -> Scenario {
    let mut random = Random::of(seed);
    let mut line = Vec::new();
    let mut objects = 0;
    let output = random.pick(OUTPUTS);
    if !output.is_empty() {
        line.push(Word::Option(output.to_owned()));
    }
    let inputs = 2 + random.below(5);
    // At least one is bitcode, or there is nothing to see.
    let bitcode = random.below(inputs);
    for number in 0..inputs {
        line.push(input(&mut random, &mut objects, number == bitcode, number == 0));
    }
    settle(&mut random, &mut line);
    for _ in 0..random.below(4) {
        let option = random.pick(OPTIONS);
        let at = random.below(line.len() + 1);
        line.insert(at, Word::Option(option.to_owned()));
    }
    let edited = random.below(objects);
    // Of twenty links four do not say `-o out`.
    let name = random.below(20);
    if let Some(option) = OTHER_NAMES.get(name) {
        line.extend((!option.is_empty()).then(|| Word::Option((*option).to_owned())));
        return Scenario { line, texts: texts(), edited, names_output: false };
    }
    Scenario { line, texts: texts(), edited, names_output: true }
}

/// Most links are to succeed: a second strong definition becomes a reference, and what is named and defined nowhere is
/// defined by some object, three times of four.
fn settle(random: &mut Random, line: &mut [Word]) {
    let mut defined: BTreeSet<String> = BTreeSet::new();
    let mut named: BTreeSet<String> = BTreeSet::new();
    for object in line.iter_mut().filter(|word| !matches!(word, Word::Shared { .. })).flat_map(Word::objects_mut) {
        for symbol in &mut object.symbols {
            let is_strong = matches!(symbol.form, Form::Function | Form::Variable | Form::InSection);
            if is_strong && !defined.insert(symbol.name.clone()) && !random.one_in(12) {
                (symbol.form, symbol.visibility) = (Form::Called, Visibility::Default);
            }
            if symbol.form.is_definition() {
                defined.insert(symbol.name.clone());
            } else {
                named.insert(symbol.name.clone());
            }
        }
    }
    let open: Vec<String> = named.difference(&defined).filter(|name| name.starts_with('s')).cloned().collect();
    for name in open {
        let objects: Vec<&mut Object> = line.iter_mut().flat_map(Word::objects_mut).collect();
        let at = random.below(objects.len());
        if let Some(object) = objects.into_iter().nth(at)
            && object.symbols.iter().all(|symbol| symbol.name != name)
            && !random.one_in(4)
        {
            object.symbols.push(Symbol { name, form: Form::Function, visibility: Visibility::Default });
        }
    }
}

fn input(random: &mut Random, objects: &mut usize, bitcode: bool, first: bool) -> Word {
    let several = |random: &mut Random, objects: &mut usize| {
        (0..1 + random.below(3)).map(|_| object(random, objects, false, false)).collect::<Vec<_>>()
    };
    if bitcode || first {
        return Word::Object(object(random, objects, bitcode, first));
    }
    match random.below(10) {
        0..5 => Word::Object(object(random, objects, false, false)),
        5 | 6 => Word::Archive { thin: random.one_in(2), members: several(random, objects) },
        7 => Word::Lib(several(random, objects)),
        _ => {
            let mut object = object(random, objects, false, false);
            object.kind = Kind::Native;
            Word::Shared { soname: random.one_in(2), versioned: random.one_in(4), object }
        }
    }
}

fn object(random: &mut Random, objects: &mut usize, bitcode: bool, first: bool) -> Object {
    let kind = match random.below(8) {
        _ if bitcode => Kind::Thin,
        0..4 => Kind::Thin,
        4 => Kind::Regular,
        _ => Kind::Native,
    };
    let name = format!("o{objects}");
    *objects += 1;
    let mut symbols = Vec::new();
    if first {
        symbols.push(Symbol { name: "_start".to_owned(), form: Form::Function, visibility: Visibility::Default });
    }
    for _ in 0..1 + random.below(4) {
        let symbol = symbol(random);
        if symbols.iter().all(|known: &Symbol| known.name != symbol.name) {
            symbols.push(symbol);
        }
    }
    Object { name, kind, symbols }
}

fn symbol(random: &mut Random) -> Symbol {
    let form = match random.below(20) {
        0..4 => Form::Function,
        4 | 5 => Form::WeakFunction,
        6 => Form::Inline,
        7 | 8 => Form::Variable,
        9 => Form::Common,
        10 => Form::InSection,
        11..17 => Form::Called,
        17 => Form::WeaklyCalled,
        _ => Form::CalledByDropped,
    };
    let visibility = match random.below(8) {
        0 if form.is_definition() => Visibility::Hidden,
        1 if form.is_definition() => Visibility::Protected,
        _ => Visibility::Default,
    };
    let special = ["_end", "__start_sec", "__stop_sec", "__bss_start", "etext"];
    let name = match form {
        Form::Called | Form::WeaklyCalled | Form::CalledByDropped if random.one_in(12) => {
            random.pick(&special).to_owned()
        }
        _ => format!("s{}", random.below(NAMES)),
    };
    Symbol { name, form, visibility }
}

/// What options name.
fn texts() -> Vec<(String, String)> {
    let texts = [
        ("versions", "V1 { global: s1; s2; local: s3; };\n"),
        ("dynamic", "{ s1; s4; };\n"),
        ("order", "s2\ns1\nnone\n"),
        ("retain", "s1\ns2\n"),
        ("script", "SECTIONS { .text : { *(.text .text.*) } PROVIDE(s5 = .); }\n"),
        ("assigns.t", "s6 = 1;\n"),
    ];
    texts.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_link_for_ever() {
        assert_eq!(scenario(7), scenario(7));
        assert_ne!(scenario(7), scenario(8));
    }

    #[test]
    fn every_link_has_bitcode() {
        for seed in 0..200 {
            assert!(scenario(seed).objects().any(|object| object.kind == Kind::Thin), "seed {seed}");
        }
    }
}
