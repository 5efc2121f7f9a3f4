//! Parameters of AWS types name things that must exist: asked of the service that has them before a stack is begun.

use crate::errors::validation;
use crate::records::stack::Parameters;
use kiln_service_kit::{Cx, Error};
use kiln_template::{ParameterType, Template};
use serde_json::Value as Json;

/// Refuses values of AWS types that name nothing.
pub async fn check_existence(cx: &Cx, template: &Template, parameters: &Parameters) -> Result<(), Error> {
    for (name, declared) in &template.parameters {
        let kind = match &declared.kind {
            ParameterType::SsmValue(inner) => inner,
            kind => kind,
        };
        let Some(kind) = kind.names_things() else { continue };
        let values: Vec<String> = match parameters.values.get(name) {
            Some(Json::String(value)) => vec![value.clone()],
            Some(Json::Array(items)) => items.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            _ => continue,
        };
        let names = cx.platform().parameter_type(kind);
        let names = names.ok_or_else(|| Error::not_built(format!("parameters of type {kind}")))?;
        for value in values {
            if !names(cx, &value).await? {
                return Err(validation(format!(
                    "Parameter validation failed: parameter value {value} for parameter name {name} does not exist"
                )));
            }
        }
    }
    Ok(())
}
