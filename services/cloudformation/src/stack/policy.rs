//! Stack policies: which resources an update may modify, replace or delete.
//!
//! Without a policy everything is allowed. With one, what no statement allows is denied, and a deny
//! beats an allow.

use crate::errors::validation;
use crate::records::{Action, Stack, Work};
use crate::stack::s3_url;
use kiln_service_kit::{Cx, Error, Glob};
use serde_json::Value as Json;

/// The longest policy.
const MOST_BYTES: usize = 16_384;

/// Why the policy in force denies this work on a resource, if so.
pub fn denies(stack: &Stack, logical_id: &str, work: &Work) -> Option<String> {
    let action = match work.action {
        Action::Update => "Update:Modify",
        Action::Replace | Action::DeleteThenCreate => "Update:Replace",
        Action::Delete => "Update:Delete",
        Action::Create | Action::Keep => return None,
    };
    denies_action(stack, logical_id, &work.target.resource_type, action)
}

/// The same for an action by its name.
pub fn denies_action(stack: &Stack, logical_id: &str, resource_type: &str, action: &str) -> Option<String> {
    stack.current.as_ref()?;
    let during = stack.operation.as_ref().and_then(|operation| operation.policy.as_ref());
    let text = during.or(stack.policy.as_ref())?;
    judge(text, logical_id, resource_type, action)
}

/// What a policy says of an action.
fn judge(text: &str, logical_id: &str, resource_type: &str, action: &str) -> Option<String> {
    // It was checked when it was set. One that cannot be read any more protects what it protected.
    let policy = match read(text) {
        Ok(policy) => policy,
        Err(why) => {
            return Some(format!(
                "Action denied by stack policy: the policy cannot be read ({why}), so nothing is known to allow \
                 [{action}] for resource [{logical_id}]; set another one"
            ));
        }
    };
    let statements = statements(&policy);
    let mut allowed = false;
    for (index, statement) in statements.iter().enumerate() {
        if !applies(statement, logical_id, resource_type, action) {
            continue;
        }
        if statement.get("Effect").and_then(Json::as_str) == Some("Deny") {
            return Some(format!(
                "Action denied by stack policy: Statement [#{}] does not allow [{action}] for resource [{logical_id}];",
                index + 1
            ));
        }
        allowed = true;
    }
    (!allowed)
        .then(|| format!("Action denied by stack policy: no statement allows [{action}] for resource [{logical_id}]"))
}

/// The policy that a request gives or points at.
pub async fn given(cx: &Cx, body: Option<&String>, url: Option<&String>) -> Result<Option<String>, Error> {
    let text = match (body, url) {
        (Some(_), Some(_)) => {
            return Err(validation("You cannot specify both Stack Policy Body and Stack Policy URL."));
        }
        (body, None) => body.cloned(),
        (None, Some(url)) => Some(s3_url::fetch(cx, "StackPolicyURL", url, MOST_BYTES).await?),
    };
    if let Some(text) = &text {
        if text.len() > MOST_BYTES {
            return Err(validation(format!("Stack policy may not exceed {MOST_BYTES} bytes in size.")));
        }
        read(text).map_err(|why| validation(format!("Error validating stack policy: {why}")))?;
    }
    Ok(text)
}

/// Reads a stack policy; why it is none.
fn read(text: &str) -> Result<Json, String> {
    let policy: Json = serde_json::from_str(text).map_err(|e| format!("Invalid stack policy: {e}"))?;
    let found = statements(&policy);
    if found.is_empty() {
        return Err("Invalid stack policy: it has no Statement".to_owned());
    }
    for statement in found {
        let effect = statement.get("Effect").and_then(Json::as_str);
        if !matches!(effect, Some("Allow" | "Deny")) {
            return Err("Invalid effect: Effect must be Allow or Deny".to_owned());
        }
        // What is no text would be passed over, and a denial with it.
        if let Some(name) = LISTS.into_iter().find(|name| !are_texts(statement.get(*name))) {
            return Err(format!("Invalid stack policy: {name} must be a text or a list of texts"));
        }
        if texts(statement.get("Action")).is_empty() && texts(statement.get("NotAction")).is_empty() {
            return Err("Missing required field Action".to_owned());
        }
        let known = |action: &str| matches!(action, "Update:Modify" | "Update:Replace" | "Update:Delete" | "Update:*");
        let mut actions = ["Action", "NotAction"].into_iter().flat_map(|name| texts(statement.get(name)));
        if let Some(action) = actions.find(|action| !known(action)) {
            return Err(format!("Unknown stack action {action}"));
        }
        if texts(statement.get("Principal")) != ["*"] {
            return Err("Invalid principal: Principal must be *".to_owned());
        }
        if let Some(condition) = statement.get("Condition") {
            let only_types = condition.as_object().is_some_and(|tests| {
                tests.iter().all(|(test, keys)| {
                    matches!(test.as_str(), "StringEquals" | "StringLike")
                        && keys.as_object().is_some_and(|keys| {
                            keys.iter().all(|(key, types)| key == "ResourceType" && are_texts(Some(types)))
                        })
                })
            });
            if !only_types {
                return Err("Condition must test ResourceType by StringEquals or StringLike".to_owned());
            }
        }
    }
    Ok(policy)
}

/// Members of a statement that are texts.
const LISTS: [&str; 5] = ["Action", "NotAction", "Principal", "Resource", "NotResource"];

/// Whether a value is left out, a text or a list of texts.
fn are_texts(value: Option<&Json>) -> bool {
    match value {
        None | Some(Json::String(_)) => true,
        Some(Json::Array(all)) => all.iter().all(Json::is_string),
        Some(_) => false,
    }
}

fn statements(policy: &Json) -> Vec<&Json> {
    match policy.get("Statement") {
        Some(Json::Array(all)) => all.iter().collect(),
        Some(one @ Json::Object(_)) => vec![one],
        _ => vec![],
    }
}

fn texts(value: Option<&Json>) -> Vec<&str> {
    match value {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(all)) => all.iter().filter_map(Json::as_str).collect(),
        _ => vec![],
    }
}

fn applies(statement: &Json, logical_id: &str, resource_type: &str, action: &str) -> bool {
    let resource = format!("LogicalResourceId/{logical_id}");
    let any = |name: &str, actual: &str| {
        texts(statement.get(name)).iter().any(|pattern| Glob::plain(pattern).matches(actual))
    };
    let action_fits = match statement.get("NotAction") {
        Some(_) => !any("NotAction", action),
        None => any("Action", action),
    };
    let resource_fits = match statement.get("NotResource") {
        Some(_) => !any("NotResource", &resource),
        // A statement may be for types only.
        None => statement.get("Resource").is_none() || any("Resource", &resource),
    };
    let type_fits = statement.get("Condition").and_then(Json::as_object).into_iter().flatten().all(|(test, keys)| {
        let wanted = texts(keys.get("ResourceType"));
        wanted.iter().any(|pattern| match test.as_str() {
            "StringLike" => Glob::plain(pattern).matches(resource_type),
            _ => *pattern == resource_type,
        })
    });
    action_fits && resource_fits && type_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_cannot_be_read_allows_nothing() {
        let judged = |text: &str| judge(text, "Web", "AWS::EC2::VPC", "Update:Modify");
        let damaged = judged("{\"Statement\": [").expect("denied");
        assert!(
            damaged.contains("cannot be read") && damaged.contains("[Update:Modify] for resource [Web]"),
            "{damaged}"
        );
        let all = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"}}"#;
        assert_eq!(judged(all), None);
    }

    #[test]
    fn a_denial_of_what_is_no_text_is_refused_and_not_passed_over() {
        let all = r#"{"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"}"#;
        for (members, why) in [
            (r#""Action": "Update:*", "Resource": 5"#, "Resource must be a text"),
            (r#""Action": "Update:*", "NotResource": [["LogicalResourceId/Web"]]"#, "NotResource must be a text"),
            (r#""Action": ["Update:*", {}], "Resource": "*""#, "Action must be a text"),
            (r#""NotAction": ["Update:modify"], "Resource": "*""#, "Unknown stack action Update:modify"),
            (
                r#""Action": "Update:*", "Resource": "*", "Condition": {"StringEquals": {"ResourceType": 5}}"#,
                "Condition must test ResourceType",
            ),
        ] {
            let text = format!(r#"{{"Statement": [{all}, {{"Effect": "Deny", "Principal": "*", {members}}}]}}"#);
            assert!(read(&text).is_err_and(|told| told.contains(why)), "{members}: {:?}", read(&text));
            // One that an earlier version took.
            let judged = judge(&text, "Web", "AWS::EC2::VPC", "Update:Modify").expect("denied");
            assert!(judged.contains("cannot be read"), "{judged}");
        }
    }

    #[test]
    fn stars_and_conditions() {
        let statement = serde_json::json!({
            "Effect": "Deny", "Principal": "*", "Action": "Update:Delete",
            "Condition": {"StringEquals": {"ResourceType": ["AWS::EC2::VPC"]}}
        });
        assert!(applies(&statement, "X", "AWS::EC2::VPC", "Update:Delete"));
        assert!(!applies(&statement, "X", "AWS::EC2::Subnet", "Update:Delete"));
        assert!(!applies(&statement, "X", "AWS::EC2::VPC", "Update:Modify"));
    }
}
