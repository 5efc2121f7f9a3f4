//! Creating and updating stacks.

use super::{arn_of, find_any, stack_of};
use crate::errors::validation;
use crate::records::stack::{OnFailure, find};
use crate::records::{OperationKind, Stack};
use crate::stack::request::Wish;
use crate::stack::start::{self, Begin, check_name, current};
use crate::stack::{changes, policy, role};
use kiln_cloudformation_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Touched, operation, request_hash};
use kiln_template::changes::Action;
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateStack: create_stack(CreateStackRequest), on created),
    operation!(UpdateStack: update_stack(UpdateStackRequest), on updated),
];

fn created(cx: &Cx, request: &CreateStackRequest) -> Touched {
    arn_of(cx, &request.stack_name)
}
fn updated(cx: &Cx, request: &UpdateStackRequest) -> Touched {
    arn_of(cx, &request.stack_name)
}

async fn create_stack(cx: &Cx, request: CreateStackRequest) -> Result<CreateStackResponse, Error> {
    check_name(&request.stack_name)?;
    if request.on_failure.is_some() && request.disable_rollback.is_some() {
        return Err(validation("You can specify either DisableRollback or OnFailure, but not both."));
    }
    let hash = request_hash(&request);
    let policy = policy::given(cx, request.stack_policy_body.as_ref(), request.stack_policy_url.as_ref()).await?;
    let mut stack = start::blank(cx, &request.stack_name);
    role::check(cx, request.role_arn.as_deref(), None, &stack.id).await?;
    let wish = Wish {
        template_body: request.template_body.clone(),
        template_url: request.template_url.clone(),
        use_previous_template: false,
        parameters: request.parameters.clone(),
        capabilities: request.capabilities.clone(),
        tags: request.tags.clone(),
        resource_types: request.resource_types.clone(),
        notification_arns: request.notification_arns.clone(),
        rollback_configuration: request.rollback_configuration.clone(),
        reviewed: false,
    };
    let prepared = wish.prepare(cx, (&stack).into(), None).await?;
    stack.policy = policy;
    stack.timeout_minutes = request.timeout_in_minutes;
    stack.termination_protection = request.enable_termination_protection.unwrap_or(false);
    stack.retain_except_on_create = request.retain_except_on_create.unwrap_or(false);
    let token = request.client_request_token.as_deref();
    let operation = start::operation(cx, OperationKind::Create, request.client_request_token.clone());
    let operation_id = operation.id.clone();
    let begin = Begin {
        version: Arc::new(prepared.version),
        imports: prepared.imports,
        role_arn: request.role_arn.clone(),
        on_failure: OnFailure::of(request.on_failure.as_deref(), request.disable_rollback),
        operation,
    };
    let stack_id = cx
        .store()
        .write::<_, Error>(|tx| {
            if let Some(earlier) = start::earlier(tx, cx, "CreateStack", token, &hash)? {
                return Ok(earlier);
            }
            if find(&*tx, cx.scope(), &stack.name)?.is_some() {
                let message = format!("Stack [{}] already exists", stack.name);
                return Err(Error::sender("AlreadyExistsException", message));
            }
            start::begin(tx, cx, &mut stack, begin)?;
            start::remember(tx, cx, "CreateStack", token, &hash, &stack.id)?;
            Ok(stack.id.clone())
        })
        .await?;
    Ok(CreateStackResponse { stack_id: Some(stack_id), operation_id: Some(operation_id) })
}

async fn update_stack(cx: &Cx, request: UpdateStackRequest) -> Result<UpdateStackResponse, Error> {
    let stack = find_any(cx, &request.stack_name)?
        .ok_or_else(|| validation(format!("Stack [{}] does not exist", request.stack_name)))?;
    let hash = request_hash(&request);
    let token = request.client_request_token.clone();
    if let Some(token) = &token {
        let known = cx.store().write(|tx| start::earlier(tx, cx, "UpdateStack", Some(token), &hash)).await?;
        if let Some(stack_id) = known {
            return Ok(UpdateStackResponse { stack_id: Some(stack_id), operation_id: None });
        }
    }
    start::check_updatable(&stack)?;
    let policy = policy::given(cx, request.stack_policy_body.as_ref(), request.stack_policy_url.as_ref()).await?;
    let (during, during_url) = (&request.stack_policy_during_update_body, &request.stack_policy_during_update_url);
    let during = policy::given(cx, during.as_ref(), during_url.as_ref()).await?;
    role::check(cx, request.role_arn.as_deref(), stack.role_arn.as_deref(), &stack.id).await?;
    let wish = Wish {
        template_body: request.template_body.clone(),
        template_url: request.template_url.clone(),
        use_previous_template: request.use_previous_template.unwrap_or(false),
        parameters: request.parameters.clone(),
        capabilities: request.capabilities.clone(),
        tags: request.tags.clone(),
        resource_types: request.resource_types.clone(),
        notification_arns: request.notification_arns.clone(),
        rollback_configuration: request.rollback_configuration.clone(),
        reviewed: false,
    };
    let prepared = wish.prepare(cx, (&*stack).into(), stack.current.as_deref().or(stack.target.as_deref())).await?;
    let changes = changes::of(cx, &stack, &prepared).await?;
    let same = prepared.version.tags == tags_of(&stack) && prepared.version.notification_arns == topics_of(&stack);
    if changes.is_none() && stack.target.is_none() && same {
        return Err(validation("No updates are to be performed."));
    }
    let mut operation = start::operation(cx, OperationKind::Update, token.clone());
    operation.policy = during;
    check_removals(&stack, &operation, &changes)?;
    let operation_id = operation.id.clone();
    let begin = Begin {
        version: Arc::new(prepared.version),
        imports: prepared.imports,
        role_arn: request.role_arn.clone(),
        on_failure: OnFailure::of(None, request.disable_rollback),
        operation,
    };
    cx.store()
        .write::<_, Error>(|tx| {
            let mut stack = current(tx.get::<Stack>(cx.scope(), &stack.id)?, &stack.name)?;
            start::check_updatable(&stack)?;
            if let Some(policy) = policy {
                stack.policy = Some(policy);
            }
            stack.retain_except_on_create = request.retain_except_on_create.unwrap_or(false);
            start::begin(tx, cx, &mut stack, begin)?;
            start::remember(tx, cx, "UpdateStack", token.as_deref(), &hash, &stack.id)
        })
        .await?;
    Ok(UpdateStackResponse { stack_id: Some(stack_of(cx, &stack.id)?.id.clone()), operation_id: Some(operation_id) })
}

fn topics_of(stack: &Stack) -> Vec<String> {
    stack.current.as_ref().map(|version| version.notification_arns.clone()).unwrap_or_default()
}

fn tags_of(stack: &Stack) -> std::collections::BTreeMap<String, String> {
    match &stack.current {
        Some(version) => version.tags.clone(),
        None => Default::default(),
    }
}

/// The stack policy may forbid to remove resources; that is known before anything is done.
pub fn check_removals(
    stack: &Stack,
    operation: &crate::records::Operation,
    changes: &changes::Changes,
) -> Result<(), Error> {
    let asked = Stack { operation: Some(operation.clone()), ..stack.clone() };
    let removed = changes.resources.iter().filter(|change| change.action == Action::Remove);
    for change in removed {
        if let Some(reason) = policy::denies_action(&asked, &change.logical_id, &change.resource_type, "Update:Delete")
        {
            return Err(validation(reason));
        }
    }
    Ok(())
}
