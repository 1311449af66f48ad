//! Packages of a newer Debian, fetched by apt and unpacked into a directory below `target/`.
//!
//! apt gets lists and a cache of its own, and a copy of the system's sources with another suite in it. So nothing of that
//! suite is ever offered to the system, at whatever priority, and root is not needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::host::{files, run};

/// The newest of all; releases come and go.
pub(crate) const NEWEST: &str = "sid";

/// Where apt keeps what names the archive.
const SOURCES: &str = "/etc/apt/sources.list.d";
const SOURCES_LIST: &str = "/etc/apt/sources.list";

/// An apt that knows only the newer suite.
pub(crate) struct Apt {
    home: PathBuf,
    log: PathBuf,
    offer: Offer,
    sources: PathBuf,
}

/// What an apt has to offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offer {
    /// Suites, the first of which stands on its own.
    Suites(&'static str),
    Sources,
}

impl Offer {
    fn name(self) -> &'static str {
        match self {
            Self::Suites(names) => names,
            Self::Sources => "source packages",
        }
    }

    /// The suites, in place of the release.
    fn suites(self, codename: &str) -> &str {
        match self {
            Self::Suites(names) => names,
            Self::Sources => codename,
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Suites(_) => "deb",
            Self::Sources => "deb-src",
        }
    }
}

impl Apt {
    /// An apt that has the packages of other suites, named with spaces between them; its lists go into `home`.
    pub(crate) fn open(home: &Path, log: &Path, suites: &'static str) -> Result<Apt> {
        Apt::with(home, log, Offer::Suites(suites))
    }

    /// An apt that has the release's own source packages.
    pub(crate) fn of_sources(home: &Path, log: &Path) -> Result<Apt> {
        Apt::with(home, log, Offer::Sources)
    }

    fn with(home: &Path, log: &Path, offer: Offer) -> Result<Apt> {
        files::make_dir(&home.join("lists/partial"))?;
        files::make_dir(&home.join("cache/archives/partial"))?;
        let codename = codename(&files::read(Path::new("/etc/os-release"))?)?;
        let (name, sources) = sources(&codename, offer)?;
        let path = home.join(name);
        files::write(&path, sources)?;
        let apt = Apt { home: home.to_path_buf(), log: log.to_path_buf(), offer, sources: path };
        files::write(&apt.configuration(), configuration(home, &apt.sources))?;
        run::logged(&format!("apt-get update for {}", offer.name()), apt.command("apt-get").arg("update"), log)?;
        Ok(apt)
    }

    /// The name of the first package, by version, of which `wanted` holds.
    pub(crate) fn find(&self, pattern: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let said = run::output(self.command("apt-cache").args(["search", "--names-only", pattern]))?;
        let text = String::from_utf8_lossy(&said);
        let names = text.lines().filter_map(|line| line.split_whitespace().next());
        let found = names.filter(|name| wanted(name)).min_by_key(|name| numbers(name));
        found.map(String::from).ok_or_else(|| format!("{} has no package that fits {pattern}", self.offer.name()))
    }

    /// Makes a root of the first suite with these packages and what they need, in which programs of this machine run as well.
    pub(crate) fn root(&self, packages: &[String], to: &Path) -> Result<()> {
        let fresh = to.with_added_extension("new");
        remove_root(&fresh)?;
        let suite = self.offer.name().split(' ').next().unwrap_or_default();
        let mut command = Command::new("mmdebstrap");
        command.args(["--variant=essential", "--aptopt=Acquire::Check-Valid-Until \"false\""]);
        command.arg(format!("--include={}", packages.join(","))).arg(suite).arg(&fresh).arg(&self.sources);
        run::logged(&format!("a root of {suite} with {}", packages.join(" ")), &mut command, &self.log)?;
        files::rename(&fresh, to)
    }

    /// Fetches `package` and unpacks it into `to`.
    pub(crate) fn unpack(&self, package: &str, to: &Path) -> Result<()> {
        let place = self.home.join("packages");
        files::remove_dir(&place)?;
        files::make_dir(&place)?;
        let mut download = self.command("apt-get");
        download.args(["download", package]).current_dir(&place);
        run::logged(&format!("fetch {package} of {}", self.offer.name()), &mut download, &self.log)?;
        let [archive] = files::list(&place)?.try_into().map_err(|_| format!("apt-get fetched no {package}"))?;
        run::quiet(Command::new("dpkg-deb").arg("-x").arg(archive).arg(to), &self.log)?;
        files::remove_dir(&place)
    }

    /// Fetches the upstream part of a source package into `to`, and says which file that is.
    pub(crate) fn source(&self, package: &str, to: &Path) -> Result<PathBuf> {
        self.download_source(package, to)?;
        let is_upstream = |path: &PathBuf| path.to_string_lossy().contains(".orig.tar.");
        files::list(to)?
            .into_iter()
            .find(is_upstream)
            .ok_or_else(|| format!("the source of {package} has no upstream part"))
    }

    /// Fetches a source package and unpacks it, patched as the release has it, as `to`.
    pub(crate) fn unpack_source(&self, package: &str, to: &Path) -> Result<()> {
        let place = self.home.join("sources").join(package);
        let described =
            |paths: &[PathBuf]| paths.iter().find(|path| path.extension().is_some_and(|it| it == "dsc")).cloned();
        files::make_dir(&place)?;
        if described(&files::list(&place)?).is_none() {
            self.download_source(package, &place)?;
        }
        let description = described(&files::list(&place)?).ok_or_else(|| format!("apt-get fetched no {package}"))?;
        let mut unpack = Command::new("dpkg-source");
        run::quiet(unpack.args(["--no-check", "-x"]).arg(description).arg(to), &self.log)
    }

    fn download_source(&self, package: &str, to: &Path) -> Result<()> {
        files::make_dir(to)?;
        let mut download = self.command("apt-get");
        download.args(["source", "--download-only", package]).current_dir(to);
        run::logged(&format!("fetch the source of {package}"), &mut download, &self.log).map(drop)
    }

    /// Whether there is such a package.
    pub(crate) fn has(&self, package: &str) -> bool {
        self.find(&format!("^{package}$"), |_| true).is_ok()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.configuration()).env("LC_ALL", "C");
        command
    }

    fn configuration(&self) -> PathBuf {
        self.home.join("apt.conf")
    }
}

/// A root that could not be made whole has files that nobody may write, but no mounts.
fn remove_root(path: &Path) -> Result<()> {
    run::output(Command::new("rm").args(["-rf", "--one-file-system"]).arg(path)).map(drop)
}

fn configuration(home: &Path, sources: &Path) -> String {
    let (home, sources) = (home.display(), sources.display());
    format!(
        "Dir::State::lists \"{home}/lists\";\nDir::Cache \"{home}/cache\";\n\
         Dir::Etc::sourcelist \"{sources}\";\nDir::Etc::sourceparts \"-\";\n"
    )
}

fn codename(os_release: &str) -> Result<String> {
    let found = os_release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    found.map(|name| name.trim_matches('"').to_string()).ok_or_else(|| "/etc/os-release has no VERSION_CODENAME".into())
}

/// The numbers in a name, to compare versions by.
pub(crate) fn numbers(name: &str) -> Vec<u32> {
    name.split(|character: char| !character.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// The system's sources of the release itself, with what is to be offered in their place, and a name for the copy: apt
/// knows by that how it is written.
fn sources(codename: &str, offer: Offer) -> Result<(&'static str, String)> {
    let mut paths = files::list(Path::new(SOURCES)).unwrap_or_default();
    paths.push(PathBuf::from(SOURCES_LIST));
    for path in paths {
        let Ok(text) = files::read(&path) else { continue };
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let found = match extension {
            "sources" => stanzas(&text, codename, offer).map(|copy| ("copy.sources", copy)),
            "list" => lines(&text, codename, offer).map(|copy| ("copy.list", copy)),
            _ => None,
        };
        if let Some(found) = found {
            return Ok(found);
        }
    }
    Err(format!("no file of apt's sources names the suite {codename}: this needs Debian's archive"))
}

/// The first stanza of a `.sources` file that names the release.
fn stanzas(text: &str, codename: &str, offer: Offer) -> Option<String> {
    let suites =
        |line: &str| line.strip_prefix("Suites:").is_some_and(|all| all.split_whitespace().any(|one| one == codename));
    let stanza = text.split("\n\n").find(|stanza| stanza.lines().any(suites))?;
    let lines = stanza.lines().filter(|line| !line.starts_with('#'));
    let copied = |line: &str| match line {
        line if suites(line) => format!("Suites: {}\n", offer.suites(codename)),
        line if line.starts_with("Types:") => format!("Types: {}\n", offer.kind()),
        line => format!("{line}\n"),
    };
    Some(lines.map(copied).collect())
}

/// The first line of a `.list` file that names the release.
fn lines(text: &str, codename: &str, offer: Offer) -> Option<String> {
    let line =
        text.lines().find(|line| line.starts_with("deb ") && line.split_whitespace().any(|word| word == codename))?;
    let words =
        line.split_whitespace().skip(1).map(|word| if word == codename { offer.suites(codename) } else { word });
    Some(std::iter::once(offer.kind()).chain(words).collect::<Vec<_>>().join(" ") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_becomes_the_newer_suite() {
        let text = "Types: deb\n# why\nURIs: U\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: K\n\n\
                    Types: deb\nURIs: V\nSuites: bookworm-security\n";
        let copy = stanzas(text, "bookworm", Offer::Suites(NEWEST)).unwrap();
        assert_eq!(copy, "Types: deb\nURIs: U\nSuites: sid\nComponents: main\nSigned-By: K\n");
        assert_eq!(stanzas(text, "trixie", Offer::Suites(NEWEST)), None);
        let text = "# deb U bookworm main\ndeb V bookworm-security main\ndeb [signed-by=K] U bookworm main contrib\n";
        assert_eq!(lines(text, "bookworm", Offer::Suites(NEWEST)).unwrap(), "deb [signed-by=K] U sid main contrib\n");
        assert_eq!(lines(text, "trixie", Offer::Suites(NEWEST)), None);
    }

    #[test]
    fn sources_are_the_releases_own() {
        let text = "Types: deb\nURIs: U\nSuites: bookworm bookworm-updates\n";
        let copy = stanzas(text, "bookworm", Offer::Sources).unwrap();
        assert_eq!(copy, "Types: deb-src\nURIs: U\nSuites: bookworm\n");
        assert_eq!(lines("deb U bookworm main\n", "bookworm", Offer::Sources).unwrap(), "deb-src U bookworm main\n");
    }

    #[test]
    fn versions_are_numbers() {
        assert!(numbers("linux-source-7.2") < numbers("linux-source-7.10"));
        assert_eq!(codename("ID=debian\nVERSION_CODENAME=bookworm\n").unwrap(), "bookworm");
        assert!(codename("ID=x\n").is_err());
    }
}
