use crate::example::{Group, full};
use kiln_protocol::{Shape, StructTyped, Value, json, redact, stored};

fn message(body: &str) -> String {
    let error = json::decode(body.as_bytes(), Group::SHAPE).expect_err(body);
    assert_eq!((error.code.as_ref(), error.status), ("SerializationException", 400), "{body}");
    error.message
}

fn group(body: &str) -> Group {
    Group::from_value(json::decode(body.as_bytes(), Group::SHAPE).expect(body)).expect(body)
}

#[test]
fn every_kind_survives_the_round() {
    let body = json::encode(&full().into_value(), Group::SHAPE);
    let text = String::from_utf8(body.clone()).unwrap();
    assert!(
        text.starts_with(r#"{"Name":"web","Size":3,"Ratio":0.25,"On":true,"Data":"AP9kYXRh","At":1767323045.678,"#)
    );
    assert!(text.contains(r#""Http":"Fri, 02 Jan 2026 03:04:05 GMT""#), "{text}");
    assert_eq!(group(&text), full());
}

#[test]
fn what_is_absent_is_not_written_and_what_is_unknown_is_skipped() {
    let empty = json::decode(b"", Group::SHAPE).unwrap();
    assert_eq!(json::encode(&empty, Group::SHAPE), b"{}");
    let with = group(r#"{"Nonsense":{"deep":[1,{"a":null}]},"Name":"a","Size":null,"\u0053tate":"up","Token":""}"#);
    assert_eq!((with.name.as_str(), with.size, with.state.as_deref()), ("a", None, Some("up")));
    assert_eq!(group(r#"{"Name":"a","Name":"b","Token":"","Size":1.0}"#).name, "b");
}

#[test]
fn wrong_types_get_awss_sentences() {
    for (body, expected) in [
        (r#"{"Name":1}"#, "NUMBER_VALUE can not be converted to a String"),
        (r#"{"Name":true}"#, "TRUE_VALUE can not be converted to a String"),
        (r#"{"Size":"1"}"#, "STRING_VALUE can not be converted to an Integer"),
        (r#"{"Size":1.5}"#, "NUMBER_VALUE can not be converted to an Integer"),
        (r#"{"Size":1e300}"#, "NUMBER_VALUE can not be converted to an Integer"),
        (r#"{"On":0}"#, "NUMBER_VALUE can not be converted to a Boolean"),
        (r#"{"At":"x"}"#, "STRING_VALUE can not be converted to milliseconds since epoch"),
        (r#"{"Name":[]}"#, "Start of list found where not expected"),
        (r#"{"Name":{}}"#, "Start of structure or map found where not expected."),
        (r#"{"Names":{}}"#, "Start of structure or map found where not expected."),
        (r#"{"Names":"x"}"#, "Expected list or null"),
        (r#"{"Labels":"x"}"#, "Expected map or null"),
        (r#"{"Parent":"x"}"#, "Expected null"),
        (r#"{"Names":["a",2]}"#, "NUMBER_VALUE can not be converted to a String"),
        ("[]", "Start of list found where not expected"),
    ] {
        assert_eq!(message(body), expected, "{body}");
    }
}

#[test]
fn broken_and_absurd_bodies_are_errors() {
    for body in ["{", "null", "\"x\"", "{}x", "{\"Size\":1,}", "\u{0}", "{\"Data\":\"*\"}", "{\"Name\":\"\\ud800\"}"] {
        message(body);
    }
    assert!(json::decode(b"{\"Name\":\"\xff\"}", Group::SHAPE).is_err());
    let deep = format!("{}1", r#"{"Parent":"#.repeat(10_000));
    assert_eq!(message(&deep), "The request is nested too deeply");
    let unknown = format!("{{\"x\":{}", "[".repeat(1_000_000));
    message(&unknown);
    let wide = format!(r#"{{"Tags":[{}{{}}]}}"#, "{},".repeat(1_000_000));
    assert_eq!(message(&wide), "The request holds too many values");
}

#[test]
fn random_bytes_never_panic() {
    let good = json::encode(&full().into_value(), Group::SHAPE);
    let mut seed = 7u64;
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..3 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let at = (seed >> 33) as usize % bytes.len();
            bytes[at] = (seed >> 17) as u8;
        }
        if let Ok(value) = json::decode(&bytes, Group::SHAPE) {
            json::encode(&value, Group::SHAPE);
        }
    }
}

#[test]
fn logs_do_not_show_what_is_sensitive() {
    let logged = redact(&full().into_value(), Group::SHAPE);
    assert_eq!(logged["Password"], "***");
    assert_eq!(logged["Tags"][0]["Value"], "***");
    assert_eq!(logged["Name"], "web");
}

#[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
struct Record {
    #[serde(with = "kiln_protocol::stored")]
    group: Group,
    #[serde(with = "kiln_protocol::stored", default)]
    more: Vec<Group>,
    #[serde(with = "kiln_protocol::stored", default)]
    maybe: Option<Group>,
}

#[test]
fn records_hold_shapes() {
    assert_eq!(stored::from_json::<Group>(stored::to_json(&full())).unwrap(), full());
    let record = Record { group: full(), more: vec![full()], maybe: None };
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    let old = format!("{{\"group\":{}}}", stored::to_json(&full()));
    let record: Record = serde_json::from_str(&old).unwrap();
    assert_eq!((record.more.len(), record.maybe), (0, None));
    assert!(stored::from_json::<Group>(serde_json::json!({"Name": 1})).is_err());
    assert!(Group::from_value(Value::Int(1)).is_err());
}
