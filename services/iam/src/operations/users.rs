//! Users. Source: AWS IAM API Reference.

use super::account;
use super::boundaries::{check_boundary, shown_boundary};
use super::named::{by_boundary, named};
use crate::holders::{change, find, get};
use crate::records::{AccessKey, Permissions, User, everywhere, key};
use crate::{errors, listing, names, tags};
use kiln_iam_shapes::*;
use kiln_service_kit::{CallerKind, Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateUser: create_user(CreateUserRequest), on named, given by_boundary),
    operation!(GetUser: get_user(GetUserRequest), on named),
    operation!(ListUsers: list_users(ListUsersRequest), on named),
    operation!(UpdateUser: update_user(UpdateUserRequest), on named),
    operation!(DeleteUser: delete_user(DeleteUserRequest), on named),
    operation!(TagUser: tag_user(TagUserRequest), on named),
    operation!(UntagUser: untag_user(UntagUserRequest), on named),
    operation!(ListUserTags: list_user_tags(ListUserTagsRequest), on named),
];

/// As answers show it. Listings leave tags and boundary out.
pub fn shown(user: &User) -> kiln_iam_shapes::User {
    kiln_iam_shapes::User {
        path: Some(user.path.clone()),
        user_name: Some(user.name.clone()),
        user_id: Some(user.id.clone()),
        arn: Some(user.arn.clone()),
        create_date: Some(user.created),
        permissions_boundary: shown_boundary(&user.permissions),
        tags: tags::shown(&user.tags),
        ..Default::default()
    }
}

/// The user named, or else the user who calls.
pub fn or_caller(cx: &Cx, given: &Option<String>) -> Result<String, Error> {
    match (given, &cx.caller().kind) {
        (Some(name), _) => Ok(name.clone()),
        (None, CallerKind::User { name }) => Ok(name.clone()),
        _ => Err(Error::sender("ValidationError", "Must specify userName when calling with non-User credentials")),
    }
}

async fn create_user(cx: &Cx, input: CreateUserRequest) -> Result<CreateUserResponse, Error> {
    let path = input.path.unwrap_or_else(|| "/".to_owned());
    let user = User {
        arn: names::arn(cx, "user", &path, &input.user_name),
        id: names::unique_id(cx, "AIDA"),
        path,
        created: cx.now(),
        tags: tags::given(input.tags)?,
        groups: vec![],
        access_keys: vec![],
        permissions: Permissions { boundary: input.permissions_boundary, ..Default::default() },
        name: input.user_name,
    };
    let made = shown(&user);
    cx.store()
        .write(|tx| {
            let (scope, key) = (cx.global_scope(), key(&user.name));
            if tx.get::<User>(&scope, &key)?.is_some() {
                return Err(errors::exists("User", &user.name));
            }
            account::check_room::<User>(tx, cx)?;
            check_boundary(tx, cx, &user.permissions)?;
            tx.put(&scope, &key, user)?;
            Ok(())
        })
        .await?;
    Ok(CreateUserResponse { user: Some(made) })
}

/// Without a name: who calls. The root user is shown with what it has.
async fn get_user(cx: &Cx, input: GetUserRequest) -> Result<GetUserResponse, Error> {
    if input.user_name.is_none() && cx.caller().kind == CallerKind::Root {
        let root = kiln_iam_shapes::User {
            user_id: Some(cx.caller().user_id.clone()),
            arn: Some(cx.caller().arn.clone()),
            ..Default::default()
        };
        return Ok(GetUserResponse { user: Some(root) });
    }
    let name = or_caller(cx, &input.user_name)?;
    Ok(GetUserResponse { user: Some(shown(&get::<User>(cx, &name)?)) })
}

async fn list_users(cx: &Cx, input: ListUsersRequest) -> Result<ListUsersResponse, Error> {
    let prefix = input.path_prefix.unwrap_or_else(|| "/".to_owned());
    let all = cx.store().list::<User>(&cx.global_scope())?;
    let found: Vec<_> = all.into_iter().map(|(_, user)| user).filter(|user| user.path.starts_with(&prefix)).collect();
    let (users, is_truncated, marker) = listing::page(found, |u| &u.name, input.marker.as_deref(), input.max_items)?;
    let brief = |user: &User| kiln_iam_shapes::User { tags: vec![], permissions_boundary: None, ..shown(user) };
    Ok(ListUsersResponse { users: users.iter().map(|user| brief(user)).collect(), is_truncated, marker })
}

/// A new name takes the access keys along.
async fn update_user(cx: &Cx, input: UpdateUserRequest) -> Result<UpdateUserResponse, Error> {
    cx.store()
        .write(|tx| {
            let scope = cx.global_scope();
            let mut user = find::<User>(tx, cx, &input.user_name)?;
            let old = key(&user.name);
            user.path = input.new_path.unwrap_or(user.path);
            user.name = input.new_user_name.unwrap_or(user.name);
            user.arn = names::arn(cx, "user", &user.path, &user.name);
            let new = key(&user.name);
            if new != old {
                if tx.get::<User>(&scope, &new)?.is_some() {
                    return Err(errors::exists("User", &user.name));
                }
                tx.delete::<User>(&scope, &old);
                for id in &user.access_keys {
                    if let Some(access_key) = tx.get::<AccessKey>(&everywhere(), id)? {
                        tx.put(&everywhere(), id, AccessKey { user: new.clone(), ..(*access_key).clone() })?;
                    }
                }
            }
            tx.put(&scope, &new, user)?;
            Ok(())
        })
        .await?;
    Ok(UpdateUserResponse {})
}

/// Refused while anything hangs on it.
async fn delete_user(cx: &Cx, input: DeleteUserRequest) -> Result<DeleteUserResponse, Error> {
    cx.store()
        .write(|tx| {
            let user = find::<User>(tx, cx, &input.user_name)?;
            let first = [
                (!user.access_keys.is_empty(), "delete access keys"),
                (!user.permissions.inline.is_empty(), "delete policies"),
                (!user.permissions.attached.is_empty(), "detach all policies"),
                (!user.groups.is_empty(), "remove users from group"),
            ];
            if let Some((_, why)) = first.into_iter().find(|(there, _)| *there) {
                return Err(errors::in_use(why));
            }
            tx.delete::<User>(&cx.global_scope(), &key(&user.name));
            Ok(())
        })
        .await?;
    Ok(DeleteUserResponse {})
}

async fn tag_user(cx: &Cx, input: TagUserRequest) -> Result<TagUserResponse, Error> {
    change::<User>(cx, &input.user_name, |user, _| tags::add(&mut user.tags, input.tags)).await?;
    Ok(TagUserResponse {})
}

async fn untag_user(cx: &Cx, input: UntagUserRequest) -> Result<UntagUserResponse, Error> {
    change::<User>(cx, &input.user_name, |user, _| {
        user.tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    })
    .await?;
    Ok(UntagUserResponse {})
}

async fn list_user_tags(cx: &Cx, input: ListUserTagsRequest) -> Result<ListUserTagsResponse, Error> {
    let tags = tags::shown(&get::<User>(cx, &input.user_name)?.tags);
    let (tags, is_truncated, marker) = listing::page(tags, |t| &t.key, input.marker.as_deref(), input.max_items)?;
    Ok(ListUserTagsResponse { tags, is_truncated, marker })
}
