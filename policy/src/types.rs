//! The types that values of condition keys can be said to have, as the simulators are told them
//! (`ContextKeyType`). Values are read as the operators read them, so that one that is of its type
//! here is one that a condition can compare.

use crate::operator;
use base64::{Engine, engine::general_purpose::STANDARD};

/// Checks values against the type that they are said to have: `string`, `numeric`, `boolean`, `ip`,
/// `binary` or `date` for one value, the same with `List` behind it for any number.
///
/// The error says in one sentence what is not of that type. A type that is none of these is an
/// error, too. Source: AWS IAM API Reference, ContextEntry.
pub fn check_type(kind: &str, values: &[String]) -> Result<(), String> {
    let (of, list) = kind.strip_suffix("List").map_or((kind, false), |of| (of, true));
    if !list && values.len() > 1 {
        return Err(format!("{} values are not one of type {kind}", values.len()));
    }
    let is: fn(&str) -> bool = match of {
        "string" => |_| true,
        "numeric" => |text| operator::number(text).is_some(),
        "boolean" => |text| operator::boolean(text).is_some(),
        "ip" => |text| operator::network(text).is_some(),
        "binary" => |text| STANDARD.decode(text).is_ok(),
        "date" => |text| operator::date(text).is_some(),
        _ => return Err(format!("{kind} is not a type of context keys")),
    };
    match values.iter().find(|value| !is(value)) {
        Some(wrong) => Err(format!("\"{wrong}\" is not of type {kind}")),
        None => Ok(()),
    }
}
