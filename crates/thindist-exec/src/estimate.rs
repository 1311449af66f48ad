//! What is known of a backend compilation before it runs.

/// What a backend compilation is expected to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Wall-clock time.
    pub duration_ms: u64,
    /// The most memory it had in use.
    pub peak_rss_kib: u64,
}
