//! Waiting until a resource has settled, and what then becomes of it.

use super::{Act, verb};
use crate::records::{Action, KeptJson, Live, Progress, Resource, Work};
use crate::stack::secrets::told;
use crate::stack::{schemas, signals};
use kiln_service_kit::{Error, ResourceRequest, Stability};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Act<'_> {
    /// Asks the type whether the thing has settled (or is gone).
    pub(super) async fn check(&self, id: &str) -> Result<(), Error> {
        let (Some(stack), Some(resource)) = (self.stack()?, self.resource(id)?) else { return Ok(()) };
        let Some(work) = resource.work.as_ref().filter(|work| work.progress == Progress::Settling) else {
            return Ok(());
        };
        if work.action == Action::Delete {
            return self.check_removal(&stack, id, work).await;
        }
        let kind = self.kind(&work.target.resource_type)?;
        if work.action == Action::Update && !self.roll(&*kind, &stack, &resource, work).await? {
            return Ok(());
        }
        let Some(physical_id) = &work.target.physical_id else { return Ok(()) };
        let owner = self.as_owner(&stack);
        let request = ResourceRequest { since: work.since, ..self.request_of(&*kind, &stack, id, &work.target) };
        // Signals tell of a failure before the thing itself does.
        let verdict = signals::wanted(&resource, work, kind.roll().is_some(), self.cx.now());
        if let signals::Verdict::Failed(why) = verdict {
            return self.fail(id, &work.phase, why).await;
        }
        match kind.stability(&owner, physical_id, &request).await {
            Ok(Stability::Ready) => {}
            Ok(Stability::Pending(why)) => {
                self.later(id, why);
                return Ok(());
            }
            Ok(Stability::Failed(why)) => return self.fail(id, &work.phase, why).await,
            Err(error) => return self.call_failed(id, work, error).await,
        }
        if let signals::Verdict::Waiting(why) = verdict {
            self.later(id, why);
            return Ok(());
        }
        match kind.attributes(&owner, physical_id, &request).await {
            Ok(attributes) => {
                let attributes = complete(attributes, &work.target);
                let target = Live { attributes: KeptJson::from(&attributes), ..Live::clone(&work.target) };
                self.done(id, work, Arc::new(target)).await
            }
            Err(error) => self.call_failed(id, work, error).await,
        }
    }

    async fn done(&self, id: &str, work: &Work, target: Arc<Live>) -> Result<(), Error> {
        self.controller.memory.came_on(&self.name.id, id);
        let phase = work.phase.clone();
        self.write(id, true, |stack, resource| {
            let Some(work) = settling(resource, &phase) else { return false };
            work.progress = Progress::Done;
            work.target = target.clone();
            let verb = verb(stack, work);
            resource.live = Some(target);
            resource.status = format!("{verb}_COMPLETE");
            resource.reason = None;
            resource.roll = None;
            true
        })
        .await?;
        Ok(())
    }

    /// The work has failed, for this reason.
    pub(super) async fn fail(&self, id: &str, phase: &str, reason: String) -> Result<(), Error> {
        self.controller.memory.came_on(&self.name.id, id);
        self.write(id, true, |stack, resource| {
            let under_way = |progress| matches!(progress, Progress::Begun | Progress::Made | Progress::Settling);
            let open = |work: &&mut Work| work.phase == phase && under_way(work.progress);
            let Some(work) = resource.work.as_mut().filter(open) else { return false };
            work.progress = Progress::Failed;
            let verb = verb(stack, work);
            resource.status = format!("{verb}_FAILED");
            resource.reason = Some(told(reason, stack));
            true
        })
        .await?;
        Ok(())
    }

    /// Another resource has failed: this one is not waited for.
    pub(super) async fn cancel(&self, id: &str) -> Result<(), Error> {
        let Some(stack) = self.stack()? else { return Ok(()) };
        let creates = self
            .resource(id)?
            .is_some_and(|resource| resource.work_of(&stack.phase()).is_some_and(|work| work.action == Action::Create));
        let what = if creates { "Resource creation cancelled" } else { "Resource update cancelled" };
        self.fail(id, &stack.phase(), what.to_owned()).await
    }
}

/// What `Fn::GetAtt` gives: what the type read from the thing, and for the rest the property of the same name that
/// the thing was made with. What has no value is left out.
fn complete(mut attributes: BTreeMap<String, Json>, live: &Live) -> BTreeMap<String, Json> {
    attributes.retain(|_, value| !value.is_null());
    let properties = live.properties.value();
    let names = schemas::FACTS.get(&live.resource_type).map(|schema| &schema.attributes);
    for name in names.into_iter().flatten().filter(|name| !name.contains('*')) {
        let pointer = format!("/{}", name.replace('.', "/"));
        if let (false, Some(value)) = (attributes.contains_key(name), properties.pointer(&pointer)) {
            attributes.insert(name.clone(), value.clone());
        }
    }
    attributes
}

/// The work of a phase that has not come to its end.
pub fn settling<'r>(resource: &'r mut Resource, phase: &str) -> Option<&'r mut Work> {
    resource.work.as_mut().filter(|work| work.phase == phase && work.progress == Progress::Settling)
}
