//! CloudFormation types.

pub mod parameter;
