//! Reduces a link that differs to what it takes to differ.

use super::compare::{Bench, Outcome};
use super::scenario::{Scenario, Word};
use crate::Result;

/// The smallest that leaving out one thing after the other leads to, and how that differs.
pub(crate) fn smaller(
    bench: &Bench,
    way: &str,
    mut scenario: Scenario,
    mut difference: String,
) -> Result<(Scenario, String)> {
    let mut go_on = true;
    while go_on {
        go_on = false;
        for candidate in candidates(&scenario) {
            // A link that cannot be made is no smaller one.
            let outcomes = bench.compare(&candidate, &[way]);
            if let Some(Outcome::Differs(what)) = outcomes.ok().and_then(|mut outcomes| outcomes.pop()) {
                (scenario, difference, go_on) = (candidate, what, true);
                break;
            }
        }
    }
    Ok((scenario, difference))
}

/// Each of them without one thing.
fn candidates(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    for (number, word) in scenario.line.iter().enumerate() {
        let mut without = scenario.clone();
        without.line.remove(number);
        all.push(without);
        let parts = word.objects().len();
        for part in 0..parts {
            let symbols = word.objects().get(part).map_or(0, |object| object.symbols.len());
            if parts > 1 {
                all.push(with(scenario, number, |objects| drop(objects.remove(part))));
            }
            for symbol in 0..symbols {
                all.push(with(scenario, number, |objects| {
                    if let Some(object) = objects.get_mut(part) {
                        object.symbols.remove(symbol);
                    }
                }));
            }
        }
    }
    for number in 0..scenario.texts.len() {
        let mut without = scenario.clone();
        without.texts.remove(number);
        all.push(without);
    }
    all
}

fn with(scenario: &Scenario, number: usize, change: impl FnOnce(&mut Vec<super::scenario::Object>)) -> Scenario {
    let mut changed = scenario.clone();
    if let Some(word) = changed.line.get_mut(number) {
        match word {
            Word::Option(_) => {}
            Word::Object(object) | Word::Shared { object, .. } => {
                let mut one = vec![object.clone()];
                change(&mut one);
                if let Some(left) = one.pop() {
                    *object = left;
                }
            }
            Word::Lib(objects) | Word::Archive { members: objects, .. } => change(objects),
        }
    }
    changed
}
