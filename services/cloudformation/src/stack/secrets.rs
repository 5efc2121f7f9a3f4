//! Parameters with NoEcho: what callers may see of the values that come from them.
//!
//! A secret may be anywhere in a property (`Fn::Sub`, `Fn::Base64` of user data), so texts are not searched for it:
//! the resource is worked out once more with `****` in the secret's place, and that is what events show.

use crate::records::Stack;
use crate::records::stack::Parameters;
use kiln_template::{Evaluator, ParameterValues};
use serde_json::{Map, Value as Json};

/// What stands for a secret.
pub const HIDDEN: &str = "****";

/// The parameters with the secret ones hidden; none if none is secret.
pub fn hidden(parameters: &Parameters) -> Option<ParameterValues> {
    if parameters.no_echo.is_empty() {
        return None;
    }
    let mut values = parameters.values();
    for (name, value) in values.values.iter_mut().filter(|(name, _)| parameters.no_echo.contains(*name)) {
        *value = match value {
            // As many items as there are, so that one of them can be selected.
            Json::Array(items) => Json::Array(vec![Json::from(HIDDEN); items.len()]),
            _ => Json::from(HIDDEN),
        };
        values.given.insert(name.clone(), HIDDEN.to_owned());
        values.resolved.remove(name);
    }
    Some(values)
}

/// A resource's properties as callers may see them. Where a function cannot work on a hidden value (a key of a
/// mapping), all of them are hidden.
pub fn shown(evaluator: &Evaluator<'_>, hidden: &ParameterValues, logical_id: &str, properties: &Json) -> Json {
    match evaluator.with_parameters(hidden).resource(logical_id) {
        Ok(resolved) => resolved.properties,
        Err(_) => {
            let names = properties.as_object().into_iter().flatten().map(|(name, _)| name.clone());
            Json::Object(names.map(|name| (name, Json::from(HIDDEN))).collect::<Map<String, Json>>())
        }
    }
}

/// A reason as callers may read it: a refusal may quote the value it refuses. Secrets of fewer than four characters
/// are in too many texts by chance to be looked for.
pub fn told(reason: String, stack: &Stack) -> String {
    let versions = stack.target.iter().chain(&stack.current);
    let secrets = versions.flat_map(|version| {
        let texts = version.parameters.given.iter().chain(&version.parameters.resolved);
        texts.filter(|(name, _)| version.parameters.no_echo.contains(*name)).map(|(_, text)| text.as_str())
    });
    let words = secrets.flat_map(|text| std::iter::once(text).chain(text.split(','))).filter(|word| word.len() >= 4);
    words.fold(reason, |reason, word| reason.replace(word, HIDDEN))
}
