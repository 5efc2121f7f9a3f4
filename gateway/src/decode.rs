//! From the request's bytes to the operation's input value, by walking its shape table.

use crate::name::Call;
use http::request::Parts;
use kiln_protocol::{Error, Protocol, Value};
use kiln_service_kit::Operation;
use std::borrow::Cow;

/// Decodes the input of `operation`.
pub fn decode(call: &Call<'_>, operation: &Operation, head: &Parts, body: &[u8]) -> Result<Value, Error> {
    let form = || form(head, body);
    match call.protocol {
        Protocol::Json10 | Protocol::Json11 => kiln_protocol::json::decode(body, operation.input),
        Protocol::Query => kiln_protocol::query::decode(&form(), operation.input),
        Protocol::Ec2 => kiln_protocol::ec2::decode(&form(), operation.input),
        Protocol::RestJson | Protocol::RestXml | Protocol::Cbor => {
            Err(Error::not_built(format!("the {:?} protocol", call.protocol)))
        }
    }
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
