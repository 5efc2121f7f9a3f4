//! Whether a resource policy lets everybody in: somebody whom it does not name, and from anywhere. What `BlockPublicPolicy`
//! refuses and ValidateResourcePolicy tells. Pure.
//!
//! Source: AWS Secrets Manager User Guide, "Resource-based policies"; the keys that keep a statement from being public are
//! those of S3's Block Public Access, on which AWS's check is built.

use serde_json::Value as Json;

/// A statement that asks for a fixed value of one of these is not for everybody.
const FIXED: [&str; 13] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "kms:calleraccount",
];

/// Operators that ask for one of some values.
const POSITIVE: [&str; 6] =
    ["stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "ipaddress"];

/// Whether a policy that was accepted lets everybody in.
pub fn is_public(policy: &Json) -> bool {
    each(policy.get("Statement")).into_iter().any(statement)
}

fn statement(statement: &Json) -> bool {
    if statement.get("Effect").and_then(Json::as_str) != Some("Allow") {
        return false;
    }
    let everybody = match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (_, Some(_)) => true,
        (Some(Json::Object(kinds)), None) => kinds.values().any(names_everybody),
        (Some(who), None) => names_everybody(who),
        (None, None) => false,
    };
    everybody && !is_bounded(statement.get("Condition"))
}

fn names_everybody(who: &Json) -> bool {
    each(Some(who)).into_iter().any(|who| who.as_str() == Some("*"))
}

fn is_bounded(condition: Option<&Json>) -> bool {
    let operators = condition.and_then(Json::as_object).into_iter().flatten();
    let asked = operators.filter(|(operator, _)| {
        let operator = operator.to_ascii_lowercase();
        POSITIVE.contains(&operator.rsplit(':').next().unwrap_or(&operator))
    });
    asked.filter_map(|(_, keys)| keys.as_object()).flatten().any(|(key, values)| {
        let key = key.to_ascii_lowercase();
        let anywhere = |value: &str| value.contains('*') || value.contains("${") || value.ends_with("/0");
        // An ARN may leave open which thing, but not whose.
        let fixed = |value: &str| match key.ends_with("arn") {
            true => value.split(':').nth(4).is_some_and(|account| !account.is_empty() && !anywhere(account)),
            false => !anywhere(value),
        };
        FIXED.contains(&key.as_str()) && each(Some(values)).into_iter().all(|value| value.as_str().is_some_and(fixed))
    })
}

/// One or several, as policies write them.
pub fn each(json: Option<&Json>) -> Vec<&Json> {
    match json {
        None => vec![],
        Some(Json::Array(all)) => all.iter().collect(),
        Some(one) => vec![one],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_is_everybody() {
        let of = |principal: Json, condition: Json| {
            is_public(&json!({"Statement": {"Effect": "Allow", "Principal": principal, "Condition": condition}}))
        };
        let none = || json!({});
        assert!(of(json!("*"), none()));
        assert!(of(json!({"AWS": ["111122223333", "*"]}), none()));
        assert!(!of(json!({"AWS": "111122223333"}), none()));
        assert!(!of(json!("*"), json!({"StringEquals": {"aws:PrincipalAccount": "111122223333"}})));
        assert!(of(json!("*"), json!({"StringNotEquals": {"aws:PrincipalAccount": "111122223333"}})));
        assert!(of(json!("*"), json!({"StringLike": {"aws:PrincipalAccount": "*"}})));
        assert!(of(json!("*"), json!({"StringEquals": {"aws:ResourceTag/a": "b"}})), "whoever it is");
        assert!(of(json!("*"), json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}})));
        assert!(!of(json!("*"), json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})));
        assert!(!of(json!("*"), json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:us-east-1:111122223333:*"}})));
        assert!(of(json!("*"), json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:t"}})));
        assert!(of(json!("*"), json!({"ForAnyValue:StringNotLike": {"aws:SourceVpc": "vpc-1"}})));
        let denied = json!({"Statement": [{"Effect": "Deny", "Principal": "*"}]});
        assert!(!is_public(&denied));
    }
}
