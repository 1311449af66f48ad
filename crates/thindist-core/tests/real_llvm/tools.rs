//! Real LLVM tools for tests. A missing tool is a failure that says what to install, never a skipped test.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// The LLVM versions that every such test runs on.
pub(crate) const VERSIONS: [u32; 2] = [19, 22];

/// A directory of its own for one test, removed at its end.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Whether a tool succeeds in this directory.
    pub(crate) fn succeeds(&self, line: &str) -> bool {
        let mut words = line.split_ascii_whitespace();
        let tool = words.next().unwrap();
        let output = Command::new(tool).args(words).current_dir(&self.0).output();
        output.unwrap_or_else(|error| panic!("{tool}: {error}")).status.success()
    }

    /// Runs a tool in this directory; a command line of words without blanks in them.
    pub(crate) fn run(&self, line: &str) -> String {
        let mut words = line.split_ascii_whitespace();
        self.run_words(words.next().unwrap(), words)
    }

    pub(crate) fn run_words<S: AsRef<OsStr>>(&self, tool: &str, arguments: impl IntoIterator<Item = S>) -> String {
        let mut command = Command::new(tool);
        command.args(arguments).current_dir(&self.0);
        let output = command.output().unwrap_or_else(|error| {
            panic!("this test needs {tool} (Debian: clang-19 lld-19 llvm-19 clang-22 lld-22 llvm-22): {error}")
        });
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {}\n{stderr}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A failing test keeps what it made, to be looked at.
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// `-O2 -flto=thin` bitcode of each source, next to it.
pub(crate) fn compile(version: u32, scratch: &Scratch, sources: &[(&str, &str)]) {
    for (name, text) in sources {
        scratch.write(name, text);
        let object = Path::new(name).with_extension("o");
        scratch.run(&format!("clang-{version} -O2 -flto=thin -c {name} -o {}", object.display()));
    }
}

/// Numbers without a pattern, the same in each run.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    /// `bytes` with a few bits flipped, and every fourth time cut short.
    pub(crate) fn damage(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut damaged = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let place = self.below(damaged.len());
            damaged[place] ^= 1 << self.below(8);
        }
        if self.below(4) == 0 {
            damaged.truncate(self.below(damaged.len()));
        }
        damaged
    }
}
