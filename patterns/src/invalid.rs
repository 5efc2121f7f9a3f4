//! What is told of a text that is no pattern.

/// A text that is no pattern, and why, in AWS's words where they are known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct InvalidPattern {
    pub reason: String,
}

pub fn invalid(reason: impl Into<String>) -> InvalidPattern {
    InvalidPattern { reason: reason.into() }
}
