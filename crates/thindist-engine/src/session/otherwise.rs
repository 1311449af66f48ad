//! What is done otherwise than it was asked for: one warning, or an error where settings want that.

use crate::failure::{Failure, Result};
use crate::settings::Settings;
use std::fmt::Display;

/// Says what keeps something from being done, and what is done instead; `remedy` is for those who want an error.
pub(crate) fn tell(settings: &Settings, why: impl Display, instead: &str, remedy: &str) -> Result<()> {
    if settings.never_falls_back()? {
        return Err(Failure::new(why).hint(remedy));
    }
    settings.report().warning(&format!("{why}; {instead}"));
    Ok(())
}
