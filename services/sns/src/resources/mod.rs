//! CloudFormation's types.

pub mod subscription;
pub mod topic;
pub mod topic_policy;

use kiln_service_kit::Error;
use serde_json::Value as Json;

/// A document of a template, which may be written as text, as the text that SNS takes.
fn document(value: Option<&Json>) -> Option<String> {
    match value? {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// A document as SNS gives it, as JSON.
fn parsed(text: &str) -> Result<Json, Error> {
    serde_json::from_str(text).map_err(|e| Error::failed("read a document of sns", e))
}
