//! Systems Manager, so far its parameter store: named values with versions, labels, hierarchies
//! and secrets, and the public aliases of machine images.

mod errors;
mod images;
mod name;
mod operations;
mod records;
mod resources;
mod seal;
mod secure;
mod targets;

#[cfg(test)]
mod tests;

pub use seal::SealingKey;

use kiln_service_kit::{Service, records};
use std::sync::Arc;

/// The service.
pub fn service() -> Service {
    let mut service = Service::new(
        &kiln_ssm_shapes::SERVICE,
        &[
            operations::put::OPERATIONS,
            operations::get::OPERATIONS,
            operations::describe::OPERATIONS,
            operations::delete::OPERATIONS,
            operations::labels::OPERATIONS,
            operations::tags::OPERATIONS,
        ],
    );
    service.parameter_types = &[("AWS::SSM::Parameter::Name", resources::parameter::names)];
    service.resources = vec![Arc::new(resources::parameter::Parameter)];
    service.records = records![records::Parameter];
    service
}
