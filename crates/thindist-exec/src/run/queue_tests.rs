use super::*;
use crate::run::job::Source;
use std::sync::Arc;
use thindist_core::digest::Digest;
use thindist_core::plan::action::Action;

/// A job whose own bitcode has this many bytes; jobs of equal sizes have equal keys.
fn job(size: u64) -> Job {
    let digest = Digest::of(b"");
    let action = Action {
        compiler: digest,
        arguments: vec![],
        module: Digest::from_parts([0; 32], size),
        index: digest,
        imports: vec![],
        extra_inputs: vec![],
        working_directory_depth: 0,
        elf_machine: 62,
    };
    let nothing = Source::Bytes(Arc::from([].as_slice()));
    Job {
        action,
        name: size.to_string(),
        module: nothing.clone(),
        index: nothing,
        imports: vec![],
        extra_inputs: vec![],
    }
}

fn jobs(sizes: &[u64]) -> Vec<Job> {
    sizes.iter().copied().map(job).collect()
}

fn takes(duration_ms: u64, peak_rss_kib: u64) -> Option<Estimate> {
    Some(Estimate { duration_ms, peak_rss_kib })
}

fn check_order(sizes: &[u64], estimates: &[Option<Estimate>], expect: &[usize]) {
    let mut queue = Queue::new(&jobs(sizes), estimates, 100, MemoryBudget::FixedKib(u64::MAX));
    let order = std::iter::from_fn(|| queue.candidate().inspect(|index| queue.start(*index)));
    assert_eq!(order.collect::<Vec<_>>(), expect);
}

#[test]
fn longest_first_by_history() {
    check_order(&[1, 2, 3], &[takes(5, 1), takes(50, 1), takes(7, 1)], &[1, 2, 0]);
}

#[test]
fn without_history_by_size_and_then_as_given() {
    check_order(&[10_000, 90_000, 50_000], &[None, None, None], &[1, 2, 0]);
    check_order(&[1, 2, 3], &[], &[0, 1, 2]);
}

#[test]
fn unknown_jobs_take_the_rate_of_the_known() {
    // 1,000 bytes a millisecond: the unknown ones take 20 and 5.
    check_order(&[10_000, 20_000, 5_000, 8_000], &[takes(10, 1), None, None, takes(8, 1)], &[1, 0, 3, 2]);
}

#[test]
fn equal_keys_are_one_job() {
    let queue = Queue::new(&jobs(&[7, 9, 7, 7]), &[], 100, MemoryBudget::FixedKib(u64::MAX));
    assert_eq!(queue.pending, [0, 1]);
    assert_eq!(queue.followers(0), [2, 3]);
    assert!(queue.followers(1).is_empty());
}

#[test]
fn no_more_jobs_than_allowed() {
    let mut queue = Queue::new(&jobs(&[1, 2, 3]), &[], 2, MemoryBudget::FixedKib(u64::MAX));
    queue.start(0);
    queue.start(1);
    assert_eq!(queue.candidate(), None);
    queue.end(0);
    assert_eq!(queue.candidate(), Some(2));
}

#[test]
fn no_more_memory_than_there_is() {
    let estimates = [takes(9, 60), takes(8, 50), takes(7, 40), takes(6, 1)];
    let mut queue = Queue::new(&jobs(&[1, 2, 3, 4]), &estimates, 100, MemoryBudget::FixedKib(100));
    queue.start(0);
    // 60 + 50 is too much; the next one fits exactly.
    assert_eq!(queue.candidate(), Some(2));
    queue.start(2);
    assert_eq!(queue.candidate(), None);
    queue.end(2);
    queue.end(0);
    assert_eq!(queue.candidate(), Some(1));
}

#[test]
fn one_job_may_always_run() {
    let estimates = [takes(9, 500), takes(8, 1)];
    let mut queue = Queue::new(&jobs(&[1, 2]), &estimates, 100, MemoryBudget::FixedKib(100));
    assert_eq!(queue.candidate(), Some(0));
    queue.start(0);
    assert_eq!(queue.candidate(), None);
    queue.end(0);
    assert_eq!(queue.candidate(), Some(1));
}

#[test]
fn a_job_of_unknown_memory_takes_256_mib() {
    for (available, expect) in [(512 * 1024, Some(1)), (512 * 1024 - 1, None)] {
        let mut queue = Queue::new(&jobs(&[1, 2]), &[], 100, MemoryBudget::FixedKib(available));
        queue.start(0);
        assert_eq!(queue.candidate(), expect);
    }
}

#[test]
fn what_was_started_in_vain_is_the_next_again() {
    let mut queue = Queue::new(&jobs(&[3000, 2000, 1000]), &[], 1, MemoryBudget::FixedKib(u64::MAX));
    queue.start(0);
    queue.put_back(0);
    assert_eq!(queue.candidate(), None, "its place has not been given back");
    queue.end(0);
    assert_eq!(queue.candidate(), Some(0));
    assert!(!queue.is_done());
}
