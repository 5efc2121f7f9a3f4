//! Attributes of load balancers, target groups and listeners.

use super::target_groups::change;
use super::{about, listeners, load_balancers};
use crate::arns::Kind;
use crate::attributes::{LISTENER, LOAD_BALANCER, TARGET_GROUP};
use crate::errors;
use crate::records::{Listener, LoadBalancer, TargetGroup};
use kiln_elbv2_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};
use std::collections::BTreeMap;

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeLoadBalancerAttributes: describe_load_balancer(DescribeLoadBalancerAttributesRequest),
        on everything),
    operation!(ModifyLoadBalancerAttributes: modify_load_balancer(ModifyLoadBalancerAttributesRequest), on about),
    operation!(DescribeTargetGroupAttributes: describe_target_group(DescribeTargetGroupAttributesRequest),
        on everything),
    operation!(ModifyTargetGroupAttributes: modify_target_group(ModifyTargetGroupAttributesRequest), on about),
    operation!(DescribeListenerAttributes: describe_listener(DescribeListenerAttributesRequest), on everything),
    operation!(ModifyListenerAttributes: modify_listener(ModifyListenerAttributesRequest), on about),
];

type Kept = BTreeMap<String, String>;

fn of_load_balancer(kept: &Kept) -> Vec<LoadBalancerAttribute> {
    let one = |(key, value)| LoadBalancerAttribute { key: Some(key), value: Some(value) };
    LOAD_BALANCER.all(kept).into_iter().map(one).collect()
}

fn of_target_group(kept: &Kept) -> Vec<TargetGroupAttribute> {
    let one = |(key, value)| TargetGroupAttribute { key: Some(key), value: Some(value) };
    TARGET_GROUP.all(kept).into_iter().map(one).collect()
}

fn of_listener(kept: &Kept) -> Vec<ListenerAttribute> {
    let one = |(key, value)| ListenerAttribute { key: Some(key), value: Some(value) };
    LISTENER.all(kept).into_iter().map(one).collect()
}

async fn describe_load_balancer(
    cx: &Cx,
    request: DescribeLoadBalancerAttributesRequest,
) -> Result<DescribeLoadBalancerAttributesResponse, Error> {
    Kind::LoadBalancer.check(cx, &request.load_balancer_arn)?;
    let found = cx.store().get::<LoadBalancer>(cx.scope(), &request.load_balancer_arn)?;
    let found = found.ok_or_else(errors::no_load_balancer)?;
    Ok(DescribeLoadBalancerAttributesResponse { attributes: of_load_balancer(&found.attributes) })
}

async fn modify_load_balancer(
    cx: &Cx,
    request: ModifyLoadBalancerAttributesRequest,
) -> Result<ModifyLoadBalancerAttributesResponse, Error> {
    let arn = &request.load_balancer_arn;
    Kind::LoadBalancer.check(cx, arn)?;
    let changed = cx
        .store()
        .write(|tx| {
            let mut lb = load_balancers::find(tx, cx, arn)?;
            LOAD_BALANCER.set(&mut lb.attributes, request.attributes.into_iter().map(|a| (a.key, a.value)))?;
            tx.put_if_changed(cx.scope(), arn, lb.clone())?;
            Ok::<_, Error>(lb)
        })
        .await?;
    Ok(ModifyLoadBalancerAttributesResponse { attributes: of_load_balancer(&changed.attributes) })
}

async fn describe_target_group(
    cx: &Cx,
    request: DescribeTargetGroupAttributesRequest,
) -> Result<DescribeTargetGroupAttributesResponse, Error> {
    Kind::TargetGroup.check(cx, &request.target_group_arn)?;
    let found = cx.store().get::<TargetGroup>(cx.scope(), &request.target_group_arn)?;
    let found = found.ok_or_else(errors::no_target_group)?;
    Ok(DescribeTargetGroupAttributesResponse { attributes: of_target_group(&found.attributes) })
}

async fn modify_target_group(
    cx: &Cx,
    request: ModifyTargetGroupAttributesRequest,
) -> Result<ModifyTargetGroupAttributesResponse, Error> {
    Kind::TargetGroup.check(cx, &request.target_group_arn)?;
    let changed = change(cx, &request.target_group_arn, |group| {
        TARGET_GROUP.set(&mut group.attributes, request.attributes.into_iter().map(|a| (a.key, a.value)))?;
        let slow = !TARGET_GROUP.is(&group.attributes, "slow_start.duration_seconds", "0");
        match slow && !TARGET_GROUP.is(&group.attributes, "load_balancing.algorithm.type", "round_robin") {
            true => Err(errors::bad_configuration("Slow start needs the algorithm type 'round_robin'")),
            false => Ok(()),
        }
    })
    .await?;
    Ok(ModifyTargetGroupAttributesResponse { attributes: of_target_group(&changed.attributes) })
}

async fn describe_listener(
    cx: &Cx,
    request: DescribeListenerAttributesRequest,
) -> Result<DescribeListenerAttributesResponse, Error> {
    Kind::Listener.check(cx, &request.listener_arn)?;
    let found = cx.store().get::<Listener>(cx.scope(), &request.listener_arn)?.ok_or_else(errors::no_listener)?;
    Ok(DescribeListenerAttributesResponse { attributes: of_listener(&found.attributes) })
}

async fn modify_listener(
    cx: &Cx,
    request: ModifyListenerAttributesRequest,
) -> Result<ModifyListenerAttributesResponse, Error> {
    let arn = &request.listener_arn;
    Kind::Listener.check(cx, arn)?;
    let changed = cx
        .store()
        .write(|tx| {
            let (mut listener, _) = listeners::find(tx, cx, arn)?;
            LISTENER.set(&mut listener.attributes, request.attributes.into_iter().map(|a| (a.key, a.value)))?;
            tx.put_if_changed(cx.scope(), arn, listener.clone())?;
            Ok::<_, Error>(listener)
        })
        .await?;
    Ok(ModifyListenerAttributesResponse { attributes: of_listener(&changed.attributes) })
}
