//! Groups and who is in them. Who is in a group is kept with the user, where every decision about
//! the user needs it. Source: AWS IAM API Reference.

use super::account;
use super::named::named;
use super::users;
use crate::holders::{change, find, get};
use crate::records::{Group, User, key};
use crate::{errors, listing, names};
use kiln_iam_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateGroup: create_group(CreateGroupRequest), on named),
    operation!(GetGroup: get_group(GetGroupRequest), on named),
    operation!(ListGroups: list_groups(ListGroupsRequest), on named),
    operation!(UpdateGroup: update_group(UpdateGroupRequest), on named),
    operation!(DeleteGroup: delete_group(DeleteGroupRequest), on named),
    operation!(AddUserToGroup: add_user_to_group(AddUserToGroupRequest), on named),
    operation!(RemoveUserFromGroup: remove_user_from_group(RemoveUserFromGroupRequest), on named),
    operation!(ListGroupsForUser: list_groups_for_user(ListGroupsForUserRequest), on named),
];

/// Groups that one user may be in.
const GROUPS_PER_USER: usize = 10;

fn shown(group: &Group) -> kiln_iam_shapes::Group {
    kiln_iam_shapes::Group {
        path: Some(group.path.clone()),
        group_name: Some(group.name.clone()),
        group_id: Some(group.id.clone()),
        arn: Some(group.arn.clone()),
        create_date: Some(group.created),
    }
}

async fn create_group(cx: &Cx, input: CreateGroupRequest) -> Result<CreateGroupResponse, Error> {
    let path = input.path.unwrap_or_else(|| "/".to_owned());
    let group = Group {
        arn: names::arn(cx, "group", &path, &input.group_name),
        id: names::unique_id(cx, "AGPA"),
        path,
        created: cx.now(),
        permissions: Default::default(),
        name: input.group_name,
    };
    let made = shown(&group);
    cx.store()
        .write(|tx| {
            let (scope, key) = (cx.global_scope(), key(&group.name));
            if tx.get::<Group>(&scope, &key)?.is_some() {
                return Err(errors::exists("Group", &group.name));
            }
            account::check_room::<Group>(tx, cx)?;
            tx.put(&scope, &key, group)?;
            Ok(())
        })
        .await?;
    Ok(CreateGroupResponse { group: Some(made) })
}

async fn get_group(cx: &Cx, input: GetGroupRequest) -> Result<GetGroupResponse, Error> {
    let group = get::<Group>(cx, &input.group_name)?;
    let inside = cx.store().by_key::<User>(&cx.global_scope(), "group", &key(&group.name))?;
    let found: Vec<_> = inside.into_iter().map(|(_, user)| user).collect();
    let (users, is_truncated, marker) = listing::page(found, |u| &u.name, input.marker.as_deref(), input.max_items)?;
    let brief = |user: &User| kiln_iam_shapes::User { tags: vec![], permissions_boundary: None, ..users::shown(user) };
    let users = users.iter().map(|user| brief(user)).collect();
    Ok(GetGroupResponse { group: Some(shown(&group)), users, is_truncated, marker })
}

async fn list_groups(cx: &Cx, input: ListGroupsRequest) -> Result<ListGroupsResponse, Error> {
    let prefix = input.path_prefix.unwrap_or_else(|| "/".to_owned());
    let all = cx.store().list::<Group>(&cx.global_scope())?;
    let found: Vec<_> = all.into_iter().map(|(_, g)| g).filter(|g| g.path.starts_with(&prefix)).collect();
    let (groups, is_truncated, marker) = listing::page(found, |g| &g.name, input.marker.as_deref(), input.max_items)?;
    Ok(ListGroupsResponse { groups: groups.iter().map(|g| shown(g)).collect(), is_truncated, marker })
}

/// A new name is told to every user in the group.
async fn update_group(cx: &Cx, input: UpdateGroupRequest) -> Result<UpdateGroupResponse, Error> {
    cx.store()
        .write(|tx| {
            let scope = cx.global_scope();
            let mut group = find::<Group>(tx, cx, &input.group_name)?;
            let old = key(&group.name);
            group.path = input.new_path.unwrap_or(group.path);
            group.name = input.new_group_name.unwrap_or(group.name);
            group.arn = names::arn(cx, "group", &group.path, &group.name);
            let new = key(&group.name);
            if new != old {
                if tx.get::<Group>(&scope, &new)?.is_some() {
                    return Err(errors::exists("Group", &group.name));
                }
                tx.delete::<Group>(&scope, &old);
                for (id, user) in tx.by_key::<User>(&scope, "group", &old)? {
                    let mut user = (*user).clone();
                    if let Some(place) = user.groups.iter_mut().find(|g| **g == old) {
                        place.clone_from(&new);
                        tx.put(&scope, &id, user)?;
                    }
                }
            }
            tx.put(&scope, &new, group)?;
            Ok(())
        })
        .await?;
    Ok(UpdateGroupResponse {})
}

/// Refused while anybody is in it or any policy hangs on it.
async fn delete_group(cx: &Cx, input: DeleteGroupRequest) -> Result<DeleteGroupResponse, Error> {
    cx.store()
        .write(|tx| {
            let scope = cx.global_scope();
            let group = find::<Group>(tx, cx, &input.group_name)?;
            let key = key(&group.name);
            if !tx.by_key::<User>(&scope, "group", &key)?.is_empty() {
                return Err(errors::in_use("remove users from group"));
            }
            if !group.permissions.inline.is_empty() {
                return Err(errors::in_use("delete policies"));
            }
            if !group.permissions.attached.is_empty() {
                return Err(errors::in_use("detach all policies"));
            }
            tx.delete::<Group>(&scope, &key);
            Ok(())
        })
        .await?;
    Ok(DeleteGroupResponse {})
}

/// Adding twice is fine.
async fn add_user_to_group(cx: &Cx, input: AddUserToGroupRequest) -> Result<AddUserToGroupResponse, Error> {
    change::<User>(cx, &input.user_name, |user, tx| {
        let group = key(&find::<Group>(tx, cx, &input.group_name)?.name);
        if !user.groups.contains(&group) {
            if user.groups.len() == GROUPS_PER_USER {
                return Err(errors::limit(format!("Cannot exceed quota for GroupsPerUser: {GROUPS_PER_USER}")));
            }
            user.groups.push(group);
        }
        Ok(())
    })
    .await?;
    Ok(AddUserToGroupResponse {})
}

/// Removing one who is not in it is fine, as in AWS.
async fn remove_user_from_group(
    cx: &Cx,
    input: RemoveUserFromGroupRequest,
) -> Result<RemoveUserFromGroupResponse, Error> {
    change::<User>(cx, &input.user_name, |user, tx| {
        let group = key(&find::<Group>(tx, cx, &input.group_name)?.name);
        user.groups.retain(|each| *each != group);
        Ok(())
    })
    .await?;
    Ok(RemoveUserFromGroupResponse {})
}

async fn list_groups_for_user(cx: &Cx, input: ListGroupsForUserRequest) -> Result<ListGroupsForUserResponse, Error> {
    let keys = get::<User>(cx, &input.user_name)?.groups;
    let groups = keys.iter().map(|group| get::<Group>(cx, group)).collect::<Result<Vec<_>, _>>()?;
    let (groups, is_truncated, marker) = listing::page(groups, |g| &g.name, input.marker.as_deref(), input.max_items)?;
    Ok(ListGroupsForUserResponse { groups: groups.iter().map(shown).collect(), is_truncated, marker })
}
