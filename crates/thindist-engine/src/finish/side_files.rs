//! Puts what backends have written beside their objects where in-process lld writes it.

use crate::backends::jobs::Made;
use crate::failure::{Failure, Result, io};
use crate::session::output_files;
use crate::session::workspace::Workspace;
use thindist_core::flags::backend_flags::SideFiles;

/// What `made` has, under the names that `files` give.
pub(crate) fn put(workspace: &Workspace, files: &SideFiles, made: &[Made<'_>]) -> Result<()> {
    for Made { planned, native } in made {
        for (name, digest) in &native.side {
            let module = &planned.job.name;
            let unnamed = || Failure::internal(format_args!("nobody has asked for {name} of {module}"));
            let path = planned.number.and_then(|number| files.path(name, number)).ok_or_else(unnamed)?;
            if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
                std::fs::create_dir_all(directory).map_err(|error| io("create", directory, &error))?;
            }
            output_files::remove(&path)?;
            let Some(content) = workspace.cas.read(digest)? else {
                let what = format!("{} of {module} has gone from the stores", path.display());
                return Err(Failure::new(what).hint("link again"));
            };
            let content = SideFiles::as_in_process(name, content);
            std::fs::write(&path, content).map_err(|error| io("write", &path, &error))?;
        }
    }
    Ok(())
}
