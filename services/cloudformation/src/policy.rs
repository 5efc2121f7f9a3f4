//! Stack policies: which resources an update may modify, replace or delete.
//!
//! Without a policy everything is allowed. With one, what no statement allows is denied, and a deny
//! beats an allow.

use crate::errors::validation;
use crate::records::{Action, Stack, Work};
use crate::s3_url;
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
    let policy: Json = match serde_json::from_str(text) {
        Ok(policy) => policy,
        Err(error) => {
            return Some(format!(
                "Action denied by stack policy: the policy cannot be read ({error}), so nothing is known to allow \
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
        check(text)?;
    }
    Ok(text)
}

/// Refuses what is not a stack policy.
fn check(text: &str) -> Result<(), Error> {
    let bad = |why: String| validation(format!("Error validating stack policy: {why}"));
    let policy: Json = serde_json::from_str(text).map_err(|e| bad(format!("Invalid stack policy: {e}")))?;
    let found = statements(&policy);
    if found.is_empty() {
        return Err(bad("Invalid stack policy: it has no Statement".to_owned()));
    }
    for statement in found {
        let effect = statement.get("Effect").and_then(Json::as_str);
        if !matches!(effect, Some("Allow" | "Deny")) {
            return Err(bad("Invalid effect: Effect must be Allow or Deny".to_owned()));
        }
        if texts(statement.get("Action")).is_empty() && texts(statement.get("NotAction")).is_empty() {
            return Err(bad("Missing required field Action".to_owned()));
        }
        let known = |action: &str| matches!(action, "Update:Modify" | "Update:Replace" | "Update:Delete" | "Update:*");
        if let Some(action) = texts(statement.get("Action")).into_iter().find(|action| !known(action)) {
            return Err(bad(format!("Unknown stack action {action}")));
        }
        if texts(statement.get("Principal")) != ["*"] {
            return Err(bad("Invalid principal: Principal must be *".to_owned()));
        }
        if let Some(condition) = statement.get("Condition") {
            let only_types = condition.as_object().is_some_and(|tests| {
                tests.iter().all(|(test, keys)| {
                    matches!(test.as_str(), "StringEquals" | "StringLike")
                        && keys.as_object().is_some_and(|keys| keys.keys().all(|key| key == "ResourceType"))
                })
            });
            if !only_types {
                return Err(bad("Condition must test ResourceType by StringEquals or StringLike".to_owned()));
            }
        }
    }
    Ok(())
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
