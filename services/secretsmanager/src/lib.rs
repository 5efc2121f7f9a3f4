//! Secrets Manager: secrets with versions and staging labels, encrypted by KMS in the caller's name, deleted for good
//! once their recovery window is over.

mod controllers;
mod errors;
mod names;
mod operations;
mod password;
mod policy;
mod public;
mod records;
mod resources;
mod seal;
mod stages;
mod targets;

#[cfg(test)]
mod tests;

use kiln_service_kit::{Service, records};
use std::sync::Arc;

/// The service.
pub fn service() -> Service {
    let mut service = Service::new(
        &kiln_secretsmanager_shapes::SERVICE,
        &[
            operations::create::OPERATIONS,
            operations::delete::OPERATIONS,
            operations::describe::OPERATIONS,
            operations::labels::OPERATIONS,
            operations::list::OPERATIONS,
            operations::passwords::OPERATIONS,
            operations::policies::OPERATIONS,
            operations::put::OPERATIONS,
            operations::read::OPERATIONS,
            operations::tags::OPERATIONS,
            operations::update::OPERATIONS,
        ],
    );
    service.owns = true;
    service.controllers = vec![Arc::new(controllers::secret::Secrets)];
    service.records = records![records::Secret, records::Value];
    service.resources = vec![Arc::new(resources::resource_policy::ResourcePolicy), Arc::new(resources::secret::Secret)];
    service
}
