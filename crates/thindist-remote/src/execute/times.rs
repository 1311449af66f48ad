//! The times that a worker reports for an action.

use crate::api::ExecutedActionMetadata;
use bazel_remote_apis::google::protobuf::Timestamp;
use std::time::Duration;
use thindist_exec::Times;

/// In parts, as far as it is told. `queued` is what we have seen ourselves: until the engine said that a worker had it.
pub(super) fn of(metadata: Option<&ExecutedActionMetadata>, queued: Option<Duration>) -> Times {
    let seen = queued.and_then(|queued| u64::try_from(queued.as_millis()).ok());
    let Some(metadata) = metadata else { return Times { queue_ms: seen, ..Times::default() } };
    let part = |from: &Option<Timestamp>, to: &Option<Timestamp>| between(from.as_ref()?, to.as_ref()?);
    Times {
        worker: Some(metadata.worker.clone()).filter(|name| !name.is_empty()),
        queue_ms: part(&metadata.queued_timestamp, &metadata.worker_start_timestamp).or(seen),
        fetch_ms: part(&metadata.input_fetch_start_timestamp, &metadata.input_fetch_completed_timestamp),
        execute_ms: part(&metadata.execution_start_timestamp, &metadata.execution_completed_timestamp),
        upload_ms: part(&metadata.output_upload_start_timestamp, &metadata.output_upload_completed_timestamp),
        ..Times::default()
    }
}

/// Whole milliseconds. The clocks of two machines may say that something ended before it began: then it is not known.
fn between(from: &Timestamp, to: &Timestamp) -> Option<u64> {
    let nanoseconds = |time: &Timestamp| i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
    u64::try_from((nanoseconds(to) - nanoseconds(from)).div_euclid(1_000_000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64, nanos: i32) -> Option<Timestamp> {
        Some(Timestamp { seconds, nanos })
    }

    #[test]
    fn parts_that_nobody_told_and_times_that_run_backwards_are_not_known() {
        let metadata = ExecutedActionMetadata {
            worker: "one".to_owned(),
            queued_timestamp: at(100, 0),
            worker_start_timestamp: at(99, 0),
            execution_start_timestamp: at(100, 900_000_000),
            execution_completed_timestamp: at(102, 100_000_000),
            output_upload_start_timestamp: at(102, 0),
            ..ExecutedActionMetadata::default()
        };
        let expect = Times { worker: Some("one".to_owned()), execute_ms: Some(1200), ..Times::default() };
        assert_eq!(of(Some(&metadata), None), expect);
        assert_eq!(of(None, None), Times::default());
        let seen = Some(Duration::from_millis(7));
        assert_eq!(of(Some(&metadata), seen), Times { queue_ms: Some(7), ..expect });
        assert_eq!(of(None, seen).queue_ms, Some(7));
    }
}
