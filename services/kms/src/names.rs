//! How requests name keys: by id, ARN, alias or alias ARN. Source: AWS KMS Developer Guide, "Key identifiers (KeyId)".

use crate::errors::{bad_key_id, not_found, validation};
use kiln_service_kit::{Cx, Error, Scope};

/// What an operation takes for the name of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Key ids and key ARNs.
    Keys,
    /// Aliases and their ARNs too.
    Aliases,
}

/// A key as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// Where it is: the account of an ARN, else the caller's.
    pub scope: Scope,
    pub name: Name,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    Key(String),
    /// With `alias/`.
    Alias(String),
}

impl Pointer {
    /// Reads what a request says. Whether it is there is another question.
    pub fn parse(cx: &Cx, given: &str, takes: Takes) -> Result<Self, Error> {
        let (scope, rest) = match given.starts_with("arn:") {
            true => within(cx, given)?,
            false => (cx.scope().clone(), given),
        };
        let from_arn = given.starts_with("arn:");
        let name = match (rest.strip_prefix("alias/"), rest.strip_prefix("key/")) {
            (Some(name), _) if !name.is_empty() && takes == Takes::Aliases => Name::Alias(rest.to_owned()),
            (None, Some(id)) if from_arn && is_id(id) => Name::Key(id.to_owned()),
            (None, None) if !from_arn && is_id(rest) => Name::Key(rest.to_owned()),
            _ => return Err(bad_key_id(given)),
        };
        Ok(Self { scope, name })
    }

    /// The ARN that it has, also if nothing is there.
    pub fn arn(&self, cx: &Cx) -> String {
        match &self.name {
            Name::Key(id) => key_arn(cx, &self.scope, id),
            Name::Alias(name) => arn(cx, &self.scope, name),
        }
    }
}

/// Scope and rest of an ARN of KMS in the caller's region.
fn within<'a>(cx: &Cx, given: &'a str) -> Result<(Scope, &'a str), Error> {
    let parts: Vec<&str> = given.splitn(6, ':').collect();
    let ["arn", partition, "kms", region, account, rest] = parts[..] else { return Err(bad_key_id(given)) };
    let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    if partition != cx.partition() || !digits {
        return Err(bad_key_id(given));
    }
    if region != cx.region() {
        return Err(not_found(format!("Invalid arn {region}")));
    }
    Ok((Scope::new(account, region), rest))
}

/// Whether it has a key id's form: a UUID.
fn is_id(text: &str) -> bool {
    uuid(text).is_some()
}

/// The 16 bytes of a key id.
pub fn uuid(text: &str) -> Option<[u8; 16]> {
    let dashes = text.bytes().enumerate().all(|(at, byte)| (byte == b'-') == matches!(at, 8 | 13 | 18 | 23));
    let lower = text.bytes().all(|byte| !byte.is_ascii_uppercase());
    if text.len() != 36 || !dashes || !lower {
        return None;
    }
    hex::decode(text.replace('-', "")).ok()?.try_into().ok()
}

/// The key id of 16 bytes.
pub fn of_uuid(bytes: &[u8; 16]) -> String {
    let digits = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

/// The ARN of a key.
pub fn key_arn(cx: &Cx, scope: &Scope, id: &str) -> String {
    arn(cx, scope, &format!("key/{id}"))
}

/// The ARN of a key or an alias.
pub fn arn(cx: &Cx, scope: &Scope, resource: &str) -> String {
    format!("arn:{}:kms:{}:{}:{resource}", cx.partition(), scope.region, scope.account)
}

/// The name of an alias that is made, changed or deleted: one of the caller's account. Those of AWS are not for
/// customers.
pub fn own_alias(name: &str) -> Result<&str, Error> {
    let Some(rest) = name.strip_prefix("alias/").filter(|rest| !rest.is_empty()) else {
        return Err(validation("Invalid identifier"));
    };
    if rest == "aws" || rest.starts_with("aws/") {
        return Err(Error::sender("NotAuthorizedException", ""));
    }
    if rest.contains(':') {
        return Err(validation(format!("{name} contains invalid characters for an alias")));
    }
    Ok(name)
}

/// By what a grantee of that ARN is found: a role by its name, since a session does not know its role's path.
pub fn known_as(arn: &str) -> String {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, "iam", "", account, resource] if resource.starts_with("role/") => {
            format!("role:{account}:{}", resource.rsplit('/').next().unwrap_or(resource))
        }
        _ => arn.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ids_are_uuids() {
        let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
        assert_eq!(of_uuid(&uuid(id).expect("one")), id);
        let others = [
            "",
            "1234ABCD-12ab-34cd-56ef-1234567890ab",
            "1234abcd-12ab-34cd-56ef-1234567890a",
            "1234abcd12ab34cd56ef1234567890ab-----",
        ];
        for other in others {
            assert_eq!(uuid(other), None, "{other}");
        }
    }

    #[test]
    fn an_alias_of_aws_is_not_for_customers() {
        assert_eq!(own_alias("alias/shop").expect("one"), "alias/shop");
        assert!(own_alias("alias/aws/s3").expect_err("AWS's").is("NotAuthorizedException"));
        for bad in ["shop", "alias/", "alias/a:b"] {
            assert!(own_alias(bad).expect_err("none").is("ValidationException"), "{bad}");
        }
    }
}
