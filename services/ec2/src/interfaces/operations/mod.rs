//! Operations, one file per kind of thing, one line per file here.

mod addresses;
mod interface_attachments;
mod network_interfaces;
mod private_addresses;

use kiln_service_kit::Operation;

/// The rows of every file.
pub const ROWS: &[&[Operation]] = &[
    addresses::OPERATIONS,
    interface_attachments::OPERATIONS,
    network_interfaces::OPERATIONS,
    private_addresses::OPERATIONS,
];
