//! `{{resolve:ssm:name}}` inside property texts.
//!
//! Looked at after the functions, because a reference may be put together by `Fn::Sub`. Those to secrets
//! (`secretsmanager`, `ssm-secure`) are checked and stay as they are (`secret_reference.rs`).

use serde_json::Value;

use crate::error::{At, Result};
use crate::functions::scalar_text;
use crate::lookup::{Answer, Lookup, UNKNOWN};
use crate::secret_reference::SecretReference;

const START: &str = "{{resolve:";

/// Replaces the references in every text of a value.
pub fn resolve(value: &mut Value, at: &At<'_>, lookup: &dyn Lookup) -> Result<()> {
    match value {
        Value::String(text) if text.contains(START) => *text = replace(text, at, lookup)?,
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                resolve(item, &at.index(index, Default::default()), lookup)?;
            }
        }
        Value::Object(map) => {
            for (key, item) in map.iter_mut() {
                resolve(item, &at.key(key, Default::default()), lookup)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn replace(text: &str, at: &At<'_>, lookup: &dyn Lookup) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(START) {
        let after = &rest[start + START.len()..];
        let Some(end) = after.find("}}") else { break };
        out.push_str(&rest[..start]);
        let reference = &after[..end];
        if reference.contains("{{changeSet:") {
            // The name itself is not known yet; so is the whole value.
            return Ok(UNKNOWN.to_owned());
        }
        out.push_str(&one(reference, at, lookup)?);
        rest = &after[end + 2..];
    }
    out.push_str(rest);
    Ok(out)
}

fn one(reference: &str, at: &At<'_>, lookup: &dyn Lookup) -> Result<String> {
    let (service, key) = reference.split_once(':').unwrap_or((reference, ""));
    match service {
        "ssm" => {}
        "ssm-secure" | "secretsmanager" => {
            return match SecretReference::parse(reference) {
                Some(Err(wrong)) => Err(at.error(wrong)),
                _ => Ok(format!("{START}{reference}}}}}")),
            };
        }
        other => {
            return Err(
                at.error(format!("Dynamic reference {{{{resolve:{reference}}}}} names an unknown service: {other}"))
            );
        }
    }
    let (name, version) = match key.rsplit_once(':') {
        Some((name, version)) => match version.parse() {
            Ok(version) => (name, Some(version)),
            Err(_) => {
                return Err(at.error(format!(
                    "Incorrect format is used in the following SSM reference: [{{{{resolve:{reference}}}}}]"
                )));
            }
        },
        None => (key, None),
    };
    if name.is_empty() {
        return Err(
            at.error(format!("Incorrect format is used in the following SSM reference: [{{{{resolve:{reference}}}}}]"))
        );
    }
    match lookup.ssm_parameter(name, version) {
        Ok(Answer::NotYet) => Ok(UNKNOWN.to_owned()),
        Ok(Answer::Known(value)) => {
            scalar_text(&value).ok_or_else(|| at.error(format!("SSM parameter {name} is not a text")))
        }
        Err(message) => Err(
            at.error(format!("Unable to fetch parameters [{name}] from parameter store for this account. ({message})"))
        ),
    }
}
