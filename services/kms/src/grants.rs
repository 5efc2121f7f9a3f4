//! Grants: for whom they hold, for what, and how they count beside the key policy.
//!
//! A grant that holds for a caller and a call is heard as one more statement of the key's policy, that allows its
//! grantee this action. So a denial anywhere goes before it, and what limits a session limits it too. Source: AWS KMS
//! Developer Guide, "Grants in AWS KMS" and "Grant constraints".

use crate::errors::{bad_grant_token, not_found, validation};
use crate::found::Found;
use crate::names::{Name, Pointer, Takes, known_as};
use crate::records::{Grant, grant_id, grantee_key};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kiln_kms_shapes::{CreateGrantRequest, RetireGrantRequest};
use kiln_service_kit::{Caller, CallerKind, Cx, Error, Map};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// What a call wants of a key.
pub struct Wanted<'r> {
    /// e.g. `kms:Decrypt`.
    pub action: &'static str,
    /// The encryption context, where the operation has one.
    pub context: Option<&'r Map<String>>,
    /// The grant that is to be made.
    grant: Option<&'r CreateGrantRequest>,
}

impl<'r> Wanted<'r> {
    pub fn of(action: &'static str) -> Self {
        Self { action, context: None, grant: None }
    }

    pub fn in_context(action: &'static str, context: &'r Map<String>) -> Self {
        Self { action, context: Some(context), grant: None }
    }

    pub fn grant(request: &'r CreateGrantRequest) -> Self {
        Self { action: "kms:CreateGrant", context: None, grant: Some(request) }
    }
}

/// The policy of a key as this call hears it.
pub fn heard(cx: &Cx, found: &Found, wanted: &Wanted<'_>) -> Result<Arc<str>, Error> {
    let mut statements = vec![];
    for grantee in names_of(cx, cx.caller()) {
        let held = cx.store().by_key::<Grant>(&found.scope, "grantee", &grantee_key(&found.key.id, &grantee))?;
        if let Some((_, grant)) = held.iter().find(|(_, grant)| holds(grant, wanted)) {
            statements.push(allows(&grant.grantee, wanted.action));
        }
    }
    match statements.is_empty() {
        true => Ok(found.key.policy.as_str().into()),
        false => beside(&found.key.policy, statements),
    }
}

fn allows(who: &str, action: &str) -> Json {
    // A service is granted what its principal's name says, all others what their ARN says.
    let principal = if who.starts_with("arn:") { json!({"AWS": who}) } else { json!({"Service": who}) };
    json!({"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"})
}

/// A policy with more statements.
fn beside(policy: &str, more: Vec<Json>) -> Result<Arc<str>, Error> {
    let mut policy: Json =
        serde_json::from_str(policy).map_err(|e| Error::failed("read a key policy that was accepted before", e))?;
    let mut statements = match policy["Statement"].take() {
        Json::Array(statements) => statements,
        one => vec![one],
    };
    statements.extend(more);
    policy["Statement"] = Json::Array(statements);
    Ok(policy.to_string().into())
}

/// All by which a caller can be granted something.
fn names_of(cx: &Cx, caller: &Caller) -> Vec<String> {
    let account = format!("arn:{}:iam::{}:root", cx.partition(), caller.account);
    match &caller.kind {
        CallerKind::Root => vec![account],
        CallerKind::User { .. } => vec![caller.arn.clone(), account],
        CallerKind::Role { role_name, .. } => {
            vec![caller.arn.clone(), format!("role:{}:{role_name}", caller.account), account]
        }
        CallerKind::Service { name } => vec![name.clone()],
    }
}

/// Whether a caller is whom an ARN names.
fn is(cx: &Cx, caller: &Caller, arn: &str) -> bool {
    names_of(cx, caller).contains(&known_as(arn))
}

fn holds(grant: &Grant, wanted: &Wanted<'_>) -> bool {
    let operation = wanted.action.strip_prefix("kms:").unwrap_or(wanted.action);
    if !grant.operations.iter().any(|known| known == operation) {
        return false;
    }
    let in_context = wanted.context.is_none_or(|context| {
        (grant.equals.is_empty() || grant.equals == *context)
            && grant.subset.iter().all(|(key, value)| context.get(key) == Some(value))
    });
    in_context && wanted.grant.is_none_or(|made| is_no_more(grant, made))
}

/// Whoever may make grants by a grant alone can hand on no more than it gives.
fn is_no_more(grant: &Grant, made: &CreateGrantRequest) -> bool {
    let (equals, subset) = match &made.constraints {
        Some(given) => (given.encryption_context_equals.clone(), given.encryption_context_subset.clone()),
        None => Default::default(),
    };
    let as_strict = (grant.equals.is_empty() || grant.equals == equals)
        && grant
            .subset
            .iter()
            .all(|(key, value)| subset.get(key) == Some(value) || !equals.is_empty() && equals.get(key) == Some(value));
    as_strict && made.operations.iter().all(|operation| grant.operations.contains(operation))
}

/// A token of a grant, which leads to it. Each is another, as AWS's are; there is no time here in which a grant holds
/// with its token alone.
pub fn token(cx: &Cx, found: &Found, grant: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("k1|{}|{grant}|{}", found.arn(cx), cx.ids().hex(16)))
}

/// Key and grant of a token.
fn of_token(cx: &Cx, token: &str) -> Option<(Pointer, String)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let parts: Vec<&str> = text.split('|').collect();
    let ["k1", arn, grant, _] = parts[..] else { return None };
    Some((Pointer::parse(cx, arn, Takes::Keys).ok()?, grant.to_owned()))
}

/// Tokens that a request brings along must be some.
pub fn check_tokens(cx: &Cx, tokens: &[String]) -> Result<(), Error> {
    match tokens.iter().all(|token| of_token(cx, token).is_some()) {
        true => Ok(()),
        false => Err(bad_grant_token()),
    }
}

/// The grant that a request names, by token or by key and id.
pub fn named(cx: &Cx, request: &RetireGrantRequest) -> Result<(Pointer, Arc<Grant>), Error> {
    let (pointer, id) = match (&request.grant_token, &request.key_id, &request.grant_id) {
        (Some(token), None, None) => of_token(cx, token).ok_or_else(bad_grant_token)?,
        (None, Some(key), Some(grant)) => (Pointer::parse(cx, key, Takes::Keys)?, grant.clone()),
        _ => {
            return Err(validation("You must specify either a grant token, or a grant ID and a key ID"));
        }
    };
    let grant = get(cx, &pointer, &id)?;
    Ok((pointer, grant))
}

/// A grant of a key.
pub fn get(cx: &Cx, pointer: &Pointer, id: &str) -> Result<Arc<Grant>, Error> {
    let missing = || not_found(format!("Grant ID {id} not found"));
    let Name::Key(key) = &pointer.name else { return Err(missing()) };
    cx.store().get::<Grant>(&pointer.scope, &grant_id(key, id))?.ok_or_else(missing)
}

/// A policy that lets in whoever may retire a grant: its retiring principal, its grantee where it says so, and the
/// account that made it, whose own policies decide for its users.
pub fn who_may_retire(cx: &Cx, found: &Found, grant: &Grant) -> Result<Arc<str>, Error> {
    let account = |account: &str| format!("arn:{}:iam::{account}:root", cx.partition());
    let mut statements = vec![allows(&account(&grant.issuer), "kms:RetireGrant")];
    if *found.scope.account != *grant.issuer {
        statements.push(allows(&account(&found.scope.account), "kms:RetireGrant"));
    }
    let mut named: Vec<&str> = grant.retiring.iter().map(String::as_str).collect();
    if grant.operations.iter().any(|operation| operation == "RetireGrant") {
        named.push(&grant.grantee);
    }
    statements
        .extend(named.into_iter().filter(|who| is(cx, cx.caller(), who)).map(|who| allows(who, "kms:RetireGrant")));
    Ok(json!({"Version": "2012-10-17", "Statement": statements}).to_string().into())
}
