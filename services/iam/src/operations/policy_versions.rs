//! Versions of managed policies. Source: AWS IAM API Reference.

use super::named::named;
use super::policies::{change, check};
use crate::managed::{self, Found};
use crate::records::{ManagedPolicy, Version};
use crate::{documents, errors, listing};
use kiln_iam_shapes::*;
use kiln_policy::managed::Managed;
use kiln_service_kit::{Cx, Error, Operation, Timestamp, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreatePolicyVersion: create_policy_version(CreatePolicyVersionRequest), on named),
    operation!(GetPolicyVersion: get_policy_version(GetPolicyVersionRequest), on named),
    operation!(ListPolicyVersions: list_policy_versions(ListPolicyVersionsRequest), on named),
    operation!(SetDefaultPolicyVersion: set_default_policy_version(SetDefaultPolicyVersionRequest), on named),
    operation!(DeletePolicyVersion: delete_policy_version(DeletePolicyVersionRequest), on named),
];

/// Versions that one policy may have at a time.
const VERSIONS: usize = 5;

pub fn shown(policy: &ManagedPolicy, number: u32, version: &Version) -> PolicyVersion {
    PolicyVersion {
        document: Some(documents::encoded(&version.document)),
        version_id: Some(format!("v{number}")),
        is_default_version: Some(number == policy.default_version),
        create_date: Some(version.created),
    }
}

/// The one version of a policy of AWS's that is known here.
pub fn shown_aws(policy: &Managed) -> PolicyVersion {
    PolicyVersion {
        document: Some(documents::encoded(policy.document())),
        version_id: Some(policy.version.to_owned()),
        is_default_version: Some(true),
        create_date: Some(Timestamp::from_epoch_seconds(policy.updated)),
    }
}

fn missing(policy: &str, version: &str) -> Error {
    errors::missing(format!("Policy {policy} version {version} does not exist or is not attachable."))
}

/// The number in `v3`, if the policy has that version.
fn number(policy: &ManagedPolicy, version: &str) -> Result<u32, Error> {
    let number = version.strip_prefix('v').and_then(|n| n.parse().ok());
    number.filter(|n| policy.versions.contains_key(n)).ok_or_else(|| missing(&policy.arn, version))
}

async fn create_policy_version(
    cx: &Cx,
    input: CreatePolicyVersionRequest,
) -> Result<CreatePolicyVersionResponse, Error> {
    check(&input.policy_document)?;
    let created = cx.now();
    let made = change(cx, &input.policy_arn, |policy| {
        if policy.versions.len() == VERSIONS {
            return Err(errors::limit(
                "A managed policy can have up to 5 versions. Before you create a new version, you must delete an \
                 existing version.",
            ));
        }
        policy.last_version += 1;
        let number = policy.last_version;
        if input.set_as_default == Some(true) {
            policy.default_version = number;
        }
        policy.updated = created;
        let version = Version { document: input.policy_document, created };
        let made = PolicyVersion { document: None, ..shown(policy, number, &version) };
        policy.versions.insert(number, version);
        Ok(made)
    })
    .await?;
    Ok(CreatePolicyVersionResponse { policy_version: Some(made) })
}

async fn get_policy_version(cx: &Cx, input: GetPolicyVersionRequest) -> Result<GetPolicyVersionResponse, Error> {
    let version = match managed::find(cx.store(), &input.policy_arn)? {
        Some(Found::Own(policy)) => {
            let number = number(&policy, &input.version_id)?;
            policy.versions.get(&number).map(|version| shown(&policy, number, version))
        }
        Some(Found::Aws(policy)) if input.version_id == policy.version => Some(shown_aws(policy)),
        Some(Found::Aws(_)) => None,
        None => return Err(errors::no_such_policy(&input.policy_arn)),
    };
    let version = version.ok_or_else(|| missing(&input.policy_arn, &input.version_id))?;
    Ok(GetPolicyVersionResponse { policy_version: Some(version) })
}

/// Newest first, without the documents.
async fn list_policy_versions(cx: &Cx, input: ListPolicyVersionsRequest) -> Result<ListPolicyVersionsResponse, Error> {
    let versions = match managed::find(cx.store(), &input.policy_arn)? {
        Some(Found::Own(policy)) => {
            let brief = |(n, v): (&u32, &Version)| PolicyVersion { document: None, ..shown(&policy, *n, v) };
            policy.versions.iter().rev().map(brief).collect()
        }
        Some(Found::Aws(policy)) => vec![PolicyVersion { document: None, ..shown_aws(policy) }],
        None => return Err(errors::no_such_policy(&input.policy_arn)),
    };
    // Pages are cut by an order key: later numbers come first.
    let keyed = versions.into_iter().enumerate().map(|(at, version)| (format!("{at:03}"), version)).collect();
    let (page, is_truncated, marker) = listing::page(keyed, |(at, _)| at, input.marker.as_deref(), input.max_items)?;
    Ok(ListPolicyVersionsResponse { versions: page.into_iter().map(|(_, v)| v).collect(), is_truncated, marker })
}

async fn set_default_policy_version(
    cx: &Cx,
    input: SetDefaultPolicyVersionRequest,
) -> Result<SetDefaultPolicyVersionResponse, Error> {
    let now = cx.now();
    change(cx, &input.policy_arn, |policy| {
        policy.default_version = number(policy, &input.version_id)?;
        policy.updated = now;
        Ok(())
    })
    .await?;
    Ok(SetDefaultPolicyVersionResponse {})
}

async fn delete_policy_version(
    cx: &Cx,
    input: DeletePolicyVersionRequest,
) -> Result<DeletePolicyVersionResponse, Error> {
    change(cx, &input.policy_arn, |policy| {
        let number = number(policy, &input.version_id)?;
        if number == policy.default_version {
            let text = "Cannot delete the default version of a policy.";
            return Err(Error::sender("DeleteConflict", text).with_status(409));
        }
        policy.versions.remove(&number);
        Ok(())
    })
    .await?;
    Ok(DeletePolicyVersionResponse {})
}
