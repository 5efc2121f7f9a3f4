//! `AWS::SSM::Parameter`. Ref gives the name.
//!
//! A parameter that an earlier try made is told by its `aws:cloudformation:*` tags: one of the same
//! name without them is somebody else's, and creation fails.

use async_trait::async_trait;
use kiln_service_kit::{BoxFuture, Cx, Error, Properties, ResourceRequest, ResourceType, Stability};
use kiln_ssm_shapes::*;
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub struct Parameter;

const TYPE: &str = "Parameter";

#[async_trait]
impl ResourceType for Parameter {
    fn type_name(&self) -> &'static str {
        "AWS::SSM::Parameter"
    }

    fn serves(&self, property: &str) -> bool {
        property != "Policies"
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("Name")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let name = request.text("Name").unwrap_or_else(|| request.physical_name.clone());
        match cx.call(PutParameterRequest { tags: tags(request), ..put(request, &name) }).await {
            Ok(_) => Ok(name),
            Err(error) if error.is("ParameterAlreadyExists") && is_ours(cx, request, &name).await? => {
                cx.call(PutParameterRequest { overwrite: Some(true), ..put(request, &name) }).await?;
                Ok(name)
            }
            Err(error) => Err(error),
        }
    }

    async fn update(&self, cx: &Cx, physical_id: &str, request: &ResourceRequest) -> Result<(), Error> {
        // What the template no longer says is taken away, where leaving it out would keep it.
        let gone = |name: &str| (request.changed(name) && request.text(name).is_none()).then(String::new);
        let new = put(request, physical_id);
        let description = new.description.clone().or_else(|| gone("Description"));
        cx.call(PutParameterRequest { overwrite: Some(true), description, ..new }).await?;
        let wanted = tags(request);
        let kept = cx.call(list_tags(physical_id)).await?.tag_list;
        let gone: Vec<String> =
            kept.into_iter().map(|tag| tag.key).filter(|key| !wanted.iter().any(|tag| tag.key == *key)).collect();
        if !gone.is_empty() {
            cx.call(RemoveTagsFromResourceRequest {
                resource_type: TYPE.to_owned(),
                resource_id: physical_id.to_owned(),
                tag_keys: gone,
            })
            .await?;
        }
        if !wanted.is_empty() {
            cx.call(AddTagsToResourceRequest {
                resource_type: TYPE.to_owned(),
                resource_id: physical_id.to_owned(),
                tags: wanted,
            })
            .await?;
        }
        Ok(())
    }

    async fn delete(&self, cx: &Cx, physical_id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        match cx.call(DeleteParameterRequest { name: physical_id.to_owned() }).await {
            Ok(_) => Ok(Stability::Ready),
            Err(error) if error.is("ParameterNotFound") => Ok(Stability::Ready),
            Err(error) => Err(error),
        }
    }

    async fn read(&self, cx: &Cx, name: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let asked = GetParameterRequest { name: name.to_owned(), with_decryption: Some(false) };
        let parameter = match cx.call(asked).await {
            Err(error) if error.is("ParameterNotFound") => return Ok(None),
            other => other?.parameter.unwrap_or_default(),
        };
        // What was made a SecureString by other hands stays a secret.
        let value = parameter.value.filter(|_| parameter.r#type.as_deref() != Some("SecureString"));
        let tags = cx.call(list_tags(name)).await?.tag_list;
        let tags: BTreeMap<String, String> =
            tags.into_iter().map(|tag| (tag.key, tag.value)).filter(|(key, _)| !key.starts_with("aws:")).collect();
        let read = Properties::default()
            .with("Name", name)
            .with("Type", parameter.r#type)
            .with("Value", value)
            .with("DataType", parameter.data_type);
        Ok(Some(if tags.is_empty() { read } else { read.with("Tags", tags) }))
    }

    async fn attributes(
        &self,
        cx: &Cx,
        physical_id: &str,
        request: &ResourceRequest,
    ) -> Result<BTreeMap<String, Json>, Error> {
        let answer = cx.call(GetParameterRequest { name: physical_id.to_owned(), with_decryption: None }).await?;
        let parameter = answer.parameter.ok_or_else(|| Error::internal("GetParameter answered without a parameter"))?;
        let mut all = BTreeMap::new();
        let read = [("Type", parameter.r#type), ("Value", parameter.value), ("DataType", parameter.data_type)];
        all.extend(read.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Json::String(value?)))));
        all.insert("Name".to_owned(), Json::String(physical_id.to_owned()));
        for name in ["Description", "AllowedPattern", "Tier"] {
            all.extend(request.text(name).map(|value| (name.to_owned(), Json::String(value))));
        }
        Ok(all)
    }
}

/// Whether a template's parameter of type `AWS::SSM::Parameter::Name` names one that is there.
pub fn names<'a>(cx: &'a Cx, value: &'a str) -> BoxFuture<'a, Result<bool, Error>> {
    Box::pin(async move {
        match cx.call(GetParameterRequest { name: value.to_owned(), with_decryption: Some(false) }).await {
            Err(error) if error.is("ParameterNotFound") => Ok(false),
            other => other.map(|_| true),
        }
    })
}

fn put(request: &ResourceRequest, name: &str) -> PutParameterRequest {
    PutParameterRequest {
        name: name.to_owned(),
        description: request.text("Description"),
        value: request.text("Value").unwrap_or_else(|| unreachable!("Value is required by the type's facts")),
        r#type: request.text("Type"),
        allowed_pattern: request.text("AllowedPattern"),
        tier: request.text("Tier"),
        policies: request.text("Policies"),
        data_type: request.text("DataType"),
        ..Default::default()
    }
}

/// The stack's tags, overridden by the parameter's own `Tags`, which this type writes as a map.
fn tags(request: &ResourceRequest) -> Vec<Tag> {
    let mut tags: BTreeMap<String, String> = request.tags.iter().cloned().collect();
    for (key, value) in request.properties.get("Tags").and_then(Json::as_object).into_iter().flatten() {
        tags.insert(key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    tags.into_iter().map(|(key, value)| Tag { key, value }).collect()
}

fn list_tags(name: &str) -> ListTagsForResourceRequest {
    ListTagsForResourceRequest { resource_type: TYPE.to_owned(), resource_id: name.to_owned() }
}

async fn is_ours(cx: &Cx, request: &ResourceRequest, name: &str) -> Result<bool, Error> {
    let kept = cx.call(list_tags(name)).await?.tag_list;
    let has = |key: &str, value: &str| kept.iter().any(|tag| tag.key == key && tag.value == value);
    Ok(has("aws:cloudformation:stack-id", &request.stack_id)
        && has("aws:cloudformation:logical-id", &request.logical_id))
}
