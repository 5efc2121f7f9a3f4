//! Targets: registered, deregistered, and how they are. Source: the API Reference's
//! RegisterTargets, DeregisterTargets and DescribeTargetHealth.

use super::about;
use super::target_groups::{change, port_number, users};
use crate::arns::Kind;
use crate::data_plane::DataPlane;
use crate::network;
use crate::records::{Target, TargetGroup, TargetType};
use crate::{errors, health, target_addresses};
use kiln_elbv2_shapes::{
    DeregisterTargetsRequest, DeregisterTargetsResponse, DescribeTargetHealthRequest, DescribeTargetHealthResponse,
    RegisterTargetsRequest, RegisterTargetsResponse, TargetDescription, TargetHealth, TargetHealthDescription,
};
use kiln_service_kit::{Cx, Error, Operation, operation};
use std::net::IpAddr;
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(RegisterTargets: register_targets(RegisterTargetsRequest), on about),
    operation!(DeregisterTargets: deregister_targets(DeregisterTargetsRequest), on about),
    operation!(DescribeTargetHealth: describe_target_health(DescribeTargetHealthRequest), on everything),
];

/// Targets of one target group.
pub const MOST: usize = 1000;

fn current(cx: &Cx, arn: &str) -> Result<Arc<TargetGroup>, Error> {
    Kind::TargetGroup.check(cx, arn)?;
    cx.store().get::<TargetGroup>(cx.scope(), arn)?.ok_or_else(errors::no_target_group)
}

async fn register_targets(cx: &Cx, request: RegisterTargetsRequest) -> Result<RegisterTargetsResponse, Error> {
    let group = current(cx, &request.target_group_arn)?;
    if request.targets.is_empty() {
        return Err(errors::invalid("You must specify at least one target"));
    }
    if request.targets.iter().any(|t| t.quic_server_id.is_some()) {
        return Err(Error::not_built("elasticloadbalancing:RegisterTargets with QuicServerId"));
    }
    let found = match group.target_type {
        TargetType::Instance => instances(cx, &group, &request.targets).await?,
        TargetType::Ip => addresses(cx, &group, &request.targets).await?,
    };
    change(cx, &request.target_group_arn, |group| {
        for target in found {
            match group.targets.iter_mut().find(|t| t.id == target.id && t.port == target.port) {
                // Registered again while it was leaving: it stays.
                Some(known) => *known = target,
                None => group.targets.push(target),
            }
        }
        if group.targets.len() > MOST {
            return Err(Error::sender("TooManyTargets", format!("A target group can have at most {MOST} targets")));
        }
        Ok(())
    })
    .await?;
    Ok(RegisterTargetsResponse {})
}

fn port(group: &TargetGroup, target: &TargetDescription) -> Result<u16, Error> {
    target.port.map_or(Ok(group.port), port_number)
}

async fn instances(cx: &Cx, group: &TargetGroup, targets: &[TargetDescription]) -> Result<Vec<Target>, Error> {
    let ids: Vec<String> = targets.iter().map(|t| t.id.clone()).collect();
    if let Some(bad) = ids.iter().find(|id| !id.starts_with("i-")) {
        return Err(errors::invalid(format!("Instance ID '{bad}' is not valid")));
    }
    if targets.iter().any(|t| t.availability_zone.is_some()) {
        return Err(errors::invalid("You cannot specify an Availability Zone for targets of type 'instance'"));
    }
    let found = network::instances(cx, &ids).await?;
    let quoted = |ids: Vec<&String>| ids.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", ");
    let idle: Vec<&String> = ids.iter().filter(|id| found.get(*id).is_none_or(|i| i.state != "running")).collect();
    if !idle.is_empty() {
        return Err(errors::bad_target(format!(
            "The following targets are not in a running state and cannot be registered: {}",
            quoted(idle)
        )));
    }
    let foreign: Vec<&String> =
        ids.iter().filter(|id| found.get(*id).is_none_or(|i| i.vpc.as_ref() != Some(&group.vpc))).collect();
    if !foreign.is_empty() {
        let text =
            format!("The following targets are not in the target group VPC '{}': {}", group.vpc, quoted(foreign));
        return Err(errors::bad_target(text));
    }
    targets
        .iter()
        .map(|target| {
            let seen = found.get(&target.id);
            let no_address = || errors::bad_target(format!("The target '{}' has no private IP address", target.id));
            Ok(Target {
                id: target.id.clone(),
                port: port(group, target)?,
                ip: seen.and_then(|i| i.ip).ok_or_else(no_address)?,
                zone: seen.map(|i| i.zone.clone()).unwrap_or_default(),
                draining: false,
            })
        })
        .collect()
}

async fn addresses(cx: &Cx, group: &TargetGroup, targets: &[TargetDescription]) -> Result<Vec<Target>, Error> {
    let subnets = network::subnets_of(cx, &group.vpc).await?;
    targets
        .iter()
        .map(|target| {
            let (ip, zone) = target_addresses::placed(&subnets, target)?;
            Ok(Target { id: target.id.clone(), port: port(group, target)?, ip: IpAddr::V4(ip), zone, draining: false })
        })
        .collect()
}

/// Without a port, the registration on the group's own port is meant. Targets that are not
/// registered are passed over, as AWS does.
async fn deregister_targets(cx: &Cx, request: DeregisterTargetsRequest) -> Result<DeregisterTargetsResponse, Error> {
    let group = current(cx, &request.target_group_arn)?;
    if request.targets.is_empty() {
        return Err(errors::invalid("You must specify at least one target"));
    }
    let leaving: Vec<(&str, u16)> = request
        .targets
        .iter()
        .map(|target| Ok((target.id.as_str(), port(&group, target)?)))
        .collect::<Result<_, Error>>()?;
    change(cx, &request.target_group_arn, |group| {
        for target in &mut group.targets {
            if leaving.contains(&(target.id.as_str(), target.port)) {
                // It stays in the record, and in the answers, until its requests are finished.
                target.draining = true;
            }
        }
        Ok(())
    })
    .await?;
    Ok(DeregisterTargetsResponse {})
}

async fn describe_target_health(
    cx: &Cx,
    request: DescribeTargetHealthRequest,
) -> Result<DescribeTargetHealthResponse, Error> {
    let group = current(cx, &request.target_group_arn)?;
    // Both of its values ask for what the detection of anomalies found: nothing here looks for any.
    if !request.include.is_empty() {
        return Err(Error::not_built("DescribeTargetHealth with Include (detection of anomalies)"));
    }
    let plane: Arc<DataPlane> = cx.part()?;
    let used = !users(cx.store(), cx.scope(), &group.arn)?.is_empty();
    let live = health::live(plane.balancer().health(&group.arn), used);
    let describe = |target: &Target| shape(target, &group, health::of(target, live.as_deref()));
    let mut shown = vec![];
    if request.targets.is_empty() {
        shown.extend(group.targets.iter().map(describe));
    }
    for asked in &request.targets {
        let port = port(&group, asked)?;
        match group.targets.iter().find(|t| t.id == asked.id && t.port == port) {
            Some(target) => shown.push(describe(target)),
            None => shown.push(TargetHealthDescription {
                target: Some(TargetDescription {
                    id: asked.id.clone(),
                    port: Some(port.into()),
                    availability_zone: asked.availability_zone.clone(),
                    quic_server_id: None,
                }),
                health_check_port: Some(group.check.port.unwrap_or(port).to_string()),
                target_health: Some(health_shape(health::Health::not_registered())),
                ..Default::default()
            }),
        }
    }
    Ok(DescribeTargetHealthResponse { target_health_descriptions: shown })
}

fn shape(target: &Target, group: &TargetGroup, health: health::Health) -> TargetHealthDescription {
    let zone = if target.zone.is_empty() { "all" } else { &target.zone };
    TargetHealthDescription {
        target: Some(TargetDescription {
            id: target.id.clone(),
            port: Some(target.port.into()),
            // AWS tells the zone of addresses only; an instance has its own.
            availability_zone: (group.target_type == TargetType::Ip).then(|| zone.to_owned()),
            quic_server_id: None,
        }),
        health_check_port: Some(group.check.port.unwrap_or(target.port).to_string()),
        target_health: Some(health_shape(health)),
        ..Default::default()
    }
}

fn health_shape(health: health::Health) -> TargetHealth {
    TargetHealth {
        state: Some(health.state.to_owned()),
        reason: health.reason.map(str::to_owned),
        description: health.description,
    }
}
