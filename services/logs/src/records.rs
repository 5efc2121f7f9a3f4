//! What is kept of groups, streams and filters beside their events ([`crate::events`]).

use kiln_service_kit::{Keys, Record, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A log group; its id in the store is its name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogGroup {
    pub name: String,
    pub created: Timestamp,
    /// Days; none: for ever.
    #[serde(default)]
    pub retention: Option<i32>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// It cannot be deleted.
    #[serde(default)]
    pub protected: bool,
    /// Every data key that blocks of its streams are sealed under; blocks say which by its number.
    #[serde(default)]
    pub keys: Vec<DataKey>,
    /// Whether what comes in is sealed under the last of them.
    #[serde(default)]
    pub sealed: bool,
}

/// A data key that KMS made for a group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DataKey {
    /// The key of KMS that opens it.
    pub arn: String,
    /// As KMS encrypted it, in base64.
    pub blob: String,
}

impl LogGroup {
    /// The time before which its events are expired; none where they are kept for ever.
    pub fn oldest(&self, now: Timestamp) -> Option<i64> {
        self.retention.map(|days| now.millis() - i64::from(days) * 24 * 3600 * 1000)
    }

    /// The key of KMS under which what comes in is sealed.
    pub fn key(&self) -> Option<&DataKey> {
        self.keys.last().filter(|_| self.sealed)
    }
}

impl Record for LogGroup {
    const KIND: &'static str = "logs/log-group";
}

/// A log stream; its id is its group's name, a colon, and its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogStream {
    pub name: String,
    /// What its blocks are called by in the journal: one that is made anew is another.
    pub stream: String,
    pub created: Timestamp,
}

impl Record for LogStream {
    const KIND: &'static str = "logs/log-stream";
}

/// The events of a stream that is gone, until they are removed. Its id is what they are called by in the journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Discarded {
    pub stream: String,
}

impl Record for Discarded {
    const KIND: &'static str = "logs/discarded";
}

/// A metric filter; its id is its group's name, a colon, and its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MetricFilter {
    pub name: String,
    pub group: String,
    pub created: Timestamp,
    pub pattern: String,
    pub transformation: Transformation,
    /// The metric that it makes, as filters are looked up by it ([`MetricFilter::metric_key`]).
    pub makes: String,
}

impl MetricFilter {
    /// Filters by the metric that they make.
    pub const BY_METRIC: &'static str = "metric";

    pub fn metric_key(namespace: &str, name: &str) -> String {
        format!("{namespace}:{name}")
    }
}

impl Record for MetricFilter {
    const KIND: &'static str = "logs/metric-filter";
    const KEYS: &'static [&'static str] = &[Self::BY_METRIC];

    fn keys(&self) -> Keys {
        vec![(Self::BY_METRIC, self.makes.clone())]
    }
}

/// What a metric filter makes of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transformation {
    pub metric: String,
    pub namespace: String,
    /// A number, or `$field`, `$.member`.
    pub value: String,
    #[serde(default)]
    pub default: Option<f64>,
    #[serde(default)]
    pub dimensions: BTreeMap<String, String>,
    #[serde(default)]
    pub unit: Option<String>,
}

/// Who may write into groups beside the account itself; its id is its name, or the ARN of the group that it is on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ResourcePolicy {
    pub name: String,
    pub document: String,
    pub updated: Timestamp,
    /// The group that it is on; none: all of the account.
    #[serde(default)]
    pub resource: Option<String>,
    /// Which version of it.
    #[serde(default)]
    pub revision: Option<String>,
}

impl Record for ResourcePolicy {
    const KIND: &'static str = "logs/resource-policy";
}

/// A query that is kept to be asked again; its id is its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct QueryDefinition {
    pub id: String,
    pub name: String,
    pub text: String,
    pub groups: Vec<String>,
    pub modified: Timestamp,
    #[serde(default)]
    pub token: Option<String>,
}

impl Record for QueryDefinition {
    const KIND: &'static str = "logs/query-definition";
}

/// A query that was asked; its id is its own. What it came to is in the journal, under the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Query {
    pub id: String,
    pub text: String,
    pub groups: Vec<String>,
    /// Milliseconds since 1970, both within.
    pub from: i64,
    pub to: i64,
    pub limit: usize,
    pub created: Timestamp,
    /// Whose query it is.
    pub caller: String,
    pub status: QueryStatus,
    #[serde(default)]
    pub ended: Option<Timestamp>,
    #[serde(default)]
    pub rows: usize,
    #[serde(default)]
    pub matched: u64,
    #[serde(default)]
    pub scanned: u64,
    #[serde(default)]
    pub bytes: u64,
}

impl Record for Query {
    const KIND: &'static str = "logs/query";
}

/// How far a query is. Source: API Reference, QueryInfo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueryStatus {
    Scheduled,
    Complete,
    Failed,
    Cancelled,
    Timeout,
}

impl QueryStatus {
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "Scheduled",
            Self::Complete => "Complete",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::Timeout => "Timeout",
        }
    }
}
