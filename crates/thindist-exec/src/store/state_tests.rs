use super::*;
use std::fs;
use std::time::Duration;
use tempfile::TempDir;

struct Fixture {
    root: TempDir,
    state: State,
}

fn fixture() -> Fixture {
    let root = tempfile::tempdir().unwrap();
    let state = State::open(root.path());
    Fixture { root, state }
}

impl Fixture {
    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.root.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn digest(&self, path: &Path) -> Digest {
        self.state.digest_file(path).unwrap().0
    }

    /// Claims that the file, as it is now, has this digest.
    fn claim(&self, path: &Path, digest: Digest) {
        let stamp = FileStamp::of(path).unwrap();
        self.state.with(|database| database.remember_files(&[(path.to_owned(), FileRow { digest, stamp })]));
    }

    fn remembered(&self, path: &Path) -> bool {
        self.state.with(|database| database.files(&[path.to_owned()])).pop().flatten().is_some()
    }
}

#[test]
fn a_digest_is_of_the_content() {
    let f = fixture();
    let path = f.file("a", "content");
    assert_eq!(f.digest(&path), Digest::of(b"content"));
    f.file("a", "tnetnoc");
    assert_eq!(f.digest(&path), Digest::of(b"tnetnoc"));
}

#[test]
fn a_remembered_digest_is_used_while_the_stamp_is_the_same() {
    let f = fixture();
    let path = f.file("a", "content");
    f.claim(&path, Digest::of(b"claimed"));
    assert_eq!(f.digest(&path), Digest::from_parts(*Digest::of(b"claimed").hash(), 7));
    // Same size, mtime set back: ctime still tells.
    let mtime = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "tnetnoc").unwrap();
    File::open(&path).unwrap().set_modified(mtime - Duration::from_secs(9)).unwrap();
    assert_eq!(f.digest(&path), Digest::of(b"tnetnoc"));
}

/// What was written a moment ago can be written again without a change of its stamp.
#[test]
fn a_racy_stamp_is_not_remembered() {
    let f = fixture();
    let path = f.file("new", "content");
    f.digest(&path);
    assert!(!f.remembered(&path));
    // Setting mtime back does not help: ctime is now.
    File::open(&path).unwrap().set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    f.digest(&path);
    assert!(!f.remembered(&path));
}

#[test]
fn an_old_stamp_is_remembered() {
    let f = fixture();
    // ctime cannot be set; this file was there long before the test.
    let old = fs::canonicalize("/bin/sh").unwrap();
    let digest = f.digest(&old);
    assert!(f.remembered(&old));
    assert_eq!(f.digest(&old), digest);
}

#[test]
fn many_files_come_in_the_order_asked_for() {
    let f = fixture();
    let mut paths: Vec<_> = (0..100).map(|n| f.file(&format!("f{n}"), &n.to_string())).collect();
    paths.insert(50, f.root.path().join("missing"));
    let results = f.state.digest_files(&paths, 4);
    assert_eq!(results.len(), 101);
    assert!(results[50].as_ref().unwrap_err().to_string().contains("missing"));
    assert_eq!(results[7].as_ref().unwrap().0, Digest::of(b"7"));
    assert_eq!(results[100].as_ref().unwrap().0, Digest::of(b"99"));
    assert_eq!(results[7].as_ref().unwrap().1, FileStamp::of(&paths[7]).unwrap());
    assert!(f.state.digest_files(&[], 4).is_empty());
}

#[test]
fn facts_and_runs_are_remembered_by_the_next_link() {
    let f = fixture();
    let (known, unknown) = (Digest::of(b"known"), Digest::of(b"unknown"));
    let estimate = Estimate { duration_ms: 12, peak_rss_kib: 34 };
    f.state.remember_facts("incbin-1", &[(known, b"none".to_vec())]);
    f.state.remember_runs(&[("a.o".into(), Estimate { duration_ms: 1, peak_rss_kib: 1 }), ("a.o".into(), estimate)]);
    let next = State::open(f.root.path());
    assert_eq!(next.facts_many("incbin-1", &[unknown, known]), [None, Some(b"none".to_vec())]);
    assert_eq!(next.facts("incbin-2", &known), None);
    assert_eq!(next.estimates(&["b.o".into(), "a.o".into()]), [None, Some(estimate)]);
}

fn check_usable(state: &State) {
    state.remember_facts("k", &[(Digest::of(b"x"), b"v".to_vec())]);
    assert_eq!(state.facts("k", &Digest::of(b"x")), Some(b"v".to_vec()));
}

#[test]
fn a_file_that_is_no_database_is_moved_aside() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("state.sqlite"), "not a database, and long enough for SQLite to look at".repeat(99))
        .unwrap();
    check_usable(&State::open(root.path()));
    assert!(root.path().join("state.sqlite.damaged").exists());
}

#[test]
fn a_damaged_page_costs_what_was_remembered_and_no_more() {
    let root = tempfile::tempdir().unwrap();
    let facts: Vec<_> = (0..2000_u32).map(|n| (Digest::of(&n.to_le_bytes()), vec![1; 100])).collect();
    State::open(root.path()).remember_facts("k", &facts);
    let path = root.path().join("state.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let state = State::open(root.path());
    assert_eq!(state.facts("k", &facts[0].0), None);
    check_usable(&State::open(root.path()));
}

#[test]
fn a_state_of_another_version_is_made_anew() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("state.sqlite");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE facts(x); CREATE TABLE new(y); PRAGMA user_version = 99;").unwrap();
    drop(other);
    check_usable(&State::open(root.path()));
}

#[test]
fn without_a_database_digests_are_still_right() {
    let root = tempfile::tempdir().unwrap();
    let state = State::open(&root.path().join("missing/directory"));
    let path = root.path().join("a");
    fs::write(&path, "content").unwrap();
    assert_eq!(state.digest_file(&path).unwrap().0, Digest::of(b"content"));
    state.remember_facts("k", &[(Digest::of(b"x"), b"v".to_vec())]);
    assert_eq!(state.facts("k", &Digest::of(b"x")), None);
    assert_eq!(state.estimates(&["a".into()]), [None]);
}

#[test]
fn many_links_remember_at_once() {
    let f = fixture();
    thread::scope(|scope| {
        for number in 0..4_u8 {
            let root = f.root.path();
            scope.spawn(move || State::open(root).remember_facts("k", &[(Digest::of(&[number]), vec![number])]));
        }
    });
    let keys: Vec<_> = (0..4_u8).map(|number| Digest::of(&[number])).collect();
    assert_eq!(f.state.facts_many("k", &keys), [0, 1, 2, 3].map(|number: u8| Some(vec![number])));
}
