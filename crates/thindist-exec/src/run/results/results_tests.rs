use super::*;
use crate::run::object_check::tests::tiny_object;
use thindist_core::import_facts::{Part, Traces};
use thindist_core::plan::action::ImportedModule;

struct Stores {
    _root: tempfile::TempDir,
    cas: Cas,
    cache: ActionCache,
}

fn stores() -> Stores {
    let root = tempfile::tempdir().unwrap();
    let (cas, cache) = (Cas::open(root.path()).unwrap(), ActionCache::open(root.path()).unwrap());
    Stores { _root: root, cas, cache }
}

impl Stores {
    fn make(&self, bytes: &[u8], stderr: &[u8]) -> NativeObject {
        NativeObject {
            digest: self.cas.put_bytes(bytes).unwrap(),
            side: Box::default(),
            stderr: stderr.to_vec(),
            from: Origin::Executed,
            estimate: None,
            times: Box::default(),
        }
    }

    fn keep(&self, action: &Action, made: &NativeObject) {
        keep(&self.cas, &self.cache, action, made).unwrap();
    }

    fn found(&self, action: &Action) -> Option<Digest> {
        find(&self.cas, &self.cache, action).map(|native| native.digest)
    }
}

/// An action that takes the same code out of `slab.c` and `fork.c`, whose contents are these otherwise.
fn action(contents: [&str; 2]) -> Action {
    let digest = Digest::of(b"");
    let import = |(unit, content): (&str, &str)| ImportedModule {
        bitcode: Digest::of(content.as_bytes()),
        part: Some(Part {
            digest: Digest::of(unit.as_bytes()),
            debug: Some(Traces { unit: unit.to_owned(), declared: BTreeSet::new() }),
        }),
    };
    Action {
        compiler: digest,
        arguments: vec!["-O2".to_owned()],
        module: digest,
        index: digest,
        imports: ["slab.c", "fork.c"].into_iter().zip(contents).map(import).collect(),
        extra_inputs: Vec::new(),
        working_directory_depth: 0,
        elf_machine: 62,
    }
}

fn object(shows: &str) -> Vec<u8> {
    [tiny_object(62).as_slice(), shows.as_bytes()].concat()
}

#[test]
fn debug_information_that_does_not_show_does_not_count() {
    let stores = stores();
    let made = stores.make(&object(""), b"");
    stores.keep(&action(["one", "two"]), &made);
    assert_eq!(stores.found(&action(["one", "two"])), Some(made.digest));
    assert_eq!(stores.found(&action(["other", "yet another"])), Some(made.digest));
    // And then under its own key.
    assert!(stores.cache.get(&action(["other", "yet another"]).key()).unwrap().is_some());
}

#[test]
fn debug_information_counts_where_it_shows() {
    let stores = stores();
    let made = stores.make(&object("fork.c\0"), b"");
    stores.keep(&action(["one", "two"]), &made);
    assert_eq!(stores.found(&action(["other", "two"])), Some(made.digest), "slab.c is not shown");
    assert_eq!(stores.found(&action(["one", "other"])), None, "fork.c is");
    let next = stores.make(&object("fork.c\0edited"), b"");
    stores.keep(&action(["one", "other"]), &next);
    assert_eq!(stores.found(&action(["third", "other"])), Some(next.digest));
    assert_eq!(stores.found(&action(["third", "two"])), Some(made.digest), "both are kept");
}

#[test]
fn with_a_warning_everything_counts() {
    let stores = stores();
    let made = stores.make(&object(""), b"slab.h:3: warning: odd");
    stores.keep(&action(["one", "two"]), &made);
    assert_eq!(stores.found(&action(["one", "two"])), Some(made.digest));
    assert_eq!(stores.found(&action(["other", "two"])), None);
}

#[test]
fn what_is_forgotten_is_found_under_no_key() {
    for shows in ["", "fork.c\0"] {
        let stores = stores();
        stores.keep(&action(["one", "two"]), &stores.make(&object(shows), b""));
        forget(&stores.cache, &action(["one", "two"])).unwrap();
        assert_eq!(stores.found(&action(["one", "two"])), None);
        assert_eq!(stores.found(&action(["other", "two"])), None);
    }
}

#[test]
fn an_object_that_has_gone_is_a_miss() {
    let stores = stores();
    let made = stores.make(&object(""), b"");
    stores.keep(&action(["one", "two"]), &made);
    std::fs::remove_file(stores.cas.path(&made.digest)).unwrap();
    assert_eq!(stores.found(&action(["other", "two"])), None);
}
