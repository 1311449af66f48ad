//! Renaming the modules of an individual index does not change the native object, tested with real compilers.

use crate::tools::{Scratch, VERSIONS, compile};
use std::collections::BTreeMap;
use std::fs;
use thindist_core::action::{INDEX_NAME, MODULE_NAME, import_name};
use thindist_core::archive;
use thindist_core::index::{self, IndexError, IndexModule, ModuleName};

const SOURCES: [(&str, &str); 3] = [
    ("a.c", "int b(int); int c(void); int main(void) { return b(1) + c(); }"),
    ("b.c", "static int count; int b(int x) { count += x; return count; } int unused(void) { return count; }"),
    ("c.c", "int b(int); static int twice(int x) { return b(x) * 2; } int c(void) { return twice(3) + twice(4); }"),
];
const CODEGEN: &str = "-O2 -c -x ir -fno-pic -ffunction-sections -fdata-sections";

/// A thin link of three modules, two of them in an archive. Its members are also there under the names that lld gives
/// them, as clang opens exactly these.
fn thin_link(version: u32, name: &str) -> (Scratch, Vec<String>) {
    let scratch = Scratch::new(name);
    compile(version, &scratch, &SOURCES);
    scratch.run(&format!("llvm-ar-{version} rcsD l.a b.o c.o"));
    scratch.run(&format!(
        "ld.lld-{version} -r -o out.o a.o --whole-archive l.a --thinlto-index-only=list \
         --thinlto-emit-imports-files --lto-obj-path=reg.o --thinlto-prefix-replace=;ix/"
    ));
    let list = String::from_utf8(scratch.read("list")).unwrap();
    let modules: Vec<String> = list.lines().map(|line| line.strip_prefix("ix/").unwrap().to_owned()).collect();
    for module in &modules[1..] {
        let member = module.split_once('(').unwrap().1.split_once(' ').unwrap().0;
        fs::copy(scratch.path(member), scratch.path(module)).unwrap();
    }
    (scratch, modules)
}

/// The names of the action root, by rank in the linker's order.
fn canonical(own: &str, modules: &[IndexModule]) -> BTreeMap<String, String> {
    let mut imports: Vec<_> = modules.iter().map(|module| module.identifier.clone()).collect();
    imports.retain(|identifier| identifier != own);
    imports.sort();
    let ranked = imports.into_iter().enumerate().map(|(rank, identifier)| (identifier, import_name(rank)));
    ranked.chain([(own.to_owned(), MODULE_NAME.to_owned())]).collect()
}

fn backend(version: u32, scratch: &Scratch, module: &str, index: &str) -> Vec<u8> {
    let index = format!("-fthinlto-index={index}");
    let words = CODEGEN.split(' ').chain([module, index.as_str(), "-o", "native.o"]);
    scratch.run_words(&format!("clang-{version}"), words);
    scratch.read("native.o")
}

/// The same backend in a directory that holds nothing but its inputs under canonical names.
fn backend_in_action_root(version: u32, link: &Scratch, module: &str) -> Vec<u8> {
    let root = Scratch::new("action-root");
    let bytes = link.read(format!("ix/{module}.thinlto.bc"));
    let names = canonical(module, &index::read(&bytes).unwrap().modules);
    for (identifier, name) in &names {
        fs::copy(link.path(identifier), root.path(name)).unwrap();
    }
    let renamed =
        index::rename_modules(&bytes, &|identifier| names.get(identifier).map(ModuleName::with_hash)).unwrap();
    fs::write(root.path(INDEX_NAME), renamed).unwrap();
    backend(version, &root, MODULE_NAME, INDEX_NAME)
}

#[test]
fn objects_are_equal_with_renamed_modules() {
    for version in VERSIONS {
        let (link, modules) = thin_link(version, "equal-objects");
        assert_eq!(modules.len(), SOURCES.len());
        for module in &modules {
            let original = backend(version, &link, module, &format!("ix/{module}.thinlto.bc"));
            let renamed = backend_in_action_root(version, &link, module);
            assert!(original == renamed, "LLVM {version}: {module} has another native object after the renaming");
        }
    }
}

/// Guards the test above: without imports there would be nothing to rename.
#[test]
fn importing_matters_here() {
    for version in VERSIONS {
        let (link, modules) = thin_link(version, "imports-matter");
        fs::write(link.path("empty"), "").unwrap();
        let with_index = backend(version, &link, &modules[0], "ix/a.o.thinlto.bc");
        let without = backend(version, &link, &modules[0], "empty");
        assert!(with_index != without, "LLVM {version}: the index made no difference");
    }
}

#[test]
fn renaming_changes_names_only() {
    for version in VERSIONS {
        let (link, _) = thin_link(version, "names-only");
        let bytes = link.read("ix/a.o.thinlto.bc");
        let before = index::read(&bytes).unwrap();
        assert_eq!(before.modules.first().unwrap().identifier, "a.o");
        assert!(before.modules.len() > 1 && before.modules.iter().all(|module| module.hash != [0; 5]));
        let longer = |name: &str| Some(ModuleName::with_hash(format!("canonical/{name}")));
        let renamed = index::rename_modules(&bytes, &longer).unwrap();
        let after = index::read(&renamed).unwrap();
        for (old, new) in before.modules.iter().zip(&after.modules) {
            assert_eq!(new.identifier, format!("canonical/{}", old.identifier));
            assert_eq!((new.id, new.hash), (old.id, old.hash));
        }
        assert_eq!((after.modules.len(), after.skip, after.empty), (before.modules.len(), false, false));
        assert_eq!(renamed, index::rename_modules(&bytes, &longer).unwrap(), "equal input, equal bytes");
        let back = |name: &str| name.strip_prefix("canonical/").map(ModuleName::with_hash);
        let again = index::rename_modules(&renamed, &back).unwrap();
        assert_eq!(again, index::rename_modules(&bytes, &|name| Some(ModuleName::with_hash(name))).unwrap());
        fs::write(link.path("renamed.bc"), &renamed).unwrap();
        link.run(&format!("llvm-bcanalyzer-{version} renamed.bc"));
    }
}

#[test]
fn a_module_without_a_name_of_its_own_is_an_error() {
    let (link, _) = thin_link(22, "no-name");
    let bytes = link.read("ix/a.o.thinlto.bc");
    let error =
        index::rename_modules(&bytes, &|name| (name == "a.o").then(|| ModuleName::with_hash(MODULE_NAME))).unwrap_err();
    assert!(matches!(&error, IndexError::Unnamed(name) if name.starts_with("l.a(")), "{error}");
    let error = index::rename_modules(&bytes, &|_| Some(ModuleName::with_hash(MODULE_NAME))).unwrap_err();
    assert_eq!(error, IndexError::Ambiguous(MODULE_NAME.to_owned()));
}

/// A member that the link does not select gets an index that says so.
#[test]
fn an_unselected_member_is_skipped() {
    for version in VERSIONS {
        let scratch = Scratch::new("unselected");
        compile(version, &scratch, &SOURCES);
        scratch.run(&format!("llvm-ar-{version} rcsD l.a c.o"));
        scratch.write("only.c", "int only(void) { return 1; }");
        scratch.run(&format!("clang-{version} -O2 -flto=thin -c only.c -o only.o"));
        scratch.run(&format!("ld.lld-{version} -r -o out.o only.o l.a --thinlto-index-only=list"));
        let library = scratch.read("l.a");
        let member = archive::identifier("l.a", &archive::parse(&library).unwrap().members[0]);
        let skipped = index::read(&scratch.read(format!("{member}.thinlto.bc"))).unwrap();
        assert!(skipped.skip && !skipped.empty, "LLVM {version}: {skipped:?}");
        assert!(!index::read(&scratch.read("only.o.thinlto.bc")).unwrap().skip);
    }
}

#[test]
fn an_empty_index_stays_empty() {
    assert!(index::read(b"").unwrap().empty);
    assert_eq!(index::rename_modules(b"", &|_| None).unwrap(), b"");
}
