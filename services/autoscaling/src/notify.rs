//! What Auto Scaling tells: topics of launches and terminations, queues and topics of instances that wait at a hook. Each
//! is noted in the transaction of the fact. Source: Amazon EC2 Auto Scaling User Guide, "Amazon SNS notification options
//! for Amazon EC2 Auto Scaling" and "Configure a notification target for lifecycle notifications".

use crate::records::{Action, Activity, Group, Hook, Member, Status, Transition};
use crate::roles::AUTO_SCALING;
use kiln_delivery::{Address, Note, Parcel, Policy, deliver, deliver_if_it_fits};
use kiln_service_kit::{Cx, Error, Tx};
use serde_json::{Map, Value as Json, json};

pub const LAUNCH: &str = "autoscaling:EC2_INSTANCE_LAUNCH";
pub const LAUNCH_ERROR: &str = "autoscaling:EC2_INSTANCE_LAUNCH_ERROR";
pub const TERMINATE: &str = "autoscaling:EC2_INSTANCE_TERMINATE";
pub const TERMINATE_ERROR: &str = "autoscaling:EC2_INSTANCE_TERMINATE_ERROR";
pub const TEST: &str = "autoscaling:TEST_NOTIFICATION";

/// Everything that a topic can be told of.
pub const EVENTS: [&str; 5] = [LAUNCH, LAUNCH_ERROR, TERMINATE, TERMINATE_ERROR, TEST];

/// What all messages have.
fn message(cx: &Cx, group: &Group, request: &str) -> Map<String, Json> {
    let members = json!({
        "Service": "AWS Auto Scaling",
        "Time": cx.now().iso8601_millis(),
        "RequestId": request,
        "AccountId": cx.account(),
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn(cx.region(), cx.account()),
    });
    match members {
        Json::Object(members) => members,
        _ => Map::new(),
    }
}

fn note(cx: &Cx, group: &Group, to: Address, subject: String, body: Map<String, Json>) -> Note {
    // A queue's message has no subject.
    let subject = matches!(to, Address::Topic(_)).then_some(subject);
    let parcel = Parcel { subject, ..Parcel::of(Json::Object(body).to_string()) };
    let source_arn = group.arn(cx.region(), cx.account());
    Note { to, by: AUTO_SCALING.to_owned(), source_arn, parcel, policy: Policy::INSIDE, dead_letter: None }
}

/// That a topic or queue is told from now on.
pub fn test(tx: &mut Tx, cx: &Cx, group: &Group, to: Address) -> Result<(), Error> {
    let mut body = message(cx, group, cx.request_id());
    body.insert("Event".to_owned(), TEST.into());
    let subject = format!("Auto Scaling: test notification for group \"{}\"", group.name);
    deliver(tx, cx.scope(), note(cx, group, to, subject, body))
}

/// Keeps an activity; when it ended, whoever wants to know of it is told.
pub fn keep(activity: Activity, tx: &mut Tx, cx: &Cx) -> Result<(), Error> {
    if activity.end.is_some() {
        ended(tx, cx, &activity)?;
    }
    activity.keep(tx, cx)
}

fn ended(tx: &mut Tx, cx: &Cx, activity: &Activity) -> Result<(), Error> {
    let well = activity.status == Status::Successful;
    let (event, what) = match () {
        () if activity.description.starts_with("Launching") && well => (LAUNCH, "launch"),
        () if activity.description.starts_with("Launching") => (LAUNCH_ERROR, "failed launch"),
        () if activity.description.starts_with("Terminating") && well => (TERMINATE, "termination"),
        () if activity.description.starts_with("Terminating") => (TERMINATE_ERROR, "failed termination"),
        () => return Ok(()),
    };
    let Some(group) = tx.get::<Group>(cx.scope(), &activity.group)? else { return Ok(()) };
    let topics: Vec<String> = group
        .notifications
        .iter()
        .filter(|notification| notification.events.iter().any(|wanted| wanted == event))
        .map(|notification| notification.topic.clone())
        .collect();
    if topics.is_empty() || group.uuid != activity.group_uuid {
        return Ok(());
    }
    let mut body = message(cx, &group, &activity.id);
    let instance = activity.description.split([' ', '.']).find(|word| word.starts_with("i-")).unwrap_or("");
    let more = json!({
        "Event": event,
        "ActivityId": activity.id,
        "Description": activity.description,
        "Cause": activity.cause,
        "StartTime": activity.start.iso8601_millis(),
        "EndTime": activity.end.map(|end| end.iso8601_millis()),
        "StatusCode": activity.status.name(),
        "StatusMessage": activity.message.as_deref().unwrap_or(""),
        "Progress": activity.progress,
        "EC2InstanceId": instance,
        "Details": details(activity),
        "Origin": if event.contains("LAUNCH") { "EC2" } else { "AutoScalingGroup" },
        "Destination": if event.contains("LAUNCH") { "AutoScalingGroup" } else { "EC2" },
    });
    if let Json::Object(more) = more {
        body.extend(more);
    }
    for topic in topics {
        let subject = format!("Auto Scaling: {what} for group \"{}\"", group.name);
        deliver_if_it_fits(tx, cx.scope(), note(cx, &group, Address::Topic(topic), subject, body.clone()))?;
    }
    Ok(())
}

fn details(activity: &Activity) -> Json {
    let mut details = Map::from_iter([("Availability Zone".to_owned(), activity.zone.as_str().into())]);
    if let Some(subnet) = &activity.subnet {
        details.insert("Subnet ID".to_owned(), subnet.as_str().into());
    }
    Json::Object(details)
}

/// An instance waits at a hook.
pub fn waits(tx: &mut Tx, cx: &Cx, group: &Group, hook: &Hook, member: &Member, action: &Action) -> Result<(), Error> {
    let Some(target) = &hook.notification_target else { return Ok(()) };
    let mut body = message(cx, group, &action.token);
    // Of hooks it is not told whose ARN the group has.
    body.remove("AutoScalingGroupARN");
    let (word, origin, destination) = match hook.transition {
        Transition::Launching => ("LAUNCHING", "EC2", "AutoScalingGroup"),
        Transition::Terminating => ("TERMINATING", "AutoScalingGroup", "EC2"),
    };
    let more = [
        ("LifecycleHookName", Some(hook.name.as_str())),
        ("LifecycleTransition", Some(hook.transition.name())),
        ("LifecycleActionToken", Some(action.token.as_str())),
        ("EC2InstanceId", Some(member.id.as_str())),
        ("NotificationMetadata", hook.notification_metadata.as_deref()),
        ("Origin", Some(origin)),
        ("Destination", Some(destination)),
    ];
    body.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
    let subject = format!("Auto Scaling:  Lifecycle action '{word}' for instance {} in progress.", member.id);
    deliver_if_it_fits(tx, cx.scope(), note(cx, group, kiln_delivery::can_carry(target)?, subject, body))?;
    Ok(())
}
