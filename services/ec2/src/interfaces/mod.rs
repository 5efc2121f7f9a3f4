//! Network interfaces, and the private and public addresses that they hold.

pub mod allocation;
pub mod operations;
pub mod records;
pub mod resources;
#[cfg(test)]
mod tests;
