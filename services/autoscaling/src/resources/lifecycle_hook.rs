//! `AWS::AutoScaling::LifecycleHook`. Ref: its name.

use kiln_autoscaling_shapes::{
    DeleteLifecycleHookRequest, DescribeLifecycleHooksRequest, LifecycleHook, PutLifecycleHookRequest,
};
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub struct LifecycleHookType;

async fn put(cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
    cx.call(PutLifecycleHookRequest {
        lifecycle_hook_name: name.to_owned(),
        auto_scaling_group_name: group(request)?,
        lifecycle_transition: request.text("LifecycleTransition"),
        role_arn: request.text("RoleARN"),
        notification_target_arn: request.text("NotificationTargetARN"),
        notification_metadata: request.text("NotificationMetadata"),
        heartbeat_timeout: request.integer("HeartbeatTimeout").and_then(|n| i32::try_from(n).ok()).or(Some(3600)),
        default_result: request.text("DefaultResult").or_else(|| Some("ABANDON".to_owned())),
    })
    .await?;
    Ok(())
}

fn group(request: &ResourceRequest) -> Result<String, Error> {
    request
        .text("AutoScalingGroupName")
        .ok_or_else(|| Error::sender("ValidationError", "AutoScalingGroupName must be a text"))
}

#[async_trait]
impl ResourceType for LifecycleHookType {
    fn type_name(&self) -> &'static str {
        "AWS::AutoScaling::LifecycleHook"
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let name = request.text("LifecycleHookName").unwrap_or_else(|| request.physical_name.clone());
        put(cx, &name, request).await?;
        Ok(name)
    }

    async fn update(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        put(cx, name, request).await
    }

    async fn delete(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        let gone = cx
            .call(DeleteLifecycleHookRequest {
                lifecycle_hook_name: name.to_owned(),
                auto_scaling_group_name: group(request)?,
            })
            .await;
        match gone {
            Ok(_) => Ok(Stability::Ready),
            Err(error) if error.message.starts_with("No Lifecycle Hook found") => Ok(Stability::Ready),
            Err(error) if error.message.contains("not found") => Ok(Stability::Ready),
            // The group goes, and the hook with it.
            Err(error) if error.message.contains("is pending delete") => Ok(Stability::Ready),
            Err(error) => Err(error),
        }
    }

    async fn read(&self, cx: &Cx, name: &str, known: &Json) -> Result<Option<Properties>, Error> {
        let Some(group) = known.get("AutoScalingGroupName").and_then(Json::as_str) else { return Ok(None) };
        let asked = DescribeLifecycleHooksRequest {
            auto_scaling_group_name: group.to_owned(),
            lifecycle_hook_names: vec![name.to_owned()],
        };
        let hooks = match cx.call(asked).await {
            Err(error) if error.message.contains("not found") => return Ok(None),
            other => other?.lifecycle_hooks,
        };
        let read = |hook: LifecycleHook| {
            Properties::default()
                .with("LifecycleHookName", hook.lifecycle_hook_name)
                .with("AutoScalingGroupName", hook.auto_scaling_group_name)
                .with("LifecycleTransition", hook.lifecycle_transition)
                .with("NotificationTargetARN", hook.notification_target_arn)
                .with("RoleARN", hook.role_arn)
                .with("NotificationMetadata", hook.notification_metadata)
                .with("HeartbeatTimeout", hook.heartbeat_timeout)
                .with("DefaultResult", hook.default_result)
        };
        Ok(hooks.into_iter().next().map(read))
    }

    async fn attributes(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::new())
    }
}
