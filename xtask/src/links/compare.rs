//! One link by plain lld and by ld.thindist, cold, warm and after an edit, and the differences.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Result;
use crate::host::files;

use super::scenario::{Kind, Object, Scenario, Word, archive, shared};
use super::sources;

/// Links of one LLVM.
#[derive(Debug)]
pub(crate) struct Bench {
    place: Place,
    linker: PathBuf,
    llvm: u32,
    runs: AtomicUsize,
}

/// Where links are made, as long as they are: in memory if that has room, because each makes and removes dozens of files.
#[derive(Debug)]
struct Place(PathBuf);

/// So often lld is asked again before what it has not said is a difference.
const TRIES: usize = 20;

/// More than the links at a time take.
const ROOM: u64 = 256 << 20;

impl Place {
    fn of(home: &Path, llvm: u32) -> Self {
        let memory = Path::new("/dev/shm");
        let free = rustix::fs::statvfs(memory).map_or(0, |place| place.f_bavail.saturating_mul(place.f_frsize));
        let name = format!("links-{llvm}-{}", std::process::id());
        Self(if free > ROOM { memory.join(format!("thindist-{name}")) } else { home.join(name) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is left there is no result.
        let _ = files::remove_dir(&self.0);
    }
}

/// What became of one.
#[derive(Debug)]
pub(crate) enum Tried {
    Equal,
    /// lld refuses it, and so does thindist in the same words.
    Refused,
    /// The way does not carry this line.
    OtherWay,
    Differs(String, Scenario, String),
}

impl Tried {
    fn of(outcome: Outcome, name: &str, scenario: &Scenario) -> Self {
        match outcome {
            Outcome::Equal { refused: false } => Self::Equal,
            Outcome::Equal { refused: true } => Self::Refused,
            Outcome::OtherWay => Self::OtherWay,
            Outcome::Differs(what) => Self::Differs(name.to_owned(), scenario.clone(), what),
        }
    }

    pub(crate) fn is_equal(&self) -> bool {
        matches!(self, Self::Equal | Self::Refused)
    }

    pub(crate) fn difference(&self) -> Option<(&String, &Scenario, &String)> {
        match self {
            Self::Differs(name, scenario, difference) => Some((name, scenario, difference)),
            _ => None,
        }
    }
}

/// What a link leaves: exit code, streams, files with their modes.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    files: BTreeMap<PathBuf, (u32, Vec<u8>)>,
}

/// How one scenario ended.
pub(crate) enum Outcome {
    Equal { refused: bool },
    OtherWay,
    Differs(String),
}

impl Bench {
    pub(crate) fn new(home: &Path, linker: &Path, llvm: u32) -> Self {
        Self { place: Place::of(home, llvm), linker: linker.to_owned(), llvm, runs: AtomicUsize::new(0) }
    }

    /// All of them by each way, as many at a time as there are processors.
    pub(crate) fn try_all(&self, links: &[(String, Scenario)], ways: &[&str]) -> Result<Vec<Vec<Tried>>> {
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::new());
        let failed = Mutex::new(None);
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    while let Some((name, scenario)) = links.get(next.fetch_add(1, Ordering::Relaxed)) {
                        match self.compare(scenario, ways) {
                            Ok(outcomes) => {
                                let tried = outcomes.into_iter().map(|outcome| Tried::of(outcome, name, scenario));
                                locked(&done).push(tried.collect());
                            }
                            Err(error) => {
                                locked(&failed).get_or_insert(format!("{name}: {error}"));
                                return;
                            }
                        }
                    }
                });
            }
        });
        let failed = locked(&failed).take();
        failed.map_or_else(|| Ok(std::mem::take(&mut *locked(&done))), Err)
    }

    /// Links by lld and by thindist, and compares: an outcome for each way.
    pub(crate) fn compare(&self, scenario: &Scenario, ways: &[&str]) -> Result<Vec<Outcome>> {
        let place = self.place.0.join(format!("run-{}", self.runs.fetch_add(1, Ordering::Relaxed)));
        files::remove_dir(&place)?;
        let mut made = Made::new(self, scenario, &place);
        let outcomes = ways.iter().map(|way| made.compare(way)).collect();
        files::remove_dir(&place)?;
        outcomes
    }

    fn compile(&self, directory: &Path, object: &Object, edition: usize) -> Result<()> {
        let (text, file) = (sources::text(object, edition, self.llvm), object.file());
        let source = format!("{}.in", object.name);
        files::write(&directory.join(&source), text)?;
        let tool = |name: &str| format!("{name}-{}", self.llvm);
        match object.kind {
            Kind::Thin => {
                self.tool(&tool("opt"), &["-module-hash", "-module-summary", &source, "-o", &file], directory)?
            }
            Kind::Regular => self.tool(&tool("llvm-as"), &[&source, "-o", &file], directory)?,
            Kind::Native => {
                let triple = "-triple=x86_64-unknown-linux-gnu";
                self.tool(&tool("llvm-mc"), &["-filetype=obj", triple, &source, "-o", &file], directory)?;
            }
        }
        files::remove_file(&directory.join(source))
    }

    fn bundle(&self, directory: &Path, number: usize, word: &Word) -> Result<()> {
        match word {
            Word::Archive { thin, members } => {
                let archive = archive(number);
                let mut words = if *thin { vec!["rc", "--thin"] } else { vec!["rc"] };
                words.push(&archive);
                let members: Vec<String> = members.iter().map(Object::file).collect();
                words.extend(members.iter().map(String::as_str));
                self.tool(&format!("llvm-ar-{}", self.llvm), &words, directory)
            }
            Word::Shared { soname, versioned, object } => {
                let (file, shared) = (object.file(), shared(number));
                let mut words = vec!["-shared", "--allow-shlib-undefined", &file, "-o", &shared];
                if *soname {
                    words.extend(["-soname", &shared]);
                }
                if *versioned {
                    files::write(&directory.join("of-shared"), "VS { global: s*; local: *; };\n")?;
                    words.push("--version-script=of-shared");
                }
                self.tool(&format!("ld.lld-{}", self.llvm), &words, directory)
            }
            Word::Option(_) | Word::Object(_) | Word::Lib(_) => Ok(()),
        }
    }

    fn tool(&self, name: &str, words: &[&str], directory: &Path) -> Result<()> {
        let output = Command::new(name).args(words).current_dir(directory).output();
        let output = output.map_err(|error| format!("cannot start {name}: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("{name} {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr)))
    }

    fn lld(&self) -> Command {
        Command::new(format!("ld.lld-{}", self.llvm))
    }

    fn thindist(&self, way: &str, store: &Path, memo: bool) -> Command {
        let mut command = Command::new(&self.linker);
        command.env("THINDIST_LLD", format!("ld.lld-{}", self.llvm));
        command.env("THINDIST_CACHE_DIR", store).env("THINDIST_WAY", way);
        command.env("THINDIST_MEMO", if memo { "1" } else { "0" });
        if !matches!(way, "auto" | "in-process") {
            command.env("THINDIST_FALLBACK", "never");
        }
        command
    }

    /// Links in `work`.
    fn link(&self, mut command: Command, work: &Path, scenario: &Scenario) -> Result<Left> {
        let words = scenario.words();
        command.args(&words).current_dir(work).env("TZ", "UTC");
        if scenario.names_output {
            command.args(["-o", "out"]);
        }
        let output = command.output().map_err(|error| format!("cannot start the linker: {error}"))?;
        left(work, &output)
    }
}

/// The inputs of a scenario and what lld makes of them, for all ways.
struct Made<'a> {
    bench: &'a Bench,
    scenario: &'a Scenario,
    place: &'a Path,
    /// The object that is edited.
    edited: &'a str,
    /// What lld leaves, before and after the edit.
    references: BTreeMap<usize, Left>,
}

impl<'a> Made<'a> {
    fn new(bench: &'a Bench, scenario: &'a Scenario, place: &'a Path) -> Self {
        let edited = scenario.objects().nth(scenario.edited).map_or("", |object| object.name.as_str());
        Self { bench, scenario, place, edited, references: BTreeMap::new() }
    }

    fn compare(&mut self, way: &str) -> Result<Outcome> {
        let store = self.place.join(format!("store-{way}"));
        let mut refused = false;
        let rounds = [
            ("cold", 0, false),
            ("warm", 0, false),
            ("remembered", 0, true),
            ("after an edit", 1, false),
            ("again", 0, false),
        ];
        for (round, edition, memo) in rounds {
            self.refer(edition)?;
            let command = self.bench.thindist(way, &store, memo);
            let ours = self.bench.link(command, &self.work(edition)?, self.scenario)?;
            if ours.stderr.contains("thindist: error:") && ours.stderr.contains("allow in-process") {
                return Ok(Outcome::OtherWay);
            }
            let reference = self.references.get(&edition).ok_or("lld has not linked it")?;
            let (what, code) = (difference(reference, &ours), reference.code);
            if let Some(what) = what
                && !self.is_another_of_llds(edition, &ours)?
            {
                return Ok(Outcome::Differs(format!("{round}: {what}")));
            }
            refused |= code != Some(0);
        }
        Ok(Outcome::Equal { refused })
    }

    /// lld warns of undefined symbols from many threads (`--noinhibit-exec`): then it gives one of several texts.
    fn is_another_of_llds(&self, edition: usize, ours: &Left) -> Result<bool> {
        for _ in 0..TRIES {
            let again = self.bench.link(self.bench.lld(), &self.work(edition)?, self.scenario)?;
            if difference(&again, ours).is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn refer(&mut self, edition: usize) -> Result<()> {
        if !self.references.contains_key(&edition) {
            let left = self.bench.link(self.bench.lld(), &self.work(edition)?, self.scenario)?;
            self.references.insert(edition, left);
        }
        Ok(())
    }

    /// A directory with the inputs and nothing else. Always the same one: outputs hold its path.
    fn work(&self, edition: usize) -> Result<PathBuf> {
        let inputs = self.inputs(edition);
        if !inputs.exists() {
            if edition == 0 { self.make()? } else { self.edit(edition)? }
        }
        let work = self.place.join("work");
        files::remove_dir(&work)?;
        self.copy(&inputs, &work)?;
        Ok(work)
    }

    fn inputs(&self, edition: usize) -> PathBuf {
        self.place.join(format!("inputs-{edition}"))
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        self.bench.tool("cp", &["-a", &from.to_string_lossy(), &to.to_string_lossy()], self.place)
    }

    fn make(&self) -> Result<()> {
        let inputs = self.inputs(0);
        files::make_dir(&inputs)?;
        for (name, text) in &self.scenario.texts {
            files::write(&inputs.join(name), text)?;
        }
        for object in self.scenario.objects() {
            self.bench.compile(&inputs, object, 0)?;
        }
        self.bench.compile(&inputs, &only_symbols(), 0)?;
        let mut words = self.scenario.line.iter().enumerate();
        words.try_for_each(|(number, word)| self.bench.bundle(&inputs, number, word))
    }

    /// The same but for one object and what it is bundled in.
    fn edit(&self, edition: usize) -> Result<()> {
        let inputs = self.inputs(edition);
        self.copy(&self.inputs(0), &inputs)?;
        let is_edited = |object: &&Object| object.name == self.edited;
        for object in self.scenario.objects().filter(is_edited) {
            self.bench.compile(&inputs, object, edition)?;
        }
        for (number, word) in self.scenario.line.iter().enumerate() {
            if word.objects().iter().any(|object| is_edited(&object)) {
                files::remove_file(&inputs.join(archive(number)))?;
                self.bench.bundle(&inputs, number, word)?;
            }
        }
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// For `--just-symbols`.
fn only_symbols() -> Object {
    Object { name: "symbols".to_owned(), kind: Kind::Native, symbols: Vec::new() }
}

fn left(work: &Path, output: &Output) -> Result<Left> {
    let mut found = BTreeMap::new();
    for path in files::below(work)? {
        let name = path.strip_prefix(work).unwrap_or(&path).to_owned();
        let metadata =
            path.symlink_metadata().map_err(|error| format!("cannot look at {}: {error}", path.display()))?;
        if metadata.is_file() && !is_lld_cache(&name) {
            let bytes = fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            found.insert(name, (metadata.permissions().mode() & 0o777, bytes));
        }
    }
    // What thindist says of a line that it leaves to lld is its own.
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stderr =
        stderr.lines().filter(|line| !line.ends_with("; linking in-process")).map(|line| format!("{line}\n")).collect();
    Ok(Left {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr,
        files: found,
    })
}

/// Names and times in it are of no consequence.
fn is_lld_cache(name: &Path) -> bool {
    name.starts_with("cache") && name.components().count() > 1
}

fn difference(lld: &Left, ours: &Left) -> Option<String> {
    // An lld that has crashed is nobody's model but for the failure.
    if lld.code.is_none() && ours.code != Some(0) {
        return None;
    }
    if lld.code != ours.code {
        let said = [ours.stderr.lines().next(), lld.stderr.lines().next()].map(Option::unwrap_or_default);
        return Some(format!(
            "exit code {:?} by lld, {:?} here; here: {}; by lld: {}",
            lld.code, ours.code, said[0], said[1]
        ));
    }
    if lld.stdout != ours.stdout {
        return Some(format!("the standard output: {}", first_line(&lld.stdout, &ours.stdout)));
    }
    // Of a link that fails lld reports symbols from many threads, in an order that is another one each time.
    let said = |left: &Left| if left.code == Some(0) { warnings(&left.stderr) } else { errors(&left.stderr) };
    if said(lld) != said(ours) {
        return Some(format!("the standard error: {}", first_line(&lld.stderr, &ours.stderr)));
    }
    let names: std::collections::BTreeSet<&PathBuf> = lld.files.keys().chain(ours.files.keys()).collect();
    names.into_iter().find_map(|name| match (lld.files.get(name), ours.files.get(name)) {
        (Some(left), Some(right)) if left == right => None,
        (Some((left, _)), Some((right, _))) if left != right => {
            Some(format!("{}: mode {left:o} by lld, {right:o} here", name.display()))
        }
        (Some((_, left)), Some((_, right))) => {
            let at =
                left.iter().zip(right).position(|(left, right)| left != right).unwrap_or(left.len().min(right.len()));
            Some(format!(
                "{}: differs from byte {at} on ({} bytes by lld, {} here)",
                name.display(),
                left.len(),
                right.len()
            ))
        }
        (left, _) => {
            Some(format!("{} is written by {} only", name.display(), if left.is_some() { "lld" } else { "thindist" }))
        }
    })
}

/// Warnings that plain lld gives in another order from one run to the next (seen): from many threads, or by addresses in memory.
const UNORDERED: &[&str] = &["warning: backward reference detected: ", "warning: undefined symbol: "];

fn warnings(stderr: &str) -> String {
    let mut lines: Vec<&str> = stderr.lines().collect();
    if lines.iter().any(|line| UNORDERED.iter().any(|kind| line.contains(kind))) {
        lines.sort_unstable();
    }
    lines.join("\n")
}

fn errors(stderr: &str) -> String {
    let mut lines: Vec<&str> = stderr.lines().filter(|line| line.contains("error: ")).collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn first_line(lld: &str, ours: &str) -> String {
    let (mut left, mut right) = (lld.lines(), ours.lines());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return "the end of its last line".to_owned(),
            (left, right) if left == right => {}
            (left, right) => {
                return format!("`{}` by lld, `{}` here", left.unwrap_or("(nothing)"), right.unwrap_or("(nothing)"));
            }
        }
    }
}
