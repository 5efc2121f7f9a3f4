//! Security Token Service: who am I, and temporary credentials.

mod access;
mod controllers;
mod inherited;
mod operations;
mod records;

#[cfg(test)]
mod tests;

use kiln_service_kit::{Service, records};
use std::sync::Arc;

/// Source: AWS IAM User Guide, "Logging IAM and AWS STS API calls with AWS CloudTrail".
const ONLY_READS: &[&str] = &["AssumeRole"];

/// The service. Its starter must run after iam's.
pub fn service() -> Service {
    let mut service = Service::new(
        &kiln_sts_shapes::SERVICE,
        &[operations::identity::OPERATIONS, operations::assume_role::OPERATIONS, operations::session_token::OPERATIONS],
    );
    service.controllers.push(Arc::new(controllers::expiry::Expiry));
    service.start.push(access::start);
    service.only_reads = ONLY_READS;
    service.records = records![records::Session];
    service
}
