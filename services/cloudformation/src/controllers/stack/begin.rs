//! Forward: work out what a resource is to be, compare it with what is there, and begin.

use super::{Act, verb};
use crate::records::family::NESTED;
use crate::records::{Action, KeptJson, Live, Progress, Resource, Stack, Status, Undo, Version, Work, log, resource};
use crate::stack::changes::deployed;
use crate::stack::request::is_refusal;
use crate::stack::world::{When, evaluate, facts};
use crate::stack::{policy, schemas, secrets};
use kiln_service_kit::{Error, Tx};
use kiln_template::changes::{Replacement, compare};
use kiln_template::{DeletionPolicy, Evaluator, ResolvedResource, check_properties, is_unknown, schema};
use serde_json::Value as Json;
use std::sync::Arc;

impl Act<'_> {
    /// Begins with a resource that the target version wants.
    pub(super) async fn begin(&self, id: &str) -> Result<(), Error> {
        let Some(stack) = self.stack()? else { return Ok(()) };
        let Some(version) = &stack.target else { return Ok(()) };
        if !matches!(stack.status, Status::CreateInProgress | Status::UpdateInProgress) {
            return Ok(());
        }
        let found = self.resource(id)?;
        if found.as_ref().is_some_and(|resource| resource.work_of(&stack.phase()).is_some()) {
            return Ok(());
        }
        let resolved = self.resolve(&stack, version, id).await;
        let work = match resolved.and_then(|resolved| self.decide(&stack, version, id, found.as_deref(), resolved)) {
            Ok(work) => work,
            Err(error) if is_refusal(&error) => return self.begin_failed(&stack, version, id, error.message).await,
            Err(error) => return Err(error),
        };
        let denied = policy::denies(&stack, id, &work);
        let kept = work.action == Action::Keep;
        self.write_begun(&stack, id, work).await?;
        match denied {
            Some(reason) => self.fail(id, &stack.phase(), reason).await,
            None if kept => Ok(()),
            None => self.carry(id).await,
        }
    }

    /// The resource with everything worked out and its properties right for its type; and its properties as
    /// callers may see them, where they differ.
    async fn resolve(
        &self,
        stack: &Stack,
        version: &Version,
        id: &str,
    ) -> Result<(ResolvedResource, Option<Json>), Error> {
        let template = self.template(version)?;
        let known = facts(&resource::of_stack(self.cx.store(), &self.name.scope, &stack.id)?);
        let owner = self.as_owner(stack);
        let hidden = secrets::hidden(&version.parameters);
        let work = |evaluator: &Evaluator<'_>| {
            let resolved = evaluator.resource(id)?;
            let shown = hidden.as_ref().map(|hidden| secrets::shown(evaluator, hidden, id, &resolved.properties));
            Ok((resolved, shown))
        };
        let ((mut resolved, shown), _) =
            evaluate(&owner, When::Now, stack.into(), &template, version, known, work).await?;
        let schema = schemas::of(&resolved.resource_type).map_err(crate::errors::template)?;
        resolved.properties = check_properties(schema, &resolved.properties).map_err(|violations| {
            crate::errors::validation(format!(
                "Properties validation failed for resource {id} with message: {}",
                schema::violations_text(&violations)
            ))
        })?;
        if is_unknown(&resolved.properties) {
            let unknown = resolved.properties.as_object().into_iter().flatten().filter(|(_, value)| is_unknown(value));
            let names: Vec<&str> = unknown.map(|(name, _)| name.as_str()).collect();
            let what =
                format!("Properties of {id} refer to a value that its resource does not give: {}", names.join(", "));
            return Err(crate::errors::validation(what));
        }
        let shown = shown.filter(|shown| *shown != resolved.properties);
        Ok((resolved, shown))
    }

    fn decide(
        &self,
        stack: &Stack,
        version: &Version,
        id: &str,
        found: Option<&Resource>,
        (resolved, shown): (ResolvedResource, Option<Json>),
    ) -> Result<Work, Error> {
        let schema = schemas::of(&resolved.resource_type).map_err(crate::errors::template)?;
        let kind = self.kind(&resolved.resource_type)?;
        let shown = shown.as_ref().map(KeptJson::from);
        let mut target = Live { shown, ..self.fresh(stack, version, id, &resolved) };
        let live = found.and_then(|resource| resource.live.as_ref());
        let action = match live {
            None => Action::Create,
            // A creation that failed and was left for the user to mend: made anew, after the old one where there
            // cannot be two.
            Some(live) if found.is_some_and(|resource| resource.status == "CREATE_FAILED") => {
                let before = live.properties.value();
                let named = schemas::keeps_its_name(&*kind, &before, &resolved.properties).is_some();
                if named || schema.delete_before_create { Action::DeleteThenCreate } else { Action::Replace }
            }
            Some(live) => {
                let comparison = compare(schema, &deployed(live), &resolved);
                let tags = schema.tags.is_some() && live.stack_tags != target.stack_tags;
                match comparison.replacement {
                    Replacement::True if schema.delete_before_create => Action::DeleteThenCreate,
                    Replacement::True => Action::Replace,
                    // Perhaps replaced: the type says NotUpdatable when it comes to that.
                    _ if tags || resolved.resource_type == NESTED || !comparison.details.is_empty() => Action::Update,
                    // A rolling update that failed left sizes and processes that are not the group's own.
                    _ if found.is_some_and(|resource| resource.roll.is_some()) => Action::Update,
                    _ => Action::Keep,
                }
            }
        };
        if let (Some(live), Action::Replace) = (live, action)
            && let Some(reason) = schemas::keeps_its_name(&*kind, &live.properties.value(), &resolved.properties)
            && found.is_some_and(|resource| resource.status != "CREATE_FAILED")
        {
            return Err(crate::errors::validation(reason));
        }
        if let (Some(live), Action::Update | Action::Keep) = (live, action) {
            target.physical_id = live.physical_id.clone();
            target.token = live.token.clone();
            target.physical_name = live.physical_name.clone();
            target.attributes = live.attributes.clone();
        }
        let progress = if action == Action::Keep { Progress::Done } else { Progress::Begun };
        Ok(Work { phase: stack.phase(), action, progress, since: self.cx.now(), target: Arc::new(target) })
    }

    /// A thing that is yet to be made.
    fn fresh(&self, stack: &Stack, version: &Version, id: &str, resolved: &ResolvedResource) -> Live {
        let word = |policy: Option<DeletionPolicy>| policy.map(|policy| policy.as_str().to_owned());
        Live {
            physical_id: None,
            token: self.cx.ids().uuid(),
            physical_name: physical_name(&stack.name, id, &self.cx.ids().upper(12)),
            resource_type: resolved.resource_type.clone(),
            properties: KeptJson::from(&resolved.properties),
            shown: None,
            metadata: resolved.metadata.as_ref().map(KeptJson::from),
            creation_policy: resolved.creation_policy.as_ref().map(KeptJson::from),
            update_policy: resolved.update_policy.as_ref().map(KeptJson::from),
            deletion_policy: word(resolved.deletion_policy),
            update_replace_policy: word(resolved.update_replace_policy),
            attributes: Default::default(),
            needs: version.needs.get(id).cloned().unwrap_or_else(Default::default),
            stack_tags: KeptJson::from(&version.tags),
        }
    }

    /// Notes what is about to be done, and what there was before, before anything is done.
    async fn write_begun(&self, stack: &Stack, id: &str, work: Work) -> Result<(), Error> {
        let (scope, key) = (&self.name.scope, Resource::key(&stack.id, id));
        self.cx
            .store()
            .write(|tx: &mut Tx<'_>| {
                let Some(now) = tx.get::<Stack>(scope, &stack.id)? else { return Ok(()) };
                if now.phase() != work.phase {
                    return Ok(());
                }
                let found = tx.get::<Resource>(scope, &key)?;
                if found.as_ref().is_some_and(|resource| resource.work_of(&work.phase).is_some()) {
                    return Ok(());
                }
                let operation = now.operation.as_ref().map(|operation| operation.id.clone());
                let mut resource = match found {
                    Some(found) => (*found).clone(),
                    None => blank(&now, id, &work.target),
                };
                let operation = operation.ok_or_else(|| Error::internal("a phase without an operation"))?;
                // A second try within an operation goes back to where the first one began.
                if resource.undo.as_ref().is_none_or(|undo| undo.operation != operation) {
                    let before = resource.live.clone();
                    resource.undo = Some(Undo { operation, before, tried: None, before_gone: false });
                }
                if let (Action::Update, Some(undo)) = (work.action, &mut resource.undo) {
                    undo.tried = Some(work.target.properties.clone());
                }
                resource.signals.clear();
                resource.updated = tx.now();
                if work.action == Action::Keep {
                    resource.live = Some(work.target.clone());
                    resource.work = Some(work);
                } else {
                    resource.status = format!("{}_IN_PROGRESS", verb(&now, &work));
                    resource.reason = match work.action {
                        Action::Replace | Action::DeleteThenCreate => Some(
                            "Requested update requires the creation of a new physical resource; hence creating one."
                                .to_owned(),
                        ),
                        _ => None,
                    };
                    resource.work = Some(work);
                    log::resource(tx, self.cx, &now, &resource)?;
                }
                tx.put(scope, &key, resource)?;
                Ok::<(), Error>(())
            })
            .await
    }

    /// The resource could not even be worked out.
    async fn begin_failed(&self, stack: &Arc<Stack>, version: &Version, id: &str, reason: String) -> Result<(), Error> {
        let found = self.resource(id)?;
        let live = found.as_ref().and_then(|resource| resource.live.clone());
        let action = if live.is_some() { Action::Update } else { Action::Create };
        let target = match live {
            Some(live) => live,
            None => {
                let template = self.template(version)?;
                let resource_type = template.resources.get(id).map(|resource| resource.resource_type.clone());
                Arc::new(Live {
                    physical_id: None,
                    token: self.cx.ids().uuid(),
                    physical_name: String::new(),
                    resource_type: resource_type
                        .ok_or_else(|| Error::internal(format!("{id} is not in its template")))?,
                    properties: KeptJson::from(&Json::Object(Default::default())),
                    shown: None,
                    metadata: None,
                    creation_policy: None,
                    update_policy: None,
                    deletion_policy: None,
                    update_replace_policy: None,
                    attributes: Default::default(),
                    needs: Default::default(),
                    stack_tags: Default::default(),
                })
            }
        };
        let phase = stack.phase();
        let work = Work { phase: phase.clone(), action, progress: Progress::Begun, since: self.cx.now(), target };
        self.write_begun(stack, id, work).await?;
        self.fail(id, &phase, reason).await
    }
}

fn blank(stack: &Stack, id: &str, target: &Live) -> Resource {
    Resource {
        stack_id: stack.id.clone(),
        stack_name: stack.name.clone(),
        logical_id: id.to_owned(),
        resource_type: target.resource_type.clone(),
        status: String::new(),
        reason: None,
        updated: stack.created,
        live: None,
        old: vec![],
        undo: None,
        work: None,
        signals: Default::default(),
        roll: None,
    }
}

/// `STACK-LOGICAL-RANDOM`, short enough for names of 64 characters (roles).
fn physical_name(stack: &str, logical_id: &str, random: &str) -> String {
    let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    format!("{}-{}-{random}", cut(stack, 24), cut(logical_id, 24))
}
