//! The key of KMS that a group's events are sealed under. Source: CloudWatch Logs API Reference, AssociateKmsKey.
//!
//! What is there already stays as it was sealed: each block says under which data key.

use crate::errors::invalid;
use crate::names::{change, group, of_identifier};
use crate::{keys, targets};
use kiln_logs_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(AssociateKmsKey: associate_kms_key(AssociateKmsKeyRequest), on |cx, r| targets::either(cx, &r.log_group_name, &r.resource_identifier)),
    operation!(DisassociateKmsKey: disassociate_kms_key(DisassociateKmsKeyRequest), on |cx, r| targets::either(cx, &r.log_group_name, &r.resource_identifier)),
];

/// Data keys that a group can have had.
const MOST: usize = 100;

fn named<'r>(cx: &Cx, name: &'r Option<String>, resource: &'r Option<String>) -> Result<&'r str, Error> {
    match (name, resource) {
        (Some(name), None) => Ok(name),
        (None, Some(arn)) if arn.contains(":query-result:") => {
            Err(Error::not_built("logs: a KMS key for the results of queries"))
        }
        (None, Some(arn)) => of_identifier(cx, arn),
        _ => Err(invalid("Either logGroupName or resourceIdentifier must be specified, and not both.")),
    }
}

async fn associate_kms_key(cx: &Cx, request: AssociateKmsKeyRequest) -> Result<AssociateKmsKeyResponse, Error> {
    let name = named(cx, &request.log_group_name, &request.resource_identifier)?;
    let known = group(cx, name)?;
    if known.key().is_some_and(|key| key.arn == request.kms_key_id) {
        return Ok(AssociateKmsKeyResponse {});
    }
    let key = keys::new(cx, name, &request.kms_key_id).await?;
    change(cx, name, |group| {
        if group.keys.len() >= MOST {
            return Err(Error::sender("OperationAbortedException", "The log group has had too many keys."));
        }
        group.keys.push(key);
        group.sealed = true;
        Ok(())
    })
    .await?;
    Ok(AssociateKmsKeyResponse {})
}

async fn disassociate_kms_key(
    cx: &Cx,
    request: DisassociateKmsKeyRequest,
) -> Result<DisassociateKmsKeyResponse, Error> {
    let name = named(cx, &request.log_group_name, &request.resource_identifier)?;
    change(cx, name, |group| {
        group.sealed = false;
        Ok(())
    })
    .await?;
    Ok(DisassociateKmsKeyResponse {})
}
