//! Adds backends to the trace that lld writes of a link (`--time-trace`), whose format is that of Chrome's trace events.

use crate::failure::{Failure, Result, io};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use thindist_exec::Times;

/// A backend that was run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) module: String,
    pub(crate) times: Times,
}

/// lld's own events have another process.
const PROCESS: &str = "thindist: backends";

/// `begun`: when the backends of the link could begin.
pub(crate) fn add_backends(path: &Path, begun: SystemTime, ran: &[Ran]) -> Result<()> {
    let text = std::fs::read(path).map_err(|error| io("read", path, &error))?;
    let mut trace: Value = serde_json::from_slice(&text).map_err(Failure::of)?;
    let lld_pid = trace.pointer("/traceEvents/0/pid").and_then(Value::as_u64).unwrap_or(0);
    let origin = trace.get("beginningOfTime").and_then(Value::as_u64).unwrap_or(0);
    let begun = begun.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let begun = u64::try_from(begun).unwrap_or(u64::MAX).saturating_sub(origin);
    let Some(Value::Array(events)) = trace.get_mut("traceEvents") else { return Ok(()) };
    events.extend(events_of(lld_pid + 1, begun, ran));
    std::fs::write(path, trace.to_string()).map_err(|error| io("write", path, &error))
}

fn events_of(pid: u64, begun: u64, ran: &[Ran]) -> Vec<Value> {
    let mut events = vec![json!({ "ph": "M", "pid": pid, "name": "process_name", "args": { "name": PROCESS } })];
    let micros = |millis: Option<u64>| millis.unwrap_or(0).saturating_mul(1000);
    let start = |ran: &Ran| begun + micros(ran.times.queue_ms) + micros(ran.times.fetch_ms);
    let mut sorted: Vec<&Ran> = ran.iter().collect();
    sorted.sort_by_key(|ran| start(ran));
    // The end of the last one in each row.
    let mut rows: Vec<u64> = Vec::new();
    for ran in sorted {
        let (start, duration) = (start(ran), micros(ran.times.execute_ms));
        let row = rows.iter().position(|end| *end <= start).unwrap_or_else(|| {
            rows.push(0);
            rows.len() - 1
        });
        if let Some(end) = rows.get_mut(row) {
            *end = start + duration;
        }
        let args = json!({ "detail": ran.module, "worker": ran.times.worker });
        events.push(json!({
            "ph": "X", "pid": pid, "tid": row, "ts": start, "dur": duration, "name": "Backend", "args": args
        }));
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_that_overlap_are_in_rows_of_their_own() {
        let ran = |module: &str, queue_ms, execute_ms| Ran {
            module: module.to_owned(),
            times: Times { queue_ms: Some(queue_ms), execute_ms: Some(execute_ms), ..Times::default() },
        };
        let events = events_of(8, 100, &[ran("c", 12, 1), ran("a", 0, 10), ran("b", 5, 10)]);
        let rows: Vec<_> = events.iter().skip(1).map(|event| (&event["args"]["detail"], &event["tid"])).collect();
        assert_eq!(rows, [(&json!("a"), &json!(0)), (&json!("b"), &json!(1)), (&json!("c"), &json!(0))]);
        assert_eq!((&events[2]["ts"], &events[2]["dur"]), (&json!(5100), &json!(10_000)));
    }
}
