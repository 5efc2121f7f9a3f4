//! Stacks that are gone: history, in the transaction that ends them. By its ARN a stack can be described for 90 days
//! as it was at its end, with its resources, its template and what its change sets came to; and ListStacks names it.

use super::event::REMEMBERED;
use super::{ChangeSet, Operation, Resource, Stack, resource};
use kiln_service_kit::{Cx, Entry, Error, Position, Scope, Timestamp, Tx};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A stack at its end; its stream is its ARN.
///
/// ListStackResources: "For deleted stacks, ListStackResources returns resource information for up to 90 days after
/// the stack has been deleted".
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deleted {
    pub stack: Stack,
    pub resources: Vec<Resource>,
    /// Its executed change sets in the order they were made: their names lead to them.
    #[serde(default)]
    pub change_sets: Vec<Named>,
}

/// A change set of a stack that is gone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Named {
    pub name: String,
    pub id: String,
}

impl Entry for Deleted {
    const KIND: &'static str = "cloudformation/deleted-stack";
    const KEPT: Duration = REMEMBERED;
}

/// What became of an executed change set of a stack that is gone; its stream is its ARN.
impl Entry for ChangeSet {
    const KIND: &'static str = "cloudformation/deleted-change-set";
    const KEPT: Duration = REMEMBERED;
}

/// What ListStacks shows of a stack. Those of deleted stacks are in one stream, by the time of their creation.
///
/// ListStacks: "Summary information for stacks that have been deleted is kept for 90 days after the stack is
/// deleted."
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub status: String,
    pub reason: Option<String>,
    pub created: Timestamp,
    pub updated: Option<Timestamp>,
    pub deleted: Option<Timestamp>,
    pub operation: Option<Operation>,
    pub parent_id: Option<String>,
    pub root_id: Option<String>,
}

impl Entry for Row {
    const KIND: &'static str = "cloudformation/deleted-stack-row";
    const KEPT: Duration = REMEMBERED;
    // It is placed by the creation and ages from the deletion on.
    const AGES_IN_ORDER: bool = false;

    fn ages_from(&self, noted: Timestamp) -> Timestamp {
        self.deleted.unwrap_or(noted)
    }
}

/// The stream of the rows.
pub const ALL: &str = "all";

impl Row {
    pub fn of(stack: &Stack) -> Row {
        Row {
            id: stack.id.clone(),
            name: stack.name.clone(),
            description: stack.shown().and_then(|version| version.description.clone()),
            status: stack.status.to_string(),
            reason: stack.reason.clone(),
            created: stack.created,
            updated: stack.updated,
            deleted: stack.deleted,
            operation: stack.operation.clone(),
            parent_id: stack.parent.as_ref().map(|parent| parent.stack_id.clone()),
            root_id: stack.parent.as_ref().map(|parent| parent.root_id.clone()),
        }
    }

    /// Where it stands among all stacks.
    pub fn position(&self) -> Position {
        Position::named(self.created, &self.id)
    }
}

/// A stack has come to its end: it and all that belongs to it leave the store and are history.
pub fn keep(tx: &mut Tx<'_>, cx: &Cx, scope: &Scope, stack: Stack) -> Result<(), Error> {
    let id = stack.id.clone();
    let resources: Vec<Resource> =
        resource::of_stack(tx, scope, &id)?.into_values().map(|resource| (*resource).clone()).collect();
    for resource in &resources {
        tx.delete::<Resource>(scope, &Resource::key(&id, &resource.logical_id));
    }
    let history = cx.history();
    let at = Position::new(stack.deleted.unwrap_or(tx.now()), "");
    let mut sets = tx.by_key::<ChangeSet>(scope, "stack", &id)?;
    sets.sort_by_key(|(_, set)| set.created);
    for (set_id, set) in &sets {
        tx.delete::<ChangeSet>(scope, set_id);
        history.note_at(tx, scope, set_id, &at, &**set)?;
    }
    let change_sets = sets.iter().map(|(_, set)| Named { name: set.name.clone(), id: set.id.clone() }).collect();
    let row = Row::of(&stack);
    history.note_at(tx, scope, ALL, &row.position(), &row)?;
    history.note_at(tx, scope, &id, &at, &Deleted { stack, resources, change_sets })?;
    tx.delete::<Stack>(scope, &id);
    Ok(())
}

/// The stack of an ARN, if it is gone.
pub fn find(cx: &Cx, id: &str) -> Result<Option<Deleted>, Error> {
    match id.starts_with("arn:") {
        true => Ok(cx.history().newest(cx.scope(), id)?),
        false => Ok(None),
    }
}

/// The resources of a stack, also of one that is gone, by logical id.
pub fn resources(cx: &Cx, id: &str) -> Result<BTreeMap<String, Arc<Resource>>, Error> {
    if cx.store().get::<Stack>(cx.scope(), id)?.is_some() {
        return resource::of_stack(cx.store(), cx.scope(), id);
    }
    let gone = find(cx, id)?.map(|deleted| deleted.resources).into_iter().flatten();
    Ok(gone.map(|resource| (resource.logical_id.clone(), Arc::new(resource))).collect())
}

/// A change set by its ARN, also of a stack that is gone.
pub fn change_set(cx: &Cx, id: &str) -> Result<Option<Arc<ChangeSet>>, Error> {
    match cx.store().get::<ChangeSet>(cx.scope(), id)? {
        Some(set) => Ok(Some(set)),
        None => Ok(cx.history().newest(cx.scope(), id)?.map(Arc::new)),
    }
}

/// The change set of a name, the one made last, of a stack that is gone.
pub fn named_change_set(cx: &Cx, stack_id: &str, name: &str) -> Result<Option<Arc<ChangeSet>>, Error> {
    let Some(gone) = find(cx, stack_id)? else { return Ok(None) };
    match gone.change_sets.iter().rev().find(|set| set.name == name) {
        Some(set) => change_set(cx, &set.id),
        None => Ok(None),
    }
}
