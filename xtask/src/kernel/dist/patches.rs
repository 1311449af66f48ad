//! A copy of a built tree with the patches applied.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::figures::checks::require;
use crate::host::project::{self, Home};
use crate::host::{files, run};

use super::super::checkout::Kernel;
use super::super::edits::Edited;
use super::super::source;

const PATCHES: &str = "kbuild/linux-6.12";

/// Says which patches a tree has.
const STAMP: &str = ".thindist-patches";

/// The files that the large kernel's checks edit.
pub(super) const EDITED: [fn(&Kernel) -> Edited; 4] =
    [Edited::leaf, Edited::hot, Edited::of_one_object, Edited::of_several_objects];

/// A patched copy of what `built` has built, under this name.
pub(crate) fn tree(home: &Home, name: &str, built: &Kernel) -> Result<Kernel> {
    let kernel = Kernel::in_tree(home, name, built.llvm);
    patched(home, &kernel.src, || source::provide_built(home, &built.out, &kernel.src))?;
    EDITED.iter().try_for_each(|edited| edited(&kernel).restore())?;
    Ok(kernel)
}

/// Patched sources in which nothing is built.
pub(super) fn sources(home: &Home) -> Result<PathBuf> {
    let src = home.dir.join("dist-src");
    patched(home, &src, || source::provide(home, &src))?;
    Ok(src)
}

fn patched(home: &Home, tree: &Path, provide: impl FnOnce() -> Result<()>) -> Result<()> {
    let patches = files::list(&project::root().join(PATCHES))?;
    let stamp = patches.iter().map(|patch| files::read(patch)).collect::<Result<String>>()?;
    if files::read(&tree.join(STAMP)).is_ok_and(|applied| applied == stamp) {
        return Ok(());
    }
    files::remove_dir(tree)?;
    provide()?;
    patches.iter().try_for_each(|patch| apply(tree, home, patch))?;
    files::write(&tree.join(STAMP), stamp)
}

fn apply(tree: &Path, home: &Home, patch: &Path) -> Result<()> {
    check_style(tree, home, patch)?;
    let mut command = Command::new("patch");
    command.args(["-p1", "-s", "-i"]).arg(patch).current_dir(tree);
    run::quiet(&mut command, &home.log("dist-patch"))
}

/// Who submits a patch signs it off.
fn check_style(tree: &Path, home: &Home, patch: &Path) -> Result<()> {
    let mut command = Command::new("perl");
    command.args(["scripts/checkpatch.pl", "--no-signoff"]).arg(patch).current_dir(tree);
    run::quiet(&mut command, &home.log("dist-checkpatch"))
}

/// Files of the option's own that a build has left.
pub(super) fn left_by_the_option(kernel: &Kernel, suffix: &str) -> Result<BTreeSet<PathBuf>> {
    let ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.contains(".thinlto") && !name.ends_with(".cmd") || name.ends_with(suffix)
    };
    Ok(files::below(&kernel.out)?.into_iter().filter(ours).collect())
}

/// git ignores every one of `paths` in a checkout of the patched sources.
pub(super) fn ignored(kernel: &Kernel, home: &Home, paths: &BTreeSet<PathBuf>) -> Result<()> {
    let checkout = home.dir.join("dist-gitignore");
    files::remove_dir(&checkout)?;
    files::make_dir(&checkout)?;
    files::write(&checkout.join(".gitignore"), files::read(&kernel.src.join(".gitignore"))?)?;
    run::quiet(Command::new("git").args(["init", "-q"]).arg(&checkout), &home.log("dist-git"))?;
    let relative: Vec<&Path> = paths.iter().filter_map(|path| path.strip_prefix(&kernel.out).ok()).collect();
    let mut command = Command::new("git");
    command.arg("-C").arg(&checkout).args(["check-ignore", "--"]).args(&relative);
    let said = run::output(&mut command)?;
    let count = String::from_utf8_lossy(&said).lines().count();
    require(count == relative.len(), || format!("git ignores {count} of the option's {} files", relative.len()))
}
