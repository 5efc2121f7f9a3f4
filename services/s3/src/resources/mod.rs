//! CloudFormation resource types.

pub mod bucket;
mod holds;
