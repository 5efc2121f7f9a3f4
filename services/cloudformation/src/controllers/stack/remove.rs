//! Removing things, or leaving them where their policy says so.

use super::plan::doomed;
use super::{Act, finish::settling};
use crate::records::{Action, Live, OperationKind, Progress, Resource, Stack, Status, Work};
use kiln_service_kit::{Error, Stability};
use std::sync::Arc;
use std::time::Duration;

/// How long a removal is tried again while the service says that the thing is still in use: what
/// uses it may be on its way out too.
const IN_USE: Duration = Duration::from_secs(120);

impl Act<'_> {
    /// Begins to remove the first thing that must go.
    pub(super) async fn remove(&self, id: &str) -> Result<(), Error> {
        let (Some(stack), Some(resource)) = (self.stack()?, self.resource(id)?) else { return Ok(()) };
        let Some(life) = doomed(&stack, &resource).first().map(|life| Arc::clone(life)) else { return Ok(()) };
        let phase = stack.phase();
        let begun = resource.work_of(&phase).is_some_and(|work| work.target.token == life.token);
        if begun || resource.unsure().is_some() {
            return Ok(());
        }
        let stays = stays(&stack, &resource, &life);
        let wrote = self
            .write(id, true, |stack, resource| {
                let known = resource.work_of(&phase).is_some_and(|work| work.target.token == life.token);
                if stack.phase() != phase || known {
                    return false;
                }
                resource.status = if stays { "DELETE_SKIPPED" } else { "DELETE_IN_PROGRESS" }.to_owned();
                resource.reason = None;
                resource.work = Some(Work {
                    phase: phase.clone(),
                    action: Action::Delete,
                    progress: if stays { Progress::Done } else { Progress::Settling },
                    since: self.cx.now(),
                    target: life.clone(),
                });
                if stays {
                    drop_life(resource, &life.token);
                }
                true
            })
            .await?;
        match wrote && !stays {
            true => self.check(id).await,
            false => Ok(()),
        }
    }

    /// Asks for the removal, again and again until the thing is gone.
    pub(super) async fn check_removal(&self, stack: &Stack, id: &str, work: &Work) -> Result<(), Error> {
        let answer = match &work.target.physical_id {
            None => Ok(Stability::Ready),
            Some(physical_id) => {
                let kind = self.kind(&work.target.resource_type)?;
                let request = self.request_of(&*kind, stack, id, &work.target);
                kind.delete(&self.as_owner(stack), physical_id, &request).await
            }
        };
        match answer {
            Ok(Stability::Ready) => {
                self.controller.memory.came_on(&self.name.id, id);
                let phase = work.phase.clone();
                self.write(id, true, |_, resource| {
                    let Some(work) = settling(resource, &phase) else { return false };
                    work.progress = Progress::Done;
                    let token = work.target.token.clone();
                    resource.status = "DELETE_COMPLETE".to_owned();
                    resource.reason = None;
                    drop_life(resource, &token);
                    true
                })
                .await?;
                Ok(())
            }
            Ok(Stability::Pending(why)) => {
                self.later(id, why);
                Ok(())
            }
            Ok(Stability::Failed(why)) => self.fail(id, &work.phase, why).await,
            Err(error) if self.may_pass(&error, work) => {
                self.later(id, error.message);
                Ok(())
            }
            Err(error) => self.call_failed(id, work, error).await,
        }
    }
}

impl Act<'_> {
    /// Whether a refusal to remove a thing is tried again.
    pub(super) fn may_pass(&self, error: &Error, work: &Work) -> bool {
        is_in_use(error) && self.cx.now().since(work.since) < IN_USE
    }
}

fn drop_life(resource: &mut Resource, token: &str) {
    resource.old.retain(|life| life.token != token);
    if resource.live.as_ref().is_some_and(|live| live.token == token) {
        resource.live = None;
    }
}

/// Whether a policy keeps the real thing.
fn stays(stack: &Stack, resource: &Resource, life: &Live) -> bool {
    let is_live = resource.live.as_ref().is_some_and(|live| live.token == life.token);
    let policy = if is_live { &life.deletion_policy } else { &life.update_replace_policy };
    let creating = stack.operation.as_ref().is_some_and(|operation| operation.kind == OperationKind::Create);
    let undoes_creation = matches!(stack.status, Status::RollbackInProgress | Status::UpdateRollbackCleanup)
        || (creating && stack.status == Status::DeleteInProgress);
    match policy.as_deref() {
        Some("Retain") => !(undoes_creation && stack.retain_except_on_create),
        Some("RetainExceptOnCreate") => !undoes_creation,
        _ => false,
    }
}

/// Refusals that pass when what uses the thing is gone.
fn is_in_use(error: &Error) -> bool {
    matches!(
        &*error.code,
        "DependencyViolation"
            | "DeleteConflict"
            | "ResourceInUse"
            | "ResourceInUseFault"
            | "ResourceInUseException"
            | "ScalingActivityInProgress"
            | "InvalidIPAddress.InUse"
            | "InvalidGroup.InUse"
            | "OperationNotPermitted"
    )
}
