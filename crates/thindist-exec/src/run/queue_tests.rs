use super::*;
use crate::run::job::Source;
use proptest::collection::vec;
use proptest::prelude::*;
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

/// A step of a run: something starts, or the running job at this place ends.
#[derive(Debug, Clone)]
enum Step {
    Start,
    End(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(prop_oneof![3 => Just(Step::Start), 2 => any::<usize>().prop_map(Step::End)], 0..60)
}

proptest! {
    /// Whatever starts and ends when: never more at once than allowed, never more memory than there is unless one runs alone, and in
    /// the end each key has run once.
    #[test]
    fn bounds_hold_and_each_key_runs_once(
        sizes in vec(1_u64..6, 1..12),
        peaks in vec(1_u64..100, 12),
        max_running in 1_usize..4,
        memory in 1_u64..150,
        steps in steps(),
    ) {
        let estimates: Vec<_> = peaks.iter().map(|peak| takes(1, *peak)).collect();
        let mut queue = Queue::new(&jobs(&sizes), &estimates, max_running, MemoryBudget::FixedKib(memory));
        let (mut running, mut ran) = (Vec::new(), Vec::new());
        let finish = vec![Step::Start, Step::End(0)].into_iter().cycle().take(4 * sizes.len());
        for step in steps.into_iter().chain(finish) {
            match step {
                Step::Start => {
                    if let Some(index) = queue.candidate() {
                        queue.start(index);
                        running.push(index);
                        ran.push(index);
                    }
                }
                Step::End(which) if !running.is_empty() => queue.end(running.swap_remove(which % running.len())),
                Step::End(_) => {}
            }
            let needed: u64 = running.iter().map(|index| peaks[*index]).sum();
            prop_assert!(running.len() <= max_running);
            prop_assert!(running.len() < 2 || needed <= memory, "{needed} KiB of {memory}");
        }
        let followed = ran.iter().flat_map(|index| queue.followers(*index)).copied();
        let mut all: Vec<usize> = ran.iter().copied().chain(followed).collect();
        all.sort_unstable();
        prop_assert!(queue.is_done());
        prop_assert_eq!(all, (0..sizes.len()).collect::<Vec<_>>());
    }

    /// Of jobs that fit, the longest is the next one.
    #[test]
    fn the_longest_is_next(durations in vec(1_u64..1000, 1..20)) {
        let sizes: Vec<u64> = (1..).take(durations.len()).collect();
        let estimates: Vec<_> = durations.iter().map(|duration| takes(*duration, 1)).collect();
        let mut queue = Queue::new(&jobs(&sizes), &estimates, 100, MemoryBudget::FixedKib(u64::MAX));
        let order = std::iter::from_fn(|| queue.candidate().inspect(|index| queue.start(*index)));
        let order: Vec<u64> = order.map(|index| durations[index]).collect();
        prop_assert!(order.is_sorted_by(|before, after| before >= after), "{order:?}");
    }
}
