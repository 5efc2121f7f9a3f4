//! What kind of event a call is, as CloudTrail tells them apart.

use std::collections::HashMap;

/// Source: AWS CloudTrail User Guide, "Understanding CloudTrail events".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Done to what is in a resource (GetObject, SendMessage): not recorded, as AWS does by default.
    Data,
    /// A management event that changes nothing (`readOnly`).
    Read,
    /// The same, but it gives credentials: its answer is told, and durably.
    Session,
    /// A management event that changes something.
    Write,
}

impl Class {
    /// `readOnly`.
    pub fn only_reads(self) -> bool {
        self != Self::Write
    }

    /// Whether its answer is told, and its record durable before it.
    pub fn is_told_whole(self) -> bool {
        matches!(self, Self::Session | Self::Write)
    }
}

/// Operations that give credentials.
const SESSIONS: [&str; 2] = ["AssumeRole", "GetSessionToken"];

/// Beginnings of the names of operations that only read.
const READS: [&str; 10] =
    ["BatchGet", "Decode", "Describe", "Estimate", "Get", "Head", "List", "Lookup", "Search", "Validate"];

/// The classes of the operations of all services.
#[derive(Default)]
pub struct Classes(HashMap<&'static str, HashMap<&'static str, Class>>);

impl Classes {
    /// Adds an operation of a service, of which these are data events and those only read although their names do not say
    /// so.
    pub fn add(&mut self, service: &'static str, operation: &'static str, data_events: &[&str], only_reads: &[&str]) {
        let class = class(service, operation, data_events, only_reads);
        self.0.entry(service).or_default().insert(operation, class);
    }

    /// That of an operation; what nobody knows is told.
    pub fn of(&self, service: &str, operation: &str) -> Class {
        let known = self.0.get(service).and_then(|rows| rows.get(operation));
        known.copied().unwrap_or(Class::Write)
    }
}

fn class(service: &str, operation: &str, data_events: &[&str], only_reads: &[&str]) -> Class {
    if data_events.contains(&operation) {
        return Class::Data;
    }
    if service == "sts" && SESSIONS.contains(&operation) {
        return Class::Session;
    }
    let reads = READS.iter().any(|begin| operation.starts_with(begin)) || only_reads.contains(&operation);
    if reads { Class::Read } else { Class::Write }
}
