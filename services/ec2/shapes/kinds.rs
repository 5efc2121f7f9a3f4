//! The kinds of this service's records that others may watch, as the change feed names them.
//!
//! Not generated. A kind that stands here is a promise: its records appear in the feed under this name
//! and with ids as told here.

/// An instance, by its id `i-…`.
pub const INSTANCE: &str = "ec2/instance";
/// A network interface, by its id `eni-…`.
pub const NETWORK_INTERFACE: &str = "ec2/network-interface";
/// What of a VPC is on the host, by the VPC's id `vpc-…`.
pub const NETWORK_STATUS: &str = "ec2/network-status";
/// A security group, by its id `sg-…`.
pub const SECURITY_GROUP: &str = "ec2/security-group";
