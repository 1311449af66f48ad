//! The kernel's sources, as Debian's package has them.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::host::project::Home;
use crate::host::{files, run};

const TARBALL: &str = "/usr/src/linux-source-6.12.tar.xz";

/// The name, in a home, of sources in which nothing is ever built: `O=` needs them clean, and copies are made of them.
pub(crate) const PRISTINE: &str = "src";

/// Makes sure that there are sources at `wanted`. A directory that exists is complete: both ways end in a rename.
pub(crate) fn provide(home: &Home, wanted: &Path) -> Result<()> {
    let pristine = home.dir.join(PRISTINE);
    if !pristine.exists() {
        unpack(home, Path::new(TARBALL), &pristine)?;
    }
    if wanted.exists() { Ok(()) } else { copy(home, &pristine, wanted) }
}

/// Unpacks a tarball of sources to `to`, unless that is there.
pub(crate) fn provide_from(home: &Home, tarball: &Path, to: &Path) -> Result<()> {
    if to.exists() { Ok(()) } else { unpack(home, tarball, to) }
}

fn unpack(home: &Home, tarball: &Path, to: &Path) -> Result<()> {
    let temporary = fresh_sibling(to)?;
    let mut tar = Command::new("tar");
    tar.arg("-xJf").arg(tarball).args(["--strip-components=1", "-C"]).arg(&temporary);
    run::logged("unpack the kernel's sources", &mut tar, &home.log("unpack"))?;
    files::rename(&temporary, to)
}

/// Copies sources together with what was built in them, times and all, so that make has nothing to do there.
pub(crate) fn provide_built(home: &Home, built: &Path, wanted: &Path) -> Result<()> {
    if wanted.exists() { Ok(()) } else { copy(home, built, wanted) }
}

/// Removes every object file below `directory`: make then compiles them anew.
pub(crate) fn remove_objects(directory: &Path) -> Result<usize> {
    let mut removed = 0;
    for path in files::list(directory)? {
        if path.is_dir() && !path.is_symlink() {
            removed += remove_objects(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "o") {
            files::remove_file(&path)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// A copy and no hard links: an edit of one tree must not reach another.
fn copy(home: &Home, from: &Path, to: &Path) -> Result<()> {
    let temporary = fresh_sibling(to)?;
    let mut cp = Command::new("cp");
    cp.args(["-a", "--reflink=auto"]).arg(from.join(".")).arg(&temporary);
    run::logged("copy the kernel's sources", &mut cp, &home.log("copy"))?;
    files::rename(&temporary, to)
}

fn fresh_sibling(path: &Path) -> Result<std::path::PathBuf> {
    let temporary = path.with_added_extension("partial");
    files::remove_dir(&temporary)?;
    files::make_dir(&temporary)?;
    Ok(temporary)
}
