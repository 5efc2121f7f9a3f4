//! The one path that every call takes, from outside or from another service.

use crate::calls::CallRecord;
use crate::trail::{self, Begun};
use crate::{Answered, CallInHand, Cx, Error, How, Operation, one_line};
use futures_util::FutureExt;
use kiln_protocol::{Protocol, Request, Value};
use std::panic::{AssertUnwindSafe, resume_unwind};

impl Cx {
    /// Calls a public operation of any service as this caller: validated, authorized, logged.
    pub async fn call<R: Request>(&self, request: R) -> Result<R::Response, Error> {
        let operation = self
            .platform()
            .operation(R::SERVICE.name, R::OPERATION)
            .ok_or_else(|| Error::not_built(format!("{}:{}", R::SERVICE.action_prefix(), R::OPERATION)))?;
        // A typed request cannot leave a list out; an empty one means that, and must not meet a
        // model's least length.
        let mut value = request.into_value().without_empty();
        if R::SERVICE.protocol == Protocol::Ec2 {
            // As if it had come from outside.
            value = kiln_protocol::ec2::without_blanks(value, operation.input);
        }
        CallInHand::handled(self, operation, recorded(self, operation, value, true)).await?.typed()
    }
}

/// Validates, authorizes, handles and logs one call. `value` has the shape of the operation's input.
///
/// What is logged meanwhile says of which call it is ([`CallInHand`]).
pub async fn invoke(cx: &Cx, operation: &Operation, value: Value) -> Result<Value, Error> {
    CallInHand::handled(cx, operation, recorded(cx, operation, value, false)).await?.value()
}

async fn recorded(cx: &Cx, operation: &Operation, value: Value, typed: bool) -> Result<Answered, Error> {
    let started = std::time::Instant::now();
    let begun = trail::begin(cx, operation, &value);
    // What a record tells is told by the shape.
    let typed = typed && !begun.as_ref().is_some_and(Begun::wants_answer);
    let name = || format!("call {}:{}", operation.model.name, operation.name);
    let checked = cx.platform().store().counted(name, checked(cx, operation, value, typed));
    let answer = AssertUnwindSafe(checked).catch_unwind().await;
    // One that breaks off is a failed call too; the caller's side goes on with the panic.
    let (answer, panic) = match answer {
        Ok(answer) => (answer, None),
        Err(panic) => (Err(Error::internal("the operation broke off")), Some(panic)),
    };
    let took = started.elapsed();
    if let Some(begun) = begun {
        trail::end(begun, cx, operation, answer.as_ref());
    }
    let (calls, called) = (cx.platform().calls(), (operation.model.name, operation.name));
    calls.figures().count(called, cx.caller(), answer.as_ref().err(), took);
    let behind = answer.as_ref().err().filter(|error| error.inner.is_some()).map(Error::chain);
    let record = CallRecord {
        at: cx.now(),
        request_id: cx.request_id().to_owned(),
        service: operation.model.name.into(),
        operation: operation.name.into(),
        account: cx.account().to_owned(),
        region: cx.region().to_owned(),
        caller: cx.caller().arn.clone(),
        error: answer.as_ref().err().map(|e| (e.code.to_string(), one_line(&e.message, KEPT).into_owned())),
        micros: took.as_micros() as u64,
    };
    calls.push(record, behind.as_deref().map(|cause| one_line(cause, KEPT)).as_deref());
    match panic {
        Some(panic) => resume_unwind(panic),
        None => answer,
    }
}

/// A message repeats what the caller sent, of any length; records and the log keep its beginning.
const KEPT: usize = 1_000;

async fn checked(cx: &Cx, operation: &Operation, value: Value, typed: bool) -> Result<Answered, Error> {
    kiln_protocol::validate(&value, operation.input, cx.protocol_of(operation.model))?;
    let dry_run = match (&value, operation.input.find("DryRun")) {
        (Value::Struct(members), Some((at, _))) => matches!(members.get(at), Some(Value::Bool(true))),
        _ => false,
    };
    let answer = (operation.call)(cx, value, How { dry_run, typed }).await;
    answer.map_err(|error| if dry_run { rehearsed(operation, error) } else { error })
}

/// The end of a dry run in the service's words: EC2's have another code than everybody else's.
fn rehearsed(operation: &Operation, error: Error) -> Error {
    if operation.model.protocol == Protocol::Ec2 || !error.is("DryRunOperation") {
        return error;
    }
    let text = "The request would have succeeded, but the DryRun option is set.";
    Error::sender("DryRunOperationException", text)
}
