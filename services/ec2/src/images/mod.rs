//! What machines are made of: images, the snapshots that hold their bytes, and those that come with Kiln.

pub mod controllers;
pub mod disk_size;
pub mod image_lookup;
pub mod mappings;
pub mod operations;
pub mod provided;
pub mod records;
pub mod stand_ins;
pub mod targets;
