//! `AWS::IAM::Group`. Ref: its name; GetAtt: Arn.

use super::target::Target;
use super::{found, gone_is_fine};
use kiln_iam_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct GroupType;

#[async_trait]
impl ResourceType for GroupType {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::Group"
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("GroupName")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let given = request.text("GroupName");
        let generated = given.is_none();
        let name = given.unwrap_or_else(|| request.physical_name.clone());
        let ours = !generated && super::made_before::<crate::records::Group>(cx, request, &name).await?;
        match cx.call(CreateGroupRequest { group_name: name.clone(), path: request.text("Path") }).await {
            // A generated name is this resource's alone: an earlier try made it.
            Err(error) if error.is("EntityAlreadyExists") && (generated || ours) => Ok(name),
            other => other.map(|_| name),
        }
    }

    async fn complete(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        Target::Group.set_policies(cx, name, request).await
    }

    async fn update(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        if request.changed("Path") {
            let new_path = request.text("Path").or(Some("/".to_owned()));
            cx.call(UpdateGroupRequest { group_name: name.to_owned(), new_path, new_group_name: None }).await?;
        }
        Target::Group.set_policies(cx, name, request).await
    }

    async fn delete(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        if Target::Group.clear_policies(cx, name).await? {
            gone_is_fine(cx.call(DeleteGroupRequest { group_name: name.to_owned() }).await)?;
        }
        Ok(Stability::Ready)
    }

    async fn read(&self, cx: &Cx, name: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let asked = GetGroupRequest { group_name: name.to_owned(), ..Default::default() };
        let Some(answer) = found(cx.call(asked).await)? else { return Ok(None) };
        let group = answer.group.unwrap_or_default();
        let read =
            Properties::default().with("GroupName", group.group_name).with("Path", group.path).with("Arn", group.arn);
        Target::Group.read_policies(cx, name, read).await.map(Some)
    }

    async fn attributes(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let found = cx.call(GetGroupRequest { group_name: name.to_owned(), ..Default::default() }).await?;
        Ok(BTreeMap::from([("Arn".to_owned(), json!(found.group.and_then(|group| group.arn)))]))
    }
}
