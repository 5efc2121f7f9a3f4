//! The event that an instance waits for a hook. Source: Amazon EC2 Auto Scaling User Guide, "Amazon EC2 Auto Scaling event
//! reference". How launches and terminations end is told by their activities (`records/activity.rs`).

use crate::records::{Action, EVENT_SOURCE, Group, Hook, Member, Transition};
use kiln_service_kit::{Cx, Error, Happening, Tx};
use serde_json::json;

/// Says that an instance waits for a hook, in the transaction that makes it wait.
pub fn waits(tx: &mut Tx, cx: &Cx, group: &Group, member: &Member, hook: &Hook, action: &Action) -> Result<(), Error> {
    let (detail_type, origin, destination) = match hook.transition {
        Transition::Launching => ("EC2 Instance-launch Lifecycle Action", "EC2", "AutoScalingGroup"),
        Transition::Terminating => ("EC2 Instance-terminate Lifecycle Action", "AutoScalingGroup", "EC2"),
    };
    cx.emit(tx, EVENT_SOURCE, detail_type, || {
        let mut detail = json!({
            "LifecycleActionToken": action.token,
            "AutoScalingGroupName": group.name,
            "LifecycleHookName": hook.name,
            "EC2InstanceId": member.id,
            "LifecycleTransition": hook.transition.name(),
            "Origin": origin,
            "Destination": destination,
        });
        if let Some(metadata) = &hook.notification_metadata {
            detail["NotificationMetadata"] = metadata.as_str().into();
        }
        Happening { resources: vec![group.arn(cx.region(), cx.account())], detail }
    })
}
