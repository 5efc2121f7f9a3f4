//! The one attribute that a lookup may ask for. Source: AWS CloudTrail API Reference, LookupAttribute.

use crate::errors::attributes;
use crate::shown::username;
use crate::things::things;
use kiln_cloudtrail_shapes::LookupAttribute;
use kiln_service_kit::Error;
use serde_json::Value as Json;

/// What records must have; none: all have it.
pub struct Filter(Option<(Key, String)>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    EventId,
    EventName,
    ReadOnly,
    Username,
    ResourceType,
    ResourceName,
    EventSource,
    AccessKeyId,
}

impl Filter {
    pub fn read(given: &[LookupAttribute]) -> Result<Self, Error> {
        let one = match given {
            [] => return Ok(Self(None)),
            [one] => one,
            _ => return Err(attributes("You can only provide one lookup attribute.")),
        };
        let key = match one.attribute_key.as_str() {
            "EventId" => Key::EventId,
            "EventName" => Key::EventName,
            "ReadOnly" => Key::ReadOnly,
            "Username" => Key::Username,
            "ResourceType" => Key::ResourceType,
            "ResourceName" => Key::ResourceName,
            "EventSource" => Key::EventSource,
            "AccessKeyId" => Key::AccessKeyId,
            other => return Err(attributes(format!("There is no lookup attribute {other}."))),
        };
        Ok(Self(Some((key, one.attribute_value.clone()))))
    }

    /// Whether a record has it.
    pub fn holds(&self, event: &str) -> bool {
        let Some((key, value)) = &self.0 else { return true };
        // Most records do not have the text anywhere; kinds of resources are not written in them.
        let written = serde_json::to_string(value).unwrap_or_default();
        let may = *key == Key::ResourceType || event.contains(written.trim_matches('"'));
        if !may {
            return false;
        }
        let Ok(event) = serde_json::from_str::<Json>(event) else { return false };
        let is = |at: &Json| at.as_str() == Some(value);
        match key {
            Key::EventId => is(&event["eventID"]),
            Key::EventName => is(&event["eventName"]),
            Key::ReadOnly => event["readOnly"].as_bool().is_some_and(|read| read.to_string() == *value),
            Key::Username => username(&event) == Some(value),
            Key::ResourceType => things(&event).iter().any(|(kind, _)| kind == value),
            Key::ResourceName => things(&event).iter().any(|(_, name)| name == value),
            Key::EventSource => is(&event["eventSource"]),
            Key::AccessKeyId => is(&event["userIdentity"]["accessKeyId"]),
        }
    }
}
