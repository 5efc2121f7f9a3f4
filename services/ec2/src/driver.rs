//! How controllers reach machines, and what they say when that failed. Shared: every room that has a
//! controller asks the driver.

use kiln_machines_spec::{DriverError, MachineDriver};
use kiln_service_kit::{Cx, Error};
use std::sync::Arc;

/// The machine driver.
pub fn driver(cx: &Cx) -> Result<Arc<dyn MachineDriver>, Error> {
    cx.part::<Arc<dyn MachineDriver>>()
}

/// For the log and the report: the whole chain of causes.
pub fn failed(doing: &str, what: &str, error: &DriverError) -> Error {
    Error::internal(format!("failed to {doing} {what}: {}", error.chain()))
}
