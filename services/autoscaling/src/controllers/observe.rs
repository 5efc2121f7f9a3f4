//! Reads all that a plan needs: own records, then EC2 and Elastic Load Balancing by their public
//! operations.

use super::plan::{Machine, Seen};
use crate::records::{Group, Member};
use kiln_ec2_shapes::{DescribeInstancesRequest, Filter};
use kiln_elbv2_shapes::DescribeTargetHealthRequest;
use kiln_service_kit::{Cx, Error, Name};
use std::collections::{BTreeMap, BTreeSet};

/// Values that one filter takes. Source: "DescribeInstances", filters have at most 200 values.
const FILTER_VALUES: usize = 200;

pub async fn observe(cx: &Cx, name: &Name) -> Result<Option<Seen>, Error> {
    let Some(group) = cx.store().get::<Group>(&name.scope, &name.id)? else { return Ok(None) };
    // A group that misses one of its instances would launch another.
    let members = cx.store().whole().by_key::<Member>(&name.scope, "group", &name.id)?;
    let members: Vec<Member> = members.into_iter().map(|(_, member)| member.as_ref().clone()).collect();
    let instances = instances(cx, &members).await?;
    let targets = targets(cx, &group, &members).await?;
    Ok(Some(Seen { group: group.as_ref().clone(), members, instances, targets }))
}

async fn instances(cx: &Cx, members: &[Member]) -> Result<BTreeMap<String, Machine>, Error> {
    let mut found = BTreeMap::new();
    for some in members.chunks(FILTER_VALUES) {
        let mut next_token = None;
        loop {
            let ids = some.iter().map(|m| m.id.clone()).collect();
            // A filter and not InstanceIds: instances that EC2 has forgotten are no error.
            let filter = Filter { name: Some("instance-id".to_owned()), values: ids };
            let request = DescribeInstancesRequest { filters: vec![filter], next_token, ..Default::default() };
            let answer = cx.call(request).await?;
            for instance in answer.reservations.into_iter().flat_map(|r| r.instances) {
                let (Some(id), Some(state)) = (instance.instance_id, instance.state.and_then(|s| s.name)) else {
                    return Err(Error::internal("EC2 described an instance without id or state"));
                };
                let reason = instance.state_reason.and_then(|r| r.message);
                found.insert(id, Machine { state, reason });
            }
            match answer.next_token {
                Some(token) => next_token = Some(token),
                None => break,
            }
        }
    }
    Ok(found)
}

async fn targets(cx: &Cx, group: &Group, members: &[Member]) -> Result<BTreeMap<(String, String), String>, Error> {
    let mut found = BTreeMap::new();
    if members.is_empty() {
        return Ok(found);
    }
    let attached = group.target_groups.iter().map(|t| &t.arn);
    let used = members.iter().flat_map(|m| m.registered.iter().chain(&m.draining));
    let arns: BTreeSet<&String> = attached.chain(used).collect();
    for arn in arns {
        let request = DescribeTargetHealthRequest { target_group_arn: arn.clone(), ..Default::default() };
        let answer = match cx.call(request).await {
            Ok(answer) => answer,
            // Deleted behind the group's back: nothing is registered there any more.
            Err(error) if error.is("TargetGroupNotFound") => continue,
            Err(error) => return Err(error),
        };
        for target in answer.target_health_descriptions {
            if let (Some(target), Some(state)) = (target.target, target.target_health.and_then(|h| h.state)) {
                found.insert((arn.clone(), target.id), state);
            }
        }
    }
    Ok(found)
}
