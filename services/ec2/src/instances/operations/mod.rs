//! Operations, one file per kind of thing, one line per file here.

mod console;
mod instance_attributes;
mod instance_credits;
mod instance_status;
mod instance_types;
mod instances;
mod launch_template_data;
mod profiles;
mod volumes;

use kiln_service_kit::Operation;

/// The rows of every file.
pub const ROWS: &[&[Operation]] = &[
    console::OPERATIONS,
    instance_attributes::OPERATIONS,
    instance_credits::OPERATIONS,
    instance_status::OPERATIONS,
    instance_types::OPERATIONS,
    instances::OPERATIONS,
    launch_template_data::OPERATIONS,
    profiles::OPERATIONS,
    volumes::OPERATIONS,
];
