//! Machines that have less than others: what a tool is run behind, and what the kernel refuses it.

use crate::Tool;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

impl Tool {
    /// Runs it behind a program, which gets `words` and then the tool with its arguments.
    #[must_use]
    pub fn behind(self, words: &[&str]) -> Self {
        let inner = self.0;
        let (program, words) = words.split_first().unwrap_or((&"env", &[]));
        let mut outer = Command::new(program);
        outer.args(words).arg(inner.get_program()).args(inner.get_args()).env_clear();
        outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inner.get_current_dir().map(|directory| outer.current_dir(directory));
        Self(outer)
    }

    /// Runs it after a line of the shell, in file systems of its own: what that mounts nobody else sees.
    #[must_use]
    pub fn after_mounts(self, line: &str) -> Self {
        self.behind(&["unshare", "--mount", "sh", "-e", "-c", &format!("{line}\nexec \"$@\""), "sh"])
    }

    /// The kernel answers these calls, of it and of what it starts, with an error.
    ///
    /// # Panics
    ///
    /// If this machine's processors are unknown to the filter.
    #[must_use]
    pub fn without_calls(mut self, calls: &[libc::c_long], error: i32) -> Self {
        let program = refusing(calls, error).unwrap_or_else(|error| panic!("no filter of system calls: {error}"));
        let apply = move || seccompiler::apply_filter(&program).map_err(std::io::Error::other);
        #[expect(unsafe_code, reason = "a filter is laid on a process by itself, between fork and exec")]
        // SAFETY: two system calls; the filter was made before the fork.
        unsafe {
            self.0.pre_exec(apply);
        }
        self
    }
}

fn refusing(calls: &[libc::c_long], error: i32) -> Result<BpfProgram, Box<dyn std::error::Error>> {
    let answer = SeccompAction::Errno(error.unsigned_abs());
    let rules = calls.iter().map(|call| (*call, Vec::new())).collect();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, std::env::consts::ARCH.try_into()?)?;
    Ok(filter.try_into()?)
}

/// A control group with a bound on memory, removed when dropped. Needs root.
#[derive(Debug)]
pub struct MemoryGroup(PathBuf);

impl MemoryGroup {
    /// One of so many bytes, called `name`.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn new(name: &str, bytes: u64) -> Self {
        let (root, limit) = match Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
            true => ("/sys/fs/cgroup", "memory.max"),
            false => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        };
        let group = Self(Path::new(root).join(format!("thindist-{}-{name}", std::process::id())));
        fs::create_dir_all(&group.0)
            .and_then(|()| fs::write(group.0.join(limit), bytes.to_string()))
            .unwrap_or_else(|error| panic!("this test bounds memory, as root: {}: {error}", group.0.display()));
        group
    }

    /// Runs a tool in it.
    #[must_use]
    pub fn holds(&self, tool: Tool) -> Tool {
        let enter = format!("echo $$ > {}/cgroup.procs\nexec \"$@\"", self.0.display());
        tool.behind(&["sh", "-e", "-c", &enter, "sh"])
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
