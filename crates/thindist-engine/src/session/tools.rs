//! The real lld and clang: where they are, their versions, and their identities.

use crate::environment::Environment;
use crate::failure::{Failure, Result, io};
use crate::parallel::{self, cores};
use crate::settings::Settings;
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use thindist_core::digest::{Digest, Hasher};
use thindist_core::lld::versions::{self, VERSIONS, Version};
use thindist_exec::{FileStamp, State};

/// Versions that are looked for although thindist was not tried with them: their links are theirs alone.
const OLDEST_NAMED: u32 = 11;
const NEWEST_NAMED: u32 = 40;

/// The names under which thindist stands in for lld.
pub fn is_linker_name(name: &str) -> bool {
    name == "ld.thindist"
        || name == "ld.lld"
        || name.strip_prefix("ld.lld-").is_some_and(|version| version.parse::<u32>().is_ok())
}

/// Finds the real lld: the one named, else the one that masquerading replaces, else the newest.
pub fn find_lld(settings: &Settings, called_as: &str) -> Result<PathBuf> {
    if let Some(named) = settings.get("lld") {
        return find_named(named, settings.environment()).ok_or_else(|| {
            Failure::new(format_args!("THINDIST_LLD={named}: no such linker")).hint("give a path, or a name in PATH")
        });
    }
    if called_as.starts_with("ld.lld") {
        return find_behind_ourselves(called_as, settings.environment()).ok_or_else(|| {
            Failure::new(format_args!("no other {called_as} in PATH behind this one"))
                .hint("thindist stands in for it and needs the real one; install lld or set THINDIST_LLD")
        });
    }
    let tried = VERSIONS.iter().rev().map(|version| version.major);
    let untried = (OLDEST_NAMED..=NEWEST_NAMED).rev().filter(|major| versions::version(*major).is_none());
    let versions = tried.chain(untried).map(|major| format!("ld.lld-{major}"));
    let found = |name: String| find_behind_ourselves(&name, settings.environment());
    versions.chain(["ld.lld".to_owned()]).find_map(found).ok_or_else(|| {
        Failure::new("no ld.lld in PATH")
            .hint("install lld (Debian: apt-get install lld-22 clang-22) or set THINDIST_LLD")
    })
}

/// A program by its path, or the first of its name in PATH that is not thindist.
pub fn find_named(named: &str, environment: &Environment) -> Option<PathBuf> {
    if named.contains('/') {
        Some(PathBuf::from(named)).filter(|path| is_executable(path))
    } else {
        find_behind_ourselves(named, environment)
    }
}

/// The first program of this name in PATH that is not thindist itself, whatever links lead to it.
fn find_behind_ourselves(name: &str, environment: &Environment) -> Option<PathBuf> {
    let ourselves = environment.program().and_then(|path| path.canonicalize().ok());
    std::env::split_paths(environment.get("PATH")?).map(|directory| directory.join(name)).find(|candidate| {
        is_executable(candidate) && candidate.canonicalize().ok().is_some_and(|real| Some(real) != ourselves)
    })
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The LLVM major version in the output of a tool's `--version`.
fn parse_major(version: &str) -> Option<u32> {
    let after = ["LLD ", "clang version "].iter().find_map(|mark| version.split(mark).nth(1))?;
    after.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

/// A tool with what was found out about it.
#[derive(Debug, Clone)]
pub struct Tool {
    /// The path by which it was found, which runs it; symbolic links are not resolved.
    pub path: PathBuf,
    /// The LLVM major version.
    pub major: u32,
    /// Once it is known.
    identity: OnceLock<Digest>,
    /// A script, or a program that runs another: what it will do tomorrow its own content does not tell.
    pub(crate) is_wrapper: bool,
    /// What `--version` prints.
    version: String,
    /// The file itself.
    real: PathBuf,
    /// The libraries that it loads, and the loader.
    libraries: Vec<PathBuf>,
}

impl Tool {
    /// What is known of its version, or of the nearest that was tried.
    pub(crate) fn row(&self) -> &'static Version {
        versions::nearest(self.major)
    }

    /// Every file that a machine must have to run it: itself first.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&self.real).chain(&self.libraries).map(PathBuf::as_path)
    }

    /// The content of the file and of every library that it loads; of a compiler also that of the one behind a wrapper.
    /// LLVM's libraries are hashed once and then remembered: it takes a quarter of a second.
    pub fn identity(&self, state: &State) -> Result<Digest> {
        if let Some(known) = self.identity.get() {
            return Ok(*known);
        }
        let digests = state.digest_files(&self.paths(), cores()).into_iter().map(|file| Ok(file?.0));
        let identity = identity_of(digests.collect::<Result<_>>()?);
        Ok(*self.identity.get_or_init(|| identity))
    }

    /// The same, if nothing has to be read for it. What nobody has hashed, nothing has been stored under.
    pub(crate) fn known_identity(&self) -> Option<Digest> {
        self.identity.get().copied()
    }

    fn paths(&self) -> Vec<PathBuf> {
        self.files().map(Path::to_owned).collect()
    }

    /// Examines the tool at `path`. What costs a process is remembered under the digest of the binary.
    pub fn examine(path: &Path, environment: &Environment, state: &State) -> Result<Self> {
        let real = path.canonicalize().map_err(|error| io("find", path, &error))?;
        let (binary, _) = state.digest_file(&real)?;
        let record = Asked { path, real: &real, environment }.record(&binary, state)?;
        let tool = Self {
            path: path.to_owned(),
            major: record.major(&real)?,
            identity: OnceLock::new(),
            is_wrapper: record.is_wrapper(&real)?,
            libraries: record.libraries.iter().map(PathBuf::from).collect(),
            version: record.version,
            real,
        };
        if let Some(digests) = state.recall_files(&tool.paths()) {
            tool.identity.get_or_init(|| identity_of(digests));
        }
        Ok(tool)
    }

    /// A wrapper around a compiler with that compiler in its identity. It is looked for at each link, because the
    /// script may lead to another one without any change to itself.
    fn with_compiler_behind(mut self, environment: &Environment, state: &State) -> Result<Self> {
        let behind = self.compiler_behind(environment, state).ok_or_else(|| {
            Failure::new(format_args!(
                "{} is a wrapper around an unknown compiler: after an update of that compiler old objects would be used",
                self.path.display()
            ))
            .hint("name the compiler itself with THINDIST_CLANG")
        })?;
        let mut hasher = Hasher::default();
        hasher.update(self.identity(state)?.hash());
        hasher.update(behind.identity(state)?.hash());
        self.identity = OnceLock::from(hasher.finish());
        Ok(self)
    }

    /// The line of `--version` that has the version.
    pub fn version_line(&self) -> &str {
        version_line(&self.version).unwrap_or_default()
    }

    /// The configuration file that clang reads, as its `--version` says.
    pub fn configuration_file(&self) -> Option<&str> {
        self.version.lines().find_map(|line| line.strip_prefix("Configuration file: "))
    }

    /// The compiler of this very version in the directory that clang says it is installed in.
    fn compiler_behind(&self, environment: &Environment, state: &State) -> Option<Self> {
        let directory = installed_dir(&self.version)?;
        let names = [format!("clang-{}", self.major), "clang".to_owned()];
        let candidates = names.iter().map(|name| directory.join(name)).filter(|path| is_executable(path));
        candidates
            .filter_map(|path| Self::examine(&path, environment, state).ok())
            .find(|candidate| !candidate.is_wrapper && candidate.version_line() == self.version_line())
    }
}

/// Of the digests of a tool's files, itself first. Libraries by content, not by path: the same compiler elsewhere finds its libraries
/// elsewhere.
fn identity_of(digests: Vec<Digest>) -> Digest {
    let mut hasher = Hasher::default();
    let mut digests = digests.into_iter();
    digests.next().iter().for_each(|binary| hasher.update(binary.hash()));
    digests.collect::<BTreeSet<_>>().iter().for_each(|library| hasher.update(library.hash()));
    hasher.finish()
}

/// The directory that the compiler was started from, as its `--version` says.
fn installed_dir(version: &str) -> Option<PathBuf> {
    version.lines().find_map(|line| line.strip_prefix("InstalledDir: ")).map(PathBuf::from)
}

/// A wrapper may add options, which other lines show.
fn version_line(version: &str) -> Option<&str> {
    version.lines().find(|line| parse_major(line).is_some())
}

fn is_elf(path: &Path) -> Result<bool> {
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|file| file.read_at(&mut magic, 0));
    read.map_err(|error| io("read", path, &error))?;
    Ok(magic == *b"\x7fELF")
}

/// What a tool says of itself.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Record {
    version: String,
    libraries: Vec<String>,
}

/// A tool that is asked what it is.
#[derive(Clone, Copy)]
struct Asked<'a> {
    path: &'a Path,
    real: &'a Path,
    environment: &'a Environment,
}

impl Asked<'_> {
    fn record(self, binary: &Digest, state: &State) -> Result<Record> {
        let Self { path, real, .. } = self;
        if !is_elf(real)? {
            // Under the name that it was given: a script may go by that.
            return Ok(Record { version: self.version(path)?, libraries: Vec::new() });
        }
        let key = self.key(binary);
        let remembered = state.facts("tool-2", &key).and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
        // A library that has gone means another installation: ask again.
        if let Some(record) =
            remembered.filter(|record| record.libraries.iter().all(|library| Path::new(library).is_file()))
        {
            return Ok(record);
        }
        // Each takes as long as the tool's start.
        let (version, libraries) = parallel::both(|| self.version(real), || self.libraries())?;
        let record = Record { version: version?, libraries: libraries? };
        if let (Ok(bytes), false) = (serde_json::to_vec(&record), record.is_wrapper(real)?) {
            state.remember_facts("tool-2", &[(key, bytes)]);
        }
        Ok(record)
    }

    fn key(self, binary: &Digest) -> Digest {
        let directories = self.environment.get("LD_LIBRARY_PATH").unwrap_or_default();
        let mut key = Hasher::default();
        key.update(binary.hash());
        key.part(self.real.as_os_str().as_encoded_bytes());
        key.part(directories.as_encoded_bytes());
        // Where the loader looks may have other libraries tomorrow: what changed there changes the key.
        for place in std::env::split_paths(directories).chain([PathBuf::from("/etc/ld.so.cache")]) {
            let stamp = FileStamp::of(&place).map(|stamp| format!("{} {stamp:?}", place.display()));
            key.part(stamp.unwrap_or_default().as_bytes());
        }
        key.finish()
    }

    fn version(self, tool: &Path) -> Result<String> {
        // lld decides by its name which linker it is, so a canonical path (".../lld") would not do.
        let words = if tool.ends_with("lld") { &["-flavor", "gnu", "--version"][..] } else { &["--version"][..] };
        self.output(tool, words, None)
    }

    /// The libraries that the dynamic loader loads for the tool, as the loader itself lists them.
    fn libraries(self) -> Result<Vec<String>> {
        let text = self.output(self.real, &[], Some(("LD_TRACE_LOADED_OBJECTS", "1")))?;
        let paths = text.lines().filter_map(|line| {
            let path = line.split("=>").last()?.split_whitespace().next()?;
            path.starts_with('/').then(|| path.to_owned())
        });
        let mut libraries: Vec<String> = paths.collect();
        libraries.sort_unstable();
        libraries.dedup();
        Ok(libraries)
    }

    fn output(self, tool: &Path, words: &[&str], variable: Option<(&str, &str)>) -> Result<String> {
        let mut command = Command::new(tool);
        command.args(words).env_clear();
        command.envs(self.environment.variables().iter().map(|(name, value)| (name, value))).envs(variable);
        let output = command.output().map_err(|error| io("run", tool, &error))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Record {
    /// A compiler that was started from elsewhere than `real` is another program.
    fn is_wrapper(&self, real: &Path) -> Result<bool> {
        let elsewhere = installed_dir(&self.version)
            .and_then(|directory| directory.canonicalize().ok())
            .is_some_and(|directory| Some(directory.as_path()) != real.parent());
        Ok(elsewhere || !is_elf(real)?)
    }

    fn major(&self, tool: &Path) -> Result<u32> {
        parse_major(&self.version).ok_or_else(|| {
            Failure::new(format_args!(
                "{}: --version does not name an LLVM version: {}",
                tool.display(),
                self.version.lines().next().unwrap_or("(nothing)")
            ))
            .hint("name lld with THINDIST_LLD and clang with THINDIST_CLANG")
        })
    }
}

/// clang for the backends: the one named, else lld's sibling of the same LLVM.
pub fn find_clang(settings: &Settings, lld: &Tool, state: &State) -> Result<Tool> {
    let path = named_clang(settings).unwrap_or_else(|| sibling_clang(lld, settings.environment()))?;
    let clang = compiler(&path, settings.environment(), state)?;
    check_same_llvm(&clang, lld)?;
    Ok(clang)
}

/// Lets the compiler that probably goes with the lld at `lld` say what it is: two starts at once take as long as one. Which one goes
/// with it is known when lld has said its version; if that is another, nothing is lost.
pub(crate) fn ask_ahead(settings: &Settings, lld: &Path, state: &State) {
    let beside = || Some(lld.canonicalize().ok()?.with_file_name("clang"));
    let Some(path) = named_clang(settings).map_or_else(beside, Result::ok) else { return };
    let Ok(real) = path.canonicalize() else { return };
    // A script is asked at each link, and would be asked twice.
    if let (Ok(true), Ok((binary, _))) = (is_elf(&real), state.digest_file(&real)) {
        let asked = Asked { path: &path, real: &real, environment: settings.environment() }.record(&binary, state);
        drop(asked.inspect_err(|failure| tracing::debug!("{failure}")));
    }
}

/// Native objects equal in-process ones only if both are of one LLVM.
pub(crate) fn check_same_llvm(clang: &Tool, lld: &Tool) -> Result<()> {
    if clang.major != lld.major {
        return Err(Failure::new(format_args!(
            "{} is of LLVM {}, but {} is of LLVM {}",
            clang.path.display(),
            clang.major,
            lld.path.display(),
            lld.major
        ))
        .hint(
            "native objects equal in-process ones only if both are of one LLVM; set THINDIST_CLANG or THINDIST_LLD",
        ));
    }
    Ok(())
}

/// The compiler at `path`, with the one behind it if it is a wrapper.
pub fn compiler(path: &Path, environment: &Environment, state: &State) -> Result<Tool> {
    let clang = Tool::examine(path, environment, state)?;
    if clang.is_wrapper { clang.with_compiler_behind(environment, state) } else { Ok(clang) }
}

/// The compiler that THINDIST_CLANG names.
pub(crate) fn named_clang(settings: &Settings) -> Option<Result<PathBuf>> {
    let named = settings.get("clang")?;
    Some(find_named(named, settings.environment()).ok_or_else(|| {
        Failure::new(format_args!("THINDIST_CLANG={named}: no such compiler")).hint("give a path, or a name in PATH")
    }))
}

fn sibling_clang(lld: &Tool, environment: &Environment) -> Result<PathBuf> {
    let real = lld.path.canonicalize().map_err(|error| io("find", &lld.path, &error))?;
    let beside = [real.parent(), lld.path.parent()].into_iter().flatten();
    let versioned = format!("clang-{}", lld.major);
    let near = beside
        .flat_map(|directory| [directory.join(&versioned), directory.join("clang")])
        .find(|path| is_executable(path));
    near.or_else(|| find_behind_ourselves(&versioned, environment)).ok_or_else(|| {
        Failure::new(format_args!("no clang of LLVM {} beside {} or in PATH", lld.major, lld.path.display()))
            .hint(format_args!("backend compilations need it: install clang-{} or set THINDIST_CLANG", lld.major))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(parse_major("Debian LLD 22.1.8 (compatible with GNU linkers)"), Some(22));
        assert_eq!(parse_major("Debian clang version 19.1.7 (3)"), Some(19));
        assert_eq!(parse_major("GNU ld 2.40"), None);
    }

    #[test]
    fn places() {
        let version = "clang version 22.1.8\nTarget: x86_64-pc-linux-gnu\nInstalledDir: /usr/lib/llvm-22/bin\n";
        assert_eq!(installed_dir(version), Some(PathBuf::from("/usr/lib/llvm-22/bin")));
        assert_eq!(version_line(version), Some("clang version 22.1.8"));
        assert_eq!(installed_dir("clang version 22.0.0\n"), None);
    }

    #[test]
    fn names() {
        assert!(["ld.thindist", "ld.lld", "ld.lld-22"].into_iter().all(is_linker_name));
        assert!(!["thindist", "ld", "ld.lld-x", "lld"].into_iter().any(is_linker_name));
    }
}
