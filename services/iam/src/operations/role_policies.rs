//! A role's permissions: inline and attached managed policies. Source: AWS IAM API Reference.

use super::named::{by_policy, named};
use super::permissions;
use crate::records::Role;
use kiln_iam_shapes::{
    AttachRolePolicyRequest, AttachRolePolicyResponse, DeleteRolePolicyRequest, DeleteRolePolicyResponse,
    DetachRolePolicyRequest, DetachRolePolicyResponse, GetRolePolicyRequest, GetRolePolicyResponse,
    ListAttachedRolePoliciesRequest, ListAttachedRolePoliciesResponse, ListRolePoliciesRequest,
    ListRolePoliciesResponse, PutRolePolicyRequest, PutRolePolicyResponse,
};
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(PutRolePolicy: put_role_policy(PutRolePolicyRequest), on named),
    operation!(GetRolePolicy: get_role_policy(GetRolePolicyRequest), on named),
    operation!(ListRolePolicies: list_role_policies(ListRolePoliciesRequest), on named),
    operation!(DeleteRolePolicy: delete_role_policy(DeleteRolePolicyRequest), on named),
    operation!(AttachRolePolicy: attach_role_policy(AttachRolePolicyRequest), on named, given by_policy),
    operation!(DetachRolePolicy: detach_role_policy(DetachRolePolicyRequest), on named, given by_policy),
    operation!(ListAttachedRolePolicies: list_attached_role_policies(ListAttachedRolePoliciesRequest), on named),
];

async fn put_role_policy(cx: &Cx, input: PutRolePolicyRequest) -> Result<PutRolePolicyResponse, Error> {
    permissions::put_inline::<Role>(cx, &input.role_name, input.policy_name, input.policy_document).await?;
    Ok(PutRolePolicyResponse {})
}

async fn get_role_policy(cx: &Cx, input: GetRolePolicyRequest) -> Result<GetRolePolicyResponse, Error> {
    let (role_name, document) = permissions::inline::<Role>(cx, &input.role_name, &input.policy_name)?;
    Ok(GetRolePolicyResponse {
        role_name: Some(role_name),
        policy_name: Some(input.policy_name),
        policy_document: Some(document),
    })
}

async fn list_role_policies(cx: &Cx, input: ListRolePoliciesRequest) -> Result<ListRolePoliciesResponse, Error> {
    let (policy_names, is_truncated, marker) =
        permissions::inline_names::<Role>(cx, &input.role_name, input.marker.as_deref(), input.max_items)?;
    Ok(ListRolePoliciesResponse { policy_names, is_truncated, marker })
}

async fn delete_role_policy(cx: &Cx, input: DeleteRolePolicyRequest) -> Result<DeleteRolePolicyResponse, Error> {
    permissions::remove_inline::<Role>(cx, &input.role_name, &input.policy_name).await?;
    Ok(DeleteRolePolicyResponse {})
}

async fn attach_role_policy(cx: &Cx, input: AttachRolePolicyRequest) -> Result<AttachRolePolicyResponse, Error> {
    permissions::attach::<Role>(cx, &input.role_name, input.policy_arn).await?;
    Ok(AttachRolePolicyResponse {})
}

async fn detach_role_policy(cx: &Cx, input: DetachRolePolicyRequest) -> Result<DetachRolePolicyResponse, Error> {
    permissions::detach::<Role>(cx, &input.role_name, &input.policy_arn).await?;
    Ok(DetachRolePolicyResponse {})
}

async fn list_attached_role_policies(
    cx: &Cx,
    input: ListAttachedRolePoliciesRequest,
) -> Result<ListAttachedRolePoliciesResponse, Error> {
    let marker = input.marker.as_deref();
    let (attached_policies, is_truncated, marker) =
        permissions::attached::<Role>(cx, &input.role_name, input.path_prefix, marker, input.max_items)?;
    Ok(ListAttachedRolePoliciesResponse { attached_policies, is_truncated, marker })
}
