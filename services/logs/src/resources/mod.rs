//! CloudFormation's types.

pub mod group;
pub mod metric_filter;
pub mod query_definition;
pub mod resource_policy;
pub mod stream;

use kiln_service_kit::{Error, ResourceRequest};
use serde_json::Value as Json;

fn already_there(kind: &str, name: &str) -> Error {
    Error::sender("AlreadyExists", format!("Resource of type '{kind}' with identifier '{name}' already exists."))
}

/// Whether a thing that is there was made by an earlier try: nothing of the name was there when the work began, for what has
/// no tags to tell by.
fn is_ours(made: Option<i64>, request: &ResourceRequest) -> bool {
    made.is_some_and(|made| made >= request.since.millis())
}

/// A text of what is known of a thing without looking.
fn known_text(known: &Json, name: &str) -> Result<String, Error> {
    let text = known.get(name).and_then(Json::as_str);
    text.map(str::to_owned).ok_or_else(|| Error::internal(format!("{name} of the resource is not known")))
}

fn gone(error: &Error) -> bool {
    error.is("ResourceNotFoundException")
}
