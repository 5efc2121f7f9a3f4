//! How controllers reach machines, and what they say when that failed. Shared: every room that has a
//! controller asks the driver.

use kiln_machines_spec::{DriverError, MachineDriver};
use kiln_service_kit::{Cx, Error};
use std::sync::Arc;

/// The machine driver.
pub fn driver(cx: &Cx) -> Result<Arc<dyn MachineDriver>, Error> {
    cx.part::<Arc<dyn MachineDriver>>()
}

/// What the driver could not do to what.
pub fn failed(doing: &str, what: &str, error: DriverError) -> Error {
    Error::failed(format_args!("{doing} {what}"), error)
}
