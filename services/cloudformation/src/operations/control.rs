//! Deleting, cancelling, going back, going on.

use super::{arn_of, stack_of};
use crate::errors::validation;
use crate::records::family;
use crate::records::stack::find;
use crate::records::{Operation as StackOperation, OperationKind, Stack, Status};
use crate::stack::role;
use crate::stack::start::{self, Deletion, begin_delete, current, go_back};
use kiln_cloudformation_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Touched, Tx, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteStack: delete_stack(DeleteStackRequest), on deleted),
    operation!(CancelUpdateStack: cancel_update_stack(CancelUpdateStackRequest), on cancelled),
    operation!(ContinueUpdateRollback: continue_update_rollback(ContinueUpdateRollbackRequest), on continued),
    operation!(RollbackStack: rollback_stack(RollbackStackRequest), on rolled_back),
    operation!(UpdateTerminationProtection: update_termination_protection(UpdateTerminationProtectionRequest),
        on protected),
];

fn deleted(cx: &Cx, request: &DeleteStackRequest) -> Touched {
    arn_of(cx, &request.stack_name)
}
fn cancelled(cx: &Cx, request: &CancelUpdateStackRequest) -> Touched {
    arn_of(cx, &request.stack_name)
}
fn continued(cx: &Cx, request: &ContinueUpdateRollbackRequest) -> Touched {
    arn_of(cx, &request.stack_name)
}
fn rolled_back(cx: &Cx, request: &RollbackStackRequest) -> Touched {
    arn_of(cx, &request.stack_name)
}
fn protected(cx: &Cx, request: &UpdateTerminationProtectionRequest) -> Touched {
    arn_of(cx, &request.stack_name)
}

/// What concerns an operation as a whole is asked of the stack at the top, which hands it down.
fn refuse_nested(stack: &Stack, what: &str) -> Result<(), Error> {
    match stack.parent {
        None => Ok(()),
        Some(_) => Err(validation(format!("{what} cannot be invoked on child stacks"))),
    }
}

/// Changes a stack in one transaction, on its newest state.
async fn change(
    cx: &Cx,
    id: &str,
    change: impl FnOnce(&mut Tx<'_>, &mut Stack) -> Result<bool, Error>,
) -> Result<(), Error> {
    cx.store()
        .write(|tx| {
            let mut stack = current(tx.get(cx.scope(), id)?, id)?;
            match change(tx, &mut stack)? {
                true => start::put(tx, cx, &stack),
                false => Ok(tx.put(cx.scope(), id, stack)?),
            }
        })
        .await
}

async fn delete_stack(cx: &Cx, request: DeleteStackRequest) -> Result<DeleteStackResponse, Error> {
    let found = find(cx.store(), cx.scope(), &request.stack_name)?;
    let goes =
        |stack: &std::sync::Arc<Stack>| matches!(stack.status, Status::DeleteInProgress | Status::DeleteComplete);
    let Some(stack) = found.filter(|stack| !goes(stack)) else { return Ok(DeleteStackResponse {}) };
    role::check(cx, request.role_arn.as_deref(), stack.role_arn.as_deref(), &stack.id).await?;
    let force = request.deletion_mode.as_deref() == Some("FORCE_DELETE_STACK");
    cx.store()
        .write::<_, Error>(|tx| {
            let stack = current(tx.get(cx.scope(), &stack.id)?, &stack.id)?;
            if matches!(stack.status, Status::DeleteInProgress | Status::DeleteComplete) {
                return Ok(());
            }
            if family::protected(&*tx, cx.scope(), &stack)? {
                return Err(validation(format!(
                    "Stack [{}] cannot be deleted while TerminationProtection is enabled",
                    stack.name
                )));
            }
            let failed_before = stack.status == Status::DeleteFailed;
            if (force || !request.retain_resources.is_empty()) && !failed_before {
                return Err(validation(format!(
                    "Invalid operation on stack [{}]. RetainResources and FORCE_DELETE_STACK are for stacks in \
                     DELETE_FAILED state",
                    stack.name
                )));
            }
            let operation = StackOperation {
                skip: request.retain_resources.iter().cloned().collect(),
                force,
                ..start::operation(cx, OperationKind::Delete, request.client_request_token.clone())
            };
            begin_delete(tx, cx, stack, Deletion { operation, role_arn: request.role_arn.clone() })
        })
        .await?;
    Ok(DeleteStackResponse {})
}

async fn cancel_update_stack(cx: &Cx, request: CancelUpdateStackRequest) -> Result<CancelUpdateStackResponse, Error> {
    let stack = stack_of(cx, &request.stack_name)?;
    refuse_nested(&stack, "CancelUpdateStack")?;
    change(cx, &stack.id, |_, stack| {
        if stack.status != Status::UpdateInProgress {
            return Err(validation("CancelUpdateStack cannot be called from current stack status"));
        }
        if let Some(operation) = &mut stack.operation {
            operation.failed = Some("User Initiated".to_owned());
            // The events of the way back are those of this call; without a token of its own they stay the update's.
            if request.client_request_token.is_some() {
                operation.token = request.client_request_token;
            }
        }
        // Cancelling means going back, also where a failure would not.
        stack.on_failure = crate::records::stack::OnFailure::Rollback;
        Ok(false)
    })
    .await?;
    Ok(CancelUpdateStackResponse {})
}

async fn continue_update_rollback(
    cx: &Cx,
    request: ContinueUpdateRollbackRequest,
) -> Result<ContinueUpdateRollbackResponse, Error> {
    let stack = stack_of(cx, &request.stack_name)?;
    refuse_nested(&stack, "RollbackUpdatedStack")?;
    role::check(cx, request.role_arn.as_deref(), stack.role_arn.as_deref(), &stack.id).await?;
    change(cx, &stack.id, |_, stack| {
        if stack.status != Status::UpdateRollbackFailed {
            return Err(validation(format!(
                "Stack:{} is in {} state and can not continue rollback.",
                stack.id, stack.status
            )));
        }
        go_back(cx, stack, request.client_request_token, request.role_arn);
        if let Some(operation) = &mut stack.operation {
            operation.skip = request.resources_to_skip.into_iter().collect();
        }
        stack.status = Status::UpdateRollbackInProgress;
        Ok(true)
    })
    .await?;
    Ok(ContinueUpdateRollbackResponse {})
}

async fn rollback_stack(cx: &Cx, request: RollbackStackRequest) -> Result<RollbackStackResponse, Error> {
    let stack = stack_of(cx, &request.stack_name)?;
    refuse_nested(&stack, "RollbackStack")?;
    role::check(cx, request.role_arn.as_deref(), stack.role_arn.as_deref(), &stack.id).await?;
    change(cx, &stack.id, |_, stack| {
        let to = match stack.status {
            Status::CreateFailed => Status::RollbackInProgress,
            Status::UpdateFailed => Status::UpdateRollbackInProgress,
            other => {
                return Err(validation(format!("Stack:{} is in {other} state and can not be rolled back.", stack.id)));
            }
        };
        go_back(cx, stack, request.client_request_token, request.role_arn);
        stack.status = to;
        if let Some(retain) = request.retain_except_on_create {
            stack.retain_except_on_create = retain;
        }
        Ok(true)
    })
    .await?;
    let stack = stack_of(cx, &stack.id)?;
    let operation_id = stack.operation.as_ref().map(|operation| operation.id.clone());
    Ok(RollbackStackResponse { stack_id: Some(stack.id.clone()), operation_id })
}

async fn update_termination_protection(
    cx: &Cx,
    request: UpdateTerminationProtectionRequest,
) -> Result<UpdateTerminationProtectionResponse, Error> {
    let stack = stack_of(cx, &request.stack_name)?;
    refuse_nested(&stack, "UpdateTerminationProtection")?;
    change(cx, &stack.id, |_, stack| {
        stack.termination_protection = request.enable_termination_protection;
        Ok(false)
    })
    .await?;
    Ok(UpdateTerminationProtectionResponse { stack_id: Some(stack.id.clone()) })
}
