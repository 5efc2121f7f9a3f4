//! What is told: the message of an event and of a test. Source: Amazon S3 User Guide, "Event message structure" (versions
//! 2.1 and 2.3).

use super::{Event, Rule, Thing};
use crate::arn::bucket_arn;
use crate::canonical::owner;
use crate::records::Bucket;
use kiln_service_kit::{CallerKind, Cx};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};

/// What stays as it is of a key; a space is a plus.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b'/').remove(b' ');

/// As forms have it, but for slashes.
fn key_of(key: &str) -> String {
    utf8_percent_encode(key, PLAIN).to_string().replace(' ', "+")
}

/// Who did it and from where; the lifecycle is S3 itself.
fn who(cx: &Cx, event: Event) -> (String, String) {
    let service = match &cx.caller().kind {
        CallerKind::Service { name } => Some(name.as_str()),
        _ => None,
    };
    if event.is_of_lifecycle() {
        return (super::PRINCIPAL.to_owned(), super::PRINCIPAL.to_owned());
    }
    let principal = service.map_or_else(|| format!("AWS:{}", cx.caller().user_id), str::to_owned);
    let inside = || service.unwrap_or("AWS Internal").to_owned();
    (principal, cx.source_ip().map_or_else(inside, |ip| ip.to_string()))
}

/// The message of one event for one rule. `sequencer` tells which of two events of a key came later.
pub fn of(cx: &Cx, bucket: &Bucket, rule: &Rule, event: Event, thing: &Thing<'_>, sequencer: &str) -> String {
    let (principal, address) = who(cx, event);
    let mut object = json!({"key": key_of(thing.key)});
    let mut say = |name: &str, value: Option<Json>| {
        if let Some(value) = value {
            object[name] = value;
        }
    };
    say("size", thing.size.map(Json::from));
    say("eTag", thing.etag.map(Json::from));
    say("versionId", thing.version.filter(|_| bucket.versioning.is_some()).map(Json::from));
    say("sequencer", Some(Json::from(sequencer)));
    let record = json!({
        "eventVersion": event.version(),
        "eventSource": "aws:s3",
        "awsRegion": bucket.region,
        "eventTime": cx.now().iso8601_millis(),
        "eventName": event.name(),
        "userIdentity": {"principalId": principal},
        "requestParameters": {"sourceIPAddress": address},
        "responseElements": {"x-amz-request-id": cx.request_id(), "x-amz-id-2": cx.request_id()},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": rule.id,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": owner(&bucket.owner).id},
                "arn": bucket_arn(cx, &bucket.name),
            },
            "object": object,
        },
    });
    json!({"Records": [record]}).to_string()
}

/// What a target is told when a rule names it.
pub fn test(cx: &Cx, bucket: &Bucket) -> String {
    let said = json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": cx.now().iso8601_millis(),
        "Bucket": bucket.name,
        "RequestId": cx.request_id(),
        "HostId": cx.request_id(),
    });
    said.to_string()
}

#[cfg(test)]
mod tests {
    use super::key_of;

    #[test]
    fn keys_are_encoded_as_forms_have_them() {
        assert_eq!(key_of("red flower.jpg"), "red+flower.jpg");
        assert_eq!(key_of("a/b+c&ü~"), "a/b%2Bc%26%C3%BC%7E");
    }
}
