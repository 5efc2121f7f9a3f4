//! The next step of one instance.

use super::{Draft, Seen, Step};
use crate::controllers::cause;
use crate::records::{Action, Health, Lifecycle, Member, Process, Transition, Unhealthy};
use kiln_service_kit::Timestamp;
use std::time::Duration;

pub fn plan(seen: &Seen, member: &Member, now: Timestamp, draft: &mut Draft) {
    match member.lifecycle {
        Lifecycle::Pending | Lifecycle::PendingProceed => arriving(seen, member, now, draft),
        Lifecycle::PendingWait => {
            if !did_not_come_up(seen, member, now, draft) {
                waiting(member, now, draft);
            }
        }
        Lifecycle::InService => serving(seen, member, now, draft),
        Lifecycle::EnteringStandby => {
            if out_of_target_groups(seen, member, draft) {
                draft.steps.push(Step::EnterStandby { instance: member.id.clone() });
            }
        }
        // A group that is deleted by force takes those with it that stand by.
        Lifecycle::Standby if seen.group.deleting => deleted_with_its_group(member, now, draft),
        Lifecycle::Standby => {}
        Lifecycle::Detaching => {
            if out_of_target_groups(seen, member, draft) {
                draft.steps.push(Step::Detach { instance: member.id.clone() });
            }
        }
        Lifecycle::Terminating | Lifecycle::TerminatingProceed => leaving(seen, member, draft),
        // A group that is deleted by force does not wait for anybody's hooks.
        Lifecycle::TerminatingWait if seen.group.deleting => leaving(seen, member, draft),
        Lifecycle::TerminatingWait => waiting(member, now, draft),
    }
}

/// On its way into service.
fn arriving(seen: &Seen, member: &Member, now: Timestamp, draft: &mut Draft) {
    if did_not_come_up(seen, member, now, draft) {
        return;
    }
    let instance = member.id.clone();
    if seen.state(member) == Some("pending") {
        draft.wait(format!("{instance} to be running"), None);
        return;
    }
    if let Some(hook) = next_hook(seen, member, Transition::Launching) {
        draft.steps.push(Step::StartHook { instance, hook });
        return;
    }
    let wanted: Vec<String> = seen.group.wanted_target_groups().map(|t| t.arn.clone()).collect();
    let (register, leave_out) = match seen.group.is_suspended(Process::AddToLoadBalancer) {
        true => (vec![], wanted),
        false => (wanted, vec![]),
    };
    draft.steps.push(Step::EnterService { instance, register, leave_out });
}

/// A machine that died before it was in service, or whose group is deleted meanwhile.
fn did_not_come_up(seen: &Seen, member: &Member, now: Timestamp, draft: &mut Draft) -> bool {
    let instance = member.id.clone();
    let step = if seen.group.deleting {
        let cause = cause::group_deleted(&instance, now);
        Step::BeginTermination { instance, why: None, cause }
    } else if seen.is_dead(member) {
        let reason = seen.instances.get(&member.id).and_then(|m| m.reason.as_deref()).unwrap_or("none was given");
        let message = format!(
            "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: {reason}"
        );
        Step::FailLaunch { instance, message, cause: cause::unhealthy(Unhealthy::Ec2, now) }
    } else {
        return false;
    };
    draft.leaving.insert(member.id.clone());
    draft.steps.push(step);
    true
}

/// The first hook of the transition that was not waited for yet.
fn next_hook(seen: &Seen, member: &Member, transition: Transition) -> Option<String> {
    let hooks = seen.group.hooks.iter().filter(|hook| hook.transition == transition);
    hooks.map(|hook| &hook.name).find(|name| !member.hooks_done.contains(name)).cloned()
}

/// Held by a hook.
fn waiting(member: &Member, now: Timestamp, draft: &mut Draft) {
    let instance = member.id.clone();
    match &member.action {
        Some(Action { hook, verdict, deadline, .. }) => {
            if verdict.is_some() || *deadline <= now {
                draft.steps.push(Step::EndHook { instance, hook: hook.clone() });
            } else {
                draft.wait(format!("lifecycle hook {hook} of {instance}"), Some(*deadline));
            }
        }
        None => draft.steps.push(Step::EndHook { instance, hook: String::new() }),
    }
}

fn deleted_with_its_group(member: &Member, now: Timestamp, draft: &mut Draft) {
    let instance = member.id.clone();
    let cause = cause::group_deleted(&instance, now);
    draft.leaving.insert(instance.clone());
    draft.steps.push(Step::BeginTermination { instance, why: None, cause });
}

/// In service: is it healthy, is it where it should be registered?
fn serving(seen: &Seen, member: &Member, now: Timestamp, draft: &mut Draft) {
    let group = &seen.group;
    let instance = member.id.clone();
    if group.deleting {
        return deleted_with_its_group(member, now, draft);
    }
    let found = match group.is_suspended(Process::HealthCheck) {
        true => None,
        false => check(seen, member, now, draft),
    };
    let marked = (member.health == Health::Unhealthy).then_some(member.unhealthy.unwrap_or(Unhealthy::User));
    if let Some(why) = marked.or(found) {
        let replace = !group.is_suspended(Process::ReplaceUnhealthy) && !group.is_suspended(Process::Terminate);
        if replace {
            let cause = cause::unhealthy(why, now);
            draft.leaving.insert(instance.clone());
            draft.unhealthy += 1;
            draft.steps.push(Step::BeginTermination { instance, why: Some(why), cause });
            return;
        }
        if marked.is_none() {
            draft.steps.push(Step::MarkUnhealthy { instance: instance.clone(), why });
        }
        draft.wait(format!("ReplaceUnhealthy and Terminate to be resumed; {instance} is unhealthy"), None);
    }
    register(seen, member, draft);
}

/// What a health check finds.
fn check(seen: &Seen, member: &Member, now: Timestamp, draft: &mut Draft) -> Option<Unhealthy> {
    if seen.is_dead(member) {
        // The grace period does not protect a machine that is not there.
        return Some(Unhealthy::Ec2);
    }
    let fails = |arn: &String| seen.target(arn, member) == Some("unhealthy");
    if !seen.group.uses_elb_health() || !member.registered.iter().any(fails) {
        return None;
    }
    let grace = Duration::from_secs(u64::try_from(seen.group.grace_period).unwrap_or(0));
    let until = member.in_service.unwrap_or(member.launched) + grace;
    if until <= now {
        return Some(Unhealthy::Elb);
    }
    draft.wait(
        format!("the health check grace period of {}, which its load balancer finds unhealthy", member.id),
        Some(until),
    );
    None
}

/// Target groups that were attached or detached since.
fn register(seen: &Seen, member: &Member, draft: &mut Draft) {
    let group = &seen.group;
    let wanted: Vec<&String> = group.wanted_target_groups().map(|t| &t.arn).collect();
    let missing: Vec<String> = wanted
        .iter()
        .filter(|arn| !member.registered.contains(arn) && !member.left_out.contains(arn))
        .map(|arn| arn.to_string())
        .collect();
    if !missing.is_empty() && !seen.is_dead(member) {
        if group.is_suspended(Process::AddToLoadBalancer) {
            draft.wait("AddToLoadBalancer to be resumed", None);
        } else {
            draft.steps.push(Step::Register { instance: member.id.clone(), target_groups: missing });
        }
    }
    let surplus: Vec<String> = member.registered.iter().filter(|arn| !wanted.contains(arn)).cloned().collect();
    if !surplus.is_empty() {
        draft.steps.push(Step::Deregister { instance: member.id.clone(), target_groups: surplus });
    }
    drain(seen, member, draft);
}

/// Whether nothing drains any more.
fn drain(seen: &Seen, member: &Member, draft: &mut Draft) -> bool {
    if member.draining.is_empty() {
        return true;
    }
    // A dead machine has no connections to wait for.
    let busy = |arn: &&String| !seen.is_dead(member) && seen.target(arn, member) == Some("draining");
    let (busy, done): (Vec<&String>, Vec<&String>) = member.draining.iter().partition(busy);
    if !busy.is_empty() {
        draft.wait(format!("connections of {} to drain", member.id), None);
    }
    if !done.is_empty() {
        let target_groups = done.into_iter().cloned().collect();
        draft.steps.push(Step::Drained { instance: member.id.clone(), target_groups });
    }
    false
}

/// Whether it is registered nowhere and nothing drains.
fn out_of_target_groups(seen: &Seen, member: &Member, draft: &mut Draft) -> bool {
    if member.registered.is_empty() {
        return drain(seen, member, draft);
    }
    let target_groups = member.registered.clone();
    draft.steps.push(Step::Deregister { instance: member.id.clone(), target_groups });
    false
}

/// On its way out: target groups, then hooks, then the machine.
fn leaving(seen: &Seen, member: &Member, draft: &mut Draft) {
    let instance = member.id.clone();
    if !out_of_target_groups(seen, member, draft) {
        return;
    }
    if !seen.group.deleting
        && let Some(hook) = next_hook(seen, member, Transition::Terminating)
    {
        draft.steps.push(Step::StartHook { instance, hook });
        return;
    }
    match seen.state(member) {
        None | Some("terminated") => draft.steps.push(Step::Finish { instance }),
        Some("shutting-down") => draft.wait(format!("{instance} to be terminated"), None),
        Some(_) if member.terminate_called => draft.wait(format!("{instance} to be terminated"), None),
        Some(_) => draft.steps.push(Step::Terminate { instance }),
    }
}
