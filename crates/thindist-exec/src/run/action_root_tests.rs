use super::*;
use std::sync::Arc;
use thindist_core::digest::Digest;
use thindist_core::plan::action::{Action, ExtraInput, ImportedModule};

fn bytes(text: &str) -> Source {
    Source::Bytes(Arc::from(text.as_bytes()))
}

fn job(depth: u32, extras: &[&str]) -> Job {
    let digest = Digest::of(b"");
    let extra = |path: &&str| ExtraInput { path: (*path).to_owned(), digest };
    let action = Action {
        compiler: digest,
        arguments: vec![],
        module: digest,
        index: digest,
        imports: vec![ImportedModule { bitcode: digest, part: None }],
        extra_inputs: extras.iter().map(extra).collect(),
        working_directory_depth: depth,
        elf_machine: 62,
    };
    let extra_inputs = extras.iter().map(|path| bytes(path)).collect();
    let imports = vec![bytes("imported")];
    Job { action, name: "m".into(), module: bytes("module"), index: bytes("index"), imports, extra_inputs }
}

fn materialize(job: &Job) -> Result<(TempDir, ActionRoot), RootError> {
    let work = tempfile::tempdir().unwrap();
    let root = ActionRoot::materialize(job, work.path())?;
    Ok((work, root))
}

fn check_refused(depth: u32, extras: &[&str], expect: &str) {
    let message = materialize(&job(depth, extras)).unwrap_err().to_string();
    assert_eq!(message, expect);
}

#[test]
fn inputs_have_their_canonical_names() {
    let work = tempfile::tempdir().unwrap();
    let host = work.path().join("host.bc");
    fs::write(&host, "on the host").unwrap();
    let mut job = job(0, &["kernel/config_data.gz", "./a/../b/c"]);
    job.module = Source::File { path: host.clone(), stamp: None };
    let root = ActionRoot::materialize(&job, work.path()).unwrap();
    let at = |name: &str| fs::read_to_string(root.working_directory().join(name)).unwrap();
    assert_eq!(at("module.bc"), "on the host");
    assert_eq!(at("index.thinlto.bc"), "index");
    assert_eq!(at("import-000000.bc"), "imported");
    assert_eq!(at("kernel/config_data.gz"), "kernel/config_data.gz");
    assert_eq!(at("./a/../b/c"), "./a/../b/c");
    assert_eq!(fs::read_link(root.working_directory().join("module.bc")).unwrap(), host);
    let path = root.working_directory().to_owned();
    drop(root);
    assert!(!path.exists() && host.exists());
}

#[test]
fn an_extra_input_above_the_working_directory_stays_in_the_root() {
    let (work, root) = materialize(&job(2, &["../../up/two", "../one"])).unwrap();
    for name in ["../../up/two", "../one"] {
        let path = fs::canonicalize(root.working_directory().join(name)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), name);
        assert!(path.starts_with(fs::canonicalize(work.path()).unwrap()));
    }
}

#[test]
fn an_extra_input_that_escapes_is_named() {
    check_refused(0, &["../secret"], "the extra input ../secret is outside of the action root");
    check_refused(2, &["../a/../../../b"], "the extra input ../a/../../../b is outside of the action root");
    check_refused(1, &[".."], "the extra input .. is outside of the action root");
}

#[test]
fn an_extra_input_does_not_replace_another_file() {
    let clash = |name: &str| format!("the extra input {name} has the name of another input or of the output");
    for name in ["module.bc", "./module.thinlto-native.o", "module.bc/x", "x/../import-000000.bc"] {
        check_refused(0, &[name], &clash(name));
    }
    check_refused(0, &["a", "./a"], &clash("./a"));
}

/// A link to a directory of the host, followed, would have us write there.
#[test]
fn nothing_is_written_through_a_link() {
    let host = tempfile::tempdir().unwrap();
    let mut job = job(0, &["dir", "dir/file"]);
    job.extra_inputs[0] = Source::File { path: host.path().to_owned(), stamp: None };
    assert!(materialize(&job).is_err());
    assert_eq!(fs::read_dir(host.path()).unwrap().count(), 0);
}

#[test]
fn an_absolute_extra_input_is_read_in_place() {
    let mut job = job(0, &["/etc/hostname"]);
    assert!(materialize(&job).is_err());
    job.extra_inputs[0] = Source::File { path: "/etc/hostname".into(), stamp: None };
    assert!(materialize(&job).is_ok());
}

#[test]
fn sources_that_do_not_match_the_action_are_an_error() {
    let mut job = job(0, &[]);
    job.imports.clear();
    let message = materialize(&job).unwrap_err().to_string();
    assert_eq!(message, "internal error: imports: 1 in the action, 0 sources");
}
