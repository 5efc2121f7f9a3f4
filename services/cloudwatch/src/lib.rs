//! What the service does, in a line.

mod operations;
mod records;

#[cfg(test)]
mod tests;

use kiln_service_kit::{Service, records};

/// The service.
pub fn service() -> Service {
    let mut service = Service::new(&kiln_cloudwatch_shapes::SERVICE, &[operations::metrics::OPERATIONS]);
    service.records = records![records::Metric];
    service
}
