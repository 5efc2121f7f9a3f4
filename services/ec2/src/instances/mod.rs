//! Machines: their launch, life, attributes and root disks.

pub mod controllers;
pub mod copied;
pub mod instance_filters;
pub mod launch;
pub mod moved;
pub mod operations;
mod read;
pub mod records;
pub mod resources;
pub mod shown;
pub mod targets;
#[cfg(test)]
mod tests;
pub mod told;
