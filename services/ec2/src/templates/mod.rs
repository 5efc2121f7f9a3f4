//! Launch templates, and with them what a launch may ask for: a request to launch is a template's data
//! and a number, so both are checked by the same code, below the launch itself.

pub mod check;
pub mod data;
pub mod lookup;
pub mod merge;
pub mod operations;
pub mod records;
pub mod resources;
mod shown;
pub mod targets;
