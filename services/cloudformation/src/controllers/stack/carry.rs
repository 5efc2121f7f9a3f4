//! The calls that make, change or replace a resource. Safe to run twice: the client token is kept
//! before the first call, and a type finds by it what an earlier try made.
//!
//! ```text
//! Begun ── create ──▶ Made (physical id kept) ── complete ──▶ Settling
//!   └────────────────── update ─────────────────────────────────▲
//! ```
//! A thing whose second call fails is known, shown and removed like any other.

use super::{Act, request, verb};
use crate::errors::validation;
use crate::records::family::NESTED;
use crate::records::{Action, KeptJson, Live, Progress, Resource, Stack, Work};
use crate::stack::references::Filled;
use crate::stack::request::is_refusal;
use crate::stack::reserved_tags;
use crate::stack::schemas::keeps_its_name;
use kiln_service_kit::{CANNOT_ROLL, Cx, Error, ResourceRequest, ResourceType, Stability};
use serde_json::Value as Json;
use std::sync::Arc;

/// What a type says of an update that needs a new resource after all.
const NOT_UPDATABLE: &str = "NotUpdatable";

impl Act<'_> {
    /// Makes the call of work that was begun.
    pub(super) async fn carry(&self, id: &str) -> Result<(), Error> {
        let (Some(stack), Some(resource)) = (self.stack()?, self.resource(id)?) else { return Ok(()) };
        let Some(work) = &resource.work else { return Ok(()) };
        match work.progress {
            Progress::Begun => {}
            Progress::Made => return self.complete(id).await,
            Progress::Settling | Progress::Done | Progress::Failed => return Ok(()),
        }
        let kind = self.kind(&work.target.resource_type)?;
        let outcome = match work.action {
            Action::Create | Action::Replace => self.create(&*kind, &stack, id, work).await,
            Action::DeleteThenCreate => match self.make_room(&*kind, &stack, &resource, work).await? {
                true => self.create(&*kind, &stack, id, work).await,
                false => return Ok(()),
            },
            Action::Update => self.update(&*kind, &stack, &resource, work).await,
            Action::Keep | Action::Delete => return Ok(()),
        };
        match outcome {
            Ok(physical_id) => {
                self.carried(id, work, physical_id).await?;
                self.complete(id).await
            }
            Err(error) if error.is(NOT_UPDATABLE) && work.action == Action::Update => {
                let before = resource.live.as_ref().map_or(Json::Null, |live| live.properties.value());
                match keeps_its_name(&*kind, &before, &work.target.properties.value()) {
                    Some(reason) => self.fail(id, &work.phase, reason).await,
                    None => self.replace(id, work).await,
                }
            }
            Err(error) if error.is(CANNOT_ROLL) => self.fail(id, &work.phase, error.message).await,
            Err(error) => self.call_failed(id, work, error).await,
        }
    }

    async fn create(&self, kind: &dyn ResourceType, stack: &Stack, id: &str, work: &Work) -> Result<String, Error> {
        no_reserved_tags(&work.target)?;
        let owner = self.as_owner(stack);
        let mut request = request(kind, stack, id, &work.target, None);
        let filled = fill(&owner, work, &mut request).await?;
        kind.create(&owner, &request).await.map_err(|error| filled.told(error))
    }

    /// Sets what a thing that was made has beyond its creation.
    async fn complete(&self, id: &str) -> Result<(), Error> {
        let (Some(stack), Some(resource)) = (self.stack()?, self.resource(id)?) else { return Ok(()) };
        let made = |work: &&Work| work.progress == Progress::Made && work.phase == stack.phase();
        let Some(work) = resource.work.as_ref().filter(made) else { return Ok(()) };
        let Some(physical_id) = &work.target.physical_id else { return Ok(()) };
        let kind = self.kind(&work.target.resource_type)?;
        let owner = self.as_owner(&stack);
        let mut request = request(&*kind, &stack, id, &work.target, None);
        let completed = match fill(&owner, work, &mut request).await {
            Ok(filled) => kind.complete(&owner, physical_id, &request).await.map_err(|error| filled.told(error)),
            Err(error) => Err(error),
        };
        if let Err(error) = completed {
            return self.call_failed(id, work, error).await;
        }
        self.controller.memory.came_on(&self.name.id, id);
        let (phase, token) = (work.phase.clone(), work.target.token.clone());
        self.write(id, false, |_, resource| {
            let made =
                |work: &&mut Work| work.progress == Progress::Made && work.phase == phase && work.target.token == token;
            let Some(work) = resource.work.as_mut().filter(made) else { return false };
            work.progress = Progress::Settling;
            work.since = self.cx.now();
            true
        })
        .await?;
        Ok(())
    }

    async fn update(
        &self,
        kind: &dyn ResourceType,
        stack: &Stack,
        resource: &Resource,
        work: &Work,
    ) -> Result<String, Error> {
        let physical_id = work.target.physical_id.clone();
        let physical_id = physical_id.ok_or_else(|| Error::internal("an update of what has no physical id"))?;
        let previous = self.previous(stack, resource);
        let same = previous.properties == work.target.properties && previous.stack_tags == work.target.stack_tags;
        // What a nested stack's properties point at may be another template.
        if same && resource.roll.is_none() && work.target.resource_type != NESTED {
            // Only metadata or policies differ: nothing to tell the type.
            return Ok(physical_id);
        }
        let mut request = request(kind, stack, &resource.logical_id, &work.target, Some(&previous));
        if self.apply_policy(kind, stack, resource, work, &mut request).await? {
            return Err(Error::sender(NOT_UPDATABLE, "its update policy replaces it"));
        }
        no_reserved_tags(&work.target)?;
        let owner = self.as_owner(stack);
        let filled = fill(&owner, work, &mut request).await?;
        kind.update(&owner, &physical_id, &request).await.map_err(|error| filled.told(error))?;
        Ok(physical_id)
    }

    /// What the real thing was last asked to be; on the way back that is what the update tried.
    fn previous(&self, stack: &Stack, resource: &Resource) -> Arc<Live> {
        let mut previous = match &resource.live {
            Some(live) => live.clone(),
            None => unreachable!("only a live resource is updated"),
        };
        let undo = resource.undo.as_ref().filter(|_| stack.status == crate::records::Status::UpdateRollbackInProgress);
        if let Some(tried) = undo.and_then(|undo| undo.tried.clone()) {
            let live = Arc::make_mut(&mut previous);
            live.properties = tried;
            // Its tags were changed with its properties, or half of them were.
            if let Some(target) = &stack.target {
                live.stack_tags = KeptJson::from(&target.tags);
            }
        }
        previous
    }

    /// Removes the live thing of which there cannot be two; whether it is gone.
    async fn make_room(
        &self,
        kind: &dyn ResourceType,
        stack: &Stack,
        resource: &Resource,
        work: &Work,
    ) -> Result<bool, Error> {
        let id = &resource.logical_id;
        let Some(live) = resource.live.as_ref().filter(|live| live.token != work.target.token) else { return Ok(true) };
        let Some(physical_id) = &live.physical_id else { return Ok(true) };
        let answer = kind.delete(&self.as_owner(stack), physical_id, &request(kind, stack, id, live, None)).await;
        match answer {
            Ok(Stability::Ready) => {
                self.write(id, false, |_, resource| {
                    resource.live = None;
                    if let Some(undo) = &mut resource.undo {
                        undo.before_gone = true;
                    }
                    true
                })
                .await?;
                Ok(true)
            }
            Ok(Stability::Pending(why)) => {
                self.later(id, why);
                Ok(false)
            }
            Ok(Stability::Failed(why)) => {
                self.fail(id, &work.phase, why).await?;
                Ok(false)
            }
            Err(error) if self.may_pass(&error, work) => {
                self.later(id, error.message);
                Ok(false)
            }
            Err(error) => {
                self.call_failed(id, work, error).await?;
                Ok(false)
            }
        }
    }

    /// The answer came: the thing is there, or is changed and must settle.
    async fn carried(&self, id: &str, work: &Work, physical_id: String) -> Result<(), Error> {
        self.controller.memory.came_on(&self.name.id, id);
        let (phase, action) = (work.phase.clone(), work.action);
        let token = work.target.token.clone();
        let makes = action != Action::Update;
        self.write(id, makes, |stack, resource| {
            let Some(work) = resource
                .work
                .as_mut()
                .filter(|work| work.phase == phase && work.progress == Progress::Begun && work.target.token == token)
            else {
                return false;
            };
            Arc::make_mut(&mut work.target).physical_id = Some(physical_id);
            work.progress = if makes { Progress::Made } else { Progress::Settling };
            work.since = self.cx.now();
            let (target, verb) = (work.target.clone(), verb(stack, work));
            // A new thing with the old one's id is the old one: it must not be removed.
            let other = |before: &Live| before.token != target.token && before.physical_id != target.physical_id;
            if let Some(mut before) = resource.live.take().filter(|before| other(before)) {
                Arc::make_mut(&mut before).update_replace_policy = target.update_replace_policy.clone();
                resource.old.push(before);
            }
            resource.live = Some(target);
            if makes {
                resource.status = format!("{verb}_IN_PROGRESS");
                resource.reason = Some("Resource creation Initiated".to_owned());
            }
            true
        })
        .await?;
        Ok(())
    }

    /// The type cannot do it in place: a new thing is made.
    async fn replace(&self, id: &str, work: &Work) -> Result<(), Error> {
        let (phase, token, name) = (work.phase.clone(), self.cx.ids().uuid(), self.cx.ids().upper(12));
        self.write(id, true, |_, resource| {
            let Some(work) = resource.work.as_mut().filter(|work| work.phase == phase) else { return false };
            work.action = Action::Replace;
            let target = Arc::make_mut(&mut work.target);
            target.physical_id = None;
            target.token = token;
            let stem = target.physical_name.rsplit_once('-').map_or("", |(stem, _)| stem);
            target.physical_name = format!("{stem}-{name}");
            target.attributes = KeptJson::default();
            if let Some(undo) = &mut resource.undo {
                undo.tried = None;
            }
            resource.reason = Some(
                "Requested update requires the creation of a new physical resource; hence creating one.".to_owned(),
            );
            true
        })
        .await?;
        Ok(())
    }

    /// A refusal fails the resource; trouble on the platform's side is tried again a few times.
    pub(super) async fn call_failed(&self, id: &str, work: &Work, error: Error) -> Result<(), Error> {
        if !is_refusal(&error) && !self.controller.memory.failed_too_often(&self.name.id, id) {
            return Err(error);
        }
        if work.target.resource_type == NESTED {
            return self.fail(id, &work.phase, error.message).await;
        }
        let reason = format!(
            "Resource handler returned message: \"{}\" (RequestToken: {}, HandlerErrorCode: {})",
            error.message, work.target.token, error.code
        );
        self.fail(id, &work.phase, reason).await
    }

    pub(super) fn later(&self, id: &str, why: String) {
        self.controller.memory.later(&self.name.id, id, self.cx.now(), why);
    }

    /// For types whose answers need the request again.
    pub(super) fn request_of(&self, kind: &dyn ResourceType, stack: &Stack, id: &str, live: &Live) -> ResourceRequest {
        request(kind, stack, id, live, None)
    }
}

/// Values in the place of references to secrets. A nested stack gets the references: its parameters are shown.
async fn fill(owner: &Cx, work: &Work, request: &mut ResourceRequest) -> Result<Filled, Error> {
    match work.target.resource_type == NESTED {
        true => Ok(Filled::default()),
        false => Filled::of(owner, request).await,
    }
}

/// A template sets no tags that services set.
fn no_reserved_tags(target: &Live) -> Result<(), Error> {
    match reserved_tags::reserved(&target.properties.value()) {
        Some(key) => Err(validation(format!("aws: prefixed tag key names are not allowed for external use: {key}"))),
        None => Ok(()),
    }
}
