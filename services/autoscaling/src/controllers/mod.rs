//! One controller, one per group: keeps it at its desired capacity with healthy instances.

mod act;
pub mod cause;
pub mod group;
mod observe;
pub mod place;
mod plan;
pub mod select;
