//! Resource policies of secrets. Source: AWS Secrets Manager API Reference.

use super::new_version::change;
use crate::errors::public_policy;
use crate::names::living;
use crate::public::is_public;
use crate::targets::secret;
use crate::{names, policy};
use kiln_secretsmanager_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(PutResourcePolicy: put_resource_policy(PutResourcePolicyRequest), on |cx, r| {
        let block = r.block_public_policy.unwrap_or(false).to_string();
        secret(cx, &r.secret_id).map(|target| target.with("secretsmanager:BlockPublicPolicy", block))
    }),
    operation!(GetResourcePolicy: get_resource_policy(GetResourcePolicyRequest), on |cx, r| secret(cx, &r.secret_id)),
    operation!(DeleteResourcePolicy: delete_resource_policy(DeleteResourcePolicyRequest),
        on |cx, r| secret(cx, &r.secret_id)),
    operation!(ValidateResourcePolicy: validate_resource_policy(ValidateResourcePolicyRequest), on |cx, r| {
        r.secret_id.iter().map(|id| secret(cx, id)).collect::<Result<Vec<_>, Error>>()
    }),
];

async fn put_resource_policy(cx: &Cx, request: PutResourcePolicyRequest) -> Result<PutResourcePolicyResponse, Error> {
    let json = policy::check(cx, &request.resource_policy)?;
    if request.block_public_policy.unwrap_or(false) && is_public(&json) {
        return Err(public_policy());
    }
    let found = change(cx, &request.secret_id, |_, _, secret| {
        secret.policy = Some(request.resource_policy);
        Ok(())
    })
    .await?;
    Ok(PutResourcePolicyResponse { arn: Some(found.arn(cx)), name: Some(found.secret.name.clone()) })
}

async fn get_resource_policy(cx: &Cx, request: GetResourcePolicyRequest) -> Result<GetResourcePolicyResponse, Error> {
    let found = living(cx, cx.store(), &request.secret_id)?;
    let secret = &found.secret;
    let (arn, name) = (Some(found.arn(cx)), Some(secret.name.clone()));
    Ok(GetResourcePolicyResponse { arn, name, resource_policy: secret.policy.clone() })
}

async fn delete_resource_policy(
    cx: &Cx,
    request: DeleteResourcePolicyRequest,
) -> Result<DeleteResourcePolicyResponse, Error> {
    let found = change(cx, &request.secret_id, |_, _, secret| {
        secret.policy = None;
        Ok(())
    })
    .await?;
    Ok(DeleteResourcePolicyResponse { arn: Some(found.arn(cx)), name: Some(found.secret.name.clone()) })
}

async fn validate_resource_policy(
    cx: &Cx,
    request: ValidateResourcePolicyRequest,
) -> Result<ValidateResourcePolicyResponse, Error> {
    if let Some(id) = &request.secret_id {
        names::find(cx, cx.store(), id)?;
    }
    let json = policy::check(cx, &request.resource_policy)?;
    let mut validation_errors = vec![];
    if is_public(&json) {
        validation_errors.push(ValidationErrorsEntry {
            check_name: Some("Zelkova".to_owned()),
            error_message: Some("This resource policy grants broad access to the secret.".to_owned()),
        });
    }
    Ok(ValidateResourcePolicyResponse {
        policy_validation_passed: Some(validation_errors.is_empty()),
        validation_errors,
    })
}
