//! Operations, one file per kind of thing, one line per file here.

mod launch_templates;
mod versions;

use kiln_service_kit::Operation;

/// The rows of every file.
pub const ROWS: &[&[Operation]] = &[launch_templates::OPERATIONS, versions::OPERATIONS];
