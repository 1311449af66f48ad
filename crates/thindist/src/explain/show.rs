//! The words of an explanation.

use crate::ui::EMPHASIS;
use std::fmt::Write as _;
use thindist_engine::explained::manifest::{Difference, Input, Manifest, Taken};
use thindist_engine::explained::record::{ByLld, Explained, Kept, Ran};
use thindist_engine::what_ran::From;

/// Enough of a key to name it.
const KEY: usize = 12;
/// Modules beyond this many are only counted.
const SHOWN: usize = 20;
/// Inputs beyond this many as well.
const ALSO: usize = 5;

/// A link, with a line for each module that ran.
pub(super) fn link(link: &Explained, kept: &dyn Fn(&Ran) -> Option<Kept>) -> String {
    let how = if link.way.is_empty() { String::new() } else { format!(", {}: {}", link.way, link.why) };
    let mut text = format!("{EMPHASIS}{}{EMPHASIS:#} in {}{how}\n", link.output, link.directory.display());
    let lines = match &link.by_lld {
        Some(by_lld) => of_lld(by_lld),
        None => {
            let ran: Vec<&Ran> = link.actions.iter().filter(|ran| has_run(link, ran)).collect();
            let others = if is_by_lld(link) { "lld had" } else { "the stores had" };
            let _ = writeln!(
                text,
                "{} of {} modules ran; {others} the objects of the others",
                ran.len(),
                link.actions.len()
            );
            let line = |ran: &&Ran| format!("{}: {}", ran.module, in_short(ran, kept(ran).as_ref()));
            let mut lines: Vec<String> = ran.iter().take(SHOWN).map(line).collect();
            lines.extend(more(ran.len()));
            lines
        }
    };
    lines.iter().for_each(|line| {
        let _ = writeln!(text, "  {line}");
    });
    text
}

fn more(all: usize) -> Option<String> {
    (all > SHOWN).then(|| format!("... and {} more", all - SHOWN))
}

/// In-process lld decides what it compiles, by the contents of modules and of what they import from.
fn of_lld(by_lld: &ByLld) -> Vec<String> {
    let ByLld { modules, ran, is_first, changed, repeated } = by_lld;
    let mut lines = vec![format!("lld compiled {ran} of {modules} modules itself")];
    if *is_first {
        lines.push("no earlier link of this output was known".to_owned());
        return lines;
    }
    let all = changed.iter().map(|module| format!("{module}: it has changed"));
    let all = all.chain(repeated.iter().map(|(module, from)| match from.as_slice() {
        [] => format!("{module}: lld's private cache had no object of it"),
        from => format!("{module}: it imports from {}", from.join(", ")),
    }));
    lines.extend(all.take(SHOWN));
    lines.extend(more(changed.len() + repeated.len()));
    if repeated.iter().any(|(_, from)| !from.is_empty()) {
        lines.push(
            "lld compiles each importer of what has changed; THINDIST_WAY=distributor or index-only spares those that take nothing that has"
                .to_owned(),
        );
    }
    lines
}

/// lld has compiled, and its objects were taken into the stores afterwards.
fn is_by_lld(link: &Explained) -> bool {
    link.way == "in-process"
}

/// What was not found, here or by lld: its private cache has the object of an action that is as it was.
fn has_run(link: &Explained, ran: &Ran) -> bool {
    let is_stored = matches!(ran.from, From::LocalCache | From::RemoteCache);
    let had_it = is_by_lld(link) && ran.is_same;
    !is_stored && !had_it
}

fn in_short(ran: &Ran, kept: Option<&Kept>) -> String {
    if ran.is_same {
        return "it has not changed since the link before, and its object was not in the stores".to_owned();
    }
    let Some((now, before)) = kept.and_then(|kept| Some((&kept.now, kept.before.as_ref()?))) else {
        return "no earlier action of it is known".to_owned();
    };
    let spared = if now.is_spared_by_stable_names(before) { "; stable names would have spared it" } else { "" };
    match now.differences(before).split_first() {
        None => "its action is as it was".to_owned(),
        Some((first, [])) => format!("{}{spared}", name(&first.input)),
        Some((first, rest)) => format!("{} and {} more{spared}", name(&first.input), rest.len()),
    }
}

/// One action at length.
pub(super) fn action(link: &Explained, ran: &Ran, kept: Option<&Kept>) -> String {
    let mut text = format!("{EMPHASIS}{}{EMPHASIS:#} of {} in {}\n", ran.module, link.output, link.directory.display());
    let _ = writeln!(text, "action {}: {}", short(&ran.key), ending(ran, link));
    match kept.map(|kept| (&kept.now, kept.before.as_ref())) {
        None => text.push_str("what it was made of is not known any more\n"),
        Some((_, None)) => text.push_str("no earlier action of it is known to compare it with\n"),
        Some((now, Some(before))) => against(&mut text, ran, now, before),
    }
    text
}

fn against(text: &mut String, ran: &Ran, now: &Manifest, before: &Manifest) {
    let since =
        if ran.is_same { "the link before had the same action; the last other one was" } else { "the link before had" };
    let _ = writeln!(text, "{since} action {}", short(&before.key));
    let differences = now.differences(before);
    let Some((first, rest)) = differences.split_first() else { return };
    let _ = writeln!(text, "first input that differs: {}", name(&first.input));
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
    let _ = writeln!(text, "    old: {}\n    new: {}", value(&first.old), value(&first.new));
    if !rest.is_empty() {
        let names: Vec<String> = rest.iter().take(ALSO).map(|difference| name(&difference.input)).collect();
        let more = if rest.len() > ALSO { format!(" and {} more", rest.len() - ALSO) } else { String::new() };
        let _ = writeln!(text, "others: {}{more}", names.join(", "));
    }
    let _ = writeln!(text, "what would have spared it: {}", remedy(first, now, before));
}

fn remedy(first: &Difference, now: &Manifest, before: &Manifest) -> &'static str {
    if now.is_spared_by_stable_names(before) {
        return "stable names (THINDIST_PROMOTED_NAMES=stable): only hashes in promoted names differ";
    }
    match &first.input {
        Input::Module => "nothing: the module itself is another one",
        Input::Import(name) => of_import(name, now, before),
        Input::DebugInformation(_) => "nothing: lines, names or types of what is inlined from there are in its object",
        Input::Index => "nothing: the thin link has decided otherwise of its symbols or imports",
        Input::Argument => "the options of the link before",
        Input::File(_) => "the file as it was",
        Input::Other(name) if name == "compiler" => "the compiler as it was",
        Input::Other(_) => "nothing",
    }
}

fn of_import(name: &str, now: &Manifest, before: &Manifest) -> &'static str {
    match (now.taken(name), before.taken(name)) {
        (Taken::Described(now), Taken::Described(before)) if now == before => {
            "nothing alone: stable names would have kept this import, and not the others"
        }
        (Taken::Whole, _) | (_, Taken::Whole) => {
            "an import that can be described: where it reaches what is not understood, as debug information of C++ and Rust does, a module counts whole"
        }
        _ => "nothing: what is imported is in its object",
    }
}

fn ending(ran: &Ran, link: &Explained) -> &'static str {
    match ran.from {
        From::Executed if is_by_lld(link) && ran.is_same => "it did not run: lld had its object, in-process",
        From::Executed if is_by_lld(link) => "lld made its object, in-process",
        From::Executed => "it ran here, as no store had its object",
        From::RemoteExecuted => "it ran on the engine, as no store had its object",
        From::LocalCache => "it did not run: its object was in the local stores",
        From::RemoteCache => "it did not run: its object was in the remote cache",
        From::Failed => "it failed",
        From::NotRun => "it was not run, as another one had failed",
    }
}

fn name(input: &Input) -> String {
    match input {
        Input::Argument => "an argument of the compiler".to_owned(),
        Input::Module => "its own bitcode".to_owned(),
        Input::Index => "its index, which the thin link makes".to_owned(),
        Input::Import(name) => format!("what it imports from {name}"),
        Input::DebugInformation(name) => format!("the debug information of {name}, of which its object may show some"),
        Input::File(path) => format!("the file {path}"),
        Input::Other(name) => format!("the {name}"),
    }
}

fn short(key: &str) -> &str {
    key.get(..KEY).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lld_has_compiled_is_told_with_its_reasons() {
        let by_lld = ByLld {
            modules: 9,
            ran: 3,
            is_first: false,
            changed: vec!["a.o".into()],
            repeated: vec![("b.o".into(), vec!["a.o".into()]), ("c.o".into(), Vec::new())],
        };
        let lines = of_lld(&by_lld);
        assert_eq!(
            lines[..4],
            [
                "lld compiled 3 of 9 modules itself",
                "a.o: it has changed",
                "b.o: it imports from a.o",
                "c.o: lld's private cache had no object of it",
            ]
        );
        assert!(lines[4].contains("THINDIST_WAY"));
        assert_eq!(of_lld(&ByLld { is_first: true, ..by_lld }).len(), 2);
    }
}
