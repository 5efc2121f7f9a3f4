//! One row per operation. [`invoke`](crate::invoke) is the path that every call of one takes.

use crate::{Cx, Error};
use kiln_protocol::{Http, ServiceModel, StructShape, Value};
use std::{future::Future, pin::Pin};

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
