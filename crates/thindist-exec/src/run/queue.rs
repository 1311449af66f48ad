//! Which job is next: longest first, equal keys once, within the available memory. It knows no threads and no clock.

use crate::estimate::Estimate;
use crate::limits::memory::MemoryBudget;
use crate::run::job::{Job, Outcome};
use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};

/// What a backend of which nothing is known is taken to need. A guess; after one run there is a measurement.
const UNKNOWN_PEAK_KIB: u64 = 256 * 1024;

/// Bitcode that takes a millisecond to compile, for links of which nothing is known. Only ratios matter then.
const UNKNOWN_BYTES_PER_MS: u64 = 1024;

/// The jobs of one run that have not been started, and what the started ones are taken to need.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Indices of jobs, longest first; of equal keys only the first job's.
    pending: VecDeque<usize>,
    /// For each job that is run on behalf of others: those.
    followers: HashMap<usize, Vec<usize>>,
    peaks_kib: Vec<u64>,
    memory: MemoryBudget,
    /// What was available when nothing of ours ran.
    budget_kib: u64,
    running: usize,
    reserved_kib: u64,
    max_running: usize,
}

impl Queue {
    pub(crate) fn new(jobs: &[Job], estimates: &[Option<Estimate>], max_running: usize, memory: MemoryBudget) -> Self {
        let (leaders, followers) = first_of_each_key(jobs);
        let estimate = |index: usize| estimates.get(index).copied().flatten();
        let peak = |index| estimate(index).map_or(UNKNOWN_PEAK_KIB, |estimate| estimate.peak_rss_kib);
        Self {
            pending: longest_first(leaders, &durations(jobs, estimates)),
            followers,
            peaks_kib: (0..jobs.len()).map(peak).collect(),
            memory,
            budget_kib: memory.available_kib(),
            running: 0,
            reserved_kib: 0,
            max_running: max_running.max(1),
        }
    }

    /// The job to start now. Call [`Self::start`] if it is started.
    ///
    /// One that does not fit lets shorter ones pass: it is met again whenever something ends, and runs alone at the
    /// latest. Waiting for it at once would leave processors idle while memory drains.
    pub(crate) fn candidate(&self) -> Option<usize> {
        if self.running == 0 {
            return self.pending.front().copied();
        }
        if self.running >= self.max_running || self.pending.is_empty() {
            return None;
        }
        // Others use memory too, and more than they did when we began.
        let now = self.memory.available_kib();
        let fits = |index: &&usize| {
            let peak = self.peak(**index);
            self.reserved_kib.saturating_add(peak) <= self.budget_kib && peak <= now
        };
        self.pending.iter().find(fits).copied()
    }

    pub(crate) fn start(&mut self, index: usize) {
        if self.running == 0 {
            self.budget_kib = self.memory.available_kib();
        }
        self.pending.retain(|pending| *pending != index);
        self.running += 1;
        self.reserved_kib = self.reserved_kib.saturating_add(self.peak(index));
    }

    /// It was started in vain and is the next one again; its place is given back by [`Self::end`].
    pub(crate) fn put_back(&mut self, index: usize) {
        self.pending.push_front(index);
    }

    pub(crate) fn end(&mut self, index: usize) {
        self.running = self.running.saturating_sub(1);
        self.reserved_kib = self.reserved_kib.saturating_sub(self.peak(index));
    }

    /// The jobs with the same key as this one, which was run for them too.
    pub(crate) fn followers(&self, index: usize) -> &[usize] {
        self.followers.get(&index).map_or(&[], Vec::as_slice)
    }

    /// Gives up on all that has not been started.
    pub(crate) fn abandon(&mut self) {
        self.pending.clear();
    }

    pub(crate) fn running(&self) -> usize {
        self.running
    }

    pub(crate) fn is_done(&self) -> bool {
        self.running == 0 && self.pending.is_empty()
    }

    fn peak(&self, index: usize) -> u64 {
        self.peaks_kib.get(index).copied().unwrap_or(UNKNOWN_PEAK_KIB)
    }
}

/// What becomes of a follower whose leader ended like this.
pub(crate) fn follow(leader: &Outcome) -> Outcome {
    match leader {
        // The diagnostics were shown for the leader; warnings belong to each object's module.
        Outcome::CompileFailed { .. } | Outcome::InfraFailed { .. } => Outcome::Cancelled,
        other => other.clone(),
    }
}

fn first_of_each_key(jobs: &[Job]) -> (Vec<usize>, HashMap<usize, Vec<usize>>) {
    let mut leaders = Vec::new();
    let mut leader_of = HashMap::new();
    let mut followers: HashMap<usize, Vec<usize>> = HashMap::new();
    for (index, job) in jobs.iter().enumerate() {
        let leader = *leader_of.entry(job.action.key()).or_insert(index);
        if leader == index {
            leaders.push(index);
        } else {
            followers.entry(leader).or_default().push(index);
        }
    }
    (leaders, followers)
}

fn longest_first(mut indices: Vec<usize>, durations: &[u64]) -> VecDeque<usize> {
    indices.sort_by_key(|index| Reverse(durations.get(*index).copied().unwrap_or(0)));
    indices.into()
}

/// Milliseconds a job; unknown ones by their bytes, at the rate of the known ones.
fn durations(jobs: &[Job], estimates: &[Option<Estimate>]) -> Vec<u64> {
    let known = |index: usize| estimates.get(index).copied().flatten().map(|estimate| estimate.duration_ms);
    let size = |job: &Job| job.action.module.size();
    let (mut total_ms, mut total_bytes) = (0_u128, 0_u128);
    for (index, job) in jobs.iter().enumerate() {
        if let Some(duration) = known(index) {
            total_ms += u128::from(duration);
            total_bytes += u128::from(size(job));
        }
    }
    let (ms, bytes) =
        if total_ms * total_bytes == 0 { (1, UNKNOWN_BYTES_PER_MS.into()) } else { (total_ms, total_bytes) };
    let by_size = |job| u64::try_from(u128::from(size(job)) * ms / bytes).unwrap_or(u64::MAX);
    jobs.iter().enumerate().map(|(index, job)| known(index).unwrap_or_else(|| by_size(job))).collect()
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
