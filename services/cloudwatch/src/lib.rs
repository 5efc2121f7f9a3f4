//! CloudWatch: metrics that are put and asked for, alarms on them, dashboards. See README.md.

mod alarms;
mod controllers;
mod dashboard_body;
mod errors;
mod label;
mod math;
mod names;
mod operations;
mod page;
mod query;
mod records;
mod resources;
mod search;
mod statistic;
mod targets;
mod units;
mod window;

#[cfg(test)]
mod tests;

use kiln_service_kit::{Kept, Service, records};
use std::sync::Arc;

/// Source: Amazon CloudWatch User Guide, "Logging Amazon CloudWatch API and console operations with AWS CloudTrail".
const DATA_EVENTS: &[&str] = &["GetMetricData", "GetMetricStatistics", "ListMetrics", "PutMetricData"];

/// The service.
pub fn service() -> Service {
    let mut service = Service::new(
        &kiln_cloudwatch_shapes::SERVICE,
        &[
            operations::put::OPERATIONS,
            operations::data::OPERATIONS,
            operations::statistics::OPERATIONS,
            operations::metrics::OPERATIONS,
            operations::alarms::OPERATIONS,
            operations::composite::OPERATIONS,
            operations::describe::OPERATIONS,
            operations::history::OPERATIONS,
            operations::state::OPERATIONS,
            operations::dashboards::OPERATIONS,
            operations::tags::OPERATIONS,
        ],
    );
    service.controllers = vec![
        Arc::new(controllers::alarm::MetricAlarms),
        Arc::new(controllers::composite::CompositeAlarms),
        Arc::new(controllers::action::Actions),
    ];
    service.resources = resources::all();
    service.data_events = DATA_EVENTS;
    service.records = records![records::Alarm, records::Action, records::Dashboard];
    service.keeps = vec![Kept::of::<records::Happened>()];
    service
}
