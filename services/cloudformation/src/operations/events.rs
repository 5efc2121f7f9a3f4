//! Events, newest first.

use super::{arn_of, stack_of};
use crate::errors::{bad_token, validation};
use crate::records::{ChangeSet, Event};
use kiln_cloudformation_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation, paginate};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeStackEvents: describe_stack_events(DescribeStackEventsRequest), on of_stack),
    operation!(DescribeEvents: describe_events(DescribeEventsRequest), on of_any),
];

/// Events per page.
const PAGE: usize = 100;

fn of_stack(cx: &Cx, request: &DescribeStackEventsRequest) -> Vec<String> {
    arn_of(cx, &request.stack_name)
}
fn of_any(cx: &Cx, request: &DescribeEventsRequest) -> Vec<String> {
    match &request.stack_name {
        Some(name) => arn_of(cx, name),
        None => vec!["*".to_owned()],
    }
}

/// Newest first, with a key that counts down.
fn events(cx: &Cx, keep: impl Fn(&Event) -> bool) -> Result<Vec<(String, Arc<Event>)>, Error> {
    let all = cx.store().list::<Event>(cx.scope())?.into_iter().map(|(_, event)| event).filter(|event| keep(event));
    let mut keyed: Vec<(String, Arc<Event>)> =
        all.map(|event| (format!("{:020}#{}", u64::MAX - event.number, event.stack_id), event)).collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(keyed)
}

async fn describe_stack_events(
    cx: &Cx,
    request: DescribeStackEventsRequest,
) -> Result<DescribeStackEventsResponse, Error> {
    let missing = || validation(format!("Stack [{}] does not exist", request.stack_name));
    let stack = stack_of(cx, &request.stack_name).map_err(|error| match error.is("ValidationError") {
        true => missing(),
        false => error,
    })?;
    let all = events(cx, |event| event.stack_id == stack.id)?;
    let page = paginate(all, |(key, _)| key, request.next_token.as_deref(), PAGE, bad_token)?;
    let stack_events = page.items.iter().map(|(_, event)| shown(event)).collect();
    Ok(DescribeStackEventsResponse { stack_events, next_token: page.next_token })
}

fn shown(event: &Event) -> StackEvent {
    StackEvent {
        stack_id: Some(event.stack_id.clone()),
        event_id: Some(event.event_id.clone()),
        stack_name: Some(event.stack_name.clone()),
        operation_id: event.operation_id.clone(),
        logical_resource_id: Some(event.logical_id.clone()),
        physical_resource_id: Some(event.physical_id.clone()),
        resource_type: Some(event.resource_type.clone()),
        timestamp: Some(event.at),
        resource_status: Some(event.status.clone()),
        resource_status_reason: event.reason.clone(),
        resource_properties: event.properties.as_ref().map(|properties| properties.to_string()),
        client_request_token: event.token.clone(),
        ..Default::default()
    }
}

async fn describe_events(cx: &Cx, request: DescribeEventsRequest) -> Result<DescribeEventsResponse, Error> {
    let stack_id = match (&request.change_set_name, &request.stack_name, &request.operation_id) {
        (Some(set), _, _) if set.starts_with("arn:") => {
            let set = cx.store().get::<ChangeSet>(cx.scope(), set)?;
            Some(
                set.ok_or_else(|| crate::errors::no_change_set(request.change_set_name.as_deref().unwrap_or("")))?
                    .stack_id
                    .clone(),
            )
        }
        (_, Some(name), _) => Some(stack_of(cx, name)?.id.clone()),
        (None, None, Some(_)) => None,
        (_, None, _) => return Err(validation("Either StackName, ChangeSetName or OperationId must be given.")),
    };
    let failed_only = request.filters.as_ref().and_then(|filters| filters.failed_events).unwrap_or(false);
    let all = events(cx, |event| {
        stack_id.as_ref().is_none_or(|id| *id == event.stack_id)
            && request.operation_id.as_ref().is_none_or(|id| Some(id) == event.operation_id.as_ref())
            && (!failed_only || event.status.ends_with("_FAILED"))
    })?;
    let page = paginate(all, |(key, _)| key, request.next_token.as_deref(), PAGE, bad_token)?;
    let operation_events = page.items.iter().map(|(_, event)| operation_event(event)).collect();
    Ok(DescribeEventsResponse { operation_events, next_token: page.next_token })
}

fn operation_event(event: &Event) -> OperationEvent {
    OperationEvent {
        event_id: Some(event.event_id.clone()),
        stack_id: Some(event.stack_id.clone()),
        operation_id: event.operation_id.clone(),
        event_type: Some("STACK_EVENT".to_owned()),
        logical_resource_id: Some(event.logical_id.clone()),
        physical_resource_id: Some(event.physical_id.clone()),
        resource_type: Some(event.resource_type.clone()),
        timestamp: Some(event.at),
        resource_status: Some(event.status.clone()),
        resource_status_reason: event.reason.clone(),
        resource_properties: event.properties.as_ref().map(|properties| properties.to_string()),
        client_request_token: event.token.clone(),
        ..Default::default()
    }
}
