//! `AWS::SecretsManager::Secret`. Ref: its ARN. Deleted it is gone at once, as CloudFormation has it.

use crate::records::Secret as Kept;
use kiln_secretsmanager_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct Secret;

fn tags(request: &ResourceRequest) -> Vec<Tag> {
    request.all_tags().into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) }).collect()
}

async fn describe(cx: &Cx, id: &str) -> Result<Option<DescribeSecretResponse>, Error> {
    match cx.call(DescribeSecretRequest { secret_id: id.to_owned() }).await {
        Err(error) if error.is("ResourceNotFoundException") => Ok(None),
        other => other.map(Some),
    }
}

/// The value that the template says: given, or made by chance.
async fn value(cx: &Cx, request: &ResourceRequest) -> Result<Option<String>, Error> {
    let Some(how) = request.properties.get("GenerateSecretString") else { return Ok(request.text("SecretString")) };
    if request.text("SecretString").is_some() {
        return Err(crate::errors::request("You can't specify both SecretString and GenerateSecretString."));
    }
    // Templates may write numbers and booleans as texts.
    let text = |name: &str| how.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let boolean = |name: &str| text(name).map(|value| value == "true");
    let length = text("PasswordLength").map(|length| length.parse::<i64>());
    let asked = GetRandomPasswordRequest {
        password_length: length.transpose().map_err(|_| crate::errors::parameter("PasswordLength is no number."))?,
        exclude_characters: text("ExcludeCharacters"),
        exclude_numbers: boolean("ExcludeNumbers"),
        exclude_punctuation: boolean("ExcludePunctuation"),
        exclude_uppercase: boolean("ExcludeUppercase"),
        exclude_lowercase: boolean("ExcludeLowercase"),
        include_space: boolean("IncludeSpace"),
        require_each_included_type: boolean("RequireEachIncludedType"),
    };
    let made = cx.call(asked).await?.random_password;
    let password = made.ok_or_else(|| Error::internal("GetRandomPassword answered without a password"))?;
    match (text("SecretStringTemplate"), text("GenerateStringKey")) {
        (None, None) => Ok(Some(password)),
        (Some(template), Some(key)) => {
            let template: Json = serde_json::from_str(&template)
                .map_err(|_| crate::errors::request("Could not parse SecretStringTemplate JSON."))?;
            let Json::Object(mut members) = template else {
                return Err(crate::errors::request("SecretStringTemplate must be a JSON object."));
            };
            members.insert(key, Json::String(password));
            Ok(Some(Json::Object(members).to_string()))
        }
        _ => Err(crate::errors::request(
            "You must specify both SecretStringTemplate and GenerateStringKey, or neither of them.",
        )),
    }
}

#[async_trait]
impl ResourceType for Secret {
    fn type_name(&self) -> &'static str {
        "AWS::SecretsManager::Secret"
    }

    fn serves(&self, property: &str) -> bool {
        !matches!(property, "ReplicaRegions" | "Type")
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("Name")
    }

    /// The physical id is an ARN.
    async fn exists(&self, cx: &Cx, name: &str, _: &Json) -> Result<bool, Error> {
        Ok(describe(cx, name).await?.is_some())
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        // What an earlier try made is told by its tags; what was there before this work is another's.
        for (_, secret) in cx.store().by_key::<Kept>(cx.scope(), "stack", &request.stack_id)? {
            let ours = secret.tags.get("aws:cloudformation:logical-id") == Some(&request.logical_id);
            if ours && secret.created >= request.since && secret.deleted.is_none() {
                return Ok(crate::names::arn(cx, cx.scope(), &secret));
            }
        }
        let made = CreateSecretRequest {
            name: request.text("Name").unwrap_or_else(|| request.physical_name.clone()),
            description: request.text("Description"),
            kms_key_id: request.text("KmsKeyId"),
            secret_string: value(cx, request).await?,
            tags: tags(request),
            ..Default::default()
        };
        cx.call(made).await?.arn.ok_or_else(|| Error::internal("CreateSecret answered without an ARN"))
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        let secret_id = || id.to_owned();
        let again = request.changed("SecretString") || request.changed("GenerateSecretString");
        // What the template no longer says is taken away, where leaving it out would keep it.
        let text = |name: &str| request.changed(name).then(|| request.text(name).unwrap_or_else(String::new));
        let asked = UpdateSecretRequest {
            secret_id: secret_id(),
            description: text("Description"),
            kms_key_id: text("KmsKeyId"),
            secret_string: if again { value(cx, request).await? } else { None },
            ..Default::default()
        };
        cx.call(asked).await?;
        let (tag_keys, tags) = (request.removed_tags(), tags(request));
        if !tag_keys.is_empty() {
            cx.call(UntagResourceRequest { secret_id: secret_id(), tag_keys }).await?;
        }
        if !tags.is_empty() {
            cx.call(TagResourceRequest { secret_id: secret_id(), tags }).await?;
        }
        Ok(())
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let force_delete_without_recovery = Some(true);
        let asked =
            DeleteSecretRequest { secret_id: id.to_owned(), force_delete_without_recovery, ..Default::default() };
        cx.call(asked).await?;
        Ok(Stability::Ready)
    }

    /// One that waits for its deletion is not there any more.
    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let found = describe(cx, id).await?.filter(|secret| secret.deleted_date.is_none());
        let Some(secret) = found else { return Ok(None) };
        let read = Properties::default()
            .with("Id", secret.arn)
            .with("Name", secret.name)
            .with("Description", secret.description)
            .with("KmsKeyId", secret.kms_key_id)
            .with_tags(secret.tags.into_iter().map(|tag| (tag.key, tag.value)));
        Ok(Some(read))
    }

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("Id".to_owned(), json!(id))]))
    }
}
