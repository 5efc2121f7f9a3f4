//! CloudWatch Logs: groups and streams of events, which are on disk before anybody is told that they are taken. See
//! README.md.

mod asked;
mod controllers;
mod errors;
mod events;
mod insights;
mod keys;
mod metrics;
mod names;
mod operations;
mod pattern;
mod policies;
mod records;
mod resources;
mod targets;

#[cfg(test)]
mod tests;

pub use events::Events;

use kiln_service_kit::{Service, records};
use std::sync::Arc;

/// The service.
pub fn service() -> Service {
    let mut service = Service::new(
        &kiln_logs_shapes::SERVICE,
        &[
            operations::definitions::OPERATIONS,
            operations::encryption::OPERATIONS,
            operations::groups::OPERATIONS,
            operations::metric_filters::OPERATIONS,
            operations::policies::OPERATIONS,
            operations::put::OPERATIONS,
            operations::queries::OPERATIONS,
            operations::read::OPERATIONS,
            operations::retention::OPERATIONS,
            operations::streams::OPERATIONS,
            operations::subscriptions::OPERATIONS,
            operations::tags::OPERATIONS,
        ],
    );
    service.owns = true;
    service.controllers = vec![
        Arc::new(controllers::discarded::DiscardedEvents),
        Arc::new(controllers::query::Queries),
        Arc::new(controllers::retention::Retention),
    ];
    service.resources = vec![
        Arc::new(resources::group::Group),
        Arc::new(resources::metric_filter::Filter),
        Arc::new(resources::query_definition::QueryDefinition),
        Arc::new(resources::resource_policy::ResourcePolicy),
        Arc::new(resources::stream::Stream),
    ];
    service.records = records![
        records::Discarded,
        records::LogGroup,
        records::LogStream,
        records::MetricFilter,
        records::Query,
        records::QueryDefinition,
        records::ResourcePolicy,
    ];
    service
}
