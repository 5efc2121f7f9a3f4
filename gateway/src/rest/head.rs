//! What a head says: its headers as text, how the body comes and how long it is, and which of the values in
//! it cannot be.

use crate::chunked::Form;
use crate::header_text;
use http::request::Parts;
use hyper::body::{Body as _, Incoming};
use kiln_protocol::{Error, Kind, Limits, Location, Member, StructShape};
use kiln_service_kit::{BodyFault, RestRules};
use kiln_signing::{ChunkSignatures, SigError};
use std::borrow::Cow;

fn query_of(head: &Parts) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(head.uri.query().unwrap_or("").as_bytes())
}

/// The headers, and those that a presigned URL has in its query.
pub fn headers_of(rules: &dyn RestRules, head: &Parts) -> Vec<(String, String)> {
    let text = |name: &http::HeaderName, value| header_text::read(Some(rules), name.as_str(), value);
    let sent = head.headers.iter().map(|(name, value)| (name.to_string(), text(name, value)));
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

/// How long the body is, which must be said before it comes.
pub fn length(rules: &dyn RestRules, head: &Parts, form: &Form, body: &Incoming) -> Result<u64, Error> {
    let known = match form {
        Form::Chunked { length, .. } => *length,
        Form::Plain(_) => body.size_hint().exact(),
    };
    known.ok_or_else(|| {
        let in_chunks = head.headers.contains_key("transfer-encoding");
        rules.bad_body(if in_chunks { BodyFault::HttpChunks } else { BodyFault::NoLength })
    })
}

/// How the body comes, by its head.
pub fn form(rules: &dyn RestRules, head: &Parts, signatures: Option<ChunkSignatures>) -> Result<Form, Error> {
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let Some(stated) = header("x-amz-content-sha256") else { return Ok(Form::Plain(None)) };
    if let Some(marker) = stated.strip_prefix("STREAMING-") {
        let signed = marker.starts_with("AWS4-HMAC-SHA256-PAYLOAD");
        if !signed && marker != "UNSIGNED-PAYLOAD-TRAILER" {
            return Err(Error::not_built(format!("the payload {stated}")));
        }
        let length = header("x-amz-decoded-content-length").and_then(|length| length.parse().ok());
        if length.is_none() {
            return Err(rules.bad_body(BodyFault::NoLength));
        }
        let trailers = marker.ends_with("-TRAILER");
        return Ok(Form::Chunked { signed, trailers, signatures: signatures.filter(|_| signed).map(Box::new), length });
    }
    let mut digest = [0; 32];
    match hex::decode_to_slice(stated, &mut digest) {
        Ok(()) => Ok(Form::Plain(Some(digest))),
        Err(_) if stated == "UNSIGNED-PAYLOAD" => Ok(Form::Plain(None)),
        // With a signature, that has refused it already.
        Err(_) => Err(rules.refused_signature(SigError::PayloadMarker(stated.to_owned()))),
    }
}

/// The first header or key of the query whose value is none that the model has, in the service's words.
pub fn check_values(
    rules: &dyn RestRules,
    shape: &StructShape,
    headers: &[(String, String)],
    head: &Parts,
) -> Result<(), Error> {
    for member in shape.members {
        let given = match member.location {
            Location::Header(name) => {
                headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone())
            }
            Location::Query(name) => query_of(head).find(|(key, _)| key == name).map(|(_, v)| v.into_owned()),
            _ => None,
        };
        if let Some(given) = given
            && !is_good(member, &given)
            && let Some(error) = rules.bad_value(member, &given)
        {
            return Err(error);
        }
    }
    Ok(())
}

fn is_good(member: &Member, given: &str) -> bool {
    let allowed = |limits: &Limits, text: &str| limits.one_of.is_empty() || limits.one_of.contains(&text);
    match (member.kind)() {
        Kind::Text => allowed(&member.limits, given),
        Kind::Int => given.trim().parse::<i64>().is_ok_and(|n| {
            member.limits.min.is_none_or(|min| n >= min) && member.limits.max.is_none_or(|max| n <= max)
        }),
        Kind::Bool => matches!(given, "true" | "false" | "1" | "0"),
        Kind::List(_) => given.split(',').all(|item| allowed(&member.item_limits, item.trim())),
        Kind::Float | Kind::Blob | Kind::Time | Kind::Map(_) | Kind::Struct(_) => true,
    }
}
