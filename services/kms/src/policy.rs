//! Key policies: the one that a key has where nobody gives it one, and what is taken for one.
//!
//! Who may do what is for the kit to judge. A key's policy is needed for everything: where it does not let the account
//! in, the account's own policies, its root user's rights among them, do not count. Source: AWS KMS Developer Guide,
//! "Key policies in AWS KMS" and "Default key policy".

use crate::errors::{limit, malformed_policy};
use kiln_policy::{Document, DocumentKind};
use kiln_service_kit::{Cx, Error, ResourcePolicy, regions};
use serde_json::{Value as Json, json};

/// The longest key policy. Source: AWS KMS Developer Guide, "Resource quotas".
const LONGEST: usize = 32 * 1024;

/// Condition keys that a request has in AWS and not here: a statement that denies by one would let in.
const NOT_BUILT: [&str; 11] = [
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:ec2instancesourceprivateipv4",
    "aws:ec2instancesourcevpc",
    "aws:principalservicenameslist",
    "aws:referer",
    "aws:tokenissuetime",
    "aws:useragent",
    "kms:recipientattestation:imagesha384",
    "kms:recipientattestation",
];

/// The policy of a key whose maker says none: the account's own policies decide.
pub fn default(cx: &Cx) -> String {
    let root = format!("arn:{}:iam::{}:root", cx.partition(), cx.account());
    let policy = json!({
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [{
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": {"AWS": root},
            "Action": "kms:*",
            "Resource": "*",
        }],
    });
    policy.to_string()
}

/// The policy that a text is, for the key of that ARN. Unless it is told to, it takes none that would keep the caller
/// from setting another.
pub fn check(cx: &Cx, arn: &str, text: &str, bypass: bool) -> Result<String, Error> {
    if text.len() > LONGEST {
        return Err(limit(format!("The key policy is longer than {LONGEST} bytes.")));
    }
    Document::parse(text, DocumentKind::Resource).map_err(|wrong| malformed_policy(wrong.message.to_string()))?;
    let json: Json = serde_json::from_str(text).map_err(|_| malformed_policy("This policy contains invalid Json"))?;
    let statements = match &json["Statement"] {
        Json::Array(statements) => statements.iter().collect(),
        one => vec![one],
    };
    for statement in statements {
        if statement.get("Resource").is_none() && statement.get("NotResource").is_none() {
            return Err(malformed_policy("Policy contains a statement with no resource."));
        }
        for name in ["Principal", "NotPrincipal"] {
            principals(cx, &statement[name])?;
        }
        for (_, tests) in statement["Condition"].as_object().into_iter().flatten() {
            tests.as_object().into_iter().flatten().try_for_each(|(key, _)| condition(key))?;
        }
    }
    if !bypass {
        let needed =
            ResourcePolicy { name: arn, document: Some(text), trust: false, needed: true, account: cx.account() };
        let caller = [("kms:CallerAccount", cx.caller().account.clone())];
        cx.authorize_by("kms:PutKeyPolicy", arn, &caller, needed).map_err(|_| {
            malformed_policy("The new key policy will not allow you to update the key policy in the future.")
        })?;
    }
    Ok(text.to_owned())
}

/// Whoever is named must be there.
fn principals(cx: &Cx, element: &Json) -> Result<(), Error> {
    let named: Vec<&str> = match &element["AWS"] {
        Json::String(one) => vec![one],
        Json::Array(all) => all.iter().filter_map(Json::as_str).collect(),
        _ => return Ok(()),
    };
    for who in named {
        let account = regions::global_part(who, "iam").and_then(|rest| rest.strip_suffix(":root")).unwrap_or(who);
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        if who == "*" || is_account {
            continue;
        }
        let access = cx.platform().access();
        let access = access.ok_or_else(|| Error::internal("nobody of this platform knows principals"))?;
        if !access.names_somebody(who)? {
            return Err(malformed_policy("Policy contains a statement with one or more invalid principals."));
        }
    }
    Ok(())
}

fn condition(key: &str) -> Result<(), Error> {
    match NOT_BUILT.contains(&key.to_ascii_lowercase().as_str()) {
        true => Err(Error::not_built(format!("kms: the condition key {key}"))),
        false => Ok(()),
    }
}
