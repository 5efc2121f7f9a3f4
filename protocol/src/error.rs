//! The one error an operation answers with: what the caller reads.

use std::borrow::Cow;

/// Whose fault it is, as AWS tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request is at fault (4xx).
    Sender,
    /// Kiln is at fault (5xx).
    Receiver,
}

/// An AWS error: code, HTTP status and the text for the caller. What the log says is another text.
#[derive(Debug, Clone, PartialEq)]
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
}

impl Error {
    /// The caller's fault, status 400.
    pub fn sender(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status: 400, fault: Fault::Sender, fields: vec![] }
    }

    /// Kiln's fault, status 500.
    pub fn receiver(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status: 500, fault: Fault::Receiver, fields: vec![] }
    }

    /// What was asked for is not built: named, so nobody mistakes it for done.
    pub fn not_built(what: impl AsRef<str>) -> Self {
        Self::sender("NotImplemented", format!("Kiln does not implement {} yet. Nothing was changed.", what.as_ref()))
            .with_status(501)
    }

    /// An inner failure; `what` says what Kiln was doing.
    pub fn internal(what: impl std::fmt::Display) -> Self {
        Self::receiver("InternalFailure", format!("An internal error occurred: {what}"))
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
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}
