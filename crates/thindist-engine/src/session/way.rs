//! How lld is driven; [`crate::ways`] says when which.

use crate::failure::Result;
use crate::settings::Settings;

/// How lld is driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
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
        let name = settings.checked("way")?;
        Ok(Self::ALL.into_iter().find(|(_, known)| Some(*known) == name).map(|(way, _)| way))
    }

    /// Its name for people.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(way, _)| *way == self).map_or("", |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Kind, REGISTRY};

    #[test]
    fn the_setting_names_them_all() {
        let Kind::Choice(["auto", words @ ..]) = REGISTRY.iter().find(|it| it.name == "way").unwrap().kind else {
            panic!("the setting `way` is no choice of `auto` and ways")
        };
        assert_eq!(words, Way::ALL.map(|(_, name)| name));
    }
}
