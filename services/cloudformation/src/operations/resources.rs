//! Resources of stacks, and the signals they wait for.

use super::{arn_of, find_any, stack_of};
use crate::errors::{bad_token, no_stack, validation};
use crate::records::deleted::resources;
use crate::records::{Progress, Resource, Stack, log};
use kiln_cloudformation_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Target, Touched, operation, paginate};

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeStackResource: describe_stack_resource(DescribeStackResourceRequest), on one),
    operation!(DescribeStackResources: describe_stack_resources(DescribeStackResourcesRequest), on several),
    operation!(ListStackResources: list_stack_resources(ListStackResourcesRequest), on listed),
    operation!(SignalResource: signal_resource(SignalResourceRequest), on signalled),
];

/// Resources per page.
const PAGE: usize = 100;

fn one(cx: &Cx, request: &DescribeStackResourceRequest) -> Touched {
    arn_of(cx, &request.stack_name)
}
fn several(cx: &Cx, request: &DescribeStackResourcesRequest) -> Touched {
    match (&request.stack_name, &request.physical_resource_id) {
        (Some(name), _) => arn_of(cx, name),
        (None, Some(physical)) => Ok(holder(cx, physical)?.map(Target::new).into_iter().collect()),
        (None, None) => Ok(vec![]),
    }
}

/// The stack that has a resource.
fn holder(cx: &Cx, physical: &str) -> Result<Option<String>, Error> {
    let has = cx.store().whole().by_key::<Resource>(cx.scope(), "physical-id", physical)?;
    Ok(has.first().map(|(_, has)| has.stack_id.clone()))
}
fn listed(cx: &Cx, request: &ListStackResourcesRequest) -> Touched {
    arn_of(cx, &request.stack_name)
}
fn signalled(cx: &Cx, request: &SignalResourceRequest) -> Touched {
    arn_of(cx, &request.stack_name)
}

fn no_resource(id: &str, stack: &str) -> Error {
    validation(format!("Resource {id} does not exist for stack {stack}"))
}

const NOT_CHECKED: &str = "NOT_CHECKED";

async fn describe_stack_resource(
    cx: &Cx,
    request: DescribeStackResourceRequest,
) -> Result<DescribeStackResourceResponse, Error> {
    let stack = find_any(cx, &request.stack_name)?
        .ok_or_else(|| validation(format!("Stack '{}' does not exist", request.stack_name)))?;
    let id = &request.logical_resource_id;
    let resource = resources(cx, &stack.id)?.remove(id).ok_or_else(|| no_resource(id, &stack.name))?;
    let making = resource.work.as_ref().filter(|work| work.progress != Progress::Done).map(|work| &work.target);
    let metadata = making.or(resource.live.as_ref()).and_then(|live| live.metadata.as_ref());
    let detail = StackResourceDetail {
        stack_name: Some(stack.name.clone()),
        stack_id: Some(stack.id.clone()),
        logical_resource_id: Some(resource.logical_id.clone()),
        physical_resource_id: resource.physical_id().map(str::to_owned),
        resource_type: Some(resource.resource_type.clone()),
        last_updated_timestamp: Some(resource.updated),
        resource_status: Some(resource.status.clone()),
        resource_status_reason: resource.reason.clone(),
        metadata: metadata.map(|metadata| metadata.text().to_owned()),
        drift_information: Some(drift()),
        ..Default::default()
    };
    Ok(DescribeStackResourceResponse { stack_resource_detail: Some(detail) })
}

fn drift() -> StackResourceDriftInformation {
    StackResourceDriftInformation {
        stack_resource_drift_status: Some(NOT_CHECKED.to_owned()),
        last_check_timestamp: None,
    }
}

async fn describe_stack_resources(
    cx: &Cx,
    request: DescribeStackResourcesRequest,
) -> Result<DescribeStackResourcesResponse, Error> {
    let stack_id = match (&request.stack_name, &request.physical_resource_id) {
        (Some(_), Some(_)) => {
            return Err(validation("Either StackName or PhysicalResourceId can be given, not both."));
        }
        (Some(name), None) => stack_of(cx, name)?.id.clone(),
        (None, Some(physical)) => {
            holder(cx, physical)?.ok_or_else(|| validation(format!("Stack for {physical} does not exist")))?
        }
        (None, None) => return Err(validation("Either StackName or PhysicalResourceId must be given.")),
    };
    let wanted = request.logical_resource_id.as_ref();
    let all = resources(cx, &stack_id)?;
    let shown = all.values().filter(|resource| wanted.is_none_or(|id| *id == resource.logical_id));
    let stack_resources: Vec<StackResource> = shown
        .map(|resource| StackResource {
            stack_name: Some(resource.stack_name.clone()),
            stack_id: Some(resource.stack_id.clone()),
            logical_resource_id: Some(resource.logical_id.clone()),
            physical_resource_id: resource.physical_id().map(str::to_owned),
            resource_type: Some(resource.resource_type.clone()),
            timestamp: Some(resource.updated),
            resource_status: Some(resource.status.clone()),
            resource_status_reason: resource.reason.clone(),
            drift_information: Some(drift()),
            ..Default::default()
        })
        .collect();
    match (wanted, stack_resources.is_empty()) {
        (Some(id), true) => Err(no_resource(id, request.stack_name.as_deref().unwrap_or(&stack_id))),
        _ => Ok(DescribeStackResourcesResponse { stack_resources }),
    }
}

async fn list_stack_resources(
    cx: &Cx,
    request: ListStackResourcesRequest,
) -> Result<ListStackResourcesResponse, Error> {
    let stack = stack_of(cx, &request.stack_name)?;
    let all = resources(cx, &stack.id)?.into_iter().collect();
    let page = paginate(all, |(id, _): &(String, _)| id, request.next_token.as_deref(), PAGE, bad_token)?;
    let stack_resource_summaries = page
        .items
        .iter()
        .map(|(_, resource)| StackResourceSummary {
            logical_resource_id: Some(resource.logical_id.clone()),
            physical_resource_id: resource.physical_id().map(str::to_owned),
            resource_type: Some(resource.resource_type.clone()),
            last_updated_timestamp: Some(resource.updated),
            resource_status: Some(resource.status.clone()),
            resource_status_reason: resource.reason.clone(),
            drift_information: Some(StackResourceDriftInformationSummary {
                stack_resource_drift_status: Some(NOT_CHECKED.to_owned()),
                last_check_timestamp: None,
            }),
            ..Default::default()
        })
        .collect();
    Ok(ListStackResourcesResponse { stack_resource_summaries, next_token: page.next_token })
}

async fn signal_resource(cx: &Cx, request: SignalResourceRequest) -> Result<SignalResourceResponse, Error> {
    let stack = stack_of(cx, &request.stack_name)?;
    let id = &request.logical_resource_id;
    let key = Resource::key(&stack.id, id);
    cx.store()
        .write::<_, Error>(|tx| {
            let stack = tx.get::<Stack>(cx.scope(), &stack.id)?.ok_or_else(|| no_stack(&request.stack_name))?;
            let found = tx.get::<Resource>(cx.scope(), &key)?.ok_or_else(|| no_resource(id, &stack.name))?;
            let mut resource = (*found).clone();
            let takes = resource.work.as_ref().is_some_and(|work| {
                let under_way = matches!(work.progress, Progress::Begun | Progress::Made | Progress::Settling);
                under_way && (work.target.creation_policy.is_some() || resource.roll.is_some())
            });
            if !takes {
                return Err(validation(format!(
                    "Resource {id} is in {} state and can not be signaled",
                    resource.status
                )));
            }
            let success = request.status == "SUCCESS";
            match resource.signals.get(&request.unique_id) {
                Some(known) if *known == success => return Ok(()),
                Some(_) => {
                    return Err(validation(format!(
                        "A signal with UniqueId {} was already received for resource {id}",
                        request.unique_id
                    )));
                }
                None => {}
            }
            resource.signals.insert(request.unique_id.clone(), success);
            resource.reason = Some(format!("Received {} signal with UniqueId {}", request.status, request.unique_id));
            resource.updated = tx.now();
            log::resource(tx, cx, &stack, &resource)?;
            tx.put(cx.scope(), &key, resource)?;
            Ok(())
        })
        .await?;
    Ok(SignalResourceResponse {})
}
