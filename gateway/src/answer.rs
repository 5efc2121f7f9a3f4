//! From values and errors to HTTP answers.

use crate::header_text;
use crate::name::Call;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use kiln_protocol::{Encoded, Error, Protocol, ServiceModel, Value};
use kiln_service_kit::{Operation, RestRules};

/// The body of any answer: buffered for calls, streaming for load balancers.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Stands in for the service of a request that names none; its namespace is what AWS's front ends
/// use then.
static NAMELESS: ServiceModel =
    ServiceModel { xml_namespace: "http://webservices.amazon.com/AWSFault/2005-15-09", ..ServiceModel::named("") };

/// A successful answer, in the words of the service's rules where it has some.
pub fn success(
    call: &Call,
    operation: &Operation,
    value: &Value,
    request_id: &str,
    rules: Option<&dyn RestRules>,
) -> Response<Body> {
    let mut encoded =
        kiln_protocol::encode_response(call.protocol, call.model, operation.name, operation.output, value, request_id);
    if encoded.status == 200 && matches!(call.protocol, Protocol::RestJson | Protocol::RestXml) {
        // No model says it: a part of an object is told by where it lies in the whole.
        let part = encoded.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-range"));
        encoded.status = if part { 206 } else { operation.http.status };
    }
    if let Some((name, _)) =
        encoded.headers.iter().find(|(name, value)| header_text::write(rules, name, value).is_none())
    {
        let nobodys = || Error::internal(format!("the answer's header {name} is one that HTTP does not allow"));
        let bad = rules.map_or_else(nobodys, |rules| rules.bad_header());
        return error(call.protocol, Some(call.model), &bad, request_id);
    }
    response(encoded, request_id, rules)
}

/// An error in the caller's protocol. Of a failure on our side the caller reads only that there was one, and the
/// log has all of it, with the request's id in both.
pub fn error(protocol: Protocol, model: Option<&ServiceModel>, error: &Error, request_id: &str) -> Response<Body> {
    if error.status >= 500 && error.status != 501 {
        let service = model.map_or("", |model| model.name);
        tracing::error!(request_id, service, error = error.chain(), "a request failed");
    }
    response(kiln_protocol::encode_error(protocol, model.unwrap_or(&NAMELESS), error, request_id), request_id, None)
}

/// An answer of headers alone.
pub fn empty(request_id: &str) -> Response<Body> {
    let encoded = Encoded { status: 200, content_type: "", headers: vec![], body: Default::default() };
    response(encoded, request_id, None)
}

fn response(encoded: Encoded, request_id: &str, rules: Option<&dyn RestRules>) -> Response<Body> {
    let body = Full::new(Bytes::from(encoded.body)).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(encoded.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if !encoded.content_type.is_empty() {
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(encoded.content_type));
    }
    for (name, value) in encoded.headers {
        match (http::HeaderName::try_from(&*name), header_text::write(rules, &name, &value).ok_or(())) {
            // A member may say it better than the protocol does.
            (Ok(name), Ok(value)) if name == http::header::CONTENT_TYPE => {
                headers.insert(name, value);
            }
            (Ok(name), Ok(value)) => {
                headers.append(name, value);
            }
            _ => tracing::error!("an answer had a header that HTTP does not allow"),
        }
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
