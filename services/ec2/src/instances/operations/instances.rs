//! Instances: run, list, stop, start, reboot, terminate. These say what shall be; the instance
//! controller makes it so and says when it is.

use crate::defaults::ensure_defaults;
use crate::errors::{bad_token, refuse};
use crate::filters::Filters;
use crate::instances::instance_filters::{self, Look};
use crate::instances::launch;
use crate::instances::records::{Instance, InstanceState, Reason, Wanted};
use crate::instances::shown::{self as shown, Around};
use crate::instances::targets::INSTANCE;
use crate::instances::targets::launching;
use crate::interfaces::allocation::renew_public;
use crate::kinds;
use crate::lookup;
use crate::tags;
use crate::targets::things;
use crate::templates::merge::with_template;
use kiln_ec2_shapes::{
    DescribeInstancesRequest, DescribeInstancesResponse, InstanceMonitoring, InstanceStateChange,
    MonitorInstancesRequest, MonitorInstancesResponse, RebootInstancesRequest, RebootInstancesResponse, Reservation,
    RunInstancesRequest, RunInstancesResponse, StartInstancesRequest, StartInstancesResponse, StopInstancesRequest,
    StopInstancesResponse, TerminateInstancesRequest, TerminateInstancesResponse, UnmonitorInstancesRequest,
    UnmonitorInstancesResponse,
};
use kiln_ids::InstanceId;
use kiln_service_kit::{Cx, Error, Operation, Remembered, Timestamp, Tx, operation, paginate, request_hash};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeInstances: describe_instances(DescribeInstancesRequest), on everything),
    operation!(MonitorInstances: monitor_instances(MonitorInstancesRequest), on things![INSTANCE instance_ids]),
    operation!(RebootInstances: reboot_instances(RebootInstancesRequest), on things![INSTANCE instance_ids]),
    operation!(RunInstances: run_instances(RunInstancesRequest), on awaited launching),
    operation!(StartInstances: start_instances(StartInstancesRequest), on things![INSTANCE instance_ids]),
    operation!(StopInstances: stop_instances(StopInstancesRequest), on things![INSTANCE instance_ids]),
    operation!(TerminateInstances: terminate_instances(TerminateInstancesRequest), on things![INSTANCE instance_ids]),
    operation!(UnmonitorInstances: unmonitor_instances(UnmonitorInstancesRequest), on things![INSTANCE instance_ids]),
];

async fn run_instances(cx: &Cx, request: RunInstancesRequest) -> Result<RunInstancesResponse, Error> {
    ensure_defaults(cx).await?;
    let token = request.client_token.clone().filter(|token| !token.is_empty());
    let hash = request_hash(&RunInstancesRequest { client_token: None, ..request.clone() });
    if let Some(token) = &token {
        let earlier = cx.store().write(|tx| Remembered::find(tx, cx, "RunInstances", token, &hash)).await?;
        if let Some(reservation) = earlier {
            return again(cx, &reservation);
        }
    }
    // Before the template's own tags, which are reserved ones, are among them.
    for specification in &request.tag_specifications {
        tags::read(cx, &specification.tags)?;
    }
    let merged = with_template(cx, request)?;
    let launch = launch::resolve(cx, &merged).await?;
    let made = cx
        .store()
        .write(|tx| {
            // A second call with the token may have been quicker.
            if let Some(token) = &token
                && let Some(reservation) = Remembered::find(tx, cx, "RunInstances", token, &hash)?
            {
                return Ok(Err(reservation));
            }
            let made = launch::make(tx, cx, &launch)?;
            if let (Some(token), Some(first)) = (&token, made.first()) {
                Remembered::keep(tx, cx, "RunInstances", token, &hash, &first.reservation)?;
            }
            Ok::<_, Error>(Ok(made))
        })
        .await?;
    match made {
        Ok(made) => answer(cx, &made),
        Err(reservation) => again(cx, &reservation),
    }
}

/// What a repeated call is answered: what the first one made, unless that is gone.
fn again(cx: &Cx, reservation: &str) -> Result<RunInstancesResponse, Error> {
    let made = reservation_of(cx, reservation)?;
    if made.iter().all(Instance::is_terminated) {
        return Err(Error::sender(
            "IdempotentInstanceTerminated",
            "The request uses the same client token as a previous request for which the instance has been terminated.",
        ));
    }
    answer(cx, &made)
}

fn reservation_of(cx: &Cx, reservation: &str) -> Result<Vec<Instance>, Error> {
    let all = cx.store().whole().by_key::<Instance>(cx.scope(), "reservation-id", reservation)?;
    let mut found: Vec<Instance> = all.iter().map(|(_, instance)| Instance::clone(instance)).collect();
    found.sort_by_key(|instance| instance.launch_index);
    Ok(found)
}

fn answer(cx: &Cx, made: &[Instance]) -> Result<RunInstancesResponse, Error> {
    let mut instances = vec![];
    for instance in made {
        instances.push(shown::instance(cx, instance, &Around::of(cx, instance)?));
    }
    Ok(RunInstancesResponse {
        reservation_id: made.first().map(|instance| instance.reservation.to_string()),
        owner_id: Some(cx.account().to_owned()),
        requester_id: made.first().and_then(|instance| instance.requester.clone()),
        groups: vec![],
        instances,
    })
}

async fn describe_instances(cx: &Cx, request: DescribeInstancesRequest) -> Result<DescribeInstancesResponse, Error> {
    lookup::check_page("instancesSet", &request.instance_ids, request.max_results, 5..=1000)?;
    let known = if request.filters.is_empty() { vec![] } else { instance_filters::names() };
    let filters = Filters::read(&request.filters, &known)?;
    let mut chosen: Vec<(Arc<Instance>, Around)> = vec![];
    for (_, instance) in lookup::asked::<Instance>(cx, &request.instance_ids, &filters, "instance-id")? {
        let around = Around::of(cx, &instance)?;
        if filters.is_empty()
            || filters.accept(&instance.tags, |name| {
                instance_filters::values(&Look { cx, record: &instance, around: &around }, name)
            })
        {
            chosen.push((instance, around));
        }
    }
    let limit = request.max_results.map_or(usize::MAX, |n| n.max(1) as usize);
    let page = paginate(chosen, |(i, _)| i.id.as_str(), request.next_token.as_deref(), limit, bad_token)?;
    let mut reservations: Vec<Reservation> = vec![];
    let mut places: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    for (instance, around) in &page.items {
        let id = instance.reservation.to_string();
        let at = *places.entry(id.clone()).or_insert_with(|| {
            reservations.push(Reservation {
                reservation_id: Some(id),
                owner_id: Some(cx.account().to_owned()),
                requester_id: instance.requester.clone(),
                groups: vec![],
                instances: vec![],
            });
            reservations.len() - 1
        });
        reservations[at].instances.push(shown::instance(cx, instance, around));
    }
    Ok(DescribeInstancesResponse { next_token: page.next_token, reservations })
}

/// The instances of a call, each once, as the transaction sees them.
fn named(tx: &Tx, cx: &Cx, ids: &[String]) -> Result<Vec<Instance>, Error> {
    let (mut found, mut missing): (Vec<Instance>, Vec<String>) = (vec![], vec![]);
    for id in ids {
        kinds::INSTANCE.parse::<InstanceId>(id)?;
        if found.iter().any(|known| *known.id == **id) {
            continue;
        }
        match tx.get::<Instance>(cx.scope(), id)? {
            Some(instance) => found.push(Instance::clone(&instance)),
            None => missing.push(id.clone()),
        }
    }
    match missing.is_empty() {
        true => Ok(found),
        false => Err(kinds::INSTANCE.none_of(&missing)),
    }
}

fn wrong_state(instance: &Instance, can: &str) -> Error {
    Error::sender(
        "IncorrectInstanceState",
        format!("The instance '{}' is not in a state from which it can be {can}.", instance.id),
    )
}

/// `User initiated (2026-01-02 03:04:05 GMT)`
fn user_initiated(at: Timestamp) -> String {
    format!("User initiated ({} GMT)", at.iso8601().replace('T', " ").trim_end_matches('Z'))
}

async fn start_instances(cx: &Cx, request: StartInstancesRequest) -> Result<StartInstancesResponse, Error> {
    // "Reserved", and nothing more, in the API Reference.
    refuse("StartInstances", &[("AdditionalInfo", request.additional_info.is_some())])?;
    let change_one = |tx: &mut Tx, mut instance: Instance| {
        let before = instance.state;
        match before {
            InstanceState::Pending | InstanceState::Running => {}
            InstanceState::Stopped => {
                instance.wanted = Wanted::Running;
                instance.state = InstanceState::Pending;
                instance.state_since = tx.now();
                instance.launch_time = tx.now();
                instance.transition_reason = String::new();
                instance.reason = None;
                instance.impaired = None;
                instance.launch_failures = 0;
                instance.last_failure = None;
                instance.last_reason = None;
                instance.retry_at = None;
                renew_public(tx, cx.scope(), &instance.interface)?;
            }
            _ => return Err(wrong_state(&instance, "started")),
        }
        keep(tx, cx, before, instance)
    };
    let starting_instances = change_all(cx, &request.instance_ids, change_one).await?;
    Ok(StartInstancesResponse { starting_instances })
}

async fn stop_instances(cx: &Cx, request: StopInstancesRequest) -> Result<StopInstancesResponse, Error> {
    if request.hibernate == Some(true) {
        return Err(Error::not_built("ec2:StopInstances with Hibernate"));
    }
    // `Force` asks the system first and cuts the power when that takes too long, which happens here
    // in any case; asked again meanwhile, the power is cut.
    let cut = request.skip_os_shutdown == Some(true);
    let change_one = |tx: &mut Tx, mut instance: Instance| {
        let before = instance.state;
        if instance.options.disable_api_stop {
            return Err(Error::sender(
                "OperationNotPermitted",
                format!(
                    "The instance '{}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.",
                    instance.id
                ),
            ));
        }
        match before {
            // Its system was asked and still shuts down; a machine that is stopped has nothing to lose.
            InstanceState::Stopping | InstanceState::Stopped => {
                instance.skip_os_shutdown |= cut || request.force == Some(true);
            }
            InstanceState::Pending | InstanceState::Running => {
                instance.wanted = Wanted::Stopped;
                instance.skip_os_shutdown = cut;
                instance.state = InstanceState::Stopping;
                instance.state_since = tx.now();
                instance.transition_reason = user_initiated(tx.now());
                instance.reason = Some(Reason::new("Client.UserInitiatedShutdown", "User initiated shutdown"));
                instance.reboot_wanted = false;
            }
            _ => return Err(wrong_state(&instance, "stopped")),
        }
        keep(tx, cx, before, instance)
    };
    let stopping_instances = change_all(cx, &request.instance_ids, change_one).await?;
    Ok(StopInstancesResponse { stopping_instances })
}

async fn terminate_instances(cx: &Cx, request: TerminateInstancesRequest) -> Result<TerminateInstancesResponse, Error> {
    let cut = request.skip_os_shutdown == Some(true);
    let change_one = |tx: &mut Tx, mut instance: Instance| {
        let before = instance.state;
        if instance.options.disable_api_termination && before != InstanceState::Terminated {
            return Err(Error::sender(
                "OperationNotPermitted",
                format!(
                    "The instance '{}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.",
                    instance.id
                ),
            ));
        }
        if !matches!(before, InstanceState::ShuttingDown | InstanceState::Terminated) {
            instance.wanted = Wanted::Terminated;
            instance.skip_os_shutdown = cut;
            instance.state = InstanceState::ShuttingDown;
            instance.state_since = tx.now();
            instance.transition_reason = user_initiated(tx.now());
            instance.reason = Some(Reason::new("Client.UserInitiatedShutdown", "User initiated shutdown"));
            instance.reboot_wanted = false;
        } else if before == InstanceState::ShuttingDown {
            instance.skip_os_shutdown |= cut || request.force == Some(true);
        }
        keep(tx, cx, before, instance)
    };
    let terminating_instances = change_all(cx, &request.instance_ids, change_one).await?;
    Ok(TerminateInstancesResponse { terminating_instances })
}

async fn reboot_instances(cx: &Cx, request: RebootInstancesRequest) -> Result<RebootInstancesResponse, Error> {
    let change_one = |tx: &mut Tx, mut instance: Instance| {
        let before = instance.state;
        match before {
            InstanceState::Running => instance.reboot_wanted = true,
            // Booting anyway.
            InstanceState::Pending => {}
            // AWS ignores requests to reboot what is terminated.
            InstanceState::ShuttingDown | InstanceState::Terminated => {}
            _ => return Err(wrong_state(&instance, "rebooted")),
        }
        keep(tx, cx, before, instance)
    };
    change_all(cx, &request.instance_ids, change_one).await?;
    Ok(RebootInstancesResponse::default())
}

fn keep(tx: &mut Tx, cx: &Cx, before: InstanceState, instance: Instance) -> Result<InstanceStateChange, Error> {
    let change = shown::change(&instance.id, before, instance.state);
    let id = instance.id.clone();
    tx.put_if_changed(cx.scope(), &id, instance)?;
    Ok(change)
}

/// Changes all instances of a call, or none.
async fn change_all<T>(
    cx: &Cx,
    ids: &[String],
    change_one: impl Fn(&mut Tx, Instance) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    cx.store()
        .write(|tx| {
            let instances = named(tx, cx, ids)?;
            instances.into_iter().map(|instance| change_one(tx, instance)).collect::<Result<Vec<T>, Error>>()
        })
        .await
}

/// Measured each minute from now on.
async fn monitor_instances(cx: &Cx, request: MonitorInstancesRequest) -> Result<MonitorInstancesResponse, Error> {
    let instance_monitorings = monitor(cx, &request.instance_ids, true).await?;
    Ok(MonitorInstancesResponse { instance_monitorings })
}

/// Measured each five minutes from now on.
async fn unmonitor_instances(cx: &Cx, request: UnmonitorInstancesRequest) -> Result<UnmonitorInstancesResponse, Error> {
    let instance_monitorings = monitor(cx, &request.instance_ids, false).await?;
    Ok(UnmonitorInstancesResponse { instance_monitorings })
}

async fn monitor(cx: &Cx, ids: &[String], detailed: bool) -> Result<Vec<InstanceMonitoring>, Error> {
    change_all(cx, ids, |tx, mut instance| {
        let id = instance.id.clone();
        if instance.options.detailed_monitoring != detailed {
            instance.options.detailed_monitoring = detailed;
            tx.put(cx.scope(), &id, instance.clone())?;
        }
        let monitoring = Some(shown::monitoring(&instance.options));
        Ok(InstanceMonitoring { instance_id: Some(id.to_string()), monitoring })
    })
    .await
}
