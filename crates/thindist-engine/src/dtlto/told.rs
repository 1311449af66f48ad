//! What a link gets otherwise than in-process.

use crate::failure::{Failure, Result};
use crate::session::workspace::Workspace;
use thindist_core::lld::link_line::Refusal;

pub(crate) fn tell(workspace: &Workspace, refusal: &Refusal, then: &str) -> Result<()> {
    if workspace.settings.never_falls_back()? {
        return Err(Failure::new(refusal).hint("leave it out, or allow it with THINDIST_FALLBACK=warn"));
    }
    Failure::new(format_args!("{refusal}; {then}")).warn(workspace.report());
    Ok(())
}
