//! Resource policies. Source: CloudWatch Logs API Reference, PutResourcePolicy.

use crate::errors::{bad_token, invalid, not_there, over_limit};
use crate::names::{group, group_arn, of_identifier};
use crate::policies::check;
use crate::records::ResourcePolicy as Kept;
use kiln_logs_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation, paginate};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteResourcePolicy: delete_resource_policy(DeleteResourcePolicyRequest), on everything),
    operation!(DescribeResourcePolicies: describe_resource_policies(DescribeResourcePoliciesRequest), on everything),
    operation!(PutResourcePolicy: put_resource_policy(PutResourcePolicyRequest), on everything),
];

/// Policies of an account that are on no group.
const MOST: usize = 10;
/// Bytes of one.
const LONGEST: usize = 5_120;

fn revision_conflict() -> Error {
    let text = "The expected revision ID does not match the current revision ID of the resource policy.";
    Error::sender("OperationAbortedException", text)
}

async fn put_resource_policy(cx: &Cx, request: PutResourcePolicyRequest) -> Result<PutResourcePolicyResponse, Error> {
    let document = request.policy_document.ok_or_else(|| invalid("Policy document is required."))?;
    let resource = match &request.resource_arn {
        Some(arn) => Some(group_arn(cx, &group(cx, of_identifier(cx, arn)?)?.name)),
        None => None,
    };
    let name = match (&request.policy_name, &resource) {
        (Some(name), None) if !name.is_empty() => name.clone(),
        (None, None) | (Some(_), None) => return Err(invalid("Policy name is required.")),
        (Some(_), Some(_)) => return Err(invalid("policyName and resourceArn cannot both be specified.")),
        (None, Some(arn)) => arn.clone(),
    };
    if document.len() > if resource.is_some() { 51_200 } else { LONGEST } {
        return Err(over_limit());
    }
    check(&document)?;
    let revision = resource.as_ref().map(|_| cx.ids().uuid());
    let kept = cx
        .store()
        .write::<_, Error>(|tx| {
            let known = tx.get::<Kept>(cx.scope(), &name)?;
            if resource.is_some()
                && known.as_ref().and_then(|known| known.revision.as_ref()) != request.expected_revision_id.as_ref()
            {
                return Err(revision_conflict());
            }
            let others = tx.list::<Kept>(cx.scope())?;
            if known.is_none()
                && resource.is_none()
                && others.iter().filter(|(_, p)| p.resource.is_none()).count() >= MOST
            {
                return Err(over_limit());
            }
            let kept = Kept { name: name.clone(), document, updated: tx.now(), resource, revision };
            tx.put(cx.scope(), &name, kept.clone())?;
            Ok(kept)
        })
        .await?;
    Ok(PutResourcePolicyResponse { revision_id: kept.revision.clone(), resource_policy: Some(shown(&kept)) })
}

fn shown(kept: &Kept) -> ResourcePolicy {
    ResourcePolicy {
        policy_name: kept.resource.is_none().then(|| kept.name.clone()),
        policy_document: Some(kept.document.clone()),
        last_updated_time: Some(kept.updated.millis()),
        policy_scope: Some(if kept.resource.is_some() { "RESOURCE" } else { "ACCOUNT" }.to_owned()),
        resource_arn: kept.resource.clone(),
        revision_id: kept.revision.clone(),
    }
}

async fn delete_resource_policy(
    cx: &Cx,
    request: DeleteResourcePolicyRequest,
) -> Result<DeleteResourcePolicyResponse, Error> {
    let name = match (request.policy_name, &request.resource_arn) {
        (Some(name), None) => name,
        (None, Some(arn)) => group_arn(cx, of_identifier(cx, arn)?),
        _ => return Err(invalid("Either policyName or resourceArn must be specified, and not both.")),
    };
    cx.store()
        .write::<_, Error>(|tx| {
            let missing = || {
                let text = format!("Policy with name [{name}] does not exist.");
                Error { message: text, ..not_there("policy") }
            };
            let known = tx.get::<Kept>(cx.scope(), &name)?.ok_or_else(missing)?;
            if known.resource.is_some() && known.revision != request.expected_revision_id {
                return Err(revision_conflict());
            }
            tx.delete::<Kept>(cx.scope(), &name);
            Ok(())
        })
        .await?;
    Ok(DeleteResourcePolicyResponse {})
}

async fn describe_resource_policies(
    cx: &Cx,
    request: DescribeResourcePoliciesRequest,
) -> Result<DescribeResourcePoliciesResponse, Error> {
    let on_groups = request.policy_scope.as_deref() == Some("RESOURCE");
    let wanted = request
        .resource_arn
        .as_deref()
        .map(|arn| Ok::<_, Error>(group_arn(cx, of_identifier(cx, arn)?)))
        .transpose()?;
    let found = cx.store().list::<Kept>(cx.scope())?;
    let mut policies: Vec<Arc<Kept>> = found.into_iter().map(|(_, policy)| policy).collect();
    policies.retain(|policy| policy.resource.is_some() == (on_groups || wanted.is_some()));
    if let Some(wanted) = &wanted {
        policies.retain(|policy| policy.resource.as_ref() == Some(wanted));
    }
    let limit = request.limit.unwrap_or(50) as usize;
    let page = paginate(policies, |policy| &policy.name, request.next_token.as_deref(), limit, bad_token)?;
    Ok(DescribeResourcePoliciesResponse {
        resource_policies: page.items.iter().map(|policy| shown(policy)).collect(),
        next_token: page.next_token,
    })
}
