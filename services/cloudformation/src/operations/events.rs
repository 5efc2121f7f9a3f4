//! Events, newest first.

use super::change_sets::stack_of_set;
use super::{arn_of, stack_of};
use crate::errors::{bad_token, validation};
use crate::records::{Event, deleted, event::OperationOf};
use kiln_cloudformation_shapes::*;
use kiln_service_kit::{Asked, Cx, Error, Operation, Target, Touched, operation, page_of};

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeStackEvents: describe_stack_events(DescribeStackEventsRequest), on of_stack),
    operation!(DescribeEvents: describe_events(DescribeEventsRequest), on of_any),
];

/// Events per page.
const PAGE: usize = 100;

fn of_stack(cx: &Cx, request: &DescribeStackEventsRequest) -> Touched {
    arn_of(cx, &request.stack_name)
}
fn of_any(cx: &Cx, request: &DescribeEventsRequest) -> Touched {
    match (&request.change_set_name, &request.stack_name, &request.operation_id) {
        (Some(set), stack, _) => stack_of_set(cx, set, stack.as_deref()),
        (None, Some(name), _) => arn_of(cx, name),
        (None, None, Some(id)) => Ok(of_operation(cx, id)?.map(Target::new).into_iter().collect()),
        (None, None, None) => Ok(vec![]),
    }
}

/// The stack of a creation, update or deletion.
fn of_operation(cx: &Cx, id: &str) -> Result<Option<String>, Error> {
    Ok(cx.history().newest::<OperationOf>(cx.scope(), id)?.map(|of| of.stack_id))
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
    let token = request.next_token.as_deref();
    let page = page_of(cx, Asked::newest(&stack.id, token, PAGE), vec![], |_: &Event| true, bad_token)?;
    let stack_events = page.items.iter().map(shown).collect();
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
        resource_properties: event.properties.as_ref().map(|properties| properties.text().to_owned()),
        client_request_token: event.token.clone(),
        ..Default::default()
    }
}

async fn describe_events(cx: &Cx, request: DescribeEventsRequest) -> Result<DescribeEventsResponse, Error> {
    let stack_id = match (&request.change_set_name, &request.stack_name, &request.operation_id) {
        (Some(set), _, _) if set.starts_with("arn:") => {
            let set = deleted::change_set(cx, set)?;
            Some(
                set.ok_or_else(|| crate::errors::no_change_set(request.change_set_name.as_deref().unwrap_or("")))?
                    .stack_id
                    .clone(),
            )
        }
        (_, Some(name), _) => Some(stack_of(cx, name)?.id.clone()),
        (None, None, Some(id)) => of_operation(cx, id)?,
        (_, None, _) => return Err(validation("Either StackName, ChangeSetName or OperationId must be given.")),
    };
    let failed_only = request.filters.as_ref().and_then(|filters| filters.failed_events).unwrap_or(false);
    let Some(stack_id) = stack_id else { return Ok(DescribeEventsResponse::default()) };
    let wanted = |event: &Event| {
        request.operation_id.as_ref().is_none_or(|id| Some(id) == event.operation_id.as_ref())
            && (!failed_only || event.status.ends_with("_FAILED"))
    };
    let token = request.next_token.as_deref();
    let page = page_of(cx, Asked::newest(&stack_id, token, PAGE), vec![], wanted, bad_token)?;
    let operation_events = page.items.iter().map(operation_event).collect();
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
        resource_properties: event.properties.as_ref().map(|properties| properties.text().to_owned()),
        client_request_token: event.token.clone(),
        ..Default::default()
    }
}
