//! `AWS::KMS::Key`. Ref: its key id; GetAtt: Arn, KeyId. Deleted it waits for its deletion, as any key.

use crate::records::{Key as Kept, State};
use kiln_kms_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct Key;

/// The policy that the template says, as text.
fn policy(request: &ResourceRequest) -> Option<String> {
    match request.properties.get("KeyPolicy")? {
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn bypass(request: &ResourceRequest) -> Option<bool> {
    request.boolean("BypassPolicyLockoutSafetyCheck")
}

fn days(request: &ResourceRequest, property: &str) -> Option<i32> {
    request.integer(property).and_then(|days| i32::try_from(days).ok())
}

fn tags(request: &ResourceRequest) -> Vec<Tag> {
    request.all_tags().into_iter().map(|(tag_key, tag_value)| Tag { tag_key, tag_value }).collect()
}

async fn describe(cx: &Cx, id: &str) -> Result<Option<KeyMetadata>, Error> {
    match cx.call(DescribeKeyRequest { key_id: id.to_owned(), ..Default::default() }).await {
        Err(error) if error.is("NotFoundException") => Ok(None),
        other => Ok(other?.key_metadata),
    }
}

async fn enable(cx: &Cx, id: &str, enabled: bool) -> Result<(), Error> {
    match enabled {
        true => cx.call(EnableKeyRequest { key_id: id.to_owned() }).await.map(drop),
        false => cx.call(DisableKeyRequest { key_id: id.to_owned() }).await.map(drop),
    }
}

/// Brings rotation and state to what the template says. Rotation can be set of an enabled key only, so that comes
/// between; a key that is and stays disabled keeps its own where nothing of it changes.
async fn set(cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
    let status = cx.call(GetKeyRotationStatusRequest { key_id: id.to_owned() }).await?;
    let metadata = describe(cx, id).await?.ok_or_else(|| crate::errors::no_key(id))?;
    let enabled = metadata.enabled.unwrap_or(false);
    let wanted = request.boolean("Enabled").unwrap_or(true);
    if wanted && !enabled {
        enable(cx, id, true).await?;
    }
    let rotates = status.key_rotation_enabled.unwrap_or(false);
    let period = days(request, "RotationPeriodInDays");
    match request.boolean("EnableKeyRotation").unwrap_or(false) {
        true if !rotates || period.is_some_and(|days| status.rotation_period_in_days != Some(days)) => {
            let asked = EnableKeyRotationRequest { key_id: id.to_owned(), rotation_period_in_days: period };
            cx.call(asked).await?;
        }
        false if rotates => {
            cx.call(DisableKeyRotationRequest { key_id: id.to_owned() }).await?;
        }
        _ => {}
    }
    if !wanted && enabled {
        enable(cx, id, false).await?;
    }
    Ok(())
}

#[async_trait]
impl ResourceType for Key {
    fn type_name(&self) -> &'static str {
        "AWS::KMS::Key"
    }

    fn serves(&self, property: &str) -> bool {
        !matches!(property, "KeySpec" | "KeyUsage" | "Origin" | "MultiRegion")
    }

    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("KeySpec", "\"SYMMETRIC_DEFAULT\""),
            ("KeyUsage", "\"ENCRYPT_DECRYPT\""),
            ("Origin", "\"AWS_KMS\""),
            ("MultiRegion", "false"),
        ]
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        // What an earlier try made is told by its tags; what was there before this work is another's.
        for (id, key) in cx.store().by_key::<Kept>(cx.scope(), "stack", &request.stack_id)? {
            let ours = key.tags.get("aws:cloudformation:logical-id") == Some(&request.logical_id);
            if ours && key.created >= request.since && !matches!(key.state, State::PendingDeletion { .. }) {
                return Ok(id.to_string());
            }
        }
        let made = CreateKeyRequest {
            policy: policy(request),
            description: request.text("Description"),
            bypass_policy_lockout_safety_check: bypass(request),
            tags: tags(request),
            ..Default::default()
        };
        let made = cx.call(made).await?.key_metadata.and_then(|key| key.key_id);
        made.ok_or_else(|| Error::internal("CreateKey answered without a key"))
    }

    async fn complete(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        set(cx, id, request).await
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        let key_id = || id.to_owned();
        if request.changed("Description") {
            let description = request.text("Description").unwrap_or_else(String::new);
            cx.call(UpdateKeyDescriptionRequest { key_id: key_id(), description }).await?;
        }
        if request.changed("KeyPolicy") {
            let policy = policy(request).unwrap_or_else(|| crate::policy::default(cx));
            let bypass = bypass(request);
            let asked = PutKeyPolicyRequest {
                key_id: key_id(),
                policy,
                bypass_policy_lockout_safety_check: bypass,
                ..Default::default()
            };
            cx.call(asked).await?;
        }
        let (tag_keys, tags) = (request.removed_tags(), tags(request));
        if !tag_keys.is_empty() {
            cx.call(UntagResourceRequest { key_id: key_id(), tag_keys }).await?;
        }
        if !tags.is_empty() {
            cx.call(TagResourceRequest { key_id: key_id(), tags }).await?;
        }
        set(cx, id, request).await
    }

    async fn delete(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        let pending_window_in_days = days(request, "PendingWindowInDays");
        let asked = ScheduleKeyDeletionRequest { key_id: id.to_owned(), pending_window_in_days };
        match cx.call(asked).await {
            Err(error) if error.is("NotFoundException") || error.is("KMSInvalidStateException") => Ok(Stability::Ready),
            other => other.map(|_| Stability::Ready),
        }
    }

    /// One that waits for its deletion is not there any more.
    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let found = describe(cx, id).await?.filter(|key| key.key_state.as_deref() != Some("PendingDeletion"));
        let Some(key) = found else { return Ok(None) };
        let key_id = || id.to_owned();
        let policy = cx.call(GetKeyPolicyRequest { key_id: key_id(), policy_name: None }).await?.policy;
        let policy: Option<Json> = policy
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|e| Error::failed("read a key policy that was accepted before", e))?;
        let rotation = cx.call(GetKeyRotationStatusRequest { key_id: key_id() }).await?;
        let mut tags = vec![];
        let mut marker = None;
        loop {
            let page = cx.call(ListResourceTagsRequest { key_id: key_id(), limit: None, marker }).await?;
            tags.extend(page.tags.into_iter().map(|tag| (Some(tag.tag_key), Some(tag.tag_value))));
            marker = page.next_marker;
            if marker.is_none() {
                break;
            }
        }
        let read = Properties::default()
            .with("KeyId", key.key_id)
            .with("Arn", key.arn)
            .with("Description", key.description)
            .with("Enabled", key.enabled)
            .with("EnableKeyRotation", rotation.key_rotation_enabled)
            .with("KeyPolicy", policy)
            .with("KeySpec", key.key_spec)
            .with("KeyUsage", key.key_usage)
            .with("Origin", key.origin)
            .with("MultiRegion", key.multi_region)
            .with_tags(tags);
        Ok(Some(read))
    }

    async fn attributes(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let key = describe(cx, id).await?.unwrap_or_default();
        Ok(BTreeMap::from([("Arn".to_owned(), json!(key.arn)), ("KeyId".to_owned(), json!(key.key_id))]))
    }
}
