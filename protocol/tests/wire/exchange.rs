//! One request read and one answer written, whatever the service's protocol: what the example `wire`
//! and the tests of the committed vectors do alike.

use crate::services::Tables;
use kiln_protocol::rest::{self, RestRequest};
use kiln_protocol::{Demands, Encoded, OperationShapes, Protocol, Router, cbor, ec2, encode_response, json, query};
use serde_json::{Value as Json, json};

/// What a request says by the model's names. `head` is a REST request's head: `{"method", "url", "headers"}`.
pub fn read((model, _, routes): &Tables, shapes: &OperationShapes, head: &Json, body: &[u8]) -> Result<Json, String> {
    let value = match model.protocol {
        Protocol::Query => query::decode(body, shapes.input),
        Protocol::Ec2 => ec2::decode(body, shapes.input),
        Protocol::Json10 | Protocol::Json11 => json::decode(body, shapes.input),
        Protocol::RestJson | Protocol::RestXml => {
            let url = head["url"].as_str().ok_or("no url")?;
            let (path, query) = url.split_once('?').unwrap_or((url, ""));
            let headers = head["headers"].as_object().ok_or("no headers")?;
            let headers: Vec<(&str, &str)> =
                headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect();
            let has = |name: &str| headers.iter().any(|(header, _)| header.eq_ignore_ascii_case(name));
            let method = head["method"].as_str().ok_or("no method")?;
            // S3 alone speaks XML by path; its required members tell its operations apart.
            let demands = if model.protocol == Protocol::RestXml { Demands::All } else { Demands::Needed };
            let router = Router::new(&[(model.name, routes)], demands).map_err(|e| e.to_string())?;
            let found = router.find(method, path, query, has).ok_or_else(|| format!("no route: {url}"))?;
            if found.route.operation != shapes.name {
                return Err(format!("{url} is taken for {}", found.route.operation));
            }
            let request = RestRequest { path, query, headers: &headers, body };
            rest::decode(model.protocol, &request, &found.labels, shapes.input)
        }
        Protocol::Cbor => cbor::decode(body, shapes.input),
    };
    let value = value.map_err(|e| e.to_string())?;
    serde_json::from_slice(&json::encode(&value, shapes.input)).map_err(|e| e.to_string())
}

/// The answer that says what `given` does.
pub fn write((model, ..): &Tables, shapes: &OperationShapes, given: &Json) -> Result<Encoded, String> {
    let value = json::decode(given.to_string().as_bytes(), shapes.output).map_err(|e| e.to_string())?;
    Ok(encode_response(model.protocol, model, shapes.name, shapes.output, &value, "id-1"))
}

/// An answer's text and head.
pub fn shown(answer: &Encoded) -> Json {
    let headers = answer.headers.iter().map(|(name, value)| (name.to_string(), Json::from(value.as_str())));
    json!({"status": answer.status, "headers": headers.collect::<serde_json::Map<_, _>>()})
}
