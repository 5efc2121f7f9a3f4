//! Everything about an account's users, groups, roles and policies in one listing: what auditing
//! tools read. Source: AWS IAM API Reference, GetAccountAuthorizationDetails.

use super::boundaries::shown_boundary;
use super::{instance_profiles, last_used, policies, policy_versions};
use crate::attachments::{self, Uses};
use crate::records::{Group, InstanceProfile, ManagedPolicy, Permissions, Role, User, key};
use crate::{documents, listing, tags};
use kiln_iam_shapes::*;
use kiln_policy::managed;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(GetAccountAuthorizationDetails: get_account_authorization_details(GetAccountAuthorizationDetailsRequest),
        on everything),
];

/// One thing of the listing, which pages over all kinds together.
enum Detail {
    User(UserDetail),
    Group(GroupDetail),
    Role(RoleDetail),
    Policy(ManagedPolicyDetail),
}

async fn get_account_authorization_details(
    cx: &Cx,
    input: GetAccountAuthorizationDetailsRequest,
) -> Result<GetAccountAuthorizationDetailsResponse, Error> {
    let asked = |kind: &str| input.filter.is_empty() || input.filter.iter().any(|each| each == kind);
    let mut all: Vec<(String, Detail)> = vec![];
    let scope = cx.global_scope();
    if asked("User") {
        let users = cx.store().list::<User>(&scope)?;
        all.extend(users.iter().map(|(id, each)| (format!("1/{id}"), Detail::User(user(cx, each)))));
    }
    if asked("Group") {
        let groups = cx.store().list::<Group>(&scope)?;
        all.extend(groups.iter().map(|(id, each)| (format!("2/{id}"), Detail::Group(group(each)))));
    }
    if asked("Role") {
        let profiles = cx.store().list::<InstanceProfile>(&scope)?;
        for (id, each) in cx.store().list::<Role>(&scope)? {
            let of_role = profiles.iter().filter(|(_, p)| p.role.as_ref().is_some_and(|role| key(role) == *id));
            let of_role = of_role.map(|(_, profile)| instance_profiles::shown(cx, profile));
            all.push((format!("3/{id}"), Detail::Role(role(cx, &each, of_role.collect::<Result<_, _>>()?)?)));
        }
    }
    let uses = attachments::all(cx)?;
    let of = |arn: &str| uses.get(arn).copied().unwrap_or_default();
    if asked("LocalManagedPolicy") {
        let own = cx.store().list::<ManagedPolicy>(&scope)?;
        all.extend(own.iter().map(|(id, each)| (format!("4/{id}"), Detail::Policy(policy(each, of(&each.arn))))));
    }
    if asked("AWSManagedPolicy") {
        // Those in use: AWS has a thousand others.
        let used = managed::ALL.iter().map(|policy| (policy, of(&policy.arn()))).filter(|(_, uses)| uses.any());
        all.extend(used.map(|(each, uses)| (format!("5/{}", each.name()), Detail::Policy(aws_policy(each, uses)))));
    }
    let (page, is_truncated, marker) =
        listing::page(all, |(order, _)| order, input.marker.as_deref(), input.max_items)?;
    let mut answer = GetAccountAuthorizationDetailsResponse { is_truncated, marker, ..Default::default() };
    for (_, detail) in page {
        match detail {
            Detail::User(user) => answer.user_detail_list.push(user),
            Detail::Group(group) => answer.group_detail_list.push(group),
            Detail::Role(role) => answer.role_detail_list.push(role),
            Detail::Policy(policy) => answer.policies.push(policy),
        }
    }
    Ok(answer)
}

fn inline(permissions: &Permissions) -> Vec<PolicyDetail> {
    let shown = |(name, document): (&String, &String)| PolicyDetail {
        policy_name: Some(name.clone()),
        policy_document: Some(documents::encoded(document)),
    };
    permissions.inline.iter().map(shown).collect()
}

fn attached(permissions: &Permissions) -> Vec<AttachedPolicy> {
    let shown = |arn: &String| AttachedPolicy {
        policy_name: arn.rsplit('/').next().map(str::to_owned),
        policy_arn: Some(arn.clone()),
    };
    permissions.attached.iter().map(shown).collect()
}

fn user(cx: &Cx, user: &User) -> UserDetail {
    // The name as it was given; the key alone where the group cannot be read.
    let name = |id: &String| match cx.store().get::<Group>(&cx.global_scope(), id) {
        Ok(Some(group)) => group.name.clone(),
        _ => id.clone(),
    };
    UserDetail {
        path: Some(user.path.clone()),
        user_name: Some(user.name.clone()),
        user_id: Some(user.id.clone()),
        arn: Some(user.arn.clone()),
        create_date: Some(user.created),
        user_policy_list: inline(&user.permissions),
        group_list: user.groups.iter().map(name).collect(),
        attached_managed_policies: attached(&user.permissions),
        permissions_boundary: shown_boundary(&user.permissions),
        tags: tags::shown(&user.tags),
    }
}

fn group(group: &Group) -> GroupDetail {
    GroupDetail {
        path: Some(group.path.clone()),
        group_name: Some(group.name.clone()),
        group_id: Some(group.id.clone()),
        arn: Some(group.arn.clone()),
        create_date: Some(group.created),
        group_policy_list: inline(&group.permissions),
        attached_managed_policies: attached(&group.permissions),
    }
}

fn role(
    cx: &Cx,
    role: &Role,
    instance_profile_list: Vec<kiln_iam_shapes::InstanceProfile>,
) -> Result<RoleDetail, Error> {
    Ok(RoleDetail {
        path: Some(role.path.clone()),
        role_name: Some(role.name.clone()),
        role_id: Some(role.id.clone()),
        arn: Some(role.arn.clone()),
        create_date: Some(role.created),
        assume_role_policy_document: Some(documents::encoded(&role.trust_policy)),
        instance_profile_list,
        role_policy_list: inline(&role.permissions),
        attached_managed_policies: attached(&role.permissions),
        permissions_boundary: shown_boundary(&role.permissions),
        tags: tags::shown(&role.tags),
        role_last_used: Some(last_used::of_role(cx, role)?),
    })
}

fn policy(policy: &ManagedPolicy, uses: Uses) -> ManagedPolicyDetail {
    let versions = policy.versions.iter().rev();
    let versions = versions.map(|(number, version)| policy_versions::shown(policy, *number, version)).collect();
    detail(policies::shown(policy, uses), versions)
}

fn aws_policy(policy: &managed::Managed, uses: Uses) -> ManagedPolicyDetail {
    detail(policies::shown_aws(policy, uses), vec![policy_versions::shown_aws(policy)])
}

fn detail(policy: Policy, policy_version_list: Vec<PolicyVersion>) -> ManagedPolicyDetail {
    ManagedPolicyDetail {
        policy_name: policy.policy_name,
        policy_id: policy.policy_id,
        arn: policy.arn,
        path: policy.path,
        default_version_id: policy.default_version_id,
        attachment_count: policy.attachment_count,
        permissions_boundary_usage_count: policy.permissions_boundary_usage_count,
        is_attachable: policy.is_attachable,
        description: policy.description,
        create_date: policy.create_date,
        update_date: policy.update_date,
        policy_version_list,
    }
}
