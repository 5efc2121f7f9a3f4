//! A user's permissions: inline and attached managed policies. Source: AWS IAM API Reference.

use super::named::{by_policy, named};
use super::permissions;
use crate::records::User;
use kiln_iam_shapes::{
    AttachUserPolicyRequest, AttachUserPolicyResponse, DeleteUserPolicyRequest, DeleteUserPolicyResponse,
    DetachUserPolicyRequest, DetachUserPolicyResponse, GetUserPolicyRequest, GetUserPolicyResponse,
    ListAttachedUserPoliciesRequest, ListAttachedUserPoliciesResponse, ListUserPoliciesRequest,
    ListUserPoliciesResponse, PutUserPolicyRequest, PutUserPolicyResponse,
};
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(PutUserPolicy: put_user_policy(PutUserPolicyRequest), on named),
    operation!(GetUserPolicy: get_user_policy(GetUserPolicyRequest), on named),
    operation!(ListUserPolicies: list_user_policies(ListUserPoliciesRequest), on named),
    operation!(DeleteUserPolicy: delete_user_policy(DeleteUserPolicyRequest), on named),
    operation!(AttachUserPolicy: attach_user_policy(AttachUserPolicyRequest), on named, given by_policy),
    operation!(DetachUserPolicy: detach_user_policy(DetachUserPolicyRequest), on named, given by_policy),
    operation!(ListAttachedUserPolicies: list_attached_user_policies(ListAttachedUserPoliciesRequest), on named),
];

async fn put_user_policy(cx: &Cx, input: PutUserPolicyRequest) -> Result<PutUserPolicyResponse, Error> {
    permissions::put_inline::<User>(cx, &input.user_name, input.policy_name, input.policy_document).await?;
    Ok(PutUserPolicyResponse {})
}

async fn get_user_policy(cx: &Cx, input: GetUserPolicyRequest) -> Result<GetUserPolicyResponse, Error> {
    let (user_name, document) = permissions::inline::<User>(cx, &input.user_name, &input.policy_name)?;
    Ok(GetUserPolicyResponse {
        user_name: Some(user_name),
        policy_name: Some(input.policy_name),
        policy_document: Some(document),
    })
}

async fn list_user_policies(cx: &Cx, input: ListUserPoliciesRequest) -> Result<ListUserPoliciesResponse, Error> {
    let (policy_names, is_truncated, marker) =
        permissions::inline_names::<User>(cx, &input.user_name, input.marker.as_deref(), input.max_items)?;
    Ok(ListUserPoliciesResponse { policy_names, is_truncated, marker })
}

async fn delete_user_policy(cx: &Cx, input: DeleteUserPolicyRequest) -> Result<DeleteUserPolicyResponse, Error> {
    permissions::remove_inline::<User>(cx, &input.user_name, &input.policy_name).await?;
    Ok(DeleteUserPolicyResponse {})
}

async fn attach_user_policy(cx: &Cx, input: AttachUserPolicyRequest) -> Result<AttachUserPolicyResponse, Error> {
    permissions::attach::<User>(cx, &input.user_name, input.policy_arn).await?;
    Ok(AttachUserPolicyResponse {})
}

async fn detach_user_policy(cx: &Cx, input: DetachUserPolicyRequest) -> Result<DetachUserPolicyResponse, Error> {
    permissions::detach::<User>(cx, &input.user_name, &input.policy_arn).await?;
    Ok(DetachUserPolicyResponse {})
}

async fn list_attached_user_policies(
    cx: &Cx,
    input: ListAttachedUserPoliciesRequest,
) -> Result<ListAttachedUserPoliciesResponse, Error> {
    let marker = input.marker.as_deref();
    let (attached_policies, is_truncated, marker) =
        permissions::attached::<User>(cx, &input.user_name, input.path_prefix, marker, input.max_items)?;
    Ok(ListAttachedUserPoliciesResponse { attached_policies, is_truncated, marker })
}
