//! Updates in steps, as a type's update policies have it: what the type decides is carried out here, its notes are
//! kept in the resource's record.

use super::Act;
use crate::records::{KeptJson, Resource, Stack, Status, Work};
use kiln_service_kit::{Error, Manner, ResourceRequest, ResourceType, Rolled, Rolling};
use serde_json::Value as Json;

/// Where the work in hand stands.
fn at<'a>(stack: &Stack, resource: &'a Resource, work: &'a Work, policy: &'a Option<Json>) -> Rolling<'a> {
    Rolling {
        policy: policy.as_ref(),
        phase: &work.phase,
        forward: stack.status == Status::UpdateInProgress,
        notes: resource.roll.as_ref(),
        signals: &resource.signals,
    }
}

fn policy(work: &Work) -> Option<Json> {
    work.target.update_policy.as_ref().map(KeptJson::value)
}

impl Act<'_> {
    /// Applies the update policy to an update that is about to be made; whether a new thing is to take its place.
    pub(super) async fn apply_policy(
        &self,
        kind: &dyn ResourceType,
        stack: &Stack,
        resource: &Resource,
        work: &Work,
        request: &mut ResourceRequest,
    ) -> Result<bool, Error> {
        let (Some(roll), Some(id)) = (kind.roll(), &work.target.physical_id) else { return Ok(false) };
        let (owner, policy) = (self.as_owner(stack), policy(work));
        match roll.begin(&owner, id, request, at(stack, resource, work, &policy)).await? {
            Manner::InPlace => Ok(false),
            Manner::Replace => Ok(true),
            Manner::InSteps { notes, event } => {
                let new = resource.roll.as_ref() != Some(&notes);
                if new && !self.note(&resource.logical_id, work, resource.roll.as_ref(), notes.clone(), event).await? {
                    return Err(Error::internal("the resource's record has changed meanwhile"));
                }
                roll.prepare(&owner, id, request, &notes).await?;
                Ok(false)
            }
        }
    }

    /// One step of the update in hand; whether there is nothing more to do.
    pub(super) async fn roll(
        &self,
        kind: &dyn ResourceType,
        stack: &Stack,
        resource: &Resource,
        work: &Work,
    ) -> Result<bool, Error> {
        let id = &resource.logical_id;
        let (Some(roll), Some(physical_id)) = (kind.roll(), &work.target.physical_id) else { return Ok(true) };
        let policy = policy(work);
        match roll.step(&self.as_owner(stack), physical_id, at(stack, resource, work, &policy)).await? {
            Rolled::Done => return Ok(true),
            Rolled::Later(why) => self.later(id, why),
            Rolled::Failed(reason) => self.fail(id, &work.phase, reason).await?,
            Rolled::Note { notes, event } => drop(self.note(id, work, resource.roll.as_ref(), notes, event).await?),
        }
        Ok(false)
    }

    /// Writes how far it has come, if it still stands where it was seen; with the event that tells it.
    async fn note(
        &self,
        id: &str,
        work: &Work,
        seen: Option<&Json>,
        then: Json,
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
