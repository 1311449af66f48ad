//! A tool that is about to run, and its result.

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// A tool with its arguments, in the sandbox's environment.
#[derive(Debug)]
pub struct Tool(pub(crate) Command);

impl Tool {
    /// Arguments as words without blanks in them.
    #[must_use]
    pub fn args(mut self, words: &str) -> Self {
        self.0.args(words.split_ascii_whitespace());
        self
    }

    /// One argument as it stands.
    #[must_use]
    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.0.arg(word);
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Takes a variable out of its environment.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Self {
        self.0.env_remove(name);
        self
    }

    /// Runs it in another directory.
    #[must_use]
    pub fn dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.0.current_dir(directory);
        self
    }

    /// Nobody reads its standard output: the pipe's other end is closed.
    #[must_use]
    pub fn unread(mut self) -> Self {
        self.0.stdout(without_reader());
        self
    }

    /// Nobody reads what it says either.
    #[must_use]
    pub fn unheard(mut self) -> Self {
        self.0.stdout(without_reader()).stderr(without_reader());
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(mut self) -> Run {
        let output = self.0.output().unwrap_or_else(|error| panic!("{}", missing(&self.0, &error)));
        Run::new(format!("{:?}", self.0), output)
    }

    /// Runs it to its end, which must come before this time has passed: one that does not end is killed, and that is a failure.
    #[track_caller]
    pub fn ends_within(mut self, time: Duration) -> Run {
        self.0.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let command = format!("{:?}", self.0);
        let child = self.0.spawn().unwrap_or_else(|error| panic!("{}", missing(&self.0, &error)));
        let pid = child.id();
        let (sender, ended) = channel();
        std::thread::spawn(move || sender.send(child.wait_with_output()));
        let Ok(output) = ended.recv_timeout(time) else {
            let _ = Command::new("kill").args(["-s", "KILL", &pid.to_string()]).status();
            panic!("it has not ended within {time:?}: {command}");
        };
        let output = output.unwrap_or_else(|error| panic!("{command}: {error}"));
        Run::new(command, output)
    }

    /// Runs it and expects success.
    #[track_caller]
    pub fn ok(self) -> Run {
        self.run().exits(0)
    }

    /// Starts it; its output goes nowhere.
    #[track_caller]
    pub fn start(mut self) -> Child {
        self.0.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.0.spawn().unwrap_or_else(|error| panic!("{}", missing(&self.0, &error)))
    }
}

fn without_reader() -> std::io::PipeWriter {
    let (_, writer) = std::io::pipe().unwrap_or_else(|error| panic!("cannot make a pipe: {error}"));
    writer
}

fn missing(command: &Command, error: &std::io::Error) -> String {
    let debian = "clang-19 lld-19 llvm-19 clang-22 lld-22 llvm-22 make ninja-build cmake meson g++ qemu-user util-linux bsdutils man-db zsh fish";
    format!("this test needs {} (Debian packages: {debian}): {error}", command.get_program().display())
}

/// A tool that has ended.
#[derive(Debug)]
pub struct Run {
    /// What was run, for messages.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Run {
    fn new(command: String, output: Output) -> Self {
        Self {
            command,
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Expects this exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self}");
        self
    }

    /// Expects an end by this signal.
    #[track_caller]
    pub fn ends_by(self, signal: i32) -> Self {
        assert_eq!(self.status.signal(), Some(signal), "{self}");
        self
    }

    /// Expects `text` in the standard error.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no `{text}` in what it said:\n{self}");
        self
    }

    /// Expects nothing on the standard error.
    #[track_caller]
    pub fn says_nothing(self) -> Self {
        assert_eq!(self.stderr, "", "{self}");
        self
    }

    /// Lines on the standard error that hold `text`.
    #[must_use]
    pub fn lines_with(&self, text: &str) -> usize {
        self.stderr.lines().filter(|line| line.contains(text)).count()
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, status, stdout, stderr } = self;
        write!(f, "{command}\n{status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}
