//! A link that is tried on an engine: by a client without stores, by another one, by in-process ThinLTO, and after an
//! edit.
//!
//! It does not know what is linked. Counts are assertions, bytes on the wire as well; times are not measured here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::figures::checks::{Checks, require};
use crate::figures::stats::{self, Backends, Link};
use crate::host::project::Home;
use crate::host::{files, run};

use super::counted::Door;

/// Upload over the sum of distinct inputs.
const MOST_UP: f64 = 1.02;
/// What a look-up of one module says and hears, beside what is fetched: two questions, two answers, their frames.
const WORDS_OF_A_MODULE: u64 = 1 << 10;
/// An edit of one module: it, its index, the directories that list them, and the action; and the talk around them.
const BLOBS_OF_AN_EDIT: usize = 8;
const WORDS_OF_AN_EDIT: u64 = 16 << 10;

/// What is linked.
pub(crate) struct Subject<'a> {
    pub(crate) home: &'a Home,
    /// ld.thindist.
    pub(crate) linker: PathBuf,
    pub(crate) directory: PathBuf,
    /// The linker's line with this output.
    pub(crate) words: &'a dyn Fn(&Path) -> Result<Vec<String>>,
    /// Of clang.
    pub(crate) llvm: u32,
    /// Variables that have nothing to do with the engine.
    pub(crate) environment: Vec<(String, String)>,
    /// Fewer would show little.
    pub(crate) least_modules: u64,
}

impl Subject<'_> {
    pub(super) fn cache(&self, client: &str) -> PathBuf {
        self.home.dir.join(format!("cache-{client}"))
    }

    pub(super) fn output(&self, client: &str) -> PathBuf {
        self.home.dir.join(format!("{client}.out"))
    }

    /// `program` as this client on that engine.
    pub(super) fn command(&self, place: &Place<'_>, program: &Path, client: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.directory).envs(self.environment.iter().cloned());
        // Whole links may not answer, and nothing may be made in another way.
        command.env("THINDIST_MEMO", "0").env("THINDIST_FALLBACK", "never");
        command.env("THINDIST_CACHE_DIR", self.cache(client)).envs(place.settings());
        command
    }
}

/// On which engine.
pub(crate) struct Place<'a> {
    pub(crate) engine: &'a str,
    pub(crate) executes: bool,
    /// Whether its workers see this machine's files, and it runs an action once that several ask for at a time.
    pub(crate) merges_on_this_machine: bool,
    pub(crate) door: Door,
    /// Where the engine has its blobs as files, if it has.
    pub(crate) blobs: Option<PathBuf>,
}

/// An edit of one module, which nobody imports.
pub(crate) type Edit<'a> = dyn Fn() -> Result<()> + 'a;

/// Everything that is checked of one link on one engine; the edit is the last.
pub(crate) fn check(subject: &Subject<'_>, place: &Place<'_>, edit: &Edit<'_>, checks: &mut Checks) {
    let trial = Trial { subject, place };
    let mut record = |what: &str, outcome| checks.record(&format!("{}: {what}", place.engine), outcome);
    if !record("made from nothing", trial.is_made()) {
        return;
    }
    record("found by another client, nothing executed", trial.is_found());
    record("verify", trial.verify());
    if place.executes {
        record("an edit of one module sends what has changed", trial.edited(edit));
    }
}

struct Trial<'a> {
    subject: &'a Subject<'a>,
    place: &'a Place<'a>,
}

impl Trial<'_> {
    fn link(&self, client: &str) -> Result<Link> {
        let file = self.subject.home.fresh_stats(client)?;
        let mut command = self.subject.command(self.place, &self.subject.linker, client);
        command.env("THINDIST_STATS", &file).args((self.subject.words)(&self.subject.output(client))?);
        run::logged(&format!("{}: link, {client} client", self.place.engine), &mut command, &self.log(client))?;
        let link = stats::read(&file)?.pop().ok_or("no link")?;
        let least = self.subject.least_modules;
        require(link.modules >= least, || format!("only {} modules", link.modules))?;
        Ok(link)
    }

    fn log(&self, client: &str) -> PathBuf {
        self.subject.home.log(&format!("{}-{client}", self.place.engine))
    }

    fn is_made(&self) -> Result<String> {
        files::remove_dir(&self.subject.cache("first"))?;
        let _before = self.place.door.take();
        let link = self.link("first")?;
        let (backends, modules) = (&link.backends, link.modules);
        let made = if self.place.executes { backends.remote_executed } else { backends.executed };
        require(made == modules && backends.run() == modules, || {
            format!("{made} of {modules} backends ran where they should: {backends:?}")
        })?;
        let (up, down) = self.place.door.take();
        let bytes = self.judge_upload(up)?;
        let where_ = if self.place.executes { "there" } else { "here" };
        Ok(format!("{made} backends ran {where_}; up {}, down {}{bytes}", mib(up), mib(down)))
    }

    /// Where the engine's blobs can be looked at: all that came in, each once, is no less than the wire's bytes by a fiftieth.
    fn judge_upload(&self, up: u64) -> Result<String> {
        let Some(inputs) = self.inputs()? else { return Ok(String::new()) };
        let distinct: u64 = inputs.values().sum();
        let ratio = up as f64 / distinct as f64;
        require(ratio <= MOST_UP, || format!("{up} bytes were sent for {distinct} bytes of distinct inputs"))?;
        let compiler = compiler_bytes(self.subject.llvm)?;
        let (up, rest) = (up.saturating_sub(compiler), distinct.saturating_sub(compiler));
        Ok(format!(
            "; distinct inputs {} in {} blobs, ratio {ratio:.4}; without the compiler {} for {}, {:.4}",
            mib(distinct),
            inputs.len(),
            mib(up),
            mib(rest),
            up as f64 / rest as f64
        ))
    }

    /// Size by name of the blobs that the engine has, without native objects.
    fn inputs(&self) -> Result<Option<BTreeMap<String, u64>>> {
        let Some(directory) = &self.place.blobs else { return Ok(None) };
        let mut blobs = sizes(directory)?;
        for native in sizes(&self.subject.cache("first").join("cas"))?.keys() {
            blobs.remove(native);
        }
        Ok(Some(blobs))
    }

    fn is_found(&self) -> Result<String> {
        files::remove_dir(&self.subject.cache("second"))?;
        let link = self.link("second")?;
        let Backends { remote_cache: found, .. } = link.backends;
        let ran = link.backends.run();
        require((ran, found) == (0, link.modules), || {
            format!("{found} of {} were found: {:?}", link.modules, link.backends)
        })?;
        let read = |client: &str| files::read_bytes(&self.subject.output(client));
        require(read("first")? == read("second")?, || "the outputs differ".to_owned())?;
        let (up, down) = self.place.door.take();
        let natives: u64 = sizes(&self.subject.cache("second").join("cas"))?.values().sum();
        require(down <= natives + found * WORDS_OF_A_MODULE, || format!("{down} bytes came for {natives} of objects"))?;
        require(up <= found * WORDS_OF_A_MODULE, || format!("{up} bytes were sent, and nothing was to be made"))?;
        Ok(format!("{found} objects of {} fetched, the same output; up {}, down {}", mib(natives), mib(up), mib(down)))
    }

    /// In-process ThinLTO against objects of the engine.
    fn verify(&self) -> Result<String> {
        files::remove_dir(&self.subject.cache("verify"))?;
        let mut command = self.subject.command(self.place, &self.subject.linker.with_file_name("thindist"), "verify");
        command.args(["verify", "--"]).args((self.subject.words)(&self.subject.output("verify"))?);
        let log = self.log("verify");
        run::logged(&format!("{}: verify", self.place.engine), &mut command, &log)?;
        let said = files::read(&log)?.lines().last().unwrap_or_default().to_owned();
        require(said.starts_with("identical: "), || said.clone())?;
        let _talk = self.place.door.take();
        Ok(said)
    }

    /// The second client has all the objects; one is made anew.
    fn edited(&self, edit: &Edit<'_>) -> Result<String> {
        let before = self.inputs()?;
        edit()?;
        let backends = self.link("second")?.backends;
        require(backends.run() == 1 && backends.remote_executed == 1, || format!("not one backend: {backends:?}"))?;
        let (up, down) = self.place.door.take();
        let talk = format!("up {up} bytes, down {down} bytes");
        let (Some(before), Some(after)) = (before, self.inputs()?) else { return Ok(talk) };
        let natives = sizes(&self.subject.cache("second").join("cas"))?;
        let new: Vec<u64> = after
            .iter()
            .filter(|(name, _)| !before.contains_key(*name) && !natives.contains_key(*name))
            .map(|(_, size)| *size)
            .collect();
        let bytes: u64 = new.iter().sum();
        require((3..=BLOBS_OF_AN_EDIT).contains(&new.len()), || format!("{} blobs are new there: {new:?}", new.len()))?;
        require(up <= bytes + WORDS_OF_AN_EDIT, || format!("{up} bytes were sent for {bytes} that have changed"))?;
        Ok(format!("{} blobs of {bytes} bytes; {talk}", new.len()))
    }
}

impl Place<'_> {
    /// For a client that uses it and nothing of its own.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let setting = |name: &str, value: &str| (format!("THINDIST_REMOTE_{name}"), value.to_owned());
        if self.executes {
            vec![setting("EXECUTOR", &self.door.address()), setting("ONLY", "1")]
        } else {
            vec![setting("CACHE", &self.door.address()), setting("UPLOAD_LOCAL_RESULTS", "1")]
        }
    }
}

/// What is shipped of a compiler, beside which everything else is small: it, the libraries that it loads, and the loader.
fn compiler_bytes(llvm: u32) -> Result<u64> {
    let compiler = format!("/usr/bin/clang-{llvm}");
    let said = run::output(Command::new("ldd").arg(&compiler))?;
    let said = String::from_utf8_lossy(&said).into_owned();
    let files = said.split_whitespace().filter(|word| word.starts_with('/')).chain([compiler.as_str()]);
    let size = |path: &str| std::fs::metadata(path).map(|file| file.len()).map_err(|error| format!("{path}: {error}"));
    files.map(size).sum()
}

/// Files named by the SHA-256 of their content, in directories named by its beginning.
fn sizes(directory: &Path) -> Result<BTreeMap<String, u64>> {
    let mut sizes = BTreeMap::new();
    for path in files::below(directory)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let above = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        let hash = if name.len() == 62 { format!("{above}{name}") } else { name };
        let size = std::fs::metadata(&path).map_err(|error| format!("{}: {error}", path.display()))?.len();
        sizes.insert(hash, size);
    }
    Ok(sizes)
}

fn mib(bytes: u64) -> String {
    format!("{:.2} MiB", bytes as f64 / f64::from(1 << 20))
}
