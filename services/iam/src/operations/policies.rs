//! Managed policies: the account's own, and AWS's to read. Source: AWS IAM API Reference.

use super::account;
use super::named::named;
use crate::managed::{self, Found};
use crate::records::{ManagedPolicy, key};
use crate::{attachments, documents, errors, listing, names, tags};
use kiln_iam_shapes::*;
use kiln_policy::managed::Managed;
use kiln_service_kit::{Cx, Error, Operation, Timestamp, Tx, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreatePolicy: create_policy(CreatePolicyRequest), on named),
    operation!(GetPolicy: get_policy(GetPolicyRequest), on named),
    operation!(ListPolicies: list_policies(ListPoliciesRequest), on named),
    operation!(DeletePolicy: delete_policy(DeletePolicyRequest), on named),
    operation!(ListEntitiesForPolicy: list_entities_for_policy(ListEntitiesForPolicyRequest), on named),
    operation!(TagPolicy: tag_policy(TagPolicyRequest), on named),
    operation!(UntagPolicy: untag_policy(UntagPolicyRequest), on named),
    operation!(ListPolicyTags: list_policy_tags(ListPolicyTagsRequest), on named),
];

/// A managed policy, without white space.
const POLICY_SIZE: usize = 6_144;

/// Refuses a document that is no policy or too long.
pub fn check(document: &str) -> Result<(), Error> {
    documents::check_managed(document)?;
    match documents::size(document) {
        0..=POLICY_SIZE => Ok(()),
        _ => Err(errors::limit(format!("Cannot exceed quota for PolicySize: {POLICY_SIZE}"))),
    }
}

/// The account's own policy with that ARN.
pub fn find(tx: &Tx<'_>, cx: &Cx, arn: &str) -> Result<ManagedPolicy, Error> {
    match managed::find_in(tx, arn)? {
        Some(Found::Own(policy)) if managed::own(arn).is_some_and(|(account, _)| account == cx.account()) => {
            Ok((*policy).clone())
        }
        Some(Found::Aws(_)) => Err(errors::invalid_input("A policy of AWS cannot be changed.")),
        _ => Err(errors::no_such_policy(arn)),
    }
}

/// Changes one of the account's own policies in one transaction.
pub async fn change<T>(
    cx: &Cx,
    arn: &str,
    change: impl FnOnce(&mut ManagedPolicy) -> Result<T, Error>,
) -> Result<T, Error> {
    cx.store()
        .write(|tx| {
            let mut policy = find(tx, cx, arn)?;
            let answer = change(&mut policy)?;
            tx.put_if_changed(&cx.global_scope(), &key(&policy.name.clone()), policy)?;
            Ok(answer)
        })
        .await
}

pub fn shown(policy: &ManagedPolicy, uses: attachments::Uses) -> Policy {
    Policy {
        policy_name: Some(policy.name.clone()),
        policy_id: Some(policy.id.clone()),
        arn: Some(policy.arn.clone()),
        path: Some(policy.path.clone()),
        default_version_id: Some(format!("v{}", policy.default_version)),
        attachment_count: Some(uses.attached),
        permissions_boundary_usage_count: Some(uses.boundaries),
        is_attachable: Some(true),
        description: policy.description.clone(),
        create_date: Some(policy.created),
        update_date: Some(policy.updated),
        tags: Some(tags::shown(&policy.tags)),
    }
}

/// AWS's ids and descriptions of its own policies are not known here and left out.
pub fn shown_aws(policy: &Managed, uses: attachments::Uses) -> Policy {
    Policy {
        policy_name: Some(policy.name().to_owned()),
        arn: Some(policy.arn()),
        path: Some(policy.path()),
        default_version_id: Some(policy.version.to_owned()),
        create_date: Some(Timestamp::from_epoch_seconds(policy.created)),
        update_date: Some(Timestamp::from_epoch_seconds(policy.updated)),
        attachment_count: Some(uses.attached),
        permissions_boundary_usage_count: Some(uses.boundaries),
        is_attachable: Some(true),
        tags: Some(vec![]),
        ..Default::default()
    }
}

async fn create_policy(cx: &Cx, input: CreatePolicyRequest) -> Result<CreatePolicyResponse, Error> {
    check(&input.policy_document)?;
    let path = input.path.unwrap_or_else(|| "/".to_owned());
    let now = cx.now();
    let first = crate::records::Version { document: input.policy_document, created: now };
    let policy = ManagedPolicy {
        arn: names::arn(cx, "policy", &path, &input.policy_name),
        id: names::unique_id(cx, "ANPA"),
        path,
        description: input.description,
        created: now,
        updated: now,
        tags: tags::given(input.tags)?,
        versions: [(1, first)].into(),
        default_version: 1,
        last_version: 1,
        name: input.policy_name,
    };
    // Only GetPolicy tells the description.
    let mut made = Policy { description: None, ..shown(&policy, attachments::Uses::default()) };
    made.tags = made.tags.filter(|tags| !tags.is_empty());
    cx.store()
        .write(|tx| {
            let (scope, key) = (cx.global_scope(), key(&policy.name));
            if tx.get::<ManagedPolicy>(&scope, &key)?.is_some() {
                let text = format!("A policy called {} already exists. Duplicate names are not allowed.", policy.name);
                return Err(Error::sender("EntityAlreadyExists", text).with_status(409));
            }
            account::check_room::<ManagedPolicy>(tx, cx)?;
            tx.put(&scope, &key, policy)?;
            Ok(())
        })
        .await?;
    Ok(CreatePolicyResponse { policy: Some(made) })
}

async fn get_policy(cx: &Cx, input: GetPolicyRequest) -> Result<GetPolicyResponse, Error> {
    let uses = attachments::of(cx, &input.policy_arn)?;
    let policy = match managed::find(cx.store(), &input.policy_arn)? {
        Some(Found::Own(policy)) => shown(&policy, uses),
        Some(Found::Aws(policy)) => shown_aws(policy, uses),
        None => return Err(errors::no_such_policy(&input.policy_arn)),
    };
    Ok(GetPolicyResponse { policy: Some(policy) })
}

async fn list_policies(cx: &Cx, input: ListPoliciesRequest) -> Result<ListPoliciesResponse, Error> {
    let uses = attachments::all(cx)?;
    let of = |arn: &str| uses.get(arn).copied().unwrap_or_default();
    let scope = input.scope.as_deref().unwrap_or("All");
    let mut found: Vec<Policy> = vec![];
    if scope != "AWS" {
        let own = cx.store().list::<ManagedPolicy>(&cx.global_scope())?;
        // Listings leave tags and descriptions out.
        found.extend(own.iter().map(|(_, p)| Policy { tags: None, description: None, ..shown(p, of(&p.arn)) }));
    }
    if scope != "Local" {
        found.extend(kiln_policy::managed::ALL.iter().map(|p| Policy { tags: None, ..shown_aws(p, of(&p.arn())) }));
    }
    let usage = input.policy_usage_filter.as_deref();
    let prefix = input.path_prefix.unwrap_or_else(|| "/".to_owned());
    found.retain(|p| {
        let (attached, boundaries) = (p.attachment_count > Some(0), p.permissions_boundary_usage_count > Some(0));
        let used = match usage {
            Some("PermissionsPolicy") => attached,
            Some("PermissionsBoundary") => boundaries,
            _ => attached || boundaries || input.only_attached != Some(true),
        };
        used && p.path.as_ref().is_some_and(|path| path.starts_with(&prefix))
    });
    let arn = |p: &Policy| p.arn.clone().unwrap_or_default();
    let found: Vec<(String, Policy)> = found.into_iter().map(|p| (arn(&p), p)).collect();
    let (page, is_truncated, marker) = listing::page(found, |(arn, _)| arn, input.marker.as_deref(), input.max_items)?;
    Ok(ListPoliciesResponse { policies: page.into_iter().map(|(_, p)| p).collect(), is_truncated, marker })
}

/// Refused while it is in use or has other versions.
async fn delete_policy(cx: &Cx, input: DeletePolicyRequest) -> Result<DeletePolicyResponse, Error> {
    cx.store()
        .write(|tx| {
            let policy = find(tx, cx, &input.policy_arn)?;
            let conflict = |text: &str| Err(Error::sender("DeleteConflict", text).with_status(409));
            if attachments::of_in(tx, cx, &policy.arn)?.any() {
                return conflict("Cannot delete a policy attached to entities.");
            }
            if policy.versions.len() > 1 {
                return conflict(
                    "This policy has more than one version. Before you delete a policy, you must delete the \
                     policy's versions. The default version is deleted with the policy.",
                );
            }
            tx.delete::<ManagedPolicy>(&cx.global_scope(), &key(&policy.name));
            Ok(())
        })
        .await?;
    Ok(DeletePolicyResponse {})
}

async fn list_entities_for_policy(
    cx: &Cx,
    input: ListEntitiesForPolicyRequest,
) -> Result<ListEntitiesForPolicyResponse, Error> {
    if managed::find(cx.store(), &input.policy_arn)?.is_none() {
        return Err(errors::no_such_policy(&input.policy_arn));
    }
    let mut found = attachments::entities(cx, &input.policy_arn, input.policy_usage_filter.as_deref())?;
    if let Some(kind) = &input.entity_filter {
        found.retain(|entity| entity.kind == kind);
    }
    if let Some(prefix) = &input.path_prefix {
        found.retain(|entity| entity.path.starts_with(prefix.as_str()));
    }
    let (page, is_truncated, marker) = listing::page(found, |e| &e.order, input.marker.as_deref(), input.max_items)?;
    let mut answer = ListEntitiesForPolicyResponse { is_truncated, marker, ..Default::default() };
    for entity in page {
        let (name, id) = (Some(entity.name), Some(entity.id));
        match entity.kind {
            "User" => answer.policy_users.push(PolicyUser { user_name: name, user_id: id }),
            "Group" => answer.policy_groups.push(PolicyGroup { group_name: name, group_id: id }),
            _ => answer.policy_roles.push(PolicyRole { role_name: name, role_id: id }),
        }
    }
    Ok(answer)
}

async fn tag_policy(cx: &Cx, input: TagPolicyRequest) -> Result<TagPolicyResponse, Error> {
    change(cx, &input.policy_arn, |policy| tags::add(&mut policy.tags, input.tags)).await?;
    Ok(TagPolicyResponse {})
}

async fn untag_policy(cx: &Cx, input: UntagPolicyRequest) -> Result<UntagPolicyResponse, Error> {
    change(cx, &input.policy_arn, |policy| {
        policy.tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    })
    .await?;
    Ok(UntagPolicyResponse {})
}

async fn list_policy_tags(cx: &Cx, input: ListPolicyTagsRequest) -> Result<ListPolicyTagsResponse, Error> {
    let tags = match managed::find(cx.store(), &input.policy_arn)? {
        Some(Found::Own(policy)) => tags::shown(&policy.tags),
        Some(Found::Aws(_)) => vec![],
        None => return Err(errors::no_such_policy(&input.policy_arn)),
    };
    let (tags, is_truncated, marker) = listing::page(tags, |t| &t.key, input.marker.as_deref(), input.max_items)?;
    Ok(ListPolicyTagsResponse { tags, is_truncated, marker })
}
