//! What a secret's value is: GetSecretValue, and several of them at once. Source: AWS Secrets Manager API Reference.

use super::filters::Filters;
use crate::errors::{bad_token, no_value, parameter, request as bad_request};
use crate::names::{self, Found, living};
use crate::records::{Secret, Value, Version};
use crate::seal::{self, Of};
use crate::stages::{CURRENT, day};
use crate::targets::secret;
use kiln_secretsmanager_shapes::*;
use kiln_service_kit::{Blob, Cx, Error, Operation, operation, paginate};

pub const OPERATIONS: &[Operation] = &[
    operation!(GetSecretValue: get_secret_value(GetSecretValueRequest), on |cx, r| {
        let stage = r.version_stage.as_deref().or(r.version_id.is_none().then_some(CURRENT));
        let target = secret(cx, &r.secret_id)?;
        let target = match stage {
            Some(stage) => target.with("secretsmanager:VersionStage", stage),
            None => target,
        };
        Ok::<_, Error>(match &r.version_id {
            Some(id) => target.with("secretsmanager:VersionId", id),
            None => target,
        })
    }),
    // Each secret is judged by itself, as if it had been asked for alone.
    operation!(BatchGetSecretValue: batch_get_secret_value(BatchGetSecretValueRequest), on everything),
];

/// Secrets in one answer of BatchGetSecretValue.
const MOST: usize = 20;

async fn get_secret_value(cx: &Cx, request: GetSecretValueRequest) -> Result<GetSecretValueResponse, Error> {
    let found = living(cx, cx.store(), &request.secret_id)?;
    let version = chosen(&found.secret, &request)?.clone();
    let arn = found.arn(cx);
    let value_id = found.secret.value_id(&version.id);
    let kept = cx.store().get::<Value>(&found.scope, &value_id)?;
    let kept = kept.ok_or_else(|| Error::internal(format!("version {} of {arn} has no value", version.id)))?;
    let of = Of { scope: &found.scope, arn: &arn, version: &version.id, key: None };
    let plain = seal::decrypt(cx, &of, &kept).await?;
    let (mut text, mut bytes) = (None, None);
    match kept.binary {
        true => bytes = Some(Blob(plain.to_vec())),
        false => {
            let whole = String::from_utf8(plain.to_vec());
            text = Some(whole.map_err(|_| Error::internal(format!("the value of {arn} is no text")))?);
        }
    }
    accessed(cx, &found, &version.id).await?;
    Ok(GetSecretValueResponse {
        arn: Some(arn),
        name: Some(found.secret.name.clone()),
        version_id: Some(version.id),
        secret_binary: bytes,
        secret_string: text,
        version_stages: version.stages,
        created_date: Some(version.created),
    })
}

/// The version that a request means: by its id, by a label, by both, or the current one.
fn chosen<'s>(secret: &'s Secret, request: &GetSecretValueRequest) -> Result<&'s Version, Error> {
    let stage = request.version_stage.as_deref();
    let Some(id) = request.version_id.as_deref() else {
        let stage = stage.unwrap_or(CURRENT);
        return secret.labelled(stage).ok_or_else(|| no_value(&format!("staging label: {stage}")));
    };
    let version = secret.version(id).ok_or_else(|| no_value(&format!("VersionId: {id}")))?;
    match stage {
        Some(stage) if !version.stages.iter().any(|on| on == stage) => {
            Err(bad_request("You provided a VersionStage that is not associated to the provided VersionId."))
        }
        _ => Ok(version),
    }
}

/// Notes the day on which somebody read it: one write a day.
async fn accessed(cx: &Cx, found: &Found, version: &str) -> Result<(), Error> {
    let today = Some(day(cx.now()));
    let known = |secret: &Secret| {
        secret.accessed == today && secret.version(version).is_none_or(|version| version.accessed == today)
    };
    if known(&found.secret) {
        return Ok(());
    }
    let (scope, name) = (&found.scope, &found.secret.name);
    cx.store()
        .write(|tx| {
            let Some(kept) = tx.get::<Secret>(scope, name)? else { return Ok(()) };
            if kept.suffix != found.secret.suffix || known(&kept) {
                return Ok(());
            }
            let mut kept = (*kept).clone();
            kept.accessed = today;
            if let Some(version) = kept.versions.iter_mut().find(|kept| kept.id == version) {
                version.accessed = today;
            }
            tx.put(scope, name, kept)?;
            Ok(())
        })
        .await
}

async fn batch_get_secret_value(
    cx: &Cx,
    request: BatchGetSecretValueRequest,
) -> Result<BatchGetSecretValueResponse, Error> {
    let (ids, next_token) = match (request.secret_id_list.is_empty(), request.filters.is_empty()) {
        (false, true) if request.max_results.is_some() || request.next_token.is_some() => {
            return Err(parameter("MaxResults and NextToken can only be used with Filters."));
        }
        (false, true) => (request.secret_id_list, None),
        (true, false) => {
            let filters = Filters::read(&request.filters)?;
            let kept = cx.store().list::<Secret>(cx.scope())?;
            let wanted =
                kept.into_iter().filter(|(_, secret)| secret.deleted.is_none() && filters.hold(secret)).collect();
            let limit = request.max_results.map_or(MOST, |most| most as usize);
            let page = paginate(wanted, |(name, _)| name, request.next_token.as_deref(), limit, bad_token)?;
            let arn = |secret: &Secret| names::arn(cx, cx.scope(), secret);
            (page.items.iter().map(|(_, secret)| arn(secret)).collect(), page.next_token)
        }
        _ => return Err(parameter("You must provide either Filters or SecretIdList, but not both.")),
    };
    let (mut secret_values, mut errors) = (vec![], vec![]);
    for id in ids {
        match cx.call(GetSecretValueRequest { secret_id: id.clone(), ..Default::default() }).await {
            Ok(got) => secret_values.push(SecretValueEntry {
                arn: got.arn,
                name: got.name,
                version_id: got.version_id,
                secret_binary: got.secret_binary,
                secret_string: got.secret_string,
                version_stages: got.version_stages,
                created_date: got.created_date,
            }),
            // What is Kiln's own fault is no answer about a secret.
            Err(error) if error.status >= 500 => return Err(error),
            Err(error) => errors.push(APIErrorType {
                secret_id: Some(id),
                error_code: Some(error.code.into_owned()),
                message: Some(error.message),
            }),
        }
    }
    Ok(BatchGetSecretValueResponse { secret_values, next_token, errors })
}
