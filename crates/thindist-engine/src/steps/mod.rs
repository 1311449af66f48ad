//! A link as steps of another build system: `thindist thin-link` writes the plan as files, one job for each module,
//! `thindist backend` runs one of them, and `thindist final-link` links their objects. The build system runs the steps
//! and compares the times of files, so each file is written only if it changes. `thindist cc` is for a build that calls
//! the compiler on an index itself.

mod backend;
mod cc;
mod edges;
mod emit;
mod final_link;
mod places;
mod thin_link;

pub use crate::backends::step_files::{JOB_SUFFIX, NATIVE_SUFFIX};
pub use backend::{NativeObjects, backends};
pub use cc::cc;
pub use emit::{GraphFormat, emit};
pub use final_link::final_link;
pub use thin_link::{ThinLinkFiles, thin_link};

use crate::entrance;
use crate::failure::{Failure, Result};
use crate::inputs::survey::Survey;
use crate::session::workspace::Session;
use crate::settings::Settings;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A link whose backends the build runs. What they write beside their objects no rule of the build would know of.
fn open(settings: &mut Settings, words: Vec<OsString>) -> Result<(Session, Survey)> {
    let (session, survey) = entrance::open(settings, words)?;
    if session.line.has_side_files() {
        let failure =
            Failure::new("backends of this line write files beside their objects: split debug information, or remarks")
                .hint("link it with ld.thindist, which puts them where lld does, or leave the option out");
        return session.finish(Err(failure));
    }
    Ok((session, survey))
}

/// What the list's name gets: what the final link needs of the thin link.
const FINAL_SUFFIX: &str = ".final";

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A path as text: job files and lists are text.
fn text(path: &Path) -> Result<String> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| Failure::new(format_args!("the path {} is not UTF-8", path.display())))
}
