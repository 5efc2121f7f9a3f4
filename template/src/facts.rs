//! The facts of the resource types of this slice, built in.
//!
//! `facts/*.json` are generated and committed (`tools/resource_facts.py`); a service takes the types it serves.

mod files;

use std::collections::BTreeMap;

pub use files::FILES;

use crate::schema::ResourceSchema;

/// The schemas of one facts text (a service's own file, say).
pub fn load(text: &str) -> Result<BTreeMap<String, ResourceSchema>, String> {
    let facts = serde_json::from_str(text).map_err(|error| format!("facts are not JSON: {error}"))?;
    let all = ResourceSchema::all_from_facts(&facts)?;
    Ok(all.into_iter().map(|schema| (schema.type_name.clone(), schema)).collect())
}

/// All built-in schemas by type name.
pub fn all() -> BTreeMap<String, ResourceSchema> {
    let load = |(_, text): &(&str, &str)| load(text).expect("the committed facts load: a test says so");
    FILES.iter().flat_map(load).collect()
}

/// The names of all resource types that AWS has, one a line.
const AWS_TYPES: &str = include_str!("../facts/aws_types.txt");

/// Does AWS have a resource type of this name, built here or not?
pub fn is_aws_type(name: &str) -> bool {
    AWS_TYPES.lines().any(|known| known == name)
}
