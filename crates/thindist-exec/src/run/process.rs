//! One child process: cleared environment, captured output, no survivors.
//!
//! The child leads a process group of its own, so that ending it ends what it started. It dies with the thread that
//! runs it (PR_SET_PDEATHSIG), which is the one that waits for it.

use crate::cancel::CancelToken;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getppid, kill_process_group, set_parent_process_death_signal, waitid,
};
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct Invocation {
    /// The program, by path.
    pub program: PathBuf,
    /// Its arguments, without its name.
    pub arguments: Vec<OsString>,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The directory it runs in; `None`: ours.
    pub directory: Option<PathBuf>,
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// By itself, with this status.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
}

/// What a child used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Wall-clock time.
    pub elapsed: Duration,
    /// User and system time.
    pub cpu: Duration,
    /// The most memory it had in use. At least ours when it was started: the kernel counts from the fork.
    pub peak_rss_kib: u64,
}

/// A child that has ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How.
    pub status: Status,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: Vec<u8>,
    /// What it took.
    pub usage: Usage,
}

impl Finished {
    /// Both, one after the other.
    pub(crate) fn then(self, next: Self) -> Self {
        Self {
            status: next.status,
            stdout: [self.stdout, next.stdout].concat(),
            stderr: [self.stderr, next.stderr].concat(),
            usage: Usage {
                elapsed: self.usage.elapsed + next.usage.elapsed,
                cpu: self.usage.cpu + next.usage.cpu,
                peak_rss_kib: self.usage.peak_rss_kib.max(next.usage.peak_rss_kib),
            },
        }
    }
}

/// A child that could not be run.
#[derive(Debug, thiserror::Error)]
#[error("cannot run {program}: {source}", program = program.display())]
pub struct RunError {
    /// The program.
    pub program: PathBuf,
    /// The system's answer.
    pub source: io::Error,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exited(code) => write!(f, "exit status {code}"),
            Self::Signaled(number) => match signal_name(number) {
                Some(name) => write!(f, "killed by signal {number} ({name})"),
                None => write!(f, "killed by signal {number}"),
            },
        }
    }
}

/// The signals that end compilers.
fn signal_name(number: i32) -> Option<&'static str> {
    Some(match number {
        libc::SIGINT => "SIGINT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        _ => return None,
    })
}

/// Runs a child to its end, or to its end by `cancel`. It inherits `slot`, which it thereby holds.
pub fn run(invocation: &Invocation, slot: Option<BorrowedFd<'_>>, cancel: &CancelToken) -> Result<Finished, RunError> {
    let failed = |source| RunError { program: invocation.program.clone(), source };
    let started = Instant::now();
    let child = command(invocation, slot.map(|slot| slot.as_raw_fd())).spawn().map_err(failed)?;
    finish(child, started, cancel).map_err(failed)
}

fn command(invocation: &Invocation, slot: Option<RawFd>) -> Command {
    let mut command = Command::new(&invocation.program);
    command.args(&invocation.arguments);
    command.env_clear().envs(invocation.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    if let Some(directory) = &invocation.directory {
        command.current_dir(directory);
    }
    let parent = rustix::process::getpid();
    #[expect(unsafe_code, reason = "what runs between fork and exec: system calls only, no allocation, no locks")]
    // SAFETY: `become_ours` makes only async-signal-safe system calls.
    unsafe {
        command.pre_exec(move || become_ours(parent, slot));
    }
    command
}

/// Runs in the child, before the compiler does.
fn become_ours(parent: Pid, slot: Option<RawFd>) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // A parent that was gone before that call sends no signal any more.
    if getppid() != Some(parent) {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    let Some(slot) = slot else { return Ok(()) };
    #[expect(unsafe_code, reason = "a descriptor by its number: the borrow cannot be moved into a 'static closure")]
    // SAFETY: the caller of `run` borrows the descriptor for longer than the child takes to get here.
    let slot = unsafe { BorrowedFd::borrow_raw(slot) };
    // Cleared here, not in the parent, where a compiler started at the same time would inherit it too.
    Ok(rustix::io::fcntl_setfd(slot, rustix::io::FdFlags::empty())?)
}

fn finish(mut child: Child, started: Instant, cancel: &CancelToken) -> io::Result<Finished> {
    let pid = Pid::from_child(&child);
    let watched = cancel.watch(pid);
    let readers = drain(child.stdout.take()).and_then(|stdout| Ok((stdout, drain(child.stderr.take())?)));
    if readers.is_ok() {
        await_end(pid);
    }
    // From here on nobody may signal the number by way of the token: it is about to be free.
    drop(watched);
    // The leader is a zombie and keeps the number taken. What it left running would hold our pipes open, and write on.
    let _ = kill_process_group(pid, Signal::KILL);
    let (status, usage) = reap(pid, started)?;
    let (stdout, stderr) = readers?;
    Ok(Finished { status, stdout: collect(stdout)?, stderr: collect(stderr)?, usage })
}

pub(crate) type Reader = JoinHandle<io::Result<Vec<u8>>>;

/// Reads a pipe to its end in a thread of its own: a child that fills one pipe must not wait for us to read the other.
pub(crate) fn drain(pipe: Option<impl Read + Send + 'static>) -> io::Result<Reader> {
    thread::Builder::new().name("output".to_owned()).spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    })
}

pub(crate) fn collect(reader: Reader) -> io::Result<Vec<u8>> {
    reader.join().unwrap_or_else(|_| Err(io::Error::other("the thread that reads its output panicked")))
}

/// Waits until the child has ended, without reaping it.
fn await_end(pid: Pid) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
}

/// Reaps the child. `Child::wait` does not tell the memory.
fn reap(pid: Pid, started: Instant) -> io::Result<(Status, Usage)> {
    let (status, usage) = wait4(pid)?;
    let elapsed = started.elapsed();
    let time = |time: libc::timeval| {
        let seconds = Duration::from_secs(time.tv_sec.try_into().unwrap_or(0));
        seconds + Duration::from_micros(time.tv_usec.try_into().unwrap_or(0))
    };
    let cpu = time(usage.ru_utime) + time(usage.ru_stime);
    let peak_rss_kib = u64::try_from(usage.ru_maxrss).unwrap_or(0);
    let status = match libc::WIFSIGNALED(status) {
        true => Status::Signaled(libc::WTERMSIG(status)),
        false => Status::Exited(libc::WEXITSTATUS(status)),
    };
    Ok((status, Usage { elapsed, cpu, peak_rss_kib }))
}

#[expect(unsafe_code, reason = "no safe interface gives a child's resource usage")]
fn wait4(pid: Pid) -> io::Result<(i32, libc::rusage)> {
    // SAFETY: rusage is plain numbers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let mut status = 0;
    loop {
        // SAFETY: both pointers are to live variables of the right type.
        if unsafe { libc::wait4(pid.as_raw_nonzero().get(), &raw mut status, 0, &raw mut usage) } >= 0 {
            return Ok((status, usage));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
