//! The lines that THINDIST_STATS has for a link.

use serde::Deserialize;
use std::collections::BTreeMap;

/// One line of the file.
#[derive(Debug, Clone, Deserialize)]
pub struct Stats {
    /// The version of the format.
    pub schema: u32,
    /// The output as the line names it.
    pub output: String,
    /// How lld was driven; nothing where the link was remembered or left to lld.
    pub way: Option<String>,
    /// Why so.
    #[serde(default)]
    pub why: String,
    /// ThinLTO modules of the link.
    pub modules: usize,
    /// Where the native objects came from.
    pub backends: BTreeMap<String, usize>,
    /// Seconds of each phase.
    pub phases_s: BTreeMap<String, f64>,
    /// Peak memory of thindist.
    pub peak_rss_kib: u64,
}

impl Stats {
    /// How lld was driven.
    #[must_use]
    pub fn way(&self) -> &str {
        self.way.as_deref().unwrap_or_default()
    }

    /// Backends that were run on this machine, by a compiler or by lld.
    #[must_use]
    pub fn executed(&self) -> usize {
        self.count("executed")
    }

    /// Backends whose native object came out of the local stores.
    #[must_use]
    pub fn local_cache(&self) -> usize {
        self.count("local_cache")
    }

    /// Backends whose native object came out of a cache that others share.
    #[must_use]
    pub fn remote_cache(&self) -> usize {
        self.count("remote_cache")
    }

    /// Backends that an engine ran.
    #[must_use]
    pub fn remote_executed(&self) -> usize {
        self.count("remote_executed")
    }

    /// Backends of a link that was remembered whole.
    #[must_use]
    pub fn memo(&self) -> usize {
        self.count("memo")
    }

    /// Whether lld was run for a thin link.
    #[must_use]
    pub fn thin_link_ran(&self) -> bool {
        self.phases_s.get("thin_link").is_some_and(|seconds| *seconds > 0.0)
    }

    fn count(&self, name: &str) -> usize {
        *self.backends.get(name).unwrap_or_else(|| panic!("no count of {name} in {self:?}"))
    }
}
