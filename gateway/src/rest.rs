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

use crate::answer::{self, Body};
use crate::chunked::{self, Form};
use crate::client::Client;
use crate::finish::called;
use crate::header_text;
use crate::listen::{Gateway, not_served};
use crate::name::{self, Call};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt};
use http::request::Parts;
use http::{Method, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use kiln_protocol::rest::RestRequest;
use kiln_protocol::{Error, Kind, Location};
use kiln_service_kit::{ByteStream, Cx, Operation, Platform, Scope, Service, Streams};
use kiln_signing::{Body as SignedBody, ChunkSignatures, SigError};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// The longest body of a call that is not an object's: DeleteObjects' thousand keys, and room.
const MOST_BYTES: usize = 4 << 20;
/// How long, and how much, to read on after a refusal, so that the sender gets to read it.
const READ_ON: (Duration, usize) = (Duration::from_secs(1), 16 << 20);

/// The service of a request that belongs here.
pub fn service<'p>(platform: &'p Platform, head: &Parts, host: &str) -> Option<&'p Service> {
    let s3 = platform.services().iter().find(|service| service.model.name == "s3" && !service.routes.is_empty())?;
    if head.headers.contains_key("x-amz-target") {
        return None;
    }
    let is_s3 = match name::scope_service(head) {
        Some(scope) => scope == s3.model.signing_name,
        None => has_s3_host(host) || is_presigned_v2(head) || is_plain(head),
    };
    is_s3.then_some(s3)
}

/// Neither signed nor a form: somebody asks for a path, as a browser or curl does for an object.
fn is_plain(head: &Parts) -> bool {
    let form = head.headers.get("content-type").is_some_and(|t| t.as_bytes().starts_with(b"application/x-www-form"));
    let named = query_of(head).any(|(key, _)| key == "Action");
    let signed = head.headers.contains_key("authorization");
    matches!(head.method, Method::GET | Method::HEAD) && head.uri.path() != "/" && !form && !named && !signed
}

/// A URL of version 2 of the signature, which names no service: only S3 has them.
fn is_presigned_v2(head: &Parts) -> bool {
    let has = |name: &str| query_of(head).any(|(key, _)| key == name);
    !head.headers.contains_key("authorization") && has("AWSAccessKeyId") && has("Expires")
}

fn query_of(head: &Parts) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(head.uri.query().unwrap_or("").as_bytes())
}

/// The host's part that S3 itself answers to: `s3.localhost`, `s3.eu-west-1.amazonaws.com`.
fn own_labels(host: &str) -> Option<&str> {
    host.strip_suffix(".localhost").or_else(|| host.strip_suffix(".amazonaws.com"))
}

fn has_s3_host(host: &str) -> bool {
    own_labels(host).is_some_and(|labels| labels.split('.').any(|label| label == "s3"))
}

/// The bucket in a host's name: `docs` of `docs.s3.localhost`, `docs.s3.eu-west-1.localhost` and
/// `docs.localhost`.
fn bucket_of(host: &str) -> Option<&str> {
    let labels = own_labels(host)?;
    if labels == "s3" || labels.starts_with("s3.") {
        return None;
    }
    if let Some(bucket) = labels.strip_suffix(".s3") {
        return Some(bucket);
    }
    match labels.rsplit_once(".s3.") {
        Some((bucket, _region)) => Some(bucket),
        None => host.ends_with(".localhost").then_some(labels),
    }
}

/// The path with its bucket, wherever that was, as version 2 of the signature has it.
fn resource(head: &Parts, host: &str) -> String {
    let path = head.uri.path();
    match bucket_of(host) {
        Some(bucket) => format!("/{bucket}{path}"),
        None => path.to_owned(),
    }
}

/// The same, where a bucket alone has no `/` behind it.
fn full_path(head: &Parts, host: &str) -> String {
    let path = resource(head, host);
    match path.strip_suffix('/') {
        Some(bucket) if bucket.matches('/').count() == 1 && bucket.len() > 1 => bucket.to_owned(),
        _ => path,
    }
}

/// What no route is for.
fn no_route(method: &str, path: &str) -> Error {
    match method {
        // A form that a browser sends; its signature stands in the body.
        "POST" if path.len() > 1 && !path[1..].contains('/') => Error::not_built("s3:PostObject"),
        "OPTIONS" => {
            let text = "CORSResponse: CORS is not enabled for this bucket.";
            Error::sender("AccessForbidden", text).with_status(403).with("Method", method)
        }
        _ => {
            let what = match path.trim_matches('/').split_once('/') {
                Some(_) => "OBJECT",
                None if path.len() > 1 => "BUCKET",
                None => "SERVICE",
            };
            not_allowed(method, what)
        }
    }
}

fn not_allowed(method: &str, what: &str) -> Error {
    let text = "The specified method is not allowed against this resource.";
    Error::sender("MethodNotAllowed", text).with_status(405).with("Method", method).with("ResourceType", what)
}

/// The headers, and those that a presigned URL has in its query.
fn headers_of(head: &Parts) -> Vec<(String, String)> {
    let sent = head.headers.iter().map(|(name, value)| (name.to_string(), header_text::read(name.as_str(), value)));
    let mut all: Vec<(String, String)> = sent.collect();
    if head.headers.contains_key("authorization") {
        return all;
    }
    for (name, value) in query_of(head) {
        let name = name.to_ascii_lowercase();
        let of_header = name.starts_with("x-amz-") || matches!(&*name, "content-type" | "content-md5");
        if of_header && !head.headers.contains_key(&name) {
            all.push((name, value.into_owned()));
        }
    }
    all
}

/// S3 is older than the codes that the other services have for input of a wrong form.
fn in_s3s_words(error: Error, has_document: bool) -> Error {
    let code = match &*error.code {
        "SerializationException" => "InvalidArgument",
        "ValidationException" if has_document => "MalformedXML",
        "ValidationException" => "InvalidArgument",
        _ => return error,
    };
    Error { code: code.into(), ..error }
}

/// Whether the operation's body is an object, which is not held in memory.
fn is_piped(operation: &Operation) -> bool {
    operation.input.members.iter().any(|m| m.location == Location::Payload && matches!((m.kind)(), Kind::Blob))
}

/// Whether the operation's body is a document.
fn has_document(operation: &Operation) -> bool {
    operation.input.members.iter().any(|m| m.location == Location::Payload && matches!((m.kind)(), Kind::Struct(_)))
}

/// How long an object is, which must be said before it comes.
fn length(form: &Form, body: &Incoming) -> Result<u64, Error> {
    let known = match form {
        Form::Chunked { length, .. } => *length,
        Form::Plain(_) => body.size_hint().exact(),
    };
    known.ok_or_else(missing_length)
}

fn missing_length() -> Error {
    Error::sender("MissingContentLength", "You must provide the Content-Length HTTP header.").with_status(411)
}

/// How the body comes, by its head.
fn form(head: &Parts, signatures: Option<ChunkSignatures>) -> Result<Form, Error> {
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let Some(stated) = header("x-amz-content-sha256") else { return Ok(Form::Plain(None)) };
    if let Some(marker) = stated.strip_prefix("STREAMING-") {
        let signed = marker.starts_with("AWS4-HMAC-SHA256-PAYLOAD");
        if !signed && marker != "UNSIGNED-PAYLOAD-TRAILER" {
            return Err(Error::not_built(format!("the payload {stated}")));
        }
        let length = header("x-amz-decoded-content-length").and_then(|length| length.parse().ok());
        if length.is_none() {
            return Err(missing_length());
        }
        let trailers = marker.ends_with("-TRAILER");
        return Ok(Form::Chunked { signed, trailers, signatures: signatures.filter(|_| signed).map(Box::new), length });
    }
    let mut digest = [0; 32];
    match hex::decode_to_slice(stated, &mut digest) {
        Ok(()) => Ok(Form::Plain(Some(digest))),
        // Checked with the signature, where there is one.
        Err(_) => Ok(Form::Plain(None)),
    }
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
            answer::error(model.protocol, Some(model), &error, call.request_id)
        })
    }

    async fn rest_call(&self, rest: &RestCall<'_>, body: &mut Option<Incoming>) -> Result<Response<Body>, Error> {
        let RestCall { service, head, host, client, request_id } = rest;
        let (model, platform) = (service.model, self.platform());
        let path = full_path(head, host);
        let query = head.uri.query().unwrap_or("");
        let has_header = |name: &str| head.headers.contains_key(name);
        let method = head.method.as_str();
        let Some((route, labels)) = kiln_protocol::route(service.routes, method, &path, query, has_header) else {
            return Err(no_route(method, &path));
        };
        let call = Call { model, operation: route.operation.to_owned(), protocol: model.protocol, version: None };
        let who = match self.authenticator().authenticate_url(platform, &call, head, &resource(head, host)) {
            Some(who) => who?,
            None => self.authenticator().authenticate(platform, &call, head, SignedBody::NotRead)?,
        };
        let operation = platform.operation(model.name, route.operation).ok_or_else(|| not_served(&call))?;
        if let Some(part) = kiln_protocol::other_part(service.routes, route, query, operation.input) {
            return Err(not_allowed(method, &part));
        }
        let form = form(head, who.chunks)?;
        let streams = Arc::new(Streams::default());
        if let Some(name) = head.headers.get("x-amz-trailer").and_then(|name| name.to_str().ok()) {
            streams.announce(name);
        }
        let mut bytes = Bytes::new();
        if let Some(body) = body.take_if(|body| !body.is_end_stream()) {
            if is_piped(operation) {
                streams.set_length(length(&form, &body)?);
            }
            let piped = chunked::read(body, form, self.limits().body_time, streams.clone());
            match is_piped(operation) {
                true => streams.set_incoming(piped),
                false => bytes = take(piped).await?,
            }
        } else {
            promised_nothing(&form)?;
        }
        let headers = headers_of(head);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = RestRequest { path: &path, query, headers: &headers, body: &bytes };
        let has_document = has_document(operation);
        let value = kiln_protocol::rest::decode(model.protocol, &request, &labels, operation.input)
            .map_err(|error| in_s3s_words(error, has_document))?;
        let scope = Scope::new(who.caller.account.as_str(), who.region.as_str());
        let cx = client.tell(Cx::new(platform.clone(), scope, who.caller, request_id)).via_host(host);
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
        if let Some(outgoing) = streams.take_outgoing() {
            let frames = outgoing.map_ok(Frame::data).map_err(Into::into);
            *response.body_mut() = BodyExt::boxed_unsync(StreamBody::new(frames));
        }
        Ok(response)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_stands_in_the_path_or_before_the_host() {
        let path = |host: &str, path: &str| {
            let (head, ()) = http::Request::builder().uri(path).body(()).expect("a good request").into_parts();
            full_path(&head, host)
        };
        assert_eq!(path("127.0.0.1", "/docs/a/b"), "/docs/a/b");
        assert_eq!(path("localhost", "/docs/"), "/docs");
        assert_eq!(path("s3.localhost", "/docs/a/"), "/docs/a/");
        assert_eq!(path("s3.eu-west-1.localhost", "/docs"), "/docs");
        assert_eq!(path("docs.s3.localhost", "/a/b"), "/docs/a/b");
        assert_eq!(path("docs.s3.eu-west-1.localhost", "/"), "/docs");
        assert_eq!(path("my.docs.s3.dualstack.eu-west-1.amazonaws.com", "/a"), "/my.docs/a");
        assert_eq!(path("docs.localhost", "/a"), "/docs/a");
        assert_eq!(path("kiln.test", "/"), "/");
    }
}
