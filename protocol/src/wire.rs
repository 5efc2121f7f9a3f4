//! One way in and one way out for all protocols: what the gateway calls.

use crate::{Error, Fault, Protocol, ServiceModel, StructShape, Value, cbor, ec2, json, query, rest, xml};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::borrow::Cow;

/// Source: Amazon EC2 API Reference, "Error codes for the Amazon EC2 API", server error codes.
const INTERNAL_OF_EC2: (&str, &str) = ("InternalError", "An internal error has occurred.");
/// Source: Amazon S3 API Reference, "Error responses".
const INTERNAL_OF_S3: (&str, &str) = ("InternalError", "We encountered an internal error. Please try again.");

/// An answer, ready for HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    pub status: u16,
    /// Empty where there is no body.
    pub content_type: &'static str,
    /// Without the content type.
    pub headers: Vec<(Cow<'static, str>, String)>,
    pub body: Vec<u8>,
}

/// A successful answer. Its status is 200 unless a member says otherwise; a REST operation's own
/// status (`Http::status`) is for the caller to set.
pub fn encode_response(
    protocol: Protocol,
    model: &ServiceModel,
    operation: &str,
    shape: &'static StructShape,
    value: &Value,
    request_id: &str,
) -> Encoded {
    let mut answer = empty(protocol, 200, request_id);
    answer.body = match protocol {
        Protocol::Query => query::encode(model, operation, value, shape, request_id),
        Protocol::Ec2 => ec2::encode(model, operation, value, shape, request_id),
        Protocol::Json10 | Protocol::Json11 => json::encode(value, shape),
        Protocol::Cbor => cbor::encode(value, shape),
        Protocol::RestJson | Protocol::RestXml => {
            let rest = rest::encode(protocol, model, value, shape);
            answer.status = rest.status.unwrap_or(answer.status);
            answer.headers.extend(rest.headers);
            answer.content_type = rest.content_type.unwrap_or(answer.content_type);
            if rest.body.is_empty() && rest.content_type.is_none() {
                answer.content_type = "";
            }
            if model.bare_errors {
                s3_ids(&mut answer, request_id);
            }
            rest.body
        }
    };
    answer
}

/// An error as an answer: of a failure inside Kiln only that there was one, in the words of the service.
pub fn encode_error(protocol: Protocol, model: &ServiceModel, error: &Error, request_id: &str) -> Encoded {
    let error = &*in_words_of(protocol, model, error);
    let mut answer = empty(protocol, status(error), request_id);
    tell_query_code(&mut answer, protocol, model, error);
    answer.body = match protocol {
        Protocol::RestXml if model.bare_errors => {
            s3_ids(&mut answer, request_id);
            let field =
                |name: &str| error.fields.iter().find(|(field, _)| *field == name).map(|(_, text)| text.clone());
            if error.status == 304 {
                let kept = ["ETag", "Last-Modified"].map(|name| Some((name.into(), field(name)?)));
                answer.headers.extend(kept.into_iter().flatten());
                return Encoded { content_type: "", ..answer };
            }
            let headers = error.fields.iter().filter(|(name, _)| is_header(name));
            answer.headers.extend(headers.map(|(name, text)| ((*name).into(), text.clone())));
            // Also in the answer to a HEAD, which has no body to say it.
            answer.headers.extend(field("Region").map(|region| ("x-amz-bucket-region".into(), region)));
            s3_error(error, request_id)
        }
        Protocol::Query | Protocol::RestXml => query::encode_error(model, error, request_id),
        Protocol::Ec2 => ec2::encode_error(error, request_id),
        Protocol::Json10 | Protocol::Json11 => json_error(error),
        Protocol::RestJson => {
            answer.headers.push(("x-amzn-errortype".into(), error.code.to_string()));
            json_error(error)
        }
        Protocol::Cbor => cbor::encode_error(error),
    };
    answer
}

fn empty(protocol: Protocol, status: u16, request_id: &str) -> Encoded {
    let mut headers = vec![("x-amzn-requestid".into(), request_id.to_owned())];
    if protocol == Protocol::Cbor {
        headers.push(("smithy-protocol".into(), "rpc-v2-cbor".to_owned()));
    }
    Encoded { status, content_type: content_type(protocol), headers, body: vec![] }
}

/// What a former query service's clients look for in its newer protocols: the code that they know, and whose
/// fault it is.
fn tell_query_code(answer: &mut Encoded, protocol: Protocol, model: &ServiceModel, error: &Error) {
    let is_newer = matches!(protocol, Protocol::Json10 | Protocol::Json11 | Protocol::Cbor);
    if is_newer && model.query_errors.is_some() {
        let fault = if error.fault == Fault::Sender { "Sender" } else { "Receiver" };
        let told = format!("{};{fault}", model.query_code(&error.code));
        answer.headers.push(("x-amzn-query-error".into(), told));
    }
}

/// A failure inside a service as its callers know it; other errors stay as they are.
fn in_words_of<'e>(protocol: Protocol, model: &ServiceModel, error: &'e Error) -> Cow<'e, Error> {
    let (code, message) = match protocol {
        Protocol::Ec2 => INTERNAL_OF_EC2,
        _ if model.bare_errors => INTERNAL_OF_S3,
        _ => return Cow::Borrowed(error),
    };
    if !error.is_internal() {
        return Cow::Borrowed(error);
    }
    Cow::Owned(Error { code: code.into(), message: message.to_owned(), ..error.clone() })
}

fn s3_ids(answer: &mut Encoded, request_id: &str) {
    answer.headers.push(("x-amz-request-id".into(), request_id.to_owned()));
    answer.headers.push(("x-amz-id-2".into(), request_id.to_owned()));
}

/// Whether a field of an error of S3's is told in a header instead of the body.
fn is_header(name: &str) -> bool {
    name.starts_with("x-amz-") || matches!(name, "Allow" | "Last-Modified")
}

/// An error with nothing around it: `<Error><Code>…</Code>…</Error>`.
fn s3_error(error: &Error, request_id: &str) -> Vec<u8> {
    let mut writer = xml::Writer::query();
    writer.open("Error");
    writer.leaf("Code", &error.code);
    writer.leaf("Message", &error.message);
    for (name, text) in error.fields.iter().filter(|(name, _)| !is_header(name)) {
        writer.leaf(name, text);
    }
    writer.leaf("RequestId", request_id);
    writer.leaf("HostId", request_id);
    writer.close("Error");
    writer.into_bytes()
}

/// `{"__type":"Code","message":"…"}` and the error's further members.
fn json_error(error: &Error) -> Vec<u8> {
    struct Body<'e>(&'e Error);
    impl Serialize for Body<'_> {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            let mut map = to.serialize_map(None)?;
            map.serialize_entry("__type", &self.0.code)?;
            map.serialize_entry("message", &self.0.message)?;
            for (name, value) in &self.0.fields {
                map.serialize_entry(name, value)?;
            }
            map.end()
        }
    }
    serde_json::to_vec(&Body(error)).expect("writing texts to memory cannot fail")
}

/// The error's status, unless it is none of an error.
fn status(error: &Error) -> u16 {
    match (error.status, error.fault) {
        (status @ 300..=599, _) => status,
        (_, Fault::Sender) => 400,
        (_, Fault::Receiver) => 500,
    }
}

fn content_type(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Query => "text/xml",
        Protocol::Ec2 => "text/xml;charset=UTF-8",
        Protocol::Json10 => "application/x-amz-json-1.0",
        Protocol::Json11 => "application/x-amz-json-1.1",
        Protocol::RestJson => "application/json",
        Protocol::RestXml => "application/xml",
        Protocol::Cbor => "application/cbor",
    }
}
