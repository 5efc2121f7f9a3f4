//! CloudFormation resource types.

pub mod bucket;
