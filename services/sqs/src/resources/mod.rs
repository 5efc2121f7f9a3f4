//! CloudFormation types.

pub mod queue;
pub mod queue_policy;
