//! From the request's bytes to the operation's input value, by walking its shape table.

use crate::header_text;
use crate::name::Call;
use http::request::Parts;
use kiln_protocol::rest::RestRequest;
use kiln_protocol::{Error, Protocol, Value};
use kiln_service_kit::{Operation, Platform};
use std::borrow::Cow;

/// Decodes the input of `operation`.
pub fn decode(call: &Call, operation: &Operation, head: &Parts, body: &[u8]) -> Result<Value, Error> {
    let form = || form(head, body);
    match call.protocol {
        Protocol::Json10 | Protocol::Json11 => kiln_protocol::json::decode(body, operation.input),
        Protocol::Query => kiln_protocol::query::decode(&form(), operation.input),
        Protocol::Ec2 => kiln_protocol::ec2::decode(&form(), operation.input),
        Protocol::Cbor => kiln_protocol::cbor::decode(body, operation.input),
        Protocol::RestJson | Protocol::RestXml => {
            let text = |name: &http::HeaderName, value| header_text::read(None, name.as_str(), value);
            let headers: Vec<_> = head.headers.iter().map(|(name, value)| (name.as_str(), text(name, value))).collect();
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let (path, query) = (head.uri.path(), head.uri.query().unwrap_or(""));
            let request = RestRequest { path, query, headers: &headers, body };
            kiln_protocol::rest::decode(call.protocol, &request, &call.labels, operation.input)
        }
    }
}

/// With what the path names, where the service's things have addresses of their own: a form that is sent to one may
/// leave out the member that says which it is.
pub fn named_by_path(mut value: Value, platform: &Platform, call: &Call, operation: &Operation, head: &Parts) -> Value {
    let path = head.uri.path();
    if call.protocol != Protocol::Query || path == "/" {
        return value;
    }
    let service = platform.services().iter().find(|service| service.model.name == call.model.name);
    let member = service.and_then(|service| service.path_names).and_then(|name| operation.input.find(name));
    if let (Value::Struct(members), Some((at, _))) = (&mut value, member)
        && let Some(member @ Value::Absent) = members.get_mut(at)
    {
        *member = Value::Text(path.to_owned());
    }
    value
}

/// The parameters of a query or ec2 call: from the address, the body, or some from each.
fn form<'r>(head: &'r Parts, body: &'r [u8]) -> Cow<'r, [u8]> {
    match (head.uri.query().unwrap_or("").as_bytes(), body) {
        ([], body) => body.into(),
        (query, []) => query.into(),
        (query, _) if head.method == http::Method::GET => query.into(),
        (query, body) => [query, b"&", body].concat().into(),
    }
}
