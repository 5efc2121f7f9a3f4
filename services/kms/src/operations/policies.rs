//! Key policies. Every key has one, called `default`. Source: AWS KMS API Reference.

use super::pages::page;
use crate::errors::not_found;
use crate::names::Takes;
use crate::targets::own;
use crate::{found, policy};
use kiln_kms_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(PutKeyPolicy: put_key_policy(PutKeyPolicyRequest), on |cx, r| {
        let bypass = r.bypass_policy_lockout_safety_check.unwrap_or(false).to_string();
        own(cx, &r.key_id, "kms:PutKeyPolicy").map(|key| key.with("kms:BypassPolicyLockoutSafetyCheck", bypass))
    }),
    operation!(GetKeyPolicy: get_key_policy(GetKeyPolicyRequest), on |cx, r| own(cx, &r.key_id, "kms:GetKeyPolicy")),
    operation!(ListKeyPolicies: list_key_policies(ListKeyPoliciesRequest),
        on |cx, r| own(cx, &r.key_id, "kms:ListKeyPolicies")),
];

/// The one name that a policy can have.
const NAME: &str = "default";

fn check_name(name: &Option<String>) -> Result<(), Error> {
    match name.as_deref() {
        None | Some(NAME) => Ok(()),
        Some(_) => Err(not_found("No such policy exists")),
    }
}

async fn put_key_policy(cx: &Cx, request: PutKeyPolicyRequest) -> Result<PutKeyPolicyResponse, Error> {
    check_name(&request.policy_name)?;
    let found = found::own(cx, &request.key_id, "kms:PutKeyPolicy")?;
    let bypass = request.bypass_policy_lockout_safety_check.unwrap_or(false);
    let policy = policy::check(cx, &found.arn(cx), &request.policy, bypass)?;
    found::change(cx, &found, |key| {
        key.policy = policy;
        Ok(())
    })
    .await?;
    Ok(PutKeyPolicyResponse {})
}

async fn get_key_policy(cx: &Cx, request: GetKeyPolicyRequest) -> Result<GetKeyPolicyResponse, Error> {
    check_name(&request.policy_name)?;
    let found = found::find(cx, &request.key_id, Takes::Keys)?;
    Ok(GetKeyPolicyResponse { policy: Some(found.key.policy.clone()), policy_name: Some(NAME.to_owned()) })
}

async fn list_key_policies(cx: &Cx, request: ListKeyPoliciesRequest) -> Result<ListKeyPoliciesResponse, Error> {
    found::find(cx, &request.key_id, Takes::Keys)?;
    let names = vec![NAME.to_owned()];
    let (policy_names, next_marker, truncated) = page(names, |name| name, &request.marker, request.limit, 100)?;
    Ok(ListKeyPoliciesResponse { policy_names, next_marker, truncated })
}
