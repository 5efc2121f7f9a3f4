//! EventBridge: buses, rules about events, and who is told of what matches.
//!
//! ```text
//! PutEvents, cx.emit(…) of other services, a schedule ── the bus's rules (rules.rs: an index of their patterns)
//!     ── a note for each target (tell.rs: input, retries, dead letters), in one transaction ──> delivery/
//! ```
//! The language of patterns is `kiln-patterns`; schedules are `kiln-schedules`; why it is built this way:
//! `docs/decisions/0028-events.md`.

mod calls;
mod controllers;
mod errors;
mod event;
mod inside;
mod names;
mod operations;
mod path;
mod policy;
mod records;
mod resources;
mod rules;
mod targets;
mod tell;
mod transform;

#[cfg(test)]
mod tests;

use kiln_service_kit::{Service, records};
use std::sync::Arc;

/// The principal that it acts as towards others.
pub(crate) const PRINCIPAL: &str = "events.amazonaws.com";

/// The service.
pub fn service() -> Service {
    let mut service = Service::new(
        &kiln_events_shapes::SERVICE,
        &[
            operations::buses::OPERATIONS,
            operations::permissions::OPERATIONS,
            operations::rules::OPERATIONS,
            operations::targets::OPERATIONS,
            operations::put_events::OPERATIONS,
            operations::tags::OPERATIONS,
        ],
    );
    service.records = records![records::Bus, records::Rule, records::Generation];
    service.controllers = vec![Arc::new(controllers::schedule::Schedules)];
    service.resources = resources::all();
    service.start = vec![inside::start];
    service.owns = true;
    service
}
