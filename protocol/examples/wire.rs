//! The codecs as a filter, for `tests/check_with_botocore.py`: one JSON request a line, one JSON
//! answer a line. Bodies are base64.
//!
//! `{"service":"ec2","operation":"RunInstances","decode":"…"}`, with the `head` of a REST request,
//! answers `{"value":{…by model names…}}`; `"encode":{…}` instead answers `{"body":"…","status":…,
//! "headers":{…}}`; `"error":{"code":…,"message":…}` answers an error in the same form, with
//! `"protocol":"query"` in that one.

#[path = "../tests/wire/exchange.rs"]
mod exchange;
#[path = "../tests/wire/models.rs"]
mod models;
#[path = "../tests/wire/services.rs"]
mod services;

use base64::prelude::{BASE64_STANDARD, Engine};
use kiln_protocol::{Encoded, Error, Protocol};
use serde_json::{Value as Json, json};
use std::io::{BufRead, Write};

fn answer(line: &str) -> Result<Json, String> {
    let request: Json = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let text = |name: &str| request[name].as_str().ok_or(format!("no {name}"));
    let (service, operation) = (text("service")?, text("operation")?);
    let tables = services::ALL
        .iter()
        .chain(models::MODELS)
        .find(|(model, ..)| model.name == service)
        .ok_or("unknown service")?;
    if let Some(error) = request.get("error") {
        let error_in_query = error["protocol"] == "query";
        let code = error["code"].as_str().unwrap_or("Unknown").to_owned();
        let error = Error::sender(code, error["message"].as_str().unwrap_or("none"));
        let protocol = if error_in_query { Protocol::Query } else { tables.0.protocol };
        return Ok(shown(&kiln_protocol::encode_error(protocol, tables.0, &error, "id-1")));
    }
    let Some(shapes) = tables.1.iter().find(|o| o.name == operation) else {
        return Err(format!("no tables for {service} {operation}"));
    };
    if let Some(body) = request["decode"].as_str() {
        let body = BASE64_STANDARD.decode(body).map_err(|e| e.to_string())?;
        return Ok(json!({ "value": exchange::read(tables, shapes, &request["head"], &body)? }));
    }
    exchange::write(tables, shapes, &request["encode"]).map(|answer| shown(&answer))
}

fn shown(answer: &Encoded) -> Json {
    let mut shown = exchange::shown(answer);
    shown["body"] = BASE64_STANDARD.encode(&answer.body).into();
    shown
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = answer(&line?).unwrap_or_else(|error| json!({ "failed": error }));
        writeln!(out, "{answer}")?;
    }
    Ok(())
}
