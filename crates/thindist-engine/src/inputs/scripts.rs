//! Linker scripts among the inputs: the files that they add, found as lld finds them.
//!
//! In-process they stand in the place of the script. The final link keeps a script in its place among the libraries if all
//! that it adds are libraries; else it names what is left of the files.

use super::content::{Script, ScriptFile, Surveyed};
use super::search::Search;
use crate::failure::{Failure, io};
use crate::stop::Stop;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use thindist_core::lld::link_line::{Input, InputName, LibrarySearch, append_path};
use thindist_core::lld::linker_script::{Listed, listed_files};

/// Whoever looks at the inputs of a line.
pub(crate) trait Reading {
    /// Where libraries are looked for.
    fn search(&self) -> &Search<'_>;
    /// What paths of a script below it are in.
    fn sysroot(&self) -> &str;
    /// Scripts that are being read.
    fn open_scripts(&mut self) -> &mut Vec<String>;
    /// Tells what a file is.
    fn look_at(&mut self, input: Input, path: String) -> Result<Surveyed, Stop>;
}

/// Reads a script at an input's place.
pub(crate) fn read(reading: &mut impl Reading, input: &Input, path: &str) -> Result<Script, Stop> {
    // One that names itself is lld's to report.
    if reading.open_scripts().iter().any(|open| open == path) {
        return Ok(Script { files: Vec::new(), is_list: false });
    }
    let text = std::fs::read(path).map_err(|error| io("read", path, &error))?;
    let (listed, is_list) = listed_files(&String::from_utf8_lossy(&text));
    reading.open_scripts().push(path.to_owned());
    let files = listed.into_iter().map(|file| script_file(reading, input, path, file)).collect::<Result<_, _>>();
    reading.open_scripts().pop();
    Ok(Script { files: files?, is_list })
}

fn script_file(reading: &mut impl Reading, input: &Input, script: &str, file: Listed) -> Result<ScriptFile, Stop> {
    let Listed { name, as_needed } = file;
    if let Some(library) = name.strip_prefix("-l") {
        let search = LibrarySearch { name: library.to_owned(), only_static: input.only_static };
        let path = reading.search().library(&search)?;
        let input = Input { name: InputName::Library(search), ..input.clone() };
        return Ok(ScriptFile { word: name, as_needed, surveyed: reading.look_at(input, path)? });
    }
    let path = find(reading, script, &name)?;
    let input = Input { name: InputName::Path(path.clone()), ..input.clone() };
    Ok(ScriptFile { word: path.clone(), as_needed, surveyed: reading.look_at(input, path)? })
}

/// An absolute path is below the sysroot if the script is; a relative one is beside the script, as given, or in a directory
/// of `-L`.
fn find(reading: &impl Reading, script: &str, name: &str) -> Result<String, Stop> {
    let sysroot = reading.sysroot();
    if name.starts_with('/') {
        let below = append_path(sysroot, name);
        let takes_sysroot = !sysroot.is_empty() && is_below(sysroot, script) && Path::new(&below).exists();
        return Ok(if takes_sysroot { below } else { name.to_owned() });
    }
    if let Some(rest) = name.strip_prefix('=') {
        return Ok(if sysroot.is_empty() { rest.to_owned() } else { format!("{sysroot}/{rest}") });
    }
    let beside = script.rsplit_once('/').map(|(directory, _)| append_path(directory, name));
    let found = beside.into_iter().chain([name.to_owned()]).find(|path| Path::new(path).exists());
    found.or_else(|| reading.search().in_directories(name)).ok_or_else(|| {
        Failure::new(format_args!("{script}: unable to find {name}"))
            .hint("build it, or name its directory with -L")
            .into()
    })
}

/// `path` is somewhere below `directory`, whatever their spelling.
fn is_below(directory: &str, path: &str) -> bool {
    let identity = |path: &Path| path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()));
    let directory = identity(Path::new(directory));
    directory.is_some() && Path::new(path).ancestors().any(|above| identity(above) == directory)
}
