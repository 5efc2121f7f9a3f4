//! What is wrong with a document, in AWS's words and exactly.

use thiserror::Error;

/// What is wrong with a document. Shown, it is AWS's message followed by the place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}{}", place_and_detail(.place, .detail))]
pub struct MalformedPolicy {
    /// The message AWS gives under `MalformedPolicyDocument`.
    pub message: String,
    /// Where, such as `Statement[2].Action`; empty for the document as a whole.
    pub place: String,
    /// What exactly, if there is more to say than the message does.
    pub detail: String,
}

fn place_and_detail(place: &str, detail: &str) -> String {
    match (place, detail) {
        ("", "") => String::new(),
        ("", only) | (only, "") => format!(" ({only})"),
        _ => format!(" ({place}: {detail})"),
    }
}

pub(crate) fn wrong(message: impl Into<String>, place: impl Into<String>) -> MalformedPolicy {
    MalformedPolicy { message: message.into(), place: place.into(), detail: String::new() }
}

pub(crate) fn syntax(place: impl Into<String>, detail: impl Into<String>) -> MalformedPolicy {
    MalformedPolicy { message: "Syntax errors in policy.".into(), place: place.into(), detail: detail.into() }
}
