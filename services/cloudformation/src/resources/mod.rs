//! CloudFormation's own resource types.

pub mod stack;
pub mod wait_condition;
pub mod wait_condition_handle;
