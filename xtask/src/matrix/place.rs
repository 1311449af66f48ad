//! Where the LLVM of a version is: on this machine, or in a root of a newer suite, which has a newer libc.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::host::newer_suite::Apt;
use crate::host::project::{self, Home};
use crate::host::{apt, files, run};

/// Where a version is looked for that this release does not have, the oldest first.
const SUITES: &[&str] = &["trixie", "sid", "sid experimental"];

/// What the trials need beside the compilers.
const BESIDE: &[&str] = &["libc6-dev", "make", "qemu-user"];

/// Mounts last as long as the process: they are in a name space of its own.
const ENTER: &str = "root=$1 project=$2; shift 2; mkdir -p \"$root$project\" && mount --rbind /dev \"$root/dev\" \
    && mount -t proc proc \"$root/proc\" && mount --bind \"$project\" \"$root$project\" \
    && exec chroot \"$root\" env -C \"$project\" \"$@\"";

/// Where a version is.
#[derive(Debug)]
pub(super) enum Place {
    Here,
    Root { directory: PathBuf, suite: &'static str },
}

impl Place {
    /// Installs a version, or makes a root for it. `None`: no suite has it.
    pub(super) fn provide(home: &Home, llvm: u32, extra: &[String]) -> Result<Option<Self>> {
        let packages = apt::llvm(llvm);
        if apt::are_offered(&packages) {
            apt::ensure(&[packages, extra.to_vec()].concat())?;
            return Ok(Some(Self::Here));
        }
        let name = if extra.is_empty() { format!("root-{llvm}") } else { format!("root-{llvm}-more") };
        let directory = home.dir.join(name);
        let note = directory.with_added_extension("suite");
        if directory.is_dir() {
            let known = files::read(&note)?;
            let suite = SUITES.iter().find(|suite| **suite == known.trim());
            let suite = suite.ok_or_else(|| format!("{} names no suite; remove it", note.display()))?;
            return Ok(Some(Self::Root { directory, suite }));
        }
        for suite in SUITES {
            let log = home.log(&format!("apt-{}", suite.replace(' ', "-")));
            let offer = Apt::open(&home.dir.join(format!("apt-{}", suite.replace(' ', "-"))), &log, suite)?;
            if packages.iter().all(|package| offer.has(package)) {
                expect_that_roots_can_be_made()?;
                apt::ensure(&["mmdebstrap".to_owned()])?;
                let beside = BESIDE.iter().map(ToString::to_string).collect();
                files::write(&note, suite)?;
                offer.root(&[packages, beside, extra.to_vec()].concat(), &directory)?;
                return Ok(Some(Self::Root { directory, suite }));
            }
        }
        Ok(None)
    }

    /// `program` where the version is; it sees the project under its own path.
    pub(super) fn command(&self, program: &Path) -> Command {
        match self {
            Self::Here => {
                let mut command = Command::new(program);
                command.current_dir(project::root());
                command
            }
            Self::Root { directory, .. } => {
                let mut command = Command::new("unshare");
                command.args(["--mount", "--propagation", "private", "--", "sh", "-c", ENTER, "sh"]);
                command.arg(directory).arg(project::root()).arg(program).env_remove("TMPDIR");
                command
            }
        }
    }

    /// For the page.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Here => "this release",
            Self::Root { suite, .. } => suite,
        }
    }
}

/// Programs in a root need mounts, which containers may not make.
pub(super) fn expect_that_roots_can_be_made() -> Result<()> {
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--propagation",
        "private",
        "--",
        "sh",
        "-c",
        "mount -t proc proc /mnt && mount --rbind /dev /mnt && chroot / true",
    ]);
    run::output(&mut command)
        .map(drop)
        .map_err(|error| format!("a root for a newer libc needs root and mounts: {error}"))
}
