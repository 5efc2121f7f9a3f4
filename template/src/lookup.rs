//! What a template needs to know about the world, asked one fact at a time.
//!
//! Everything here is pure, and the callers are asynchronous. [`Prefetched`] joins the two: evaluate with it, fetch
//! what it says was wanted, evaluate again, until nothing is missing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Stands in change sets for a value that only exists once the change is made (AWS's own text).
pub const UNKNOWN: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

/// A value that is not known yet.
pub fn unknown() -> Value {
    Value::String(UNKNOWN.to_owned())
}

/// Is any part of this value not known yet?
pub fn is_unknown(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(UNKNOWN),
        Value::Array(items) => items.iter().any(is_unknown),
        Value::Object(map) => map.values().any(is_unknown),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// An answer, or "not known yet".
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The value.
    Known(Value),
    /// It will only exist after the change.
    NotYet,
}

impl Answer {
    /// A known text.
    pub fn text(text: impl Into<String>) -> Answer {
        Answer::Known(Value::String(text.into()))
    }
}

/// The world as a template sees it. An `Err` is AWS's sentence why there is no such thing.
pub trait Lookup {
    /// `Ref` of a resource: its physical id.
    fn reference(&self, logical_id: &str) -> Result<Answer, String>;
    /// `Fn::GetAtt` of a resource.
    fn attribute(&self, logical_id: &str, attribute: &str) -> Result<Answer, String>;
    /// `Fn::ImportValue`.
    fn export(&self, name: &str) -> Result<Answer, String>;
    /// `Fn::GetAZs`: the zones of a region, as a list.
    fn availability_zones(&self, region: &str) -> Result<Answer, String>;
    /// The value of a parameter of the parameter store.
    fn ssm_parameter(&self, name: &str, version: Option<u64>) -> Result<Answer, String>;
}

/// One fact a template wants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// `Ref` of a resource.
    Reference(String),
    /// `Fn::GetAtt` of a resource.
    Attribute(String, String),
    /// An export.
    Export(String),
    /// The zones of a region.
    AvailabilityZones(String),
    /// A parameter of the parameter store and its version.
    SsmParameter(String, Option<u64>),
}

/// Facts fetched beforehand. Whatever is asked and not there is answered "not yet" and remembered in `wanted`.
#[derive(Debug, Default)]
pub struct Prefetched {
    /// What is known.
    pub facts: BTreeMap<Fact, Result<Answer, String>>,
    wanted: RefCell<BTreeSet<Fact>>,
}

impl Prefetched {
    /// With these facts.
    pub fn new(facts: BTreeMap<Fact, Result<Answer, String>>) -> Self {
        Self { facts, wanted: RefCell::default() }
    }

    /// Adds a fact.
    pub fn insert(&mut self, fact: Fact, answer: Result<Answer, String>) {
        self.facts.insert(fact, answer);
    }

    /// What was asked since the last time and is not there.
    pub fn take_wanted(&self) -> BTreeSet<Fact> {
        std::mem::take(&mut *self.wanted.borrow_mut())
    }

    fn ask(&self, fact: Fact) -> Result<Answer, String> {
        match self.facts.get(&fact) {
            Some(answer) => answer.clone(),
            None => {
                self.wanted.borrow_mut().insert(fact);
                Ok(Answer::NotYet)
            }
        }
    }
}

impl Lookup for Prefetched {
    fn reference(&self, logical_id: &str) -> Result<Answer, String> {
        self.ask(Fact::Reference(logical_id.to_owned()))
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Result<Answer, String> {
        self.ask(Fact::Attribute(logical_id.to_owned(), attribute.to_owned()))
    }

    fn export(&self, name: &str) -> Result<Answer, String> {
        self.ask(Fact::Export(name.to_owned()))
    }

    fn availability_zones(&self, region: &str) -> Result<Answer, String> {
        self.ask(Fact::AvailabilityZones(region.to_owned()))
    }

    fn ssm_parameter(&self, name: &str, version: Option<u64>) -> Result<Answer, String> {
        self.ask(Fact::SsmParameter(name.to_owned(), version))
    }
}
