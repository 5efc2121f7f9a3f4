//! Operations on roles. Source: AWS IAM API Reference.

use super::account;
use super::boundaries::{check_boundary, shown_boundary};
use super::last_used;
use super::named::{by_boundary, named};
use crate::holders::{change, find, get};
use crate::records::{InstanceProfile, LastUsed, Permissions, Role, everywhere, key};
use crate::{documents, errors, listing, names, tags};
use kiln_iam_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateRole: create_role(CreateRoleRequest), on named, given by_boundary),
    operation!(GetRole: get_role(GetRoleRequest), on named),
    operation!(ListRoles: list_roles(ListRolesRequest), on named),
    operation!(UpdateRole: update_role(UpdateRoleRequest), on named),
    operation!(UpdateRoleDescription: update_role_description(UpdateRoleDescriptionRequest), on named),
    operation!(DeleteRole: delete_role(DeleteRoleRequest), on named),
    operation!(UpdateAssumeRolePolicy: update_assume_role_policy(UpdateAssumeRolePolicyRequest), on named),
    operation!(TagRole: tag_role(TagRoleRequest), on named),
    operation!(UntagRole: untag_role(UntagRoleRequest), on named),
    operation!(ListRoleTags: list_role_tags(ListRoleTagsRequest), on named),
];

/// As answers show it.
pub fn shown(role: &Role) -> kiln_iam_shapes::Role {
    kiln_iam_shapes::Role {
        path: Some(role.path.clone()),
        role_name: Some(role.name.clone()),
        role_id: Some(role.id.clone()),
        arn: Some(role.arn.clone()),
        create_date: Some(role.created),
        assume_role_policy_document: Some(documents::encoded(&role.trust_policy)),
        description: role.description.clone(),
        max_session_duration: Some(role.max_session_duration),
        permissions_boundary: shown_boundary(&role.permissions),
        tags: tags::shown(&role.tags),
        ..Default::default()
    }
}

/// As listings show it. Source: AWS IAM API Reference, ListRoles.
pub fn brief(role: &Role) -> kiln_iam_shapes::Role {
    kiln_iam_shapes::Role { tags: vec![], permissions_boundary: None, ..shown(role) }
}

async fn create_role(cx: &Cx, input: CreateRoleRequest) -> Result<CreateRoleResponse, Error> {
    documents::check_trust(&input.assume_role_policy_document)?;
    let path = input.path.unwrap_or_else(|| "/".to_owned());
    let role = Role {
        arn: names::arn(cx, "role", &path, &input.role_name),
        id: names::unique_id(cx, "AROA"),
        path,
        created: cx.now(),
        trust_policy: input.assume_role_policy_document,
        description: input.description,
        max_session_duration: input.max_session_duration.unwrap_or(3600),
        tags: tags::given(input.tags)?,
        permissions: Permissions { boundary: input.permissions_boundary, ..Default::default() },
        name: input.role_name,
    };
    let made = role.clone();
    cx.store()
        .write(|tx| {
            let scope = cx.global_scope();
            if tx.get::<Role>(&scope, &key(&role.name))?.is_some() {
                return Err(errors::exists("Role", &role.name));
            }
            account::check_room::<Role>(tx, cx)?;
            check_boundary(tx, cx, &role.permissions)?;
            tx.put(&scope, &key(&role.name), role.clone())?;
            Ok(())
        })
        .await?;
    Ok(CreateRoleResponse { role: Some(shown(&made)) })
}

async fn get_role(cx: &Cx, input: GetRoleRequest) -> Result<GetRoleResponse, Error> {
    let role = get::<Role>(cx, &input.role_name)?;
    let role_last_used = Some(last_used::of_role(cx, &role)?);
    Ok(GetRoleResponse { role: Some(kiln_iam_shapes::Role { role_last_used, ..shown(&role) }) })
}

async fn list_roles(cx: &Cx, input: ListRolesRequest) -> Result<ListRolesResponse, Error> {
    let prefix = input.path_prefix.unwrap_or_else(|| "/".to_owned());
    let all = cx.store().list::<Role>(&cx.global_scope())?;
    let found: Vec<_> = all.into_iter().map(|(_, role)| role).filter(|role| role.path.starts_with(&prefix)).collect();
    let (roles, is_truncated, marker) = listing::page(found, |r| &r.name, input.marker.as_deref(), input.max_items)?;
    Ok(ListRolesResponse { roles: roles.iter().map(|role| brief(role)).collect(), is_truncated, marker })
}

async fn update_role(cx: &Cx, input: UpdateRoleRequest) -> Result<UpdateRoleResponse, Error> {
    change::<Role>(cx, &input.role_name, |role, _| {
        role.description = input.description;
        if let Some(seconds) = input.max_session_duration {
            role.max_session_duration = seconds;
        }
        Ok(())
    })
    .await?;
    Ok(UpdateRoleResponse {})
}

async fn update_role_description(
    cx: &Cx,
    input: UpdateRoleDescriptionRequest,
) -> Result<UpdateRoleDescriptionResponse, Error> {
    let role = change::<Role>(cx, &input.role_name, |role, _| {
        role.description = Some(input.description);
        Ok(())
    })
    .await?;
    Ok(UpdateRoleDescriptionResponse { role: Some(shown(&role)) })
}

/// Refused while policies or instance profiles hang on it.
async fn delete_role(cx: &Cx, input: DeleteRoleRequest) -> Result<DeleteRoleResponse, Error> {
    cx.store()
        .write(|tx| {
            let scope = cx.global_scope();
            let role = find::<Role>(tx, cx, &input.role_name)?;
            if role.path.starts_with("/aws-service-role/") {
                let text = format!(
                    "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS",
                    role.name
                );
                return Err(Error::sender("UnmodifiableEntity", text));
            }
            if !role.permissions.inline.is_empty() {
                return Err(errors::in_use("delete policies"));
            }
            if !role.permissions.attached.is_empty() {
                return Err(errors::in_use("detach all policies"));
            }
            let holds = |profile: &InstanceProfile| profile.role.as_deref().is_some_and(|r| key(r) == key(&role.name));
            if tx.list::<InstanceProfile>(&scope)?.iter().any(|(_, profile)| holds(profile)) {
                return Err(errors::in_use("remove roles from instance profile"));
            }
            tx.delete::<Role>(&scope, &key(&role.name));
            tx.delete::<LastUsed>(&everywhere(), &role.id);
            Ok(())
        })
        .await?;
    Ok(DeleteRoleResponse {})
}

async fn update_assume_role_policy(
    cx: &Cx,
    input: UpdateAssumeRolePolicyRequest,
) -> Result<UpdateAssumeRolePolicyResponse, Error> {
    documents::check_trust(&input.policy_document)?;
    change::<Role>(cx, &input.role_name, |role, _| {
        role.trust_policy = input.policy_document;
        Ok(())
    })
    .await?;
    Ok(UpdateAssumeRolePolicyResponse {})
}

async fn tag_role(cx: &Cx, input: TagRoleRequest) -> Result<TagRoleResponse, Error> {
    change::<Role>(cx, &input.role_name, |role, _| tags::add(&mut role.tags, input.tags)).await?;
    Ok(TagRoleResponse {})
}

async fn untag_role(cx: &Cx, input: UntagRoleRequest) -> Result<UntagRoleResponse, Error> {
    change::<Role>(cx, &input.role_name, |role, _| {
        role.tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    })
    .await?;
    Ok(UntagRoleResponse {})
}

async fn list_role_tags(cx: &Cx, input: ListRoleTagsRequest) -> Result<ListRoleTagsResponse, Error> {
    let tags = tags::shown(&get::<Role>(cx, &input.role_name)?.tags);
    let (tags, is_truncated, marker) = listing::page(tags, |t| &t.key, input.marker.as_deref(), input.max_items)?;
    Ok(ListRoleTagsResponse { tags, is_truncated, marker })
}
