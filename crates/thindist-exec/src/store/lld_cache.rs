//! lld's own ThinLTO cache, kept for one link, for warm in-process links.
//!
//! ```text
//! <root>/lld/<16 hex>/llvmcache-<KEY>   written by lld under a temporary name and renamed; hard links of the CAS once harvested
//! <root>/lld/<16 hex>/known             size, times and digest of each of them after the last link; its time is that of the last use
//! ```
//!
//! lld takes what it finds there for its own and does not look at it. So before each link every file is held against `known`:
//! one with the same times is the same, and of any other the content counts. What fails is removed, and lld compiles that
//! module; so is what is not listed, because its link was killed: nobody heard what the compiler had to say of it.

use crate::store::cas::digest_path;
use crate::store::file_stamp::FileStamp;
use crate::store::state::parallel;
use crate::store::store_error::{IoContext as _, StoreError, if_present};
use crate::store::temporary::Temporary;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use thindist_core::digest::{Digest, parse_hash};
use thindist_core::lld::cache_markers::{CACHE_FILE_PREFIX, key_of_file};

/// Below a cache's root: a directory for each link.
pub(crate) const LLD_CACHES: &str = "lld";
const KNOWN: &str = "known";
/// Raised when `known` changes its meaning; an older one is as none.
const VERSION: &str = "thindist lld cache 1";

/// The private cache of one link.
#[derive(Debug)]
pub struct LldCache {
    directory: PathBuf,
    known: BTreeMap<String, Known>,
    /// Those whose digest the caller has found out since it was opened.
    hashed: BTreeMap<String, Digest>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    digest: Digest,
    stamp: FileStamp,
}

impl LldCache {
    /// Opens the cache of the link that `name` stands for, without what cannot be trusted in it.
    pub fn open(cache_root: &Path, name: &Digest) -> Result<Self, StoreError> {
        let directory = directory(cache_root, name);
        crate::store::layout::create_top(&cache_root.join(LLD_CACHES))?;
        fs::create_dir_all(&directory).on("create", &directory)?;
        let text = if_present(fs::read_to_string(directory.join(KNOWN))).on("read", &directory)?;
        let mut cache = Self { known: parse(&text.unwrap_or_default()), hashed: BTreeMap::new(), directory };
        cache.drop_untrusted()?;
        Ok(cache)
    }

    /// Whether a link has left one behind.
    #[must_use]
    pub fn is_there(cache_root: &Path, name: &Digest) -> bool {
        directory(cache_root, name).join(KNOWN).is_file()
    }

    /// For `--thinlto-cache-dir=`.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Those of its entries that were there when it was opened or noted.
    pub fn known_keys(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }

    /// Its entries, sorted.
    pub fn keys(&self) -> Result<Vec<String>, StoreError> {
        let mut keys = Vec::new();
        for entry in fs::read_dir(&self.directory).on("read", &self.directory)? {
            let name = entry.on("read", &self.directory)?.file_name();
            keys.extend(name.to_str().and_then(key_of_file).map(str::to_owned));
        }
        keys.sort_unstable();
        Ok(keys)
    }

    /// The file of an entry.
    #[must_use]
    pub fn file(&self, key: &str) -> PathBuf {
        self.directory.join(format!("{CACHE_FILE_PREFIX}{key}"))
    }

    /// Takes over the digest of an entry that the caller has hashed, so that [`Self::note`] does not have to.
    pub fn know(&mut self, key: &str, digest: Digest) {
        self.hashed.insert(key.to_owned(), digest);
    }

    /// Removes entries, so that their modules are compiled the next time.
    pub fn remove(&mut self, keys: impl IntoIterator<Item = String>) -> Result<(), StoreError> {
        for key in keys {
            crate::store::layout::remove(&self.file(&key))?;
            self.known.remove(&key);
            self.hashed.remove(&key);
        }
        Ok(())
    }

    /// Gives it another name, if it has not that one.
    pub fn rename(self, cache_root: &Path, name: &Digest) -> Result<(), StoreError> {
        let directory = directory(cache_root, name);
        if directory == self.directory {
            return Ok(());
        }
        if_present(fs::remove_dir_all(&directory)).on("remove", &directory)?;
        fs::rename(&self.directory, &directory).on("create", &directory)
    }

    /// Notes what is there now, for the next link to hold it against: what was `added` since it was opened, and what the caller has
    /// hashed, and may have linked elsewhere. Whatever else has changed that link finds out.
    pub fn note(&mut self, added: &[String]) -> Result<(), StoreError> {
        let hashed = std::mem::take(&mut self.hashed);
        for key in added.iter().chain(hashed.keys()).collect::<BTreeSet<_>>() {
            let path = self.file(key);
            let stamp = FileStamp::of(&path).on("read", &path)?;
            let digest = hashed.get(key).copied().map_or_else(|| digest_path(&path), Ok)?;
            self.known.insert(key.clone(), Known { digest, stamp });
        }
        let text = Temporary::with_bytes(&self.directory, format(&self.known).as_bytes())?;
        text.publish_unsynced(&self.directory.join(KNOWN))
    }

    fn drop_untrusted(&mut self) -> Result<(), StoreError> {
        let keys = self.keys()?;
        let mut known = BTreeMap::new();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let trusted = parallel(&keys, threads, |key| self.trusted(key));
        for (key, trusted) in keys.into_iter().zip(trusted) {
            match trusted {
                Some(entry) => drop(known.insert(key, entry)),
                None => self.remove([key])?,
            }
        }
        self.known = known;
        Ok(())
    }

    /// An entry as it is now, if its content is what was noted.
    fn trusted(&self, key: &str) -> Option<Known> {
        let known = self.known.get(key)?;
        let path = self.file(key);
        let stamp = FileStamp::of(&path).ok()?;
        let is_same = known.stamp == stamp || digest_path(&path).is_ok_and(|digest| digest == known.digest);
        is_same.then_some(Known { digest: known.digest, stamp })
    }
}

fn directory(cache_root: &Path, name: &Digest) -> PathBuf {
    let hex = name.hex();
    cache_root.join(LLD_CACHES).join(hex.get(..16).unwrap_or(&hex))
}

fn parse(text: &str) -> BTreeMap<String, Known> {
    let mut lines = text.lines();
    if lines.next() != Some(VERSION) {
        return BTreeMap::new();
    }
    lines.filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<(String, Known)> {
    let mut words = line.split(' ');
    let key = words.next()?.to_owned();
    let hash = parse_hash(words.next()?)?;
    let stamp = FileStamp {
        size: words.next()?.parse().ok()?,
        mtime_ns: words.next()?.parse().ok()?,
        ctime_ns: words.next()?.parse().ok()?,
        inode: words.next()?.parse().ok()?,
        device: words.next()?.parse().ok()?,
    };
    Some((key, Known { digest: Digest::from_parts(hash, stamp.size), stamp }))
}

fn format(known: &BTreeMap<String, Known>) -> String {
    let mut text = format!("{VERSION}\n");
    for (key, Known { digest, stamp }) in known {
        let FileStamp { size, mtime_ns, ctime_ns, inode, device } = stamp;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{key} {} {size} {mtime_ns} {ctime_ns} {inode} {device}", digest.hex());
    }
    text
}

/// One directory, as maintenance sees it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// Bytes that are in no store besides.
    pub(crate) own_bytes: u64,
    pub(crate) used: SystemTime,
}

/// Every private cache below `root`.
pub(crate) fn all(root: &Path) -> Result<Vec<Found>, StoreError> {
    use std::os::unix::fs::MetadataExt as _;
    let (mut found, root) = (Vec::new(), root.join(LLD_CACHES));
    if !root.is_dir() {
        return Ok(found);
    }
    for path in crate::store::layout::list(&root)? {
        let metadata =
            crate::store::layout::list(&path)?.into_iter().filter_map(|file| fs::symlink_metadata(file).ok());
        let own_bytes = metadata.filter(|file| file.nlink() == 1).map(|file| file.len()).sum();
        let used = fs::metadata(path.join(KNOWN)).or_else(|_| fs::metadata(&path)).and_then(|file| file.modified());
        found.push(Found { path, own_bytes, used: used.unwrap_or(SystemTime::UNIX_EPOCH) });
    }
    Ok(found)
}

/// The files of a private cache whose content is not what was noted, and how many there are in all.
pub(crate) fn damaged(directory: &Path) -> Result<(Vec<PathBuf>, u64), StoreError> {
    let text = if_present(fs::read_to_string(directory.join(KNOWN))).on("read", directory)?.unwrap_or_default();
    let known = parse(&text);
    let mut damaged = Vec::new();
    for (key, known) in &known {
        let path = directory.join(format!("{CACHE_FILE_PREFIX}{key}"));
        if path.exists() && !digest_path(&path).is_ok_and(|digest| digest == known.digest) {
            damaged.push(path);
        }
    }
    Ok((damaged, known.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::object_check::tests::tiny_object;

    const KEY: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

    fn fixture() -> (tempfile::TempDir, impl Fn() -> LldCache) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().to_owned();
        (root, move || LldCache::open(&path, &Digest::of(b"a link")).unwrap())
    }

    #[test]
    fn what_was_noted_and_is_the_same_stays() {
        let (_root, open) = fixture();
        let mut cache = open();
        fs::write(cache.file(KEY), tiny_object(62)).unwrap();
        cache.note(&[KEY.to_owned()]).unwrap();
        assert_eq!(open().keys().unwrap(), [KEY]);
        // Another time, the same content: a hard link was made of it.
        fs::hard_link(cache.file(KEY), cache.directory().join("other")).unwrap();
        assert_eq!(open().known[KEY].digest, Digest::of(&tiny_object(62)));
        assert_eq!(open().keys().unwrap(), [KEY]);
    }

    #[test]
    fn a_damaged_entry_is_as_none() {
        let (_root, open) = fixture();
        let mut cache = open();
        fs::write(cache.file(KEY), tiny_object(62)).unwrap();
        cache.note(&[KEY.to_owned()]).unwrap();
        let mut damaged = tiny_object(62);
        damaged[199] ^= 1;
        fs::write(cache.file(KEY), &damaged).unwrap();
        assert_eq!(open().keys().unwrap(), [""; 0]);
    }

    #[test]
    fn what_a_killed_link_left_is_as_none() {
        let (_root, open) = fixture();
        let cache = open();
        fs::write(cache.file(KEY), tiny_object(62)).unwrap();
        assert_eq!(open().keys().unwrap(), [""; 0]);
        assert!(!cache.file(KEY).exists());
    }

    #[test]
    fn a_list_of_another_version_is_none() {
        let (_root, open) = fixture();
        let mut cache = open();
        fs::write(cache.file(KEY), tiny_object(62)).unwrap();
        cache.note(&[KEY.to_owned()]).unwrap();
        assert_eq!(parse(&fs::read_to_string(cache.directory().join(KNOWN)).unwrap()).len(), 1);
        assert!(parse("thindist lld cache 0\nx").is_empty());
        fs::remove_file(cache.directory().join(KNOWN)).unwrap();
        fs::write(cache.directory().join(KNOWN), b"junk").unwrap();
        assert_eq!(open().keys().unwrap(), [""; 0]);
    }
}
