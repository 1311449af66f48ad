//! How much memory new compilers may use.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the bound for the sum of all running compilers comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryBudget {
    /// What the machine and its control groups have left, measured at the start and before each further job.
    Measured,
    /// A fixed number of KiB.
    FixedKib(u64),
}

impl MemoryBudget {
    /// KiB available now. What cannot be measured does not bound.
    pub(crate) fn available_kib(self) -> u64 {
        match self {
            Self::Measured => available_kib().unwrap_or(u64::MAX),
            Self::FixedKib(kib) => kib,
        }
    }
}

/// KiB that can be used without swapping or meeting a control group's limit; `None` if nothing says so.
#[must_use]
pub fn available_kib() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| machine_available_kib(&text));
    let groups = fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| groups_available_kib(&text));
    machine.into_iter().chain(groups).min()
}

fn machine_available_kib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The files of one version of control groups.
struct Version {
    mount: &'static str,
    limit: &'static str,
    usage: &'static str,
    /// In memory.stat: page cache that the kernel gives back before it kills.
    reclaimable: &'static str,
}

const V2: Version =
    Version { mount: "/sys/fs/cgroup", limit: "memory.max", usage: "memory.current", reclaimable: "inactive_file" };
const V1: Version = Version {
    mount: "/sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file",
};

/// The tightest of the groups that hold this process.
fn groups_available_kib(membership: &str) -> Option<u64> {
    let groups = membership.lines().filter_map(group_of_line);
    groups.flat_map(|(version, path)| ancestors_available(&version, &path)).min()
}

/// `ID:CONTROLLERS:PATH`; version 2 has no controllers.
fn group_of_line(line: &str) -> Option<(Version, PathBuf)> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let version = match controllers {
        "" => V2,
        list if list.split(',').any(|controller| controller == "memory") => V1,
        _ => return None,
    };
    let relative = path.trim_start_matches('/').to_owned();
    Some((version, PathBuf::from(relative)))
}

/// A limit on any level binds. In a container the inner levels are not visible under their outer names; the root is.
fn ancestors_available(version: &Version, group: &Path) -> Vec<u64> {
    let levels = group.ancestors();
    levels.filter_map(|level| group_available_kib(version, &Path::new(version.mount).join(level))).collect()
}

fn group_available_kib(version: &Version, directory: &Path) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(directory.join(name)).ok();
    // "max" is not a number: no limit here.
    let limit: u64 = read(version.limit)?.trim().parse().ok()?;
    let usage: u64 = read(version.usage)?.trim().parse().ok()?;
    let cache = read("memory.stat").and_then(|text| statistic(&text, version.reclaimable)).unwrap_or(0);
    Some(limit.saturating_sub(usage.saturating_sub(cache)) / 1024)
}

fn statistic(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_read() {
        let text = "MemTotal:       24682416 kB\nMemFree:  1 kB\nMemAvailable:   24018064 kB\n";
        assert_eq!(machine_available_kib(text), Some(24_018_064));
        assert_eq!(machine_available_kib("MemTotal: 1 kB\n"), None);
    }

    #[test]
    fn both_versions_of_control_groups_are_found() {
        let (version, path) = group_of_line("0::/user.slice/a:b").unwrap();
        assert_eq!((version.limit, path), ("memory.max", PathBuf::from("user.slice/a:b")));
        let (version, path) = group_of_line("4:cpu,memory:/").unwrap();
        assert_eq!((version.limit, path), ("memory.limit_in_bytes", PathBuf::new()));
        assert!(group_of_line("9:name=systemd:/").is_none());
    }

    #[test]
    fn reclaimable_cache_of_a_group_counts_as_available() {
        let group = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(group.path().join(name), text).unwrap();
        write("memory.max", "max\n");
        write("memory.current", "3145728\n");
        write("memory.stat", "anon 1\ninactive_file_x 7\ninactive_file 1048576\n");
        assert_eq!(group_available_kib(&V2, group.path()), None);
        write("memory.max", "4194304\n");
        assert_eq!(group_available_kib(&V2, group.path()), Some(2048));
        write("memory.max", "1024\n");
        assert_eq!(group_available_kib(&V2, group.path()), Some(0));
    }

    #[test]
    fn this_machine_can_be_measured() {
        assert!(available_kib().is_some_and(|kib| kib > 0));
    }
}
