//! A group's permissions: inline and attached managed policies. Source: AWS IAM API Reference.

use super::named::{by_policy, named};
use super::permissions;
use crate::records::Group;
use kiln_iam_shapes::{
    AttachGroupPolicyRequest, AttachGroupPolicyResponse, DeleteGroupPolicyRequest, DeleteGroupPolicyResponse,
    DetachGroupPolicyRequest, DetachGroupPolicyResponse, GetGroupPolicyRequest, GetGroupPolicyResponse,
    ListAttachedGroupPoliciesRequest, ListAttachedGroupPoliciesResponse, ListGroupPoliciesRequest,
    ListGroupPoliciesResponse, PutGroupPolicyRequest, PutGroupPolicyResponse,
};
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(PutGroupPolicy: put_group_policy(PutGroupPolicyRequest), on named),
    operation!(GetGroupPolicy: get_group_policy(GetGroupPolicyRequest), on named),
    operation!(ListGroupPolicies: list_group_policies(ListGroupPoliciesRequest), on named),
    operation!(DeleteGroupPolicy: delete_group_policy(DeleteGroupPolicyRequest), on named),
    operation!(AttachGroupPolicy: attach_group_policy(AttachGroupPolicyRequest), on named, given by_policy),
    operation!(DetachGroupPolicy: detach_group_policy(DetachGroupPolicyRequest), on named, given by_policy),
    operation!(ListAttachedGroupPolicies: list_attached_group_policies(ListAttachedGroupPoliciesRequest), on named),
];

async fn put_group_policy(cx: &Cx, input: PutGroupPolicyRequest) -> Result<PutGroupPolicyResponse, Error> {
    permissions::put_inline::<Group>(cx, &input.group_name, input.policy_name, input.policy_document).await?;
    Ok(PutGroupPolicyResponse {})
}

async fn get_group_policy(cx: &Cx, input: GetGroupPolicyRequest) -> Result<GetGroupPolicyResponse, Error> {
    let (group_name, document) = permissions::inline::<Group>(cx, &input.group_name, &input.policy_name)?;
    Ok(GetGroupPolicyResponse {
        group_name: Some(group_name),
        policy_name: Some(input.policy_name),
        policy_document: Some(document),
    })
}

async fn list_group_policies(cx: &Cx, input: ListGroupPoliciesRequest) -> Result<ListGroupPoliciesResponse, Error> {
    let (policy_names, is_truncated, marker) =
        permissions::inline_names::<Group>(cx, &input.group_name, input.marker.as_deref(), input.max_items)?;
    Ok(ListGroupPoliciesResponse { policy_names, is_truncated, marker })
}

async fn delete_group_policy(cx: &Cx, input: DeleteGroupPolicyRequest) -> Result<DeleteGroupPolicyResponse, Error> {
    permissions::remove_inline::<Group>(cx, &input.group_name, &input.policy_name).await?;
    Ok(DeleteGroupPolicyResponse {})
}

async fn attach_group_policy(cx: &Cx, input: AttachGroupPolicyRequest) -> Result<AttachGroupPolicyResponse, Error> {
    permissions::attach::<Group>(cx, &input.group_name, input.policy_arn).await?;
    Ok(AttachGroupPolicyResponse {})
}

async fn detach_group_policy(cx: &Cx, input: DetachGroupPolicyRequest) -> Result<DetachGroupPolicyResponse, Error> {
    permissions::detach::<Group>(cx, &input.group_name, &input.policy_arn).await?;
    Ok(DetachGroupPolicyResponse {})
}

async fn list_attached_group_policies(
    cx: &Cx,
    input: ListAttachedGroupPoliciesRequest,
) -> Result<ListAttachedGroupPoliciesResponse, Error> {
    let marker = input.marker.as_deref();
    let (attached_policies, is_truncated, marker) =
        permissions::attached::<Group>(cx, &input.group_name, input.path_prefix, marker, input.max_items)?;
    Ok(ListAttachedGroupPoliciesResponse { attached_policies, is_truncated, marker })
}
