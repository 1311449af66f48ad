//! Runs one command and measures it: wall time, CPU time with all descendants, and the largest process.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde::Serialize;

use crate::Result;
use crate::host::project::Home;
use crate::host::{files, run};

/// What one run took.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Usage {
    pub(crate) wall_s: f64,
    pub(crate) cpu_s: f64,
    /// Of the largest single process: the linker itself in-process, a compiler where there are several.
    pub(crate) peak_rss_kib: u64,
}

/// Writes every figure of a bench to `target/bench/NAME.json`, and says where that is.
pub(crate) fn keep(name: &str, report: &impl Serialize) -> Result<PathBuf> {
    let path = Home::open("bench")?.dir.join(format!("{name}.json"));
    let json = serde_json::to_string_pretty(report).map_err(|error| error.to_string())?;
    files::write(&path, json + "\n")?;
    Ok(path)
}

/// Runs `command` with its output in `log` and measures it.
pub(crate) fn measured(command: &mut Command, log: &Path) -> Result<Usage> {
    run::attach_log(command, log)?;
    let start = Instant::now();
    let child = command.spawn().map_err(|error| run::cannot_start(command, &error))?;
    let (status, usage) = wait(child.id()).map_err(|error| format!("cannot wait for a child: {error}"))?;
    let wall_s = start.elapsed().as_secs_f64();
    if status != 0 {
        return Err(run::failure(command, &format!("wait status {status:#x}"), log));
    }
    Ok(Usage { wall_s, cpu_s: seconds(usage.ru_utime) + seconds(usage.ru_stime), peak_rss_kib: kib(usage.ru_maxrss) })
}

fn kib(value: libc::c_long) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn seconds(time: libc::timeval) -> f64 {
    // Below 2^53 both parts are exact in a double; a link takes less than 285 million years.
    time.tv_sec as f64 + time.tv_usec as f64 / 1e6
}

/// std's `Child::wait` throws the resource usage away, and polling /proc would miss the peak before the exit.
#[expect(unsafe_code, reason = "std has no wait that returns the child's resource usage")]
fn wait(pid: u32) -> io::Result<(i32, libc::rusage)> {
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    let mut status = 0;
    // SAFETY: rusage is plain integers, for which all zeros is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to live locals of the types that wait4 fills in, and std does not wait for this child.
        if unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) } == pid {
            return Ok((status, usage));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// The middle value; of an even number the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    let lower = values.len().saturating_sub(1) / 2;
    match (values.get(lower), values.get(upper)) {
        (Some(lower), Some(upper)) => f64::midpoint(*lower, *upper),
        _ => f64::NAN,
    }
}

/// Runs both, the first one first if asked to: whoever runs second finds the files in memory.
pub(crate) fn in_turn<A, B>(
    first_first: bool,
    first: impl FnOnce() -> Result<A>,
    second: impl FnOnce() -> Result<B>,
) -> Result<(A, B)> {
    if first_first {
        return Ok((first()?, second()?));
    }
    let second = second()?;
    Ok((first()?, second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::files;

    #[test]
    fn a_run_has_time_and_memory_and_a_failure_is_one() {
        let log = std::env::temp_dir().join(format!("xtask-measure-{}.log", std::process::id()));
        let usage = measured(Command::new("sh").args(["-c", "true"]), &log).unwrap();
        assert!(usage.wall_s > 0.0 && usage.peak_rss_kib > 100);
        assert!(measured(Command::new("sh").args(["-c", "exit 2"]), &log).unwrap_err().contains("0x200"));
        files::remove_file(&log).unwrap();
    }

    #[test]
    fn medians() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(vec![]).is_nan());
    }
}
