//! Compilers that do what a test says: a script around the real one, or instead of it.

use crate::Sandbox;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A script that stands for clang. Its `--version` is the real one's, which decides what thindist takes it for.
#[derive(Debug)]
pub struct FakeCompiler {
    /// For THINDIST_CLANG.
    pub path: PathBuf,
}

impl FakeCompiler {
    /// A compiler that runs `body`, in which `$real` is the real clang and `$out` is the native object's name.
    #[must_use]
    pub fn new(sandbox: &Sandbox, name: &str, body: &str) -> Self {
        Self::around(sandbox, name, &clang(sandbox), body)
    }

    /// The same with another `$real`.
    #[must_use]
    pub fn around(sandbox: &Sandbox, name: &str, real: &Path, body: &str) -> Self {
        let version = format!("if [ \"$1\" = --version ]; then exec {} --version; fi", real.display());
        Self::script(sandbox, name, real, &format!("{version}\n{body}"))
    }

    /// The same with a `--version` of its own as well, if `body` has one.
    #[must_use]
    pub fn bare(sandbox: &Sandbox, name: &str, body: &str) -> Self {
        Self::script(sandbox, name, &clang(sandbox), body)
    }

    fn script(sandbox: &Sandbox, name: &str, real: &Path, body: &str) -> Self {
        let script = format!("#!/bin/sh\nreal={}\nfor out do :; done\n{body}\n", real.display());
        let path = sandbox.root(name);
        sandbox.write_executable(&path, script.as_bytes());
        Self { path }
    }

    /// Notes each start and end in `log`, and does the real compiler's work in between.
    #[must_use]
    pub fn logging(sandbox: &Sandbox, log: &str) -> Self {
        let log = sandbox.root(log);
        let log = log.display();
        Self::new(
            sandbox,
            "logging-clang",
            &format!("echo + >> {log}\n$real \"$@\"\ncode=$?\necho - >> {log}\nexit $code"),
        )
    }

    /// Keeps a copy of each native object that the real compiler makes, for [`Self::replaying`].
    #[must_use]
    pub fn recording(sandbox: &Sandbox) -> Self {
        let store = sandbox.root("recorded");
        sandbox.make_directory(&store);
        let body = "module=$(readlink module.bc)\n$real \"$@\" && cp $out";
        Self::new(sandbox, "recording-clang", &format!("{body} {}/\"${{module##*/}}\"", store.display()))
    }

    /// Calls the real compiler once for each module and index, and then gives out copies: fast, on a worker as well, and
    /// right for everything that imports nothing else than it did.
    #[must_use]
    pub fn remembering(sandbox: &Sandbox) -> Self {
        let path = sandbox.root("remembering-clang");
        let store = sandbox.root("remembered");
        sandbox.make_directory(&store);
        sandbox.write("remember.c", REMEMBER);
        let (version, real) = (sandbox.llvm(), clang(sandbox));
        sandbox.clang(&format!(
            "-O1 -static -DVERSION=\"{version}\" -DREAL=\"{}\" -DSTORE=\"{}\" remember.c -o {}",
            real.display(),
            store.display(),
            path.display()
        ));
        Self { path }
    }

    /// Gives out copies of what was recorded: right for one program whose indexes do not change, and fast, being no
    /// script. Before each it writes a line to `announcements`.
    #[must_use]
    pub fn replaying(sandbox: &Sandbox, name: &str, announcements: Option<&Announcements>) -> Self {
        let path = sandbox.root(name);
        let pipe = announcements.map_or_else(String::new, |pipe| pipe.path.display().to_string());
        sandbox.write("replay.c", REPLAY);
        let store = sandbox.root("recorded");
        let version = sandbox.llvm();
        sandbox.clang(&format!(
            "-O1 -static -DVERSION=\"{version}\" -DSTORE=\"{}\" -DPIPE=\"{pipe}\" replay.c -o {}",
            store.display(),
            path.display()
        ));
        Self { path }
    }
}

fn clang(sandbox: &Sandbox) -> PathBuf {
    PathBuf::from(format!("/usr/bin/clang-{}", sandbox.llvm()))
}

/// A compiler that copies. Without arguments it is being asked for the libraries that it loads: none.
const REPLAY: &str = r#"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **words) {
    static char target[4096], path[8192], bytes[1 << 16];
    if (count < 2) return 0;
    if (!strcmp(words[1], "--version")) return puts("clang version " VERSION ".0.0") < 0;
    if (*PIPE) {
        int pipe = open(PIPE, O_WRONLY);
        if (pipe < 0 || write(pipe, "start\n", 6) != 6) return 2;
    }
    if (readlink("module.bc", target, sizeof target - 1) < 0) return 3;
    snprintf(path, sizeof path, "%s/%s", STORE, strrchr(target, '/') + 1);
    int from = open(path, O_RDONLY), to = open(words[count - 1], O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (from < 0 || to < 0) return 4;
    for (ssize_t length; (length = read(from, bytes, sizeof bytes)) > 0;)
        if (write(to, bytes, length) != length) return 5;
    return 0;
}
"#;

/// A compiler with a memory, by the content of module and index.
const REMEMBER: &str = r#"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static char bytes[1 << 16];
static unsigned long key = 14695981039346656037ul;
static int add(const char *path) {
    int from = open(path, O_RDONLY);
    if (from < 0) return 0;
    for (ssize_t length; (length = read(from, bytes, sizeof bytes)) > 0;)
        for (ssize_t at = 0; at < length; at++) key = (key ^ (unsigned char)bytes[at]) * 1099511628211ul;
    return close(from) == 0;
}
int main(int count, char **words) {
    static char known[4096], made[4200];
    if (count < 2) return 0;
    if (!strcmp(words[1], "--version")) return puts("clang version " VERSION ".0.0") < 0;
    char *output = words[count - 1];
    if (!add("module.bc") || !add("index.thinlto.bc")) return 3;
    snprintf(known, sizeof known, "%s/%lx", STORE, key);
    snprintf(made, sizeof made, "%s.%d", known, getpid());
    if (access(known, R_OK)) {
        int status = 0;
        words[0] = REAL;
        words[count - 1] = made;
        if (!fork()) return execv(REAL, words);
        if (wait(&status) < 0 || status) return 4;
        if (rename(made, known)) return 5;
    }
    int from = open(known, O_RDONLY), to = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (from < 0 || to < 0) return 6;
    for (ssize_t length; (length = read(from, bytes, sizeof bytes)) > 0;)
        if (write(to, bytes, length) != length) return 7;
    return 0;
}
"#;

/// The most compilers at a time that a log of starts and ends shows, and the number of starts.
#[must_use]
pub fn most_at_a_time(log: &str) -> (usize, usize) {
    let (mut running, mut most, mut starts) = (0_usize, 0, 0);
    for line in log.lines() {
        match line {
            "+" => {
                running += 1;
                starts += 1;
                most = most.max(running);
            }
            _ => running = running.saturating_sub(1),
        }
    }
    (most, starts)
}

/// How long a compiler may be in coming before the test gives up on it: it guards against a test that never ends.
const PATIENCE: Duration = Duration::from_secs(300);

/// A pipe with a name, through which fake compilers say what they are about to do.
#[derive(Debug)]
pub struct Announcements {
    /// Its path, for the script: `echo $$ > PATH`.
    pub path: PathBuf,
    pipe: File,
    lines: Receiver<String>,
}

impl Announcements {
    /// Makes the pipe.
    #[must_use]
    pub fn new(sandbox: &Sandbox) -> Self {
        let path = sandbox.root("announcements");
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.is_ok_and(|status| status.success()), "this test needs mkfifo (Debian: coreutils)");
        // Opened for both, so that neither end waits for the other, and reading never meets an end.
        let open = || OpenOptions::new().read(true).write(true).open(&path);
        let opened = open().and_then(|pipe| Ok((pipe, open()?)));
        let (pipe, reader) = opened.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (sender, lines) = channel();
        // Ends with the test: nobody waits for it.
        std::thread::spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                if sender.send(line.trim().to_owned()).is_err() {
                    return;
                }
            }
        });
        Self { path, pipe, lines }
    }

    /// Waits for the next line.
    #[must_use]
    pub fn read(&mut self) -> String {
        let line = self.lines.recv_timeout(PATIENCE);
        line.unwrap_or_else(|_| {
            panic!("no compiler has said anything through {}: did the link fail?", self.path.display())
        })
    }

    /// Forgets what has been said so far.
    pub fn drain(&mut self) {
        let end = "--- end of what was said ---";
        let written = writeln!(self.pipe, "{end}");
        written.unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
        while self.read() != end {}
    }
}
