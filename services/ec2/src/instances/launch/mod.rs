//! From a RunInstances request to instances in the store, in steps of one file each.
//!
//! ```text
//! RunInstances ─ templates::merge (its launch template) ─ templates::check (what is not built)
//!   ─ resolve (image, type, key, profile, place) ─ make (one transaction: interfaces, volumes, instances)
//! ```
//! The instance controller does the rest.

mod disk;
mod make;
mod resolve;

pub use make::make;
pub use resolve::{profile, resolve};
