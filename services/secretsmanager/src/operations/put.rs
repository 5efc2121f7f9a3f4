//! PutSecretValue. Source: AWS Secrets Manager API Reference.

use super::new_version::{Given, add, needed};
use crate::stages::CURRENT;
use crate::targets::secret;
use kiln_secretsmanager_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] =
    &[operation!(PutSecretValue: put_secret_value(PutSecretValueRequest), on |cx, r| secret(cx, &r.secret_id))];

async fn put_secret_value(cx: &Cx, request: PutSecretValueRequest) -> Result<PutSecretValueResponse, Error> {
    if request.rotation_token.is_some() {
        return Err(Error::not_built("secretsmanager: rotation by an assumed role (RotationToken)"));
    }
    let given = Given::of(&request.secret_string, &request.secret_binary)?.ok_or_else(needed)?;
    let stages = match request.version_stages.is_empty() {
        true => vec![CURRENT.to_owned()],
        false => request.version_stages,
    };
    let (found, id) = add(cx, &request.secret_id, request.client_request_token.as_ref(), &given, &stages).await?;
    Ok(PutSecretValueResponse {
        arn: Some(found.arn(cx)),
        name: Some(found.secret.name.clone()),
        version_stages: found.secret.version(&id).map(|version| version.stages.clone()).unwrap_or_else(Vec::new),
        version_id: Some(id),
    })
}
