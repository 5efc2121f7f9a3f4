//! Network interfaces, and the private and public addresses that they hold.

pub mod allocation;
pub mod asked;
pub mod association;
pub mod attaching;
pub mod operations;
mod owner;
pub mod records;
pub mod resources;
mod shown;
pub mod targets;
#[cfg(test)]
mod tests;
