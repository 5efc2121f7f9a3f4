//! A record as LookupEvents shows it.

use crate::things::things;
use kiln_cloudtrail_shapes::{Event, Resource};
use kiln_service_kit::{Error, Timestamp, TrailRecord};
use serde_json::Value as Json;

pub fn shown(record: &TrailRecord) -> Result<Event, Error> {
    let event = record.json()?;
    let text = |at: &Json| at.as_str().map(str::to_owned);
    let resource = |(kind, name): (&'static str, String)| Resource {
        resource_type: Some(kind.to_owned()),
        resource_name: Some(name),
    };
    Ok(Event {
        event_id: Some(record.event_id.clone()),
        event_name: text(&event["eventName"]),
        read_only: event["readOnly"].as_bool().map(|read| read.to_string()),
        access_key_id: text(&event["userIdentity"]["accessKeyId"]),
        // As the record has it: in whole seconds.
        event_time: Some(Timestamp(record.at.0.div_euclid(1_000) * 1_000)),
        event_source: text(&event["eventSource"]),
        username: username(&event).map(str::to_owned),
        resources: things(&event).into_iter().map(resource).collect(),
        cloud_trail_event: Some(record.event.clone()),
    })
}

/// Who it was, as the event history calls them: the user, the session, `root`, or the service.
pub fn username(event: &Json) -> Option<&str> {
    let who = &event["userIdentity"];
    match who["type"].as_str()? {
        "Root" => Some("root"),
        "IAMUser" => who["userName"].as_str(),
        "AssumedRole" => who["arn"].as_str().and_then(|arn| arn.rsplit('/').next()),
        _ => who["invokedBy"].as_str(),
    }
}
