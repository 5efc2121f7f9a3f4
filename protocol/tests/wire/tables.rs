//! The real tables: requests and answers that botocore agreed to (made by
//! `check_with_botocore.py --write`), and what of the models the validator cannot check.

use kiln_protocol::{Kind, OperationShapes, Protocol, ServiceModel, StructShape, ec2, encode_response, json, query};
use serde_json::Value as Json;
use std::collections::BTreeSet;

type Service = (&'static ServiceModel, &'static [OperationShapes]);

fn services() -> [Service; 7] {
    [
        (&kiln_autoscaling_shapes::SERVICE, kiln_autoscaling_shapes::OPERATIONS),
        (&kiln_cloudformation_shapes::SERVICE, kiln_cloudformation_shapes::OPERATIONS),
        (&kiln_ec2_shapes::SERVICE, kiln_ec2_shapes::OPERATIONS),
        (&kiln_elbv2_shapes::SERVICE, kiln_elbv2_shapes::OPERATIONS),
        (&kiln_iam_shapes::SERVICE, kiln_iam_shapes::OPERATIONS),
        (&kiln_ssm_shapes::SERVICE, kiln_ssm_shapes::OPERATIONS),
        (&kiln_sts_shapes::SERVICE, kiln_sts_shapes::OPERATIONS),
    ]
}

#[test]
fn requests_and_answers_are_those_botocore_agreed_to() {
    let vectors: Vec<Json> = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    assert!(vectors.len() >= 17);
    for vector in &vectors {
        let (service, name) = (vector["service"].as_str().unwrap(), vector["operation"].as_str().unwrap());
        let all = services();
        let (model, operations) = all.iter().find(|(m, _)| m.name == service).unwrap();
        let shapes = operations.iter().find(|o| o.name == name).unwrap();
        if let Some(request) = vector["request"].as_str().map(str::as_bytes) {
            let value = match model.protocol {
                Protocol::Query => query::decode(request, shapes.input),
                Protocol::Ec2 => ec2::decode(request, shapes.input),
                _ => json::decode(request, shapes.input),
            }
            .unwrap();
            let value: Json = serde_json::from_slice(&json::encode(&value, shapes.input)).unwrap();
            assert_eq!(shown(&value), shown(&vector["input"]), "{service} {name}");
        }
        let output = vector["output"].to_string();
        let value = json::decode(output.as_bytes(), shapes.output).unwrap();
        let answer = encode_response(model.protocol, model, name, shapes.output, &value, "id-1");
        assert_eq!(String::from_utf8(answer.body).unwrap(), vector["response"].as_str().unwrap(), "{service} {name}");
    }
}

/// As text, times without their milliseconds (botocore leaves them out of requests).
fn shown(json: &Json) -> String {
    match json {
        Json::Number(n) => {
            n.as_f64().map_or(n.to_string(), |f| if f > 1e9 { f.trunc().to_string() } else { f.to_string() })
        }
        Json::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(",")),
        Json::Object(members) => {
            let members: BTreeSet<String> = members.iter().map(|(k, v)| format!("{k}:{}", shown(v))).collect();
            format!("{{{}}}", members.into_iter().collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

#[test]
fn every_pattern_of_the_models_is_checked() {
    let mut patterns = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for (_, operations) in services() {
        for operation in operations {
            collect(operation.input, &mut patterns, &mut seen);
            collect(operation.output, &mut patterns, &mut seen);
        }
    }
    assert!(patterns.len() > 30, "only {} patterns found", patterns.len());
    for pattern in patterns {
        if let Err(error) = kiln_protocol::pattern::compile(pattern) {
            panic!("{pattern} cannot be checked: {error}");
        }
    }
}

fn collect(shape: &'static StructShape, patterns: &mut BTreeSet<&'static str>, seen: &mut BTreeSet<usize>) {
    if !seen.insert(std::ptr::from_ref(shape) as usize) {
        return;
    }
    for member in shape.members {
        patterns.extend(member.limits.pattern);
        patterns.extend(member.item_limits.pattern);
        let mut kind = (member.kind)();
        while let Kind::List(of) | Kind::Map(of) = kind {
            kind = of();
        }
        if let Kind::Struct(inner) = kind {
            collect(inner, patterns, seen);
        }
    }
}
