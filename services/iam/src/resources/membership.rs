//! `AWS::IAM::UserToGroupAddition`. Ref: a generated id.

use super::target::texts;
use super::{found, gone_is_fine, listed};
use kiln_iam_shapes::{AddUserToGroupRequest, GetGroupRequest, RemoveUserFromGroupRequest, User};
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct UserToGroupAdditionType;

async fn remove(cx: &Cx, properties: &Json, but: impl Fn(&str, &String) -> bool) -> Result<(), Error> {
    let Some(group) = properties.get("GroupName").and_then(Json::as_str) else { return Ok(()) };
    for user_name in texts(properties, "Users").into_iter().filter(|user| !but(group, user)) {
        gone_is_fine(cx.call(RemoveUserFromGroupRequest { group_name: group.to_owned(), user_name }).await)?;
    }
    Ok(())
}

async fn add(cx: &Cx, request: &ResourceRequest) -> Result<(), Error> {
    let missing = || Error::sender("ValidationError", "Property GroupName is missing.");
    let group = request.text("GroupName").ok_or_else(missing)?;
    for user_name in texts(&request.properties, "Users") {
        cx.call(AddUserToGroupRequest { group_name: group.clone(), user_name }).await?;
    }
    let wanted = texts(&request.properties, "Users");
    remove(cx, &request.previous, |earlier, user| earlier == group && wanted.contains(user)).await
}

#[async_trait]
impl ResourceType for UserToGroupAdditionType {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::UserToGroupAddition"
    }

    async fn create(&self, _: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        Ok(request.physical_name.clone())
    }

    async fn complete(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<(), Error> {
        add(cx, request).await
    }

    async fn update(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<(), Error> {
        add(cx, request).await
    }

    async fn delete(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        remove(cx, &request.properties, |_, _| false).await?;
        Ok(Stability::Ready)
    }

    /// Those that are known and in the group still.
    async fn read(&self, cx: &Cx, id: &str, known: &Json) -> Result<Option<Properties>, Error> {
        let Some(group) = known.get("GroupName").and_then(Json::as_str) else { return Ok(None) };
        let asked = GetGroupRequest { group_name: group.to_owned(), ..Default::default() };
        let Some(members) = found(members(cx, asked).await)? else { return Ok(None) };
        let known = texts(known, "Users");
        let users = members.into_iter().filter_map(|user| user.user_name).filter(|user| known.contains(user));
        let users: Vec<String> = users.collect();
        if users.is_empty() {
            return Ok(None);
        }
        Ok(Some(Properties::default().with("Id", id).with("GroupName", group).with("Users", users)))
    }

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("Id".to_owned(), json!(id))]))
    }
}

async fn members(cx: &Cx, asked: GetGroupRequest) -> Result<Vec<User>, Error> {
    Ok(listed!(cx, asked, users))
}
