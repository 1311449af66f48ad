//! A directory of its own for one test, with a pinned, cleared environment.

use crate::{Run, Stats, Tool};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The LLVM versions that every test of something that concerns LLVM runs on.
pub const VERSIONS: [u32; 2] = [19, 22];

/// Those that `THINDIST_TEST_LLVM` names, with commas between them, or else `usual`.
///
/// # Panics
///
/// If something in it is no number.
#[must_use]
pub fn versions_or(usual: &[u32]) -> Vec<u32> {
    let Ok(named) = std::env::var("THINDIST_TEST_LLVM") else { return usual.to_vec() };
    let read = |word: &str| word.parse().unwrap_or_else(|_| panic!("THINDIST_TEST_LLVM: `{word}` is no version"));
    named.split(',').map(read).collect()
}

/// ```text
/// bin/     thindist under its names        work/    where tools run, sources and outputs
/// cache/   THINDIST_CACHE_DIR              slots/   THINDIST_SLOTS_DIR
/// home/    HOME                            tmp/     TMPDIR
/// scratch/ THINDIST_SCRATCH_DIR
/// ```
#[derive(Debug)]
pub struct Sandbox {
    root: PathBuf,
    llvm: u32,
    links: AtomicUsize,
}

impl Sandbox {
    /// A sandbox for `program`, the thindist to test, with the LLVM of this major version.
    #[must_use]
    pub fn new(program: &str, llvm: u32) -> Self {
        let sandbox = Self::without_program(llvm);
        for name in ["thindist", "ld.thindist"] {
            let link = sandbox.root("bin").join(name);
            symlink(program, &link).unwrap_or_else(|error| panic!("{}: {error}", link.display()));
        }
        sandbox.prime_state();
        sandbox
    }

    /// A sandbox for links in the test's own process.
    #[must_use]
    pub fn without_program(llvm: u32) -> Self {
        let directory = tempfile::Builder::new().prefix("thindist-e2e-").tempdir();
        let root = directory.unwrap_or_else(|error| panic!("cannot make a sandbox: {error}")).keep();
        let sandbox = Self { root, llvm, links: AtomicUsize::new(0) };
        for name in ["bin", "work", "home", "tmp"] {
            sandbox.make_directory(sandbox.root(name));
        }
        sandbox
    }

    /// Gives the cache the digests of LLVM's libraries, 200 MB, that another sandbox of this process has computed.
    fn prime_state(&self) {
        static KNOWN: Mutex<BTreeMap<u32, Vec<u8>>> = Mutex::new(BTreeMap::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.root("cache/state.sqlite");
        if let Some(bytes) = known.get(&self.llvm) {
            self.make_directory(self.root("cache"));
            fs::write(&state, bytes).unwrap_or_else(|error| panic!("{}: {error}", state.display()));
        } else {
            self.tool("thindist").args("doctor").ok();
            let bytes = fs::read(&state).unwrap_or_else(|error| panic!("{}: {error}", state.display()));
            known.insert(self.llvm, bytes);
        }
    }

    /// The linker's line that clang would run for `line`, as the path of a response file in the work directory.
    #[track_caller]
    #[must_use]
    pub fn linker_line(&self, line: &str) -> String {
        let said = self.clang(&format!("-### -flto=thin -fuse-ld=lld {line}")).stderr;
        let linker =
            said.lines().last().and_then(|line| line.split_once(".lld\" ").or_else(|| line.split_once("lld\" ")));
        let Some((_, words)) = linker else { panic!("clang -### shows no linker line: {said}") };
        self.write("line.rsp", words);
        "@line.rsp".to_owned()
    }

    /// The LLVM major version of this test.
    #[must_use]
    pub fn llvm(&self) -> u32 {
        self.llvm
    }

    /// A path in the sandbox.
    #[must_use]
    pub fn root(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(name)
    }

    /// A path in the directory where tools run.
    #[must_use]
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join("work").join(name)
    }

    /// Creates a directory with those above it.
    pub fn make_directory(&self, path: impl AsRef<Path>) {
        let path = path.as_ref();
        fs::create_dir_all(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Writes a file in the work directory.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        self.make_directory(path.parent().unwrap_or(&path));
        fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    pub(crate) fn write_executable(&self, path: &Path, content: &[u8]) {
        fs::write(path, content)
            .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// The content of a file in the work directory.
    #[track_caller]
    #[must_use]
    pub fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Puts thindist in PATH under another name as well.
    pub fn masquerade_as(&self, name: &str) {
        let link = self.root("bin").join(name);
        symlink("thindist", &link).unwrap_or_else(|error| panic!("{}: {error}", link.display()));
    }

    /// A tool by its name or path, in this sandbox's environment and nothing else.
    #[must_use]
    pub fn tool(&self, name: impl AsRef<Path>) -> Tool {
        let name = name.as_ref();
        let ours = self.root("bin").join(name);
        let mut command = Command::new(if ours.exists() { &ours } else { name });
        command.current_dir(self.path("")).env_clear().envs(self.variables());
        // Most tests are of separate backends; those of the other ways, and of the choice, say so.
        command.env("THINDIST_WAY", "index-only").env("THINDIST_UNLISTED", "1");
        Tool(command)
    }

    /// Its environment.
    #[must_use]
    pub fn variables(&self) -> Vec<(OsString, OsString)> {
        let path = format!("{}:/usr/bin:/bin", self.root("bin").display());
        let texts = [("PATH", path), ("LC_ALL", "C".to_owned()), ("THINDIST_LLD", format!("ld.lld-{}", self.llvm))];
        let places = [("HOME", "home"), ("TMPDIR", "tmp"), ("THINDIST_CACHE_DIR", "cache")];
        let ours = [("THINDIST_SLOTS_DIR", "slots"), ("THINDIST_SCRATCH_DIR", "scratch")];
        let places = places.into_iter().chain(ours).map(|(name, place)| (name.into(), self.root(place).into()));
        texts.map(|(name, text)| (name.into(), text.into())).into_iter().chain(places).collect()
    }

    /// `ld.thindist` with these arguments.
    #[must_use]
    pub fn ld(&self, line: &str) -> Tool {
        self.tool("ld.thindist").args(line)
    }

    /// The same as a user has it: thindist chooses how lld is driven.
    #[must_use]
    pub fn auto(&self, line: &str) -> Tool {
        self.ld(line).without_env("THINDIST_WAY").without_env("THINDIST_UNLISTED")
    }

    /// The real lld with these arguments, expected to succeed.
    #[track_caller]
    pub fn lld(&self, line: &str) -> Run {
        self.tool(format!("ld.lld-{}", self.llvm)).args(line).ok()
    }

    /// `ld.lld-NAME`, a script that runs `first` and becomes the real lld.
    #[must_use]
    pub fn lld_behind(&self, name: &str, first: &str) -> PathBuf {
        let path = self.root("bin").join(format!("ld.lld-{name}"));
        let script = format!("#!/bin/sh\n{first}\nexec /usr/bin/ld.lld-{} \"$@\"\n", self.llvm);
        self.write_executable(&path, script.as_bytes());
        path
    }

    /// clang with these arguments, expected to succeed.
    #[track_caller]
    pub fn clang(&self, line: &str) -> Run {
        self.tool(format!("clang-{}", self.llvm)).args(line).ok()
    }

    /// llvm-ar with these arguments, expected to succeed.
    #[track_caller]
    pub fn ar(&self, line: &str) {
        self.tool(format!("llvm-ar-{}", self.llvm)).args(line).ok();
    }

    /// Writes C sources and compiles each to ThinLTO bitcode beside it.
    #[track_caller]
    pub fn bitcode(&self, sources: &[(&str, &str)]) {
        sources.iter().for_each(|(name, text)| self.compile("-O2 -flto=thin", name, text));
    }

    /// Writes a C source and compiles it to `NAME.o` beside it.
    #[track_caller]
    pub fn compile(&self, flags: &str, name: &str, text: &str) {
        self.write(name, text);
        let object = Path::new(name).with_extension("o");
        self.clang(&format!("{flags} -c {name} -o {}", object.display()));
    }

    /// Links with thindist, expects success, and gives what it says of the link.
    #[track_caller]
    pub fn link(&self, line: &str) -> Stats {
        self.stats_of(self.ld(line))
    }

    /// Runs a link that is expected to succeed and to be one link.
    #[track_caller]
    pub fn stats_of(&self, tool: Tool) -> Stats {
        let file = self.root(format!("stats-{}", self.links.fetch_add(1, Ordering::Relaxed)));
        let run = tool.env("THINDIST_STATS", &file).ok();
        let text = fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("no stats of this link, was it done in-process? {error}\n{run}"));
        let lines: Vec<&str> = text.lines().collect();
        let [line] = lines.as_slice() else { panic!("stats of {} links, expected one: {text}", lines.len()) };
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// `thindist verify` of this line.
    #[must_use]
    pub fn verify(&self, line: &str) -> Tool {
        self.tool("thindist").args("verify --").args(line)
    }

    /// Expects that `thindist verify` finds nothing different.
    #[track_caller]
    pub fn verify_identical(&self, line: &str) {
        let run = self.verify(line).ok();
        assert!(run.stdout.starts_with("identical: "), "{run}");
    }

    /// The number of entries in the action cache.
    #[must_use]
    pub fn action_results(&self) -> usize {
        self.files_below("cache/ac").iter().filter(|path| path.is_file()).count()
    }

    /// What is left in the cache's directory of temporaries.
    #[must_use]
    pub fn temporaries(&self) -> Vec<PathBuf> {
        self.files_below("cache/tmp")
    }

    /// Every file below a directory of the sandbox, sorted; directories that are empty count as well.
    #[must_use]
    pub fn files_below(&self, name: impl AsRef<Path>) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.root(name)];
        while let Some(directory) = open.pop() {
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            for path in entries.flatten().map(|entry| entry.path()) {
                let is_directory = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
                if is_directory {
                    open.push(path.clone());
                    if fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_none()) {
                        found.push(path);
                    }
                } else {
                    found.push(path);
                }
            }
        }
        found.sort_unstable();
        found
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the sandbox is kept for a look: {}", self.root.display());
        } else {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}
