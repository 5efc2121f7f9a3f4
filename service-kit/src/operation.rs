//! One row per operation, and the one path every call takes, from outside or from another service.

use crate::calls::CallRecord;
use crate::{Cx, Error, one_line};
use futures_util::FutureExt;
use kiln_protocol::{Http, ServiceModel, StructShape, Value};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::{future::Future, pin::Pin};
use tracing::Instrument;

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Value, Error>> + Send + 'a>>;

/// An operation that Kiln serves.
pub struct Operation {
    pub name: &'static str,
    pub model: &'static ServiceModel,
    pub input: &'static StructShape,
    pub output: &'static StructShape,
    pub http: Http,
    /// Authorizes, then handles. The flag is `DryRun`: handled on a store that writes nothing, so that
    /// it says of what is wrong what the call itself would.
    pub call: for<'a> fn(&'a Cx, Value, bool) -> Answer<'a>,
}

/// Validates, authorizes, handles and logs one call. `value` has the shape of the operation's input.
///
/// What is logged meanwhile carries the call's span: its request's id, what was asked and in which account.
pub async fn invoke(cx: &Cx, operation: &Operation, value: Value) -> Result<Value, Error> {
    let (service, name) = (operation.model.name, operation.name);
    let (request_id, account) = (cx.request_id(), cx.account());
    let span = tracing::info_span!("call", request_id, service, operation = name, account);
    recorded(cx, operation, value).instrument(span).await
}

async fn recorded(cx: &Cx, operation: &Operation, value: Value) -> Result<Value, Error> {
    let started = std::time::Instant::now();
    let name = || format!("call {}:{}", operation.model.name, operation.name);
    let answer =
        AssertUnwindSafe(cx.platform().store().counted(name, checked(cx, operation, value))).catch_unwind().await;
    // One that breaks off is a failed call too; the caller's side goes on with the panic.
    let (answer, panic) = match answer {
        Ok(answer) => (answer, None),
        Err(panic) => (Err(Error::internal("the operation broke off")), Some(panic)),
    };
    let took = started.elapsed();
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

async fn checked(cx: &Cx, operation: &Operation, value: Value) -> Result<Value, Error> {
    kiln_protocol::validate(&value, operation.input, cx.protocol_of(operation.model))?;
    let dry_run = match (&value, operation.input.find("DryRun")) {
        (Value::Struct(members), Some((at, _))) => matches!(members.get(at), Some(Value::Bool(true))),
        _ => false,
    };
    (operation.call)(cx, value, dry_run).await
}

#[doc(hidden)]
pub fn dry_run_passed() -> Error {
    kiln_store::StoreError::Rehearsed.into()
}

#[doc(hidden)]
pub const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// A row: `operation!(RunInstances: run_instances(RunInstancesRequest))`.
///
/// The handler is `async fn(&Cx, RunInstancesRequest) -> Result<RunInstancesResponse, E>` with
/// `E: Into<Error>`. With `, on instance_arns` a `fn(&Cx, &RunInstancesRequest) -> Vec<String>`
/// names the resources that policies are matched against (otherwise what the service's
/// [`Targets`](crate::Targets) say, or `*`), and with
/// `, on instance_arns, given request_tags` a `fn(&Cx, &RunInstancesRequest) -> Vec<(&str, String)>`
/// gives further condition keys; with `, open` the call needs no permission (GetCallerIdentity).
#[macro_export]
macro_rules! operation {
    ($name:ident: $handler:ident($input:ty)) => { $crate::operation!(@row $name, $handler, $input, |cx, input| {
        cx.authorize_call::<$input>(input).await
    }) };
    ($name:ident: $handler:ident($input:ty), open) => { $crate::operation!(@row $name, $handler, $input, |_cx, _input| {
        Ok::<(), $crate::Error>(())
    }) };
    ($name:ident: $handler:ident($input:ty), on $resources:path) => { $crate::operation!(@row $name, $handler, $input, |cx, input| {
        cx.authorize_on::<$input>(input, $resources(cx, input), &[]).await
    }) };
    ($name:ident: $handler:ident($input:ty), on $resources:path, given $keys:path) => { $crate::operation!(@row $name, $handler, $input, |cx, input| {
        cx.authorize_on::<$input>(input, $resources(cx, input), &$keys(cx, input)).await
    }) };
    (@row $name:ident, $handler:ident, $input:ty, |$cx:ident, $in:ident| $authorize:expr) => { {
        const _: () = assert!($crate::__same(stringify!($name), <$input as $crate::Request>::OPERATION), "the row's name is not the operation's");
        $crate::Operation {
            name: stringify!($name),
            model: <$input as $crate::Request>::SERVICE,
            input: <$input as $crate::__StructTyped>::SHAPE,
            output: <<$input as $crate::Request>::Response as $crate::__StructTyped>::SHAPE,
            http: <$input as $crate::Request>::HTTP,
            call: |cx, value, dry_run| Box::pin(async move {
                let input = <$input as $crate::__Shape>::from_value(value)?;
                {
                    let ($cx, $in) = (cx, &input);
                    $authorize?;
                }
                // A dry run does all of it, up to what would be written.
                let rehearsal = dry_run.then(|| cx.rehearsing());
                let cx = rehearsal.as_ref().unwrap_or(cx);
                let answer: <$input as $crate::Request>::Response = $handler(cx, input).await.map_err($crate::Error::from)?;
                if dry_run { return Err($crate::__dry_run_passed()); }
                Ok($crate::__Shape::to_value(&answer))
            }),
        }
    } };
}
