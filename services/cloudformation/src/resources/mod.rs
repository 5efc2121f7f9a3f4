//! CloudFormation's own resource types.

pub mod cdk_metadata;
pub mod stack;
pub mod wait_condition;
pub mod wait_condition_handle;
