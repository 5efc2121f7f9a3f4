//! VPCs, their subnets, gateways and routes, and how a whole VPC gets onto the host: the network
//! controller and the DNS inside it.

pub mod controllers;
pub mod dns;
pub mod operations;
pub mod records;
pub mod resources;
pub mod spec;
pub mod targets;
#[cfg(test)]
mod tests;
