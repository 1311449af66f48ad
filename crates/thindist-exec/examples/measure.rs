//! Figures for the stores on this disk: `cargo run --release -p thindist-exec --example measure -- DIRECTORY`.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;
use thindist_core::digest::Digest;
use thindist_core::plan::action::Action;
use thindist_exec::{ActionCache, Cas, NativeObject, Origin, State, look_up, results};

const BLOBS: u32 = 1000;

fn main() {
    let root = PathBuf::from(std::env::args_os().nth(1).expect("a directory"));
    let _ = fs::remove_dir_all(&root);
    let blobs: Vec<_> = (0..BLOBS).map(blob).collect();
    let cas = Cas::open(&root.join("cache")).expect("a store");
    timed("put 1,000 blobs of 20 KiB, fdatasync, one thread", || put(&cas, &blobs));
    let parallel = Cas::open(&root.join("parallel")).expect("a store");
    timed("the same, two threads", || {
        let (a, b) = blobs.split_at(blobs.len() / 2);
        std::thread::scope(|scope| {
            scope.spawn(|| put(&parallel, a));
            put(&parallel, b);
        });
    });
    timed("the same without fdatasync, one thread", || put_unsynced(&root, &blobs));
    timed("put them again", || put(&cas, &blobs));
    action_cache(&root, &cas, &blobs);
    known_files(&root);
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what}: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    result
}

fn blob(number: u32) -> Vec<u8> {
    number.to_le_bytes().repeat(20 * 1024 / 4)
}

fn put(cas: &Cas, blobs: &[Vec<u8>]) {
    for blob in blobs {
        cas.put_bytes(blob).expect("room on the disk");
    }
}

fn put_unsynced(root: &Path, blobs: &[Vec<u8>]) {
    let tmp = root.join("unsynced");
    for blob in blobs {
        let hex = Digest::of(blob).hex();
        let directory = tmp.join(hex.get(..2).unwrap_or_default());
        fs::create_dir_all(&directory).expect("a directory");
        let temporary = tmp.join("blob");
        File::create_new(&temporary).and_then(|mut file| file.write_all(blob)).expect("room on the disk");
        fs::rename(temporary, directory.join(hex)).expect("a rename");
    }
}

fn action(module: &Digest) -> Action {
    Action {
        compiler: *module,
        arguments: Vec::new(),
        module: *module,
        index: *module,
        imports: Vec::new(),
        extra_inputs: Vec::new(),
        working_directory_depth: 0,
        elf_machine: 62,
    }
}

fn object(digest: &Digest) -> NativeObject {
    let (side, stderr, from) = (Box::default(), Vec::new(), Origin::Executed);
    NativeObject { digest: *digest, side, stderr, from, estimate: None, times: Box::default() }
}

fn action_cache(root: &Path, cas: &Cas, blobs: &[Vec<u8>]) {
    let cache = ActionCache::open(&root.join("cache")).expect("a store");
    let digests: Vec<_> = blobs.iter().map(|blob| Digest::of(blob)).collect();
    let actions: Vec<_> = digests.iter().map(action).collect();
    timed("put 1,000 action results", || {
        for (action, digest) in actions.iter().zip(&digests) {
            results::keep(cas, &cache, action, &object(digest)).expect("room on the disk");
        }
    });
    let actions: Vec<_> = actions.iter().collect();
    let found = timed("look 1,000 up, two threads, blobs verified", || look_up(cas, &cache, &actions, 2));
    assert!(found.iter().all(Option::is_some));
    let out = root.join("cache/out");
    fs::create_dir(&out).expect("a directory");
    timed("link 1,000, verified again", || {
        for (number, digest) in digests.iter().enumerate() {
            assert!(cas.link_to(digest, &out.join(number.to_string())).expect("a link"));
        }
    });
}

/// Files of this machine that are old enough not to be racy.
fn known_files(root: &Path) {
    let mut files = Vec::new();
    collect(Path::new("/usr/share"), &mut files);
    collect(Path::new("/usr/include"), &mut files);
    files.truncate(1100);
    drop(timed("digest_files, 1,100 unknown", || State::open(root).digest_files(&files, 2)));
    for _ in 0..3 {
        let state = timed("open the state", || State::open(root));
        timed("digest_files, 1,100 known", || state.digest_files(&files, 2));
    }
    println!("({} files)", files.len());
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&entry.path(), files),
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
}
