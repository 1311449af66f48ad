//! `thindist cargo [--with-c] <cargo's arguments>`: runs cargo so that rustc leaves ThinLTO to the linker and thindist
//! is that linker.
//!
//! It sets environment variables and becomes cargo. What it knows of Rust is which LLVM rustc has, because the linker must be
//! of the same. docs/build-systems.md has the same settings for `.cargo/config.toml`.

use crate::ui::usage;
use clap::Args;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use thindist_engine::environment::Environment;
use thindist_engine::failure::{Failure, Result, io};
use thindist_engine::settings::Settings;
use thindist_engine::tools::{self, Tool};
use thindist_exec::State;

/// `thindist cargo`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Compile C and C++ to ThinLTO bitcode as well, for the same link
    #[arg(long)]
    with_c: bool,
    /// What cargo is to do, such as `build --release`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    words: Vec<OsString>,
}

#[cfg(test)]
impl Options {
    /// As it was understood.
    pub(crate) fn parts(self) -> (bool, Vec<OsString>) {
        (self.with_c, self.words)
    }
}

/// What cargo is called with is cargo's, also an option that is called as one of ours.
pub(crate) fn keep_words(words: &mut Vec<OsString>) {
    let asks = |word: Option<&OsString>| word.is_none_or(|word| word == "--help" || word == "-h");
    let begin = 1 + usize::from(words.get(1).is_some_and(|word| word == "--with-c"));
    if words.first().is_some_and(|word| word == "cargo") && !asks(words.get(begin)) {
        words.insert(begin, "--".into());
    }
}

pub(crate) fn run(environment: &Environment, Options { with_c, words }: Options) -> Result<ExitCode> {
    if words.is_empty() {
        return Err(Failure::new("no arguments for cargo").hint(usage::<Options>("cargo")));
    }
    let settings = Settings::load(environment)?;
    let cache = settings.cache_dir()?;
    let rustc = Rustc::ask()?;
    rustc.expect_target(&words)?;
    let tools = Tools::find(settings, &rustc, &cache)?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(words).envs(tools.environment(&rustc, with_c)?);
    let error = cargo.exec();
    Err(io("run", Path::new(cargo.get_program()), &error))
}

/// What `rustc -vV` says.
#[derive(Debug, PartialEq, Eq)]
struct Rustc {
    host: String,
    llvm: u32,
}

impl Rustc {
    fn ask() -> Result<Self> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let said = Command::new(&rustc).arg("-vV").output().map_err(|error| io("run", Path::new(&rustc), &error))?;
        Self::parse(&String::from_utf8_lossy(&said.stdout)).ok_or_else(|| {
            Failure::new(format_args!("{} -vV says neither host nor LLVM version", rustc.display()))
                .hint("name the compiler with RUSTC")
        })
    }

    fn parse(said: &str) -> Option<Self> {
        let field = |name: &str| said.lines().find_map(|line| line.strip_prefix(name));
        let llvm = field("LLVM version: ")?.split('.').next()?.parse().ok()?;
        Some(Self { host: field("host: ")?.to_owned(), llvm })
    }

    /// Another target has a linker, a C compiler and libraries of its own, which nobody has told us.
    fn expect_target(&self, words: &[OsString]) -> Result<()> {
        let joined = words.iter().find_map(|word| word.to_str()?.strip_prefix("--target="));
        let apart = words.windows(2).find(|pair| pair.first().is_some_and(|word| word == "--target"));
        let asked = joined.map(OsStr::new).or_else(|| apart.and_then(|pair| pair.last()).map(OsString::as_os_str));
        match asked {
            Some(target) if target != self.host.as_str() => {
                Err(Failure::new(format_args!("--target {} is not this machine's, {}", target.display(), self.host))
                    .hint("set its linker and flags in .cargo/config.toml, see docs/build-systems.md"))
            }
            _ => Ok(()),
        }
    }

    /// The target in the name of a variable of cargo's.
    fn variable(&self, name: &str) -> String {
        format!("CARGO_TARGET_{}_{name}", self.host.replace('-', "_").to_uppercase())
    }
}

/// Programs of rustc's LLVM, and thindist under its name as a linker.
struct Tools {
    lld: Tool,
    clang: PathBuf,
    linker: PathBuf,
}

impl Tools {
    fn find(mut settings: Settings, rustc: &Rustc, cache: &Path) -> Result<Self> {
        settings.set_default("lld", &format!("ld.lld-{}", rustc.llvm));
        let lld = tools::find_lld(&settings, "ld.thindist").map_err(|failure| {
            failure.hint(format_args!("rustc is of LLVM {0}: install lld-{0} and clang-{0}", rustc.llvm))
        })?;
        let state = State::open(cache);
        let lld = Tool::examine(&lld, settings.environment(), &state)?;
        // What rustc wrote an older LLVM does not read; a newer one would be another compiler than its user knows.
        if lld.major != rustc.llvm {
            return Err(Failure::new(format_args!(
                "{} is of LLVM {}, but rustc is of LLVM {}",
                lld.path.display(),
                lld.major,
                rustc.llvm
            ))
            .hint(format_args!("set THINDIST_LLD=ld.lld-{}", rustc.llvm)));
        }
        let clang = tools::find_clang(&settings, &lld, &state)?.path;
        Ok(Self { lld, clang, linker: linker_name(cache)? })
    }

    fn environment(&self, rustc: &Rustc, with_c: bool) -> Result<Vec<(String, OsString)>> {
        let flags = format!(
            "-Clinker-plugin-lto -Clink-arg=-fuse-ld=lld -Clink-arg=--ld-path={}",
            self.linker.to_str().ok_or_else(|| Failure::new("the cache's path is not UTF-8"))?
        );
        // Cargo takes flags of one of these places, and none of a second one.
        let flags_in = if std::env::var_os("RUSTFLAGS").is_some() { "RUSTFLAGS" } else { &rustc.variable("RUSTFLAGS") };
        let mut set = vec![
            ("THINDIST_LLD".to_owned(), self.lld.path.clone().into()),
            (rustc.variable("LINKER"), self.clang.clone().into()),
            (flags_in.to_owned(), appended(flags_in, &flags)),
        ];
        if with_c {
            let of_target = |name: &str| format!("{name}_{}", rustc.host.replace('-', "_"));
            set.push((of_target("CC"), self.clang.clone().into()));
            set.push((of_target("CXX"), self.sibling("clang++").into()));
            set.push((of_target("AR"), self.sibling("llvm-ar").into()));
            for name in ["CFLAGS", "CXXFLAGS"].map(of_target) {
                let flags = appended(&name, "-flto=thin");
                set.push((name, flags));
            }
        }
        Ok(set)
    }
}

impl Tools {
    /// A tool of clang's LLVM: beside it, else by the name that distributions give it.
    fn sibling(&self, name: &str) -> PathBuf {
        let versioned = format!("{name}-{}", self.lld.major);
        let beside = [name, &versioned].map(|name| self.clang.with_file_name(name));
        beside.into_iter().find(|path| path.is_file()).unwrap_or_else(|| versioned.into())
    }
}

/// What a variable has already stays in front.
fn appended(name: &str, flags: &str) -> OsString {
    let mut value = std::env::var_os(name).unwrap_or_default();
    if !value.is_empty() {
        value.push(" ");
    }
    value.push(flags);
    value
}

/// A link by the name of a linker to this program, where it stays: flags that change make cargo compile all anew.
fn linker_name(cache: &Path) -> Result<PathBuf> {
    let program = std::env::current_exe().map_err(|error| io("find", "thindist itself", &error))?;
    let (directory, link) = (cache.join("bin"), cache.join("bin/ld.thindist"));
    if std::fs::read_link(&link).is_ok_and(|target| target == program) {
        return Ok(link);
    }
    let made = || {
        std::fs::create_dir_all(&directory)?;
        let fresh = directory.join(format!("ld.thindist-{}", std::process::id()));
        std::os::unix::fs::symlink(&program, &fresh)?;
        std::fs::rename(&fresh, &link)
    };
    made().map_err(|error| io("create", &link, &error))?;
    Ok(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "rustc 1.95.0\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\nLLVM version: 22.1.2\n";

    #[test]
    fn what_rustc_says() {
        let rustc = Rustc::parse(SAID).unwrap();
        assert_eq!(rustc, Rustc { host: "x86_64-unknown-linux-gnu".into(), llvm: 22 });
        assert_eq!(rustc.variable("LINKER"), "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER");
        assert_eq!(Rustc::parse("rustc 1.95.0\n"), None);
    }

    #[test]
    fn another_target_is_refused() {
        let rustc = Rustc::parse(SAID).unwrap();
        let check = |line: &str| rustc.expect_target(&line.split(' ').map(OsString::from).collect::<Vec<_>>()).is_ok();
        assert!(check("build --release") && check("build --target x86_64-unknown-linux-gnu"));
        assert!(!check("build --target=wasm32-wasip1") && !check("test --target aarch64-unknown-linux-gnu"));
    }
}
