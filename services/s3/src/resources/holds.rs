//! Properties of `AWS::S3::Bucket` that can only say what holds anyway: versions of templates written out in
//! full do, as the CDK's and Terraform's are.

use kiln_service_kit::Error;
use serde_json::Value as Json;

/// Properties that are carried out.
pub const BUILT: [&str; 5] =
    ["BucketEncryption", "BucketName", "PublicAccessBlockConfiguration", "Tags", "VersioningConfiguration"];

/// Refuses, by name, the first property that asks for what is not built.
pub fn check(properties: &Json) -> Result<(), Error> {
    let Json::Object(given) = properties else { return Ok(()) };
    match given.iter().find(|(name, value)| !BUILT.contains(&name.as_str()) && !holds(name, value)) {
        Some((name, _)) => Err(Error::not_built(format!("AWS::S3::Bucket {name} with this value"))),
        None => Ok(()),
    }
}

/// Whether a property says how every bucket is.
fn holds(name: &str, value: &Json) -> bool {
    let is = |pointer: &str, wanted: &str| value.pointer(pointer).and_then(Json::as_str) == Some(wanted);
    match name {
        "AccessControl" => is("", "Private"),
        "AccelerateConfiguration" => is("/AccelerationStatus", "Suspended"),
        "AbacStatus" => is("", "Disabled"),
        "BucketNamespace" => is("", "global"),
        "ObjectLockEnabled" => is_false(value),
        "OwnershipControls" => each(value.pointer("/Rules"), |rule| {
            rule.pointer("/ObjectOwnership").and_then(Json::as_str) == Some("BucketOwnerEnforced")
        }),
        "NotificationConfiguration" => match value {
            Json::Object(kinds) => kinds.iter().all(|(kind, value)| match kind.as_str() {
                "EventBridgeConfiguration" => value.pointer("/EventBridgeEnabled").is_some_and(is_false),
                _ => is_empty(value),
            }),
            _ => false,
        },
        _ => is_empty(value),
    }
}

fn is_false(value: &Json) -> bool {
    value == &Json::Bool(false) || value == "false"
}

/// Nothing, or nothing but what is empty: `{"Rules": []}`.
fn is_empty(value: &Json) -> bool {
    match value {
        Json::Array(items) => items.is_empty(),
        Json::Object(members) => members.values().all(is_empty),
        _ => false,
    }
}

/// Whether there are some, and all are so.
fn each(items: Option<&Json>, is_so: impl Fn(&Json) -> bool) -> bool {
    items.and_then(Json::as_array).is_some_and(|items| !items.is_empty() && items.iter().all(is_so))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_holds_anyway_is_taken_and_what_does_not_is_named() {
        for good in [
            json!({"AccessControl": "Private"}),
            json!({"ObjectLockEnabled": false}),
            json!({"AccelerateConfiguration": {"AccelerationStatus": "Suspended"}}),
            json!({"ObjectLockEnabled": "false"}),
            json!({"ObjectLockConfiguration": {}}),
            json!({"NotificationConfiguration": {"QueueConfigurations": [], "EventBridgeConfiguration": {"EventBridgeEnabled": false}}}),
            json!({"LifecycleConfiguration": {"Rules": []}}),
            json!({"CorsConfiguration": {"CorsRules": []}}),
            json!({"LoggingConfiguration": {}, "MetricsConfigurations": [], "InventoryConfigurations": []}),
            json!({"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}),
        ] {
            assert!(check(&good).is_ok(), "{good}");
        }
        for (bad, name) in [
            (json!({"AccessControl": "PublicRead"}), "AccessControl"),
            (json!({"ObjectLockEnabled": true}), "ObjectLockEnabled"),
            (json!({"AccelerateConfiguration": {"AccelerationStatus": "Enabled"}}), "AccelerateConfiguration"),
            (json!({"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}), "ObjectLockConfiguration"),
            (
                json!({"NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": true}}}),
                "NotificationConfiguration",
            ),
            (json!({"NotificationConfiguration": {"EventBridgeConfiguration": {}}}), "NotificationConfiguration"),
            (json!({"LifecycleConfiguration": {"Rules": [{"Status": "Disabled"}]}}), "LifecycleConfiguration"),
            (json!({"OwnershipControls": {"Rules": []}}), "OwnershipControls"),
            (json!({"WebsiteConfiguration": {"IndexDocument": "i"}}), "WebsiteConfiguration"),
        ] {
            let error = check(&bad).unwrap_err();
            assert!(error.is("NotImplemented") && error.message.contains(name), "{error}");
        }
    }
}
