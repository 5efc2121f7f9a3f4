//! UpdateSecretVersionStage: labels that move. Source: AWS Secrets Manager API Reference.

use super::new_version::change;
use crate::errors::{no_version, parameter};
use crate::stages::CURRENT;
use crate::targets::secret;
use kiln_secretsmanager_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] =
    &[operation!(UpdateSecretVersionStage: update_secret_version_stage(UpdateSecretVersionStageRequest), on |cx, r| {
        secret(cx, &r.secret_id).map(|target| target.with("secretsmanager:VersionStage", &r.version_stage))
    })];

async fn update_secret_version_stage(
    cx: &Cx,
    request: UpdateSecretVersionStageRequest,
) -> Result<UpdateSecretVersionStageResponse, Error> {
    let (from, to) = (&request.remove_from_version_id, &request.move_to_version_id);
    let stage = request.version_stage.as_str();
    if from.is_none() && to.is_none() {
        return Err(parameter("You must provide RemoveFromVersionId, MoveToVersionId, or both."));
    }
    let found = change(cx, &request.secret_id, |tx, _, secret| {
        let given = [from, to].into_iter().flatten();
        if given.into_iter().any(|id| secret.version(id).is_none()) {
            return Err(no_version());
        }
        let on = secret.labelled(stage).map(|version| version.id.clone());
        match (&on, from) {
            (Some(on), None) if to.as_ref() != Some(on) => {
                return Err(parameter(format!(
                    "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to \
                     version {on}, so you must explicitly reference that version in RemoveFromVersionId."
                )));
            }
            (on, Some(from)) if on.as_ref() != Some(from) => {
                return Err(parameter(format!("Staging label {stage} is not attached to version {from}.")));
            }
            _ => {}
        }
        match to {
            Some(to) => secret.attach(stage, to)?,
            None if stage == CURRENT => {
                return Err(parameter(
                    "You can only move staging label AWSCURRENT to a different secret version. It can’t be completely \
                     removed.",
                ));
            }
            None => secret.detach(stage),
        }
        secret.changed = tx.now();
        Ok(())
    })
    .await?;
    Ok(UpdateSecretVersionStageResponse { arn: Some(found.arn(cx)), name: Some(found.secret.name.clone()) })
}
