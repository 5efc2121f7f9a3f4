//! The policies of topics: AWS's default, what is taken for one, and the statements that AddPermission writes. Source:
//! Amazon SNS Developer Guide, "Default access policy"; API Reference, AddPermission and RemovePermission.

use crate::errors::invalid;
use crate::names::TopicName;
use crate::records::Topic;
use kiln_policy::{Document, DocumentKind};
use kiln_service_kit::{Cx, Error};
use serde_json::{Value as Json, json};

/// The longest policy.
const LONGEST: usize = 30 * 1024;
/// The actions that a topic's policy can speak of, without `sns:`, in lower case.
const ACTIONS: [&str; 14] = [
    "*",
    "addpermission",
    "confirmsubscription",
    "deletetopic",
    "getdataprotectionpolicy",
    "gettopicattributes",
    "listsubscriptionsbytopic",
    "listtagsforresource",
    "publish",
    "putdataprotectionpolicy",
    "receive",
    "removepermission",
    "settopicattributes",
    "subscribe",
];

/// The policy of a topic.
pub fn of(topic: &Topic, name: &TopicName) -> String {
    topic.policy.clone().unwrap_or_else(|| default(name))
}

/// What a topic has until another is set: its own account may, also services that act in it.
fn default(name: &TopicName) -> String {
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": [
                "SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission", "SNS:RemovePermission",
                "SNS:DeleteTopic", "SNS:Subscribe", "SNS:ListSubscriptionsByTopic", "SNS:Publish"
            ],
            "Resource": name.arn,
            "Condition": {"StringEquals": {"AWS:SourceOwner": &*name.scope.account}}
        }]
    })
    .to_string()
}

/// Whether a text can be the policy of a topic. An empty one is the default.
pub fn check(cx: &Cx, text: &str) -> Result<Option<String>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |what: &str| invalid(format_args!("Policy Error: {what}"));
    if text.len() > LONGEST {
        return Err(wrong("the policy is too long"));
    }
    let json: Json = serde_json::from_str(text).map_err(|_| invalid("Policy failed to parse JSON"))?;
    Document::parse(text, DocumentKind::Resource).map_err(|error| wrong(&error.message))?;
    for statement in each(json.get("Statement")) {
        for action in each(statement.get("Action")).iter().chain(&each(statement.get("NotAction"))) {
            let lower = action.as_str().unwrap_or_default().to_ascii_lowercase();
            let known = lower == "*" || lower.strip_prefix("sns:").is_some_and(is_known);
            if !known {
                return Err(invalid("Policy statement action out of service scope!"));
            }
        }
        for who in each(statement.get("Principal").and_then(|who| who.get("AWS"))) {
            check_principal(cx, who.as_str().unwrap_or_default())?;
        }
    }
    Ok(Some(text.to_owned()))
}

fn is_known(action: &str) -> bool {
    let glob = kiln_service_kit::Glob::plain(action);
    ACTIONS.iter().any(|known| *known == action || glob.matches(known))
}

/// Whoever is named must be there.
fn check_principal(cx: &Cx, who: &str) -> Result<(), Error> {
    let digits = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    let is_root = who.strip_suffix(":root").and_then(|start| start.rsplit(':').next()).is_some_and(digits);
    if who == "*" || digits(who) || is_root {
        return Ok(());
    }
    let access = cx.platform().access().ok_or_else(|| Error::internal("nobody of this platform knows principals"))?;
    match access.names_somebody(who)? {
        true => Ok(()),
        false => Err(invalid("Policy Error: PrincipalNotFound")),
    }
}

/// One or several, as policies write them.
fn each(json: Option<&Json>) -> Vec<Json> {
    match json {
        None => vec![],
        Some(Json::Array(all)) => all.clone(),
        Some(one) => vec![one.clone()],
    }
}

/// The policy with one more statement, of that name.
pub fn with(
    topic: &Topic,
    name: &TopicName,
    label: &str,
    accounts: &[String],
    actions: &[String],
) -> Result<String, Error> {
    let mut policy = parsed(topic, name)?;
    let statement = json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": accounts.iter().map(|account| format!("arn:aws:iam::{account}:root")).collect::<Vec<_>>()},
        "Action": actions.iter().map(|action| format!("SNS:{action}")).collect::<Vec<_>>(),
        "Resource": name.arn,
    });
    let mut statements = each(policy.get("Statement"));
    if statements.iter().any(|statement| statement["Sid"] == label) {
        return Err(invalid("Statement already exists"));
    }
    statements.push(statement);
    policy["Statement"] = Json::Array(statements);
    let text = policy.to_string();
    if text.len() > LONGEST {
        return Err(invalid("Policy Error: the policy is too long"));
    }
    Ok(text)
}

/// The policy without the statement of that name; none where nothing is left of it.
pub fn without(topic: &Topic, name: &TopicName, label: &str) -> Result<String, Error> {
    let mut policy = parsed(topic, name)?;
    let mut statements = each(policy.get("Statement"));
    statements.retain(|statement| statement["Sid"] != label);
    policy["Statement"] = Json::Array(statements);
    Ok(policy.to_string())
}

fn parsed(topic: &Topic, name: &TopicName) -> Result<Json, Error> {
    serde_json::from_str(&of(topic, name)).map_err(|e| Error::failed("read the policy of a topic", e))
}

/// The actions that AddPermission can give to another account.
pub fn check_actions(actions: &[String]) -> Result<(), Error> {
    let may = |action: &&String| {
        let lower = action.to_ascii_lowercase();
        ACTIONS[1..].contains(&lower.as_str())
    };
    match actions.iter().find(|action| !may(action)) {
        Some(_) => Err(invalid("Policy statement action out of service scope!")),
        None => Ok(()),
    }
}
