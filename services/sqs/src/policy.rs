//! The policy of a queue: what is taken for one, the statements that AddPermission writes into it, and whose it is.
//!
//! How it is weighed against the caller's own is the kit's (`service-kit/src/target.rs`) and the crate `policy`'s.

use crate::errors::{attribute_value, over_limit, value};
use crate::place::arn;
use crate::records::Queue;
use kiln_policy::{Document, DocumentKind};
use kiln_service_kit::{Cx, Error, Owned, Scope, regions};
use serde_json::{Value as Json, json};

/// Source: SQS Developer Guide, "Quotas related to policies".
const MOST_BYTES: usize = 8_192;
const MOST_STATEMENTS: usize = 20;
const MOST_PRINCIPALS: usize = 50;
const MOST_ACTIONS: usize = 7;

/// Condition keys that a request has in AWS and not here: a statement that denies by one would let in.
const NOT_BUILT: [&str; 9] = [
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:ec2instancesourceprivateipv4",
    "aws:ec2instancesourcevpc",
    "aws:principalservicenameslist",
    "aws:referer",
    "aws:tokenissuetime",
    "aws:useragent",
];

/// What AddPermission gives to others: the calls that other accounts can be let in to.
const GRANTED: [&str; 8] = [
    "*",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "ReceiveMessage",
    "SendMessage",
];

/// And those that are asked about by another's name, or that only the owner can do: AddPermission takes these names too.
const ALSO_GRANTED: [&str; 1] = ["PurgeQueue"];

/// The policy that a text is.
pub fn check(cx: &Cx, text: &str) -> Result<String, Error> {
    let wrong = || attribute_value("Policy");
    let json: Json = serde_json::from_str(text).map_err(|_| wrong())?;
    if json.to_string().len() > MOST_BYTES {
        return Err(over_limit(format!("The policy is longer than {MOST_BYTES} bytes.")));
    }
    let document = Document::parse(text, DocumentKind::Resource).map_err(|_| wrong())?;
    let statements = each(json.get("Statement"));
    if statements.len() > MOST_STATEMENTS {
        return Err(over_limit(format!("The policy has more than {MOST_STATEMENTS} statements.")));
    }
    for statement in statements {
        if each(statement.get("Action")).len() > MOST_ACTIONS {
            return Err(over_limit(format!("A statement of the policy has more than {MOST_ACTIONS} actions.")));
        }
        principals(cx, statement)?;
    }
    for key in document.context_keys() {
        if NOT_BUILT.contains(&key.to_ascii_lowercase().as_str()) {
            return Err(Error::not_built(format!("sqs: the condition key {key} in a queue policy")));
        }
    }
    Ok(text.to_owned())
}

/// Whoever is named must be there, and be of a kind that anybody here can be of.
fn principals(cx: &Cx, statement: &Json) -> Result<(), Error> {
    let mut count = 0;
    for element in ["Principal", "NotPrincipal"] {
        let Some(Json::Object(kinds)) = statement.get(element) else { continue };
        for (kind, who) in kinds {
            for who in each(Some(who)) {
                count += 1;
                let who = who.as_str().ok_or_else(|| attribute_value("Policy"))?;
                match kind.as_str() {
                    "AWS" if who == "*" || account_of(who).is_some() => {}
                    "AWS" => {
                        let access = cx.platform().access();
                        let access = access.ok_or_else(|| Error::internal("nobody here knows principals"))?;
                        if !access.names_somebody(who)? {
                            return Err(attribute_value("Policy"));
                        }
                    }
                    "Service" => {}
                    _ => return Err(Error::not_built(format!("sqs: a principal of kind {kind} in a queue policy"))),
                }
            }
        }
    }
    match count > MOST_PRINCIPALS {
        true => Err(over_limit(format!("A statement of the policy has more than {MOST_PRINCIPALS} principals."))),
        false => Ok(()),
    }
}

/// The account that a principal is as a whole.
fn account_of(who: &str) -> Option<String> {
    let root = regions::global_part(who, "iam").and_then(|rest| rest.strip_suffix(":root").map(str::to_owned));
    let account = root.unwrap_or_else(|| who.to_owned());
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}

/// One or several of them.
fn each(json: Option<&Json>) -> Vec<&Json> {
    match json {
        None => vec![],
        Some(Json::Array(all)) => all.iter().collect(),
        Some(one) => vec![one],
    }
}

/// A queue's policy with a statement more, as AddPermission writes it.
pub fn with_permission(
    cx: &Cx,
    scope: &Scope,
    queue: &Queue,
    label: &str,
    accounts: &[String],
    actions: &[String],
) -> Result<String, Error> {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if label.is_empty() || label.len() > 80 || !label.chars().all(good) {
        let reason = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.";
        return Err(value(label, "Label", reason));
    }
    if actions.is_empty() {
        return Err(crate::errors::missing("Actions"));
    }
    if accounts.is_empty() {
        return Err(value("[]", "PrincipalId", "Unable to verify."));
    }
    for action in actions {
        if !GRANTED.contains(&action.as_str()) && !ALSO_GRANTED.contains(&action.as_str()) {
            let reason = "Please refer to the appropriate WSDL for a list of valid actions.";
            return Err(value(format_args!("SQS:{action}"), "ActionName", reason));
        }
    }
    if actions.len() > MOST_ACTIONS {
        return Err(over_limit(format!("{} Actions were found, maximum allowed is {MOST_ACTIONS}.", actions.len())));
    }
    let mut principals = vec![];
    for account in accounts {
        let account = account_of(account).ok_or_else(|| value(account, "PrincipalId", "Unable to verify."))?;
        principals.push(format!("arn:{}:iam::{account}:root", cx.partition()));
    }
    let of = arn(cx, scope, &queue.name);
    let mut policy = match &queue.settings.policy {
        Some(text) => serde_json::from_str(text).map_err(|e| Error::failed("read a queue's policy", e))?,
        None => json!({"Version": "2008-10-17", "Id": format!("{of}/SQSDefaultPolicy"), "Statement": []}),
    };
    let mut statements: Vec<Json> = each(policy.get("Statement")).into_iter().cloned().collect();
    if statements.iter().any(|statement| statement.get("Sid").and_then(Json::as_str) == Some(label)) {
        return Err(value(label, "Label", "Already exists."));
    }
    let one = |mut all: Vec<String>| if all.len() == 1 { json!(all.remove(0)) } else { json!(all) };
    statements.push(json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": one(principals)},
        "Action": one(actions.iter().map(|action| format!("SQS:{action}")).collect()),
        "Resource": of,
    }));
    policy["Statement"] = Json::Array(statements);
    check(cx, &policy.to_string())
}

/// A queue's policy without a statement; none where that was the last.
pub fn without_permission(queue: &Queue, label: &str) -> Result<Option<String>, Error> {
    let lacks = || value(label, "Label", "can't find label on existing policy");
    let text = queue.settings.policy.as_ref().ok_or_else(lacks)?;
    let mut policy: Json = serde_json::from_str(text).map_err(|e| Error::failed("read a queue's policy", e))?;
    let statements: Vec<Json> = each(policy.get("Statement")).into_iter().cloned().collect();
    let named = |statement: &Json| statement.get("Sid").and_then(Json::as_str) == Some(label);
    let (gone, left): (Vec<Json>, Vec<Json>) = statements.into_iter().partition(named);
    if gone.is_empty() {
        return Err(lacks());
    }
    if left.is_empty() {
        return Ok(None);
    }
    policy["Statement"] = Json::Array(left);
    Ok(Some(policy.to_string()))
}

/// Whose a queue is. Its policy is heard of what others can be let in to; the rest only its own account can do.
pub fn owned(cx: &Cx, scope: &Scope, queue: &Queue, for_others: bool) -> Owned {
    let heard = for_others || *scope.account == *cx.account();
    let policy = queue.settings.policy.as_deref().filter(|_| heard);
    Owned { account: scope.account.to_string(), name: arn(cx, scope, &queue.name), policy: policy.map(Into::into) }
}
