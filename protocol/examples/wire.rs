//! The codecs as a filter, for `tests/check_with_botocore.py`: one JSON request a line, one JSON
//! answer a line.
//!
//! `{"service":"ec2","operation":"RunInstances","decode":"Action=…"}` answers
//! `{"value":{…by model names…}}`; `"encode":{…}` instead answers `{"body":"…"}`;
//! `"bytes":"base64"` with method, path, query and headers instead of `decode` is a REST or CBOR request;
//! `"error":{"code":…,"message":…}` answers an error's body.

use base64::Engine;
use kiln_protocol::rest::RestRequest;
use kiln_protocol::{Demands, Encoded, Error, OperationShapes, Protocol, Route, Router, ServiceModel, Value, json};
use serde_json::{Value as Json, json};
use std::io::{BufRead, Write};

type Service = (&'static ServiceModel, &'static [OperationShapes]);

fn services() -> [Service; 11] {
    [
        (&kiln_autoscaling_shapes::SERVICE, kiln_autoscaling_shapes::OPERATIONS),
        (&kiln_cloudformation_shapes::SERVICE, kiln_cloudformation_shapes::OPERATIONS),
        (&kiln_ec2_shapes::SERVICE, kiln_ec2_shapes::OPERATIONS),
        (&kiln_elbv2_shapes::SERVICE, kiln_elbv2_shapes::OPERATIONS),
        (&kiln_iam_shapes::SERVICE, kiln_iam_shapes::OPERATIONS),
        (&kiln_ssm_shapes::SERVICE, kiln_ssm_shapes::OPERATIONS),
        (&kiln_sts_shapes::SERVICE, kiln_sts_shapes::OPERATIONS),
        (&kiln_cloudwatch_shapes::SERVICE, kiln_cloudwatch_shapes::OPERATIONS),
        (&kiln_efs_shapes::SERVICE, kiln_efs_shapes::OPERATIONS),
        (&kiln_lambda_shapes::SERVICE, kiln_lambda_shapes::OPERATIONS),
        (&kiln_xray_shapes::SERVICE, kiln_xray_shapes::OPERATIONS),
    ]
}

fn answer(line: &str) -> Result<Json, String> {
    let request: Json = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let text = |name: &str| request[name].as_str().ok_or(format!("no {name}"));
    let (service, operation) = (text("service")?, text("operation")?);
    let all = services();
    let (model, operations) = all.iter().find(|(m, _)| m.name == service).ok_or("unknown service")?;
    if let Some(error) = request.get("error") {
        let code = error["code"].as_str().unwrap_or("Unknown").to_owned();
        let error = Error::sender(code, error["message"].as_str().unwrap_or("none"));
        let answer = kiln_protocol::encode_error(model.protocol, model, &error, "id-1");
        return Ok(shown(&answer));
    }
    let Some(shapes) = operations.iter().find(|o| o.name == operation) else {
        return Err(format!("no tables for {service} {operation}"));
    };
    if let Some(body) = request["bytes"].as_str() {
        let body = base64::engine::general_purpose::STANDARD.decode(body).map_err(|e| e.to_string())?;
        let value = match model.protocol {
            Protocol::Cbor => kiln_protocol::cbor::decode(&body, shapes.input).map_err(|e| e.to_string()),
            _ => read_rest(model, shapes, &request, &body),
        };
        let json: Json = serde_json::from_slice(&json::encode(&value?, shapes.input)).map_err(|e| e.to_string())?;
        return Ok(json!({ "value": json }));
    }
    if let Some(body) = request["decode"].as_str() {
        let body = body.as_bytes();
        let value = match model.protocol {
            Protocol::Query => kiln_protocol::query::decode(body, shapes.input),
            Protocol::Ec2 => kiln_protocol::ec2::decode(body, shapes.input),
            _ => json::decode(body, shapes.input),
        };
        let value = value.map_err(|e| e.to_string())?;
        let json: Json = serde_json::from_slice(&json::encode(&value, shapes.input)).map_err(|e| e.to_string())?;
        return Ok(json!({ "value": json }));
    }
    let given = request["encode"].to_string();
    let value = json::decode(given.as_bytes(), shapes.output).map_err(|e| e.to_string())?;
    let answer = kiln_protocol::encode_response(model.protocol, model, operation, shapes.output, &value, "id-1");
    Ok(shown(&answer))
}

fn shown(answer: &Encoded) -> Json {
    let headers: Vec<_> = answer.headers.iter().map(|(name, value)| json!([name, value])).collect();
    let bytes = base64::engine::general_purpose::STANDARD.encode(&answer.body);
    json!({"body": String::from_utf8_lossy(&answer.body), "bytes": bytes, "headers": headers, "status": answer.status})
}

/// The routes of the models that are asked by path.
fn routes(service: &str) -> &'static [Route] {
    match service {
        "efs" => kiln_efs_shapes::ROUTES,
        "lambda" => kiln_lambda_shapes::ROUTES,
        "xray" => kiln_xray_shapes::ROUTES,
        _ => &[],
    }
}

/// Reads a REST request as the gateway does: named by the router, then decoded.
fn read_rest(
    model: &'static ServiceModel,
    shapes: &OperationShapes,
    sent: &Json,
    body: &[u8],
) -> Result<Value, String> {
    let text = |name: &str| sent[name].as_str().unwrap_or("").to_owned();
    let (method, path, query) = (text("method"), text("path"), text("query"));
    let headers: Vec<(&str, &str)> = sent["headers"]
        .as_object()
        .map_or(vec![], |all| all.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap_or(""))).collect());
    let router = Router::new(&[(model.name, routes(model.name))], Demands::Needed).map_err(|e| e.to_string())?;
    let has_header = |name: &str| headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    let found = router.find(&method, &path, &query, has_header).ok_or(format!("no route: {method} {path}?{query}"))?;
    if found.route.operation != shapes.name {
        return Err(format!("{method} {path}?{query} means {}", found.route.operation));
    }
    let request = RestRequest { path: &path, query: &query, headers: &headers, body };
    kiln_protocol::rest::decode(Protocol::RestJson, &request, &found.labels, shapes.input).map_err(|e| e.to_string())
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = answer(&line?).unwrap_or_else(|error| json!({ "failed": error }));
        writeln!(out, "{answer}")?;
    }
    Ok(())
}
