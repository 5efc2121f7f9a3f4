//! Work that waits for the kernel or a disk, away from the threads that serve.

use kiln_machines_spec::{DriverError, DriverResult};

/// Runs blocking work on a thread made for it.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> DriverResult<T> + Send + 'static) -> DriverResult<T> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(|e| DriverError::failed("finish work on a machine", e))?
}
