//! Instances that join and leave a group alive.

use super::activities::show;
use crate::changes;
use crate::controllers::cause::at;
use crate::errors::{not_part_of, validation};
use crate::records::{Group, Health, Lifecycle, Member, Status};
use crate::targets::group;
use kiln_autoscaling_shapes::*;
use kiln_ec2_shapes::DescribeInstancesRequest;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(AttachInstances: attach_instances(AttachInstancesRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
    operation!(DetachInstances: detach_instances(DetachInstancesRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
];

async fn attach_instances(cx: &Cx, request: AttachInstancesRequest) -> Result<AttachInstancesResponse, Error> {
    let name = &request.auto_scaling_group_name;
    let ids = &request.instance_ids;
    if ids.is_empty() || ids.len() > 20 {
        return Err(validation("Between 1 and 20 instance IDs are required."));
    }
    let known = cx.store().get::<Group>(cx.scope(), name)?.ok_or_else(|| crate::errors::group_not_found(name))?;
    let described = cx
        .call(DescribeInstancesRequest { instance_ids: ids.clone(), ..Default::default() })
        .await
        .map_err(|error| match error.is("InvalidInstanceID.NotFound") || error.is("InvalidInstanceID.Malformed") {
            true => validation(format!("Invalid Instance ID(s): [{}] specified", ids.join(", "))),
            false => error,
        })?;
    let instances: Vec<_> = described.reservations.into_iter().flat_map(|r| r.instances).collect();
    let mut joining = vec![];
    for id in ids {
        let Some(instance) = instances.iter().find(|i| i.instance_id.as_deref() == Some(id)) else {
            return Err(validation(format!("Invalid Instance ID(s): [{id}] specified")));
        };
        let state = instance.state.as_ref().and_then(|s| s.name.as_deref());
        if state != Some("running") {
            return Err(validation(format!(
                "Instance {id} is not in correct state. Instance(s) must be in 'running' state."
            )));
        }
        let zone = instance.placement.as_ref().and_then(|p| p.availability_zone.clone());
        let zone = zone.ok_or_else(|| Error::internal("EC2 described an instance without its zone"))?;
        if !known.zones.contains(&zone) {
            return Err(validation(format!(
                "The availability zone {zone} of instance {id} is not one of the Auto Scaling group's: {}",
                known.zones.join(", ")
            )));
        }
        joining.push((id, zone, instance));
    }
    let activities: Vec<String> = ids.iter().map(|_| cx.ids().uuid()).collect();
    cx.store()
        .write(|tx| {
            let mut group = changes::group_to_change(tx, cx.scope(), name)?;
            let n = i32::try_from(ids.len()).unwrap_or(i32::MAX);
            if group.desired.saturating_add(n) > group.max {
                return Err(validation(format!(
                    "AutoScalingGroup {name} has min-size={}, max-size={}, and desired-size={}. To attach {n} more instance{}, please update the AutoScalingGroup sizes appropriately.",
                    group.min, group.max, group.desired, if n == 1 { "" } else { "s" }
                )));
            }
            for ((id, zone, instance), activity) in joining.into_iter().zip(&activities) {
                if let Some(member) = tx.get::<Member>(cx.scope(), id)? {
                    return Err(validation(format!("Instance {id} is already part of AutoScalingGroup:{}", member.group)));
                }
                let before = group.desired;
                group.desired += 1;
                let mut member = Member {
                    id: id.clone(),
                    group: name.clone(),
                    zone,
                    subnet: instance.subnet_id.clone(),
                    instance_type: instance.instance_type.clone().unwrap_or_default(),
                    image: instance.image_id.clone().unwrap_or_default(),
                    template: None,
                    configuration: None,
                    lifecycle: Lifecycle::Pending,
                    health: Health::Healthy,
                    unhealthy: None,
                    protected: group.new_instances_protected,
                    rebalance: false,
                    launched: instance.launch_time.unwrap_or(tx.now()),
                    in_service: None,
                    activity: None,
                    registered: vec![],
                    draining: vec![],
                    left_out: vec![],
                    action: None,
                    hooks_done: vec![],
                    terminate_called: false,
                };
                let cause = at(
                    tx.now(),
                    &format!(
                        "an instance was attached in response to a user request, increasing the capacity from {before} to {}.",
                        group.desired
                    ),
                );
                let description = format!("Attaching an existing EC2 instance: {id}");
                changes::begin(tx, cx.scope(), &mut member, activity, description, &cause, Status::PreInService, 30)?;
                tx.put(cx.scope(), id, member)?;
            }
            tx.put(cx.scope(), name, group)?;
            Ok(())
        })
        .await?;
    Ok(AttachInstancesResponse {})
}

async fn detach_instances(cx: &Cx, request: DetachInstancesRequest) -> Result<DetachInstancesResponse, Error> {
    let name = &request.auto_scaling_group_name;
    let ids = &request.instance_ids;
    let ways = Ways {
        verb: "detach",
        description: "Detaching EC2 instance",
        past: "was detached in response to a user request",
        from: &[Lifecycle::InService, Lifecycle::Standby],
        to: Lifecycle::Detaching,
    };
    let activities = take_out(cx, name, ids, request.should_decrement_desired_capacity, &ways).await?;
    Ok(DetachInstancesResponse { activities })
}

/// What detaching and standby have in common: instances leave the service alive.
pub struct Ways {
    /// As in "To detach 1 instance".
    pub verb: &'static str,
    pub description: &'static str,
    pub past: &'static str,
    pub from: &'static [Lifecycle],
    pub to: Lifecycle,
}

/// Takes instances out of service; the controller deregisters them and ends the activities.
pub async fn take_out(
    cx: &Cx,
    name: &str,
    ids: &[String],
    decrement: bool,
    ways: &Ways,
) -> Result<Vec<Activity>, Error> {
    if ids.is_empty() || ids.len() > 20 {
        return Err(validation("Between 1 and 20 instance IDs are required."));
    }
    let activities: Vec<String> = ids.iter().map(|_| cx.ids().uuid()).collect();
    let (group, begun) = cx
        .store()
        .write(|tx| {
            let mut group = changes::group_to_change(tx, cx.scope(), name)?;
            let mut leaving = vec![];
            for id in ids {
                let member = tx.get::<Member>(cx.scope(), id)?.filter(|m| m.group == name);
                let member = member.ok_or_else(|| not_part_of(id, name))?;
                if !ways.from.contains(&member.lifecycle) {
                    let states: Vec<&str> = ways.from.iter().map(|s| s.name()).collect();
                    return Err(validation(format!("The instance {id} is not in {}.", states.join(" or "))));
                }
                leaving.push(member.as_ref().clone());
            }
            let counted = leaving.iter().filter(|m| m.counts()).count();
            let n = i32::try_from(counted).unwrap_or(i32::MAX);
            if decrement && group.desired - n < group.min {
                return Err(validation(format!(
                    "AutoScalingGroup {name} has min-size={}, max-size={}, and desired-size={}. To {} {n} instance{}, please update the AutoScalingGroup sizes appropriately.",
                    group.min, group.max, group.desired, ways.verb, if n == 1 { "" } else { "s" }
                )));
            }
            let mut begun = vec![];
            for (mut member, activity) in leaving.into_iter().zip(&activities) {
                let mut why = format!("instance {} {}", member.id, ways.past);
                if decrement && member.counts() {
                    let before = group.desired;
                    group.desired -= 1;
                    why.push_str(&format!(", shrinking the capacity from {before} to {}", group.desired));
                }
                why.push('.');
                let description = format!("{}: {}", ways.description, member.id);
                let cause = at(tx.now(), &why);
                let record = changes::begin(
                    tx, cx.scope(), &mut member, activity, description, &cause, Status::InProgress, 50,
                )?;
                begun.push(record);
                member.lifecycle = ways.to;
                let id = member.id.clone();
                tx.put(cx.scope(), &id, member)?;
            }
            tx.put_if_changed(cx.scope(), name, group.clone())?;
            Ok((group, begun))
        })
        .await?;
    let arn = group.arn(cx.region(), cx.account());
    Ok(begun.iter().map(|activity| show(activity, Some(arn.clone()))).collect())
}
