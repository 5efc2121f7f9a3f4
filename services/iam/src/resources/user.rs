//! `AWS::IAM::User`. Ref: its name; GetAtt: Arn.

use super::target::{Target, texts};
use super::{found, gone_is_fine, pairs, removed_tags, tags};
use kiln_iam_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct UserType;

/// Brings the groups to what the template says.
async fn set_groups(cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
    let wanted = texts(&request.properties, "Groups");
    for group_name in texts(&request.previous, "Groups").difference(&wanted).cloned() {
        gone_is_fine(cx.call(RemoveUserFromGroupRequest { group_name, user_name: name.to_owned() }).await)?;
    }
    for group_name in wanted {
        cx.call(AddUserToGroupRequest { group_name, user_name: name.to_owned() }).await?;
    }
    Ok(())
}

fn refuse_unbuilt(request: &ResourceRequest) -> Result<(), Error> {
    match request.properties.get("LoginProfile") {
        Some(_) => Err(Error::not_built("AWS::IAM::User with LoginProfile")),
        None => Ok(()),
    }
}

#[async_trait]
impl ResourceType for UserType {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::User"
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("UserName")
    }

    fn serves(&self, property: &str) -> bool {
        property != "LoginProfile"
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        refuse_unbuilt(request)?;
        let given = request.text("UserName");
        let generated = given.is_none();
        let name = given.unwrap_or_else(|| request.physical_name.clone());
        let ours = !generated && super::made_before::<crate::records::User>(cx, request, &name).await?;
        let made = cx
            .call(CreateUserRequest {
                user_name: name.clone(),
                path: request.text("Path"),
                permissions_boundary: request.text("PermissionsBoundary"),
                tags: tags(request),
            })
            .await;
        match made {
            // A generated name is this resource's alone: an earlier try made it.
            Err(error) if error.is("EntityAlreadyExists") && (generated || ours) => Ok(name),
            other => other.map(|_| name),
        }
    }

    async fn complete(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        Target::User.set_policies(cx, name, request).await?;
        set_groups(cx, name, request).await
    }

    async fn update(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        refuse_unbuilt(request)?;
        let user_name = || name.to_owned();
        if request.changed("Path") {
            let new_path = request.text("Path").or(Some("/".to_owned()));
            cx.call(UpdateUserRequest { user_name: user_name(), new_path, new_user_name: None }).await?;
        }
        if request.changed("PermissionsBoundary") {
            match request.text("PermissionsBoundary") {
                Some(permissions_boundary) => {
                    let user_name = user_name();
                    cx.call(PutUserPermissionsBoundaryRequest { user_name, permissions_boundary }).await?;
                }
                None => {
                    let user_name = user_name();
                    gone_is_fine(cx.call(DeleteUserPermissionsBoundaryRequest { user_name }).await)?;
                }
            }
        }
        let (tag_keys, tags) = (removed_tags(request), tags(request));
        if !tag_keys.is_empty() {
            cx.call(UntagUserRequest { user_name: user_name(), tag_keys }).await?;
        }
        if !tags.is_empty() {
            cx.call(TagUserRequest { user_name: user_name(), tags }).await?;
        }
        Target::User.set_policies(cx, name, request).await?;
        set_groups(cx, name, request).await
    }

    async fn delete(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        if !Target::User.clear_policies(cx, name).await? {
            return Ok(Stability::Ready);
        }
        let user_name = || name.to_owned();
        let groups = cx.call(ListGroupsForUserRequest { user_name: user_name(), ..Default::default() }).await?.groups;
        for group_name in groups.into_iter().filter_map(|group| group.group_name) {
            gone_is_fine(cx.call(RemoveUserFromGroupRequest { group_name, user_name: user_name() }).await)?;
        }
        gone_is_fine(cx.call(DeleteUserRequest { user_name: user_name() }).await)?;
        Ok(Stability::Ready)
    }

    async fn read(&self, cx: &Cx, name: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let user_name = || name.to_owned();
        let asked = GetUserRequest { user_name: Some(user_name()) };
        let Some(answer) = found(cx.call(asked).await)? else { return Ok(None) };
        let user = answer.user.unwrap_or_default();
        let groups = cx.call(ListGroupsForUserRequest { user_name: user_name(), ..Default::default() }).await?.groups;
        let read = Properties::default()
            .with("UserName", user.user_name)
            .with("Path", user.path)
            .with("PermissionsBoundary", user.permissions_boundary.and_then(|b| b.permissions_boundary_arn))
            .with("Arn", user.arn)
            .with_list("Groups", groups.into_iter().filter_map(|group| group.group_name))
            .with_tags(pairs(user.tags));
        Target::User.read_policies(cx, name, read).await.map(Some)
    }

    async fn attributes(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let user = cx.call(GetUserRequest { user_name: Some(name.to_owned()) }).await?.user.unwrap_or_default();
        Ok(BTreeMap::from([("Arn".to_owned(), json!(user.arn))]))
    }
}
