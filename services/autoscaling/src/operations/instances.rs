//! One instance of a group: its health, its protection, its end.

use super::activities::show;
use crate::changes;
use crate::controllers::cause::at;
use crate::errors::{no_managed_instance, not_part_of, validation};
use crate::records::{Group, Health, Lifecycle, Member, Unhealthy};
use crate::targets::{group, group_of};
use kiln_autoscaling_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};
use std::time::Duration;

pub const OPERATIONS: &[Operation] = &[
    operation!(SetInstanceHealth: set_instance_health(SetInstanceHealthRequest),
        on |cx, r| group_of(cx, &r.instance_id)),
    operation!(SetInstanceProtection: set_instance_protection(SetInstanceProtectionRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
    operation!(TerminateInstanceInAutoScalingGroup: terminate_instance_in_auto_scaling_group(TerminateInstanceInAutoScalingGroupRequest),
        on |cx, r| group_of(cx, &r.instance_id)),
];

async fn set_instance_health(cx: &Cx, request: SetInstanceHealthRequest) -> Result<SetInstanceHealthResponse, Error> {
    let health = match request.health_status.as_str() {
        "Healthy" => Health::Healthy,
        "Unhealthy" => Health::Unhealthy,
        other => {
            return Err(validation(format!("Invalid health status: {other}. Valid values are [Healthy, Unhealthy]")));
        }
    };
    let respect = request.should_respect_grace_period.unwrap_or(true);
    let id = &request.instance_id;
    cx.store()
        .write(|tx| {
            let member = tx.get::<Member>(cx.scope(), id)?.ok_or_else(|| no_managed_instance(id))?;
            let group = changes::group(tx, cx.scope(), &member.group)?;
            let grace = Duration::from_secs(u64::try_from(group.grace_period).unwrap_or(0));
            let in_grace = member.in_service.unwrap_or(member.launched) + grace > tx.now();
            // Within the grace period an unhealthy report is accepted and changes nothing.
            if health == Health::Unhealthy && respect && in_grace {
                return Ok(());
            }
            let mut member = member.as_ref().clone();
            member.health = health;
            member.unhealthy = (health == Health::Unhealthy).then_some(Unhealthy::User);
            tx.put_if_changed(cx.scope(), id, member)?;
            Ok::<_, Error>(())
        })
        .await?;
    Ok(SetInstanceHealthResponse {})
}

async fn set_instance_protection(
    cx: &Cx,
    request: SetInstanceProtectionRequest,
) -> Result<SetInstanceProtectionResponse, Error> {
    let name = &request.auto_scaling_group_name;
    if request.instance_ids.len() > 50 {
        return Err(Error::sender("LimitExceeded", "At most 50 instances can be given in one call."));
    }
    cx.store()
        .write(|tx| {
            changes::group_to_change(tx, cx.scope(), name)?;
            for id in &request.instance_ids {
                let member = tx.get::<Member>(cx.scope(), id)?.filter(|m| m.group == *name);
                let member = member.ok_or_else(|| not_part_of(id, name))?;
                if !matches!(member.lifecycle, Lifecycle::InService | Lifecycle::Standby | Lifecycle::EnteringStandby)
                    && !member.is_pending()
                {
                    return Err(validation(format!(
                        "The instance {id} is not in InService or EnteringStandby or Standby."
                    )));
                }
                let member = Member { protected: request.protected_from_scale_in, ..member.as_ref().clone() };
                tx.put_if_changed(cx.scope(), id, member)?;
            }
            Ok(())
        })
        .await?;
    Ok(SetInstanceProtectionResponse {})
}

async fn terminate_instance_in_auto_scaling_group(
    cx: &Cx,
    request: TerminateInstanceInAutoScalingGroupRequest,
) -> Result<TerminateInstanceInAutoScalingGroupResponse, Error> {
    let id = &request.instance_id;
    let decrement = request.should_decrement_desired_capacity;
    let activity = cx.ids().uuid();
    let (group, activity) = cx
        .store()
        .write(|tx| {
            let member = tx.get::<Member>(cx.scope(), id)?.ok_or_else(|| no_managed_instance(id))?;
            let mut group = changes::group_to_change(tx, cx.scope(), &member.group)?;
            if !matches!(member.lifecycle, Lifecycle::InService | Lifecycle::Standby) {
                return Err(Error::sender(
                    "ScalingActivityInProgress",
                    format!("A scaling activity is in progress for instance {id}, which is {}.", member.lifecycle.name()),
                ));
            }
            let mut why = format!("instance {id} was taken out of service in response to a user request.");
            if decrement && member.lifecycle == Lifecycle::InService {
                if group.desired <= group.min {
                    return Err(validation(format!(
                        "Currently, desiredSize equals minSize ({}). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.",
                        group.min
                    )));
                }
                let before = group.desired;
                group.desired -= 1;
                why = format!(
                    "instance {id} was taken out of service in response to a user request, shrinking the capacity from {before} to {}.",
                    group.desired
                );
                tx.put(cx.scope(), &group.name.clone(), group.clone())?;
            }
            let mut member = member.as_ref().clone();
            let cause = at(tx.now(), &why);
            let activity = changes::begin_termination(tx, cx.scope(), &mut member, None, &activity, &cause)?;
            tx.put(cx.scope(), id, member)?;
            Ok((group, activity))
        })
        .await?;
    let arn = Group::arn(&group, cx.region(), cx.account());
    Ok(TerminateInstanceInAutoScalingGroupResponse { activity: Some(show(&activity, Some(arn))) })
}
