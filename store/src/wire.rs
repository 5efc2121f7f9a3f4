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
        match error {
            StoreError::NoSpace { .. } => Error::receiver(
                "ServiceUnavailable",
                "Kiln's disk is full. Nothing was changed. Free some space and try again.",
            )
            .with_status(503)
            .because("the store failed", error),
            StoreError::Stopped { .. } => {
                Error::receiver("ServiceUnavailable", "Kiln's store takes no writes; see kiln's log.")
                    .with_status(503)
                    .because("the store failed", error)
            }
            _ => Error::failed("use the store", error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_failing_store_tells_its_path_to_the_log_alone() {
        let failure = || std::io::Error::from_raw_os_error(5);
        let file =
            |doing| StoreError::File { doing, path: "/var/lib/kiln/state.db".into(), source: Arc::new(failure()) };
        let error = Error::from(file("open"));
        assert_eq!((error.status, &*error.code), (500, "InternalFailure"));
        assert!(!error.to_string().contains("/var/lib") && !error.to_string().contains("os error"), "{error}");
        assert_eq!(
            error.chain(),
            format!(
                "InternalFailure: failed to use the store: failed to open /var/lib/kiln/state.db: check its disk and \
                 permissions: {}",
                failure()
            )
        );
        let full = StoreError::Stopped { place: "/var/lib/kiln/state.db".into(), reason: "fsync failed".into() };
        let error = Error::from(full);
        assert_eq!((error.status, &*error.code), (503, "ServiceUnavailable"));
        assert!(!error.to_string().contains("/var/lib"), "{error}");
        assert!(error.chain().contains("/var/lib/kiln/state.db takes no writes: fsync failed"), "{}", error.chain());
    }
}
