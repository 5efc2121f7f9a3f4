//! Calls whose operation stands in their method, path and query, and whose body may be an object of
//! gigabytes: so far those of S3.
//!
//! ```text
//! head -> is it S3's? -> route -> authenticate (head only) -> body: a pipe, or taken -> decode
//!      -> invoke -> encode, with what the operation left in the outgoing pipe as the body
//! ```
//!
//! A bucket is the path's first segment, or stands before the host's name (the
//! README of `services/s3` says how). The caller is asked for the body only once they are known and allowed:
//! one that waits for `100 Continue` never sends what would be refused.

mod address;
mod head;
mod meant;
mod refusal;

pub use meant::service;

use crate::answer::{self, Body};
use crate::chunked::{self, Form};
use crate::client::Client;
use crate::finish::called;
use crate::listen::{Gateway, not_served};
use crate::name::Call;
use address::{full_path, resource, website_of};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt};
use head::{check_values, form, headers_of, length};
use http::Response;
use http::request::Parts;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use kiln_protocol::rest::RestRequest;
use kiln_protocol::{Error, Found, Kind, Location};
use kiln_service_kit::{ByteStream, Cx, Operation, Scope, Service, Streams};
use kiln_signing::{Body as SignedBody, SigError};
use refusal::{in_s3s_words, no_route, no_website, not_allowed};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// The longest body of a call that is not an object's: DeleteObjects' thousand keys, and room.
const MOST_BYTES: usize = 4 << 20;
/// How long, and how much, to read on after a refusal, so that the sender gets to read it.
const READ_ON: (Duration, usize) = (Duration::from_secs(1), 16 << 20);

/// Whether the operation's body is an object, which is not held in memory.
fn is_piped(operation: &Operation) -> bool {
    operation.input.members.iter().any(|m| m.location == Location::Payload && matches!((m.kind)(), Kind::Blob))
}

/// Whether the operation's body is a document.
fn has_document(operation: &Operation) -> bool {
    operation.input.members.iter().any(|m| m.location == Location::Payload && matches!((m.kind)(), Kind::Struct(_)))
}

/// A body that is no object's, whole.
async fn take(mut body: ByteStream) -> Result<Bytes, Error> {
    let mut taken = BytesMut::new();
    while let Some(data) = body.next().await {
        taken.extend_from_slice(&data?);
        if taken.len() > MOST_BYTES {
            let text = "Your request was too big.";
            return Err(
                Error::sender("MaxMessageLengthExceeded", text).with("MaxMessageLengthBytes", MOST_BYTES.to_string())
            );
        }
    }
    Ok(taken.freeze())
}

/// What a call is made of, beside its body.
pub(crate) struct RestCall<'c> {
    pub service: &'c Service,
    pub head: Parts,
    pub host: &'c str,
    pub client: &'c Client,
    pub request_id: &'c str,
}

impl Gateway {
    /// Answers a REST call.
    pub(crate) async fn rest(&self, call: RestCall<'_>, body: Incoming) -> Response<Body> {
        let model = call.service.model;
        let mut body = Some(body);
        let answered = self.rest_call(&call, &mut body).await;
        // One that waits for `100 Continue` sends nothing now. Another may be sending, and would see a
        // broken pipe instead of the refusal.
        if let Some(body) = body.as_mut().filter(|_| !call.head.headers.contains_key("expect")) {
            read_on(body).await;
        }
        answered.unwrap_or_else(|error| {
            if error.status >= 500 && error.status != 501 {
                tracing::error!(service = model.name, %error, "an operation failed");
            }
            let error = completed(error, &call.head);
            let mut response = answer::error(model.protocol, Some(model), &error, call.request_id);
            // Its body is not sent and not waited for, so that nothing can follow on this connection.
            if call.head.headers.contains_key("expect") && call.head.version < http::Version::HTTP_2 {
                response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
            }
            response
        })
    }

    async fn rest_call(&self, rest: &RestCall<'_>, body: &mut Option<Incoming>) -> Result<Response<Body>, Error> {
        let RestCall { service, head, host, client, request_id } = rest;
        if let Some(bucket) = website_of(host) {
            return Err(no_website(bucket));
        }
        let (model, platform) = (service.model, self.platform());
        let path = full_path(head, host);
        let query = head.uri.query().unwrap_or("");
        let has_header = |name: &str| head.headers.contains_key(name);
        let method = head.method.as_str();
        let found = self.directory().rules_router().find(method, &path, query, has_header);
        let Some(Found { route, labels, .. }) = found else {
            return Err(no_route(service.routes, method, &path, has_header));
        };
        let operation = route.operation.to_owned();
        let call = Call { model, operation, protocol: model.protocol, labels: vec![], version: None };
        let who = match self.authenticator().authenticate_url(platform, &call, head, &resource(head, host)) {
            Some(who) => who,
            None => self.authenticator().authenticate(platform, &call, head, SignedBody::NotRead),
        };
        let who = who.map_err(|error| match service.rest {
            Some(rules) => {
                let bucket = labels.first().map_or("", |(_, bucket)| bucket);
                rules.refused(platform, route.operation, bucket, error)
            }
            None => error,
        })?;
        let operation = platform.operation(model.name, route.operation).ok_or_else(|| not_served(&call))?;
        if let Some(part) = kiln_protocol::other_part(service.routes, route, query, operation.input) {
            return Err(not_allowed(service.routes, method, &path, &part));
        }
        let form = form(head, who.chunks)?;
        let streams = Arc::new(Streams::default());
        streams.set_head(headers_of(head));
        if let Some(rules) = service.rest {
            check_values(rules, operation.input, streams.head(), head)?;
            rules.check_head(operation, &streams)?;
        }
        let mut bytes = Bytes::new();
        if let Some(body) = body.take_if(|body| !body.is_end_stream()) {
            streams.set_length(length(head, &form, &body)?);
            let piped = chunked::read(body, form, self.limits().body_time, streams.clone());
            match is_piped(operation) {
                true => streams.set_incoming(piped),
                false => bytes = take(piped).await?,
            }
        } else {
            promised_nothing(&form)?;
        }
        if let Some(rules) = service.rest.filter(|_| !is_piped(operation)) {
            rules.check_body(operation, &streams, &bytes)?;
        }
        let headers: Vec<(&str, &str)> =
            streams.head().iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = RestRequest { path: &path, query, headers: &headers, body: &bytes };
        let has_document = has_document(operation);
        let value = kiln_protocol::rest::decode(model.protocol, &request, &labels, operation.input)
            .map_err(|error| in_s3s_words(error, has_document))?;
        let scope = Scope::new(who.caller.account.as_str(), who.region.as_str());
        let authority = streams.header("host").or(head.uri.authority().map(|a| a.as_str())).unwrap_or(host);
        let cx = client.tell(Cx::new(platform.clone(), scope, who.caller, request_id)).via_host(authority);
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
            let answered = answered.map_err(|error| in_s3s_words(error, has_document))?;
            answer::success(&call, operation, &answered, request_id)
        };
        // An answer without a body says what it would have been, as S3's do.
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
}

/// An error with what only the head knows of it: the method that was not allowed, and whether a signature
/// stood in a header or in the query.
fn completed(error: Error, head: &Parts) -> Error {
    let has = |name: &str| error.fields.iter().any(|(field, _)| *field == name);
    match error.status {
        405 if !has("Method") => error.with("Method", head.method.as_str()),
        400 if error.is("AuthorizationHeaderMalformed") && !head.headers.contains_key("authorization") => {
            let text = error.message.replacen(
                "The authorization header is malformed;",
                "Error parsing the X-Amz-Credential parameter;",
                1,
            );
            Error { code: "AuthorizationQueryParametersError".into(), message: text, ..error }
        }
        _ => error,
    }
}

/// A request without a body may still have promised one.
fn promised_nothing(form: &Form) -> Result<(), Error> {
    match form {
        Form::Plain(Some(digest)) if *digest != <[u8; 32]>::from(Sha256::digest([])) => {
            Err(chunked::refusal(SigError::BodyMismatch))
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
