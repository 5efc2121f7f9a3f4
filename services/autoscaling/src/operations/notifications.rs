//! Which topics are told of a group's launches and terminations. Source: Amazon EC2 Auto Scaling API Reference,
//! PutNotificationConfiguration, DescribeNotificationConfigurations, DeleteNotificationConfiguration.

use super::page_size;
use crate::errors::{bad_token, validation};
use crate::notify::{self, EVENTS};
use crate::records::{Group, Notification};
use crate::{changes, targets::group};
use kiln_autoscaling_shapes::*;
use kiln_delivery::{Address, can_carry};
use kiln_service_kit::{Caller, Cx, Error, Operation, operation, paginate};
use kiln_sns_shapes::GetTopicAttributesRequest;
use kiln_sqs_shapes::GetQueueUrlRequest;

pub const OPERATIONS: &[Operation] = &[
    operation!(PutNotificationConfiguration: put_notification_configuration(PutNotificationConfigurationRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
    operation!(DeleteNotificationConfiguration: delete_notification_configuration(DeleteNotificationConfigurationRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
    operation!(DescribeNotificationConfigurations: describe_notification_configurations(DescribeNotificationConfigurationsRequest),
        on everything),
];

/// Topics of one group. Source: "Quotas for Amazon EC2 Auto Scaling".
const MOST_TOPICS: usize = 10;

/// Whether a queue or topic of this account is there: one that is not is refused when it is named. It is looked at as the
/// account itself: neither the caller nor Auto Scaling need be let in to look, and nothing of it is told on.
pub async fn is_there(cx: &Cx, address: &Address) -> Result<(), Error> {
    let asks = cx.as_caller(Caller::root(cx.account()));
    let (arn, asked) = match address {
        Address::Topic(arn) => (arn, asks.call(GetTopicAttributesRequest { topic_arn: arn.clone() }).await.map(drop)),
        Address::Queue(arn) => {
            let mut parts = arn.rsplit(':');
            let (name, owner) = (parts.next().unwrap_or(arn).to_owned(), parts.next().map(str::to_owned));
            let request = GetQueueUrlRequest { queue_name: name, queue_owner_aws_account_id: owner };
            (arn, asks.call(request).await.map(drop))
        }
        _ => return Err(validation("A notification target must be a queue or a topic.")),
    };
    match asked {
        Err(error) if error.status == 404 || error.is("NotFound") || error.code.ends_with("QueueDoesNotExist") => {
            Err(validation(format!("Unable to publish test message to notification target {arn}: it does not exist.")))
        }
        // Another account's: whether its policy lets Auto Scaling in is seen when it is told.
        _ => Ok(()),
    }
}

async fn put_notification_configuration(
    cx: &Cx,
    request: PutNotificationConfigurationRequest,
) -> Result<PutNotificationConfigurationResponse, Error> {
    let (name, topic) = (&request.auto_scaling_group_name, &request.topic_arn);
    if let Some(other) = request.notification_types.iter().find(|given| !EVENTS.contains(&given.as_str())) {
        return Err(validation(format!("\"{other}\" is not a valid Notification Type")));
    }
    let address = match can_carry(topic) {
        Ok(address @ Address::Topic(_)) => address,
        Err(error) if error.is("NotImplemented") => return Err(error),
        _ => return Err(validation(format!("Invalid topic ARN: {topic}"))),
    };
    changes::check_group(cx, name)?;
    is_there(cx, &address).await?;
    cx.store()
        .write(|tx| {
            let mut group = changes::group_to_change(tx, cx.scope(), name)?;
            let notification = Notification { topic: topic.clone(), events: request.notification_types.clone() };
            let many = group.notifications.len();
            match group.notifications.iter_mut().find(|known| known.topic == *topic) {
                Some(known) => *known = notification,
                None if many >= MOST_TOPICS => {
                    let text =
                        format!("You have already reached your limit of {MOST_TOPICS} topics for the group {name}.");
                    return Err(Error::sender("LimitExceeded", text));
                }
                None => group.notifications.push(notification),
            }
            notify::test(tx, cx, &group, address.clone())?;
            tx.put_if_changed(cx.scope(), name, group)?;
            Ok(())
        })
        .await?;
    Ok(PutNotificationConfigurationResponse {})
}

async fn delete_notification_configuration(
    cx: &Cx,
    request: DeleteNotificationConfigurationRequest,
) -> Result<DeleteNotificationConfigurationResponse, Error> {
    let (name, topic) = (&request.auto_scaling_group_name, &request.topic_arn);
    cx.store()
        .write(|tx| {
            let mut group = changes::group_to_change(tx, cx.scope(), name)?;
            group.notifications.retain(|known| known.topic != *topic);
            tx.put_if_changed(cx.scope(), name, group)?;
            Ok::<_, Error>(())
        })
        .await?;
    Ok(DeleteNotificationConfigurationResponse {})
}

async fn describe_notification_configurations(
    cx: &Cx,
    request: DescribeNotificationConfigurationsRequest,
) -> Result<DescribeNotificationConfigurationsResponse, Error> {
    for name in &request.auto_scaling_group_names {
        changes::check_group(cx, name)?;
    }
    let groups = super::named_or_all::<Group>(cx, &request.auto_scaling_group_names)?;
    let mut found = vec![];
    for group in groups {
        for Notification { topic, events } in &group.notifications {
            for event in events {
                let shown = NotificationConfiguration {
                    auto_scaling_group_name: Some(group.name.clone()),
                    topic_arn: Some(topic.clone()),
                    notification_type: Some(event.clone()),
                };
                found.push((format!("{}|{topic}|{event}", group.name), shown));
            }
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    let limit = page_size(request.max_records, 50, 100)?;
    let page = paginate(found, |(key, _)| key, request.next_token.as_deref(), limit, bad_token)?;
    let notification_configurations = page.items.into_iter().map(|(_, shown)| shown).collect();
    Ok(DescribeNotificationConfigurationsResponse { notification_configurations, next_token: page.next_token })
}
