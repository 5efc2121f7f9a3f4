//! The kinds of steps that controllers take, by how their texts begin: each controller says it of itself.

use crate::services;
use std::collections::{BTreeMap, BTreeSet};

/// What a controller does only after another step was broken: noting what the host has already, and making a
/// call that was about to be made. They are done in the broken runs, where nothing else breaks.
const AFTER_OTHERS: &[(&str, &str)] = &[("ec2/network", "note that"), ("cloudformation/stack", "Carry")];

/// Panics when a kind is in no step, or a step of no kind. `steps` are `controller thing: text`.
pub fn check<'a>(steps: impl Iterator<Item = &'a String>) {
    let services = services::services();
    let all = services.iter().flat_map(|service| &service.controllers);
    let kinds: BTreeMap<&str, &[&str]> = all.map(|controller| (controller.name(), controller.steps())).collect();
    let mut unseen: BTreeSet<(&str, &str)> =
        kinds.iter().flat_map(|(controller, kinds)| kinds.iter().map(move |kind| (*controller, *kind))).collect();
    unseen.retain(|seen| !AFTER_OTHERS.contains(seen));
    let mut unknown = BTreeSet::new();
    for step in steps {
        let (controller, rest) = step.split_once(' ').expect("a controller's name");
        let text = rest.split_once(": ").expect("the step's text").1;
        let own = kinds.get(controller).copied().unwrap_or_default();
        // The longest, as one may begin like another.
        match own.iter().filter(|kind| begins(text, kind)).max_by_key(|kind| kind.len()) {
            Some(kind) => drop(unseen.remove(&(controller, *kind))),
            None => drop(unknown.insert(step)),
        }
    }
    assert!(
        unseen.is_empty() && unknown.is_empty(),
        "never broken, a scenario beside this file is to lead through them and every_kind_of_step_is_in_a_scenario to \
         list it: {unseen:#?}\nsteps that begin like none of their controller's STEPS: {unknown:#?}"
    );
}

/// Whether the text begins with these words.
fn begins(text: &str, words: &str) -> bool {
    text.strip_prefix(words).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
}
