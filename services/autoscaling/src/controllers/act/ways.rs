//! The steps of an instance's life after its launch.

use crate::changes;
use crate::records::{Action, Activity, Group, Health, Lifecycle, Member, Status, Transition, Unhealthy, Verdict};
use crate::told;
use kiln_ec2_shapes::{CreateTagsRequest, DeleteTagsRequest, Tag, TerminateInstancesRequest};
use kiln_elbv2_shapes::{DeregisterTargetsRequest, RegisterTargetsRequest, TargetDescription};
use kiln_service_kit::{Cx, Error, Tx};
use std::time::Duration;

/// Tells instances of groups apart.
pub const GROUP_TAG: &str = "aws:autoscaling:groupName";

/// Changes an instance's record; `change` says whether there was something to change. An instance
/// that is gone is left alone.
async fn change(
    cx: &Cx,
    id: &str,
    change: impl FnOnce(&mut Tx, &mut Member) -> Result<bool, Error>,
) -> Result<(), Error> {
    cx.store()
        .write(|tx| {
            let Some(member) = tx.get::<Member>(cx.scope(), id)? else { return Ok(()) };
            let mut member = member.as_ref().clone();
            if change(tx, &mut member)? {
                tx.put(cx.scope(), id, member)?;
            }
            Ok(())
        })
        .await
}

/// Ends the activity under way.
fn finish_activity(
    tx: &mut Tx,
    cx: &Cx,
    member: &mut Member,
    status: Status,
    message: Option<String>,
) -> Result<(), Error> {
    let Some(id) = member.activity.take() else { return Ok(()) };
    if let Some(activity) = tx.get::<Activity>(cx.scope(), &id)? {
        let mut activity = activity.as_ref().clone();
        if let Some(message) = &message {
            activity.description = format!("{}.  Status Reason: {message}", activity.description);
        }
        activity.finish(status, message, tx.now());
        activity.keep(tx, cx)?;
    }
    changes::note_scaling(tx, cx.scope(), &member.group)
}

/// Shows how far the activity under way is.
fn progress(tx: &mut Tx, cx: &Cx, member: &Member, status: Status, percent: i32) -> Result<(), Error> {
    let Some(id) = &member.activity else { return Ok(()) };
    if let Some(activity) = tx.get::<Activity>(cx.scope(), id)? {
        let activity = Activity { status, progress: percent, ..activity.as_ref().clone() };
        tx.put_if_changed(cx.scope(), id, activity)?;
    }
    Ok(())
}

pub async fn fail_launch(cx: &Cx, id: &str, message: &str, cause: &str) -> Result<(), Error> {
    let activity = cx.ids().uuid();
    change(cx, id, |tx, member| {
        if !member.is_pending() {
            return Ok(false);
        }
        abandon(tx, cx, member, Status::Cancelled, message)?;
        changes::begin_termination(tx, cx.scope(), member, Some(Unhealthy::Ec2), &activity, cause)?;
        Ok(true)
    })
    .await
}

/// Ends the launch of a member as failed and puts the next one off.
fn abandon(tx: &mut Tx, cx: &Cx, member: &mut Member, status: Status, message: &str) -> Result<(), Error> {
    finish_activity(tx, cx, member, status, Some(message.to_owned()))?;
    if let Some(group) = tx.get::<Group>(cx.scope(), &member.group)? {
        let mut group = group.as_ref().clone();
        match status {
            Status::Cancelled => group.failed_in(&member.zone, member.launched, member.rebalance, tx.now()),
            // It was up and its hook gave it up: no zone's fault.
            _ => group.put_off(member.launched, tx.now()),
        }
        tx.put(cx.scope(), &member.group, group)?;
    }
    Ok(())
}

pub async fn start_hook(cx: &Cx, id: &str, hook: &str) -> Result<(), Error> {
    let token = cx.ids().uuid();
    change(cx, id, |tx, member| {
        let (wait, transition) = match member.lifecycle {
            Lifecycle::Pending | Lifecycle::PendingProceed => (Lifecycle::PendingWait, Transition::Launching),
            Lifecycle::Terminating | Lifecycle::TerminatingProceed => {
                (Lifecycle::TerminatingWait, Transition::Terminating)
            }
            _ => return Ok(false),
        };
        let Some(group) = tx.get::<Group>(cx.scope(), &member.group)? else { return Ok(false) };
        let Some(hook) = group.hooks.iter().find(|h| h.name == hook && h.transition == transition) else {
            return Ok(false);
        };
        if member.hooks_done.contains(&hook.name) {
            return Ok(false);
        }
        let seconds = |n: i32| Duration::from_secs(u64::try_from(n).unwrap_or(0));
        let action = Action {
            hook: hook.name.clone(),
            token,
            deadline: tx.now() + seconds(hook.heartbeat_timeout),
            last_deadline: tx.now() + seconds(hook.global_timeout()),
            heartbeat_timeout: hook.heartbeat_timeout,
            default_result: hook.default_result,
            verdict: None,
        };
        told::waits(tx, cx, &group, member, hook, &action)?;
        member.action = Some(action);
        member.lifecycle = wait;
        progress(tx, cx, member, Status::MidLifecycleAction, 60)?;
        Ok(true)
    })
    .await
}

pub async fn end_hook(cx: &Cx, id: &str, hook: &str) -> Result<(), Error> {
    let activity = cx.ids().uuid();
    change(cx, id, |tx, member| {
        let launching = match member.lifecycle {
            Lifecycle::PendingWait => true,
            Lifecycle::TerminatingWait => false,
            _ => return Ok(false),
        };
        let action = match member.action.take() {
            Some(action) if action.hook == hook => action,
            Some(_) => return Ok(false),
            None => {
                member.lifecycle = proceed(launching);
                return Ok(true);
            }
        };
        if action.verdict.is_none() && action.deadline > tx.now() {
            return Ok(false);
        }
        member.hooks_done.push(action.hook.clone());
        let verdict = action.verdict.unwrap_or(action.default_result);
        if verdict == Verdict::Abandon && launching {
            let why = match action.verdict {
                Some(_) => "Lifecycle Action Completed with ABANDON Result",
                None => "Heartbeat Timeout",
            };
            let message = format!(
                "Instance failed to complete user's Lifecycle Action: Lifecycle Action with token {} was abandoned: {why}",
                action.token
            );
            abandon(tx, cx, member, Status::Failed, &message)?;
            let cause = crate::controllers::cause::launch_failed(tx.now());
            changes::begin_termination(tx, cx.scope(), member, None, &activity, &cause)?;
            return Ok(true);
        }
        if verdict == Verdict::Abandon {
            // No further hook of the termination is waited for.
            if let Some(group) = tx.get::<Group>(cx.scope(), &member.group)? {
                let rest = group.hooks.iter().filter(|h| h.transition == Transition::Terminating);
                member.hooks_done = rest.map(|h| h.name.clone()).collect();
            }
        }
        member.lifecycle = proceed(launching);
        let status = if launching { Status::PreInService } else { Status::InProgress };
        progress(tx, cx, member, status, 75)?;
        Ok(true)
    })
    .await
}

fn proceed(launching: bool) -> Lifecycle {
    if launching { Lifecycle::PendingProceed } else { Lifecycle::TerminatingProceed }
}

pub async fn enter_service(cx: &Cx, id: &str, register: &[String], leave_out: &[String]) -> Result<(), Error> {
    let Some(member) = cx.store().get::<Member>(cx.scope(), id)?.filter(|m| m.is_pending()) else { return Ok(()) };
    if member.template.is_none() && member.configuration.is_none() {
        // It was attached, not launched here: only now does it get the tag of a group's instances.
        let tag = Tag { key: Some(GROUP_TAG.to_owned()), value: Some(member.group.clone()) };
        let request = CreateTagsRequest { resources: vec![id.to_owned()], tags: vec![tag], ..Default::default() };
        cx.call(request).await?;
    }
    for arn in register {
        call_register(cx, arn, id).await?;
    }
    change(cx, id, |tx, member| {
        if !member.is_pending() {
            return Ok(false);
        }
        member.lifecycle = Lifecycle::InService;
        member.in_service = Some(tx.now());
        member.rebalance = false;
        member.hooks_done.clear();
        member.registered = register.to_vec();
        member.left_out = leave_out.to_vec();
        if let Some(group) = tx.get::<Group>(cx.scope(), &member.group)? {
            let mut group = group.as_ref().clone();
            group.launch_failures = 0;
            group.launch_not_before = None;
            group.launch_failed = None;
            group.troubles.remove(&member.zone);
            tx.put_if_changed(cx.scope(), &member.group, group)?;
        }
        finish_activity(tx, cx, member, Status::Successful, None)?;
        Ok(true)
    })
    .await
}

async fn call_register(cx: &Cx, arn: &str, id: &str) -> Result<(), Error> {
    let targets = vec![TargetDescription { id: id.to_owned(), ..Default::default() }];
    cx.call(RegisterTargetsRequest { target_group_arn: arn.to_owned(), targets }).await?;
    Ok(())
}

pub async fn register(cx: &Cx, id: &str, target_groups: &[String]) -> Result<(), Error> {
    for arn in target_groups {
        call_register(cx, arn, id).await?;
    }
    change(cx, id, |_, member| {
        for arn in target_groups {
            if !member.registered.contains(arn) {
                member.registered.push(arn.clone());
            }
            member.draining.retain(|d| d != arn);
        }
        Ok(true)
    })
    .await
}

pub async fn deregister(cx: &Cx, id: &str, target_groups: &[String]) -> Result<(), Error> {
    for arn in target_groups {
        let targets = vec![TargetDescription { id: id.to_owned(), ..Default::default() }];
        match cx.call(DeregisterTargetsRequest { target_group_arn: arn.clone(), targets }).await {
            Ok(_) => {}
            // Already where it shall be.
            Err(error) if error.is("TargetGroupNotFound") || error.is("InvalidTarget") => {}
            Err(error) => return Err(error),
        }
    }
    change(cx, id, |tx, member| {
        for arn in target_groups {
            if member.registered.contains(arn) {
                member.registered.retain(|r| r != arn);
                member.draining.push(arn.clone());
            }
        }
        if member.is_terminating() {
            progress(tx, cx, member, Status::WaitingForElbConnectionDraining, 50)?;
        }
        Ok(true)
    })
    .await
}

pub async fn drained(cx: &Cx, id: &str, target_groups: &[String]) -> Result<(), Error> {
    change(cx, id, |tx, member| {
        member.draining.retain(|arn| !target_groups.contains(arn));
        if member.is_terminating() && member.draining.is_empty() {
            progress(tx, cx, member, Status::InProgress, 55)?;
        }
        Ok(true)
    })
    .await
}

pub async fn mark_unhealthy(cx: &Cx, id: &str, why: Unhealthy) -> Result<(), Error> {
    change(cx, id, |_, member| {
        if member.lifecycle != Lifecycle::InService || member.health == Health::Unhealthy {
            return Ok(false);
        }
        member.health = Health::Unhealthy;
        member.unhealthy = Some(why);
        Ok(true)
    })
    .await
}

pub async fn begin_termination(cx: &Cx, id: &str, why: Option<Unhealthy>, cause: &str) -> Result<(), Error> {
    let activity = cx.ids().uuid();
    change(cx, id, |tx, member| {
        if member.is_terminating() {
            return Ok(false);
        }
        if member.is_pending() {
            let message = "The Auto Scaling group was deleted.".to_owned();
            finish_activity(tx, cx, member, Status::Cancelled, Some(message))?;
        }
        if why.is_some()
            && let Some(group) = tx.get::<Group>(cx.scope(), &member.group)?
        {
            let group = Group { to_replace: group.to_replace + 1, ..group.as_ref().clone() };
            tx.put(cx.scope(), &member.group, group)?;
        }
        changes::begin_termination(tx, cx.scope(), member, why, &activity, cause)?;
        Ok(true)
    })
    .await
}

pub async fn terminate(cx: &Cx, id: &str) -> Result<(), Error> {
    let request = TerminateInstancesRequest { instance_ids: vec![id.to_owned()], ..Default::default() };
    match cx.call(request).await {
        Ok(_) => {}
        Err(error) if error.is("InvalidInstanceID.NotFound") => {}
        Err(error) => return Err(error),
    }
    change(cx, id, |tx, member| {
        member.terminate_called = true;
        progress(tx, cx, member, Status::InProgress, 80)?;
        Ok(true)
    })
    .await
}

pub async fn finish(cx: &Cx, id: &str) -> Result<(), Error> {
    leave(cx, id, |member| member.is_terminating()).await
}

pub async fn detach(cx: &Cx, id: &str) -> Result<(), Error> {
    let tag = Tag { key: Some(GROUP_TAG.to_owned()), value: None };
    let request = DeleteTagsRequest { resources: vec![id.to_owned()], tags: vec![tag], ..Default::default() };
    match cx.call(request).await {
        Ok(_) => {}
        Err(error) if error.is("InvalidInstanceID.NotFound") => {}
        Err(error) => return Err(error),
    }
    leave(cx, id, |member| member.lifecycle == Lifecycle::Detaching).await
}

/// Ends the activity and removes the instance from its group.
async fn leave(cx: &Cx, id: &str, is_leaving: impl FnOnce(&Member) -> bool) -> Result<(), Error> {
    cx.store()
        .write(|tx| {
            let Some(member) = tx.get::<Member>(cx.scope(), id)? else { return Ok(()) };
            if !is_leaving(&member) {
                return Ok(());
            }
            let mut member = member.as_ref().clone();
            finish_activity(tx, cx, &mut member, Status::Successful, None)?;
            tx.delete::<Member>(cx.scope(), id);
            Ok(())
        })
        .await
}

pub async fn enter_standby(cx: &Cx, id: &str) -> Result<(), Error> {
    change(cx, id, |tx, member| {
        if member.lifecycle != Lifecycle::EnteringStandby {
            return Ok(false);
        }
        member.lifecycle = Lifecycle::Standby;
        finish_activity(tx, cx, member, Status::Successful, None)?;
        Ok(true)
    })
    .await
}
