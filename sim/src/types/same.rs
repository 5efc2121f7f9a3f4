//! Whether what is read back says what was given: all of it, and in lists nothing else.

use kiln_template::schema::{Kind, Property, ResourceSchema};
use serde_json::Value as Json;

/// Where they differ, if they do. What is write-only need not be there.
pub fn differs(schema: &ResourceSchema, given: &Json, read: &Json) -> Vec<String> {
    let mut found = vec![];
    compare(schema, &schema.properties, given, read, "", &mut found);
    found
}

/// Lists of keyed settings are read whole, with the defaults of those that were not given.
fn may_have_more(path: &str, items: &[Json]) -> bool {
    path.ends_with("Attributes") && items.iter().all(|item| item.get("Key").is_some())
}

fn compare(s: &ResourceSchema, property: &Property, given: &Json, read: &Json, path: &str, found: &mut Vec<String>) {
    let property = s.follow(property).expect("facts lead somewhere");
    let mut wrong = || found.push(format!("{path}: given {given}, read {read}"));
    match (&property.kind, given, read) {
        (Kind::Object(object), Json::Object(members), Json::Object(there)) => {
            for (name, value) in members {
                let path = format!("{path}/{name}").trim_start_matches('/').to_owned();
                let hidden = s.write_only.iter().any(|hidden| is_at(hidden, &path));
                match (object.members.get(name), there.get(name)) {
                    (_, Some(_)) if hidden => found.push(format!("{path} is write-only and is read")),
                    _ if hidden => {}
                    (Some(property), Some(read)) => compare(s, property, value, read, &path, found),
                    _ => found.push(format!("{path}: given {value}, not read")),
                }
            }
        }
        (Kind::List { of, unordered, .. }, Json::Array(items), Json::Array(there)) => {
            if items.len() > there.len() || (items.len() < there.len() && !may_have_more(path, items)) {
                return wrong();
            }
            if !unordered {
                for (at, (item, read)) in items.iter().zip(there).enumerate() {
                    compare(s, of, item, read, &format!("{path}/{at}"), found);
                }
                return;
            }
            let mut left: Vec<&Json> = there.iter().collect();
            for item in items {
                let fits = |read: &&Json| {
                    let mut found = vec![];
                    compare(s, of, item, read, &format!("{path}/0"), &mut found);
                    found.is_empty()
                };
                match left.iter().position(fits) {
                    Some(at) => drop(left.remove(at)),
                    None => return found.push(format!("{path}: given {item}, read {read}")),
                }
            }
        }
        // A document may be given as text.
        (Kind::Json, given, read) => {
            let plain = |value: &Json| match value {
                Json::String(text) => serde_json::from_str(text).unwrap_or_else(|_| value.clone()),
                value => value.clone(),
            };
            if plain(given) != plain(read) {
                wrong();
            }
        }
        (_, given, read) if given == read => {}
        _ => wrong(),
    }
}

/// Whether a path of the facts, with stars for places in lists, is this one.
fn is_at(known: &str, path: &str) -> bool {
    let mut steps = path.split('/');
    known.split('/').all(|step| steps.next().is_some_and(|here| step == here || step == "*")) && steps.next().is_none()
}

#[test]
fn what_differs_is_named() {
    let all = kiln_template::facts::all();
    let schema = &all["AWS::ElasticLoadBalancingV2::TargetGroup"];
    let given = serde_json::json!({
        "Port": 80, "Tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}],
        "TargetGroupAttributes": [{"Key": "stickiness.enabled", "Value": "true"}],
    });
    let mut read = given.clone();
    read["VpcId"] = "vpc-1".into();
    read["TargetGroupAttributes"] =
        serde_json::json!([{"Key": "x", "Value": "y"}, {"Key": "stickiness.enabled", "Value": "true"}]);
    read["Tags"] = serde_json::json!([{"Key": "c", "Value": "d"}, {"Key": "a", "Value": "b"}]);
    assert_eq!(differs(schema, &given, &read), Vec::<String>::new());
    for (name, value) in [
        ("Port", serde_json::json!(81)),
        ("Port", serde_json::json!("80")),
        ("Tags", serde_json::json!([{"Key": "a", "Value": "b"}])),
        ("Tags", serde_json::json!([{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "e"}])),
        ("TargetGroupAttributes", serde_json::json!([{"Key": "stickiness.enabled", "Value": "false"}])),
    ] {
        let other =
            Json::Object(read.as_object().cloned().into_iter().flatten().chain([(name.to_owned(), value)]).collect());
        let found = differs(schema, &given, &other);
        assert!(found.len() == 1 && found[0].starts_with(name), "{found:?}");
    }
    let mut less = read.clone();
    less.as_object_mut().expect("an object").remove("Port");
    assert_eq!(differs(schema, &given, &less), ["Port: given 80, not read"]);
}
