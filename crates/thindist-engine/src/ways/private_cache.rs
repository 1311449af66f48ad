//! Which of lld's private caches a link uses, and whether it may use one.

use super::history::{self, History, Now};
use crate::failure::Result;
use crate::session::workspace::Session;
use std::path::PathBuf;
use thindist_core::digest::{Digest, Hasher};
use thindist_core::flags::backend_flags::names_file;
use thindist_core::lld::link_line::options::{Carried, Lto, Role};
use thindist_core::lld::link_line::{Argument, ArgumentKind, LinkLine};
use thindist_exec::LldCache;

/// Why lld has to do this line as it stands: an option asks the backends for something else than native objects, or names a
/// cache of its own.
pub(crate) fn refusal(line: &LinkLine) -> Option<String> {
    line.arguments().iter().find_map(|argument| {
        let refused = match &argument.kind {
            ArgumentKind::Unknown(_) => true,
            ArgumentKind::Option(spec, _) => match spec.role {
                Role::Immediate | Role::Lto(Lto::LldCache) => true,
                Role::Lto(Lto::Refused(_)) => !CACHEABLE.contains(&spec.name),
                // lld keeps objects, and nothing beside them.
                Role::Lto(Lto::Carried(how)) => how.is_of_side_files() || is_of_this_machine(argument),
                _ => false,
            },
            ArgumentKind::File(_) => false,
        };
        refused.then(|| argument.words.join(" "))
    })
}

/// Its meaning is in a file that LLVM reads by itself, or in this machine's processor.
fn is_of_this_machine(argument: &Argument) -> bool {
    let ArgumentKind::Option(spec, Some(value)) = &argument.kind else { return false };
    let is_mllvm = matches!(spec.role, Role::Lto(Lto::Carried(Carried::Mllvm | Carried::PluginMllvm)));
    is_mllvm && names_file(value) || value.ends_with("native")
}

/// Files that LTO options name: profiles, lists of basic blocks.
pub(crate) fn option_files(line: &LinkLine) -> Vec<PathBuf> {
    let values = line.options().filter(|(spec, _)| matches!(spec.role, Role::Lto(Lto::Carried(_))));
    values.map(|(_, value)| PathBuf::from(value)).filter(|path| path.is_file()).collect()
}

/// The user has lld keep a cache, which lld fills, prunes and speaks of.
pub(crate) fn is_users_own(line: &LinkLine) -> bool {
    line.options().any(|(spec, _)| spec.role == Role::Lto(Lto::LldCache))
}

/// Options that separate backends do not carry, and that change nothing of what lld's cache is.
const CACHEABLE: &[&str] = &["lto-cs-profile-generate", "plugin-opt=cs-profile-generate"];

/// Opens it. Whatever is in lld's objects without being in its keys is in the directory's name: lld itself, every word of
/// the line that is no input, and the content of files that assembly or options name.
pub(crate) fn open(session: &Session, history: &mut History, now: &Now) -> Result<LldCache> {
    let mut cache = LldCache::open(session.workspace.cache_dir(), &name(session, &history.named_files)?)?;
    if history.has_moved(now) || history.is_full() {
        let keys = cache.keys()?;
        cache.remove(keys)?;
        history.forget_cache();
    }
    Ok(cache)
}

/// Whether it has anything that may answer.
pub(crate) fn is_there(session: &Session, history: &History, now: &Now) -> bool {
    let has_entries = |name: Digest| LldCache::is_there(session.workspace.cache_dir(), &name);
    refusal(&session.line).is_none()
        && !history.has_moved(now)
        && !history.is_full()
        && name(session, &history.named_files).is_ok_and(has_entries)
}

fn name(session: &Session, named_files: &[PathBuf]) -> Result<Digest> {
    let mut hasher = Hasher::default();
    let mut add = |bytes: &[u8]| hasher.part(bytes);
    // While it is not known nothing is there under the name that the cache will have.
    add(session.lld.known_identity().as_ref().map_or(b"unknown", |identity| identity.hash()));
    add(history::key(session).hash());
    for argument in session.line.arguments() {
        if let ArgumentKind::Option(spec, _) = &argument.kind
            && spec.role != Role::Input
        {
            argument.words.iter().for_each(|word| add(word.as_bytes()));
        }
    }
    let mut files: Vec<PathBuf> = session.line.read_files().map(PathBuf::from).collect();
    files.extend_from_slice(named_files);
    files.extend(option_files(&session.line));
    for path in &files {
        add(path.as_os_str().as_encoded_bytes());
        // One that is not there is lld's to report.
        add(session
            .workspace
            .state
            .digest_file(path)
            .map_or_else(|_| String::new(), |(digest, _)| digest.hex())
            .as_bytes());
    }
    Ok(hasher.finish())
}

/// Leaves the cache, with what was `added`, for the next link, under the name that this one has given it: assembly may name other
/// files now.
pub(crate) fn close(session: &Session, history: &History, mut cache: LldCache, added: &[String]) -> Result<()> {
    session.lld.identity(&session.workspace.state)?;
    cache.note(added)?;
    Ok(cache.rename(session.workspace.cache_dir(), &name(session, &history.named_files)?)?)
}
