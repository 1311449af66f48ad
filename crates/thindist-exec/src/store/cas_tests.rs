use super::*;
use crate::store::maintenance::{StoreStats, stats, verify};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

struct Fixture {
    root: TempDir,
    work: TempDir,
    cas: Cas,
}

fn fixture() -> Fixture {
    let root = tempfile::tempdir().unwrap();
    let cas = Cas::open(root.path()).unwrap();
    Fixture { root, work: tempfile::tempdir().unwrap(), cas }
}

impl Fixture {
    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.work.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Changes a blob's content behind the store's back.
    fn damage(&self, digest: &Digest, content: &[u8]) {
        fs::remove_file(self.cas.path(digest)).unwrap();
        fs::write(self.cas.path(digest), content).unwrap();
    }

    fn stats(&self) -> StoreStats {
        stats(self.root.path()).unwrap()
    }
}

#[test]
fn every_way_in_comes_out_again() {
    let f = fixture();
    let bytes = f.cas.put_bytes(b"from bytes").unwrap();
    let kept = f.file("kept", b"from a file");
    let copied = f.cas.put_file(&kept).unwrap();
    let own = f.file("own", b"from an adopted file");
    let adopted = f.cas.adopt_file(&own).unwrap();
    assert_eq!(f.cas.read(&bytes).unwrap().unwrap(), b"from bytes");
    assert_eq!(f.cas.read(&copied).unwrap().unwrap(), b"from a file");
    assert_eq!(f.cas.read(&adopted).unwrap().unwrap(), b"from an adopted file");
    assert!(kept.exists() && !own.exists());
    assert_eq!(f.stats(), StoreStats { cas_blobs: 3, cas_bytes: 41, action_results: 0, tmp_files: 0 });
}

#[test]
fn the_layout_is_bazels_and_blobs_are_read_only() {
    let f = fixture();
    let digests = [f.cas.put_bytes(b"x").unwrap(), f.cas.adopt_file(&f.file("own", b"y")).unwrap()];
    for digest in digests {
        let hex = digest.hex();
        let path = f.root.path().join("cas").join(&hex[..2]).join(&hex);
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o444);
    }
}

#[test]
fn a_link_shares_the_inode_and_a_copy_does_not() {
    let f = fixture();
    let digest = f.cas.put_bytes(b"content").unwrap();
    let (link, copy) = (f.root.path().join("link"), f.root.path().join("copy"));
    assert!(f.cas.link_to(&digest, &link).unwrap());
    assert!(f.cas.copy_to(&digest, &copy).unwrap());
    let inode = |path: &Path| fs::metadata(path).unwrap().ino();
    assert_eq!(inode(&link), inode(&f.cas.path(&digest)));
    assert_ne!(inode(&copy), inode(&link));
    fs::write(&copy, b"changed").unwrap();
    assert_eq!(f.cas.read(&digest).unwrap().unwrap(), b"content");
    // Never through an existing name.
    assert!(f.cas.copy_to(&digest, &link).is_err());
    assert!(f.cas.link_to(&digest, &copy).is_err());
}

#[test]
fn absence_is_an_answer() {
    let f = fixture();
    let digest = Digest::of(b"nobody put this");
    assert_eq!(f.cas.read(&digest).unwrap(), None);
    assert!(!f.cas.link_to(&digest, &f.work.path().join("link")).unwrap());
    assert!(!f.cas.copy_to(&digest, &f.work.path().join("copy")).unwrap());
    assert!(!f.cas.contains(&digest));
}

#[test]
fn a_damaged_blob_is_removed_and_absent() {
    type Reading = fn(&Fixture, &Digest) -> bool;
    let readings: [Reading; 4] = [
        |f, digest| f.cas.read(digest).unwrap().is_some(),
        |f, digest| f.cas.link_to(digest, &f.work.path().join("link")).unwrap(),
        |f, digest| f.cas.copy_to(digest, &f.work.path().join("copy")).unwrap(),
        |f, digest| f.cas.has_good(digest).unwrap(),
    ];
    for content in [&b"tnetnoc"[..], b"", b"content and more"] {
        for reading in readings {
            let f = fixture();
            let digest = f.cas.put_bytes(b"content").unwrap();
            f.damage(&digest, content);
            assert!(!reading(&f, &digest));
            assert!(!f.cas.path(&digest).exists());
        }
    }
}

#[test]
fn putting_again_repairs_what_is_damaged_and_writes_nothing_else() {
    let f = fixture();
    let digest = f.cas.put_bytes(b"content").unwrap();
    let inode = || fs::metadata(f.cas.path(&digest)).unwrap().ino();
    let first = inode();
    f.cas.put_bytes(b"content").unwrap();
    f.cas.put_file(&f.file("kept", b"content")).unwrap();
    f.cas.adopt_file(&f.file("own", b"content")).unwrap();
    assert_eq!(inode(), first);
    f.damage(&digest, b"tnetnoc");
    f.cas.adopt_file(&f.file("own", b"content")).unwrap();
    assert_eq!(f.cas.read(&digest).unwrap().unwrap(), b"content");
}

#[test]
fn a_use_refreshes_an_old_time_only() {
    let f = fixture();
    let digest = f.cas.put_bytes(b"content").unwrap();
    let used = || fs::metadata(f.cas.path(&digest)).unwrap().modified().unwrap();
    let set = |age| {
        let time = SystemTime::now() - Duration::from_secs(age);
        File::open(f.cas.path(&digest)).unwrap().set_modified(time).unwrap();
        time
    };
    let recent = set(60);
    f.cas.read(&digest).unwrap();
    assert_eq!(used(), recent);
    let old = set(2 * 60 * 60);
    f.cas.read(&digest).unwrap();
    assert!(used() > old + Duration::from_secs(60 * 60));
}

#[test]
fn many_threads_put_and_read_one_blob() {
    let f = fixture();
    let content = vec![7; 300_000];
    let digest = Digest::of(&content);
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                // Whatever is visible is whole: a half-written blob would be removed as damaged here.
                assert!(f.cas.read(&digest).unwrap().is_none_or(|bytes| bytes == content));
                assert_eq!(f.cas.put_bytes(&content).unwrap(), digest);
                assert_eq!(f.cas.read(&digest).unwrap().as_deref(), Some(content.as_slice()));
            });
        }
    });
    assert_eq!(f.stats(), StoreStats { cas_blobs: 1, cas_bytes: 300_000, action_results: 0, tmp_files: 0 });
    assert!(verify(f.root.path(), false).unwrap().damaged.is_empty());
}

#[test]
fn errors_name_the_path() {
    let f = fixture();
    let error = f.cas.put_file(Path::new("/nonexistent/file")).unwrap_err().to_string();
    assert!(error.starts_with("cannot read /nonexistent/file: No such file"), "{error}");
}
