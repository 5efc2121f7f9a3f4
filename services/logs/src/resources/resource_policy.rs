//! `AWS::Logs::ResourcePolicy`. Ref gives the name.

use super::{already_there, gone, is_ours};
use async_trait::async_trait;
use kiln_logs_shapes as shapes;
use kiln_logs_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub struct ResourcePolicy;

const TYPE: &str = "AWS::Logs::ResourcePolicy";

#[async_trait]
impl ResourceType for ResourcePolicy {
    fn type_name(&self) -> &'static str {
        TYPE
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("PolicyName")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let name = request.text("PolicyName").unwrap_or_else(|| request.physical_name.clone());
        if let Some(there) = find(cx, &name).await?
            && !is_ours(there.last_updated_time, request)
        {
            return Err(already_there(TYPE, &name));
        }
        put(cx, &name, request).await?;
        Ok(name)
    }

    async fn update(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        put(cx, name, request).await
    }

    async fn delete(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        match cx.call(DeleteResourcePolicyRequest { policy_name: Some(name.to_owned()), ..Default::default() }).await {
            Err(error) if !gone(&error) => Err(error),
            _ => Ok(Stability::Ready),
        }
    }

    async fn read(&self, cx: &Cx, name: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let Some(found) = find(cx, name).await? else { return Ok(None) };
        let text = found.policy_document.ok_or_else(|| Error::internal("a resource policy has no document"))?;
        let policy: Json = serde_json::from_str(&text).map_err(|e| Error::failed("read a resource policy", e))?;
        Ok(Some(Properties::default().with("PolicyName", name).with("PolicyDocument", policy)))
    }

    async fn attributes(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::new())
    }
}

/// A document of a template may be written as text.
async fn put(cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
    let document = request.properties.get("PolicyDocument").map(|document| match document {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    });
    let policy_name = Some(name.to_owned());
    let asked = PutResourcePolicyRequest { policy_name, policy_document: document, ..Default::default() };
    cx.call(asked).await.map(drop)
}

/// There are ten at most.
async fn find(cx: &Cx, name: &str) -> Result<Option<shapes::ResourcePolicy>, Error> {
    let found = cx.call(DescribeResourcePoliciesRequest::default()).await?.resource_policies;
    Ok(found.into_iter().find(|policy| policy.policy_name.as_deref() == Some(name)))
}
