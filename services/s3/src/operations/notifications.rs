//! Which events of a bucket are told to whom ([`crate::notifications`]): set, and read.

use super::bucket;
use super::settings::change;
use crate::notifications::{Rule, To, check, try_targets};
use crate::targets::of_bucket_by;
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(GetBucketNotificationConfiguration: get_notification(GetBucketNotificationConfigurationRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:GetBucketNotification")),
    operation!(PutBucketNotificationConfiguration: put_notification(PutBucketNotificationConfigurationRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:PutBucketNotification")),
];

/// All rules are replaced; none of them holds until every target took its test message.
async fn put_notification(
    cx: &Cx,
    input: PutBucketNotificationConfigurationRequest,
) -> Result<PutBucketNotificationConfigurationResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let rules = check(cx, &bucket, &input.notification_configuration)?;
    let by_events = input.notification_configuration.event_bridge_configuration.is_some();
    if input.skip_destination_validation != Some(true) {
        try_targets(cx, &bucket, &rules).await?;
    }
    change(cx, &bucket.name, |bucket| {
        bucket.notifications = rules;
        bucket.event_bridge = by_events;
        Ok(())
    })
    .await?;
    Ok(PutBucketNotificationConfigurationResponse {})
}

async fn get_notification(
    cx: &Cx,
    input: GetBucketNotificationConfigurationRequest,
) -> Result<GetBucketNotificationConfigurationResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let mut answer = GetBucketNotificationConfigurationResponse::default();
    for rule in &bucket.notifications {
        let (id, events, filter) = (Some(rule.id.clone()), rule.events.clone(), filter(rule));
        match rule.to.clone() {
            To::Queue(queue_arn) => {
                answer.queue_configurations.push(QueueConfiguration { id, queue_arn, events, filter });
            }
            To::Topic(topic_arn) => {
                answer.topic_configurations.push(TopicConfiguration { id, topic_arn, events, filter });
            }
        }
    }
    answer.event_bridge_configuration = bucket.event_bridge.then_some(EventBridgeConfiguration {});
    Ok(answer)
}

fn filter(rule: &Rule) -> Option<NotificationConfigurationFilter> {
    let named = [("Prefix", &rule.prefix), ("Suffix", &rule.suffix)];
    let rules = named
        .into_iter()
        .filter_map(|(name, value)| Some(FilterRule { name: Some(name.to_owned()), value: Some(value.clone()?) }));
    let filter_rules: Vec<FilterRule> = rules.collect();
    (!filter_rules.is_empty()).then_some(NotificationConfigurationFilter { key: Some(S3KeyFilter { filter_rules }) })
}
