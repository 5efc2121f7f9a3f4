//! UpdateSecret: what is known of a secret, its key, and a new version. Source: AWS Secrets Manager API Reference.

use super::new_version::{Given, add, change};
use crate::names::{Found, living};
use crate::records::Value;
use crate::seal::{self, Of};
use crate::stages::{CURRENT, PENDING, PREVIOUS};
use crate::targets::secret;
use kiln_secretsmanager_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[operation!(UpdateSecret: update_secret(UpdateSecretRequest), on |cx, r| {
    let target = secret(cx, &r.secret_id)?;
    let target = match &r.description {
        Some(text) => target.with("secretsmanager:Description", text),
        None => target,
    };
    Ok::<_, Error>(match &r.kms_key_id {
        Some(key) => target.with("secretsmanager:KmsKeyId", key),
        None => target,
    })
})];

async fn update_secret(cx: &Cx, request: UpdateSecretRequest) -> Result<UpdateSecretResponse, Error> {
    if request.r#type.is_some() {
        return Err(Error::not_built("secretsmanager: managed external secrets (Type)"));
    }
    let given = Given::of(&request.secret_string, &request.secret_binary)?;
    let mut found = living(cx, cx.store(), &request.secret_id)?;
    // An empty one is AWS's own key again.
    if let Some(key) = &request.kms_key_id {
        let key = Some(key.clone()).filter(|key| !key.is_empty());
        if found.secret.kms_key_id != key {
            found = under(cx, &found, key).await?;
        }
    }
    if let Some(description) = request.description {
        let description = Some(description).filter(|text| !text.is_empty());
        found = change(cx, &request.secret_id, |tx, _, secret| {
            if secret.description != description {
                secret.description = description;
                secret.changed = tx.now();
            }
            Ok(())
        })
        .await?;
    }
    let mut version_id = None;
    if let Some(given) = &given {
        let stages = [CURRENT.to_owned()];
        let token = request.client_request_token.as_ref();
        let (with, id) = add(cx, &request.secret_id, token, given, &stages).await?;
        found = with;
        version_id = Some(id);
    }
    Ok(UpdateSecretResponse { arn: Some(found.arn(cx)), name: Some(found.secret.name.clone()), version_id })
}

/// The secret under another key. The versions with AWS's labels are encrypted again; others stay as they are, as AWS has
/// it.
async fn under(cx: &Cx, found: &Found, key: Option<String>) -> Result<Found, Error> {
    let arn = found.arn(cx);
    let mut again = vec![];
    for stage in [CURRENT, PENDING, PREVIOUS] {
        let Some(version) = found.secret.labelled(stage) else { continue };
        if again.iter().any(|(id, _)| *id == version.id) {
            continue;
        }
        let kept = cx.store().get::<Value>(&found.scope, &found.secret.value_id(&version.id))?;
        let kept = kept.ok_or_else(|| Error::internal(format!("version {} of {arn} has no value", version.id)))?;
        let of = Of { scope: &found.scope, arn: &arn, version: &version.id, key: key.as_deref() };
        let plain = seal::decrypt(cx, &of, &kept).await?;
        again.push((version.id.clone(), seal::encrypt(cx, &of, &plain, kept.binary).await?));
    }
    change(cx, &arn, |tx, scope, secret| {
        let shown = key.as_deref().unwrap_or(seal::DEFAULT_NAME).to_owned();
        for (id, value) in again {
            let value_id = secret.value_id(&id);
            // A version's value never changes; one that is gone meanwhile stays so.
            if let Some(version) = secret.versions.iter_mut().find(|version| version.id == id) {
                version.key.clone_from(&shown);
                tx.put(scope, &value_id, value)?;
            }
        }
        secret.kms_key_id = key;
        secret.changed = tx.now();
        Ok(())
    })
    .await
}
