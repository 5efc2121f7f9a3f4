//! The policies of buses: what PutPermission and RemovePermission write. How one is weighed is the kit's. Source: the API
//! Reference, PutPermission; "Amazon EventBridge quotas", event bus policy size.

use crate::errors::{not_found, validation};
use kiln_policy::{Document, DocumentKind};
use kiln_service_kit::Error;
use serde_json::{Value as Json, json};

/// Characters.
const LONGEST: usize = 10_240;

/// Whether a text can be the policy of a bus.
pub fn check(text: &str) -> Result<String, Error> {
    if text.len() > LONGEST {
        return Err(too_long());
    }
    let wrong = |why: &str| validation(format!("Invalid policy: {why}"));
    let document = Document::parse(text, DocumentKind::Resource).map_err(|error| wrong(&error.message))?;
    // Nobody here is of an organization: a statement that asks for one would let in nobody, or everybody.
    let organization =
        |key: &str| key.eq_ignore_ascii_case("aws:PrincipalOrgID") || key.eq_ignore_ascii_case("aws:PrincipalOrgPaths");
    if document.context_keys().iter().any(|key| organization(key)) {
        return Err(Error::not_built("events: organizations in the policy of a bus (aws:PrincipalOrgID)"));
    }
    Ok(text.to_owned())
}

fn too_long() -> Error {
    Error::sender("PolicyLengthExceededException", format!("The policy is longer than {LONGEST} characters."))
}

fn statements(policy: Option<&str>) -> Result<Vec<Json>, Error> {
    let Some(policy) = policy else { return Ok(vec![]) };
    let json: Json = serde_json::from_str(policy).map_err(|e| Error::failed("read the policy of a bus", e))?;
    Ok(match &json["Statement"] {
        Json::Array(all) => all.clone(),
        Json::Null => vec![],
        one => vec![one.clone()],
    })
}

/// With one more statement, or with that one in place of one of its name.
pub fn with(policy: Option<&str>, bus_arn: &str, sid: &str, action: &str, principal: &str) -> Result<String, Error> {
    let who = match principal {
        "*" => json!("*"),
        account => json!({"AWS": format!("arn:aws:iam::{account}:root")}),
    };
    let mut all = statements(policy)?;
    all.retain(|statement| statement["Sid"] != sid);
    all.push(json!({"Sid": sid, "Effect": "Allow", "Principal": who, "Action": action, "Resource": bus_arn}));
    check(&json!({"Version": "2012-10-17", "Statement": all}).to_string())
}

/// Without the statement of that name; none where nothing is left.
pub fn without(policy: Option<&str>, sid: &str) -> Result<Option<String>, Error> {
    let mut all = statements(policy)?;
    let before = all.len();
    all.retain(|statement| statement["Sid"] != sid);
    if all.len() == before {
        return Err(not_found("Statement with the provided id does not exist."));
    }
    Ok((!all.is_empty()).then(|| json!({"Version": "2012-10-17", "Statement": all}).to_string()))
}
