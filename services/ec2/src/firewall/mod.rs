//! What may pass: security groups at interfaces, network ACLs at the borders of subnets.

pub mod association;
pub mod operations;
pub mod records;
pub mod resources;
pub mod rules;
pub mod targets;
