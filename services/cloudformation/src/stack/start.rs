//! How operations on a stack begin, whoever asks: the one place that writes a new target.

use crate::errors::{no_stack, validation};
use crate::records::stack::OnFailure;
use crate::records::{Operation, OperationKind, Stack, Status, Version, change_set, log};
use crate::stack::exports::{first_missing, still_used};
use kiln_service_kit::{Cx, Error, Remembered, Tx};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A new operation.
pub fn operation(cx: &Cx, kind: OperationKind, token: Option<String>) -> Operation {
    Operation {
        id: cx.ids().uuid(),
        kind,
        started: cx.now(),
        token,
        failed: None,
        policy: None,
        skip: BTreeSet::new(),
        force: false,
        tries: 0,
        asked: None,
    }
}

/// An operation of a nested stack, as part of what its parent is about.
pub fn asked_by(parent: &Stack, operation: Operation) -> Operation {
    let token = parent.operation.as_ref().and_then(|operation| operation.token.clone());
    Operation { asked: Some(parent.phase()), token, ..operation }
}

/// A new stack, without a state to go to.
pub fn blank(cx: &Cx, name: &str) -> Stack {
    Stack {
        id: Stack::arn(cx.scope(), name, &cx.ids().uuid()),
        name: name.to_owned(),
        status: Status::ReviewInProgress,
        reason: Some("User Initiated".to_owned()),
        created: cx.now(),
        updated: None,
        deleted: None,
        owner: cx.caller().clone(),
        role_arn: None,
        current: None,
        target: None,
        outputs: vec![],
        imports: BTreeSet::new(),
        operation: None,
        on_failure: OnFailure::Rollback,
        timeout_minutes: None,
        termination_protection: false,
        policy: None,
        change_set_id: None,
        retain_except_on_create: false,
        parent: None,
        earlier: None,
        host: None,
    }
}

/// What an update or a creation is begun with.
pub struct Begin {
    pub version: Arc<Version>,
    pub imports: BTreeSet<String>,
    pub role_arn: Option<String>,
    pub on_failure: OnFailure,
    pub operation: Operation,
}

/// Sets a new target; the controller does the rest.
pub fn begin(tx: &mut Tx<'_>, cx: &Cx, stack: &mut Stack, begin: Begin) -> Result<(), Error> {
    let creates = begin.operation.kind == OperationKind::Create;
    stack.status = if creates { Status::CreateInProgress } else { Status::UpdateInProgress };
    stack.reason = Some("User Initiated".to_owned());
    let mut operation = begin.operation;
    if let Some(earlier) = stack.operation.as_ref().filter(|_| !creates && stack.target.is_some()) {
        // The earlier operation failed and was left as it was: going back means to where it began.
        operation.id = earlier.id.clone();
        operation.tries = earlier.tries + 1;
    }
    // Known only now: what is imported may have come since it was asked for, or gone.
    operation.failed = first_missing(&*tx, cx.scope(), &begin.imports)?;
    stack.target = Some(begin.version);
    stack.operation = Some(operation);
    stack.on_failure = begin.on_failure;
    stack.owner = cx.caller().clone();
    stack.host = cx.request_host().map(str::to_owned);
    stack.imports.extend(begin.imports);
    if begin.role_arn.is_some() {
        stack.role_arn = begin.role_arn;
    }
    if !creates || stack.change_set_id.is_some() {
        stack.updated = Some(tx.now());
    }
    put(tx, cx, stack)
}

/// Writes a stack with the event of its new state.
pub fn put(tx: &mut Tx<'_>, cx: &Cx, stack: &Stack) -> Result<(), Error> {
    log::stack(tx, cx, stack)?;
    tx.put(cx.scope(), &stack.id, stack.clone())?;
    Ok(())
}

/// What a deletion is begun with.
pub struct Deletion {
    pub operation: Operation,
    pub role_arn: Option<String>,
}

/// The stack is to go; the controller does the rest.
pub fn begin_delete(tx: &mut Tx<'_>, cx: &Cx, mut stack: Stack, deletion: Deletion) -> Result<(), Error> {
    if stack.status.in_progress() && stack.status != Status::CreateInProgress {
        return Err(validation(format!("Stack [{}] cannot be deleted while in status {}", stack.name, stack.status)));
    }
    if let Some(reason) = still_used(&*tx, cx.scope(), &stack)? {
        return Err(validation(reason));
    }
    change_set::discard(tx, cx.scope(), &stack.id)?;
    stack.status = Status::DeleteInProgress;
    stack.reason = Some("User Initiated".to_owned());
    stack.operation = Some(deletion.operation);
    stack.owner = cx.caller().clone();
    if deletion.role_arn.is_some() {
        stack.role_arn = deletion.role_arn;
    }
    put(tx, cx, &stack)
}

/// The same operation goes on the way back: its id stays, for what it changed is kept under it.
pub fn go_back(cx: &Cx, stack: &mut Stack, token: Option<String>, role_arn: Option<String>) {
    stack.reason = Some("User Initiated".to_owned());
    stack.owner = cx.caller().clone();
    if role_arn.is_some() {
        stack.role_arn = role_arn;
    }
    if let Some(operation) = &mut stack.operation {
        operation.tries += 1;
        operation.token = token;
        operation.failed = None;
    }
}

/// A stack as a transaction sees it.
pub fn current(found: Option<Arc<Stack>>, name: &str) -> Result<Stack, Error> {
    found.map(|stack| (*stack).clone()).ok_or_else(|| no_stack(name))
}

/// Refuses names that AWS refuses.
pub fn check_name(name: &str) -> Result<(), Error> {
    let good = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && name.len() <= 128;
    match good {
        true => Ok(()),
        false => Err(validation(format!(
            "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        ))),
    }
}

/// Refuses an update in a state that does not allow one.
pub fn check_updatable(stack: &Stack) -> Result<(), Error> {
    match stack.status.is_updatable() {
        true => Ok(()),
        false => Err(validation(format!("Stack:{} is in {} state and can not be updated.", stack.id, stack.status))),
    }
}

/// What an earlier call with the same token made.
pub fn earlier(
    tx: &Tx<'_>,
    cx: &Cx,
    operation: &str,
    token: Option<&str>,
    hash: &str,
) -> Result<Option<String>, Error> {
    let Some(token) = token else { return Ok(None) };
    Remembered::find(tx, cx, operation, token, hash).map_err(|_| {
        Error::sender("TokenAlreadyExistsException", format!("Client request token {token} was used already."))
    })
}

/// Remembers it.
pub fn remember(
    tx: &mut Tx<'_>,
    cx: &Cx,
    operation: &str,
    token: Option<&str>,
    hash: &str,
    result: &str,
) -> Result<(), Error> {
    match token {
        Some(token) => Ok(Remembered::keep(tx, cx, operation, token, hash, result)?),
        None => Ok(()),
    }
}
