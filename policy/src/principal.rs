//! The `Principal` element: whom a statement of a resource or trust policy is about.

use crate::{condition::one_or_more, context::Principal, json::Json};

/// One entry of a `Principal` element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Everyone,
    /// An account, by number or root ARN.
    Account(String),
    /// A user, role or session ARN.
    Arn(String),
    Service(String),
    Federated(String),
    /// An S3 canonical user; nobody here has one.
    Canonical,
}

/// How directly an entry names the principal. It decides which other policies still count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grant {
    /// Its account: the account's own policies decide further.
    Account,
    /// The role behind the session, or everyone: boundaries and session policies still count.
    Role,
    /// Exactly this user, session or service.
    Direct,
}

impl Entry {
    pub fn names(&self, principal: &Principal) -> Option<Grant> {
        match (self, principal) {
            (Self::Everyone, _) => Some(Grant::Role),
            (Self::Account(wanted), _) if principal.account() == Some(wanted) => {
                // The root user is its account.
                Some(if matches!(principal, Principal::Root { .. }) { Grant::Direct } else { Grant::Account })
            }
            (Self::Arn(wanted), Principal::User { arn, .. } | Principal::Session { arn, .. }) if wanted == arn => {
                Some(Grant::Direct)
            }
            (Self::Arn(wanted), Principal::Session { role_arn, .. }) if wanted == role_arn => Some(Grant::Role),
            (Self::Service(wanted), Principal::Service(name)) if is_same_service(wanted, name) => Some(Grant::Direct),
            (Self::Federated(wanted), Principal::Federated(name)) if wanted == name => Some(Grant::Direct),
            _ => None,
        }
    }
}

/// The strongest way in which any entry names the principal.
pub(crate) fn strongest(entries: &[Entry], principal: &Principal) -> Option<Grant> {
    entries.iter().filter_map(|entry| entry.names(principal)).max()
}

/// Reads a `Principal` or `NotPrincipal` element.
pub(crate) fn parse(element: &Json) -> Result<Vec<Entry>, String> {
    let kinds = match element {
        Json::Text(text) if text == "*" => return Ok(vec![Entry::Everyone]),
        Json::Map(kinds) if !kinds.is_empty() => kinds,
        _ => return Err("Invalid principal in policy.".into()),
    };
    let mut entries = Vec::new();
    for (kind, values) in kinds {
        if !["AWS", "Service", "Federated", "CanonicalUser"].contains(&kind.as_str()) && one_or_more(values).is_empty()
        {
            return Err(format!("Invalid principal in policy: \"{kind}\""));
        }
        // An empty list names nobody; whether somebody must be named is for the document to say.
        for value in one_or_more(values) {
            let Json::Text(text) = value else {
                return Err(format!("Invalid principal in policy: \"{kind}\" must be text"));
            };
            let invalid = || format!("Invalid principal in policy: \"{kind}\":\"{text}\"");
            entries.push(match kind.as_str() {
                "AWS" => aws(text).ok_or_else(invalid)?,
                "Service" if text.contains('.') && !text.contains('*') => Entry::Service(text.clone()),
                "Federated" if !text.is_empty() => Entry::Federated(text.clone()),
                "CanonicalUser" if !text.is_empty() => Entry::Canonical,
                _ => return Err(invalid()),
            });
        }
    }
    Ok(entries)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn aws(text: &str) -> Option<Entry> {
    if text == "*" {
        return Some(Entry::Everyone);
    }
    if is_account(text) {
        return Some(Entry::Account(text.into()));
    }
    let segments: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", _, service @ ("iam" | "sts"), "", account, resource] = segments[..] else { return None };
    if !is_account(account) || text.contains(['*', '?']) {
        return None;
    }
    match (service, resource.split_once('/')) {
        ("iam", None) if resource == "root" => Some(Entry::Account(account.into())),
        ("iam", Some(("user" | "role", name))) if !name.is_empty() => Some(Entry::Arn(text.into())),
        ("sts", Some(("assumed-role" | "federated-user", name))) if !name.is_empty() => Some(Entry::Arn(text.into())),
        _ => None,
    }
}
/// Services have one name more in China's partition, and policies there use either.
fn is_same_service(wanted: &str, name: &str) -> bool {
    let plain = wanted.strip_suffix(".cn").filter(|plain| plain.ends_with(".amazonaws.com")).unwrap_or(wanted);
    plain.eq_ignore_ascii_case(name)
}
