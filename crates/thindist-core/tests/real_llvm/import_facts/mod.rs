//! Edits of an imported module, compiled by real compilers: the importer's native object changes only if what it
//! imports changes.
//!
//! Each edit is a value of K in the sources beside this file. The rule that must hold for each is one of soundness: where
//! the description is as it was, so is the native object. For edits of what is not imported the description must stay.

use crate::tools::{Random, Scratch, VERSIONS};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use thindist_core::action_files::{INDEX_NAME, MODULE_NAME, import_name};
use thindist_core::bitcode;
use thindist_core::import_facts::{self, Met, Part};
use thindist_core::index::promoted_names::PromotedNames;
use thindist_core::index::{self, ModuleName, NewHash};

/// From this value of K on an edit is of what is not imported.
const UNSEEN: u32 = 100;

/// One language's importer and imported module.
struct Pair {
    extension: &'static str,
    sources: [&'static str; 2],
    promoted: PromotedNames,
    /// Definitions that are imported, at least.
    least: usize,
    seen: std::ops::RangeInclusive<u32>,
    unseen: std::ops::RangeInclusive<u32>,
}

const C: Pair = Pair {
    extension: "c",
    sources: [include_str!("importer.c"), include_str!("imported.c")],
    promoted: PromotedNames::Hash,
    least: 22,
    seen: 1..=38,
    unseen: UNSEEN..=105,
};
const CPP: Pair = Pair {
    extension: "cpp",
    sources: [include_str!("importer.cpp"), include_str!("imported.cpp")],
    promoted: PromotedNames::Hash,
    least: 4,
    seen: 1..=6,
    unseen: UNSEEN..=101,
};

/// Local values of every kind, reached from what is imported and not: static variables that are written, only read and
/// constant, strings, functions.
const LOCALS: Pair = Pair {
    extension: "c",
    sources: [include_str!("importer_locals.c"), include_str!("imported_locals.c")],
    promoted: PromotedNames::Stable,
    least: 8,
    seen: 1..=16,
    unseen: UNSEEN..=104,
};

/// What one edit gives.
#[derive(PartialEq)]
struct Seen {
    part: Option<Part>,
    native: Vec<u8>,
}

/// Compiles the pair with the edit `k`, links it thin and runs the importer's backend as the plan would.
fn build(version: u32, pair: &Pair, flags: &str, k: u32) -> Seen {
    let scratch = Scratch::new("import-facts");
    for (name, text) in ["importer", "imported"].iter().zip(pair.sources) {
        let source = format!("{name}.{}", pair.extension);
        scratch.write(&source, text);
        scratch.run(&format!("clang-{version} -O2 {flags} -flto=thin -DK={k} -c {source} -o {name}.o"));
    }
    scratch.run(&format!(
        "ld.lld-{version} -shared -o out.so importer.o imported.o --thinlto-index-only=list -mllvm -import-instr-limit=200"
    ));
    let bytes = scratch.read("importer.o.thinlto.bc");
    let imported = index::read(&bytes).unwrap().modules.into_iter().find(|module| module.identifier == "imported.o");
    let definitions = imported.expect("nothing is imported").definitions.expect("an unknown summary");
    assert!(definitions.len() >= pair.least, "LLVM {version}: only {} definitions are imported", definitions.len());
    let part = part(&scratch.read("importer.o"), &scratch.read("imported.o"), &definitions, pair.promoted);
    let native = backend(version, &scratch, &bytes, new_hash(pair.promoted, part.is_some()));
    Seen { part, native }
}

/// What the importer takes of these definitions, as the plan has it.
fn part(importer: &[u8], imported: &[u8], definitions: &BTreeSet<u64>, promoted: PromotedNames) -> Option<Part> {
    let facts = import_facts::read(imported)?;
    let own = bitcode::read_module(importer).unwrap().variables;
    facts.imported(definitions, promoted, &Met::of(&own, std::iter::once((Some(&facts), Some(definitions)))))
}

/// As the plan gives it to an imported module.
fn new_hash(promoted: PromotedNames, in_part: bool) -> NewHash {
    match promoted {
        PromotedNames::Stable => NewHash::Replaced([1, 2, 3, 4, 5]),
        PromotedNames::Hash if in_part => NewHash::LeftOut,
        PromotedNames::Hash => NewHash::Kept,
    }
}

fn backend(version: u32, link: &Scratch, index: &[u8], hash: NewHash) -> Vec<u8> {
    try_backend(version, link, index, hash).expect("the backend failed")
}

fn try_backend(version: u32, link: &Scratch, index: &[u8], hash: NewHash) -> Option<Vec<u8>> {
    let root = Scratch::new("import-facts-root");
    let names = BTreeMap::from([
        ("importer.o", ModuleName::with_hash(MODULE_NAME)),
        ("imported.o", ModuleName { name: import_name(0), hash }),
    ]);
    for (identifier, name) in &names {
        fs::copy(link.path(identifier), root.path(&name.name)).unwrap();
    }
    let renamed = index::rename_modules(index, &|name| names.get(name).cloned()).unwrap();
    fs::write(root.path(INDEX_NAME), renamed).unwrap();
    let line = format!("clang-{version} -O2 -fPIC -c -x ir {MODULE_NAME} -fthinlto-index={INDEX_NAME} -o native.o");
    root.succeeds(&line).then(|| root.read("native.o"))
}

fn check(version: u32, pair: &Pair, flags: &str) {
    let (base, what) = (build(version, pair, flags, 0), format!("LLVM {version}, {} {flags}", pair.extension));
    assert!(base.part.is_some(), "{what}: the import is not described");
    let mut changed = 0;
    for k in pair.seen.clone() {
        let edited = build(version, pair, flags, k);
        assert!(
            edited.part.is_none() || edited.part != base.part || edited.native == base.native,
            "{what}: edit {k} changes the native object and not the description"
        );
        changed += u32::from(edited.native != base.native);
    }
    // An edit that changes no object would show nothing above; a few may well be folded away.
    assert!(changed * 10 >= pair.seen.end() * 8, "{what}: only {changed} of {} edits matter", pair.seen.end());
    for k in pair.unseen.clone() {
        let edited = build(version, pair, flags, k);
        assert!(edited.part == base.part, "{what}: edit {k} is of what is not imported, and changes the description");
        assert!(edited.native == base.native, "{what}: edit {k} changes the native object all the same");
    }
}

#[test]
fn edits_of_c() {
    for version in VERSIONS {
        check(version, &C, "");
    }
}

#[test]
fn edits_of_c_as_the_kernel_is_compiled() {
    for version in VERSIONS {
        check(version, &C, "-fno-strict-aliasing -fno-discard-value-names -fcf-protection=branch -mno-red-zone");
    }
}

#[test]
fn edits_of_cpp() {
    for version in VERSIONS {
        check(version, &CPP, "-fPIC");
    }
}

#[test]
fn edits_of_local_values_under_stable_names() {
    for version in VERSIONS {
        check(version, &LOCALS, "");
        check(version, &LOCALS, "-fPIC -fno-strict-aliasing -fno-discard-value-names");
    }
}

/// Module assembly may define symbols, and is assembled at an import: it counts whole. So do the names of structures: LLVM
/// maps those of two modules to each other by name and by what they contain, so one more may give another mapping.
#[test]
fn module_assembly_and_names_of_structures_count() {
    for version in VERSIONS {
        let base = build(version, &C, "", 0).part;
        assert!(base != build(version, &C, "", 106).part);
        assert!(base != build(version, &C, "", 107).part);
    }
}

/// With debug information the description is that of the code. Where it is as it was, and the object shows nothing else of the
/// imported module, the object is as it was.
#[test]
fn debug_information_counts_where_it_shows() {
    for version in VERSIONS {
        for flags in ["-g", "-g1"] {
            check_debug(version, flags);
        }
    }
}

fn check_debug(version: u32, flags: &str) {
    // Each edit is made in a directory of its own.
    let (what, flags) = (format!("LLVM {version}, {flags}"), &format!("{flags} -ffile-compilation-dir=/source"));
    let pair = |imported| Pair { sources: [include_str!("importer_debug.c"), imported], least: 3, ..C };
    let pair = pair(include_str!("imported_debug.c"));
    let base = build(version, &pair, flags, 0);
    let part = base.part.clone().unwrap_or_else(|| panic!("{what}: the import is not described"));
    let traces = part.debug.clone().unwrap_or_else(|| panic!("{what}: there is no debug information"));
    assert_eq!(traces.unit, "imported.c", "{what}");
    assert_eq!(import_facts::shown(&base.native, [Some(&traces)]), Some([].into()), "{what}: nothing is inlined");
    for k in 1..=9 {
        let edited = build(version, &pair, flags, k);
        let edited_part = edited.part.expect("the import is not described");
        assert_eq!(edited_part.digest, part.digest, "{what}: edit {k} is of debug information alone");
        assert!(edited.native == base.native, "{what}: edit {k} shows in the object");
    }
    let inlined = build(version, &pair, &format!("{flags} -DINLINED"), 0);
    let traces = inlined.part.and_then(|part| part.debug).expect("there is debug information");
    assert_eq!(import_facts::shown(&inlined.native, [Some(&traces)]), Some([0].into()), "{what}: it is inlined");
}

/// LLVM makes one type of those of two modules by their identifiers, which C++ has.
#[test]
fn types_with_identifiers_are_not_left_out() {
    for version in VERSIONS {
        assert!(build(version, &CPP, "-g -fPIC", 0).part.is_none());
    }
}

/// LLVM puts the importer's own variables where the imported module names them, if it does: an edit of what is not imported.
#[test]
fn an_imported_module_that_names_a_variable_of_the_importer_is_seen() {
    let imported = "extern int first, second; int next(int x) { return x * 3 + 1; }\n\
        #if K == 1\nint *nobodys(void) { return &first; }\n#elif K == 2\nint *nobodys(int x) { return x ? &second : &first; }\n\
        #elif K == 3\nextern int third; int *nobodys(void) { return &third; }\n#endif\n";
    let importer = "int first = 1, second = 2, next(int); int importer(int x) { return next(x) + first + second; }";
    let pair = Pair { sources: [importer, imported], least: 1, ..C };
    for version in VERSIONS {
        let of = |k| build(version, &pair, "-fdata-sections", k);
        let base = of(0);
        for k in [1, 2] {
            let edited = of(k);
            assert!(edited.native != base.native, "LLVM {version}: edit {k} makes no difference");
            assert!(edited.part.is_some() && edited.part != base.part, "LLVM {version}: edit {k} is not seen");
        }
        let of_another = of(3);
        assert!(of_another.native == base.native && of_another.part == base.part, "LLVM {version}: nobody has it");
    }
}

/// A promoted local value has the module's hash in its name.
#[test]
fn who_reaches_a_local_value_depends_on_the_whole_module() {
    let imported = "static int count; int next(void) { return ++count; } int *where(void) { return &count; }";
    let sources = ["int next(void); int importer(void) { return next(); }", imported];
    for version in VERSIONS {
        assert!(build(version, &Pair { sources, least: 1, ..C }, "", 0).part.is_none());
        let stable = Pair { sources, least: 1, promoted: PromotedNames::Stable, ..C };
        assert!(build(version, &stable, "", 0).part.is_some());
    }
}

/// Two definitions whose bodies name both: what each is does not follow from what they contain.
#[test]
fn definitions_that_change_places_are_seen() {
    let imported = "#if K\n#define PICK(x, y) y\n#else\n#define PICK(x, y) x\n#endif\n\
        struct link { int number; const struct link *a, *b; }; extern const struct link one, two;\n\
        const struct link PICK(one, two) = { 1, &one, &two }; const struct link PICK(two, one) = { 2, &one, &two };";
    let importer = "struct link { int number; const struct link *a, *b; }; extern const struct link one, two;\n\
        int importer(void) { return one.number * 10 + two.number; }";
    let pair = Pair { sources: [importer, imported], least: 2, ..C };
    for version in VERSIONS {
        let [base, edited] = [build(version, &pair, "", 0), build(version, &pair, "", 1)];
        assert!(base.native != edited.native, "LLVM {version}: the edit makes no difference");
        assert!(base.part.is_some() && base.part != edited.part, "LLVM {version}: the exchange is not seen");
    }
}

/// One bit flipped in an imported module: its description changes, or is given up, or the importer's object stays.
#[test]
fn flipped_bits_are_seen() {
    let imported = "int out(int, ...); int next(int x) { return x > 7 ? out(x * 3, 2.5) : x << 4; }";
    let pair =
        Pair { sources: ["int next(int); int importer(int x) { return next(x) + 1; }", imported], least: 1, ..C };
    for version in VERSIONS {
        flip_bits(version, &pair);
    }
}

fn flip_bits(version: u32, pair: &Pair) {
    let scratch = Scratch::new("flipped");
    for (name, text) in ["importer.c", "imported.c"].iter().zip(pair.sources) {
        scratch.write(name, text);
        scratch.run(&format!("clang-{version} -O2 -flto=thin -c {name}"));
    }
    scratch.run(&format!("ld.lld-{version} -shared -o out.so importer.o imported.o --thinlto-index-only=list"));
    let bytes = scratch.read("importer.o.thinlto.bc");
    let modules = index::read(&bytes).unwrap().modules;
    let definitions =
        modules.into_iter().find(|module| module.identifier == "imported.o").unwrap().definitions.unwrap();
    let sound = scratch.read("imported.o");
    let importer = scratch.read("importer.o");
    let part = |imported: &[u8]| part(&importer, imported, &definitions, pair.promoted);
    let base = part(&sound).expect("the import is not described");
    let native = backend(version, &scratch, &bytes, NewHash::LeftOut);
    let mut random = Random(u64::from(version));
    let mut same = 0;
    for _ in 0..400 {
        let mut flipped = sound.clone();
        flipped[random.below(sound.len())] ^= 1 << random.below(8);
        if part(&flipped).as_ref() != Some(&base) {
            continue;
        }
        fs::write(scratch.path("imported.o"), &flipped).unwrap();
        // A compiler that refuses the module makes no object that could be wrong, even where it ends with success.
        let made = try_backend(version, &scratch, &bytes, NewHash::LeftOut).filter(|made| made.starts_with(b"\x7fELF"));
        let Some(made) = made else { continue };
        same += 1;
        assert!(made == native, "LLVM {version}: a flipped bit changes the native object and not the description");
    }
    assert!(same > 10, "LLVM {version}: only {same} flipped bits were without effect");
}
