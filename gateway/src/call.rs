//! One request to the API, phase by phase.

use crate::answer::{self, Body};
use crate::authenticate::{self, Words};
use crate::body::Taken;
use crate::client::{Client, host_of};
use crate::finish::called;
use crate::refusals::{broke_off, is_unserved, no_such_operation, not_served, wrong_method};
use crate::rest::{self, RestCall};
use crate::shared::Shared;
use crate::{decode, name};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use kiln_protocol::{Error, Protocol};
use kiln_service_kit::{Cx, Scope, regions};
use kiln_signing::Body as SignedBody;
use std::panic::AssertUnwindSafe;

/// Answers one request to the API.
pub async fn answer(shared: &Shared, request: Request<Incoming>, client: Client) -> Response<Body> {
    let host = host_of(request.uri(), request.headers());
    let (head, body) = request.into_parts();
    let request_id = shared.platform.ids().uuid();
    if let Some((service, rules)) = rest::meant(&shared.platform, &shared.directory, &head, &host) {
        let rest = RestCall { service, rules, head, host: &host, client: &client, request_id: &request_id };
        let call = AssertUnwindSafe(rest::answer(shared, rest, body));
        return call
            .catch_unwind()
            .await
            .unwrap_or_else(|_| answer::error(service.model.protocol, Some(service.model), &broke_off(), &request_id));
    }
    match taken(shared, &head, body).await {
        // The room is given back when the call is done.
        Ok((signed, Taken { bytes, room: _room })) => {
            let call = AssertUnwindSafe(call(shared, &head, signed, bytes, &host, &client, &request_id));
            call.catch_unwind().await.unwrap_or_else(|_| {
                // The panic hook has told the log what and where.
                answer::error(name::protocol_guess(&shared.directory, &head), None, &broke_off(), &request_id)
            })
        }
        Err(error) => {
            tracing::debug!(client = %client.address, %error, "a request body was not taken");
            answer::error(name::protocol_guess(&shared.directory, &head), None, &error, &request_id)
        }
    }
}

/// A body as it came, which is what the signature is of, and as it is meant.
async fn taken(shared: &Shared, head: &http::request::Parts, body: Incoming) -> Result<(Bytes, Taken), Error> {
    let taken = shared.bodies.take(body).await?;
    let signed = taken.bytes.clone();
    Ok((signed, shared.bodies.unpack(&head.headers, taken).await?))
}

async fn call(
    shared: &Shared,
    head: &http::request::Parts,
    signed: Bytes,
    body: Bytes,
    host: &str,
    client: &Client,
    request_id: &str,
) -> Response<Body> {
    let platform = &shared.platform;
    let call = match name::name(&shared.directory, head, &body, host) {
        Ok(call) => call,
        Err(refusal) => return answer::error(refusal.protocol, None, &refusal.error, request_id),
    };
    let refuse = |error: &Error| answer::error(call.protocol, Some(call.model), error, request_id);
    let by_path = matches!(call.protocol, Protocol::RestJson | Protocol::RestXml);
    if !by_path && !matches!(head.method, Method::GET | Method::POST) {
        return refuse(&wrong_method(&head.method));
    }
    let words = Words::of(call.protocol);
    let who = match shared.authenticator.authenticate(platform, &call, head, SignedBody::Bytes(&signed), words) {
        Ok(who) => who,
        // Some of AWS's operations take no signature: what is not built says so first.
        Err(error) if error.code.starts_with("MissingAuthenticationToken") && is_unserved(platform, &call) => {
            return refuse(&not_served(&call));
        }
        Err(error) => {
            // Not among the calls: nobody has made it.
            let (service, operation, code) = (call.model.name, &call.operation, &error.code);
            tracing::info!(target: "kiln::calls", client = %client.address, service, operation, %code, "refused before it was a call");
            return refuse(&error);
        }
    };
    if regions::region(&who.region).is_none() {
        return refuse(&authenticate::no_such_region(&who.region, words));
    }
    let Some(operation) = platform.operation(call.model.name, &call.operation) else {
        return refuse(&not_served(&call));
    };
    if let Some(version) = call.other_version() {
        return refuse(&no_such_operation(&call.operation, version));
    }
    let value = match decode::decode(&call, operation, head, &body) {
        Ok(value) => decode::named_by_path(value, platform, &call, operation, head),
        Err(error) => return refuse(&error),
    };
    let scope = Scope::new(who.caller.account.as_str(), who.region.as_str());
    let cx = Cx::new(platform.clone(), scope, who.caller, request_id).in_protocol(call.protocol);
    // With the port: it goes into the addresses of things that the answer tells.
    let given = head.headers.get(http::header::HOST).and_then(|value| value.to_str().ok());
    let authority = head.uri.authority().map(|authority| authority.as_str()).or(given).unwrap_or(host);
    let cx = client.tell(cx, &head.headers).via_host(authority);
    match called(cx, operation, value).await {
        Ok(value) => answer::success(&call, operation, &value, request_id, None),
        Err(error) => refuse(&error),
    }
}
