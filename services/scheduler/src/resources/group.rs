//! `AWS::Scheduler::ScheduleGroup`. Ref gives the name.

use crate::targets::group_arn;
use kiln_scheduler_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub struct GroupType;

fn tags(request: &ResourceRequest) -> Vec<Tag> {
    request.all_tags().into_iter().map(|(key, value)| Tag { key, value }).collect()
}

async fn found(cx: &Cx, name: &str) -> Result<Option<GetScheduleGroupResponse>, Error> {
    match cx.call(GetScheduleGroupRequest { name: name.to_owned() }).await {
        Err(error) if error.is("ResourceNotFoundException") => Ok(None),
        answer => answer.map(Some),
    }
}

#[async_trait]
impl ResourceType for GroupType {
    fn type_name(&self) -> &'static str {
        "AWS::Scheduler::ScheduleGroup"
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("Name")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let name = request.text("Name").unwrap_or_else(|| request.physical_name.clone());
        let client_token = Some(request.token.clone());
        cx.call(CreateScheduleGroupRequest { name: name.clone(), tags: tags(request), client_token }).await?;
        Ok(name)
    }

    async fn update(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        let (resource_arn, gone, wanted) = (group_arn(cx, name), request.removed_tags(), tags(request));
        if !gone.is_empty() {
            cx.call(UntagResourceRequest { resource_arn: resource_arn.clone(), tag_keys: gone }).await?;
        }
        if !wanted.is_empty() {
            cx.call(TagResourceRequest { resource_arn, tags: wanted }).await?;
        }
        Ok(())
    }

    async fn delete(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        match cx.call(DeleteScheduleGroupRequest { name: name.to_owned(), client_token: None }).await {
            Err(error) if !error.is("ResourceNotFoundException") => Err(error),
            _ => Ok(Stability::Ready),
        }
    }

    async fn read(&self, cx: &Cx, name: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let Some(group) = found(cx, name).await? else { return Ok(None) };
        let arn = group_arn(cx, name);
        let kept = cx.call(ListTagsForResourceRequest { resource_arn: arn.clone() }).await?.tags;
        let read = Properties::default()
            .with("Name", name)
            .with("Arn", arn)
            .with("State", group.state)
            .with("CreationDate", group.creation_date.map(|at| at.iso8601()))
            .with("LastModificationDate", group.last_modification_date.map(|at| at.iso8601()))
            .with_tags(kept.into_iter().map(|tag| (Some(tag.key), Some(tag.value))));
        Ok(Some(read))
    }

    async fn attributes(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let read = self.read(cx, name, &Json::Null).await?.ok_or_else(|| crate::errors::no_group(name))?.into_json();
        let Json::Object(read) = read else { return Err(Error::internal("properties are no object")) };
        let named = |name: &str| matches!(name, "Arn" | "State" | "CreationDate" | "LastModificationDate");
        Ok(read.into_iter().filter(|(name, _)| named(name)).collect())
    }
}
