//! The real tables: requests and answers that botocore agreed to (made by
//! `check_with_botocore.py --write`), and what of the models the validator cannot check.

use crate::exchange;
use crate::services::ALL;
use base64::prelude::{BASE64_STANDARD, Engine};
use kiln_protocol::{Kind, StructShape};
use serde_json::Value as Json;
use std::collections::BTreeSet;

#[test]
fn requests_and_answers_are_those_botocore_agreed_to() {
    let vectors: Vec<Json> = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    for (model, ..) in ALL {
        let kept = vectors.iter().filter(|vector| vector["service"] == model.name).count();
        assert!(kept > 0, "no vector of {}: KEPT of check_with_botocore.py says which are kept", model.name);
    }
    for vector in &vectors {
        let (service, name) = (vector["service"].as_str().unwrap(), vector["operation"].as_str().unwrap());
        let tables = ALL.iter().find(|(model, ..)| model.name == service).unwrap();
        let shapes = tables.1.iter().find(|o| o.name == name).unwrap();
        if let Some(request) = kept(vector, "request") {
            let value = exchange::read(tables, shapes, &vector["head"], &request).unwrap();
            assert_eq!(shown(&value), shown(&vector["input"]), "{service} {name}");
        }
        let answer = exchange::write(tables, shapes, &vector["output"]).unwrap();
        let head = exchange::shown(&answer);
        assert_eq!((&head["status"], &head["headers"]), (&vector["status"], &vector["headers"]), "{service} {name}");
        let (body, expected) = (answer.body, kept(vector, "response").expect("an answer is kept"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(text(&body), text(&expected), "{service} {name}");
        assert_eq!(body, expected, "{service} {name}");
    }
}

/// The bytes of a request or an answer: as text, or in base64 where they are none.
fn kept(vector: &Json, name: &str) -> Option<Vec<u8>> {
    let text = vector[name].as_str().map(|text| text.as_bytes().to_vec());
    let packed = vector[format!("{name}_base64")].as_str();
    text.or_else(|| packed.map(|packed| BASE64_STANDARD.decode(packed).expect("base64")))
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
    for (_, operations, _) in ALL {
        for operation in *operations {
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
