//! Calls of the service with rules of its own ([`RestRules`]): whose body may be gigabytes, whose host may be a part
//! of what is asked for.
//!
//! ```text
//! head -> is it that service's? -> route -> authenticate (head only) -> body: a pipe, or taken -> decode
//!      -> invoke -> encode, with what the operation left in the outgoing pipe as the body
//! ```
//!
//! What hosts, paths and parts mean, and the words of refusals, are the service's. The caller is asked for the body
//! only once they are known and allowed: one that waits for `100 Continue` never sends what would be refused.

mod head;

use crate::answer::{self, Body};
use crate::authenticate::Words;
use crate::chunked::{self, Form};
use crate::client::Client;
use crate::directory::Directory;
use crate::finish::called;
use crate::name::{self, Call};
use crate::refusals::not_served;
use crate::shared::Shared;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt};
use head::{check_values, form, headers_of, length};
use http::Response;
use http::request::Parts;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use kiln_protocol::rest::RestRequest;
use kiln_protocol::{Error, Found, Kind, Location};
use kiln_service_kit::{
    BodyFault, ByteStream, CrossOrigin, Cx, Operation, Platform, RestRules, Scope, Service, Streams,
};
use kiln_signing::{Body as SignedBody, SigError};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// The longest body that is held in memory: that of a call which names a thousand things, and room.
const MOST_BYTES: usize = 4 << 20;
/// How long, and how much, to read on after a refusal, so that the sender gets to read it.
const READ_ON: (Duration, usize) = (Duration::from_secs(1), 16 << 20);

/// Whether the operation's body is the thing itself, an object's bytes, which is not held in memory.
fn is_piped(operation: &Operation) -> bool {
    operation.input.members.iter().any(|m| m.location == Location::Payload && matches!((m.kind)(), Kind::Blob))
}

/// A body that is no object's, whole.
async fn take(rules: &dyn RestRules, mut body: ByteStream) -> Result<Bytes, Error> {
    let mut taken = BytesMut::new();
    while let Some(data) = body.next().await {
        taken.extend_from_slice(&data?);
        if taken.len() > MOST_BYTES {
            return Err(rules.bad_body(BodyFault::TooLong(MOST_BYTES)));
        }
    }
    Ok(taken.freeze())
}

/// What a call is made of, beside its body.
pub(crate) struct RestCall<'c> {
    pub service: &'c Service,
    pub rules: &'static dyn RestRules,
    pub head: Parts,
    pub host: &'c str,
    pub client: &'c Client,
    pub request_id: &'c str,
}

/// The service with rules of its own and these, where a request is that service's.
pub(crate) fn meant<'p>(
    platform: &'p Platform,
    directory: &Directory,
    head: &Parts,
    host: &str,
) -> Option<(&'p Service, &'static dyn RestRules)> {
    let service = platform.services().get(directory.with_rules()?)?;
    let rules = service.rest?;
    if head.headers.contains_key("x-amz-target") || head.headers.contains_key("smithy-protocol") {
        return None;
    }
    let is_its = match name::scope_service(head) {
        Some(scope) => scope == service.model.signing_name,
        None => rules.takes(head, host),
    };
    is_its.then_some((service, rules))
}

/// Answers a REST call.
pub(crate) async fn answer(shared: &Shared, call: RestCall<'_>, body: Incoming) -> Response<Body> {
    let model = call.service.model;
    let mut body = Some(body);
    let path = call.rules.path(&call.head, call.host);
    let answered = match call.rules.preflight(&shared.platform, &call.head, &path) {
        Some(asked) => asked.map(|headers| {
            let mut response = answer::empty(call.request_id);
            add(&mut response, headers);
            response
        }),
        None => called_by_path(shared, &call, &mut body).await,
    };
    // One that waits for `100 Continue` sends nothing now. Another may be sending, and would see a
    // broken pipe instead of the refusal.
    if let Some(body) = body.as_mut().filter(|_| !call.head.headers.contains_key("expect")) {
        read_on(body).await;
    }
    let mut answered = answered.unwrap_or_else(|error| {
        let error = call.rules.completed(&call.head, error);
        let mut response = answer::error(model.protocol, Some(model), &error, call.request_id);
        // Its body is not sent and not waited for, so that nothing can follow on this connection.
        if call.head.headers.contains_key("expect") && call.head.version < http::Version::HTTP_2 {
            response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
        }
        response
    });
    if call.head.method != http::Method::OPTIONS {
        add(&mut answered, call.rules.cross_origin(&shared.platform, &call.head, &path));
    }
    answered
}

/// Adds headers for browsers; one that HTTP does not allow lets nobody read the answer.
fn add(response: &mut Response<Body>, headers: CrossOrigin) {
    for (name, value) in headers {
        match http::HeaderValue::from_str(&value) {
            Ok(value) => {
                response.headers_mut().append(name, value);
            }
            Err(error) => tracing::error!(name, %error, "a header for browsers is one that HTTP does not allow"),
        }
    }
}

async fn called_by_path(
    shared: &Shared,
    rest: &RestCall<'_>,
    body: &mut Option<Incoming>,
) -> Result<Response<Body>, Error> {
    let RestCall { service, rules, head, host, client, request_id } = rest;
    if let Some(refusal) = rules.refuse_host(host) {
        return Err(refusal);
    }
    let (model, platform) = (service.model, &shared.platform);
    let path = rules.path(head, host);
    let query = head.uri.query().unwrap_or("");
    let has_header = |name: &str| head.headers.contains_key(name);
    let found = shared.directory.rules_router().find(head.method.as_str(), &path, query, has_header);
    let Some(Found { route, labels, .. }) = found else {
        return Err(rules.no_route(head, &path));
    };
    let operation = route.operation.to_owned();
    let call = Call { model, operation, protocol: model.protocol, labels: vec![], version: None };
    let (authenticator, words) = (&shared.authenticator, Words::Rules(*rules));
    let who = match rules.other_signature(head, host) {
        Some(signed) => authenticator.authenticate_otherwise(platform, &call, head, signed, words),
        None => authenticator.authenticate(platform, &call, head, SignedBody::NotRead, words),
    };
    let who = who.map_err(|error| {
        let first = labels.first().map_or("", |(_, text)| text);
        rules.refused(platform, route.operation, first, error)
    })?;
    let operation = platform.operation(model.name, route.operation).ok_or_else(|| not_served(&call))?;
    if let Some(refusal) = rules.refuse_route(head, &path, route, operation) {
        return Err(refusal);
    }
    let form = form(*rules, head, who.chunks)?;
    let streams = Arc::new(Streams::default());
    streams.set_head(headers_of(*rules, head));
    check_values(*rules, operation.input, streams.head(), head)?;
    rules.check_head(operation, &streams)?;
    let mut bytes = Bytes::new();
    if let Some(body) = body.take_if(|body| !body.is_end_stream()) {
        streams.set_length(length(*rules, head, &form, &body)?);
        let piped = chunked::read(*rules, body, form, shared.limits.body_time, streams.clone());
        match is_piped(operation) {
            true => streams.set_incoming(piped),
            false => bytes = take(*rules, piped).await?,
        }
    } else {
        promised_nothing(*rules, &form)?;
    }
    if !is_piped(operation) {
        rules.check_body(operation, &streams, &bytes)?;
    }
    let headers: Vec<(&str, &str)> =
        streams.head().iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let request = RestRequest { path: &path, query, headers: &headers, body: &bytes };
    let value = kiln_protocol::rest::decode(model.protocol, &request, &labels, operation.input)
        .map_err(|error| rules.in_words(operation, error))?;
    let scope = Scope::new(who.caller.account.as_str(), who.region.as_str());
    let authority = streams.header("host").or(head.uri.authority().map(|a| a.as_str())).unwrap_or(host);
    let cx = Cx::new(platform.clone(), scope, who.caller, request_id);
    let cx = client.tell(cx, &head.headers).via_host(authority);
    // Who hangs up is seen by the operation as a body that ends early.
    let answered = called(cx.with_streams(streams.clone()), operation, value).await;
    if let Some(mut rest) = streams.take_incoming().filter(|_| !head.headers.contains_key("expect")) {
        let read = async {
            let mut read = 0;
            while let Some(Ok(data)) = rest.next().await
                && read < READ_ON.1
            {
                read += data.len();
            }
        };
        let _ = tokio::time::timeout(READ_ON.0, read).await;
    }
    let mut response = {
        let answered = answered.map_err(|error| rules.in_words(operation, error))?;
        answer::success(&call, operation, &answered, request_id, Some(*rules))
    };
    // An answer without a body says what it would have been.
    if head.method == http::Method::HEAD {
        let kind = response.headers_mut().entry(http::header::CONTENT_TYPE);
        kind.or_insert(http::HeaderValue::from_static("application/xml"));
    }
    // An answer that no header can say is a refusal by now, with a body of its own.
    if let Some(outgoing) = streams.take_outgoing().filter(|_| response.status().is_success()) {
        let frames = outgoing.map_ok(Frame::data).map_err(Into::into);
        *response.body_mut() = BodyExt::boxed_unsync(StreamBody::new(frames));
    }
    Ok(response)
}

/// A request without a body may still have promised one.
fn promised_nothing(rules: &dyn RestRules, form: &Form) -> Result<(), Error> {
    match form {
        Form::Plain(Some(digest)) if *digest != <[u8; 32]>::from(Sha256::digest([])) => {
            Err(rules.refused_signature(SigError::BodyMismatch))
        }
        _ => Ok(()),
    }
}

async fn read_on(body: &mut Incoming) {
    let read = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await
            && read < READ_ON.1
        {
            read += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    // Whether that helps is for the sender to say.
    let _ = tokio::time::timeout(READ_ON.0, read).await;
}
