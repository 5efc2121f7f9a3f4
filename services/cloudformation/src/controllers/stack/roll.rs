//! Rolling updates of Auto Scaling groups: before the group's type is told of the new properties it is
//! worked out who is obsolete and which sizes the group has meanwhile; afterwards the instances are
//! replaced batch by batch (`next`), and the group gets its own sizes back.
//!
//! All this is CloudFormation's doing, by Auto Scaling's public operations; the group's resource type
//! knows nothing of it. The way back after a failure is an update like any other, so it rolls too.

mod group;
mod next;

use super::Act;
use crate::records::{Resource, Roll, Sizes, Stack, Status, Work};
use crate::signals::whole;
use crate::update_policy::{GROUP, Rolling, UpdatePolicy};
use kiln_autoscaling_shapes::*;
use kiln_service_kit::{Cx, Error, ResourceRequest};
use next::{Next, next};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// So many launches may fail in a row before the update is given up.
const FAILURES_IN_A_ROW: usize = 3;

/// An update policy that cannot be followed; the error's message is the whole reason.
pub(super) const CANNOT_ROLL: &str = "CannotRoll";

/// What a group's update is to be.
pub(super) enum Manner {
    /// The type is told the request, which may have been changed.
    InPlace,
    /// A new group takes its place.
    Replace,
}

/// The update policy of the work in hand; an empty one for other types.
fn policy_of(work: &Work) -> Result<UpdatePolicy, Error> {
    match &work.target.update_policy {
        Some(policy) if work.target.resource_type == GROUP => {
            UpdatePolicy::read(policy).map_err(|wrong| Error::sender(CANNOT_ROLL, wrong.what))
        }
        _ => Ok(UpdatePolicy::default()),
    }
}

impl Act<'_> {
    /// Applies the update policy to an update that is about to be made. May run again after a crash: what was
    /// decided first stays.
    pub(super) async fn apply_policy(
        &self,
        stack: &Stack,
        resource: &Resource,
        work: &Work,
        request: &mut ResourceRequest,
    ) -> Result<Manner, Error> {
        if work.target.resource_type != GROUP {
            return Ok(Manner::InPlace);
        }
        let policy = policy_of(work)?;
        let Some(name) = &work.target.physical_id else { return Ok(Manner::InPlace) };
        let owner = self.as_owner(stack);
        // The type says best that there is none.
        let Some(there) = group::find(&owner, name).await? else { return Ok(Manner::InPlace) };
        if policy.ignore_sizes {
            ignore_sizes(request);
        }
        let mine = resource.roll.clone().filter(|roll| roll.phase == work.phase);
        let roll = match mine {
            Some(roll) => roll,
            None => {
                let wanted = group::wanted(&owner, request).await?;
                let obsolete = match policy.rolling.is_some() || policy.replace {
                    true => group::obsolete(&owner, request, &there, &wanted).await?,
                    false => BTreeSet::new(),
                };
                let forward = stack.status == Status::UpdateInProgress;
                if policy.replace && forward && (!obsolete.is_empty() || group::launches_otherwise(request)) {
                    return Ok(Manner::Replace);
                }
                let left = resource.roll.as_ref();
                let found = left.map_or_else(|| group::sizes(&there), |left| left.found);
                let last = last_sizes(request, found);
                if let (Some(rolling), true) = (&policy.rolling, forward)
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
                let suspends =
                    rolling.into_iter().flat_map(|rolling| &rolling.suspend).filter(|name| !was.contains(*name));
                let mut suspended: Vec<String> = left.map_or_else(Vec::new, |left| left.suspended.clone());
                suspended.extend(suspends.cloned());
                let right = there.instances.iter().filter_map(|instance| instance.instance_id.clone());
                let known: BTreeSet<String> = right.filter(|id| !obsolete.contains(id)).collect();
                let (batch, floor) = steps(rolling, obsolete.len(), last.max);
                let roll = Roll {
                    phase: work.phase.clone(),
                    began: self.cx.now(),
                    found,
                    last,
                    meanwhile: if rolling.is_some() {
                        (floor + batch).max(last.desired).min(last.max)
                    } else {
                        last.desired
                    },
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
                if !self.note(&resource.logical_id, work, resource.roll.as_ref(), roll.clone(), event).await? {
                    return Err(Error::internal("the group's record has changed meanwhile"));
                }
                roll
            }
        };
        if !roll.suspended.is_empty() {
            let auto_scaling_group_name = name.clone();
            let scaling_processes = roll.suspended.clone();
            owner.call(SuspendProcessesRequest { auto_scaling_group_name, scaling_processes }).await?;
        }
        let min = if roll.obsolete.is_empty() { roll.last.min } else { roll.meanwhile };
        if let Json::Object(properties) = &mut request.properties {
            properties.insert("MinSize".to_owned(), json!(min));
            properties.insert("DesiredCapacity".to_owned(), json!(roll.meanwhile));
        }
        Ok(Manner::InPlace)
    }

    /// One step of the rolling update in hand; whether there is nothing more to do.
    pub(super) async fn roll(&self, stack: &Stack, resource: &Resource, work: &Work) -> Result<bool, Error> {
        let id = &resource.logical_id;
        let Some(roll) = resource.roll.as_ref().filter(|roll| roll.phase == work.phase) else { return Ok(true) };
        let (policy, owner) = (policy_of(work)?, self.as_owner(stack));
        let Some(name) = &work.target.physical_id else { return Ok(true) };
        let Some(there) = group::find(&owner, name).await? else {
            self.fail(id, &work.phase, format!("AutoScalingGroup {name} is gone")).await?;
            return Ok(false);
        };
        let seen = group::seen(&there, roll);
        match next(roll, policy.rolling.as_ref(), &seen, &resource.signals, self.cx.now()) {
            Next::Closed => return Ok(true),
            Next::Wait(why) => self.later(id, why),
            Next::Settle(why) => match launches_fail(&owner, name, roll).await? {
                Some(reason) => self.fail(id, &work.phase, format!("Group did not stabilize. {reason}")).await?,
                None => self.later(id, why),
            },
            Next::Fail(reason) => self.fail(id, &work.phase, reason).await?,
            Next::Note(then, event) => {
                self.note(id, work, Some(roll), *then, event).await?;
            }
            Next::Terminate(instances) => {
                if instances.iter().any(|(_, goes_down)| *goes_down) {
                    // The capacity cannot go below MinSize.
                    resize(&owner, name, roll.last.min, None).await?;
                }
                for (instance, goes_down) in instances {
                    terminate(&owner, instance, goes_down).await?;
                }
                self.later(id, "instances to be terminated".to_owned());
            }
            Next::Close => {
                resize(&owner, name, roll.last.min, Some(roll.last.desired)).await?;
                if !roll.suspended.is_empty() {
                    let auto_scaling_group_name = name.clone();
                    let scaling_processes = roll.suspended.clone();
                    owner.call(ResumeProcessesRequest { auto_scaling_group_name, scaling_processes }).await?;
                }
                self.note(id, work, Some(roll), Roll { closed: true, ..roll.clone() }, None).await?;
            }
        }
        Ok(false)
    }

    /// Writes how far it has come, if it still stands where it was seen; with the event that tells it.
    async fn note(
        &self,
        id: &str,
        work: &Work,
        seen: Option<&Roll>,
        then: Roll,
        event: Option<String>,
    ) -> Result<bool, Error> {
        self.controller.memory.came_on(&self.name.id, id);
        self.write(id, event.is_some(), |stack, resource| {
            let mine =
                resource.work.as_ref().is_some_and(|now| now.phase == work.phase && now.progress == work.progress);
            if stack.phase() != work.phase || !mine || resource.roll.as_ref() != seen {
                return false;
            }
            resource.roll = Some(then);
            if event.is_some() {
                resource.reason = event;
            }
            true
        })
        .await
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

/// Why the group's launches fail again and again since it began, if they do.
async fn launches_fail(owner: &Cx, name: &str, roll: &Roll) -> Result<Option<String>, Error> {
    let request = DescribeScalingActivitiesRequest {
        auto_scaling_group_name: Some(name.to_owned()),
        max_records: Some(50),
        ..Default::default()
    };
    let launches = owner.call(request).await?.activities.into_iter().filter(|activity| {
        let launch = activity.description.as_deref().is_some_and(|text| text.starts_with("Launching"));
        launch && activity.end_time.is_some() && activity.start_time.is_some_and(|start| start >= roll.began)
    });
    let failed: Vec<Activity> = launches.take_while(|a| a.status_code.as_deref() != Some("Successful")).collect();
    let reason = failed.first().and_then(|activity| activity.status_message.clone());
    Ok(reason.filter(|_| failed.len() >= FAILURES_IN_A_ROW))
}
