//! CloudFormation resource types. A service implements each by calling public operations as the
//! stack's owner; the cloudformation service drives them and knows none of them.
//!
//! Names, types and update behaviour of properties are facts kept in `kiln_template::facts`; the
//! engine checks properties against them before a type is asked anything.

use crate::{Cx, Error, Properties, Roll, Timestamp};
use async_trait::async_trait;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// What a type is told of the resource in hand.
#[derive(Debug, Clone)]
pub struct ResourceRequest {
    pub stack_id: String,
    pub stack_name: String,
    pub logical_id: String,
    /// The same for every try of the same creation: use it as client token.
    pub token: String,
    /// A generated unique name (`stack-logical-RANDOM`), the same for every try, for types whose
    /// name property was left out.
    pub physical_name: String,
    /// Resolved properties, checked against the type's facts.
    pub properties: Json,
    /// Properties before an update; `Null` otherwise.
    pub previous: Json,
    /// Stack tags and the `aws:cloudformation:*` tags, to be put on what supports tags, before the
    /// resource's own `Tags`.
    pub tags: Vec<(String, String)>,
    /// The same as they were before an update.
    pub previous_tags: Vec<(String, String)>,
    /// When this work on the resource began, or the stack's operation: what failed before is not its doing.
    pub since: Timestamp,
}

/// Whether a resource has settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stability {
    Ready,
    /// Not yet, and why; the engine asks again.
    Pending(String),
    /// It will not settle, and why.
    Failed(String),
}

/// One CloudFormation resource type.
#[async_trait]
pub trait ResourceType: Send + Sync {
    /// e.g. `AWS::EC2::VPC`.
    fn type_name(&self) -> &'static str;

    /// Whether the type carries a property out. One that it does not is refused by name before anything is made,
    /// unless it only says what holds anyway.
    fn serves(&self, _property: &str) -> bool {
        true
    }

    /// Of the properties that are not served: the values (as JSON, by path) that say what holds anyway, AWS's defaults
    /// mostly. An empty list says nothing and needs no line.
    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Makes the resource and returns its physical id (what `Ref` gives). Called again with the
    /// same `token` after a crash: must find what an earlier try made instead of making it twice.
    /// The call that makes it is the last one that can fail: what else belongs to the resource is
    /// for `complete`, so that a failure there leaves nothing behind that nobody knows of.
    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error>;

    /// Sets what a new resource has beyond its creation (rules, policies, attributes), once its
    /// physical id is kept. May be called again after a crash.
    async fn complete(&self, _cx: &Cx, _physical_id: &str, _request: &ResourceRequest) -> Result<(), Error> {
        Ok(())
    }

    /// Asked after create and update until it says `Ready` or `Failed`.
    async fn stability(&self, _cx: &Cx, _physical_id: &str, _request: &ResourceRequest) -> Result<Stability, Error> {
        Ok(Stability::Ready)
    }

    /// Changes properties that need no replacement.
    async fn update(&self, cx: &Cx, physical_id: &str, request: &ResourceRequest) -> Result<(), Error>;

    /// Removes it; a thing that is gone already is a success. `Pending` when removal goes on by
    /// itself (a terminating instance); the engine asks again.
    async fn delete(&self, cx: &Cx, physical_id: &str, request: &ResourceRequest) -> Result<Stability, Error>;

    /// The property that gives a thing of the type its own name, where it has one. Two things of one name cannot be
    /// there at once, so one that was named cannot be replaced.
    fn name_property(&self) -> Option<&'static str> {
        None
    }

    /// Whether a thing is there that has the name which `properties` give it. Where the physical id is not the name,
    /// the type asks for the name itself.
    async fn exists(&self, cx: &Cx, name: &str, properties: &Json) -> Result<bool, Error> {
        Ok(self.read(cx, name, properties).await?.is_some())
    }

    /// How the type follows the update policies of templates; none: it has none to follow.
    fn roll(&self) -> Option<&dyn Roll> {
        None
    }

    /// All properties as they are now, read from the thing itself by public operations; none when it is not there.
    ///
    /// As the type's registry schema describes them: what was given, AWS's defaults, and what is read-only; not what
    /// is write-only (secrets), and no tags that are AWS's. `known` is what is known of the properties without
    /// looking, at least those of the primary identifier: some things have no id of their own to be found by.
    async fn read(&self, cx: &Cx, physical_id: &str, known: &Json) -> Result<Option<Properties>, Error>;

    /// The values of `Fn::GetAtt`, read from the thing itself.
    async fn attributes(
        &self,
        cx: &Cx,
        physical_id: &str,
        request: &ResourceRequest,
    ) -> Result<BTreeMap<String, Json>, Error>;
}

impl ResourceRequest {
    /// A text property; scalars are written as text.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.properties.get(name)? {
            Json::String(s) => Some(s.clone()),
            Json::Number(n) => Some(n.to_string()),
            Json::Bool(b) => Some(b.to_string()),
            _ => None,
        }
    }

    /// A whole-number property, given as number or text.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    /// A boolean property, given as boolean or text.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        self.text(name)?.parse().ok()
    }

    /// A list of texts; empty when left out.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let item = |v: &Json| match v {
            Json::String(s) => Some(s.clone()),
            Json::Number(n) => Some(n.to_string()),
            Json::Bool(b) => Some(b.to_string()),
            _ => None,
        };
        match self.properties.get(name) {
            Some(Json::Array(items)) => items.iter().filter_map(item).collect(),
            Some(one) => item(one).into_iter().collect(),
            None => vec![],
        }
    }

    /// The tags to put on: stack tags first, overridden by the resource's own `Tags` list.
    pub fn all_tags(&self) -> Vec<(String, String)> {
        merged(&self.tags, &self.properties)
    }

    /// The keys of tags that an update takes away.
    pub fn removed_tags(&self) -> Vec<String> {
        let wanted = self.all_tags();
        let before = merged(&self.previous_tags, &self.previous).into_iter().map(|(key, _)| key);
        before.filter(|key| !wanted.iter().any(|(known, _)| known == key)).collect()
    }

    /// Whether an update changed the property.
    pub fn changed(&self, name: &str) -> bool {
        self.properties.get(name) != self.previous.get(name)
    }
}

impl dyn ResourceType + '_ {
    /// The properties without those that only say what holds anyway.
    pub fn carried_out(&self, properties: &Json) -> Json {
        let Json::Object(given) = properties else { return properties.clone() };
        let kept = given.iter().filter(|(name, value)| self.serves(name) || !self.holds(name, value));
        Json::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// The first property that is not served and says something that does not hold.
    pub fn not_served<'p>(&self, properties: &'p Json) -> Option<&'p str> {
        let mut given = properties.as_object().into_iter().flatten();
        given.find(|(name, value)| !self.serves(name) && !self.holds(name, value)).map(|(name, _)| name.as_str())
    }

    /// Whether a value says what holds anyway.
    fn holds(&self, path: &str, value: &Json) -> bool {
        let text = |value: &Json| match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        match value {
            Json::Null => true,
            Json::Array(items) if items.is_empty() => true,
            Json::Object(members) if !members.is_empty() => {
                members.iter().all(|(name, value)| self.holds(&format!("{path}/{name}"), value))
            }
            // A template may write numbers and booleans as text.
            value => self.holds_anyway().iter().any(|(known, holds)| {
                *known == path && serde_json::from_str(holds).is_ok_and(|holds: Json| text(&holds) == text(value))
            }),
        }
    }
}

/// Tags of the stack, overridden by the resource's own.
fn merged(stack: &[(String, String)], properties: &Json) -> Vec<(String, String)> {
    let mut tags = stack.to_vec();
    for tag in properties.get("Tags").and_then(Json::as_array).into_iter().flatten() {
        if let (Some(key), Some(value)) = (tag.get("Key").and_then(Json::as_str), tag.get("Value")) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match tags.iter_mut().find(|(k, _)| k == key) {
                Some(found) => found.1 = value,
                None => tags.push((key.to_owned(), value)),
            }
        }
    }
    tags
}
