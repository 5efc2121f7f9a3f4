//! Rules as they are kept, and what they are about.

use kiln_service_kit::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A bucket's lifecycle configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// By which buckets are found that have one: the same in all of them.
    pub mark: Mark,
    pub rules: Vec<Rule>,
    /// When it was put: it is carried out from the midnight after.
    pub set: Timestamp,
    /// What was said of small objects' transitions, of which there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest_moved: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub id: String,
    pub enabled: bool,
    pub filter: Filter,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<Expiration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noncurrent: Option<Noncurrent>,
    /// Days after which an upload is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<i32>,
}

/// See [`Lifecycle::mark`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    #[serde(rename = "has a lifecycle")]
    Has,
}

impl Mark {
    pub const TEXT: &'static str = "has a lifecycle";
}

/// When an object expires.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Expiration {
    /// After it was made.
    Days(i32),
    Date(Timestamp),
    /// Not an object: a delete marker behind which there is nothing any more, if so.
    Marker(bool),
}

/// When a version that is not the latest goes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Noncurrent {
    /// Days since there is a later one.
    pub days: i32,
    /// So many of them stay, the last ones.
    pub keep: Option<i32>,
}

/// What a rule is about; all of it must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filter {
    /// How it was written, for it to be shown so.
    pub form: Form,
    #[serde(default)]
    pub prefix: Option<String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// More bytes than so many.
    #[serde(default)]
    pub greater: Option<i64>,
    /// Fewer.
    #[serde(default)]
    pub less: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// A prefix of the rule's own, without a filter, as rules once were.
    Rule,
    /// One thing, or nothing.
    Single,
    And,
}

impl Filter {
    /// Of an object of so many bytes, with these tags.
    pub fn takes(&self, key: &str, size: u64, tags: &BTreeMap<String, String>) -> bool {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        self.takes_key(key)
            && self.tags.iter().all(|(name, value)| tags.get(name) == Some(value))
            && self.greater.is_none_or(|least| size > least)
            && self.less.is_none_or(|most| size < most)
    }

    /// Of what has no tags and no size: a delete marker, an upload.
    pub fn takes_without_object(&self, key: &str) -> bool {
        self.takes_key(key) && !self.asks_for_object()
    }

    /// Whether it asks for more than the key.
    pub fn asks_for_object(&self) -> bool {
        !self.tags.is_empty() || self.greater.is_some() || self.less.is_some()
    }

    fn takes_key(&self, key: &str) -> bool {
        self.prefix.as_deref().is_none_or(|prefix| key.starts_with(prefix))
    }
}
