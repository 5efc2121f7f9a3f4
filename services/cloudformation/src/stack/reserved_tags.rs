//! Tags that a template may not set: keys that begin with `aws:` are set by services, which find by
//! them what is whose. The services refuse such keys of callers from outside; what CloudFormation
//! hands them comes from inside, so it is looked at here, wherever in a resource's properties it is.

use serde_json::Value as Json;

/// How deep properties are walked; CloudFormation's own limit of nesting is lower.
const DEEPEST: usize = 32;

/// The first reserved key among the tags in a resource's properties: in a list of keys and values,
/// or in a map, below a member called `Tags` or whose name ends so.
pub fn reserved(properties: &Json) -> Option<&str> {
    walk(properties, DEEPEST)
}

fn walk(value: &Json, deep: usize) -> Option<&str> {
    let deep = deep.checked_sub(1)?;
    match value {
        Json::Object(members) => members.iter().find_map(|(name, value)| {
            let here = if name.ends_with("Tags") { of_tags(value) } else { None };
            here.or_else(|| walk(value, deep))
        }),
        Json::Array(items) => items.iter().find_map(|item| walk(item, deep)),
        _ => None,
    }
}

fn of_tags(tags: &Json) -> Option<&str> {
    let is_reserved = |key: &&str| key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
    match tags {
        Json::Array(items) => items.iter().filter_map(|tag| tag.get("Key")?.as_str()).find(is_reserved),
        Json::Object(map) => map.keys().map(String::as_str).find(is_reserved),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reserved_key_is_found_wherever_tags_are() {
        let found = |properties: Json| reserved(&properties).map(str::to_owned);
        let tag = |key: &str| json!([{"Key": "Name", "Value": "x"}, {"Key": key, "Value": "x"}]);
        let stack_id = "aws:cloudformation:stack-id";
        assert_eq!(found(json!({"Tags": tag(stack_id)})).as_deref(), Some(stack_id));
        assert_eq!(found(json!({"Tags": {"AWS:x": "y"}})).as_deref(), Some("AWS:x"));
        let template = json!({"LaunchTemplateData": {"TagSpecifications": [{"Tags": tag("aws:x")}]}});
        assert_eq!(found(template).as_deref(), Some("aws:x"));
        assert_eq!(found(json!({"Tags": tag("awsome"), "Description": "aws:x", "Keys": [{"Key": "aws:x"}]})), None);
    }
}
