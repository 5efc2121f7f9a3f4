//! Events: what happened to a stack and its resources, numbered in the order it happened. Each is
//! written in the transaction that made it true.

use super::{Resource, Stack};
use kiln_service_kit::{Error, IdSource, Record, Scope, Timestamp, Tx};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// An event; its id in the store is `STACK-ARN#NUMBER`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    pub stack_id: String,
    pub stack_name: String,
    pub number: u64,
    pub event_id: String,
    pub logical_id: String,
    pub physical_id: String,
    pub resource_type: String,
    pub at: Timestamp,
    pub status: String,
    pub reason: Option<String>,
    pub properties: Option<Json>,
    pub token: Option<String>,
    pub operation_id: Option<String>,
}

impl Record for Event {
    const KIND: &'static str = "cloudformation/event";
}

/// The number of a stack's next event.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct NextEvent(u64);

impl Record for NextEvent {
    const KIND: &'static str = "cloudformation/next-event";
}

/// Forgets all events of a stack.
pub fn forget(tx: &mut Tx<'_>, scope: &Scope, stack_id: &str) -> Result<(), Error> {
    let prefix = format!("{stack_id}#");
    let ids: Vec<_> =
        tx.list::<Event>(scope)?.into_iter().map(|(id, _)| id).filter(|id| id.starts_with(&prefix)).collect();
    for id in ids {
        tx.delete::<Event>(scope, &id);
    }
    tx.delete::<NextEvent>(scope, stack_id);
    Ok(())
}

/// Writes events.
pub mod log {
    use super::*;

    /// The stack has come to the state that its record now says.
    pub fn stack(tx: &mut Tx<'_>, ids: &IdSource, scope: &Scope, stack: &Stack) -> Result<(), Error> {
        let event = Event {
            event_id: ids.uuid(),
            logical_id: stack.name.clone(),
            physical_id: stack.id.clone(),
            resource_type: "AWS::CloudFormation::Stack".to_owned(),
            status: stack.status.to_string(),
            reason: stack.reason.clone(),
            ..blank(tx, stack)
        };
        write(tx, scope, event)
    }

    /// A resource has come to the state that its record now says.
    pub fn resource(tx: &mut Tx<'_>, scope: &Scope, stack: &Stack, resource: &Resource) -> Result<(), Error> {
        let about = resource.work.as_ref().map(|work| &work.target).or(resource.live.as_ref());
        let physical_id = match &resource.work {
            Some(work) => work.target.physical_id.clone(),
            None => resource.live.as_ref().and_then(|live| live.physical_id.clone()),
        };
        let event = Event {
            event_id: format!("{}-{}-{}", resource.logical_id, resource.status, tx.now()),
            logical_id: resource.logical_id.clone(),
            physical_id: physical_id.unwrap_or_default(),
            resource_type: resource.resource_type.clone(),
            status: resource.status.clone(),
            reason: resource.reason.clone(),
            properties: about.map(|live| live.shown.as_ref().unwrap_or(&live.properties).clone()),
            ..blank(tx, stack)
        };
        write(tx, scope, event)
    }

    fn blank(tx: &Tx<'_>, stack: &Stack) -> Event {
        Event {
            stack_id: stack.id.clone(),
            stack_name: stack.name.clone(),
            number: 0,
            event_id: String::new(),
            logical_id: String::new(),
            physical_id: String::new(),
            resource_type: String::new(),
            at: tx.now(),
            status: String::new(),
            reason: None,
            properties: None,
            token: stack.operation.as_ref().and_then(|operation| operation.token.clone()),
            operation_id: stack.operation.as_ref().map(|operation| operation.id.clone()),
        }
    }

    fn write(tx: &mut Tx<'_>, scope: &Scope, mut event: Event) -> Result<(), Error> {
        event.number = tx.get::<NextEvent>(scope, &event.stack_id)?.map_or(0, |next| next.0);
        tx.put(scope, &event.stack_id, NextEvent(event.number + 1))?;
        let id = format!("{}#{:010}", event.stack_id, event.number);
        tx.put(scope, &id, event)?;
        Ok(())
    }
}
