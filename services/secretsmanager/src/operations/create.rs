//! CreateSecret. Source: AWS Secrets Manager API Reference.

use super::new_version::{Given, New, check_same};
use super::tags;
use crate::errors::{exists, limit, request as bad_request};
use crate::names::{self, Found};
use crate::records::Secret;
use crate::seal::Of;
use crate::stages::CURRENT;
use crate::targets::made;
use kiln_secretsmanager_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[operation!(CreateSecret: create_secret(CreateSecretRequest), on made)];

/// Secrets of an account in a region. Source: AWS Secrets Manager User Guide, "Quotas".
const MOST: usize = 500_000;

async fn create_secret(cx: &Cx, request: CreateSecretRequest) -> Result<CreateSecretResponse, Error> {
    if !request.add_replica_regions.is_empty() || request.force_overwrite_replica_secret.unwrap_or(false) {
        return Err(Error::not_built("secretsmanager: replicas in other Regions (AddReplicaRegions)"));
    }
    if request.r#type.is_some() {
        return Err(Error::not_built("secretsmanager: managed external secrets (Type)"));
    }
    names::check(&request.name)?;
    let given = Given::of(&request.secret_string, &request.secret_binary)?;
    let tags = tags::read(cx, &request.tags)?;
    let token = request.client_request_token.clone().unwrap_or_else(|| cx.ids().uuid());
    let name = &request.name;
    if let Some(secret) = cx.store().get::<Secret>(cx.scope(), name)? {
        check_free(&secret, &token)?;
        let found = Found { scope: cx.scope().clone(), secret };
        match &given {
            Some(given) => check_same(cx, &found, &token, given).await?,
            None => return Err(taken(name)),
        }
        return Ok(answer(cx, &found, Some(token)));
    }
    let now = cx.now();
    let mut secret = Secret {
        name: name.clone(),
        suffix: names::new_suffix(cx),
        description: request.description.filter(|text| !text.is_empty()),
        kms_key_id: request.kms_key_id.filter(|key| !key.is_empty()),
        versions: vec![],
        tags,
        policy: None,
        created: now,
        changed: now,
        accessed: None,
        deleted: None,
    };
    let arn = names::arn(cx, cx.scope(), &secret);
    let new = match &given {
        Some(given) => {
            let of = Of { scope: cx.scope(), arn: &arn, version: &token, key: secret.kms_key_id.as_deref() };
            Some(New::encrypted(cx, &of, given).await?)
        }
        None => None,
    };
    let version_id = new.as_ref().map(|_| token.clone());
    let scope = cx.scope();
    let secret = cx
        .store()
        .write(|tx| {
            // Somebody else was faster.
            if let Some(secret) = tx.get::<Secret>(scope, name)? {
                check_free(&secret, "")?;
            }
            if tx.count::<Secret>(scope) >= MOST {
                return Err(limit(format!("An account can have at most {MOST} secrets in a Region.")));
            }
            if let Some(new) = new {
                new.write(tx, scope, &mut secret, &[CURRENT.to_owned()])?;
            }
            tx.put(scope, name, secret.clone())?;
            Ok(secret)
        })
        .await?;
    Ok(answer(cx, &Found { scope: scope.clone(), secret: secret.into() }, version_id))
}

/// A name that is taken is refused, but for the request that took it.
fn check_free(secret: &Secret, token: &str) -> Result<(), Error> {
    if secret.deleted.is_some() {
        return Err(bad_request(
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
        ));
    }
    match secret.version(token) {
        Some(_) => Ok(()),
        None => Err(taken(&secret.name)),
    }
}

fn taken(name: &str) -> Error {
    exists(format!("The operation failed because the secret {name} already exists."))
}

fn answer(cx: &Cx, found: &Found, version_id: Option<String>) -> CreateSecretResponse {
    CreateSecretResponse {
        arn: Some(found.arn(cx)),
        name: Some(found.secret.name.clone()),
        version_id,
        replication_status: vec![],
    }
}
