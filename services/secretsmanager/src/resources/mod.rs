//! One file per CloudFormation type.

pub mod resource_policy;
pub mod secret;
