//! Key Management Service: symmetric keys that never leave it, what they encrypt and decrypt, and who may use them.
//!
//! ```text
//! a call ── targets (the key's policy, grants) ── judged ── found (its state) ── material, opened for the call ── blob
//! ```
//! Keys' materials lie in the database sealed under the root key (`sealing/`); docs/decisions/0025-keys.md.

mod blob;
mod controllers;
mod errors;
mod found;
mod grants;
mod managed;
mod material;
mod names;
mod operations;
mod policy;
mod records;
mod resources;
mod targets;

#[cfg(test)]
mod tests;

use kiln_service_kit::{Service, records};
use std::sync::Arc;

/// Source: AWS KMS Developer Guide, "Examples of AWS KMS log entries".
const ONLY_READS: &[&str] =
    &["Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateRandom", "ReEncrypt"];

/// The service.
pub fn service() -> Service {
    let mut service = Service::new(
        &kiln_kms_shapes::SERVICE,
        &[
            operations::keys::OPERATIONS,
            operations::states::OPERATIONS,
            operations::encrypt::OPERATIONS,
            operations::data_keys::OPERATIONS,
            operations::aliases::OPERATIONS,
            operations::rotation::OPERATIONS,
            operations::grants::OPERATIONS,
            operations::policies::OPERATIONS,
            operations::tags::OPERATIONS,
        ],
    );
    service.owns = true;
    service.controllers = vec![Arc::new(controllers::key::Keys)];
    service.resources = vec![Arc::new(resources::alias::Alias), Arc::new(resources::key::Key)];
    service.only_reads = ONLY_READS;
    service.records = records![records::Alias, records::Grant, records::Key];
    service
}
