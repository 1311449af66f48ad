//! Builds a project twice, the second time after an edit, each as its build system does it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::host::newer_suite::Apt;
use crate::host::project::Home;
use crate::host::{files, machine, run};

use super::projects::{CMake, Project, System};
use super::record::{self, Recorded};

/// At the end of a source, in C and in C++.
const ADDED: &str = "\nint added_by_the_corpus(int x);\nint added_by_the_corpus(int x) { return x * 7; }\n";

const FIRST: &str = "first";
const AGAIN: &str = "again";

/// Beside both builds' links, when both have ended.
const ENDED: &str = "ended";

/// Where projects are built, and by what.
pub(super) struct Place {
    home: Home,
    llvm: u32,
    thindist: PathBuf,
    linker: PathBuf,
    /// CMake and Meson of PyPI.
    newest: PathBuf,
    apt: Apt,
}

/// The links of a project.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) first: Vec<Recorded>,
    pub(super) again: Vec<Recorded>,
}

impl Built {
    /// Of the edit: backends that ran, and all in the links that it led to.
    pub(super) fn ran_again(&self) -> (u64, u64) {
        let again = self.again.iter().filter_map(Recorded::thin);
        again.fold((0, 0), |(ran, all), link| (ran + link.backends.run(), all + link.modules))
    }
}

impl Place {
    pub(super) fn prepare(home: &Home, llvm: u32, thindist: PathBuf) -> Result<Self> {
        let newest = home.dir.join("newest");
        if !newest.join("bin/cmake").exists() {
            let log = home.log("newest");
            run::quiet(Command::new("python3").args(["-m", "venv"]).arg(&newest), &log)?;
            let mut pip = Command::new(newest.join("bin/pip"));
            run::logged("fetch CMake and Meson", pip.args(["install", "--quiet", "cmake>=4", "meson"]), &log)?;
        }
        let apt = Apt::of_sources(&home.dir.join("apt"), &home.log("apt"))?;
        let place = Self { home: home.clone(), llvm, thindist, linker: record::linker(&home.dir)?, newest, apt };
        ["clang", "clang++"].iter().try_for_each(|name| place.write_compiler(name))?;
        Ok(place)
    }

    /// A compiler that names the linker by itself.
    fn write_compiler(&self, name: &str) -> Result<()> {
        let (tool, linker) = (self.tool(name), linker_flags(&self.linker));
        let path = self.home.dir.join(&tool);
        let words = format!("{linker} -Wno-unused-command-line-argument");
        files::write(&path, format!("#!/bin/sh\nexec /usr/bin/{tool} {words} \"$@\"\n"))?;
        files::make_executable(&path)
    }

    fn tool(&self, name: &str) -> String {
        format!("{name}-{}", self.llvm)
    }

    /// By its path, as ld.thindist starts it: `--help` says how it was called.
    fn lld(&self) -> String {
        format!("/usr/bin/{}", self.tool("ld.lld"))
    }

    /// The environment of a build: compilers, flags, and the linker that records into `to`.
    fn set_environment(&self, command: &mut Command, project: &Project, to: &Path) {
        let compile = format!("-flto=thin {}", project.flags);
        let link = format!("-flto=thin {} {}", project.flags, linker_flags(&self.linker));
        // libtool drops what it does not know from a link.
        let has_libtool = matches!(project.system, System::Autotools { .. } | System::Debian { .. });
        let compiler = |name: &str| match has_libtool {
            true => self.home.dir.join(self.tool(name)).display().to_string(),
            false => self.tool(name),
        };
        // A package's rules take the flags of its distribution and add these.
        let prefix = |name: &str| match project.system {
            System::Debian { .. } => format!("DEB_{name}_APPEND"),
            _ => name.to_owned(),
        };
        for (name, tool) in [("CC", "clang"), ("CXX", "clang++")] {
            command.env(name, compiler(tool));
        }
        for (name, tool) in [("AR", "llvm-ar"), ("NM", "llvm-nm"), ("RANLIB", "llvm-ranlib")] {
            command.env(name, self.tool(tool));
        }
        command.env(prefix("CFLAGS"), &compile).env(prefix("CXXFLAGS"), &compile).env(prefix("LDFLAGS"), &link);
        command.env("DEB_BUILD_OPTIONS", format!("nostrip parallel={}", machine::cpus()));
        command.env("RECORD_TO", to).env("RECORD_LLD", self.lld()).env("RECORD_THINDIST", &self.thindist);
        command.env("THINDIST_LLD", self.tool("ld.lld")).env("THINDIST_CACHE_DIR", self.home.cache());
    }
}

fn linker_flags(linker: &Path) -> String {
    format!("-fuse-ld=lld --ld-path={}", linker.display())
}

/// What an earlier run has kept of a project that was built to its end.
pub(super) fn kept(home: &Home, project: &Project) -> Result<Option<Built>> {
    if !home.dir.join(directory_name(project)).join(ENDED).exists() {
        return Ok(None);
    }
    let of = |round| record::read(&links(home, project, round));
    Ok(Some(Built { first: of(FIRST)?, again: of(AGAIN)? }))
}

fn directory_name(project: &Project) -> String {
    project.name.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '-' }).collect()
}

fn links(home: &Home, project: &Project, round: &str) -> PathBuf {
    home.dir.join(directory_name(project)).join(format!("links-{round}"))
}

/// The first build, an edit, and the second.
pub(super) fn twice(place: &Place, project: &Project) -> Result<Built> {
    let name = directory_name(project);
    let build = Build { place, project, dir: place.home.dir.join(&name), name };
    files::remove_dir(&build.dir)?;
    files::make_dir(&build.dir)?;
    build.unpack()?;
    let first = build.recorded(FIRST, build.whole())?;
    let edited = build.source().join(project.edited);
    let mut file = OpenOptions::new().append(true).open(&edited).map_err(|error| cannot_edit(&edited, &error))?;
    file.write_all(ADDED.as_bytes()).map_err(|error| cannot_edit(&edited, &error))?;
    let again = build.recorded(AGAIN, build.again())?;
    files::write(&build.dir.join(ENDED), "")?;
    Ok(Built { first, again })
}

fn cannot_edit(path: &Path, error: &std::io::Error) -> String {
    format!("cannot edit {}: {error}", path.display())
}

struct Build<'a> {
    place: &'a Place,
    project: &'a Project,
    dir: PathBuf,
    name: String,
}

impl Build<'_> {
    fn source(&self) -> PathBuf {
        self.dir.join("source")
    }

    fn out(&self) -> PathBuf {
        self.dir.join("build")
    }

    fn unpack(&self) -> Result<()> {
        self.place.apt.unpack_source(self.project.package, &self.source())
    }

    /// Runs these, and reads the links that they made.
    fn recorded(&self, round: &str, commands: Vec<Command>) -> Result<Vec<Recorded>> {
        let to = links(&self.place.home, self.project, round);
        files::make_dir(&to)?;
        for (number, mut command) in commands.into_iter().enumerate() {
            self.place.set_environment(&mut command, self.project, &to);
            let what = format!("{}-{round}-{number}", self.name);
            run::logged(&what, &mut command, &self.place.home.log(&what))?;
        }
        record::read(&to)
    }

    fn program(&self, program: impl AsRef<std::ffi::OsStr>, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.source()).args(words);
        command
    }

    /// Configured, built and, where that is part of it, tested.
    fn whole(&self) -> Vec<Command> {
        let out = self.out();
        match self.project.system {
            System::CMake { which, generator, options } => {
                let mut configure = self.program(self.cmake(which), &["-S", ".", "-G", generator]);
                configure.arg("-B").arg(&out).arg("-DCMAKE_BUILD_TYPE=Release").args(options);
                let tool = |name: &str| format!("/usr/bin/{}", self.place.tool(name));
                configure.arg(format!("-DCMAKE_AR={}", tool("llvm-ar")));
                configure.arg(format!("-DCMAKE_RANLIB={}", tool("llvm-ranlib")));
                all([vec![configure], self.again()])
            }
            System::Meson { options } => {
                let mut setup = self.program(self.place.newest.join("bin/meson"), &["setup", "--buildtype=release"]);
                setup.args(options).arg(&out);
                all([vec![setup], self.again()])
            }
            System::Autotools { options } => {
                let configure = self.program("./configure", options);
                let check = self.program("make", &["check"]);
                all([vec![configure], self.again(), vec![check]])
            }
            System::Debian { .. } => vec![self.program("dpkg-buildpackage", &["-us", "-uc", "-B", "-d"])],
        }
    }

    /// Built where it has been built.
    fn again(&self) -> Vec<Command> {
        let jobs = format!("-j{}", machine::cpus());
        match self.project.system {
            System::CMake { which, .. } => {
                let mut build = self.program(self.cmake(which), &["--build"]);
                build.arg(self.out()).arg(jobs);
                vec![build]
            }
            System::Meson { .. } => {
                let mut ninja = self.program("ninja", &["-C"]);
                ninja.arg(self.out());
                vec![ninja]
            }
            System::Autotools { .. } => vec![self.program("make", &[&jobs])],
            System::Debian { .. } => vec![
                self.program("rm", &["-f", "debian/debhelper-build-stamp"]),
                self.program("dpkg-buildpackage", &["-us", "-uc", "-B", "-d", "-nc"]),
            ],
        }
    }

    fn cmake(&self, which: CMake) -> PathBuf {
        match which {
            CMake::OfDebian => PathBuf::from("/usr/bin/cmake"),
            CMake::Newest => self.place.newest.join("bin/cmake"),
        }
    }
}

fn all<const N: usize>(commands: [Vec<Command>; N]) -> Vec<Command> {
    commands.into_iter().flatten().collect()
}
