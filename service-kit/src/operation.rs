//! One row per operation. [`invoke`](crate::invoke) is the path that every call of one takes.

use crate::{Cx, Error};
use kiln_protocol::{Http, ServiceModel, Shape, StructShape, Value};
use std::{any::Any, future::Future, pin::Pin};

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Answered, Error>> + Send + 'a>>;

/// How a call is to be handled.
#[derive(Debug, Clone, Copy, Default)]
pub struct How {
    /// `DryRun`: handled on a store that writes nothing, so that it says of what is wrong what the call itself would.
    pub dry_run: bool,
    /// The answer as the handler gave it, for a caller within kiln: one as the wire has it would be read again.
    pub typed: bool,
}

/// What an operation answered.
pub enum Answered {
    /// In the shape of its output.
    Value(Value),
    /// As its response's own type.
    Typed(Box<dyn Any + Send>),
}

impl Answered {
    #[doc(hidden)]
    pub fn new<T: Shape + Send + 'static>(answer: T, how: How) -> Self {
        match how.typed {
            true => Self::Typed(Box::new(answer)),
            false => Self::Value(answer.into_value()),
        }
    }

    /// The answer in the shape of the output.
    ///
    /// # Errors
    /// It was asked for as its own type.
    pub fn value(self) -> Result<Value, Error> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Typed(_) => Err(Error::internal("an answer has its own type where a value was asked for")),
        }
    }

    /// The answer as its own type.
    ///
    /// # Errors
    /// It is of another type.
    pub fn typed<T: Shape + 'static>(self) -> Result<T, Error> {
        match self {
            Self::Value(value) => Ok(T::from_value(value)?),
            Self::Typed(answer) => {
                let other = |_| Error::internal(format!("an answer is no {}", std::any::type_name::<T>()));
                answer.downcast::<T>().map(|answer| *answer).map_err(other)
            }
        }
    }
}

/// An operation that Kiln serves.
pub struct Operation {
    pub name: &'static str,
    pub model: &'static ServiceModel,
    pub input: &'static StructShape,
    pub output: &'static StructShape,
    pub http: Http,
    pub touches: Touches,
    /// Authorizes, then handles.
    pub call: for<'a> fn(&'a Cx, Value, How) -> Answer<'a>,
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

/// What an operation's row says that policies are asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touches {
    /// Nothing: the call needs no permission, or asks for it itself.
    Nothing,
    /// `*`: AWS lets policies name no resource for the action.
    Everything,
    /// What its request names.
    Things,
}

/// A row: `operation!(DeleteVpc: delete_vpc(DeleteVpcRequest), on …)`.
///
/// The handler is `async fn(&Cx, DeleteVpcRequest) -> Result<DeleteVpcResponse, E>` with `E: Into<Error>`.
/// What follows says what policies are matched against:
///
/// ```text
/// on everything        `*`: AWS's reference lists no resource type for the action
/// on vpc               the things: fn(&Cx, &DeleteVpcRequest) -> T, or a closure; T is a Target, a list
///                      of them, or a Result (IntoTouched), or a list of ARNs
/// on …, given keys     and further condition keys: fn(&Cx, &…) -> Vec<(&'static str, String)>
/// on awaited things    a fn(&Cx, &…) -> BoxFuture<Touched>, where other services must be asked
/// open                 no permission is needed (GetCallerIdentity), or the handler asks for it
/// ```
/// A row that says nothing of it does not compile:
///
/// ```compile_fail
/// # use kiln_service_kit::{Cx, Error, Operation, operation};
/// # use kiln_sts_shapes::{GetCallerIdentityRequest, GetCallerIdentityResponse};
/// async fn identity(_: &Cx, _: GetCallerIdentityRequest) -> Result<GetCallerIdentityResponse, Error> {
///     Ok(GetCallerIdentityResponse::default())
/// }
/// const ROW: Operation = operation!(GetCallerIdentity: identity(GetCallerIdentityRequest));
/// ```
/// One that does compiles:
///
/// ```
/// # use kiln_service_kit::{Cx, Error, Operation, operation};
/// # use kiln_sts_shapes::{GetCallerIdentityRequest, GetCallerIdentityResponse};
/// # async fn identity(_: &Cx, _: GetCallerIdentityRequest) -> Result<GetCallerIdentityResponse, Error> {
/// #     Ok(GetCallerIdentityResponse::default())
/// # }
/// const ROW: Operation = operation!(GetCallerIdentity: identity(GetCallerIdentityRequest), open);
/// ```
#[macro_export]
macro_rules! operation {
    ($name:ident: $handler:ident($input:ty)) => {
        compile_error!("what does the operation touch? Its row says `on …`, `on everything` or `open`")
    };
    ($name:ident: $handler:ident($input:ty), open) => { $crate::operation!(@row $name, $handler, $input, Nothing, |_cx, _input| {
        Ok::<_, $crate::Error>($crate::__LetIn::default())
    }) };
    ($name:ident: $handler:ident($input:ty), on everything) => { $crate::operation!(@row $name, $handler, $input, Everything, |cx, input| {
        cx.authorize_on::<$input, _>(input, |_, _| $crate::Target::everything(), |_, _| vec![])
    }) };
    ($name:ident: $handler:ident($input:ty), on awaited $touched:path) => { $crate::operation!(@row $name, $handler, $input, Things, |cx, input| {
        cx.authorize_on_awaited::<$input>(input, $touched).await
    }) };
    ($name:ident: $handler:ident($input:ty), on $touched:expr) => { $crate::operation!(@row $name, $handler, $input, Things, |cx, input| {
        cx.authorize_on::<$input, _>(input, $touched, |_, _| vec![])
    }) };
    ($name:ident: $handler:ident($input:ty), on $touched:expr, given $keys:expr) => { $crate::operation!(@row $name, $handler, $input, Things, |cx, input| {
        cx.authorize_on::<$input, _>(input, $touched, $keys)
    }) };
    (@row $name:ident, $handler:ident, $input:ty, $touches:ident, |$cx:ident, $in:ident| $authorize:expr) => { {
        const _: () = assert!($crate::__same(stringify!($name), <$input as $crate::Request>::OPERATION), "the row's name is not the operation's");
        $crate::Operation {
            name: stringify!($name),
            model: <$input as $crate::Request>::SERVICE,
            input: <$input as $crate::__StructTyped>::SHAPE,
            output: <<$input as $crate::Request>::Response as $crate::__StructTyped>::SHAPE,
            http: <$input as $crate::Request>::HTTP,
            touches: $crate::Touches::$touches,
            call: |cx, value, how| Box::pin(async move {
                let input = <$input as $crate::__Shape>::from_value(value)?;
                let let_in = {
                    let ($cx, $in) = (cx, &input);
                    $authorize?
                };
                let judged = cx.let_in(let_in);
                let cx = judged.as_ref().unwrap_or(cx);
                // A dry run does all of it, up to what would be written.
                let rehearsal = how.dry_run.then(|| cx.rehearsing());
                let cx = rehearsal.as_ref().unwrap_or(cx);
                let answer: <$input as $crate::Request>::Response = $handler(cx, input).await.map_err($crate::Error::from)?;
                if how.dry_run { return Err($crate::__dry_run_passed()); }
                Ok($crate::Answered::new(answer, how))
            }),
        }
    } };
}
