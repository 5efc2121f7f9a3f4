//! EventBridge Scheduler: something is told at a time, or again and again.
//!
//! ```text
//! CreateSchedule ── the next time is kept ── controllers/schedule.rs: it has come ── a note in the transaction that
//!     keeps the next one ──> delivery/, which calls the target as the schedule's role
//! ```
//! What expressions mean is `kiln-schedules`'.

mod controllers;
mod errors;
mod operations;
mod records;
mod resources;
mod targets;
mod tell;
mod times;

#[cfg(test)]
mod tests;

use kiln_service_kit::{Service, records};
use std::sync::Arc;

/// The principal that it acts as towards others.
pub(crate) const PRINCIPAL: &str = "scheduler.amazonaws.com";

/// The service.
pub fn service() -> Service {
    let mut service = Service::new(
        &kiln_scheduler_shapes::SERVICE,
        &[operations::groups::OPERATIONS, operations::schedules::OPERATIONS, operations::tags::OPERATIONS],
    );
    service.routes = kiln_scheduler_shapes::ROUTES;
    service.records = records![records::Group, records::Schedule];
    service.controllers = vec![Arc::new(controllers::schedule::Schedules)];
    service.resources = resources::all();
    service
}
