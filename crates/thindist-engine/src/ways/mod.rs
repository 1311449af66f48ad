//! The three ways of driving lld, and the rule that chooses one of them.
//!
//! | way | what lld does |
//! | --- | --- |
//! | in-process | the whole link, with a private cache of its own; its native objects are harvested into our stores |
//! | distributor | the whole link, and it has us make the native objects (DTLTO) |
//! | index-only | a thin link and a final link; what is between them is ours, and so are the decisions that lld makes there |
//!
//! The first is right for every line. The others are for what it is bad at: an edit of which many modules import, an engine, an
//! object that somebody else has made already.

pub(crate) mod builds_own;
pub(crate) mod hand_over;

pub(crate) mod ahead;
pub(crate) mod distributor;
mod filling;
mod harvest;
mod history;
mod in_process;
mod link;
mod listed;
mod private_cache;

pub(crate) use link::{Line, link};

use crate::session::way::Way;
use thindist_core::lld::link_line::LinkLine;

/// Whether lld has to do this line as it stands, with nothing of ours behind it.
pub(crate) fn is_lld_alone(line: &LinkLine) -> bool {
    private_cache::refusal(line).is_some()
}

/// The rule's answer, for stats, `what-ran` and a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) way: Way,
    pub(crate) why: String,
    /// Something that was asked for is not done: worth a warning.
    pub(crate) falls_short: bool,
}

/// What the rule looks at.
#[derive(Debug, Clone)]
pub(crate) struct Situation {
    pub(crate) forced: Option<Way>,
    /// Why in-process will not do, whatever it costs: what was asked for that lld does not have.
    pub(crate) needs_separate: Option<String>,
    /// Backends can run elsewhere.
    pub(crate) has_engine: bool,
    /// Backends write files beside their objects, of which lld's cache keeps nothing.
    pub(crate) has_side_files: bool,
    /// The way of separate backends that carries this line, or why there is none.
    pub(crate) separate: std::result::Result<Way, String>,
    /// What is known of the last link of this output.
    pub(crate) last: Option<Last>,
}

impl Situation {
    /// The user wants more than lld's link.
    pub(crate) fn asks_for_separate(&self) -> bool {
        let is_forced = self.forced.is_some_and(|way| way != Way::InProcess);
        is_forced || self.needs_separate.is_some() || self.has_engine
    }
}

/// The last link of this output, weighed against what has changed since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Last {
    /// What lld would compile that separate backends might find unchanged: milliseconds of wall time.
    pub(crate) lld_repeats_ms: u64,
    /// What thin link, plan and final link take beside one run of lld.
    pub(crate) separate_ms: u64,
    /// lld's private cache of the last link can be used.
    pub(crate) is_warm: bool,
    /// Objects of the last link are in our stores.
    pub(crate) is_stored: bool,
    /// In-process it said something that a cache would not say again.
    pub(crate) spoke: bool,
    /// In-process it took more memory than there is now.
    pub(crate) too_large: bool,
}

const TOO_LARGE: &str = "in-process the last link took more memory than is free";

/// The rule.
pub(crate) fn choose(situation: &Situation) -> Chosen {
    let Situation { forced, needs_separate, has_engine, has_side_files, separate, last } = situation;
    let chosen = |way, why: &str| Chosen { way, why: why.to_owned(), falls_short: false };
    let separately = |why: &str| match separate {
        Ok(way) => chosen(*way, why),
        Err(reason) => Chosen { way: Way::InProcess, why: format!("{why}; {reason}"), falls_short: true },
    };
    if let Some(why) = needs_separate {
        return separately(why);
    }
    match forced {
        Some(Way::InProcess) => return chosen(Way::InProcess, "the setting says so"),
        Some(_) => return separately("the setting says so"),
        None => {}
    }
    if *has_engine {
        return separately("there is an engine");
    }
    if *has_side_files {
        return separately("backends write files beside their objects, of which lld's cache keeps nothing");
    }
    let Some(last) = last.as_ref().filter(|_| separate.is_ok()) else {
        let why = separate.as_ref().err().map_or("nothing is known of an earlier link", String::as_str);
        return chosen(Way::InProcess, why);
    };
    if last.too_large {
        return separately(TOO_LARGE);
    }
    if last.spoke {
        return separately("the last link had warnings of backends, which lld's cache does not repeat");
    }
    if !last.is_stored {
        return chosen(Way::InProcess, "nothing of the last link is in the stores");
    }
    if !last.is_warm {
        return separately("lld's private cache cannot be used");
    }
    if last.lld_repeats_ms > last.separate_ms {
        return separately(&format!("lld would compile importers again: {} ms", last.lld_repeats_ms));
    }
    chosen(Way::InProcess, "few modules have changed")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: Last =
        Last { lld_repeats_ms: 10, separate_ms: 500, is_warm: true, is_stored: true, spoke: false, too_large: false };

    fn situation(last: Option<Last>) -> Situation {
        Situation {
            forced: None,
            needs_separate: None,
            has_engine: false,
            has_side_files: false,
            separate: Ok(Way::Distributor),
            last,
        }
    }

    #[track_caller]
    fn check(situation: &Situation, expect: Way) {
        let chosen = choose(situation);
        assert_eq!(chosen.way, expect, "{situation:?}: {}", chosen.why);
    }

    #[test]
    fn a_first_link_is_in_process() {
        check(&situation(None), Way::InProcess);
    }

    #[test]
    fn edits_are_weighed() {
        check(&situation(Some(LAST)), Way::InProcess);
        check(&situation(Some(Last { lld_repeats_ms: 501, ..LAST })), Way::Distributor);
    }

    #[test]
    fn what_lld_cannot_repeat_or_bear_is_separate() {
        for last in [Last { spoke: true, ..LAST }, Last { too_large: true, ..LAST }, Last { is_warm: false, ..LAST }] {
            check(&situation(Some(last)), Way::Distributor);
        }
        check(&situation(Some(Last { is_stored: false, is_warm: false, ..LAST })), Way::InProcess);
    }

    #[test]
    fn an_engine_gets_the_backends() {
        check(&Situation { has_engine: true, ..situation(None) }, Way::Distributor);
    }

    #[test]
    fn files_beside_objects_are_those_of_separate_backends() {
        check(&Situation { has_side_files: true, ..situation(None) }, Way::Distributor);
        check(&Situation { has_side_files: true, ..situation(Some(LAST)) }, Way::Distributor);
    }

    #[test]
    fn what_no_separate_way_carries_is_in_process() {
        let refused = |situation: Situation| Situation { separate: Err("a reason".to_owned()), ..situation };
        for (situation, falls_short) in [
            (situation(None), false),
            (situation(Some(Last { lld_repeats_ms: 9000, spoke: true, too_large: true, ..LAST })), false),
            (Situation { has_engine: true, ..situation(None) }, true),
            (Situation { forced: Some(Way::IndexOnly), ..situation(None) }, true),
            (Situation { needs_separate: Some("stable names".to_owned()), ..situation(None) }, true),
        ] {
            let chosen = choose(&refused(situation));
            assert_eq!((chosen.way, chosen.falls_short), (Way::InProcess, falls_short), "{}", chosen.why);
        }
    }

    #[test]
    fn a_setting_decides_but_not_against_what_was_asked_for() {
        check(&Situation { forced: Some(Way::InProcess), has_engine: true, ..situation(None) }, Way::InProcess);
        check(&Situation { forced: Some(Way::Distributor), ..situation(Some(LAST)) }, Way::Distributor);
        let stable = Some("stable names".to_owned());
        check(&Situation { forced: Some(Way::InProcess), needs_separate: stable, ..situation(None) }, Way::Distributor);
    }
}
