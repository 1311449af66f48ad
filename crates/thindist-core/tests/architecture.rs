//! Rules of ARCHITECTURE.md that a compiler does not check.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

/// What the core must not name, and who may.
const FORBIDDEN: &[(&str, &str)] = &[
    ("std::fs", "read files in crates/thindist and hand the bytes in"),
    ("std::env", "read settings in crates/thindist-engine/src/settings/mod.rs"),
    ("std::process", "run tools in crates/thindist-exec/src/run/process.rs"),
    ("std::net", "remote engines belong into crates/thindist-exec"),
    ("std::thread", "threads belong to whoever has many inputs: crates/thindist"),
    ("std::time", "measure in crates/thindist-engine/src/session/stats.rs"),
    ("HashMap", "its order differs from run to run; take a BTreeMap"),
    ("HashSet", "its order differs from run to run; take a BTreeSet"),
];

#[test]
fn the_core_does_no_io_and_has_one_order() {
    let mut files = 0;
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files > 15, "only {files} files were checked");
}

fn check(directory: &Path, files: &mut usize) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            check(&path, files);
            continue;
        }
        *files += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        for (name, instead) in FORBIDDEN {
            let line = text.lines().position(|line| line.contains(name) && !line.trim_start().starts_with("//"));
            if let Some(line) = line {
                panic!("{}:{}: `{name}` in the core: {instead}", path.display(), line + 1);
            }
        }
    }
}
