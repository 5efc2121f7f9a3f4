//! The values of references to secrets, asked for in the stack owner's name just before a type is told, and kept nowhere.

use super::secrets::HIDDEN;
use crate::errors::validation;
use kiln_secretsmanager_shapes::GetSecretValueRequest;
use kiln_service_kit::{Cx, Error, ResourceRequest};
use kiln_ssm_shapes::GetParameterRequest;
use kiln_template::{SecretReference, fill_secrets, secret_references};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// What was put in the place of references.
#[derive(Default)]
pub struct Filled(BTreeMap<String, String>);

impl Filled {
    /// Puts the values into a request. What the thing was before keeps a reference that leads nowhere any more.
    pub async fn of(cx: &Cx, request: &mut ResourceRequest) -> Result<Self, Error> {
        let mut known = BTreeMap::new();
        for (written, reference) in secret_references(&request.properties) {
            known.insert(written, value(cx, &reference).await?);
        }
        for (written, reference) in secret_references(&request.previous) {
            if !known.contains_key(&written)
                && let Ok(value) = value(cx, &reference).await
            {
                known.insert(written, value);
            }
        }
        fill_secrets(&mut request.properties, &known);
        fill_secrets(&mut request.previous, &known);
        Ok(Self(known))
    }

    /// A refusal may quote the value that it refuses.
    pub fn told(&self, error: Error) -> Error {
        let message = self
            .0
            .values()
            .filter(|value| !value.is_empty())
            .fold(error.message.clone(), |text, value| text.replace(value.as_str(), HIDDEN));
        Error { message, ..error }
    }
}

async fn value(cx: &Cx, reference: &SecretReference) -> Result<String, Error> {
    match reference {
        SecretReference::SecretsManager { secret, json_key, stage, version } => {
            let asked = GetSecretValueRequest {
                secret_id: secret.clone(),
                version_stage: stage.clone(),
                version_id: version.clone(),
            };
            let text = cx.call(asked).await?.secret_string;
            let text = text.ok_or_else(|| validation(format!("The secret {secret} has no SecretString")))?;
            let Some(key) = json_key else { return Ok(text) };
            let json: Json =
                serde_json::from_str(&text).map_err(|_| validation("Could not parse SecretString JSON"))?;
            match &json[key.as_str()] {
                Json::String(text) => Ok(text.clone()),
                value @ (Json::Number(_) | Json::Bool(_)) => Ok(value.to_string()),
                _ => Err(validation("Could not find a value associated with JSONKey in SecretString")),
            }
        }
        SecretReference::SsmSecure { name, version } => {
            let name = match version {
                Some(version) => format!("{name}:{version}"),
                None => name.clone(),
            };
            let asked = GetParameterRequest { name: name.clone(), with_decryption: Some(true) };
            let parameter = cx.call(asked).await?.parameter.unwrap_or_default();
            match (parameter.r#type.as_deref(), parameter.value) {
                (Some("SecureString"), Some(value)) => Ok(value),
                _ => Err(validation(format!("Parameter {name} is no SecureString"))),
            }
        }
    }
}
