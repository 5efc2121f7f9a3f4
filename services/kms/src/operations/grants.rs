//! Grants: made, listed, retired, revoked. Source: AWS KMS API Reference.

use super::encrypt::check_context;
use super::pages::{Page, page};
use crate::errors::{bad_arn, limit, validation};
use crate::found;
use crate::grants::{self, check_tokens, token};
use crate::names::{Name, Pointer, Takes, key_arn, known_as};
use crate::records::{Grant, grant_id, grantee_key};
use crate::targets::{everything, granted, retired, shared};
use kiln_kms_shapes::*;
use kiln_service_kit::{Cx, Error, Map, Operation, Scope, operation, regions};
use std::collections::BTreeSet;
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateGrant: create_grant(CreateGrantRequest), on granted),
    operation!(ListGrants: list_grants(ListGrantsRequest), on |cx, r| shared(cx, &r.key_id, "kms:ListGrants")),
    operation!(RetireGrant: retire_grant(RetireGrantRequest), on retired),
    operation!(RevokeGrant: revoke_grant(RevokeGrantRequest), on |cx, r| {
        shared(cx, &r.key_id, "kms:RevokeGrant")
            .map(|key| key.with("kms:GrantIsForAWSResource", cx.via_service().is_some().to_string()))
    }),
    operation!(ListRetirableGrants: list_retirable_grants(ListRetirableGrantsRequest), on |cx, _r| everything(cx)),
];

/// Grants of a key. Source: AWS KMS Developer Guide, "Resource quotas".
const MOST: usize = 50_000;

/// What can be granted on a symmetric key.
const OPERATIONS_OF_KEYS: [&str; 9] = [
    "CreateGrant",
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "RetireGrant",
];

fn check_operations(operations: &[String]) -> Result<(), Error> {
    if operations.is_empty() {
        return Err(validation("1 validation error detected: Value at 'operations' must not be empty"));
    }
    let other = operations.iter().find(|operation| !OPERATIONS_OF_KEYS.contains(&operation.as_str()));
    match other.map(String::as_str) {
        None => Ok(()),
        Some(pair @ ("GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext")) => {
            Err(Error::not_built(format!("kms:CreateGrant with the operation {pair}")))
        }
        Some(other) => Err(validation(format!(
            "Grant operation {other} is not supported by keys of the spec SYMMETRIC_DEFAULT and the usage ENCRYPT_DECRYPT"
        ))),
    }
}

/// Whoever is granted something, or may retire it, must be there.
fn check_principal(cx: &Cx, arn: &str) -> Result<(), Error> {
    let invalid = || bad_arn(format!("ARN does not refer to a valid principal: {arn}"));
    let account = regions::global_part(arn, "iam").and_then(|rest| rest.strip_suffix(":root"));
    if account.is_some_and(|account| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())) {
        return Ok(());
    }
    if !arn.starts_with("arn:") {
        return Err(invalid());
    }
    // In open mode there may be nobody who knows.
    match cx.platform().access() {
        Some(access) if !access.names_somebody(arn)? => Err(invalid()),
        _ => Ok(()),
    }
}

async fn create_grant(cx: &Cx, request: CreateGrantRequest) -> Result<CreateGrantResponse, Error> {
    check_tokens(cx, &request.grant_tokens)?;
    check_operations(&request.operations)?;
    check_principal(cx, &request.grantee_principal)?;
    if let Some(who) = &request.retiring_principal {
        check_principal(cx, who)?;
    }
    let constraints = request.constraints.unwrap_or_else(GrantConstraints::default);
    check_context(&constraints.encryption_context_equals)?;
    check_context(&constraints.encryption_context_subset)?;
    let found = found::find(cx, &request.key_id, Takes::Keys)?;
    let arn = found.arn(cx);
    let operations: BTreeSet<String> = request.operations.into_iter().collect();
    let grant = Grant {
        id: cx.ids().hex(64),
        key: found.key.id.clone(),
        name: request.name,
        created: cx.now(),
        held_by: grantee_key(&found.key.id, &known_as(&request.grantee_principal)),
        grantee: request.grantee_principal,
        retiring: request.retiring_principal,
        issuer: cx.caller().account.clone(),
        operations: operations.into_iter().collect(),
        subset: constraints.encryption_context_subset,
        equals: constraints.encryption_context_equals,
    };
    let scope = &found.scope;
    let id = cx
        .store()
        .write::<_, Error>(|tx| {
            let key = tx.get::<crate::records::Key>(scope, &grant.key)?.ok_or_else(|| crate::errors::no_key(&arn))?;
            key.check_enabled(&arn)?;
            // The same once more, by name, is the same grant.
            if grant.name.is_some() {
                let held = tx.by_key::<Grant>(scope, "grantee", &grant.held_by)?;
                if let Some((_, same)) = held.iter().find(|(_, held)| is_same(held, &grant)) {
                    return Ok(same.id.clone());
                }
            }
            if tx.list_prefix::<Grant>(scope, &grant_id(&grant.key, ""))?.len() >= MOST {
                return Err(limit(format!("Key {arn} has {MOST} grants, which is the most.")));
            }
            let id = grant.id.clone();
            tx.put(scope, &grant_id(&grant.key, &id), grant)?;
            Ok(id)
        })
        .await?;
    Ok(CreateGrantResponse { grant_token: Some(token(cx, &found, &id)), grant_id: Some(id) })
}

/// All but what every grant has of its own.
fn is_same(held: &Grant, grant: &Grant) -> bool {
    held.name == grant.name
        && held.grantee == grant.grantee
        && held.retiring == grant.retiring
        && held.issuer == grant.issuer
        && held.operations == grant.operations
        && held.subset == grant.subset
        && held.equals == grant.equals
}

fn entry(cx: &Cx, scope: &Scope, grant: &Grant) -> GrantListEntry {
    let given = |context: &Map<String>| context.clone();
    let constrained = !grant.equals.is_empty() || !grant.subset.is_empty();
    GrantListEntry {
        key_id: Some(key_arn(cx, scope, &grant.key)),
        grant_id: Some(grant.id.clone()),
        name: Some(grant.name.clone().unwrap_or_else(String::new)),
        creation_date: Some(grant.created),
        grantee_principal: Some(grant.grantee.clone()),
        retiring_principal: grant.retiring.clone(),
        issuing_account: Some(format!("arn:{}:iam::{}:root", cx.partition(), grant.issuer)),
        operations: grant.operations.clone(),
        constraints: constrained.then(|| GrantConstraints {
            encryption_context_subset: given(&grant.subset),
            encryption_context_equals: given(&grant.equals),
        }),
    }
}

type Listed = (Scope, Arc<Grant>);

fn listed(
    cx: &Cx,
    grants: Vec<Listed>,
    marker: &Option<String>,
    limit: Option<i32>,
) -> Result<Page<GrantListEntry>, Error> {
    let (some, next, more) = page(grants, |(_, grant)| &grant.id, marker, limit, 50)?;
    Ok((some.iter().map(|(scope, grant)| entry(cx, scope, grant)).collect(), next, more))
}

async fn list_grants(cx: &Cx, request: ListGrantsRequest) -> Result<ListGrantsResponse, Error> {
    let found = found::find(cx, &request.key_id, Takes::Keys)?;
    let scope = &found.scope;
    let grants: Vec<Listed> = match &request.grant_id {
        Some(id) => {
            let pointer = Pointer { scope: scope.clone(), name: Name::Key(found.key.id.clone()) };
            vec![(scope.clone(), grants::get(cx, &pointer, id)?)]
        }
        None => {
            let kept = cx.store().list_prefix::<Grant>(scope, &grant_id(&found.key.id, ""))?;
            kept.into_iter().map(|(_, grant)| (scope.clone(), grant)).collect()
        }
    };
    let wanted = |grant: &Grant| request.grantee_principal.as_ref().is_none_or(|who| *who == grant.grantee);
    let grants = grants.into_iter().filter(|(_, grant)| wanted(grant)).collect();
    let (grants, next_marker, truncated) = listed(cx, grants, &request.marker, request.limit)?;
    Ok(ListGrantsResponse { grants, next_marker, truncated })
}

/// Grants on keys of any account, that a principal of the caller's account may retire.
async fn list_retirable_grants(
    cx: &Cx,
    request: ListRetirableGrantsRequest,
) -> Result<ListRetirableGrantsResponse, Error> {
    let who = &request.retiring_principal;
    let account = who.split(':').nth(4).unwrap_or_default();
    if !who.starts_with("arn:") {
        return Err(bad_arn(format!("ARN does not refer to a valid principal: {who}")));
    }
    if account != cx.account() {
        let text = format!("User: {} is not authorized to list the grants that {who} may retire", cx.caller().arn);
        return Err(Error::sender("AccessDeniedException", text));
    }
    let found = cx.store().by_key_everywhere::<Grant>("retiring", who)?;
    let here = found.into_iter().filter(|(scope, ..)| *scope.region == *cx.region());
    let mut grants: Vec<Listed> = here.map(|(scope, _, grant)| (scope, grant)).collect();
    grants.sort_by(|(_, a), (_, b)| a.id.cmp(&b.id));
    let (grants, next_marker, truncated) = listed(cx, grants, &request.marker, request.limit)?;
    Ok(ListRetirableGrantsResponse { grants, next_marker, truncated })
}

async fn end(cx: &Cx, scope: &Scope, key: &str, grant: &str) -> Result<(), Error> {
    cx.store()
        .write(|tx| {
            tx.delete::<Grant>(scope, &grant_id(key, grant));
            Ok(())
        })
        .await
}

async fn retire_grant(cx: &Cx, request: RetireGrantRequest) -> Result<RetireGrantResponse, Error> {
    let (pointer, grant) = grants::named(cx, &request)?;
    let found = found::get(cx, &pointer)?;
    end(cx, &found.scope, &found.key.id, &grant.id).await?;
    Ok(RetireGrantResponse {})
}

async fn revoke_grant(cx: &Cx, request: RevokeGrantRequest) -> Result<RevokeGrantResponse, Error> {
    let pointer = Pointer::parse(cx, &request.key_id, Takes::Keys)?;
    let found = found::get(cx, &pointer)?;
    let grant = grants::get(cx, &pointer, &request.grant_id)?;
    end(cx, &found.scope, &found.key.id, &grant.id).await?;
    Ok(RevokeGrantResponse {})
}
