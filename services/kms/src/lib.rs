//! What the service does, in a line.

mod operations;
mod records;

#[cfg(test)]
mod tests;

use kiln_service_kit::{Service, records};

/// The service.
pub fn service() -> Service {
    let mut service = Service::new(&kiln_kms_shapes::SERVICE, &[operations::key::OPERATIONS]);
    service.records = records![records::Key];
    service
}
