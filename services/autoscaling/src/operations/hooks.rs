//! Lifecycle hooks.

use super::notifications;
use crate::errors::validation;
use crate::records::{Action, Group, Hook, Member, Transition, Verdict};
use crate::targets::group;
use crate::{changes, notify, roles};
use kiln_autoscaling_shapes::*;
use kiln_delivery::{Address, can_carry};
use kiln_service_kit::{Cx, Error, Operation, Tx, operation};
use std::time::Duration;

pub const OPERATIONS: &[Operation] = &[
    operation!(PutLifecycleHook: put_lifecycle_hook(PutLifecycleHookRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
    operation!(DeleteLifecycleHook: delete_lifecycle_hook(DeleteLifecycleHookRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
    operation!(DescribeLifecycleHooks: describe_lifecycle_hooks(DescribeLifecycleHooksRequest), on everything),
    operation!(CompleteLifecycleAction: complete_lifecycle_action(CompleteLifecycleActionRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
    operation!(RecordLifecycleActionHeartbeat: record_lifecycle_action_heartbeat(RecordLifecycleActionHeartbeatRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
];

/// Hooks a group may have. Source: "Quotas for Amazon EC2 Auto Scaling".
const MAX_HOOKS: usize = 50;

/// A hook as callers give it, in any of the three places.
struct NewHook {
    name: String,
    transition: String,
    heartbeat_timeout: Option<i32>,
    default_result: Option<String>,
    notification_target: Option<String>,
    notification_metadata: Option<String>,
    role: Option<String>,
}

impl From<LifecycleHookSpecification> for NewHook {
    fn from(hook: LifecycleHookSpecification) -> Self {
        Self {
            name: hook.lifecycle_hook_name,
            transition: hook.lifecycle_transition,
            heartbeat_timeout: hook.heartbeat_timeout,
            default_result: hook.default_result,
            notification_target: hook.notification_target_arn,
            notification_metadata: hook.notification_metadata,
            role: hook.role_arn,
        }
    }
}

/// Checks a hook.
fn hook(new: NewHook) -> Result<Hook, Error> {
    let transition = Transition::ALL.into_iter().find(|t| t.name() == new.transition).ok_or_else(|| {
        validation(
            "Lifecycle Transition must be one of autoscaling:EC2_INSTANCE_LAUNCHING or autoscaling:EC2_INSTANCE_TERMINATING",
        )
    })?;
    let notification_target = new.notification_target.filter(|arn| !arn.is_empty());
    if let Some(arn) = &notification_target {
        target_address(arn)?;
    }
    let timeout = new.heartbeat_timeout.unwrap_or(3600);
    if !(30..=7200).contains(&timeout) {
        return Err(validation("HeartbeatTimeout must be between 30 and 7200 seconds"));
    }
    let default_result = verdict(new.default_result.as_deref().unwrap_or("ABANDON"))?;
    Ok(Hook {
        name: new.name,
        transition,
        notification_target,
        role: new.role,
        notification_metadata: new.notification_metadata,
        heartbeat_timeout: timeout,
        default_result,
    })
}

fn verdict(text: &str) -> Result<Verdict, Error> {
    Verdict::parse(text).ok_or_else(|| validation("Lifecycle Action Result must be one of CONTINUE or ABANDON"))
}

/// Who is told that an instance waits: a queue or a topic.
pub fn target_address(arn: &str) -> Result<Address, Error> {
    can_carry(arn).map_err(|error| match error.is("InvalidParameter") {
        true => validation(format!("Invalid notification target ARN: {arn}")),
        false => error,
    })
}

/// Hooks of a group that is made.
pub async fn given(cx: &Cx, hooks: Vec<LifecycleHookSpecification>) -> Result<Vec<Hook>, Error> {
    let mut checked = Vec::with_capacity(hooks.len());
    for given in hooks {
        check_target(cx, given.notification_target_arn.as_deref(), given.role_arn.as_deref()).await?;
        checked.push(hook(NewHook::from(given))?);
    }
    Ok(checked)
}

/// A hook's target and role: the target must be there, and whoever names a role must be allowed to hand it on.
async fn check_target(cx: &Cx, target: Option<&str>, role: Option<&str>) -> Result<(), Error> {
    if let Some(arn) = target.filter(|arn| !arn.is_empty()) {
        notifications::is_there(cx, &target_address(arn)?).await?;
    }
    match role {
        Some(role) => roles::pass_hook_role(cx, role).await,
        None => Ok(()),
    }
}

async fn put_lifecycle_hook(cx: &Cx, request: PutLifecycleHookRequest) -> Result<PutLifecycleHookResponse, Error> {
    let name = &request.auto_scaling_group_name;
    check_target(cx, request.notification_target_arn.as_deref(), request.role_arn.as_deref()).await?;
    cx.store()
        .write(|tx| {
            let mut group = changes::group_to_change(tx, cx.scope(), name)?;
            let at = group.hooks.iter().position(|h| h.name == request.lifecycle_hook_name);
            let known = at.map(|at| &group.hooks[at]);
            let transition = match (request.lifecycle_transition, known) {
                (Some(given), _) => given,
                (None, Some(hook)) => hook.transition.name().to_owned(),
                (None, None) => return Err(validation("Lifecycle Transition is required for a new lifecycle hook")),
            };
            // What a change leaves out stays as it is.
            let new = hook(NewHook {
                name: request.lifecycle_hook_name.clone(),
                transition,
                heartbeat_timeout: request.heartbeat_timeout.or(known.map(|h| h.heartbeat_timeout)),
                default_result: request.default_result.or(known.map(|h| h.default_result.name().to_owned())),
                notification_target: request
                    .notification_target_arn
                    .clone()
                    .or(known.and_then(|h| h.notification_target.clone())),
                notification_metadata: request
                    .notification_metadata
                    .or(known.and_then(|h| h.notification_metadata.clone())),
                role: request.role_arn.or(known.and_then(|h| h.role.clone())),
            })?;
            let told = new.notification_target.clone();
            let told = told.filter(|_| request.notification_target_arn.as_deref().is_some_and(|arn| !arn.is_empty()));
            match at {
                Some(at) => group.hooks[at] = new,
                None if group.hooks.len() >= MAX_HOOKS => {
                    return Err(Error::sender(
                        "LimitExceeded",
                        format!(
                            "You have already reached your limit of {MAX_HOOKS} lifecycle hooks for the group {name}."
                        ),
                    ));
                }
                None => group.hooks.push(new),
            }
            if let Some(arn) = told {
                notify::test(tx, cx, &group, target_address(&arn)?)?;
            }
            tx.put_if_changed(cx.scope(), name, group)?;
            Ok(())
        })
        .await?;
    Ok(PutLifecycleHookResponse {})
}

async fn delete_lifecycle_hook(
    cx: &Cx,
    request: DeleteLifecycleHookRequest,
) -> Result<DeleteLifecycleHookResponse, Error> {
    let (name, hook) = (&request.auto_scaling_group_name, &request.lifecycle_hook_name);
    cx.store()
        .write(|tx| {
            let mut group = changes::group_to_change(tx, cx.scope(), name)?;
            let before = group.hooks.len();
            group.hooks.retain(|h| h.name != *hook);
            if group.hooks.len() == before {
                return Err(validation(format!("No Lifecycle Hook found with name: {hook}")));
            }
            tx.put(cx.scope(), name, group)?;
            // Instances that wait for it: ABANDON for those on their way in, CONTINUE for those on
            // their way out, as AWS does.
            for member in changes::members(tx, cx.scope(), name)? {
                let mut member = member.as_ref().clone();
                let result = if member.is_pending() { Verdict::Abandon } else { Verdict::Continue };
                if let Some(action) = member.action.as_mut().filter(|a| a.hook == *hook && a.verdict.is_none()) {
                    action.verdict = Some(result);
                    let id = member.id.clone();
                    tx.put(cx.scope(), &id, member)?;
                }
            }
            Ok(())
        })
        .await?;
    Ok(DeleteLifecycleHookResponse {})
}

async fn describe_lifecycle_hooks(
    cx: &Cx,
    request: DescribeLifecycleHooksRequest,
) -> Result<DescribeLifecycleHooksResponse, Error> {
    let name = &request.auto_scaling_group_name;
    let group = cx.store().get::<Group>(cx.scope(), name)?.ok_or_else(|| crate::errors::group_not_found(name))?;
    let wanted = &request.lifecycle_hook_names;
    let shown = group.hooks.iter().filter(|h| wanted.is_empty() || wanted.contains(&h.name)).map(|h| LifecycleHook {
        lifecycle_hook_name: Some(h.name.clone()),
        auto_scaling_group_name: Some(name.clone()),
        lifecycle_transition: Some(h.transition.name().to_owned()),
        notification_target_arn: h.notification_target.clone(),
        role_arn: h.role.clone(),
        notification_metadata: h.notification_metadata.clone(),
        heartbeat_timeout: Some(h.heartbeat_timeout),
        global_timeout: Some(h.global_timeout()),
        default_result: Some(h.default_result.name().to_owned()),
    });
    Ok(DescribeLifecycleHooksResponse { lifecycle_hooks: shown.collect() })
}

/// Finds the action that a token or an instance names, changes it and stores it.
fn with_action(
    tx: &mut Tx,
    cx: &Cx,
    (group, hook): (&str, &str),
    (token, instance): (Option<&str>, Option<&str>),
    change: impl FnOnce(&mut Action) -> Result<(), Error>,
) -> Result<(), Error> {
    let record = changes::group(tx, cx.scope(), group)?;
    let active = |member: &Member| {
        member
            .action
            .as_ref()
            .is_some_and(|a| a.hook == hook && a.verdict.is_none() && token.is_none_or(|token| a.token == token))
            && instance.is_none_or(|id| member.id == id)
    };
    if token.is_none() && instance.is_none() {
        return Err(validation("Either LifecycleActionToken or InstanceId is required"));
    }
    let found = changes::members(tx, cx.scope(), group)?.into_iter().find(|member| active(member));
    let Some(member) = found else {
        if !record.hooks.iter().any(|h| h.name == hook) {
            return Err(validation(format!("No Lifecycle Hook found with name: {hook}")));
        }
        return Err(validation(match (token, instance) {
            (Some(token), _) => format!("No active Lifecycle Action found with token {token}"),
            (None, instance) => {
                format!("No active Lifecycle Action found with instance ID {}", instance.unwrap_or_default())
            }
        }));
    };
    let mut member = member.as_ref().clone();
    if let Some(action) = &mut member.action {
        change(action)?;
    }
    let id = member.id.clone();
    tx.put(cx.scope(), &id, member)?;
    Ok(())
}

async fn complete_lifecycle_action(
    cx: &Cx,
    request: CompleteLifecycleActionRequest,
) -> Result<CompleteLifecycleActionResponse, Error> {
    let result = verdict(&request.lifecycle_action_result)?;
    let of = (request.auto_scaling_group_name.as_str(), request.lifecycle_hook_name.as_str());
    let by = (request.lifecycle_action_token.as_deref(), request.instance_id.as_deref());
    cx.store()
        .write(|tx| {
            with_action(tx, cx, of, by, |action| {
                action.verdict = Some(result);
                Ok(())
            })
        })
        .await?;
    Ok(CompleteLifecycleActionResponse {})
}

async fn record_lifecycle_action_heartbeat(
    cx: &Cx,
    request: RecordLifecycleActionHeartbeatRequest,
) -> Result<RecordLifecycleActionHeartbeatResponse, Error> {
    let of = (request.auto_scaling_group_name.as_str(), request.lifecycle_hook_name.as_str());
    let by = (request.lifecycle_action_token.as_deref(), request.instance_id.as_deref());
    cx.store()
        .write(|tx| {
            let now = tx.now();
            with_action(tx, cx, of, by, |action| {
                let more = Duration::from_secs(u64::try_from(action.heartbeat_timeout).unwrap_or(0));
                action.deadline = (now + more).min(action.last_deadline);
                Ok(())
            })
        })
        .await?;
    Ok(RecordLifecycleActionHeartbeatResponse {})
}
