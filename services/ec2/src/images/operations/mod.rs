//! Operations, one file per kind of thing, one line per file here.

mod image_attributes;
pub mod images;
mod snapshots;

use kiln_service_kit::Operation;

/// The rows of every file.
pub const ROWS: &[&[Operation]] = &[image_attributes::OPERATIONS, images::OPERATIONS, snapshots::OPERATIONS];
