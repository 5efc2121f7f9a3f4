//! `AWS::CloudWatch::CompositeAlarm`. Ref gives the name.

use super::{deleted, free_name, integer, tags, update_tags, with_tags};
use crate::records::{Alarm, arn};
use kiln_cloudwatch_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub struct CompositeAlarmType;

fn put(request: &ResourceRequest, name: &str) -> PutCompositeAlarmRequest {
    PutCompositeAlarmRequest {
        alarm_name: name.to_owned(),
        alarm_rule: request.text("AlarmRule").unwrap_or_default(),
        alarm_description: request.text("AlarmDescription"),
        actions_enabled: request.boolean("ActionsEnabled"),
        ok_actions: request.texts("OKActions"),
        alarm_actions: request.texts("AlarmActions"),
        insufficient_data_actions: request.texts("InsufficientDataActions"),
        actions_suppressor: request.text("ActionsSuppressor"),
        actions_suppressor_wait_period: integer(&request.properties, "ActionsSuppressorWaitPeriod"),
        actions_suppressor_extension_period: integer(&request.properties, "ActionsSuppressorExtensionPeriod"),
        tags: tags(request),
    }
}

#[async_trait]
impl ResourceType for CompositeAlarmType {
    fn type_name(&self) -> &'static str {
        "AWS::CloudWatch::CompositeAlarm"
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("AlarmName")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let scope = cx.scope();
        let there = |tx: &kiln_service_kit::Tx<'_>, name: &str| Ok(tx.get::<Alarm>(scope, name)?.is_some());
        let name = free_name(cx, request, "AlarmName", there).await?;
        cx.call(put(request, &name)).await?;
        Ok(name)
    }

    async fn update(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        cx.call(PutCompositeAlarmRequest { tags: vec![], ..put(request, name) }).await?;
        update_tags(cx, &arn(cx, name), request).await
    }

    async fn delete(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        deleted(cx.call(DeleteAlarmsRequest { alarm_names: vec![name.to_owned()] }).await, "ResourceNotFound")
    }

    async fn read(&self, cx: &Cx, name: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let asked = DescribeAlarmsRequest {
            alarm_names: vec![name.to_owned()],
            alarm_types: vec!["CompositeAlarm".to_owned()],
            ..Default::default()
        };
        let Some(found) = cx.call(asked).await?.composite_alarms.pop() else { return Ok(None) };
        let read = Properties::default()
            .with("AlarmName", name)
            .with("Arn", found.alarm_arn)
            .with("AlarmDescription", found.alarm_description)
            .with("AlarmRule", found.alarm_rule)
            .with("ActionsEnabled", found.actions_enabled)
            .with_list("OKActions", found.ok_actions)
            .with_list("AlarmActions", found.alarm_actions)
            .with_list("InsufficientDataActions", found.insufficient_data_actions)
            .with("ActionsSuppressor", found.actions_suppressor)
            .with("ActionsSuppressorWaitPeriod", found.actions_suppressor_wait_period)
            .with("ActionsSuppressorExtensionPeriod", found.actions_suppressor_extension_period);
        Ok(Some(with_tags(cx, &arn(cx, name), read).await?))
    }

    async fn attributes(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok([("Arn".to_owned(), arn(cx, name).into())].into())
    }
}
