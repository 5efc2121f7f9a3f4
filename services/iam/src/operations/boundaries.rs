//! Permissions boundaries of users and roles. Source: AWS IAM API Reference.

use super::named::{by_boundary, named};
use super::permissions::attachable;
use crate::errors;
use crate::holders::{Holder, change};
use crate::records::{Permissions, Role, User};
use kiln_iam_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Tx, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(PutUserPermissionsBoundary: put_user(PutUserPermissionsBoundaryRequest), on named, given by_boundary),
    operation!(DeleteUserPermissionsBoundary: delete_user(DeleteUserPermissionsBoundaryRequest), on named),
    operation!(PutRolePermissionsBoundary: put_role(PutRolePermissionsBoundaryRequest), on named, given by_boundary),
    operation!(DeleteRolePermissionsBoundary: delete_role(DeleteRolePermissionsBoundaryRequest), on named),
];

/// Refuses a boundary that is not there.
pub fn check_boundary(tx: &Tx<'_>, cx: &Cx, permissions: &Permissions) -> Result<(), Error> {
    permissions.boundary.as_ref().map_or(Ok(()), |arn| attachable(tx, cx, arn))
}

/// As answers show it.
pub fn shown_boundary(permissions: &Permissions) -> Option<AttachedPermissionsBoundary> {
    permissions.boundary.as_ref().map(|arn| AttachedPermissionsBoundary {
        permissions_boundary_type: Some("Policy".to_owned()),
        permissions_boundary_arn: Some(arn.clone()),
    })
}

async fn put<H: Holder>(cx: &Cx, name: &str, arn: String) -> Result<(), Error> {
    change::<H>(cx, name, |holder, tx| {
        holder.permissions_mut().boundary = Some(arn);
        check_boundary(tx, cx, holder.permissions())
    })
    .await?;
    Ok(())
}

async fn delete<H: Holder>(cx: &Cx, name: &str) -> Result<(), Error> {
    let none = || errors::missing(format!("The {} {name} does not have a permissions boundary.", H::WHAT));
    change::<H>(cx, name, |holder, _| holder.permissions_mut().boundary.take().map(|_| ()).ok_or_else(none)).await?;
    Ok(())
}

async fn put_user(
    cx: &Cx,
    input: PutUserPermissionsBoundaryRequest,
) -> Result<PutUserPermissionsBoundaryResponse, Error> {
    put::<User>(cx, &input.user_name, input.permissions_boundary).await?;
    Ok(PutUserPermissionsBoundaryResponse {})
}

async fn delete_user(
    cx: &Cx,
    input: DeleteUserPermissionsBoundaryRequest,
) -> Result<DeleteUserPermissionsBoundaryResponse, Error> {
    delete::<User>(cx, &input.user_name).await?;
    Ok(DeleteUserPermissionsBoundaryResponse {})
}

async fn put_role(
    cx: &Cx,
    input: PutRolePermissionsBoundaryRequest,
) -> Result<PutRolePermissionsBoundaryResponse, Error> {
    put::<Role>(cx, &input.role_name, input.permissions_boundary).await?;
    Ok(PutRolePermissionsBoundaryResponse {})
}

async fn delete_role(
    cx: &Cx,
    input: DeleteRolePermissionsBoundaryRequest,
) -> Result<DeleteRolePermissionsBoundaryResponse, Error> {
    delete::<Role>(cx, &input.role_name).await?;
    Ok(DeleteRolePermissionsBoundaryResponse {})
}
