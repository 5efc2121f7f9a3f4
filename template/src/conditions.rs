//! In which order conditions must be worked out, and what to say when they go round in a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{At, Result};
use crate::expr::Reference;
use crate::order;
use crate::template::Template;

/// The conditions so that each comes after those it names.
pub fn order(template: &Template) -> Result<Vec<String>> {
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, condition) in &template.conditions {
        let of = condition.references().into_iter().filter_map(|reference| match reference {
            Reference::Condition(name) => Some(name),
            _ => None,
        });
        needs.insert(name.clone(), of.collect());
    }
    match order::waves(&needs) {
        Ok(waves) => Ok(waves.into_iter().flatten().collect()),
        Err(cycle) => {
            let root = At::root();
            let at = root.key("Conditions", Default::default());
            let mark = template.conditions.get(&cycle[0]).map(|condition| condition.mark).unwrap_or_default();
            Err(at.key(&cycle[0], mark).error(format!(
                "Template format error: Circular dependency between conditions: [{}]",
                cycle.join(", ")
            )))
        }
    }
}
