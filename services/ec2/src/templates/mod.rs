//! Launch templates and their versions.

pub mod operations;
pub mod records;
pub mod resources;
