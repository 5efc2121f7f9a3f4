//! Deletion, and what takes it back. Source: AWS Secrets Manager API Reference, DeleteSecret and RestoreSecret.

use super::new_version::change_found;
use crate::errors::{marked, parameter};
use crate::names::{self, Named, find, look};
use crate::records::{Secret, Value};
use crate::targets::secret;
use kiln_secretsmanager_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Scope, Tx, operation};
use std::time::Duration;

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteSecret: delete_secret(DeleteSecretRequest), on |cx, r| {
        let force = r.force_delete_without_recovery.unwrap_or(false).to_string();
        let target = secret(cx, &r.secret_id)?.with("secretsmanager:ForceDeleteWithoutRecovery", force);
        Ok::<_, Error>(match r.recovery_window_in_days {
            Some(days) => target.with("secretsmanager:RecoveryWindowInDays", days.to_string()),
            None => target,
        })
    }),
    operation!(RestoreSecret: restore_secret(RestoreSecretRequest), on |cx, r| secret(cx, &r.secret_id)),
];

const DEFAULT_DAYS: i64 = 30;
const LEAST_DAYS: i64 = 7;
const MOST_DAYS: i64 = 30;

/// A secret with the values of all its versions goes for good.
pub fn remove(tx: &mut Tx<'_>, scope: &Scope, secret: &Secret) {
    for version in &secret.versions {
        tx.delete::<Value>(scope, &secret.value_id(&version.id));
    }
    tx.delete::<Secret>(scope, &secret.name);
}

async fn delete_secret(cx: &Cx, request: DeleteSecretRequest) -> Result<DeleteSecretResponse, Error> {
    let force = request.force_delete_without_recovery.unwrap_or(false);
    if force && request.recovery_window_in_days.is_some() {
        return Err(parameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."));
    }
    let days = request.recovery_window_in_days.unwrap_or(DEFAULT_DAYS);
    if !(LEAST_DAYS..=MOST_DAYS).contains(&days) {
        return Err(parameter("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."));
    }
    let id = &request.secret_id;
    if !force {
        let found = change_found(
            cx,
            id,
            |cx, tx, id| find(cx, tx, id),
            |tx, _, secret| {
                if secret.deleted.is_some() {
                    return Err(marked());
                }
                secret.deleted = Some(tx.now() + Duration::from_secs(days.unsigned_abs() * 24 * 60 * 60));
                Ok(())
            },
        )
        .await?;
        return Ok(answer(Some(found.arn(cx)), found.secret.name.clone(), found.secret.deleted));
    }
    let gone = cx
        .store()
        .write(|tx| {
            // What is not there is deleted already.
            if look(cx, tx, id)?.is_none() {
                return Ok(None);
            }
            let found = find(cx, tx, id)?;
            remove(tx, &found.scope, &found.secret);
            Ok::<_, Error>(Some(found))
        })
        .await?;
    let now = Some(cx.now());
    Ok(match gone {
        Some(found) => answer(Some(found.arn(cx)), found.secret.name.clone(), now),
        None => {
            let name = match names::parse(cx, id) {
                Some(Named::Name(name) | Named::Arn(_, name)) => name,
                None => id,
            };
            answer(None, name.to_owned(), now)
        }
    })
}

fn answer(
    arn: Option<String>,
    name: String,
    deletion_date: Option<kiln_service_kit::Timestamp>,
) -> DeleteSecretResponse {
    DeleteSecretResponse { arn, name: Some(name), deletion_date }
}

async fn restore_secret(cx: &Cx, request: RestoreSecretRequest) -> Result<RestoreSecretResponse, Error> {
    let found = change_found(
        cx,
        &request.secret_id,
        |cx, tx, id| find(cx, tx, id),
        |_, _, secret| {
            secret.deleted = None;
            Ok(())
        },
    )
    .await?;
    Ok(RestoreSecretResponse { arn: Some(found.arn(cx)), name: Some(found.secret.name.clone()) })
}
