//! Compilers that do what a test says: a script around the real one, or in its place.

use crate::Sandbox;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::Command;

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
        let real = format!("/usr/bin/clang-{}", sandbox.llvm());
        let script = format!(
            "#!/bin/sh\nreal={real}\nif [ \"$1\" = --version ]; then exec $real --version; fi\n\
             for out do :; done\n{body}\n"
        );
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

    /// Runs the real compiler once for each module and gives out copies from then on, before which it runs `first`.
    /// Right for one program of modules in the work directory whose indexes do not change.
    #[must_use]
    pub fn replaying(sandbox: &Sandbox, name: &str, first: &str) -> Self {
        let (modules, store) = (sandbox.path(""), sandbox.root("recorded"));
        sandbox.make_directory(&store);
        let (modules, store) = (modules.display(), store.display());
        let body = format!(
            "{first}\nfor module in {modules}/*.o; do if [ \"$module\" -ef module.bc ]; then break; fi; done\n\
             kept=\"{store}/${{module##*/}}\"\n\
             if [ ! -f \"$kept\" ]; then\n  $real \"$@\" || exit\n  /bin/cp $out \"$kept.$$\"\n  \
             /bin/mv \"$kept.$$\" \"$kept\"\n  exit\nfi\nexec /bin/cp \"$kept\" $out"
        );
        Self::new(sandbox, name, &body)
    }
}

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

/// A pipe with a name, through which fake compilers say what they are about to do.
#[derive(Debug)]
pub struct Announcements {
    /// Its path, for the script: `echo $$ > PATH`.
    pub path: PathBuf,
    lines: BufReader<File>,
}

impl Announcements {
    /// Makes the pipe.
    #[must_use]
    pub fn new(sandbox: &Sandbox) -> Self {
        let path = sandbox.root("announcements");
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.is_ok_and(|status| status.success()), "this test needs mkfifo (Debian: coreutils)");
        // Opened for both, so that neither end waits for the other, and reading never meets an end.
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let file = file.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, lines: BufReader::new(file) }
    }

    /// Waits for the next line.
    #[must_use]
    pub fn next(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
        line.trim().to_owned()
    }

    /// Forgets what has been said so far.
    pub fn drain(&mut self) {
        let end = "--- end of what was said ---";
        let written = writeln!(self.lines.get_mut(), "{end}");
        written.unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
        while self.next() != end {}
    }
}
