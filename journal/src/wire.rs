//! What a caller reads when the journal fails: AWS's codes for trouble on the service's side.

use crate::JournalError;
use kiln_protocol::Error;

impl From<JournalError> for Error {
    /// A full disk and a journal that takes nothing are `ServiceUnavailable` (503), so that clients try again; the
    /// rest is `InternalFailure` (500). Paths stay in the log.
    fn from(error: JournalError) -> Error {
        if let JournalError::Store(error) = error {
            return error.into();
        }
        let text = match error {
            JournalError::NoSpace { .. } => "Kiln's disk is full. Nothing was changed. Free some space and try again.",
            JournalError::Stopped { .. } | JournalError::Behind { .. } => {
                "Kiln's journal takes no writes; see kiln's log."
            }
            _ => return Error::failed("use the journal", error),
        };
        Error::receiver("ServiceUnavailable", text).with_status(503).because("the journal failed", error)
    }
}
