//! CloudFormation resource types.

pub mod bucket;
pub mod bucket_policy;
mod bucket_rules;
