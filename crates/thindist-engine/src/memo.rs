//! The whole-link memo: a link with unchanged inputs gets its earlier output.
//!
//! Two steps, because some inputs are known only after a link: assembly names files, scripts include scripts. The first
//! key covers what the line tells and leads to a manifest of the rest; the second adds the content of that rest and
//! leads to the output. Both are entries of the action cache.

use crate::failure::{Result, io};
use crate::finish::final_link;
use crate::parallel;
use crate::session::lld_run;
use crate::session::workspace::{InputDigests, Session};
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};
use thindist_core::digest::{Digest, Hasher};
use thindist_exec::{CachedOutput, CachedResult, FileStamp};

/// Raised whenever a key or the manifest changes its meaning.
const VERSION: u32 = 3;

/// The clock of file times ticks every 4 ms: a file as old as the link could have been written during it.
const TICK_NS: i128 = 5_000_000;

/// The memo of one link.
#[derive(Debug)]
pub(crate) struct Memo {
    /// The files of the first key as they were hashed.
    inputs: InputDigests,
    /// When the link began, nanoseconds since 1970.
    began_ns: i128,
    /// This link has more to show than its output, or is not to be remembered.
    is_off: bool,
    key: OnceLock<Digest>,
}

/// What the line does not tell.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Manifest {
    /// Files read beside those that the line names.
    files: Vec<PathBuf>,
    /// ThinLTO modules of the link.
    modules: usize,
}

impl Memo {
    /// Of a link with these inputs.
    pub(crate) fn of(session: &Session, inputs: &InputDigests) -> Self {
        let began_ns = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i128::try_from(since.as_nanos()).unwrap_or(0));
        let kept = inputs.clone();
        // What a wrapper around lld leads to nobody tells; backends do not depend on it, their indexes are in their keys.
        // Kept native objects are a second output.
        let is_off =
            !session.workspace.settings.is_on("memo") || session.workspace.settings.get("keep_native").is_some();
        // What is written to the standard output is nowhere to be found afterwards.
        let is_off = is_off || session.line.output() == "-";
        let is_off = is_off || !session.line.has_one_output() || session.lld.is_wrapper;
        Self { inputs: kept, began_ns, is_off, key: OnceLock::new() }
    }

    /// The first key: tools, words, and the content of every file that the line names.
    fn key(&self, session: &Session) -> Result<Digest> {
        if let Some(key) = self.key.get() {
            return Ok(*key);
        }
        let state = &session.workspace.state;
        let mut hasher = Hasher::default();
        hasher.part(format!("link memo {VERSION} {}", env!("CARGO_PKG_VERSION")).as_bytes());
        for setting in ["promoted_names", "backend_flags", "compile_commands"] {
            hasher.part(session.workspace.settings.get(setting).unwrap_or_default().as_bytes());
        }
        hasher.update(session.lld.identity(state)?.hash());
        hasher.update(session.clang.identity(state)?.hash());
        for word in session.line.arguments().iter().flat_map(|argument| &argument.words) {
            hasher.part(without_random(word).as_bytes());
        }
        add(&mut hasher, &self.inputs);
        Ok(*self.key.get_or_init(|| hasher.finish()))
    }

    /// Puts the remembered output in place; gives the number of modules that were not compiled for it.
    pub(crate) fn restore(&self, session: &Session) -> Result<Option<usize>> {
        // Of tools that were never hashed nothing is remembered.
        let tools = [&session.lld, &session.clang];
        if self.is_off || tools.iter().any(|tool| tool.known_identity().is_none()) {
            return Ok(None);
        }
        let key = &self.key(session)?;
        let Some(manifest) = read_manifest(session, key)? else { return Ok(None) };
        let Some(second) = second_key(session, key, &manifest) else { return Ok(None) };
        let Some(result) = session.workspace.action_cache.get(&second)? else { return Ok(None) };
        let Some(output) = result.outputs.first() else { return Ok(None) };
        let file = session.workspace.make_directory("out")?.join("memo");
        if !session.workspace.cas.copy_to(&output.digest, &file)? {
            return Ok(None);
        }
        give_mode(session, &file, output.executable)?;
        tracing::info!(modules = manifest.modules, "the whole link is remembered");
        lld_run::print(session.workspace.report(), &lld_run::lines(&result.stderr));
        final_link::install(&file, session.line.output().as_ref())?;
        Ok(Some(manifest.modules))
    }

    /// Remembers the output.
    pub(crate) fn store(&self, session: &Session, link: &Remembered) -> Result<()> {
        if self.is_off {
            return Ok(());
        }
        let key = &self.key(session)?;
        let mut files = link.read.clone();
        files.extend_from_slice(&link.named_files);
        files.sort_unstable();
        files.dedup();
        files.retain(|file| !self.inputs.contains_key(file));
        if self.anything_changed(&files) {
            return Ok(());
        }
        let manifest = Manifest { files, modules: link.modules };
        let Some(second) = second_key(session, key, &manifest) else { return Ok(()) };
        let bytes = serde_json::to_vec(&manifest).map_err(crate::failure::Failure::of)?;
        let entry = |path: &str, digest, executable| CachedOutput { path: path.to_owned(), digest, executable };
        let output = entry("output", session.workspace.cas.put_file(&link.output)?, is_executable(&link.output)?);
        let stderr = link.diagnostics.iter().flat_map(|line| [line.as_bytes(), b"\n"]).flatten().copied().collect();
        session
            .workspace
            .action_cache
            .put(&second, &CachedResult { outputs: vec![output], stdout: Vec::new(), stderr })?;
        let manifest = entry("manifest", session.workspace.cas.put_bytes(&bytes)?, false);
        let first = CachedResult { outputs: vec![manifest], stdout: Vec::new(), stderr: Vec::new() };
        Ok(session.workspace.action_cache.put(key, &first)?)
    }
}

/// A link that is to be remembered.
#[derive(Debug)]
pub(crate) struct Remembered {
    /// Where its output is.
    pub(crate) output: PathBuf,
    /// Everything that was printed on stderr, once.
    pub(crate) diagnostics: Vec<String>,
    /// Every file that lld has read.
    pub(crate) read: Vec<PathBuf>,
    /// Files that assembly named.
    pub(crate) named_files: Vec<PathBuf>,
    pub(crate) modules: usize,
}

impl Memo {
    /// Whether a file may have another content than the one that was linked: keys that are made afterwards would then
    /// lead to an output that is not theirs.
    fn anything_changed(&self, files: &[PathBuf]) -> bool {
        let inputs: Vec<_> = self.inputs.iter().collect();
        let changed = parallel::map(&inputs, |(path, (digest, stamp))| Ok(self.has_changed(path, digest, stamp)));
        changed.map_or(true, |changed| changed.contains(&true))
            || files.iter().any(|path| FileStamp::of(path).map_or(true, |stamp| self.is_young(stamp)))
    }

    /// A file that was written just before it was hashed may have been written again within the same tick.
    fn has_changed(&self, path: &Path, digest: &Digest, stamp: &FileStamp) -> bool {
        FileStamp::of(path).ok() != Some(*stamp)
            || (self.is_young(*stamp) && std::fs::read(path).map_or(true, |bytes| Digest::of(&bytes) != *digest))
    }

    fn is_young(&self, stamp: FileStamp) -> bool {
        stamp.mtime_ns.max(stamp.ctime_ns) >= self.began_ns - TICK_NS
    }
}

fn read_manifest(session: &Session, key: &Digest) -> Result<Option<Manifest>> {
    let Some(result) = session.workspace.action_cache.get(key)? else { return Ok(None) };
    let Some(output) = result.outputs.first() else { return Ok(None) };
    let Some(bytes) = session.workspace.cas.read(&output.digest)? else { return Ok(None) };
    Ok(serde_json::from_slice(&bytes).ok())
}

/// `None` if a file of the manifest cannot be read any more: then this is another link.
fn second_key(session: &Session, first: &Digest, manifest: &Manifest) -> Option<Digest> {
    let digests = session.workspace.digest(manifest.files.clone()).ok()?;
    let mut hasher = Hasher::default();
    hasher.update(first.hash());
    add(&mut hasher, &digests);
    Some(hasher.finish())
}

fn add(hasher: &mut Hasher, files: &InputDigests) {
    hasher.update(&(files.len() as u64).to_le_bytes());
    let named = files.iter().map(|(path, (digest, _))| (without_random(&path.to_string_lossy()), digest));
    // Sorted by the names that are hashed.
    for (path, digest) in named.collect::<BTreeSet<_>>() {
        hasher.part(path.as_bytes());
        hasher.update(digest.hash());
    }
}

/// A path or word without the random part of the directory in which rustc keeps an object or two while it links: no output
/// holds it, and a link with another one is the same link.
fn without_random(word: &str) -> String {
    let is_random = |component: &str| {
        let rest = component.strip_prefix("rustc").unwrap_or_default();
        rest.len() == 6 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let components = word.split('/').map(|component| if is_random(component) { "rustc*" } else { component });
    components.collect::<Vec<_>>().join("/")
}

/// The output of `-r` is not, all else is, as far as the umask allows.
fn is_executable(file: &Path) -> Result<bool> {
    let metadata = file.metadata().map_err(|error| io("read", file, &error))?;
    Ok(metadata.permissions().mode() & 0o111 != 0)
}

/// The mode that lld gives to a new file.
fn give_mode(session: &Session, file: &Path, executable: bool) -> Result<()> {
    let probe = session.workspace.path("out/mode");
    let mode = if executable { 0o777 } else { 0o666 };
    let made = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&probe);
    let permissions =
        made.and_then(|made| made.metadata()).map_err(|error| io("create", &probe, &error))?.permissions();
    std::fs::set_permissions(file, permissions).map_err(|error| io("change the mode of", file, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rustcs_directory_has_no_random_name() {
        assert_eq!(without_random("/t/deps/rustcfEQvlX/symbols.o"), "/t/deps/rustc*/symbols.o");
        assert_eq!(without_random("-L/t/rustcAb1234/raw-dylibs"), "-L/t/rustc*/raw-dylibs");
        for other in ["rustc.o", "/t/rustc/a.o", "/t/rustc-12345/a.o", "/t/librustcabcdef.rlib", "-o", ""] {
            assert_eq!(without_random(other), other);
        }
    }
}
