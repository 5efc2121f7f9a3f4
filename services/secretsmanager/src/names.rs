//! How requests name secrets: by name, ARN, or an ARN without its six last characters. Source: AWS Secrets Manager User
//! Guide, "What's in a Secrets Manager secret?", and "Troubleshoot", on partial ARNs.

use crate::errors::{marked, not_found, validation};
use crate::records::Secret;
use kiln_service_kit::{Cx, Error, Scope};
use std::sync::Arc;

/// How many characters an ARN adds to a name.
const SUFFIX: usize = 6;
/// Source: API Reference, CreateSecret.
const LONGEST: usize = 512;

/// A secret that is there, and where.
#[derive(Debug, Clone)]
pub struct Found {
    pub scope: Scope,
    pub secret: Arc<Secret>,
}

impl Found {
    pub fn arn(&self, cx: &Cx) -> String {
        arn(cx, &self.scope, &self.secret)
    }
}

pub fn arn(cx: &Cx, scope: &Scope, secret: &Secret) -> String {
    arn_of(cx, scope, &format!("{}-{}", secret.name, secret.suffix))
}

/// The ARN with that end.
pub fn arn_of(cx: &Cx, scope: &Scope, rest: &str) -> String {
    format!("arn:{}:secretsmanager:{}:{}:secret:{rest}", cx.partition(), scope.region, scope.account)
}

/// The end of an ARN of a new secret.
pub fn new_suffix(cx: &Cx) -> String {
    cx.ids().of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", SUFFIX)
}

pub fn check(name: &str) -> Result<(), Error> {
    let good = |c: char| c.is_ascii_alphanumeric() || "-/_+=.@!".contains(c);
    if name.len() > LONGEST || !name.chars().all(good) {
        return Err(validation(
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        ));
    }
    Ok(())
}

/// What a request names, in words that need no look at what is there.
pub enum Named<'a> {
    /// A name of the caller's own account.
    Name(&'a str),
    /// Somebody's, by what follows `secret:` in an ARN.
    Arn(Scope, &'a str),
}

/// Reads a `SecretId`. None: it is an ARN of something else, or of another region.
pub fn parse<'a>(cx: &Cx, given: &'a str) -> Option<Named<'a>> {
    if !given.starts_with("arn:") {
        return Some(Named::Name(given));
    }
    let parts: Vec<&str> = given.splitn(7, ':').collect();
    let ["arn", partition, "secretsmanager", region, account, "secret", rest] = parts[..] else { return None };
    let is_here = partition == cx.partition() && region == cx.region();
    is_here.then(|| Named::Arn(Scope::new(account, region), rest))
}

/// The secret that a `SecretId` means, whosever it is; none where there is none.
pub fn look(cx: &Cx, reads: &impl Gets, given: &str) -> Result<Option<Found>, Error> {
    let (scope, secret) = match parse(cx, given) {
        None => return Ok(None),
        Some(Named::Name(name)) => (cx.scope().clone(), reads.secret(cx.scope(), name)?),
        Some(Named::Arn(scope, rest)) => {
            let whole = rest.len().checked_sub(SUFFIX + 1).filter(|at| rest.is_char_boundary(*at));
            let whole = whole.map(|at| rest.split_at(at)).filter(|(_, end)| end.starts_with('-'));
            let mut found = None;
            if let Some((name, end)) = whole {
                found = reads.secret(&scope, name)?.filter(|secret| secret.suffix == end[1..]);
            }
            if found.is_none() {
                found = reads.secret(&scope, rest)?;
            }
            (scope, found)
        }
    };
    Ok(secret.map(|secret| Found { scope, secret }))
}

/// The store, or a transaction of it.
pub trait Gets {
    fn secret(&self, scope: &Scope, name: &str) -> Result<Option<Arc<Secret>>, Error>;
}

impl Gets for kiln_service_kit::Store {
    fn secret(&self, scope: &Scope, name: &str) -> Result<Option<Arc<Secret>>, Error> {
        Ok(self.get::<Secret>(scope, name)?)
    }
}

impl Gets for kiln_service_kit::Tx<'_> {
    fn secret(&self, scope: &Scope, name: &str) -> Result<Option<Arc<Secret>>, Error> {
        Ok(self.get::<Secret>(scope, name)?)
    }
}

/// The secret that a request means. One of another account must have been judged, and have let the caller in.
pub fn find(cx: &Cx, reads: &impl Gets, given: &str) -> Result<Found, Error> {
    let found = look(cx, reads, given)?.ok_or_else(not_found)?;
    let owner = &found.scope.account;
    match **owner == *cx.account() || cx.is_let_in(&found.arn(cx), owner) {
        true => Ok(found),
        false => Err(not_found()),
    }
}

/// The same of one that nobody has deleted.
pub fn living(cx: &Cx, reads: &impl Gets, given: &str) -> Result<Found, Error> {
    let found = find(cx, reads, given)?;
    match found.secret.deleted {
        None => Ok(found),
        Some(_) => Err(marked()),
    }
}
