//! What events keeps.

use kiln_service_kit::{Keys, Record, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A bus; its id in the store is its name. The default one is kept once something is set of it; without a record it is
/// there all the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bus {
    pub name: String,
    pub made: Timestamp,
    pub modified: Timestamp,
    pub description: Option<String>,
    /// The policy document, as it is evaluated.
    pub policy: Option<String>,
    pub tags: BTreeMap<String, String>,
}

impl Record for Bus {
    const KIND: &'static str = "events/bus";
}

impl Bus {
    /// One of which nothing was set.
    pub fn plain(name: &str, now: Timestamp) -> Self {
        let name = name.to_owned();
        Self { name, made: now, modified: now, description: None, policy: None, tags: BTreeMap::new() }
    }
}

/// A rule with its targets; its id in the store is `BUS/NAME`, so that a bus's stand together. (Names of rules have no
/// slash.)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub name: String,
    pub bus: String,
    pub pattern: Option<String>,
    pub schedule: Option<String>,
    pub enabled: bool,
    pub description: Option<String>,
    pub role: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// By their ids.
    pub targets: BTreeMap<String, Target>,
    /// When a rate begins to be counted: when it was set or enabled.
    pub since: Timestamp,
    /// When the schedule is due next.
    pub due: Option<Timestamp>,
}

impl Record for Rule {
    const KIND: &'static str = "events/rule";
    const KEYS: &'static [&'static str] = &["target"];

    fn keys(&self) -> Keys {
        let mut arns: Vec<&String> = self.targets.values().map(|target| &target.arn).collect();
        arns.sort_unstable();
        arns.dedup();
        arns.into_iter().map(|arn| ("target", arn.clone())).collect()
    }
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    pub arn: String,
    pub role: Option<String>,
    pub input: Input,
    /// The ARN of the queue for what cannot be delivered.
    pub dead_letter: Option<String>,
    pub retry: Option<Retry>,
}

/// What a target is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Input {
    Event,
    Constant(String),
    Path(String),
    Transformed { paths: BTreeMap<String, String>, template: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    pub attempts: Option<i32>,
    /// Seconds.
    pub age: Option<i32>,
}

/// Which state the rules of a bus are in: a name that every change of them replaces, so that who holds an index of them
/// knows whether it is of these. Its id in the store is the bus's name; where there is none, no rule was ever made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    pub id: String,
}

impl Record for Generation {
    const KIND: &'static str = "events/generation";
}
