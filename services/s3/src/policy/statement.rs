//! A bucket policy as it is written: its statements' words, before anything is made of them. The form is judged here,
//! in S3's words and order; few of them are documented, and they are as its answers have them where these are known.

use crate::errors::malformed_policy;
use kiln_service_kit::Error;
use serde_json::{Map, Value as Json};

/// One statement.
#[derive(Debug, Default)]
pub struct Statement {
    pub allows: bool,
    /// Kinds of principals and one of each: `("AWS", "*")`.
    pub principals: Vec<(String, String)>,
    pub actions: Vec<String>,
    pub not_actions: bool,
    pub resources: Vec<String>,
    pub not_resources: bool,
    pub conditions: Vec<Condition>,
}

/// A test of a key.
#[derive(Debug)]
pub struct Condition {
    pub operator: String,
    pub key: String,
    pub values: Vec<String>,
}

/// The statements of a document.
pub fn read(text: &str) -> Result<Vec<Statement>, Error> {
    if !text.starts_with('{') {
        return Err(malformed_policy("Policies must be valid JSON and the first byte must be '{'"));
    }
    let Ok(Json::Object(document)) = serde_json::from_str(text) else {
        return Err(malformed_policy("This policy contains invalid Json"));
    };
    let version = document.get("Version");
    if version.is_some_and(|version| version != "2012-10-17" && version != "2008-10-17") {
        return Err(malformed_policy("The policy must contain a valid version string"));
    }
    match document.get("Statement") {
        None => Err(missing("Statement")),
        Some(Json::Array(all)) if all.is_empty() => {
            Err(malformed_policy("Could not parse the policy: Statement is empty!"))
        }
        Some(Json::Array(all)) => all.iter().map(statement).collect(),
        Some(one) => Ok(vec![statement(one)?]),
    }
}

fn statement(json: &Json) -> Result<Statement, Error> {
    let Json::Object(json) = json else { return Err(syntax()) };
    let allows = match json.get("Effect") {
        None => return Err(missing("Effect")),
        Some(Json::String(effect)) if effect == "Allow" => true,
        Some(Json::String(effect)) if effect == "Deny" => false,
        Some(Json::String(effect)) => return Err(malformed_policy(&format!("Invalid effect: {effect}"))),
        Some(_) => return Err(syntax()),
    };
    let (principals, not_principals) = one_of(json, "Principal")?;
    let (actions, not_actions) = one_of(json, "Action")?;
    let (resources, not_resources) = one_of(json, "Resource")?;
    if allows && not_principals {
        return Err(malformed_policy("Allow with NotPrincipal is not allowed."));
    }
    Ok(Statement {
        allows,
        principals: principals_of(principals)?,
        actions: filled(actions, "Action")?,
        not_actions,
        resources: filled(resources, "Resource")?,
        not_resources,
        conditions: json.get("Condition").map(conditions).transpose()?.unwrap_or_default(),
    })
}

/// An element that must be there, or its `Not…` form.
fn one_of<'j>(statement: &'j Map<String, Json>, name: &str) -> Result<(&'j Json, bool), Error> {
    match (statement.get(name), statement.get(&format!("Not{name}"))) {
        (Some(found), None) => Ok((found, false)),
        (None, Some(found)) => Ok((found, true)),
        (None, None) => Err(missing(name)),
        (Some(_), Some(_)) => Err(syntax()),
    }
}

fn filled(json: &Json, name: &str) -> Result<Vec<String>, Error> {
    let texts = texts(json)?;
    if texts.is_empty() { Err(missing(name)) } else { Ok(texts) }
}

fn principals_of(json: &Json) -> Result<Vec<(String, String)>, Error> {
    let kinds = match json {
        Json::String(text) if text == "*" => return Ok(vec![("AWS".to_owned(), text.clone())]),
        Json::Object(kinds) => kinds,
        _ => return Err(invalid_principal()),
    };
    let mut all = vec![];
    for (kind, values) in kinds {
        let values = texts(values).map_err(|_| invalid_principal())?;
        all.extend(values.into_iter().map(|value| (kind.clone(), value)));
    }
    if all.is_empty() { Err(invalid_principal()) } else { Ok(all) }
}

fn conditions(json: &Json) -> Result<Vec<Condition>, Error> {
    let Json::Object(operators) = json else { return Err(syntax()) };
    let mut all = vec![];
    for (operator, keys) in operators {
        let Json::Object(keys) = keys else { return Err(syntax()) };
        for (key, values) in keys {
            let each: Vec<&Json> = match values {
                Json::Array(values) => values.iter().collect(),
                value => vec![value],
            };
            let text = |value: &Json| match value {
                Json::String(text) => Ok(text.clone()),
                Json::Bool(_) | Json::Number(_) => Ok(value.to_string()),
                _ => Err(syntax()),
            };
            let values = each.into_iter().map(text).collect::<Result<_, _>>()?;
            all.push(Condition { operator: operator.clone(), key: key.clone(), values });
        }
    }
    Ok(all)
}

fn texts(json: &Json) -> Result<Vec<String>, Error> {
    let text = |json: &Json| json.as_str().map(str::to_owned).ok_or_else(syntax);
    match json {
        Json::Array(all) => all.iter().map(text).collect(),
        one => Ok(vec![text(one)?]),
    }
}

fn missing(element: &str) -> Error {
    malformed_policy(&format!("Missing required field {element}"))
}

pub fn invalid_principal() -> Error {
    malformed_policy("Invalid principal in policy")
}

pub fn syntax() -> Error {
    malformed_policy("Invalid policy syntax.")
}
