//! The rules of `AWS::S3::Bucket`: lifecycle, pages of other origins, notifications. From the template's words to S3's, set
//! where the template changes them, and back as they are.

use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, Timestamp, given};
use serde_json::{Value as Json, json};

/// What is not built of them, by name.
const NOT_BUILT: [&str; 8] = [
    "/LifecycleConfiguration/Rules/*/NoncurrentVersionExpirationInDays",
    "/LifecycleConfiguration/Rules/*/NoncurrentVersionTransition",
    "/LifecycleConfiguration/Rules/*/NoncurrentVersionTransitions",
    "/LifecycleConfiguration/Rules/*/Transition",
    "/LifecycleConfiguration/Rules/*/Transitions",
    "/NotificationConfiguration/LambdaConfigurations/*",
    "/OwnershipControls/Rules/1",
    "/BucketEncryption/ServerSideEncryptionConfiguration/*/BlockedEncryptionTypes",
];

/// Refuses what is not built.
pub fn check(properties: &Json) -> Result<(), Error> {
    for path in NOT_BUILT {
        let there = match path.split_once("/*") {
            None => properties.pointer(path).is_some(),
            Some((list, rest)) => list_of(properties, list).iter().any(|item| says(item.pointer(rest))),
        };
        if there {
            return Err(Error::not_built(format!("AWS::S3::Bucket {}", path[1..].replace('/', " ").replace(" *", ""))));
        }
    }
    Ok(())
}

/// What is there; none where there is nothing of the kind, or no bucket.
pub fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Err(error) if error.status == 404 => Ok(None),
        other => other.map(Some),
    }
}

fn says(value: Option<&Json>) -> bool {
    value.is_some_and(|value| !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty()))
}

fn list_of<'j>(json: &'j Json, path: &str) -> &'j [Json] {
    json.pointer(path).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

fn text(json: &Json, name: &str) -> Option<String> {
    match json.get(name)? {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// A number or a time that a template writes as text.
fn parsed<T: std::str::FromStr>(json: &Json, name: &str) -> Result<Option<T>, Error> {
    let Some(text) = text(json, name) else { return Ok(None) };
    let bad = || Error::sender("InvalidRequest", format!("{text} is not valid for {name}"));
    text.parse().map(Some).map_err(|_| bad())
}

fn boolean(json: &Json, name: &str) -> Option<bool> {
    text(json, name)?.parse().ok()
}

fn texts(json: &Json, name: &str) -> Vec<String> {
    let items = json.get(name).and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    items.iter().filter_map(Json::as_str).map(str::to_owned).collect()
}

/// Sets what the template says of them, where that is another than before.
pub async fn set(cx: &Cx, bucket: &str, request: &ResourceRequest) -> Result<(), Error> {
    let new = request.previous.is_null();
    let changed = |name: &str| if new { request.properties.get(name).is_some() } else { request.changed(name) };
    if changed("OwnershipControls") {
        ownership(cx, bucket, request).await?;
    }
    if changed("CorsConfiguration") {
        cors(cx, bucket, request).await?;
    }
    if changed("LifecycleConfiguration") {
        lifecycle(cx, bucket, request).await?;
    }
    if changed("NotificationConfiguration") {
        notifications(cx, bucket, request).await?;
    }
    Ok(())
}

async fn ownership(cx: &Cx, bucket: &str, request: &ResourceRequest) -> Result<(), Error> {
    let rules = list_of(&request.properties, "/OwnershipControls/Rules");
    let named = rules.iter().filter_map(|rule| text(rule, "ObjectOwnership")).next();
    // Left out, it is as in every new bucket.
    let object_ownership = named.unwrap_or_else(|| "BucketOwnerEnforced".to_owned());
    cx.call(PutBucketOwnershipControlsRequest {
        bucket: bucket.to_owned(),
        ownership_controls: OwnershipControls { rules: vec![OwnershipControlsRule { object_ownership }] },
        ..Default::default()
    })
    .await?;
    Ok(())
}

async fn cors(cx: &Cx, bucket: &str, request: &ResourceRequest) -> Result<(), Error> {
    let mut cors_rules = vec![];
    for rule in list_of(&request.properties, "/CorsConfiguration/CorsRules") {
        cors_rules.push(CORSRule {
            id: text(rule, "Id"),
            allowed_headers: texts(rule, "AllowedHeaders"),
            allowed_methods: texts(rule, "AllowedMethods"),
            allowed_origins: texts(rule, "AllowedOrigins"),
            expose_headers: texts(rule, "ExposedHeaders"),
            max_age_seconds: parsed(rule, "MaxAge")?,
        });
    }
    let bucket = bucket.to_owned();
    if cors_rules.is_empty() {
        cx.call(DeleteBucketCorsRequest { bucket, ..Default::default() }).await?;
        return Ok(());
    }
    let cors_configuration = CORSConfiguration { cors_rules };
    cx.call(PutBucketCorsRequest { bucket, cors_configuration, ..Default::default() }).await?;
    Ok(())
}

async fn lifecycle(cx: &Cx, bucket: &str, request: &ResourceRequest) -> Result<(), Error> {
    let rules = list_of(&request.properties, "/LifecycleConfiguration/Rules");
    let rules = rules.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
    let bucket = bucket.to_owned();
    if rules.is_empty() {
        cx.call(DeleteBucketLifecycleRequest { bucket, ..Default::default() }).await?;
        return Ok(());
    }
    let configuration = request.properties.get("LifecycleConfiguration").unwrap_or(&Json::Null);
    cx.call(PutBucketLifecycleConfigurationRequest {
        bucket,
        lifecycle_configuration: Some(BucketLifecycleConfiguration { rules }),
        transition_default_minimum_object_size: text(configuration, "TransitionDefaultMinimumObjectSize"),
        ..Default::default()
    })
    .await?;
    Ok(())
}

fn rule(rule: &Json) -> Result<LifecycleRule, Error> {
    let tag = |tag: &Json| Some(Tag { key: text(tag, "Key")?, value: text(tag, "Value")? });
    let tags: Vec<Tag> = list_of(rule, "/TagFilters").iter().filter_map(tag).collect();
    let prefix = text(rule, "Prefix");
    let (greater, less) = (parsed(rule, "ObjectSizeGreaterThan")?, parsed(rule, "ObjectSizeLessThan")?);
    let things = [prefix.is_some(), greater.is_some(), less.is_some()].into_iter().filter(|there| *there).count();
    let filter = match things + tags.len() {
        0 | 1 => LifecycleRuleFilter {
            prefix,
            tag: tags.into_iter().next(),
            object_size_greater_than: greater,
            object_size_less_than: less,
            and: None,
        },
        _ => LifecycleRuleFilter {
            and: Some(LifecycleRuleAndOperator {
                prefix,
                tags,
                object_size_greater_than: greater,
                object_size_less_than: less,
            }),
            ..Default::default()
        },
    };
    let date = match text(rule, "ExpirationDate") {
        None => None,
        Some(text) => {
            let bad = |_| Error::sender("InvalidRequest", format!("{text} is not valid for ExpirationDate"));
            Some(Timestamp::parse(&text).map_err(bad)?)
        }
    };
    let days = parsed(rule, "ExpirationInDays")?;
    let expired_object_delete_marker = boolean(rule, "ExpiredObjectDeleteMarker");
    let expires = days.is_some() || date.is_some() || expired_object_delete_marker.is_some();
    let expiration = expires.then_some(LifecycleExpiration { date, days, expired_object_delete_marker });
    let noncurrent_version_expiration = match rule.get("NoncurrentVersionExpiration") {
        None => None,
        Some(noncurrent) => Some(NoncurrentVersionExpiration {
            noncurrent_days: parsed(noncurrent, "NoncurrentDays")?,
            newer_noncurrent_versions: parsed(noncurrent, "NewerNoncurrentVersions")?,
        }),
    };
    let abort_incomplete_multipart_upload = match rule.get("AbortIncompleteMultipartUpload") {
        None => None,
        Some(abort) => {
            Some(AbortIncompleteMultipartUpload { days_after_initiation: parsed(abort, "DaysAfterInitiation")? })
        }
    };
    Ok(LifecycleRule {
        id: text(rule, "Id"),
        status: text(rule, "Status").unwrap_or_default(),
        filter: Some(filter),
        expiration,
        noncurrent_version_expiration,
        abort_incomplete_multipart_upload,
        ..Default::default()
    })
}

async fn notifications(cx: &Cx, bucket: &str, request: &ResourceRequest) -> Result<(), Error> {
    let filter = |rule: &Json| {
        let rules = list_of(rule, "/Filter/S3Key/Rules").iter();
        let filter_rules: Vec<FilterRule> =
            rules.map(|rule| FilterRule { name: text(rule, "Name"), value: text(rule, "Value") }).collect();
        (!filter_rules.is_empty())
            .then_some(NotificationConfigurationFilter { key: Some(S3KeyFilter { filter_rules }) })
    };
    let rules = |list: &str, to: &str| -> Vec<(String, Vec<String>, Option<NotificationConfigurationFilter>)> {
        let rules = list_of(&request.properties, list).iter();
        let one = |rule: &Json| Some((text(rule, to)?, text(rule, "Event").into_iter().collect(), filter(rule)));
        rules.filter_map(one).collect()
    };
    let queues = rules("/NotificationConfiguration/QueueConfigurations", "Queue");
    let topics = rules("/NotificationConfiguration/TopicConfigurations", "Topic");
    let by_events = request.properties.pointer("/NotificationConfiguration/EventBridgeConfiguration");
    // On where it is there, unless it says otherwise.
    let by_events = by_events.filter(|by_events| boolean(by_events, "EventBridgeEnabled") != Some(false));
    let notification_configuration = NotificationConfiguration {
        event_bridge_configuration: by_events.map(|_| EventBridgeConfiguration {}),
        queue_configurations: queues
            .into_iter()
            .map(|(queue_arn, events, filter)| QueueConfiguration { queue_arn, events, filter, ..Default::default() })
            .collect(),
        topic_configurations: topics
            .into_iter()
            .map(|(topic_arn, events, filter)| TopicConfiguration { topic_arn, events, filter, ..Default::default() })
            .collect(),
        lambda_function_configurations: vec![],
    };
    let bucket = bucket.to_owned();
    cx.call(PutBucketNotificationConfigurationRequest { bucket, notification_configuration, ..Default::default() })
        .await?;
    Ok(())
}

/// The rules as they are.
pub async fn read(cx: &Cx, bucket: &str, read: Properties) -> Result<Properties, Error> {
    let asked = GetBucketCorsRequest { bucket: bucket.to_owned(), ..Default::default() };
    let cors = found(cx.call(asked).await)?.map(|answer| answer.cors_rules).unwrap_or_default();
    let cors: Vec<Json> = cors.into_iter().map(shown_cors).collect();
    let asked = GetBucketLifecycleConfigurationRequest { bucket: bucket.to_owned(), ..Default::default() };
    let lifecycle = found(cx.call(asked).await)?.map(|answer| {
        let rules: Vec<Json> = answer.rules.into_iter().map(shown_rule).collect();
        json!({"Rules": rules, "TransitionDefaultMinimumObjectSize": answer.transition_default_minimum_object_size})
    });
    let asked = GetBucketNotificationConfigurationRequest { bucket: bucket.to_owned(), ..Default::default() };
    let told = cx.call(asked).await?;
    let queues = told
        .queue_configurations
        .into_iter()
        .flat_map(|one| shown_told("Queue", one.queue_arn, one.events, one.filter));
    let topics = told
        .topic_configurations
        .into_iter()
        .flat_map(|one| shown_told("Topic", one.topic_arn, one.events, one.filter));
    let (queues, topics): (Vec<Json>, Vec<Json>) = (queues.collect(), topics.collect());
    let by_events = told.event_bridge_configuration.map(|_| json!({"EventBridgeEnabled": true}));
    let notifications = given(json!({
        "QueueConfigurations": queues,
        "TopicConfigurations": topics,
        "EventBridgeConfiguration": by_events,
    }));
    Ok(read
        .with("CorsConfiguration", (!cors.is_empty()).then(|| json!({"CorsRules": cors})))
        .with("LifecycleConfiguration", lifecycle)
        .with("NotificationConfiguration", says_any(notifications)))
}

fn says_any(value: Json) -> Option<Json> {
    value.as_object().is_some_and(|members| !members.is_empty()).then_some(value)
}

fn shown_cors(rule: CORSRule) -> Json {
    given(json!({
        "Id": rule.id,
        "AllowedHeaders": rule.allowed_headers,
        "AllowedMethods": rule.allowed_methods,
        "AllowedOrigins": rule.allowed_origins,
        "ExposedHeaders": rule.expose_headers,
        "MaxAge": rule.max_age_seconds,
    }))
}

fn shown_rule(rule: LifecycleRule) -> Json {
    let filter = rule.filter.unwrap_or_default();
    let and = filter.and.unwrap_or_default();
    let tags: Vec<Json> =
        filter.tag.into_iter().chain(and.tags).map(|tag| json!({"Key": tag.key, "Value": tag.value})).collect();
    let expiration = rule.expiration.unwrap_or_default();
    given(json!({
        "Id": rule.id,
        "Status": rule.status,
        "Prefix": rule.prefix.or(filter.prefix).or(and.prefix),
        "TagFilters": tags,
        "ObjectSizeGreaterThan": filter.object_size_greater_than.or(and.object_size_greater_than),
        "ObjectSizeLessThan": filter.object_size_less_than.or(and.object_size_less_than),
        "ExpirationInDays": expiration.days,
        "ExpirationDate": expiration.date.map(Timestamp::iso8601),
        "ExpiredObjectDeleteMarker": expiration.expired_object_delete_marker,
        "NoncurrentVersionExpiration": rule.noncurrent_version_expiration.map(|noncurrent| json!({
            "NoncurrentDays": noncurrent.noncurrent_days,
            "NewerNoncurrentVersions": noncurrent.newer_noncurrent_versions,
        })),
        "AbortIncompleteMultipartUpload": rule
            .abort_incomplete_multipart_upload
            .map(|abort| json!({"DaysAfterInitiation": abort.days_after_initiation})),
    }))
}

/// A rule of a template has one event.
fn shown_told(
    to: &'static str,
    arn: String,
    events: Vec<String>,
    filter: Option<NotificationConfigurationFilter>,
) -> impl Iterator<Item = Json> {
    let rules = filter.and_then(|filter| filter.key).map(|key| key.filter_rules).unwrap_or_default();
    // In small letters, as templates have them.
    let name = |rule: &FilterRule| rule.name.as_deref().map(str::to_ascii_lowercase);
    let rules: Vec<Json> = rules.iter().map(|rule| json!({"Name": name(rule), "Value": rule.value})).collect();
    events.into_iter().map(move |event| given(json!({to: arn, "Event": event, "Filter": {"S3Key": {"Rules": rules}}})))
}
