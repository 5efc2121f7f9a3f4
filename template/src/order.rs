//! Names that need other names, put in order. Without recursion: chains may be as long as a template allows.

use std::collections::{BTreeMap, BTreeSet};

/// Waves of names: each wave needs only names of earlier waves. `Err` names one circle, in order.
///
/// Names that are needed but not listed are taken as there already.
pub fn waves(needs: &BTreeMap<String, BTreeSet<String>>) -> Result<Vec<Vec<String>>, Vec<String>> {
    let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wanted_by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, of) in needs {
        let inside: Vec<&String> = of.iter().filter(|other| needs.contains_key(*other)).collect();
        missing.insert(name, inside.len());
        for other in inside {
            wanted_by.entry(other).or_default().push(name);
        }
    }
    let mut waves = Vec::new();
    let mut ready: Vec<&str> = missing.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    let mut done = 0;
    while !ready.is_empty() {
        done += ready.len();
        let mut next = BTreeSet::new();
        for name in &ready {
            for dependent in wanted_by.get(name).into_iter().flatten() {
                if let Some(count) = missing.get_mut(dependent) {
                    *count -= 1;
                    if *count == 0 {
                        next.insert(*dependent);
                    }
                }
            }
        }
        waves.push(ready.iter().map(|name| (*name).to_owned()).collect());
        ready = next.into_iter().collect();
    }
    if done == needs.len() { Ok(waves) } else { Err(circle(needs, &missing)) }
}

/// Walks from a name that never became ready, always to one that it still needs, until it comes round.
fn circle(needs: &BTreeMap<String, BTreeSet<String>>, missing: &BTreeMap<&str, usize>) -> Vec<String> {
    let stuck = |name: &str| missing.get(name).is_some_and(|count| *count > 0);
    let mut path: Vec<String> = Vec::new();
    let mut place: BTreeMap<String, usize> = BTreeMap::new();
    let mut here = needs.keys().find(|name| stuck(name)).cloned();
    while let Some(name) = here {
        if let Some(start) = place.get(&name) {
            let mut found = path.split_off(*start);
            // Begin at the smallest name, so the same circle is always written alike.
            if let Some(smallest) = found.iter().enumerate().min_by_key(|(_, name)| name.as_str()).map(|(i, _)| i) {
                found.rotate_left(smallest);
            }
            return found;
        }
        place.insert(name.clone(), path.len());
        here = needs[&name].iter().find(|other| stuck(other)).cloned();
        path.push(name);
    }
    path
}
