//! How lld is driven; [`crate::ways`] says when which.

use crate::failure::{Failure, Result};
use crate::settings::Settings;

/// How lld is driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// lld does the whole link, and its native objects are harvested.
    InProcess,
    /// lld does the whole link, and has thindist make the native objects (DTLTO).
    Distributor,
    /// lld does a thin link and a final link, and thindist does what is between them.
    IndexOnly,
}

impl Way {
    const ALL: [(Self, &'static str); 3] =
        [(Self::InProcess, "in-process"), (Self::Distributor, "distributor"), (Self::IndexOnly, "index-only")];

    /// What the setting says; `None`: the rule decides.
    pub(crate) fn forced(settings: &Settings) -> Result<Option<Self>> {
        match settings.get("way") {
            None | Some("auto") => Ok(None),
            Some(name) => match Self::ALL.into_iter().find(|(_, known)| *known == name) {
                Some((way, _)) => Ok(Some(way)),
                None => Err(Failure::new(format_args!(
                    "THINDIST_WAY={name}: expected `auto`, `in-process`, `distributor` or `index-only`"
                ))),
            },
        }
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(way, _)| *way == self).map_or("", |(_, name)| name)
    }
}
