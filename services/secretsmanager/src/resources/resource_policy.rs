//! `AWS::SecretsManager::ResourcePolicy`: the policy of one secret. Ref: the secret's ARN.

use kiln_secretsmanager_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct ResourcePolicy;

/// The template's document, which may be written as text.
fn document(request: &ResourceRequest) -> String {
    match &request.properties["ResourcePolicy"] {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn needed(request: &ResourceRequest) -> Result<String, Error> {
    request.text("SecretId").ok_or_else(|| crate::errors::parameter("SecretId is missing."))
}

async fn put(cx: &Cx, request: &ResourceRequest) -> Result<PutResourcePolicyResponse, Error> {
    let asked = PutResourcePolicyRequest {
        secret_id: needed(request)?,
        resource_policy: document(request),
        block_public_policy: request.boolean("BlockPublicPolicy"),
    };
    cx.call(asked).await
}

/// The policy of a secret, with its ARN; none where there is none, or no secret.
async fn get(cx: &Cx, id: &str) -> Result<Option<(Option<String>, Json)>, Error> {
    let found = match cx.call(GetResourcePolicyRequest { secret_id: id.to_owned() }).await {
        Err(error) if error.is("ResourceNotFoundException") || error.is("InvalidRequestException") => return Ok(None),
        other => other?,
    };
    let Some(text) = found.resource_policy else { return Ok(None) };
    let policy = serde_json::from_str(&text).map_err(|e| Error::failed("read a policy that was accepted before", e))?;
    Ok(Some((found.arn, policy)))
}

#[async_trait]
impl ResourceType for ResourcePolicy {
    fn type_name(&self) -> &'static str {
        "AWS::SecretsManager::ResourcePolicy"
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        put(cx, request).await?.arn.ok_or_else(|| Error::internal("PutResourcePolicy answered without an ARN"))
    }

    async fn update(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<(), Error> {
        put(cx, request).await.map(drop)
    }

    async fn delete(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        // What others have put there since is not this one's to take away.
        let own = serde_json::from_str::<Json>(&document(request)).ok();
        let kept = get(cx, id).await?;
        if kept.is_some_and(|(_, kept)| Some(kept) == own) {
            cx.call(DeleteResourcePolicyRequest { secret_id: id.to_owned() }).await?;
        }
        Ok(Stability::Ready)
    }

    async fn read(&self, cx: &Cx, id: &str, known: &Json) -> Result<Option<Properties>, Error> {
        let Some((arn, policy)) = get(cx, id).await? else { return Ok(None) };
        // As the template names the secret, if it names this one.
        let named = known.get("SecretId").and_then(Json::as_str).map(str::to_owned).or(arn);
        let read = Properties::default().with("Id", id).with("SecretId", named).with("ResourcePolicy", policy);
        Ok(Some(read))
    }

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("Id".to_owned(), json!(id))]))
    }
}
