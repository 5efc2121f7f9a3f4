//! Carries out one step. Each looks at the newest record first and does nothing when its work was
//! done already.

mod launch;
mod ways;

use super::plan::Step;
use crate::records::{Group, TargetGroupState};
use kiln_service_kit::{Cx, Error};

pub async fn act(cx: &Cx, group: &str, step: &Step) -> Result<(), Error> {
    match step {
        Step::DecideLaunches { first, places, cause, rebalance, replaces } => {
            let decision =
                launch::Decision { first: *first, places, cause, rebalance: *rebalance, replaces: *replaces };
            launch::decide(cx, group, &decision).await
        }
        Step::Launch { number } => launch::launch(cx, group, *number).await,
        Step::FailLaunch { instance, message, cause } => ways::fail_launch(cx, instance, message, cause).await,
        Step::StartHook { instance, hook } => ways::start_hook(cx, instance, hook).await,
        Step::EndHook { instance, hook } => ways::end_hook(cx, instance, hook).await,
        Step::EnterService { instance, register, leave_out } => {
            ways::enter_service(cx, instance, register, leave_out).await
        }
        Step::Register { instance, target_groups } => ways::register(cx, instance, target_groups).await,
        Step::Deregister { instance, target_groups } => ways::deregister(cx, instance, target_groups).await,
        Step::Drained { instance, target_groups } => ways::drained(cx, instance, target_groups).await,
        Step::MarkUnhealthy { instance, why } => ways::mark_unhealthy(cx, instance, *why).await,
        Step::BeginTermination { instance, why, cause } => ways::begin_termination(cx, instance, *why, cause).await,
        Step::Terminate { instance } => ways::terminate(cx, instance).await,
        Step::Finish { instance } => ways::finish(cx, instance).await,
        Step::EnterStandby { instance } => ways::enter_standby(cx, instance).await,
        Step::Detach { instance } => ways::detach(cx, instance).await,
        Step::SetTargetGroup { arn, state } => {
            change_group(cx, group, |group| {
                if let Some(target_group) = group.target_groups.iter_mut().find(|t| t.arn == *arn)
                    && target_group.state != TargetGroupState::Removing
                {
                    target_group.state = *state;
                }
            })
            .await
        }
        Step::DropTargetGroup { arn } => {
            change_group(cx, group, |group| {
                group.target_groups.retain(|t| t.arn != *arn || t.state != TargetGroupState::Removing);
            })
            .await
        }
        Step::ForgetReason => {
            let forget = |group: &mut Group| {
                group.reason = None;
                group.to_replace = 0;
            };
            change_group(cx, group, forget).await
        }
        Step::DeleteGroup => {
            cx.store()
                .write::<_, Error>(|tx| {
                    if tx.get::<Group>(cx.scope(), group)?.is_some_and(|g| g.deleting) {
                        tx.delete::<Group>(cx.scope(), group);
                    }
                    Ok(())
                })
                .await
        }
    }
}

/// Changes the group's record; a group that is gone is left alone.
async fn change_group(cx: &Cx, name: &str, change: impl FnOnce(&mut Group)) -> Result<(), Error> {
    cx.store()
        .write(|tx| {
            if let Some(group) = tx.get::<Group>(cx.scope(), name)? {
                let mut group = group.as_ref().clone();
                change(&mut group);
                tx.put_if_changed(cx.scope(), name, group)?;
            }
            Ok(())
        })
        .await
}
