//! Many patterns at once. Each branch hangs at one of its fields, chosen when it is added: of those that name their values
//! literally the one whose values fewest others name, else one that must be there at all. An event is walked along the
//! paths that something hangs at, and only the branches that its own values lead to are matched.
//!
//! ```text
//!   root ─ source ── "shop" ─────> #0.0 (source: shop, detail.item: prefix)
//!        └ detail ─ id ── "a" ───> #1.0      an event with id a asks #1.0, not the 1,000 beside it
//!                      └─ there ─> #2.0 (id: numeric)
//!        └ always ───────────────> #3.0 (all that it asks for is absence)
//! ```

use crate::parse::{Node, Pattern};
use crate::test::Test;
use serde_json::Value as Json;
use std::collections::HashMap;

/// Patterns with a key each.
#[derive(Debug)]
pub struct Index<K> {
    patterns: Vec<(K, Pattern)>,
    root: Step,
    /// Branches that no value leads to.
    always: Vec<Branch>,
}

/// A pattern and one of its branches, by number.
type Branch = (u32, u32);

#[derive(Debug, Default)]
struct Step {
    inner: HashMap<String, Step>,
    texts: HashMap<String, Vec<Branch>>,
    there: Vec<Branch>,
}

/// A field that a branch can hang at.
struct Hook<'p> {
    path: Vec<&'p str>,
    /// None: whatever value is there.
    texts: Option<Vec<&'p str>>,
}

impl<K> Index<K> {
    /// Takes in all patterns.
    pub fn new(patterns: impl IntoIterator<Item = (K, Pattern)>) -> Self {
        let patterns: Vec<(K, Pattern)> = patterns.into_iter().collect();
        // How many name a value at a path.
        let mut named: HashMap<(Vec<&str>, &str), u32> = HashMap::new();
        let each = patterns.iter().flat_map(|(_, pattern)| &pattern.branches);
        for hook in each.flat_map(hooks) {
            for text in hook.texts.iter().flatten() {
                *named.entry((hook.path.clone(), text)).or_default() += 1;
            }
        }
        let (mut root, mut always) = (Step::default(), vec![]);
        for (number, (_, pattern)) in patterns.iter().enumerate() {
            for (branch, node) in pattern.branches.iter().enumerate() {
                let id = (number as u32, branch as u32);
                let cost = |hook: &Hook| match &hook.texts {
                    Some(texts) => texts.iter().filter_map(|text| named.get(&(hook.path.clone(), *text))).sum::<u32>(),
                    None => u32::MAX,
                };
                let Some(hook) = hooks(node).into_iter().min_by_key(cost) else {
                    always.push(id);
                    continue;
                };
                let step =
                    hook.path.iter().fold(&mut root, |step, name| step.inner.entry((*name).to_owned()).or_default());
                match hook.texts {
                    Some(texts) => {
                        texts.into_iter().for_each(|text| step.texts.entry(text.to_owned()).or_default().push(id));
                    }
                    None => step.there.push(id),
                }
            }
        }
        Self { patterns, root, always }
    }

    /// How many patterns there are.
    pub fn len(&self) -> usize {
        self.patterns.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The keys of the patterns that match an event, in the order in which they were given.
    pub fn matches<'i>(&'i self, event: &Json) -> Vec<&'i K> {
        let mut found = self.candidates(event);
        let mut matched = vec![];
        while let Some(first) = found.first().map(|(number, _)| *number) {
            let of = found.iter().take_while(|(number, _)| *number == first).count();
            if let Some((key, pattern)) = self.patterns.get(first as usize)
                && pattern.matches_by(event, found.drain(..of).map(|(_, branch)| branch as usize))
            {
                matched.push(key);
            }
        }
        matched
    }

    /// The branches that an event leads to, each once.
    fn candidates(&self, event: &Json) -> Vec<Branch> {
        let mut lists = vec![self.always.as_slice()];
        walk(&self.root, event, &mut lists);
        // Elements of a list lead to the same branches again and again.
        lists.sort_unstable_by_key(|list| list.as_ptr());
        lists.dedup_by_key(|list| list.as_ptr());
        let mut found = lists.concat();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// How many branches an event is matched against: what a match costs.
    pub fn led_to(&self, event: &Json) -> usize {
        self.candidates(event).len()
    }

    /// Whether an event of which only some top-level texts are known could match something.
    pub fn could_match(&self, known: &[(&str, &str)]) -> bool {
        let text = |name: &str| known.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let open = |node: &Node| {
            node.inner.iter().all(|(name, inner)| {
                let Some(text) = text(name) else { return true };
                let value = Json::String(text.to_owned());
                inner.fields.iter().all(|field| field.tests.iter().any(|test| test.holds(&value)))
            })
        };
        self.patterns.iter().any(|(_, pattern)| pattern.branches.iter().any(open))
    }
}

fn walk<'i>(step: &'i Step, value: &Json, found: &mut Vec<&'i [Branch]>) {
    match value {
        Json::Array(all) => all.iter().for_each(|one| walk(step, one, found)),
        Json::Object(members) => {
            if step.inner.len() < members.len() {
                for (name, inner) in &step.inner {
                    if let Some(value) = members.get(name) {
                        walk(inner, value, found);
                    }
                }
            } else {
                for (name, value) in members {
                    if let Some(inner) = step.inner.get(name) {
                        walk(inner, value, found);
                    }
                }
            }
        }
        leaf => {
            let named = leaf.as_str().and_then(|text| step.texts.get(text));
            let lists = [Some(&step.there), named].into_iter().flatten();
            found.extend(lists.filter(|list| !list.is_empty()).map(Vec::as_slice));
        }
    }
}

/// Where a branch can hang: fields that an event must have for it to match.
fn hooks(branch: &Node) -> Vec<Hook<'_>> {
    let mut found = vec![];
    collect(branch, &mut vec![], &mut found);
    found
}

fn collect<'p>(node: &'p Node, path: &mut Vec<&'p str>, found: &mut Vec<Hook<'p>>) {
    for field in node.fields.iter().filter(|field| field.absent.is_none()) {
        let text = |test: &'p Test| match test {
            Test::Text(text) => Some(text.as_str()),
            _ => None,
        };
        found.push(Hook { path: path.clone(), texts: field.tests.iter().map(text).collect() });
    }
    for (name, inner) in &node.inner {
        path.push(name);
        collect(inner, path, found);
        path.pop();
    }
}
