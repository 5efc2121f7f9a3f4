//! Operations, one file per kind of thing, one line per file here.

mod group_rules;
mod network_acl_entries;
mod network_acls;
mod security_groups;

use kiln_service_kit::Operation;

/// The rows of every file.
pub const ROWS: &[&[Operation]] =
    &[group_rules::OPERATIONS, network_acl_entries::OPERATIONS, network_acls::OPERATIONS, security_groups::OPERATIONS];
