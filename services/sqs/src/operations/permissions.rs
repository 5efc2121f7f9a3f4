//! Statements that a queue's policy is given and loses by a label. Source: SQS API Reference, AddPermission,
//! RemovePermission.

use super::change;
use crate::place::own;
use crate::policy::{with_permission, without_permission};
use crate::targets::own_queue;
use kiln_service_kit::{Cx, Error, Operation, operation};
use kiln_sqs_shapes::*;

pub const OPERATIONS: &[Operation] = &[
    operation!(AddPermission: add_permission(AddPermissionRequest), on |cx, r| own_queue(cx, &r.queue_url)),
    operation!(RemovePermission: remove_permission(RemovePermissionRequest), on |cx, r| own_queue(cx, &r.queue_url)),
];

async fn add_permission(cx: &Cx, request: AddPermissionRequest) -> Result<AddPermissionResponse, Error> {
    let found = own(cx, &request.queue_url)?;
    let AddPermissionRequest { label, aws_account_ids, actions, .. } = &request;
    let now = cx.now();
    change(cx, &found, |queue| {
        queue.settings.policy = Some(with_permission(cx, &found.scope, queue, label, aws_account_ids, actions)?);
        queue.modified = now;
        Ok(())
    })
    .await?;
    Ok(AddPermissionResponse {})
}

async fn remove_permission(cx: &Cx, request: RemovePermissionRequest) -> Result<RemovePermissionResponse, Error> {
    let found = own(cx, &request.queue_url)?;
    let now = cx.now();
    change(cx, &found, |queue| {
        queue.settings.policy = without_permission(queue, &request.label)?;
        queue.modified = now;
        Ok(())
    })
    .await?;
    Ok(RemovePermissionResponse {})
}
