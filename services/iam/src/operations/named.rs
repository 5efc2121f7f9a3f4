//! Which ARNs policies are matched against: one table for all operations, so that no row can name
//! its resource in its own way. Source: Service Authorization Reference, "Actions, resources, and
//! condition keys for AWS Identity and Access Management".

use crate::names;
use crate::records::{AccessKey, Group, InstanceProfile, Role, User, everywhere, key};
use crate::targets;
use kiln_iam_shapes::*;
use kiln_protocol::{Request, Shape};
use kiln_service_kit::{CallerKind, Cx, Error, Record, Target};

/// A request about one thing.
pub trait Named {
    fn arn(&self, cx: &Cx) -> Result<String, Error>;
}

/// For the rows: the thing, with its tags and those that the request gives it.
pub fn named<R: Named + Request + Shape>(cx: &Cx, request: &R) -> Result<Target, Error> {
    targets::with_tags(cx, Target::new(request.arn(cx)?), request)
}

/// The ARN of a thing that is there, path and all; of one that is not, as if it were without path. One that cannot be
/// read is judged by no other: a policy that refuses its path would not be asked.
fn existing<R: Record>(cx: &Cx, kind: &str, name: &str, arn: impl Fn(&R) -> &str) -> Result<String, Error> {
    Ok(match cx.store().get::<R>(&cx.global_scope(), &key(name))? {
        Some(found) => arn(&found).to_owned(),
        None => names::arn(cx, kind, "/", name),
    })
}

fn user(cx: &Cx, name: &str) -> Result<String, Error> {
    existing::<User>(cx, "user", name, |user| &user.arn)
}

fn user_or_caller(cx: &Cx, name: &Option<String>) -> Result<String, Error> {
    match (name, &cx.caller().kind) {
        (Some(name), _) => user(cx, name),
        (None, CallerKind::User { name }) => user(cx, name),
        _ => Ok("*".to_owned()),
    }
}

/// The user whose key it is.
fn user_of_key(cx: &Cx, id: &str) -> Result<String, Error> {
    match cx.store().get::<AccessKey>(&everywhere(), id)? {
        Some(found) if found.account == cx.account() => user(cx, &found.user),
        _ => Ok("*".to_owned()),
    }
}

/// The role of a deletion task: `task/aws-service-role/SERVICE/ROLE/UUID`.
fn role_of_task(cx: &Cx, task: &str) -> String {
    let role = task.strip_prefix("task/").and_then(|rest| rest.rsplit_once('/')).map(|(role, _)| role);
    match role.and_then(|role| role.rsplit_once('/')) {
        Some((path, name)) => names::arn(cx, "role", &format!("/{path}/"), name),
        None => "*".to_owned(),
    }
}

fn prefixed(cx: &Cx, kind: &str, path: &Option<String>, name: &str) -> String {
    names::arn(cx, kind, path.as_deref().unwrap_or("/"), name)
}

fn below(cx: &Cx, kind: &str, prefix: &Option<String>) -> String {
    names::arn(cx, kind, prefix.as_deref().unwrap_or("/"), "")
}

macro_rules! named {
    ($arn:expr => $($request:ty),* $(,)?) => { $(
        impl Named for $request {
            fn arn(&self, cx: &Cx) -> Result<String, Error> {
                let arn: fn(&Cx, &Self) -> Result<String, Error> = $arn;
                arn(cx, self)
            }
        }
    )* };
}

named!(|cx, r| Ok(prefixed(cx, "user", &r.path, &r.user_name)) => CreateUserRequest);
named!(|cx, r| Ok(prefixed(cx, "group", &r.path, &r.group_name)) => CreateGroupRequest);
named!(|cx, r| Ok(prefixed(cx, "role", &r.path, &r.role_name)) => CreateRoleRequest);
named!(|cx, r| Ok(prefixed(cx, "policy", &r.path, &r.policy_name)) => CreatePolicyRequest);
named!(|cx, r| Ok(prefixed(cx, "instance-profile", &r.path, &r.instance_profile_name)) => CreateInstanceProfileRequest);
named!(|cx, r| Ok(below(cx, "user", &r.path_prefix)) => ListUsersRequest);
named!(|cx, r| Ok(below(cx, "group", &r.path_prefix)) => ListGroupsRequest);
named!(|cx, r| Ok(below(cx, "role", &r.path_prefix)) => ListRolesRequest);
// No ARN: this is how IAM itself calls it.
named!(|_, r| Ok(format!("policy path {}", r.path_prefix.as_deref().unwrap_or("/"))) => ListPoliciesRequest);
named!(|cx, r| Ok(below(cx, "instance-profile", &r.path_prefix)) => ListInstanceProfilesRequest);
named!(|cx, r| user(cx, &r.user_name) => AttachUserPolicyRequest, DeleteUserRequest, DeleteUserPermissionsBoundaryRequest, DeleteUserPolicyRequest, DetachUserPolicyRequest, GetUserPolicyRequest, ListAttachedUserPoliciesRequest, ListGroupsForUserRequest, ListUserPoliciesRequest, ListUserTagsRequest, PutUserPermissionsBoundaryRequest, PutUserPolicyRequest, TagUserRequest, UntagUserRequest, UpdateUserRequest);
named!(|cx, r| user_or_caller(cx, &r.user_name) => CreateAccessKeyRequest, DeleteAccessKeyRequest, GetUserRequest, ListAccessKeysRequest, UpdateAccessKeyRequest, DeleteLoginProfileRequest, GetLoginProfileRequest, ListMFADevicesRequest, ListSSHPublicKeysRequest, ListServiceSpecificCredentialsRequest, ListSigningCertificatesRequest);
named!(|cx, r| Ok(role_of_task(cx, &r.deletion_task_id)) => GetServiceLinkedRoleDeletionStatusRequest);
named!(|cx, r| user_of_key(cx, &r.access_key_id) => GetAccessKeyLastUsedRequest);
named!(|cx, r| existing::<Group>(cx, "group", &r.group_name, |group| &group.arn) => AddUserToGroupRequest, AttachGroupPolicyRequest, DeleteGroupRequest, DeleteGroupPolicyRequest, DetachGroupPolicyRequest, GetGroupPolicyRequest, GetGroupRequest, ListAttachedGroupPoliciesRequest, ListGroupPoliciesRequest, PutGroupPolicyRequest, RemoveUserFromGroupRequest, UpdateGroupRequest);
named!(|cx, r| existing::<Role>(cx, "role", &r.role_name, |role| &role.arn) => AttachRolePolicyRequest, DeleteRoleRequest, DeleteRolePermissionsBoundaryRequest, DeleteRolePolicyRequest, DeleteServiceLinkedRoleRequest, DetachRolePolicyRequest, GetRoleRequest, GetRolePolicyRequest, ListAttachedRolePoliciesRequest, ListInstanceProfilesForRoleRequest, ListRolePoliciesRequest, ListRoleTagsRequest, PutRolePermissionsBoundaryRequest, PutRolePolicyRequest, TagRoleRequest, UntagRoleRequest, UpdateAssumeRolePolicyRequest, UpdateRoleRequest, UpdateRoleDescriptionRequest);
named!(|cx, r| existing::<InstanceProfile>(cx, "instance-profile", &r.instance_profile_name, |p| &p.arn) => AddRoleToInstanceProfileRequest, DeleteInstanceProfileRequest, GetInstanceProfileRequest, ListInstanceProfileTagsRequest, RemoveRoleFromInstanceProfileRequest, TagInstanceProfileRequest, UntagInstanceProfileRequest);
named!(|_, r| Ok(r.policy_arn.clone()) => CreatePolicyVersionRequest, DeletePolicyRequest, DeletePolicyVersionRequest, GetPolicyRequest, GetPolicyVersionRequest, ListEntitiesForPolicyRequest, ListPolicyTagsRequest, ListPolicyVersionsRequest, SetDefaultPolicyVersionRequest, TagPolicyRequest, UntagPolicyRequest);

/// A request that says which policy to attach or detach.
pub trait ByPolicy {
    fn policy_arn(&self) -> &str;
}

/// `iam:PolicyARN`, for the rows.
pub fn by_policy<R: ByPolicy>(_: &Cx, request: &R) -> Vec<(&'static str, String)> {
    vec![("iam:PolicyARN", request.policy_arn().to_owned())]
}

macro_rules! by_policy {
    ($($request:ty),* $(,)?) => { $(
        impl ByPolicy for $request {
            fn policy_arn(&self) -> &str {
                &self.policy_arn
            }
        }
    )* };
}
by_policy!(
    AttachUserPolicyRequest,
    DetachUserPolicyRequest,
    AttachGroupPolicyRequest,
    DetachGroupPolicyRequest,
    AttachRolePolicyRequest,
    DetachRolePolicyRequest,
);

/// A request that sets a permissions boundary.
pub trait ByBoundary {
    fn boundary(&self) -> Option<&str>;
}

/// `iam:PermissionsBoundary`, for the rows.
pub fn by_boundary<R: ByBoundary>(_: &Cx, request: &R) -> Vec<(&'static str, String)> {
    request.boundary().map(|arn| ("iam:PermissionsBoundary", arn.to_owned())).into_iter().collect()
}

macro_rules! by_boundary {
    ($boundary:expr => $($request:ty),* $(,)?) => { $(
        impl ByBoundary for $request {
            fn boundary(&self) -> Option<&str> {
                let boundary: fn(&Self) -> Option<&str> = $boundary;
                boundary(self)
            }
        }
    )* };
}
by_boundary!(|r| r.permissions_boundary.as_deref() => CreateUserRequest, CreateRoleRequest);
by_boundary!(|r| Some(&r.permissions_boundary) => PutUserPermissionsBoundaryRequest, PutRolePermissionsBoundaryRequest);
