//! One resource, before and after: which values differ, and must it be made anew?

use serde_json::Value;

use super::{Attribute, ChangeSource, ChangeType, DeployedResource, Detail, Evaluation, Replacement};
use crate::evaluate::ResolvedResource;
use crate::functions::{equal, scalar_text};
use crate::lookup::is_unknown;
use crate::schema::{Kind, Property, Recreation, ResourceSchema, check_properties};
use crate::template::DeletionPolicy;

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Every value that differs; empty if none does.
    pub details: Vec<Detail>,
    /// Is the resource replaced?
    pub replacement: Replacement,
}

impl Comparison {
    /// Whether replacement is needed, from the details.
    pub(super) fn of(details: Vec<Detail>) -> Self {
        let mut replacement = Replacement::False;
        for detail in &details {
            match (detail.recreation, detail.evaluation) {
                (Recreation::Always, Evaluation::Static) => {
                    replacement = Replacement::True;
                    break;
                }
                (Recreation::Always, Evaluation::Dynamic) | (Recreation::Conditionally, _) => {
                    replacement = Replacement::Conditional;
                }
                (Recreation::Never, _) => {}
            }
        }
        Self { details, replacement }
    }
}

/// Sets the deployed state of a resource against its new values. All changes are taken as made in the template;
/// a plan of a whole stack knows better causes.
pub fn compare(schema: &ResourceSchema, before: &DeployedResource, after: &ResolvedResource) -> Comparison {
    let mut details = Vec::new();
    let (old, new) = (made_right(schema, &before.properties), made_right(schema, &after.properties));
    let mut walk = Walk { schema, path: Vec::new(), details: &mut details };
    walk.value(Some(&schema.properties), Some(&old), Some(&new));
    let parts = [
        (Attribute::Metadata, &before.metadata, &after.metadata),
        (Attribute::CreationPolicy, &before.creation_policy, &after.creation_policy),
        (Attribute::UpdatePolicy, &before.update_policy, &after.update_policy),
    ];
    for (attribute, old, new) in parts {
        let same = match (old, new) {
            (None, None) => true,
            (Some(old), Some(new)) => equal(old, new),
            _ => false,
        };
        if !same {
            details.push(plain(attribute, old.as_ref().map(shown), new.as_ref().map(shown)));
        }
    }
    let word = |policy: Option<DeletionPolicy>| policy.map(|policy| policy.as_str().to_owned());
    if before.deletion_policy != after.deletion_policy {
        details.push(plain(Attribute::DeletionPolicy, word(before.deletion_policy), word(after.deletion_policy)));
    }
    if before.update_replace_policy != after.update_replace_policy {
        let (old, new) = (word(before.update_replace_policy), word(after.update_replace_policy));
        details.push(plain(Attribute::UpdateReplacePolicy, old, new));
    }
    Comparison::of(details)
}

/// The properties with their scalars as the type wants them, so that `"80"` and `80` are no change. What the type
/// would refuse stays as it is: that is said elsewhere.
fn made_right(schema: &ResourceSchema, properties: &Value) -> Value {
    check_properties(schema, properties).unwrap_or_else(|_| properties.clone())
}

fn plain(attribute: Attribute, before: Option<String>, after: Option<String>) -> Detail {
    Detail {
        attribute,
        name: None,
        path: format!("/{}", attribute.as_str()),
        recreation: Recreation::Never,
        change_type: change_type(before.is_some(), after.is_some()),
        before,
        after,
        evaluation: Evaluation::Static,
        source: ChangeSource::DirectModification,
        causing_entity: None,
    }
}

fn change_type(before: bool, after: bool) -> ChangeType {
    match (before, after) {
        (false, _) => ChangeType::Add,
        (true, false) => ChangeType::Remove,
        (true, true) => ChangeType::Modify,
    }
}

/// A value as change sets show it: scalars as text, the rest as JSON.
fn shown(value: &Value) -> String {
    scalar_text(value).unwrap_or_else(|| value.to_string())
}

struct Walk<'a> {
    schema: &'a ResourceSchema,
    path: Vec<String>,
    details: &'a mut Vec<Detail>,
}

impl<'a> Walk<'a> {
    fn value(&mut self, property: Option<&'a Property>, before: Option<&Value>, after: Option<&Value>) {
        let schema = self.schema;
        let kind = property.and_then(|property| schema.follow(property)).map(|property| &property.kind);
        match (before, after) {
            (None, None) => {}
            (Some(Value::Object(old)), Some(Value::Object(new))) => {
                let mut keys: Vec<&String> =
                    old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))).collect();
                keys.sort();
                for key in keys {
                    let below = match kind {
                        Some(Kind::Object(object)) => object.members.get(key),
                        Some(Kind::Map(of)) => Some(&**of),
                        _ => None,
                    };
                    self.path.push(key.clone());
                    self.value(below, old.get(key), new.get(key));
                    self.path.pop();
                }
            }
            (Some(Value::Array(old)), Some(Value::Array(new))) => {
                let (of, unordered) = match kind {
                    Some(Kind::List { of, unordered, .. }) => (Some(&**of), *unordered),
                    _ => (None, false),
                };
                if unordered && same_items(old, new) {
                    return;
                }
                for index in 0..old.len().max(new.len()) {
                    self.path.push(index.to_string());
                    self.value(of, old.get(index), new.get(index));
                    self.path.pop();
                }
            }
            (Some(old), Some(new)) if equal(old, new) => {}
            (old, new) => self.detail(old, new),
        }
    }

    fn detail(&mut self, before: Option<&Value>, after: Option<&Value>) {
        let steps: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let name = steps.first().map(|name| (*name).to_owned());
        let is_tags = name.is_some() && name == self.schema.tags;
        let unknown = after.is_some_and(is_unknown);
        self.details.push(Detail {
            attribute: if is_tags { Attribute::Tags } else { Attribute::Properties },
            name,
            path: format!("/Properties/{}", steps.join("/")),
            recreation: self.schema.recreation(&steps),
            change_type: change_type(before.is_some(), after.is_some()),
            before: before.map(shown),
            after: after.map(shown),
            evaluation: if unknown { Evaluation::Dynamic } else { Evaluation::Static },
            source: ChangeSource::DirectModification,
            causing_entity: None,
        });
    }
}

/// The same items in any order.
fn same_items(old: &[Value], new: &[Value]) -> bool {
    if old.len() != new.len() {
        return false;
    }
    // JSON writes keys sorted, so equal values are equal texts.
    let sorted = |items: &[Value]| {
        let mut texts: Vec<String> = items.iter().map(Value::to_string).collect();
        texts.sort_unstable();
        texts
    };
    sorted(old) == sorted(new)
}
