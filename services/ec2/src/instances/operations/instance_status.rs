//! Status checks, from what the driver sees at the moment of the call, not from a memory of it.
//!
//! Both checks say the same here: a machine's first process lives, or it does not. There is no
//! host under it that could fail by itself.

use crate::filters::{Filters, one};
use crate::instances::records::{Instance, InstanceState};
use crate::instances::shown;
use crate::lookup;
use kiln_ec2_shapes::{
    DescribeInstanceStatusRequest, DescribeInstanceStatusResponse, InstanceStatus, InstanceStatusDetails,
    InstanceStatusSummary,
};
use kiln_machines_spec::{MachineDriver, MachineId};
use kiln_service_kit::{Cx, Error, Operation, Timestamp, operation};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] =
    &[operation!(DescribeInstanceStatus: describe_instance_status(DescribeInstanceStatusRequest), on everything)];

const FILTERS: &[&str] = &[
    "attached-ebs-status.status",
    "availability-zone",
    "availability-zone-id",
    "event.code",
    "event.description",
    "event.instance-event-id",
    "event.not-after",
    "event.not-before",
    "event.not-before-deadline",
    "instance-state-code",
    "instance-state-name",
    "instance-status.reachability",
    "instance-status.status",
    "operator.managed",
    "operator.principal",
    "system-status.reachability",
    "system-status.status",
];

async fn describe_instance_status(
    cx: &Cx,
    request: DescribeInstanceStatusRequest,
) -> Result<DescribeInstanceStatusResponse, Error> {
    lookup::check_page("instancesSet", &request.instance_ids, request.max_results, 5..=1000)?;
    let filters = Filters::read(&request.filters, FILTERS)?;
    let driver = cx.part::<Arc<dyn MachineDriver>>()?;
    let all = request.include_all_instances == Some(true);
    let mut statuses = vec![];
    for (id, instance) in lookup::selected::<Instance>(cx, &request.instance_ids)? {
        if !all && instance.state != InstanceState::Running {
            continue;
        }
        let health = health(&*driver, &instance).await?;
        let passes = filters.accept(&instance.tags, |name| match name {
            "availability-zone" => one(&instance.zone),
            "availability-zone-id" => crate::filters::maybe(crate::zones::zone_id(cx.region(), &instance.zone)),
            "instance-state-code" => one(instance.state.code()),
            "instance-state-name" => one(instance.state.name()),
            "instance-status.status" | "system-status.status" => one(health.0),
            "instance-status.reachability" | "system-status.reachability" => one(health.1),
            _ => vec![],
        });
        if passes {
            statuses.push((id, status(cx, &instance, health)));
        }
    }
    let page = lookup::page(statuses, request.next_token.as_deref(), request.max_results)?;
    Ok(DescribeInstanceStatusResponse { instance_statuses: page.items, next_token: page.next_token })
}

/// Status, reachability, and since when it is impaired.
type Health = (&'static str, &'static str, Option<Timestamp>);

async fn health(driver: &dyn MachineDriver, instance: &Instance) -> Result<Health, Error> {
    if let Some(impaired) = &instance.impaired {
        return Ok(("impaired", "failed", Some(impaired.since)));
    }
    match instance.state {
        InstanceState::Pending => return Ok(("initializing", "initializing", None)),
        InstanceState::Running => {}
        _ => return Ok(("not-applicable", "not-applicable", None)),
    }
    match driver.observe(&MachineId::new(instance.id.as_str())).await {
        Ok(machine) if machine.is_running() => Ok(("ok", "passed", None)),
        // Its image is being taken with the machine shut down for it.
        Ok(_) if instance.captured_by.is_some() => Ok(("initializing", "initializing", None)),
        Ok(_) => Ok(("impaired", "failed", None)),
        Err(error) if error.is_not_found() => Ok(("impaired", "failed", None)),
        Err(error) => Err(Error::failed(format_args!("look at {}", instance.id), error)),
    }
}

fn status(cx: &Cx, instance: &Instance, (status, reachability, since): Health) -> InstanceStatus {
    let details = match status {
        "not-applicable" => vec![],
        _ => vec![InstanceStatusDetails {
            impaired_since: since,
            name: Some("reachability".to_owned()),
            status: Some(reachability.to_owned()),
        }],
    };
    let summary = InstanceStatusSummary { details, status: Some(status.to_owned()) };
    InstanceStatus {
        availability_zone: Some(instance.zone.clone()),
        availability_zone_id: crate::zones::zone_id(cx.region(), &instance.zone),
        instance_id: Some(instance.id.to_string()),
        instance_state: Some(shown::state(instance.state)),
        instance_status: Some(summary.clone()),
        system_status: Some(summary),
        ..InstanceStatus::default()
    }
}
