//! Events: what happened to a stack and its resources, in the order it happened. They are history: each is noted in
//! the transaction that made it true, in the stream of its stack, and read from the journal.

use super::{KeptJson, Resource, Stack};
use kiln_delivery::{Address, Note, Parcel, Policy, deliver_if_it_fits};
use kiln_service_kit::{Cx, Entry, Error, Happening, Position, Record, Timestamp, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// How long CloudFormation tells of what happened: 90 days.
pub const REMEMBERED: Duration = Duration::from_secs(90 * 24 * 3600);

/// An event; its stream is its stack's ARN.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    pub stack_id: String,
    pub stack_name: String,
    /// Its place in the stack's events, in the records of a kiln that kept events in the store.
    #[serde(default, skip_serializing)]
    pub number: u64,
    pub event_id: String,
    pub logical_id: String,
    pub physical_id: String,
    pub resource_type: String,
    pub at: Timestamp,
    pub status: String,
    pub reason: Option<String>,
    pub properties: Option<KeptJson>,
    pub token: Option<String>,
    pub operation_id: Option<String>,
}

impl Entry for Event {
    const KIND: &'static str = "cloudformation/event";
    const KEPT: Duration = REMEMBERED;
}

/// As events were kept before there was a journal; see `moved.rs`.
impl Record for Event {
    const KIND: &'static str = "cloudformation/event";
}

/// Which stack an operation is about; its stream is the operation's id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OperationOf {
    pub stack_id: String,
}

impl Entry for OperationOf {
    const KIND: &'static str = "cloudformation/operation";
    const KEPT: Duration = REMEMBERED;
}

/// Writes events.
pub mod log {
    use super::*;

    /// The stack has come to the state that its record now says.
    pub fn stack(tx: &mut Tx<'_>, cx: &Cx, stack: &Stack) -> Result<(), Error> {
        let event = Event {
            event_id: cx.ids().uuid(),
            logical_id: stack.name.clone(),
            physical_id: stack.id.clone(),
            resource_type: "AWS::CloudFormation::Stack".to_owned(),
            status: stack.status.to_string(),
            reason: stack.reason.clone(),
            ..blank(tx, stack)
        };
        if let Some(operation) = &stack.operation {
            let (at, of) = (Position::new(operation.started, ""), OperationOf { stack_id: stack.id.clone() });
            cx.history().note_at(tx, cx.scope(), &operation.id, &at, &of)?;
        }
        write(tx, cx, stack, event)
    }

    /// A resource has come to the state that its record now says.
    pub fn resource(tx: &mut Tx<'_>, cx: &Cx, stack: &Stack, resource: &Resource) -> Result<(), Error> {
        let about = resource.work.as_ref().map(|work| &work.target).or(resource.live.as_ref());
        let physical_id = match &resource.work {
            Some(work) => work.target.physical_id.clone(),
            None => resource.live.as_ref().and_then(|live| live.physical_id.clone()),
        };
        // Two of one state may be of one moment: the second says that the thing is being made.
        let (commit, order) = tx.place();
        let event = Event {
            event_id: format!("{}-{}-{}-{commit}.{order}", resource.logical_id, resource.status, tx.now()),
            logical_id: resource.logical_id.clone(),
            physical_id: physical_id.unwrap_or_default(),
            resource_type: resource.resource_type.clone(),
            status: resource.status.clone(),
            reason: resource.reason.clone(),
            properties: about.map(|live| live.shown.as_ref().unwrap_or(&live.properties).clone()),
            ..blank(tx, stack)
        };
        write(tx, cx, stack, event)
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

    fn write(tx: &mut Tx<'_>, cx: &Cx, stack: &Stack, event: Event) -> Result<(), Error> {
        tell(tx, cx, &event)?;
        let version = stack.target.as_ref().or(stack.current.as_ref());
        for topic in version.iter().flat_map(|version| &version.notification_arns) {
            let parcel = Parcel { subject: Some(SUBJECT.to_owned()), ..Parcel::of(told(cx, &event)) };
            let (to, source_arn) = (Address::Topic(topic.clone()), event.stack_id.clone());
            let (by, policy) = (PRINCIPAL.to_owned(), Policy::INSIDE);
            deliver_if_it_fits(tx, cx.scope(), Note { to, by, source_arn, parcel, policy, dead_letter: None })?;
        }
        Ok(cx.history().note(tx, cx.scope(), &event.stack_id, &event)?)
    }

    /// As whom topics are told, and what the messages are called.
    const PRINCIPAL: &str = "cloudformation.amazonaws.com";
    const SUBJECT: &str = "AWS CloudFormation Notification";
    /// Bytes of properties in a message; what is longer is left out.
    const MOST: usize = 64 << 10;

    /// The message of an event: a line for each member. Source: the user guide, "Set CloudFormation stack options",
    /// and what topics get.
    fn told(cx: &Cx, event: &Event) -> String {
        let properties = event.properties.as_ref().map(|properties| properties.text().to_owned());
        let properties = properties.filter(|text| text.len() <= MOST).unwrap_or_else(|| "null".to_owned());
        let members = [
            ("StackId", event.stack_id.as_str()),
            ("Timestamp", &event.at.iso8601_millis()),
            ("EventId", &event.event_id),
            ("LogicalResourceId", &event.logical_id),
            ("Namespace", cx.account()),
            ("PhysicalResourceId", &event.physical_id),
            ("ResourceProperties", &properties),
            ("ResourceStatus", &event.status),
            ("ResourceStatusReason", event.reason.as_deref().unwrap_or("")),
            ("ResourceType", &event.resource_type),
            ("StackName", &event.stack_name),
            ("ClientRequestToken", event.token.as_deref().unwrap_or("null")),
        ];
        members.iter().map(|(name, value)| format!("{name}='{value}'\n")).collect()
    }

    /// For EventBridge. Source: AWS CloudFormation User Guide, "CloudFormation event details for EventBridge".
    fn tell(tx: &mut Tx<'_>, cx: &Cx, event: &Event) -> Result<(), Error> {
        let of_stack = event.physical_id == event.stack_id;
        let detail_type =
            if of_stack { "CloudFormation Stack Status Change" } else { "CloudFormation Resource Status Change" };
        cx.emit(tx, "aws.cloudformation", detail_type, || {
            let mut detail = json!({
                "stack-id": event.stack_id,
                "status-details": {"status": event.status, "status-reason": event.reason.as_deref().unwrap_or("")},
                "client-request-token": event.token.as_deref().unwrap_or(""),
            });
            if !of_stack {
                detail["logical-resource-id"] = event.logical_id.as_str().into();
                detail["physical-resource-id"] = event.physical_id.as_str().into();
                detail["resource-type"] = event.resource_type.as_str().into();
            }
            Happening { resources: vec![event.stack_id.clone()], detail }
        })
    }
}
