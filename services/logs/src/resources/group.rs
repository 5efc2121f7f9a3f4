//! `AWS::Logs::LogGroup`. Ref gives the name.

use super::{already_there, gone};
use async_trait::async_trait;
use kiln_logs_shapes::*;
use kiln_service_kit::{Cx, Error, Map, Properties, ResourceRequest, ResourceType, Stability};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct Group;

const TYPE: &str = "AWS::Logs::LogGroup";

#[async_trait]
impl ResourceType for Group {
    fn type_name(&self) -> &'static str {
        TYPE
    }

    fn serves(&self, property: &str) -> bool {
        matches!(
            property,
            "Arn" | "DeletionProtectionEnabled" | "KmsKeyId" | "LogGroupName" | "RetentionInDays" | "Tags"
        )
    }

    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[("BearerTokenAuthenticationEnabled", "false"), ("LogGroupClass", "\"STANDARD\"")]
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("LogGroupName")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let name = request.text("LogGroupName").unwrap_or_else(|| request.physical_name.clone());
        let made = CreateLogGroupRequest {
            log_group_name: name.clone(),
            kms_key_id: request.text("KmsKeyId"),
            tags: request.all_tags().into_iter().collect(),
            deletion_protection_enabled: request.boolean("DeletionProtectionEnabled"),
            ..Default::default()
        };
        match cx.call(made).await {
            Ok(_) => Ok(name),
            Err(error) if error.is("ResourceAlreadyExistsException") => {
                let tags = tags_of(cx, &name).await?;
                let has = |key: &str, value: &str| {
                    tags.as_ref().and_then(|tags| tags.get(key)).is_some_and(|known| known == value)
                };
                match has("aws:cloudformation:stack-id", &request.stack_id)
                    && has("aws:cloudformation:logical-id", &request.logical_id)
                {
                    true => Ok(name),
                    false => Err(already_there(TYPE, &name)),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn complete(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        match request.integer("RetentionInDays") {
            Some(days) => retain(cx, name, Some(days)).await,
            None => Ok(()),
        }
    }

    async fn update(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        if request.changed("RetentionInDays") {
            retain(cx, name, request.integer("RetentionInDays")).await?;
        }
        if request.changed("DeletionProtectionEnabled") {
            cx.call(PutLogGroupDeletionProtectionRequest {
                log_group_identifier: name.to_owned(),
                deletion_protection_enabled: request.boolean("DeletionProtectionEnabled").unwrap_or(false),
            })
            .await?;
        }
        if request.changed("KmsKeyId") {
            let log_group_name = Some(name.to_owned());
            match request.text("KmsKeyId") {
                Some(kms_key_id) => {
                    let asked = AssociateKmsKeyRequest { log_group_name, kms_key_id, ..Default::default() };
                    cx.call(asked).await.map(drop)?;
                }
                None => {
                    let asked = DisassociateKmsKeyRequest { log_group_name, ..Default::default() };
                    cx.call(asked).await.map(drop)?;
                }
            }
        }
        let resource_arn = arn(cx, name);
        let tag_keys = request.removed_tags();
        if !tag_keys.is_empty() {
            cx.call(UntagResourceRequest { resource_arn: resource_arn.clone(), tag_keys }).await?;
        }
        let tags: Map<String> = request.all_tags().into_iter().collect();
        if !tags.is_empty() {
            cx.call(TagResourceRequest { resource_arn, tags }).await?;
        }
        Ok(())
    }

    async fn delete(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        match cx.call(DeleteLogGroupRequest { log_group_name: name.to_owned() }).await {
            Err(error) if !gone(&error) => Err(error),
            _ => Ok(Stability::Ready),
        }
    }

    async fn read(&self, cx: &Cx, name: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let asked = DescribeLogGroupsRequest { log_group_identifiers: vec![name.to_owned()], ..Default::default() };
        let Some(group) = cx.call(asked).await?.log_groups.into_iter().next() else { return Ok(None) };
        let Some(tags) = tags_of(cx, name).await? else { return Ok(None) };
        let read = Properties::default()
            .with("Arn", group.arn)
            .with("LogGroupName", name)
            .with("LogGroupClass", group.log_group_class)
            .with("RetentionInDays", group.retention_in_days)
            .with("KmsKeyId", group.kms_key_id)
            .with("DeletionProtectionEnabled", group.deletion_protection_enabled)
            .with_tags(tags.into_iter().map(|(key, value)| (Some(key), Some(value))));
        Ok(Some(read))
    }

    async fn attributes(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("Arn".to_owned(), json!(format!("{}:*", arn(cx, name))))]))
    }
}

fn arn(cx: &Cx, name: &str) -> String {
    cx.arn("logs", &format!("log-group:{name}"))
}

async fn retain(cx: &Cx, name: &str, days: Option<i64>) -> Result<(), Error> {
    let log_group_name = name.to_owned();
    match days {
        Some(days) => {
            let retention_in_days = i32::try_from(days).map_err(|e| Error::failed("read RetentionInDays", e))?;
            cx.call(PutRetentionPolicyRequest { log_group_name, retention_in_days }).await.map(drop)
        }
        None => cx.call(DeleteRetentionPolicyRequest { log_group_name }).await.map(drop),
    }
}

async fn tags_of(cx: &Cx, name: &str) -> Result<Option<Map<String>>, Error> {
    match cx.call(ListTagsForResourceRequest { resource_arn: arn(cx, name) }).await {
        Err(error) if gone(&error) => Ok(None),
        answer => Ok(Some(answer?.tags)),
    }
}
