//! A compiler that is kept at the point where dynamic linking has ended, and forked there for each run.
//!
//! Of each new clang's life the first 25 ms go into relocating libLLVM and libclang-cpp and into their constructors;
//! for a thousand small backends that is a third of all time. A library preloaded into one clang (`warm/preload.c`)
//! does this once and forks before `main`, so that every run is a process of its own with memory that no other has
//! touched: the bytes are those of a plain spawn. (Running `main` in the same process again and again would not do:
//! LLVM's options are globals.)
//!
//! Each run has a socket of its own ("link"), so that runs need not know of each other here, and that either side's
//! end is seen by the other as the end of that socket. Whatever does not work is done by a plain spawn instead.

use crate::cancel::CancelToken;
use crate::process::{self, Finished, Invocation, Reader, RunError, Status, Usage, collect, drain};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::Pid;
use std::ffi::OsString;
use std::fs;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/preload.so"));
const LIBRARY_NAME: &str = "preload.so";

/// Starting takes 25 ms, on a busy machine ten times that. Only a wrapper that hangs takes longer.
const START_BOUND: Duration = Duration::from_secs(3);

/// Copying 180 MB takes 0.15 s and saves each run 4 ms.
const WORTH_HUGE_PAGES: usize = 100;

/// The link, stdout, stderr, the slot.
const MOST_DESCRIPTORS: usize = 4;

/// A compiler that starts without being linked anew. Cheap to clone; ends with its last clone.
#[derive(Debug, Clone)]
pub struct WarmCompiler(Arc<Server>);

#[derive(Debug)]
struct Server {
    compiler: PathBuf,
    environment: Vec<(OsString, OsString)>,
    control: UnixStream,
    process: Child,
    plain_runs: AtomicUsize,
}

impl WarmCompiler {
    /// Starts the compiler and leaves it before its `main`. The library is written to `work_dir`, which has to live as
    /// long as the answer.
    ///
    /// `runs` is how many runs to expect: for many it is worth a tenth of a second to put its code on huge pages.
    ///
    /// `None`, without a word, where that cannot be: a static program, a script, another C library, a kernel before
    /// 5.3. Such a compiler has then been run with `--version`.
    #[must_use]
    pub fn start(compiler: &Path, environment: &[(OsString, OsString)], work_dir: &Path, runs: usize) -> Option<Self> {
        // Ours would take its place.
        if environment.iter().any(|(name, _)| name == "LD_PRELOAD") {
            return None;
        }
        fs::write(work_dir.join(LIBRARY_NAME), LIBRARY).ok()?;
        let (control, theirs) = UnixStream::pair().ok()?;
        // The command goes with this line: it holds the other end of the socket, by whose closing a program is known that
        // takes no notice of us.
        let process = command(compiler, environment, work_dir, theirs, runs).ok()?.spawn().ok()?;
        let (compiler, environment) = (compiler.to_owned(), environment.to_vec());
        let server = Server { compiler, environment, control, process, plain_runs: AtomicUsize::new(0) };
        server.has_come_up().then(|| Self(Arc::new(server)))
    }

    /// How many runs needed a plain spawn so far.
    #[must_use]
    pub fn plain_runs(&self) -> usize {
        self.0.plain_runs.load(Ordering::Relaxed)
    }

    /// Runs the compiler as [`process::run`] does, and by that if it has to.
    pub fn run(
        &self,
        arguments: Vec<OsString>,
        directory: &Path,
        slot: Option<BorrowedFd<'_>>,
        cancel: &CancelToken,
    ) -> Result<Finished, RunError> {
        let server = &*self.0;
        let request = request(directory, &server.compiler, &arguments);
        server.run(&request, slot, cancel).or_else(|_| {
            server.plain_runs.fetch_add(1, Ordering::Relaxed);
            let (program, environment) = (server.compiler.clone(), server.environment.clone());
            let directory = Some(directory.to_owned());
            process::run(&Invocation { program, arguments, environment, directory }, slot, cancel)
        })
    }
}

/// The server reads its requests from standard input, which needs no agreement on a number.
fn command(
    compiler: &Path,
    environment: &[(OsString, OsString)],
    work_dir: &Path,
    control: UnixStream,
    runs: usize,
) -> io::Result<Command> {
    let real = compiler.canonicalize()?;
    let mut command = Command::new(&real);
    // What it is called tells clang what it is. The argument is for a program that does not take notice of us.
    command.arg0(compiler).arg("--version").env_clear();
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    // Relative: the absolute path may hold a blank or a colon, at which the dynamic linker would divide it.
    command.env("LD_PRELOAD", format!("./{LIBRARY_NAME}")).env("THINDIST_WARM_PROGRAM", real).current_dir(work_dir);
    if runs >= WORTH_HUGE_PAGES {
        command.env("THINDIST_WARM_HUGE", "1");
    }
    command.stdin(OwnedFd::from(control)).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    Ok(command)
}

/// The length; then the directory, the program's name and its arguments, each with a zero byte at its end.
fn request(directory: &Path, program: &Path, arguments: &[OsString]) -> Vec<u8> {
    let arguments = arguments.iter().map(|argument| argument.as_bytes());
    let mut text = Vec::new();
    for word in [directory.as_os_str().as_bytes(), program.as_os_str().as_bytes()].into_iter().chain(arguments) {
        text.extend_from_slice(word);
        text.push(0);
    }
    let mut request = u32::try_from(text.len()).unwrap_or(0).to_ne_bytes().to_vec();
    request.append(&mut text);
    request
}

impl Server {
    fn has_come_up(&self) -> bool {
        let hello = self.control.set_read_timeout(Some(START_BOUND)).and_then(|()| Report::read(&self.control));
        matches!(hello, Ok(Report::Hello))
    }

    /// An error: it was not run, or not to its end, and has to be run in another way.
    fn run(&self, request: &[u8], slot: Option<BorrowedFd<'_>>, cancel: &CancelToken) -> io::Result<Finished> {
        let started = Instant::now();
        let (mut link, theirs) = UnixStream::pair()?;
        let (stdout, their_stdout) = io::pipe()?;
        let (stderr, their_stderr) = io::pipe()?;
        let descriptors = [Some(theirs.as_fd()), Some(their_stdout.as_fd()), Some(their_stderr.as_fd()), slot];
        self.send(&descriptors.into_iter().flatten().collect::<Vec<_>>())?;
        drop((theirs, their_stdout, their_stderr));
        let readers = (drain(Some(stdout))?, drain(Some(stderr))?);
        let ended = link.write_all(request).and_then(|()| await_end(&link, started, cancel));
        // Now the server kills what the child left running, and reaps it.
        drop(link);
        finish(ended, readers)
    }

    /// One byte that nobody else's can get mixed up with, and the descriptors with it.
    fn send(&self, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        sendmsg(&self.control, &[IoSlice::new(&[0])], &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nobody runs anything any more, and it has nothing to tidy up.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Hears of a child's start and end. The child is not reaped while `link` is open.
fn await_end(link: &UnixStream, started: Instant, cancel: &CancelToken) -> io::Result<(Status, Usage)> {
    let Report::Started(pid) = Report::read(link)? else { return Err(io::ErrorKind::InvalidData.into()) };
    // If the server dies, init reaps the child; the number is out of the token at once, long before it comes up again.
    let _watched = cancel.watch(pid);
    match Report::read(link)? {
        Report::Ended(status, usage) => Ok((status, Usage { elapsed: started.elapsed(), ..usage })),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn finish(ended: io::Result<(Status, Usage)>, (stdout, stderr): (Reader, Reader)) -> io::Result<Finished> {
    // Whatever happened, the pipes end with the child, and it must not write beside the next one.
    let (stdout, stderr) = (collect(stdout), collect(stderr));
    let (status, usage) = ended?;
    Ok(Finished { status, stdout: stdout?, stderr: stderr?, usage })
}

/// What the server says.
#[derive(Debug, PartialEq)]
enum Report {
    /// It is ready.
    Hello,
    /// The child runs.
    Started(Pid),
    /// The child has ended.
    Ended(Status, Usage),
    /// The child did not get as far as the compiler.
    Failed,
}

impl Report {
    /// `struct report` of preload.c.
    fn read(mut socket: &UnixStream) -> io::Result<Self> {
        let (mut kind, mut value, mut cpu, mut peak_rss) = ([0; 4], [0; 4], [0; 8], [0; 8]);
        for field in [&mut kind[..], &mut value, &mut cpu, &mut peak_rss] {
            socket.read_exact(field)?;
        }
        let value = i32::from_ne_bytes(value);
        let usage = Usage {
            elapsed: Duration::ZERO,
            cpu: Duration::from_micros(u64::from_ne_bytes(cpu)),
            peak_rss_kib: u64::from_ne_bytes(peak_rss),
        };
        let report = match u32::from_ne_bytes(kind) {
            1 => Some(Self::Hello),
            2 => Pid::from_raw(value).map(Self::Started),
            3 => Some(Self::Ended(Status::Exited(value), usage)),
            4 => Some(Self::Ended(Status::Signaled(value), usage)),
            5 => Some(Self::Failed),
            _ => None,
        };
        report.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
#[path = "warm_tests.rs"]
mod tests;
