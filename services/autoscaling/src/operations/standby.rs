//! Standby: instances that stay in the group but do not serve.

use super::activities::show;
use super::membership::{Ways, take_out};
use crate::changes;
use crate::controllers::cause::at;
use crate::errors::{not_part_of, validation};
use crate::records::{Lifecycle, Member, Status, Transition};
use crate::targets::group;
use kiln_autoscaling_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(EnterStandby: enter_standby(EnterStandbyRequest), on |cx, r| group(cx, &r.auto_scaling_group_name)),
    operation!(ExitStandby: exit_standby(ExitStandbyRequest), on |cx, r| group(cx, &r.auto_scaling_group_name)),
];

async fn enter_standby(cx: &Cx, request: EnterStandbyRequest) -> Result<EnterStandbyResponse, Error> {
    let ways = Ways {
        verb: "place into standby",
        description: "Moving EC2 instance to Standby",
        past: "was moved to standby in response to a user request",
        from: &[Lifecycle::InService],
        to: Lifecycle::EnteringStandby,
    };
    let name = &request.auto_scaling_group_name;
    let decrement = request.should_decrement_desired_capacity;
    let activities = take_out(cx, name, &request.instance_ids, decrement, &ways).await?;
    Ok(EnterStandbyResponse { activities })
}

async fn exit_standby(cx: &Cx, request: ExitStandbyRequest) -> Result<ExitStandbyResponse, Error> {
    let name = &request.auto_scaling_group_name;
    let ids = &request.instance_ids;
    if ids.is_empty() || ids.len() > 20 {
        return Err(validation("Between 1 and 20 instance IDs are required."));
    }
    let activities: Vec<String> = ids.iter().map(|_| cx.ids().uuid()).collect();
    let (group, begun) = cx
        .store()
        .write(|tx| {
            let mut group = changes::group_to_change(tx, cx.scope(), name)?;
            let mut begun = vec![];
            for (id, activity) in ids.iter().zip(&activities) {
                let member = tx.get::<Member>(cx.scope(), id)?.filter(|m| m.group == *name);
                let mut member = member.ok_or_else(|| not_part_of(id, name))?.as_ref().clone();
                if member.lifecycle != Lifecycle::Standby {
                    return Err(validation(format!("The instance {id} is not in Standby.")));
                }
                if group.desired >= group.max {
                    return Err(validation(format!(
                        "AutoScalingGroup {name} has min-size={}, max-size={}, and desired-size={}. To exit from standby 1 more instance, please update the AutoScalingGroup sizes appropriately.",
                        group.min, group.max, group.desired
                    )));
                }
                let before = group.desired;
                group.desired += 1;
                let why = format!(
                    "instance {id} was moved out of standby in response to a user request, increasing the capacity from {before} to {}.",
                    group.desired
                );
                let description = format!("Moving EC2 instance out of Standby: {id}");
                let cause = at(tx.now(), &why);
                let record = changes::begin(
                    tx, cx.scope(), &mut member, activity, description, &cause, Status::PreInService, 30,
                )?;
                begun.push(record);
                member.lifecycle = Lifecycle::Pending;
                // It was launched long ago: the hooks of a launch are not its business.
                let hooks = group.hooks.iter().filter(|h| h.transition == Transition::Launching);
                member.hooks_done = hooks.map(|h| h.name.clone()).collect();
                tx.put(cx.scope(), id, member)?;
            }
            tx.put(cx.scope(), name, group.clone())?;
            Ok((group, begun))
        })
        .await?;
    let arn = group.arn(cx.region(), cx.account());
    let activities = begun.iter().map(|activity| show(activity, Some(arn.clone()))).collect();
    Ok(ExitStandbyResponse { activities })
}
