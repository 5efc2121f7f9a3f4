//! Whether an event is one that a pattern is about. Linear in event and branch: of a list each element is asked for the
//! whole of what is below it, and absence is found out once for each path.

use crate::parse::{Field, Node, Pattern};
use crate::test::Test;
use serde_json::Value as Json;
use std::cell::OnceCell;

impl Pattern {
    /// Whether it matches an event.
    pub fn matches(&self, event: &Json) -> bool {
        let facts = Facts::new(self, event);
        self.branches.iter().any(|branch| facts.holds(branch, Some(event)))
    }

    /// The same of some of its branches, by number.
    pub(crate) fn matches_by(&self, event: &Json, branches: impl IntoIterator<Item = usize>) -> bool {
        let facts = Facts::new(self, event);
        branches
            .into_iter()
            .any(|branch| self.branches.get(branch).is_some_and(|branch| facts.holds(branch, Some(event))))
    }
}

/// What is known of an event while a pattern is matched against it.
struct Facts<'a> {
    event: &'a Json,
    pattern: &'a Pattern,
    absent: Vec<OnceCell<bool>>,
}

impl<'a> Facts<'a> {
    fn new(pattern: &'a Pattern, event: &'a Json) -> Self {
        Self { event, pattern, absent: pattern.absent.iter().map(|_| OnceCell::new()).collect() }
    }

    fn holds(&self, node: &Node, value: Option<&Json>) -> bool {
        match value {
            // Of a list one element, for all that is asked; one that is empty is as nothing.
            Some(Json::Array(all)) if !all.is_empty() => all.iter().any(|one| self.holds(node, Some(one))),
            _ => {
                node.fields.iter().all(|field| self.field(field, value))
                    && node.inner.iter().all(|(name, inner)| self.holds(inner, value.and_then(|value| value.get(name))))
            }
        }
    }

    /// `value` is no list but an empty one.
    fn field(&self, field: &Field, value: Option<&Json>) -> bool {
        let leaf = value.filter(|value| !value.is_object() && !value.is_array());
        let there = || leaf.is_some_and(|leaf| field.tests.iter().any(|test: &Test| test.holds(leaf)));
        there() || field.absent.is_some_and(|number| self.is_absent(number))
    }

    fn is_absent(&self, number: usize) -> bool {
        let known = || !has_leaf(self.event, &self.pattern.absent[number]);
        self.absent.get(number).is_some_and(|cell| *cell.get_or_init(known))
    }
}

/// Whether something that ends a path is at this one, in any element of lists on the way.
fn has_leaf(value: &Json, path: &[String]) -> bool {
    match (value, path) {
        (Json::Array(all), _) => all.iter().any(|one| has_leaf(one, path)),
        (Json::Object(members), [first, rest @ ..]) => members.get(first).is_some_and(|inner| has_leaf(inner, rest)),
        (Json::Object(_), []) => false,
        (_, rest) => rest.is_empty(),
    }
}
