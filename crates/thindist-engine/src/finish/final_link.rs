//! The final link, and putting its output in place.

use super::native_side::NativeSide;
use super::parts::Parts;
use crate::failure::{Result, io};
use crate::finish::script_patterns;
use crate::inputs::survey::Survey;
use crate::session::lld_run;
use crate::session::lto_object::LtoObject;
use crate::session::shown_names::ShownNames;
use crate::session::workspace::Session;
use crate::stop::Stop;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use thindist_core::lld::final_line::{self, FinalLink};

/// The final link's output, not yet in its place.
#[derive(Debug)]
pub(crate) struct Linked {
    /// Where lld has written it; `None` if the output is not a regular file and lld has written to it directly.
    pub file: Option<PathBuf>,
    /// Everything that was printed on stderr, once.
    pub(crate) diagnostics: Vec<String>,
    /// Every file that lld has read, except those of the link's own directory.
    pub(crate) read: Vec<PathBuf>,
}

/// Links.
pub(crate) fn run(session: &Session, survey: &Survey, parts: &Parts<'_>) -> std::result::Result<Linked, Stop> {
    let _span = tracing::debug_span!("final_link", output = session.line.output()).entered();
    let mut side = NativeSide::of(session, survey, parts, &lto_objects(session, parts))?;
    let output = Path::new(session.line.output());
    let file = if is_special(output) {
        None
    } else {
        Some(session.workspace.make_directory("out")?.join(output.file_name().unwrap_or_default()))
    };
    let target = match &file {
        Some(file) if !session.line.output_holds_its_path() => file.to_string_lossy().into_owned(),
        _ => session.line.output().to_owned(),
    };
    side.names.add(&target, session.line.output());
    let inputs =
        FinalLink { loaded: &side.loaded, libraries: &side.libraries, symbols: &side.symbols, output: &target };
    let mut words = final_line::final_link(&session.line, &inputs);
    let dependencies = session.workspace.text_path("out.d")?;
    words.push(format!("--dependency-file={dependencies}"));
    let run = match &file {
        Some(file) if session.line.output_holds_its_path() => in_its_place(session, file, &words)?,
        _ => lld_run::lld(session, "final.rsp", &words)?,
    };
    let read = if run.success() { read_dependencies(session, &dependencies)? } else { Vec::new() };
    script_patterns::check(&read, &side.renamed)?;
    lld_run::write_stdout(session, &side.names.show_bytes(&without_traces(&run.stdout, &side.symbols)))?;
    let said = readable(&side.names, &run.stderr, parts.said);
    lld_run::print(session.workspace.report(), &said);
    if !run.success() {
        return Err(run.failure(&session.lld.path).into());
    }
    rename_in_reports(session, &side.names)?;
    let mut diagnostics = parts.said.to_vec();
    diagnostics.extend(said);
    Ok(Linked { file, diagnostics, read })
}

/// A device or a pipe: lld writes to it, and nothing is put in its place.
pub(crate) fn is_special(output: &Path) -> bool {
    output.symlink_metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_symlink())
}

/// Has lld write the output under its own name, and moves it to `file`: what was there before is back when this ends.
fn in_its_place(session: &Session, file: &Path, words: &[String]) -> Result<lld_run::Run> {
    let output = Path::new(session.line.output());
    let before = session.workspace.make_directory("before")?.join("output");
    if output.exists() {
        install(output, &before)?;
    }
    let run = lld_run::lld(session, "final.rsp", words);
    let moved = if run.as_ref().is_ok_and(lld_run::Run::success) { install(output, file) } else { Ok(()) };
    if before.exists() {
        install(&before, output)?;
    }
    moved.and(run)
}

/// The LTO objects in in-process' order.
fn lto_objects(session: &Session, parts: &Parts<'_>) -> Vec<LtoObject> {
    let regular = parts.regular_object.map(|path| LtoObject {
        path: path.to_owned(),
        shown: format!("{}.lto.o", session.line.output()),
        archive: None,
    });
    regular.into_iter().chain(parts.natives.iter().cloned()).collect()
}

/// lld's standard output without what it says of symbols that it was given only for their order.
fn without_traces(stdout: &[u8], symbols: &[String]) -> Vec<u8> {
    if symbols.is_empty() {
        return stdout.to_vec();
    }
    let symbols: BTreeSet<&[u8]> = symbols.iter().map(|name| stem(name.as_bytes())).collect();
    let lines = stdout.split_inclusive(|byte| *byte == b'\n');
    lines
        .filter(|line| !traced(line.trim_ascii_end()).is_some_and(|name| symbols.contains(stem(name))))
        .flatten()
        .copied()
        .collect()
}

/// A name without its default version.
fn stem(name: &[u8]) -> &[u8] {
    let end = name.windows(2).position(|pair| pair == b"@@").unwrap_or(name.len());
    name.get(..end).unwrap_or_default()
}

/// The symbol in a line like `file: definition of symbol`.
fn traced(line: &[u8]) -> Option<&[u8]> {
    const SAYS: [&[u8]; 2] = [b"definition of ", b": reference to "];
    let place = |says: &[u8]| line.windows(says.len()).position(|window| window == says).map(|at| at + says.len());
    SAYS.into_iter().find_map(place).and_then(|from| line.get(from..))
}

/// lld's messages with in-process' names, without those that the thin link gave already.
fn readable(names: &ShownNames, stderr: &[u8], said_before: &[String]) -> Vec<String> {
    let mut lines = lld_run::lines(stderr);
    lines.retain(|line| !said_before.contains(line));
    lines.into_iter().map(|line| names.show(&line)).collect()
}

/// Maps and lists of sections name objects.
pub(crate) fn rename_in_reports(session: &Session, names: &ShownNames) -> Result<()> {
    let reports =
        session.line.options().filter(|(spec, _)| matches!(spec.name, "Map" | "print-gc-sections=" | "why-extract="));
    // What is no file, `-` for one, was lld's standard output.
    for path in reports.map(|(_, path)| Path::new(path)).filter(|path| path.is_file()) {
        let bytes = std::fs::read(path).map_err(|error| io("read", path, &error))?;
        std::fs::write(path, names.show_bytes(&bytes)).map_err(|error| io("write", path, &error))?;
    }
    Ok(())
}

/// The prerequisites in a dependency file as lld writes it: one a line, blanks and `#` escaped, `$` doubled.
pub(crate) fn read_dependencies(session: &Session, path: &str) -> Result<Vec<PathBuf>> {
    let text = std::fs::read_to_string(path).map_err(|error| io("read", path, &error))?;
    let rule = text.split("\n\n").next().unwrap_or_default();
    let files = rule.lines().skip(1).map(|line| unescape(line.trim_end_matches('\\').trim()));
    Ok(files
        .filter(|file| !file.is_empty())
        .map(PathBuf::from)
        .filter(|file| !session.workspace.is_own(file))
        .collect())
}

fn unescape(word: &str) -> String {
    word.replace("\\ ", " ").replace("\\#", "#").replace("$$", "$")
}

impl Linked {
    /// Moves the output into its place, whole or not at all.
    pub(crate) fn install(&self, session: &Session) -> Result<()> {
        match &self.file {
            Some(file) => install(file, Path::new(session.line.output())),
            None => Ok(()),
        }
    }
}

/// Moves `file` to `output`: a rename, or a copy beside the output and then a rename.
pub(crate) fn install(file: &Path, output: &Path) -> Result<()> {
    match std::fs::rename(file, output) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => copy_and_rename(file, output),
        Err(error) => Err(io("write", output, &error)),
    }
}

fn copy_and_rename(file: &Path, output: &Path) -> Result<()> {
    let failed = |error: &std::io::Error| io("write", output, error);
    let directory = output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary =
        tempfile::Builder::new().prefix(".thindist-").tempfile_in(directory).map_err(|error| failed(&error))?;
    std::fs::copy(file, temporary.path()).map_err(|error| failed(&error))?;
    temporary.persist(output).map_err(|error| failed(&error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies() {
        assert_eq!(unescape("a\\ b$$c\\#"), "a b$c#");
    }

    #[test]
    fn only_traces_of_known_symbols_are_swallowed() {
        let text =
            b"a.o: definition of f\nl.a(b.o): lazy definition of f\nc.o: reference to g\nVMA f\na.o: definition of h\n";
        let symbols = ["f", "g"].map(str::to_owned);
        assert_eq!(without_traces(text, &symbols), b"VMA f\na.o: definition of h\n");
        assert_eq!(without_traces(text, &[]), text);
    }
}
