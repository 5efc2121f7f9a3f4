//! CloudFormation's own resource types.

pub mod wait_condition;
