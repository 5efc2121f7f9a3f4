//! CloudFormation types, one file each, one line each here.

mod asked;
mod group;
mod launch_configuration;
mod lifecycle_hook;
mod rolling;

use kiln_service_kit::{Error, ResourceRequest, ResourceType};
use serde_json::Value as Json;
use std::sync::Arc;

/// Every type of the service.
pub fn all() -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(group::GroupType),
        Arc::new(launch_configuration::LaunchConfigurationType),
        Arc::new(lifecycle_hook::LifecycleHookType),
    ]
}

/// A text inside a structure; scalars are written as text.
fn text(json: &Json, name: &str) -> Option<String> {
    match json.get(name)? {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A whole number inside a structure, given as number or text.
fn number(json: &Json, name: &str) -> Option<i32> {
    text(json, name)?.parse().ok()
}

/// A flag inside a structure, given as boolean or text.
fn flag(json: &Json, name: &str) -> Option<bool> {
    text(json, name)?.parse().ok()
}

/// The items of a list.
fn items<'a>(json: &'a Json, name: &str) -> impl Iterator<Item = &'a Json> {
    json.get(name).and_then(Json::as_array).into_iter().flatten()
}

/// Refuses properties that Kiln does not serve.
fn refuse(request: &ResourceRequest, kind: &str, properties: &[&str]) -> Result<(), Error> {
    match properties.iter().find(|name| request.properties.get(**name).is_some_and(|value| !value.is_null())) {
        Some(name) => Err(Error::not_built(format!("{kind} with {name}"))),
        None => Ok(()),
    }
}
