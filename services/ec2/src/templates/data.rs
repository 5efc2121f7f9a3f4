//! The data of a template's version: a structure of which every member may be left out.

use kiln_ec2_shapes::RequestLaunchTemplateData;
use kiln_protocol::stored;
use kiln_service_kit::Error;
use serde_json::{Map, Value as Json};

/// The members of a structure that were really given: an empty list or structure is none.
pub fn given(structure: Json) -> Map<String, Json> {
    let Json::Object(members) = structure else { return Map::new() };
    let is_given = |value: &Json| match value {
        Json::Null => false,
        Json::Array(items) => !items.is_empty(),
        Json::Object(members) => !members.is_empty(),
        _ => true,
    };
    members.into_iter().filter(|(_, value)| is_given(value)).collect()
}

/// A version's data with the members of a newer one put over it.
pub fn over(
    base: &RequestLaunchTemplateData,
    newer: &RequestLaunchTemplateData,
) -> Result<RequestLaunchTemplateData, Error> {
    let mut merged = given(stored::to_json(base));
    merged.extend(given(stored::to_json(newer)));
    stored::from_json(Json::Object(merged))
}
