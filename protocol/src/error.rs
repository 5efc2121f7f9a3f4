//! The one error an operation answers with. It has two texts: what the caller reads, which tells nothing of the
//! host, and what the log says, with everything that led to it.
//!
//! ```text
//! Error::failed("read the store", cause)
//!   to the caller   InternalFailure: The request processing has failed because of … (in the service's words)
//!   to the log      InternalFailure: failed to read the store: disk I/O error     (chain())
//! ```
//!
//! So `message` and `Display` can be handed on wherever a caller reads; [`Error::chain`] only to the log and to
//! who asks on the host itself (`kiln explain`).

use std::borrow::Cow;
use std::sync::Arc;

/// Whose fault it is, as AWS tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request is at fault (4xx).
    Sender,
    /// Kiln is at fault (5xx).
    Receiver,
}

/// An AWS error: code, HTTP status and the text for the caller, and beside it what the log says.
#[derive(Debug, Clone)]
pub struct Error {
    /// e.g. `InvalidParameterValue`.
    pub code: Cow<'static, str>,
    /// For the caller; no secrets, no paths.
    pub message: String,
    /// HTTP status.
    pub status: u16,
    pub fault: Fault,
    /// Further members some modelled errors carry.
    pub fields: Vec<(&'static str, String)>,
    /// For the log alone.
    pub inner: Option<Arc<Inner>>,
}

/// What really happened, for the log.
#[derive(Debug)]
pub struct Inner {
    /// What Kiln was doing or found.
    what: String,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl std::fmt::Display for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Inner {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

/// AWS's code and words for a failure inside a service. Source: "Common Errors" of AWS's API references.
const INTERNAL: (&str, &str) =
    ("InternalFailure", "The request processing has failed because of an unknown error, exception or failure.");

impl Error {
    /// The caller's fault, status 400.
    pub fn sender(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(code.into(), message.into(), 400, Fault::Sender)
    }

    /// Kiln's fault, status 500.
    pub fn receiver(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(code.into(), message.into(), 500, Fault::Receiver)
    }

    fn new(code: Cow<'static, str>, message: String, status: u16, fault: Fault) -> Self {
        Self { code, message, status, fault, fields: vec![], inner: None }
    }

    /// What was asked for is not built: named, so nobody mistakes it for done.
    pub fn not_built(what: impl AsRef<str>) -> Self {
        Self::sender("NotImplemented", format!("Kiln does not implement {} yet. Nothing was changed.", what.as_ref()))
            .with_status(501)
    }

    /// An inner failure without a cause of its own; `what` says to the log what is wrong.
    pub fn internal(what: impl std::fmt::Display) -> Self {
        Self::receiver(INTERNAL.0, INTERNAL.1).logged(what, None)
    }

    /// An inner failure with its cause; `doing` says what Kiln was doing, e.g. `read the console of i-1`.
    pub fn failed(doing: impl std::fmt::Display, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::receiver(INTERNAL.0, INTERNAL.1).logged(format_args!("failed to {doing}"), Some(cause.into()))
    }

    /// With what the log says beside what the caller reads.
    pub fn because(
        self,
        what: impl std::fmt::Display,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.logged(what, Some(cause.into()))
    }

    fn logged(mut self, what: impl std::fmt::Display, cause: Option<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.inner = Some(Arc::new(Inner { what: what.to_string(), cause }));
        self
    }

    /// With another HTTP status.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// With one more member in the answer.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// Whether the code is `code`.
    pub fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// All that is known of it on one line, for the log and for who asks on the host: the code, then what really
    /// happened and its causes, or the message where nothing is behind it.
    pub fn chain(&self) -> String {
        match self.inner.as_deref() {
            Some(inner) => format!("{}: {}", self.code, chain(inner)),
            None => self.to_string(),
        }
    }

    /// Whether its words are those of a failure inside a service, which each service has its own for.
    pub fn is_internal(&self) -> bool {
        self.code == INTERNAL.0 && self.message == INTERNAL.1
    }
}

/// An error and all its causes on one line, for the log.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        // An error of ours among the causes: its own text is what its caller would read.
        match cause.downcast_ref::<Error>() {
            Some(error) => return format!("{text}: {}", error.chain()),
            None => text = format!("{text}: {cause}"),
        }
        next = cause.source();
    }
    text
}

impl PartialEq for Error {
    /// By what a caller reads and what the log says.
    fn eq(&self, other: &Self) -> bool {
        let told = |e: &Self| (e.code.clone(), e.message.clone(), e.status, e.fault, e.fields.clone());
        told(self) == told(other) && self.chain() == other.chain()
    }
}

impl std::fmt::Display for Error {
    /// What a caller reads.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.as_deref().map(|inner| inner as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_reads_aws_s_words_and_the_log_the_whole_chain() {
        let disk = std::io::Error::other("/var/lib/kiln/s3/data/7: permission denied");
        let error = Error::failed("read an object", disk);
        assert_eq!(
            error.to_string(),
            "InternalFailure: The request processing has failed because of an unknown error, exception or failure."
        );
        assert_eq!(
            error.chain(),
            "InternalFailure: failed to read an object: /var/lib/kiln/s3/data/7: permission denied"
        );
        // What is handed on to another error stays below it.
        let outer = Error::failed("launch i-1", error);
        assert!(!outer.to_string().contains("/var"), "{outer}");
        let all = outer.chain();
        assert_eq!(
            all,
            "InternalFailure: failed to launch i-1: InternalFailure: failed to read an object: \
             /var/lib/kiln/s3/data/7: permission denied"
        );
    }

    #[test]
    fn what_is_no_inner_failure_is_the_same_in_both() {
        let refused = Error::sender("InvalidKeyPair.NotFound", "The key pair 'x' does not exist");
        assert_eq!(refused.chain(), refused.to_string());
        let busy = Error::receiver("ServiceUnavailable", "Try again.").because("the store stopped", "no space left");
        assert_eq!(busy.to_string(), "ServiceUnavailable: Try again.");
        assert_eq!(busy.chain(), "ServiceUnavailable: the store stopped: no space left");
    }
}
