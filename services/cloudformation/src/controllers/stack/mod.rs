//! Brings stacks about. One name is one stack; its status says which phase of work is in hand, and
//! each resource's record says how far the phase has come with it. So a restart goes on where the
//! last write ended.
//!
//! ```text
//! CREATE_IN_PROGRESS ──ok──▶ CREATE_COMPLETE
//!   └─failed─▶ ROLLBACK_IN_PROGRESS (remove all) ──▶ ROLLBACK_COMPLETE
//! UPDATE_IN_PROGRESS ──ok──▶ UPDATE_COMPLETE_CLEANUP_IN_PROGRESS (remove replaced) ──▶ UPDATE_COMPLETE
//!   └─failed─▶ UPDATE_ROLLBACK_IN_PROGRESS (restore) ──▶ …_CLEANUP_IN_PROGRESS (remove new) ──▶ …_COMPLETE
//! DELETE_IN_PROGRESS (remove all) ──▶ DELETE_COMPLETE
//! ```
//! `plan` decides in which of the three kinds of phases what comes next: forward, restore, remove.
//! `forward`, `restore`, `remove` and `turn` carry steps out.

mod begin;
mod carry;
mod finish;
mod memory;
mod plan;
mod remove;
mod restore;
mod roll;
mod turn;

pub use plan::Step;

use crate::errors;
use crate::records::family;
use crate::records::{KeptJson, Live, Resource, Stack, Status, Version, Work, log, resource};
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, ResourceRequest, ResourceType, Scope, Store,
    Timestamp, Tx, async_trait,
};
use kiln_template::Template;
use memory::Memory;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The controller `cloudformation/stack`.
#[derive(Default)]
pub struct StackController {
    memory: Memory,
}

/// A stack and all its resources.
pub struct Seen {
    pub stack: Arc<Stack>,
    pub resources: BTreeMap<String, Arc<Resource>>,
    /// When resources that have not settled are to be looked at again, and what they wait for.
    pub polls: BTreeMap<String, memory::Poll>,
    /// What its clean-up waits for in the stack above it.
    pub held: Option<String>,
    /// The nested stacks that clean up.
    pub cleaning: Vec<String>,
}

#[async_trait]
impl Controller for StackController {
    const NAME: &'static str = "cloudformation/stack";
    const ABOUT: &'static str = "one stack: the graph of its resources, rollback; a nested one in step with its parent";
    const STEPS: &'static [&'static str] = &["Begin", "Cancel", "Carry", "Check", "Remove", "Restore", "Turn"];
    const ACTS_AS: &'static str = "cloudformation.amazonaws.com";
    const WATCHES: &'static [RecordKind] = &[Stack::KIND, Resource::KIND];
    const SLOTS: usize = 32;
    type Seen = Seen;
    type Step = Step;

    fn wakes(&self, store: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        if change.is::<Stack>() {
            let (names, parent) = relatives(store, change)?;
            if let Some(parent) = parent {
                self.memory.look_at_once(&parent);
            }
            return Ok(names);
        }
        // Its own kind of record, whose ids begin with the stack's.
        Ok(change.id.split_once('#').map(|(stack, _)| Name::new(&change.scope, stack)).into_iter().collect())
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        Ok(store.ids_everywhere::<Stack>().into_iter().map(|(scope, id)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Seen>, Error> {
        let Some(stack) = cx.store().get::<Stack>(&name.scope, &name.id)? else {
            self.memory.forget_stack(&name.id);
            return Ok(None);
        };
        let resources = match stack.status.in_progress() {
            true => resource::of_stack(cx.store(), &name.scope, &name.id)?,
            false => BTreeMap::new(),
        };
        let polls = self.memory.polls(&name.id);
        let held = family::held(cx.store(), &name.scope, &stack)?;
        let cleaning = match stack.status {
            Status::UpdateCleanup | Status::UpdateRollbackCleanup => cleaning(cx.store(), &name.scope, &stack)?,
            _ => vec![],
        };
        Ok(Some(Seen { stack, resources, polls, held, cleaning }))
    }

    fn plan(&self, seen: &Seen, now: Timestamp) -> Plan<Step> {
        plan::plan(seen, now)
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        let at = Act { controller: self, cx, name };
        match step {
            Step::Begin(id) => at.begin(id).await,
            Step::Restore(id) => at.restore(id).await,
            Step::Remove(id) => at.remove(id).await,
            Step::Carry(id) => at.carry(id).await,
            Step::Check(id) => at.check(id).await,
            Step::Cancel(id) => at.cancel(id).await,
            Step::Turn(turn) => at.turn(turn).await,
        }
    }
}

/// The stack and those of its family that may wait for it; and the one that it is part of.
fn relatives(store: &Store, change: &Change) -> Result<(Vec<Name>, Option<String>), Error> {
    let (scope, id) = (&change.scope, &*change.id);
    let mut names = vec![Name::new(scope, id)];
    let stack = match store.get::<Stack>(scope, id)? {
        Some(stack) => Some(stack),
        // It is gone: who waited for its end knows it as it was.
        None => change.before::<Stack>()?.record(),
    };
    let Some(stack) = stack else { return Ok((names, None)) };
    let waits = |other: &Stack| other.id != id && other.status.in_progress();
    let all = store.by_key::<Stack>(scope, "root", stack.root_id())?;
    names.extend(all.iter().filter(|(_, other)| waits(other)).map(|(id, _)| Name::new(scope, id.clone())));
    Ok((names, stack.parent.as_ref().map(|parent| parent.stack_id.clone())))
}

/// The stack's nested stacks that have not finished their part of the clean-up.
fn cleaning(store: &Store, scope: &Scope, stack: &Stack) -> Result<Vec<String>, Error> {
    let cleans = |child: &Arc<Stack>| {
        child.asked().is_some() && matches!(child.status, Status::UpdateCleanup | Status::UpdateRollbackCleanup)
    };
    let children = family::children(store, scope, &stack.id)?.into_iter().filter(cleans);
    Ok(children.map(|child| child.name.clone()).collect())
}

/// What every step is given.
struct Act<'a> {
    controller: &'a StackController,
    cx: &'a Cx,
    name: &'a Name,
}

impl Act<'_> {
    fn stack(&self) -> Result<Option<Arc<Stack>>, Error> {
        Ok(self.cx.store().get(&self.name.scope, &self.name.id)?)
    }

    fn resource(&self, logical_id: &str) -> Result<Option<Arc<Resource>>, Error> {
        Ok(self.cx.store().get(&self.name.scope, &Resource::key(&self.name.id, logical_id))?)
    }

    /// Changes a resource's record if `change` still wants to when it sees the newest; writes the
    /// event that goes with it.
    async fn write(
        &self,
        logical_id: &str,
        event: bool,
        change: impl FnOnce(&Stack, &mut Resource) -> bool,
    ) -> Result<bool, Error> {
        let scope = &self.name.scope;
        let key = Resource::key(&self.name.id, logical_id);
        self.cx
            .store()
            .write(|tx: &mut Tx<'_>| {
                let (Some(stack), Some(found)) =
                    (tx.get::<Stack>(scope, &self.name.id)?, tx.get::<Resource>(scope, &key)?)
                else {
                    return Ok(false);
                };
                let mut resource = (*found).clone();
                if !change(&stack, &mut resource) {
                    return Ok(false);
                }
                resource.updated = tx.now();
                if event {
                    log::resource(tx, self.cx, &stack, &resource)?;
                }
                tx.put(scope, &key, resource)?;
                Ok::<bool, Error>(true)
            })
            .await
    }

    /// The type that makes a resource.
    fn kind(&self, type_name: &str) -> Result<Arc<dyn ResourceType>, Error> {
        let missing =
            || errors::validation(format!("Template format error: Unrecognized resource types: [{type_name}]"));
        self.cx.platform().resource_type(type_name).ok_or_else(missing)
    }

    /// The context in which a stack's resources are made: its owner's rights count.
    fn as_owner(&self, stack: &Stack) -> Cx {
        let cx = self.cx.as_caller(stack.caller());
        match &stack.host {
            Some(host) => cx.via_host(host),
            None => cx,
        }
    }

    /// A template that was parsed when it was accepted.
    fn template(&self, version: &Version) -> Result<Arc<Template>, Error> {
        self.controller.memory.template(&self.name.id, version, || version.template().map_err(errors::template))
    }
}

/// What a resource type is told.
fn request(
    kind: &dyn ResourceType,
    stack: &Stack,
    logical_id: &str,
    live: &Live,
    previous: Option<&Live>,
) -> ResourceRequest {
    let own = [
        ("aws:cloudformation:stack-name", &stack.name),
        ("aws:cloudformation:stack-id", &stack.id),
        ("aws:cloudformation:logical-id", &logical_id.to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value.clone()));
    let tags = |stack: &KeptJson<BTreeMap<String, String>>| -> Vec<(String, String)> {
        own.iter().cloned().chain(stack.value()).collect()
    };
    ResourceRequest {
        stack_id: stack.id.clone(),
        stack_name: stack.name.clone(),
        logical_id: logical_id.to_owned(),
        token: live.token.clone(),
        physical_name: live.physical_name.clone(),
        properties: kind.carried_out(&live.properties.value()),
        previous: previous.map_or(Json::Null, |previous| kind.carried_out(&previous.properties.value())),
        tags: tags(&live.stack_tags),
        previous_tags: previous.map_or_else(Vec::new, |previous| tags(&previous.stack_tags)),
        since: stack.operation.as_ref().map_or(stack.created, |operation| operation.started),
    }
}

/// `CREATE`, `UPDATE` or `DELETE`: how a resource's states begin while this work is done.
fn verb(stack: &Stack, work: &Work) -> &'static str {
    use crate::records::Action::*;
    match work.action {
        Delete => "DELETE",
        Create if stack.status != Status::UpdateRollbackInProgress => "CREATE",
        Create | Update | Replace | DeleteThenCreate | Keep => "UPDATE",
    }
}
