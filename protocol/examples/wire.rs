//! The codecs as a filter, for `tests/check_with_botocore.py`: one JSON request a line, one JSON
//! answer a line.
//!
//! `{"service":"ec2","operation":"RunInstances","decode":"Action=…"}` answers
//! `{"value":{…by model names…}}`; `"encode":{…}` instead answers `{"body":"…"}`;
//! `"error":{"code":…,"message":…}` answers an error's body.

use kiln_protocol::{Error, OperationShapes, Protocol, ServiceModel, json};
use serde_json::{Value as Json, json};
use std::io::{BufRead, Write};

type Service = (&'static ServiceModel, &'static [OperationShapes]);

fn services() -> [Service; 7] {
    [
        (&kiln_autoscaling_shapes::SERVICE, kiln_autoscaling_shapes::OPERATIONS),
        (&kiln_cloudformation_shapes::SERVICE, kiln_cloudformation_shapes::OPERATIONS),
        (&kiln_ec2_shapes::SERVICE, kiln_ec2_shapes::OPERATIONS),
        (&kiln_elbv2_shapes::SERVICE, kiln_elbv2_shapes::OPERATIONS),
        (&kiln_iam_shapes::SERVICE, kiln_iam_shapes::OPERATIONS),
        (&kiln_ssm_shapes::SERVICE, kiln_ssm_shapes::OPERATIONS),
        (&kiln_sts_shapes::SERVICE, kiln_sts_shapes::OPERATIONS),
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
        return Ok(json!({"body": String::from_utf8_lossy(&answer.body), "status": answer.status}));
    }
    let Some(shapes) = operations.iter().find(|o| o.name == operation) else {
        return Err(format!("no tables for {service} {operation}"));
    };
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
    Ok(json!({"body": String::from_utf8_lossy(&answer.body), "status": answer.status}))
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = answer(&line?).unwrap_or_else(|error| json!({ "failed": error }));
        writeln!(out, "{answer}")?;
    }
    Ok(())
}
