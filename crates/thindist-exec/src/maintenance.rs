//! Maintenance of a cache: size, health, clean-up. All of it is safe while links run.

use crate::action_cache;
use crate::cas;
use crate::layout::{self, Entry, Layout, Store};
use crate::link_directory;
use crate::lld_cache;
use crate::store_error::{IoContext as _, StoreError, if_present};
use crate::temporary::is_stale;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use crate::link_directory::LinkDirectory;

/// A clean-up frees more than it must, or the next link would start another one.
const KEEP_PER_CENT: u64 = 80;

/// Its time is that of the last clean-up.
const LAST_GC: &str = "last-gc";
const GC_EVERY: Duration = Duration::from_secs(60);

/// What a cache holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreStats {
    /// Blobs in the CAS.
    pub cas_blobs: u64,
    /// Their bytes.
    pub cas_bytes: u64,
    /// Entries of the action cache.
    pub action_results: u64,
    /// Files and link directories in `tmp/`, of running links and stale ones.
    pub tmp_files: u64,
}

/// What a clean-up did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GcReport {
    /// Blobs removed from the CAS.
    pub removed_blobs: u64,
    /// Entries removed from the action cache.
    pub removed_results: u64,
    /// Bytes of both.
    pub removed_bytes: u64,
    /// Bytes that are still there.
    pub kept_bytes: u64,
    /// Stale temporaries and link directories removed.
    pub removed_tmp: u64,
}

/// What a check of the whole cache found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifyReport {
    /// Files that were checked.
    pub checked: u64,
    /// Blobs whose content does not have their name, and results that cannot be decoded.
    pub damaged: Vec<PathBuf>,
    /// Results that name blobs which are not there: misses, no damage.
    pub dangling_results: u64,
    /// Damaged files that were removed.
    pub dropped: u64,
}

/// Counts what the cache holds.
pub fn stats(root: &Path) -> Result<StoreStats, StoreError> {
    let layout = Layout::new(root);
    let blobs = layout.entries(Store::Cas)?;
    Ok(StoreStats {
        cas_blobs: blobs.len() as u64,
        cas_bytes: blobs.iter().map(|blob| blob.size).sum(),
        action_results: layout.entries(Store::ActionCache)?.len() as u64,
        tmp_files: layout::list(&layout.tmp())?.len() as u64,
    })
}

/// [`gc`], unless one has begun within the last minute: where each backend is a process of its own (a kernel's thousand are),
/// each would look at every file of a large cache. What is added meanwhile is what may be over the bound.
pub fn gc_now_and_then(root: &Path, max_bytes: u64) -> Result<Option<GcReport>, StoreError> {
    let stamp = root.join(LAST_GC);
    let age = fs::metadata(&stamp).and_then(|metadata| metadata.modified()).ok().map(|time| time.elapsed());
    // A time that has not come yet is no reason never to clean up again.
    if age.is_some_and(|age| age.is_ok_and(|age| age < GC_EVERY)) {
        return Ok(None);
    }
    // First, so that of many processes one cleans up.
    fs::write(&stamp, "").on("write", &stamp)?;
    gc(root, max_bytes).map(Some)
}

/// Above `max_bytes`, removes what was not used for longest until 80 % of that remain; and all stale temporaries.
pub fn gc(root: &Path, max_bytes: u64) -> Result<GcReport, StoreError> {
    let layout = Layout::new(root);
    let mut report = GcReport { removed_tmp: sweep_tmp(&layout)?, ..GcReport::default() };
    let mut entries = both_stores(&layout)?;
    let mut lld_caches = lld_cache::all(root)?;
    report.kept_bytes = entries.iter().map(|(_, entry)| entry.size).sum::<u64>();
    report.kept_bytes += lld_caches.iter().map(|found| found.own_bytes).sum::<u64>();
    if report.kept_bytes <= max_bytes {
        return Ok(report);
    }
    // A result is used before its blob is, so at equal times results go first and take no blob's name with them.
    entries.sort_by(|(_, a), (_, b)| (a.used, &a.path).cmp(&(b.used, &b.path)));
    let target = u64::try_from(u128::from(max_bytes) * u128::from(KEEP_PER_CENT) / 100).unwrap_or(max_bytes);
    // lld's private caches first: what they have beside the stores one link needs, and it can do without.
    lld_caches.sort_by_key(|found| found.used);
    for found in lld_caches {
        if report.kept_bytes <= target {
            break;
        }
        if_present(fs::remove_dir_all(&found.path)).on("remove", &found.path)?;
        report.kept_bytes -= found.own_bytes;
        report.removed_bytes += found.own_bytes;
    }
    for (store, entry) in entries {
        if report.kept_bytes <= target {
            break;
        }
        report.remove(store, &entry)?;
    }
    Ok(report)
}

impl GcReport {
    fn remove(&mut self, store: Store, entry: &Entry) -> Result<(), StoreError> {
        self.kept_bytes -= entry.size;
        if layout::remove(&entry.path)? {
            self.removed_bytes += entry.size;
            match store {
                Store::Cas => self.removed_blobs += 1,
                Store::ActionCache => self.removed_results += 1,
            }
        }
        Ok(())
    }
}

fn both_stores(layout: &Layout) -> Result<Vec<(Store, Entry)>, StoreError> {
    let mut all = Vec::new();
    for store in [Store::Cas, Store::ActionCache] {
        all.extend(layout.entries(store)?.into_iter().map(|entry| (store, entry)));
    }
    Ok(all)
}

fn sweep_tmp(layout: &Layout) -> Result<u64, StoreError> {
    let tmp = layout.tmp();
    let mut removed = link_directory::sweep(&tmp)?;
    for path in layout::list(&tmp)? {
        // A lock is taken on what is still open here; it goes with the file.
        let stale = |path: &Path| File::open(path).is_ok_and(|file| is_stale(&file) && fs::remove_file(path).is_ok());
        if !link_directory::is_link_directory(&path) && stale(&path) {
            removed += 1;
        }
    }
    Ok(removed)
}

/// Checks every file of both stores, and removes the damaged ones if `drop_damaged`.
pub fn verify(root: &Path, drop_damaged: bool) -> Result<VerifyReport, StoreError> {
    let layout = Layout::new(root);
    let mut report = VerifyReport::default();
    for (store, entry) in both_stores(&layout)? {
        let good = match store {
            Store::Cas => blob_is_good(&entry),
            Store::ActionCache => result_is_good(&layout, &entry, &mut report),
        };
        report.note(good, entry, drop_damaged)?;
    }
    for found in lld_cache::all(root)? {
        let (damaged, checked) = lld_cache::damaged(&found.path)?;
        report.checked += checked;
        for path in damaged {
            if drop_damaged {
                report.dropped += u64::from(layout::remove(&path)?);
            }
            report.damaged.push(path);
        }
    }
    report.damaged.sort();
    Ok(report)
}

impl VerifyReport {
    /// `None`: removed while we were looking, so nothing was checked.
    fn note(&mut self, good: Option<bool>, entry: Entry, drop_damaged: bool) -> Result<(), StoreError> {
        self.checked += u64::from(good.is_some());
        if good == Some(false) {
            if drop_damaged {
                self.dropped += u64::from(layout::remove(&entry.path)?);
            }
            self.damaged.push(entry.path);
        }
        Ok(())
    }
}

/// A blob that cannot be read (permissions, a bad disk) is damaged; one that is gone is nothing.
fn blob_is_good(entry: &Entry) -> Option<bool> {
    match cas::digest_path(&entry.path) {
        Ok(digest) => Some(*digest.hash() == entry.hash),
        Err(_) => entry.path.exists().then_some(false),
    }
}

fn result_is_good(layout: &Layout, entry: &Entry, report: &mut VerifyReport) -> Option<bool> {
    let Ok(bytes) = fs::read(&entry.path) else {
        return entry.path.exists().then_some(false);
    };
    let Some(result) = action_cache::decode(&bytes) else { return Some(false) };
    let present = |digest| layout.path(Store::Cas, digest).exists();
    report.dangling_results += u64::from(!result.outputs.iter().all(|output| present(&output.digest)));
    Some(true)
}

/// Removes all blobs, results, remembered state and stale temporaries; says what there was.
pub fn clear(root: &Path) -> Result<StoreStats, StoreError> {
    let before = stats(root)?;
    let layout = Layout::new(root);
    sweep_tmp(&layout)?;
    for (_, entry) in both_stores(&layout)? {
        layout::remove(&entry.path)?;
    }
    let lld_caches = root.join(lld_cache::LLD_CACHES);
    if_present(fs::remove_dir_all(&lld_caches)).on("remove", &lld_caches)?;
    for name in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm", layout::WHAT_RAN] {
        layout::remove(&layout.root().join(name))?;
    }
    Ok(before)
}

#[cfg(test)]
#[path = "maintenance_tests.rs"]
mod tests;
