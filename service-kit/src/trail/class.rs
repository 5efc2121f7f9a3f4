//! What kind of event a call is, as CloudTrail tells them apart.

use crate::{Operation, Service};
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
pub struct Classes(HashMap<&'static str, HashMap<&'static str, Class>>);

impl Classes {
    pub fn of_all(services: &[Service]) -> Self {
        let of = |service: &Service| {
            let rows = service.operations.iter().flat_map(|rows| rows.iter());
            (service.model.name, rows.map(|row| (row.name, class(service, row.name))).collect())
        };
        Self(services.iter().map(of).collect())
    }

    /// That of an operation; what nobody knows is told.
    pub fn of(&self, operation: &Operation) -> Class {
        let known = self.0.get(operation.model.name).and_then(|rows| rows.get(operation.name));
        known.copied().unwrap_or(Class::Write)
    }
}

fn class(service: &Service, operation: &str) -> Class {
    if service.data_events.contains(&operation) {
        return Class::Data;
    }
    if service.model.name == "sts" && SESSIONS.contains(&operation) {
        return Class::Session;
    }
    let reads = READS.iter().any(|begin| operation.starts_with(begin)) || service.only_reads.contains(&operation);
    if reads { Class::Read } else { Class::Write }
}
