//! What a caller reads when the store fails: AWS's codes for trouble on the service's side.

use crate::StoreError;
use kiln_protocol::Error;

impl From<StoreError> for Error {
    /// A rehearsal that has come to its end is what AWS calls a dry run. A full disk is `ServiceUnavailable` (503), so that clients try again; the rest is
    /// `InternalFailure` (500). Paths stay in the log.
    fn from(error: StoreError) -> Error {
        if matches!(error, StoreError::Rehearsed) {
            let text = "Request would have succeeded, but DryRun flag is set.";
            return Error::sender("DryRunOperation", text).with_status(412);
        }
        tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
        match error {
            StoreError::NoSpace { .. } => Error::receiver(
                "ServiceUnavailable",
                "Kiln's disk is full. Nothing was changed. Free some space and try again.",
            )
            .with_status(503),
            StoreError::Stopped { .. } => {
                Error::receiver("ServiceUnavailable", "Kiln's store takes no writes; see kiln's log.").with_status(503)
            }
            _ => Error::internal("Kiln's store failed; see kiln's log"),
        }
    }
}
