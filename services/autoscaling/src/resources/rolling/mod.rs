//! Rolling updates of groups: before the group is told of the new properties it is worked out who is obsolete and
//! which sizes the group has meanwhile; afterwards the instances are replaced batch by batch (`next`), and the group
//! gets its own sizes back.
//!
//! The way back after a failure is an update like any other, so it rolls too.

mod group;
mod next;
mod policy;
mod state;

use super::asked::{find, launches_fail};
use kiln_autoscaling_shapes::*;
use kiln_service_kit::{
    CANNOT_ROLL, Cx, Error, Manner, ResourceRequest, Roll as Rolls, Rolled, Rolling as At, WrongPolicy, async_trait,
    whole,
};
use next::{Next, next};
use policy::{Rolling, UpdatePolicy};
use serde_json::{Value as Json, json};
use state::{Roll, Sizes};
use std::collections::BTreeSet;

/// By their update policies.
pub struct GroupRoll;

/// An empty policy where there is none.
fn policy_of(at: At<'_>) -> Result<UpdatePolicy, Error> {
    match at.policy {
        Some(policy) => UpdatePolicy::read(policy).map_err(|wrong| Error::sender(CANNOT_ROLL, wrong.what)),
        None => Ok(UpdatePolicy::default()),
    }
}

fn roll_of(notes: &Json) -> Result<Roll, Error> {
    serde_json::from_value(notes.clone())
        .map_err(|error| Error::internal(format!("the notes of a rolling update cannot be read: {error}")))
}

fn notes(roll: &Roll) -> Json {
    serde_json::to_value(roll).expect("it has texts, numbers and lists of them only")
}

#[async_trait]
impl Rolls for GroupRoll {
    fn check(&self, policy: &Json) -> Result<(), WrongPolicy> {
        UpdatePolicy::read(policy).map(drop)
    }

    async fn begin(&self, cx: &Cx, name: &str, request: &mut ResourceRequest, at: At<'_>) -> Result<Manner, Error> {
        let policy = policy_of(at)?;
        // The type says best that there is none.
        let Some(there) = find(cx, name).await? else { return Ok(Manner::InPlace) };
        if policy.ignore_sizes {
            ignore_sizes(request);
        }
        let left = at.notes.map(roll_of).transpose()?;
        if let Some(mine) = left.as_ref().filter(|roll| roll.phase == at.phase) {
            return Ok(Manner::InSteps { notes: notes(mine), event: None });
        }
        let wanted = group::wanted(cx, request).await?;
        let obsolete = match policy.rolling.is_some() || policy.replace {
            true => group::obsolete(cx, request, &there, &wanted).await?,
            false => BTreeSet::new(),
        };
        if policy.replace && at.forward && (!obsolete.is_empty() || group::launches_otherwise(request)) {
            return Ok(Manner::Replace);
        }
        let found = left.as_ref().map_or_else(|| group::sizes(&there), |left| left.found);
        let last = last_sizes(request, found);
        if let (Some(rolling), true) = (&policy.rolling, at.forward)
            && rolling.min_in_service >= last.max
        {
            let why = "MinInstancesInService must be less than the autoscaling group's MaxSize";
            return Err(Error::sender(CANNOT_ROLL, why));
        }
        let rolling = policy.rolling.as_ref().filter(|_| !obsolete.is_empty());
        if rolling.is_none() && left.is_none() {
            return Ok(Manner::InPlace);
        }
        let was = group::suspended(&there);
        let suspends = rolling.into_iter().flat_map(|rolling| &rolling.suspend).filter(|name| !was.contains(*name));
        let mut suspended: Vec<String> = left.as_ref().map_or_else(Vec::new, |left| left.suspended.clone());
        suspended.extend(suspends.cloned());
        let right = there.instances.iter().filter_map(|instance| instance.instance_id.clone());
        let known: BTreeSet<String> = right.filter(|id| !obsolete.contains(id)).collect();
        let (batch, floor) = steps(rolling, obsolete.len(), last.max);
        let roll = Roll {
            phase: at.phase.to_owned(),
            began: cx.now(),
            found,
            last,
            meanwhile: if rolling.is_some() { (floor + batch).max(last.desired).min(last.max) } else { last.desired },
            sized: false,
            batch,
            floor,
            wanted: wanted.remembered(),
            kept: known.len() as u64,
            known,
            obsolete,
            leaving: Default::default(),
            waiting: None,
            successes: 0,
            failures: 0,
            spent: BTreeSet::new(),
            suspended,
            closed: false,
        };
        let event = rolling.map(|rolling| initiated(&roll, rolling));
        Ok(Manner::InSteps { notes: notes(&roll), event })
    }

    async fn prepare(&self, cx: &Cx, name: &str, request: &mut ResourceRequest, notes: &Json) -> Result<(), Error> {
        let roll = roll_of(notes)?;
        if !roll.suspended.is_empty() {
            let (auto_scaling_group_name, scaling_processes) = (name.to_owned(), roll.suspended.clone());
            cx.call(SuspendProcessesRequest { auto_scaling_group_name, scaling_processes }).await?;
        }
        let min = if roll.obsolete.is_empty() { roll.last.min } else { roll.meanwhile };
        if let Json::Object(properties) = &mut request.properties {
            properties.insert("MinSize".to_owned(), json!(min));
            properties.insert("DesiredCapacity".to_owned(), json!(roll.meanwhile));
        }
        Ok(())
    }

    async fn step(&self, cx: &Cx, name: &str, at: At<'_>) -> Result<Rolled, Error> {
        let roll = at.notes.map(roll_of).transpose()?.filter(|roll| roll.phase == at.phase);
        let Some(roll) = &roll else { return Ok(Rolled::Done) };
        let policy = policy_of(at)?;
        let Some(there) = find(cx, name).await? else {
            return Ok(Rolled::Failed(format!("AutoScalingGroup {name} is gone")));
        };
        let seen = group::seen(&there, roll);
        Ok(match next(roll, policy.rolling.as_ref(), &seen, at.signals, cx.now()) {
            Next::Closed => Rolled::Done,
            Next::Wait(why) => Rolled::Later(why),
            Next::Settle(why) => match launches_fail(cx, name, roll.began).await? {
                Some(reason) => Rolled::Failed(format!("Group did not stabilize. {reason}")),
                None => Rolled::Later(why),
            },
            Next::Fail(reason) => Rolled::Failed(reason),
            Next::Note(then, event) => Rolled::Note { notes: notes(&then), event },
            Next::Terminate(instances) => {
                if instances.iter().any(|(_, goes_down)| *goes_down) {
                    // The capacity cannot go below MinSize.
                    resize(cx, name, roll.last.min, None).await?;
                }
                for (instance, goes_down) in instances {
                    terminate(cx, instance, goes_down).await?;
                }
                Rolled::Later("instances to be terminated".to_owned())
            }
            Next::Close => {
                resize(cx, name, roll.last.min, Some(roll.last.desired)).await?;
                if !roll.suspended.is_empty() {
                    let (auto_scaling_group_name, scaling_processes) = (name.to_owned(), roll.suspended.clone());
                    cx.call(ResumeProcessesRequest { auto_scaling_group_name, scaling_processes }).await?;
                }
                Rolled::Note { notes: notes(&Roll { closed: true, ..roll.clone() }), event: None }
            }
        })
    }
}

/// How many are replaced at a time, and how many serve meanwhile. A group that cannot hold both goes below the floor
/// rather than nowhere.
fn steps(rolling: Option<&Rolling>, obsolete: usize, max: i32) -> (i32, i32) {
    let Some(rolling) = rolling else { return (1, 0) };
    let most = i32::try_from(obsolete).unwrap_or(i32::MAX);
    let batch = rolling.batch.min(most).min((max - rolling.min_in_service).max(1));
    (batch, rolling.min_in_service.min(max - batch).max(0))
}

fn initiated(roll: &Roll, rolling: &Rolling) -> String {
    let (n, batch, time) = (roll.obsolete.len(), roll.batch, &rolling.pause_text);
    let keeping = match rolling.min_in_service {
        0 => String::new(),
        floor => format!(", while keeping at least {floor} instance(s) in service"),
    };
    let waiting = match (rolling.signals, rolling.pause.is_zero()) {
        (true, _) => format!(
            " Waiting on resource signals with a timeout of {time} when new instances are added to the autoscaling group."
        ),
        (false, false) => format!(" Pausing for {time} when new instances are added to the autoscaling group."),
        (false, true) => String::new(),
    };
    format!("Rolling update initiated. Terminating {n} obsolete instance(s) in batches of {batch}{keeping}.{waiting}")
}

/// Leaves sizes alone that did not change in the template.
fn ignore_sizes(request: &mut ResourceRequest) {
    let previous = &request.previous;
    if let Json::Object(properties) = &mut request.properties {
        for name in ["MinSize", "MaxSize", "DesiredCapacity"] {
            let same = |now: &Json| previous.get(name).is_some_and(|before| whole(now) == whole(before));
            if properties.get(name).is_some_and(same) {
                properties.remove(name);
            }
        }
    }
}

/// What the template says; what the group was where it says nothing.
fn last_sizes(request: &ResourceRequest, found: Sizes) -> Sizes {
    let size = |name: &str| request.properties.get(name).and_then(whole).and_then(|n| i32::try_from(n).ok());
    let (min, max) = (size("MinSize").unwrap_or(found.min), size("MaxSize").unwrap_or(found.max));
    // Auto Scaling refuses sizes that contradict each other; that is not decided here.
    let desired = size("DesiredCapacity").unwrap_or(found.desired.min(max).max(min));
    Sizes { min, max, desired }
}

async fn resize(owner: &Cx, name: &str, min: i32, desired: Option<i32>) -> Result<(), Error> {
    let request = UpdateAutoScalingGroupRequest {
        auto_scaling_group_name: name.to_owned(),
        min_size: Some(min),
        desired_capacity: desired,
        ..Default::default()
    };
    owner.call(request).await?;
    Ok(())
}

async fn terminate(owner: &Cx, instance_id: String, goes_down: bool) -> Result<(), Error> {
    let request =
        TerminateInstanceInAutoScalingGroupRequest { instance_id, should_decrement_desired_capacity: goes_down };
    match owner.call(request).await {
        Ok(_) => Ok(()),
        // On its way already, or gone: the next look tells.
        Err(error) if error.is("ScalingActivityInProgress") || error.message.contains("not found") => Ok(()),
        Err(error) => Err(error),
    }
}
