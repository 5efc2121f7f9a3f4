//! Stacks as callers see them.

use super::{arn_of, stack_of};
use crate::errors::bad_token;
use crate::records::deleted::{self, Row};
use crate::records::family;
use crate::records::stack::OnFailure;
use crate::records::{Stack as Kept, Status};
use crate::stack::secrets::HIDDEN;
use kiln_cloudformation_shapes::*;
use kiln_service_kit::{Asked, Cx, Error, Operation, Target, Touched, operation, page_of, paginate};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeStacks: describe_stacks(DescribeStacksRequest), on described),
    operation!(ListStacks: list_stacks(ListStacksRequest), on listed),
    operation!(DescribeAccountLimits: describe_account_limits(DescribeAccountLimitsRequest), on everything),
];

/// Stacks per page.
const PAGE: usize = 100;

fn described(cx: &Cx, request: &DescribeStacksRequest) -> Touched {
    match &request.stack_name {
        Some(name) => arn_of(cx, name),
        None => all_stacks(cx),
    }
}

/// What AWS asks about where no stack is named.
fn all_stacks(cx: &Cx) -> Touched {
    Ok(vec![Target::new(cx.arn("cloudformation", "stack/*/*"))])
}

fn listed(cx: &Cx, _: &ListStacksRequest) -> Touched {
    all_stacks(cx)
}

/// Newest first: the key of a page counts down.
fn newest_first(stacks: Vec<Arc<Kept>>) -> Vec<(String, Arc<Kept>)> {
    let key = |stack: &Kept| format!("{:020}#{}", i64::MAX - stack.created.millis(), stack.id);
    let mut keyed: Vec<(String, Arc<Kept>)> = stacks.into_iter().map(|stack| (key(&stack), stack)).collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    keyed
}

fn all(cx: &Cx) -> Result<Vec<Arc<Kept>>, Error> {
    Ok(cx.store().list::<Kept>(cx.scope())?.into_iter().map(|(_, stack)| stack).collect())
}

async fn describe_stacks(cx: &Cx, request: DescribeStacksRequest) -> Result<DescribeStacksResponse, Error> {
    if let Some(name) = &request.stack_name {
        return Ok(DescribeStacksResponse { stacks: vec![shown(cx, &*stack_of(cx, name)?)?], next_token: None });
    }
    // One that is gone is described by its ARN only; it may still be there if it could not be moved at the start.
    let mut there = all(cx)?;
    there.retain(|stack| stack.status != Status::DeleteComplete);
    let page = paginate(newest_first(there), |(key, _)| key, request.next_token.as_deref(), PAGE, bad_token)?;
    let stacks = page.items.iter().map(|(_, stack)| shown(cx, stack)).collect::<Result<_, _>>()?;
    Ok(DescribeStacksResponse { stacks, next_token: page.next_token })
}

async fn list_stacks(cx: &Cx, request: ListStacksRequest) -> Result<ListStacksResponse, Error> {
    let wanted = &request.stack_status_filter;
    let passes = |row: &Row| wanted.is_empty() || wanted.contains(&row.status);
    // First those that are there: what ends meanwhile is history then.
    let there = all(cx)?.iter().map(|stack| Row::of(stack)).map(|row| (row.position(), row)).collect();
    let asked = Asked::newest(deleted::ALL, request.next_token.as_deref(), PAGE);
    let page = page_of(cx, asked, there, passes, bad_token)?;
    let summary = |row: Row| StackSummary {
        last_operations: last_operations(row.operation.as_ref()),
        stack_id: Some(row.id),
        stack_name: Some(row.name),
        template_description: row.description,
        creation_time: Some(row.created),
        last_updated_time: row.updated,
        deletion_time: row.deleted,
        stack_status: Some(row.status),
        stack_status_reason: row.reason,
        drift_information: Some(StackDriftInformationSummary {
            stack_drift_status: Some("NOT_CHECKED".to_owned()),
            last_check_timestamp: None,
        }),
        parent_id: row.parent_id,
        root_id: row.root_id,
    };
    let stack_summaries = page.items.into_iter().map(summary).collect();
    Ok(ListStacksResponse { stack_summaries, next_token: page.next_token })
}

fn last_operations(operation: Option<&crate::records::Operation>) -> Vec<OperationEntry> {
    let entry = |operation: &crate::records::Operation| OperationEntry {
        operation_type: Some(operation.kind.as_str().to_owned()),
        operation_id: Some(operation.id.clone()),
    };
    operation.into_iter().map(entry).collect()
}

/// A version's parameters; those with NoEcho hidden.
pub fn parameters(version: &crate::records::Version) -> Vec<Parameter> {
    let given = version.parameters.given.iter();
    given
        .map(|(name, value)| {
            let secret = version.parameters.no_echo.contains(name);
            Parameter {
                parameter_key: Some(name.clone()),
                parameter_value: Some(if secret { HIDDEN.to_owned() } else { value.clone() }),
                use_previous_value: None,
                resolved_value: version
                    .parameters
                    .resolved
                    .get(name)
                    .map(|value| if secret { HIDDEN.to_owned() } else { value.clone() }),
            }
        })
        .collect()
}

/// A version's tags.
pub fn tags(version: &crate::records::Version) -> Vec<Tag> {
    version.tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect()
}

fn shown(cx: &Cx, stack: &Kept) -> Result<Stack, Error> {
    let version = stack.shown().map(|version| &**version);
    let protected = family::protected(cx.store(), cx.scope(), stack)?;
    Ok(Stack {
        stack_id: Some(stack.id.clone()),
        stack_name: Some(stack.name.clone()),
        change_set_id: stack.change_set_id.clone(),
        description: version.and_then(|version| version.description.clone()),
        parameters: version.map(parameters).unwrap_or_default(),
        creation_time: Some(stack.created),
        deletion_time: stack.deleted,
        last_updated_time: stack.updated,
        rollback_configuration: Some(RollbackConfiguration::default()),
        stack_status: Some(stack.status.to_string()),
        stack_status_reason: stack.reason.clone(),
        disable_rollback: Some(stack.on_failure == OnFailure::DoNothing),
        timeout_in_minutes: stack.timeout_minutes,
        capabilities: version.map(|version| version.capabilities.clone()).unwrap_or_default(),
        outputs: stack
            .outputs
            .iter()
            .map(|output| Output {
                output_key: Some(output.name.clone()),
                output_value: Some(output.value.clone()),
                description: output.description.clone(),
                export_name: output.export_name.clone(),
            })
            .collect(),
        role_arn: stack.role_arn.clone(),
        notification_arns: version.map(|version| version.notification_arns.clone()).unwrap_or_default(),
        tags: version.map(tags).unwrap_or_default(),
        enable_termination_protection: Some(protected),
        parent_id: stack.parent.as_ref().map(|parent| parent.stack_id.clone()),
        root_id: stack.parent.as_ref().map(|parent| parent.root_id.clone()),
        drift_information: Some(StackDriftInformation {
            stack_drift_status: Some("NOT_CHECKED".to_owned()),
            last_check_timestamp: None,
        }),
        retain_except_on_create: Some(stack.retain_except_on_create),
        last_operations: last_operations(stack.operation.as_ref()),
        ..Default::default()
    })
}

async fn describe_account_limits(
    _: &Cx,
    _: DescribeAccountLimitsRequest,
) -> Result<DescribeAccountLimitsResponse, Error> {
    // What a template may hold is bounded (200 outputs); how many stacks there are is not.
    let limit = AccountLimit { name: Some("StackOutputsLimit".to_owned()), value: Some(200) };
    Ok(DescribeAccountLimitsResponse { account_limits: vec![limit], next_token: None })
}
