//! `AWS::KMS::Alias`. Ref: its name.

use crate::records::Alias as Kept;
use kiln_kms_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub struct Alias;

fn target(request: &ResourceRequest) -> String {
    request.text("TargetKeyId").unwrap_or_else(|| unreachable!("TargetKeyId is required by the type's facts"))
}

#[async_trait]
impl ResourceType for Alias {
    fn type_name(&self) -> &'static str {
        "AWS::KMS::Alias"
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("AliasName")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let name =
            request.text("AliasName").unwrap_or_else(|| unreachable!("AliasName is required by the type's facts"));
        let made = CreateAliasRequest { alias_name: name.clone(), target_key_id: target(request) };
        match cx.call(made).await {
            // An earlier try made it: there are no tags to tell it by, but before this work it was not there.
            Err(error) if error.is("AlreadyExistsException") => {
                let kept = cx.store().get::<Kept>(cx.scope(), &name)?;
                match kept.is_some_and(|alias| alias.created >= request.since && target(request).ends_with(&alias.key))
                {
                    true => Ok(name),
                    false => Err(error),
                }
            }
            other => other.map(|_| name),
        }
    }

    async fn update(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        cx.call(UpdateAliasRequest { alias_name: name.to_owned(), target_key_id: target(request) }).await?;
        Ok(())
    }

    async fn delete(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        match cx.call(DeleteAliasRequest { alias_name: name.to_owned() }).await {
            Err(error) if error.is("NotFoundException") => Ok(Stability::Ready),
            other => other.map(|_| Stability::Ready),
        }
    }

    async fn read(&self, cx: &Cx, name: &str, known: &Json) -> Result<Option<Properties>, Error> {
        let key = match cx.call(DescribeKeyRequest { key_id: name.to_owned(), ..Default::default() }).await {
            Err(error) if error.is("NotFoundException") => return Ok(None),
            other => other?.key_metadata.unwrap_or_default(),
        };
        // As it was said, where that is still so: an ARN says the same as an id.
        let said = known.get("TargetKeyId").and_then(Json::as_str).filter(|said| key.arn.as_deref() == Some(*said));
        let target = said.map(str::to_owned).or(key.key_id);
        Ok(Some(Properties::default().with("AliasName", name).with("TargetKeyId", target)))
    }

    async fn attributes(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::new())
    }
}
