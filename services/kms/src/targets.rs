//! What calls touch, for policies: keys, each with its policy, without which nothing goes, and the grants that let the
//! caller in beside it; aliases; and the condition keys of KMS.
//!
//! ```text
//! key id ── found ── its policy + a statement for each grant that holds for this caller and call ── the kit judges
//! ```
//! Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS Key Management Service",
//! and AWS KMS Developer Guide, "AWS KMS condition keys".

use crate::blob;
use crate::errors::{bad_ciphertext, no_key_of_ciphertext, not_allowed, validation};
use crate::found::{self, Found};
use crate::grants::{self, Wanted};
use crate::names::{self, Name, Pointer, Takes};
use crate::records::Alias;
use kiln_kms_shapes::*;
use kiln_service_kit::{BoxFuture, Cx, Error, Map, Owned, Scope, Target, Touched};

/// Condition keys of all calls of KMS.
pub fn of_caller(cx: &Cx, target: Target) -> Target {
    let target = target.with("kms:CallerAccount", &cx.caller().account);
    // As `ssm.amazonaws.com` is called there: `ssm.us-east-1.amazonaws.com`.
    match cx.via_service().and_then(|service| service.split_once('.')) {
        Some((service, rest)) => target.with("kms:ViaService", format!("{service}.{}.{rest}", cx.region())),
        None => target,
    }
}

/// Nothing in particular.
pub fn everything(cx: &Cx) -> Target {
    of_caller(cx, Target::everything())
}

/// A key as it is pointed at, asked for what is wanted of it.
pub fn pointed(cx: &Cx, pointer: &Pointer, wanted: &Wanted<'_>) -> Result<Target, Error> {
    let Some(found) = found::look(cx, pointer)? else {
        let arn = pointer.arn(cx);
        let target = of_caller(cx, Target::new(arn.clone()));
        let account = pointer.scope.account.to_string();
        // What is there in another account is for those alone whom it lets in.
        return Ok(match account == cx.account() {
            true => target,
            false => target.only_by(Owned { account, name: arn, policy: None }),
        });
    };
    of_key(cx, &found, wanted)
}

/// A key, asked for what is wanted of it.
fn of_key(cx: &Cx, found: &Found, wanted: &Wanted<'_>) -> Result<Target, Error> {
    let arn = found.arn(cx);
    let policy = grants::heard(cx, found, wanted)?;
    let owner = Owned { account: found.scope.account.to_string(), name: arn.clone(), policy: Some(policy) };
    let mut target = of_caller(cx, Target::new(arn).only_by(owner))
        .with("kms:KeySpec", "SYMMETRIC_DEFAULT")
        .with("kms:KeyUsage", "ENCRYPT_DECRYPT")
        .with("kms:KeyOrigin", "AWS_KMS")
        .with("kms:MultiRegion", "false");
    for (key, value) in &found.key.tags {
        target = target.with(format!("aws:ResourceTag/{key}"), value);
    }
    for (name, _) in cx.store().by_key::<Alias>(&found.scope, "key", &found.key.id)? {
        target = target.with("kms:ResourceAliases", &*name);
    }
    if let Some(alias) = &found.alias {
        target = target.with("kms:RequestAlias", alias);
    }
    if let Some(context) = wanted.context {
        target = target.with("kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
        for (key, value) in context {
            target = target.with(format!("kms:EncryptionContext:{key}"), value).with("kms:EncryptionContextKeys", key);
        }
    }
    Ok(target)
}

/// A key of the caller's own account, for what its owner alone can do.
pub fn own(cx: &Cx, key_id: &str, action: &'static str) -> Result<Target, Error> {
    let pointer = Pointer::parse(cx, key_id, Takes::Keys)?;
    if *pointer.scope.account != *cx.account() {
        return Err(not_allowed(cx, action, &pointer.arn(cx)));
    }
    pointed(cx, &pointer, &Wanted::of(action))
}

/// A key, also of another account.
pub fn shared(cx: &Cx, key_id: &str, action: &'static str) -> Result<Target, Error> {
    pointed(cx, &Pointer::parse(cx, key_id, Takes::Keys)?, &Wanted::of(action))
}

/// A key that is given tags.
pub fn given_tags(cx: &Cx, key_id: &str, tags: &[Tag]) -> Result<Target, Error> {
    let target = own(cx, key_id, "kms:TagResource")?;
    Ok(target.given_tags(tags.iter().map(|tag| (tag.tag_key.as_str(), tag.tag_value.as_str()))))
}

/// A key that loses tags.
pub fn taken_tags(cx: &Cx, key_id: &str, keys: &[String]) -> Result<Target, Error> {
    Ok(keys.iter().fold(own(cx, key_id, "kms:UntagResource")?, |target, key| target.with("aws:TagKeys", key)))
}

/// A key that is to be made: there is none yet to speak of. Tags need the right to tag.
pub fn made(cx: &Cx, request: &CreateKeyRequest) -> Vec<Target> {
    let bypass = request.bypass_policy_lockout_safety_check.unwrap_or(false);
    let target = everything(cx)
        .with("kms:KeySpec", request.key_spec.as_deref().unwrap_or("SYMMETRIC_DEFAULT"))
        .with("kms:KeyUsage", request.key_usage.as_deref().unwrap_or("ENCRYPT_DECRYPT"))
        .with("kms:KeyOrigin", request.origin.as_deref().unwrap_or("AWS_KMS"))
        .with("kms:MultiRegion", request.multi_region.unwrap_or(false).to_string())
        .with("kms:BypassPolicyLockoutSafetyCheck", bypass.to_string())
        .given_tags(request.tags.iter().map(|tag| (tag.tag_key.as_str(), tag.tag_value.as_str())));
    match request.tags.is_empty() {
        true => vec![target],
        false => vec![target.clone(), target.by("kms:TagResource")],
    }
}

/// An alias of the caller's account; one that is no name of one is for the operation to refuse.
pub fn alias(cx: &Cx, name: &str) -> Target {
    of_caller(cx, Target::new(names::arn(cx, cx.scope(), name)))
}

/// An alias, the key that it leads to now, and the one that it is to lead to.
pub fn alias_and_keys(cx: &Cx, name: &str, to: Option<&str>, action: &'static str) -> Touched {
    let mut targets = vec![alias(cx, name)];
    if let Some(found) = cx.store().get::<Alias>(cx.scope(), name)? {
        let pointer = Pointer { scope: cx.scope().clone(), name: Name::Key(found.key.clone()) };
        targets.push(pointed(cx, &pointer, &Wanted::of(action))?);
    }
    if let Some(to) = to {
        if to.starts_with("alias/") || to.contains(":alias/") {
            return Err(validation("Aliases must refer to keys. Not aliases"));
        }
        targets.push(own(cx, to, action)?);
    }
    Ok(targets)
}

/// A key that something is encrypted with, by whatever name.
async fn used(cx: &Cx, key_id: &str, action: &'static str, context: &Map<String>) -> Touched {
    let pointer = found::reach(cx, key_id, Takes::Aliases).await?;
    Ok(vec![pointed(cx, &pointer, &Wanted::in_context(action, context))?])
}

pub fn encrypt<'a>(cx: &'a Cx, request: &'a EncryptRequest) -> BoxFuture<'a, Touched> {
    Box::pin(used(cx, &request.key_id, "kms:Encrypt", &request.encryption_context))
}

pub fn data_key<'a>(cx: &'a Cx, request: &'a GenerateDataKeyRequest) -> BoxFuture<'a, Touched> {
    Box::pin(used(cx, &request.key_id, "kms:GenerateDataKey", &request.encryption_context))
}

pub fn data_key_without_plaintext<'a>(
    cx: &'a Cx,
    request: &'a GenerateDataKeyWithoutPlaintextRequest,
) -> BoxFuture<'a, Touched> {
    let action = "kms:GenerateDataKeyWithoutPlaintext";
    Box::pin(used(cx, &request.key_id, action, &request.encryption_context))
}

pub fn describe<'a>(cx: &'a Cx, request: &'a DescribeKeyRequest) -> BoxFuture<'a, Touched> {
    Box::pin(async move {
        let pointer = found::reach(cx, &request.key_id, Takes::Aliases).await?;
        Ok(vec![pointed(cx, &pointer, &Wanted::of("kms:DescribeKey"))?])
    })
}

/// The key that a ciphertext is to be opened with: the one that is named, else the one that it names.
pub fn opening(cx: &Cx, blob: &[u8], key_id: &Option<String>) -> Result<Pointer, Error> {
    let head = blob::head(blob);
    if let Some(given) = key_id {
        let pointer = Pointer::parse(cx, given, Takes::Aliases)?;
        // A bare id may mean a key of another account, where the ciphertext says so.
        let of_blob = head.filter(|head| pointer.name == Name::Key(head.key.clone()) && !given.starts_with("arn:"));
        return Ok(match of_blob {
            Some(head) => Pointer { scope: Scope::new(head.account, cx.region()), ..pointer },
            None => pointer,
        });
    }
    let head = head.ok_or_else(bad_ciphertext)?;
    let pointer = Pointer { scope: Scope::new(head.account, cx.region()), name: Name::Key(head.key) };
    match found::look(cx, &pointer)? {
        Some(_) => Ok(pointer),
        None => Err(no_key_of_ciphertext()),
    }
}

pub fn decrypt(cx: &Cx, request: &DecryptRequest) -> Result<Target, Error> {
    let blob = request.ciphertext_blob.as_ref().map_or(&[][..], |blob| &blob.0);
    let pointer = opening(cx, blob, &request.key_id)?;
    pointed(cx, &pointer, &Wanted::in_context("kms:Decrypt", &request.encryption_context))
}

pub fn re_encrypt<'a>(cx: &'a Cx, request: &'a ReEncryptRequest) -> BoxFuture<'a, Touched> {
    Box::pin(async move {
        let blob = request.ciphertext_blob.as_ref().map_or(&[][..], |blob| &blob.0);
        let from = opening(cx, blob, &request.source_key_id)?;
        let to = found::reach(cx, &request.destination_key_id, Takes::Aliases).await?;
        let same = match (found::look(cx, &from)?, found::look(cx, &to)?) {
            (Some(from), Some(to)) => from.key.id == to.key.id && from.scope == to.scope,
            _ => false,
        };
        let wanted = Wanted::in_context("kms:ReEncryptFrom", &request.source_encryption_context);
        let from = pointed(cx, &from, &wanted)?.by("kms:ReEncryptFrom");
        let wanted = Wanted::in_context("kms:ReEncryptTo", &request.destination_encryption_context);
        let to = pointed(cx, &to, &wanted)?.by("kms:ReEncryptTo");
        let told = |target: Target| target.with("kms:ReEncryptOnSameKey", same.to_string());
        Ok(vec![told(from), told(to)])
    })
}

/// A key on which a grant is made.
pub fn granted(cx: &Cx, request: &CreateGrantRequest) -> Result<Target, Error> {
    let pointer = Pointer::parse(cx, &request.key_id, Takes::Keys)?;
    let mut target = pointed(cx, &pointer, &Wanted::grant(request))?
        .with("kms:GranteePrincipal", &request.grantee_principal)
        .with("kms:GrantIsForAWSResource", cx.via_service().is_some().to_string());
    for operation in &request.operations {
        target = target.with("kms:GrantOperations", operation);
    }
    if let Some(who) = &request.retiring_principal {
        target = target.with("kms:RetiringPrincipal", who);
    }
    if let Some(constraints) = &request.constraints {
        if !constraints.encryption_context_equals.is_empty() {
            target = target.with("kms:GrantConstraintType", "EncryptionContextEquals");
        }
        if !constraints.encryption_context_subset.is_empty() {
            target = target.with("kms:GrantConstraintType", "EncryptionContextSubset");
        }
    }
    Ok(target)
}

/// A grant that is to be retired.
pub fn retired(cx: &Cx, request: &RetireGrantRequest) -> Result<Target, Error> {
    let (pointer, grant) = grants::named(cx, request)?;
    let Some(found) = found::look(cx, &pointer)? else {
        return pointed(cx, &pointer, &Wanted::of("kms:RetireGrant"));
    };
    let target = of_key(cx, &found, &Wanted::of("kms:RetireGrant"))?;
    let owner = target.owner.clone().ok_or_else(|| Error::internal("a key has an owner"))?;
    // Who may is told by the grant, whatever the key's policy says.
    let policy = grants::who_may_retire(cx, &found, &grant)?;
    Ok(target.only_by(Owned { policy: Some(policy), ..owner }))
}
