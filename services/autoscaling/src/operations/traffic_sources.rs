//! Target groups attached to a group, by both of AWS's names for it.

use super::page_size;
use super::placement::{check_target_groups, target_groups};
use crate::changes;
use crate::errors::{bad_token, group_not_found, validation};
use crate::records::{Group, TargetGroup, TargetGroupState};
use crate::targets::group;
use kiln_autoscaling_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Page, operation, paginate};

pub const OPERATIONS: &[Operation] = &[
    operation!(AttachLoadBalancerTargetGroups: attach_load_balancer_target_groups(AttachLoadBalancerTargetGroupsRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
    operation!(AttachTrafficSources: attach_traffic_sources(AttachTrafficSourcesRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
    operation!(DetachLoadBalancerTargetGroups: detach_load_balancer_target_groups(DetachLoadBalancerTargetGroupsRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
    operation!(DetachTrafficSources: detach_traffic_sources(DetachTrafficSourcesRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
    operation!(DescribeLoadBalancerTargetGroups: describe_load_balancer_target_groups(DescribeLoadBalancerTargetGroupsRequest),
        on everything),
    operation!(DescribeTrafficSources: describe_traffic_sources(DescribeTrafficSourcesRequest), on everything),
    operation!(DescribeLoadBalancers: describe_load_balancers(DescribeLoadBalancersRequest), on everything),
];

async fn attach_load_balancer_target_groups(
    cx: &Cx,
    request: AttachLoadBalancerTargetGroupsRequest,
) -> Result<AttachLoadBalancerTargetGroupsResponse, Error> {
    attach(cx, &request.auto_scaling_group_name, target_groups(&request.target_group_arns, &[])?).await?;
    Ok(AttachLoadBalancerTargetGroupsResponse {})
}

async fn attach_traffic_sources(
    cx: &Cx,
    request: AttachTrafficSourcesRequest,
) -> Result<AttachTrafficSourcesResponse, Error> {
    attach(cx, &request.auto_scaling_group_name, target_groups(&[], &request.traffic_sources)?).await?;
    Ok(AttachTrafficSourcesResponse {})
}

async fn attach(cx: &Cx, name: &str, arns: Vec<String>) -> Result<(), Error> {
    if cx.store().get::<Group>(cx.scope(), name)?.is_none() {
        return Err(group_not_found(name));
    }
    check_target_groups(cx, &arns).await?;
    cx.store()
        .write(|tx| {
            let mut group = changes::group_to_change(tx, cx.scope(), name)?;
            for arn in arns {
                match group.target_groups.iter_mut().find(|t| t.arn == arn) {
                    Some(known) if known.state == TargetGroupState::Removing => known.state = TargetGroupState::Adding,
                    Some(_) => {}
                    None => group.target_groups.push(TargetGroup { arn, state: TargetGroupState::Adding }),
                }
            }
            tx.put_if_changed(cx.scope(), name, group)?;
            Ok::<_, Error>(())
        })
        .await
}

async fn detach_load_balancer_target_groups(
    cx: &Cx,
    request: DetachLoadBalancerTargetGroupsRequest,
) -> Result<DetachLoadBalancerTargetGroupsResponse, Error> {
    detach(cx, &request.auto_scaling_group_name, target_groups(&request.target_group_arns, &[])?).await?;
    Ok(DetachLoadBalancerTargetGroupsResponse {})
}

async fn detach_traffic_sources(
    cx: &Cx,
    request: DetachTrafficSourcesRequest,
) -> Result<DetachTrafficSourcesResponse, Error> {
    detach(cx, &request.auto_scaling_group_name, target_groups(&[], &request.traffic_sources)?).await?;
    Ok(DetachTrafficSourcesResponse {})
}

async fn detach(cx: &Cx, name: &str, arns: Vec<String>) -> Result<(), Error> {
    cx.store()
        .write(|tx| {
            let mut group = changes::group_to_change(tx, cx.scope(), name)?;
            for arn in &arns {
                let Some(known) = group.target_groups.iter_mut().find(|t| t.arn == *arn) else {
                    return Err(validation(format!(
                        "Trying to remove Target Groups that are not part of the group: {arn}"
                    )));
                };
                known.state = TargetGroupState::Removing;
            }
            tx.put_if_changed(cx.scope(), name, group)?;
            Ok(())
        })
        .await
}

/// A page of a group's target groups, ordered by ARN.
fn page(cx: &Cx, name: &str, token: Option<&str>, limit: Option<i32>) -> Result<Page<TargetGroup>, Error> {
    let group = cx.store().get::<Group>(cx.scope(), name)?.ok_or_else(|| group_not_found(name))?;
    let mut attached = group.target_groups.clone();
    attached.sort_by(|a, b| a.arn.cmp(&b.arn));
    paginate(attached, |t| &t.arn, token, page_size(limit, 100, 100)?, bad_token)
}

async fn describe_load_balancer_target_groups(
    cx: &Cx,
    request: DescribeLoadBalancerTargetGroupsRequest,
) -> Result<DescribeLoadBalancerTargetGroupsResponse, Error> {
    let page = page(cx, &request.auto_scaling_group_name, request.next_token.as_deref(), request.max_records)?;
    let shown = page.items.into_iter().map(|t| LoadBalancerTargetGroupState {
        load_balancer_target_group_arn: Some(t.arn),
        state: Some(t.state.name().to_owned()),
    });
    Ok(DescribeLoadBalancerTargetGroupsResponse {
        load_balancer_target_groups: shown.collect(),
        next_token: page.next_token,
    })
}

async fn describe_traffic_sources(
    cx: &Cx,
    request: DescribeTrafficSourcesRequest,
) -> Result<DescribeTrafficSourcesResponse, Error> {
    let mut page = page(cx, &request.auto_scaling_group_name, request.next_token.as_deref(), request.max_records)?;
    match request.traffic_source_type.as_deref() {
        None | Some("elbv2") => {}
        // Kiln attaches none of these, so there are none.
        Some("elb" | "vpc-lattice") => page = Page { items: vec![], next_token: None },
        Some(other) => return Err(validation(format!("Invalid traffic source type: {other}"))),
    }
    let shown = page.items.into_iter().map(|t| TrafficSourceState {
        traffic_source: Some(t.arn.clone()),
        identifier: Some(t.arn),
        state: Some(t.state.name().to_owned()),
        r#type: Some("elbv2".to_owned()),
    });
    Ok(DescribeTrafficSourcesResponse { traffic_sources: shown.collect(), next_token: page.next_token })
}

/// Classic Load Balancers: none can be attached.
async fn describe_load_balancers(
    cx: &Cx,
    request: DescribeLoadBalancersRequest,
) -> Result<DescribeLoadBalancersResponse, Error> {
    let name = &request.auto_scaling_group_name;
    if cx.store().get::<Group>(cx.scope(), name)?.is_none() {
        return Err(group_not_found(name));
    }
    Ok(DescribeLoadBalancersResponse::default())
}
