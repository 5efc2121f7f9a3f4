//! A [`Value`] as CloudTrail's records show it: members as the API calls them, with a small first letter, and nothing that
//! is secret or bytes. Source: AWS CloudTrail User Guide, "CloudTrail record contents"; the records that the user guides
//! of the services show.
//!
//! EC2's are as its XML is: a list is `instancesSet: {items: […]}`.

use crate::{Kind, Member, Protocol, StructShape, Value};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// What stands for a secret.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";
const HIDDEN_BY_EC2: &str = "<sensitiveDataRemoved>";

/// Members that models do not call sensitive and that carry secrets, or may: what programs are told at their start, tokens,
/// values of template parameters.
const SECRETS: [&str; 4] = ["SessionToken", "Token", "GrantToken", "UserData"];

/// Members that AWS's records leave out: values of a stack's parameters, templates.
const LEFT_OUT: [&str; 3] = ["ParameterValue", "TemplateBody", "GrantTokens"];

/// Which side of a call it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Request,
    Response,
}

/// The JSON of a structure, as records show it.
pub fn trail(value: &Value, shape: &'static StructShape, protocol: Protocol, side: Side) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let shown = Shown { value, kind: Kind::Struct(shape), ec2: protocol == Protocol::Ec2, side };
    serde_json::to_writer(&mut out, &shown).expect("writing a value to memory cannot fail");
    out
}

struct Shown<'v> {
    value: &'v Value,
    kind: Kind,
    ec2: bool,
    side: Side,
}

impl<'v> Shown<'v> {
    fn inner(&self, value: &'v Value, kind: Kind) -> Shown<'v> {
        Shown { value, kind, ec2: self.ec2, side: self.side }
    }

    fn name(&self, member: &Member) -> String {
        match (self.ec2, self.side) {
            (true, Side::Response) => member.element.to_owned(),
            (true, Side::Request) if matches!((member.kind)(), Kind::List(_)) => {
                let one = member.name.strip_suffix('s').unwrap_or(member.name);
                let one = one.strip_suffix("Id").filter(|one| !one.is_empty()).unwrap_or(one);
                small(&format!("{one}sSet"))
            }
            _ => small(member.name),
        }
    }
}

/// With a small first letter; what is written large as a whole is written small.
fn small(name: &str) -> String {
    if name.bytes().all(|byte| !byte.is_ascii_lowercase()) {
        return name.to_ascii_lowercase();
    }
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + chars.as_str())
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match (self.value, self.kind) {
            (Value::Bool(b), _) => to.serialize_bool(*b),
            (Value::Int(i), _) => to.serialize_i64(*i),
            (Value::Float(f), _) if f.is_finite() => to.serialize_f64(*f),
            (Value::Text(t), _) => to.serialize_str(t),
            (Value::Time(t), _) => to.serialize_str(&t.iso8601()),
            (Value::List(items), Kind::List(of)) => {
                if self.ec2 {
                    let mut set = to.serialize_map(Some(1))?;
                    set.serialize_entry("items", &Items { shown: self, items, of })?;
                    return set.end();
                }
                Items { shown: self, items, of }.serialize(to)
            }
            (Value::Map(entries), Kind::Map(of)) => {
                let mut map = to.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, &self.inner(value, of()))?;
                }
                map.end()
            }
            (Value::Struct(values), Kind::Struct(shape)) => {
                let mut map = to.serialize_map(None)?;
                for (value, member) in values.iter().zip(shape.members) {
                    if matches!(value, Value::Absent | Value::Blob(_)) || LEFT_OUT.contains(&member.name) {
                        continue;
                    }
                    let name = self.name(member);
                    match member.sensitive || SECRETS.contains(&member.name) {
                        true => map.serialize_entry(&name, if self.ec2 { HIDDEN_BY_EC2 } else { HIDDEN })?,
                        false => map.serialize_entry(&name, &self.inner(value, (member.kind)()))?,
                    }
                }
                map.end()
            }
            _ => to.serialize_unit(),
        }
    }
}

/// The items of a list.
struct Items<'v> {
    shown: &'v Shown<'v>,
    items: &'v [Value],
    of: fn() -> Kind,
}

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_seq(Some(self.items.len()))?;
        for item in self.items {
            list.serialize_element(&self.shown.inner(item, (self.of)()))?;
        }
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Blob, Shape, member, shape};

    shape! {
        pub struct Inner {
            key: Option<String> = member("Key"),
        }
        pub struct Asked {
            arn: Option<String> = member("ARN"),
            secret_id: Option<String> = member("SecretId"),
            secret_string: Option<String> = member("SecretString").sensitive(),
            user_data: Option<String> = member("UserData"),
            bytes: Option<Blob> = member("Bytes"),
            instance_ids: Vec<String> = member("InstanceIds").element("instancesSet"),
            inner: Vec<Inner> = member("Inner"),
        }
    }

    fn shown(asked: Asked, protocol: Protocol, side: Side) -> serde_json::Value {
        let text = trail(&asked.into_value(), <Asked as crate::StructTyped>::SHAPE, protocol, side);
        serde_json::from_slice(&text).expect("JSON")
    }

    #[test]
    fn names_are_small_and_secrets_are_not_there() {
        let asked = || Asked {
            arn: Some("a".to_owned()),
            secret_id: Some("s".to_owned()),
            secret_string: Some("hunter2".to_owned()),
            user_data: Some("hunter2".to_owned()),
            bytes: Some(Blob(b"hunter2".to_vec())),
            instance_ids: vec!["i-1".to_owned()],
            inner: vec![Inner { key: Some("k".to_owned()) }],
        };
        assert_eq!(
            shown(asked(), Protocol::Json11, Side::Request),
            serde_json::json!({
                "arn": "a", "secretId": "s", "secretString": HIDDEN, "userData": HIDDEN, "instanceIds": ["i-1"],
                "inner": [{"key": "k"}],
            })
        );
        let ec2 = shown(asked(), Protocol::Ec2, Side::Response);
        assert_eq!(ec2["instancesSet"], serde_json::json!({"items": ["i-1"]}));
        assert!(!ec2.to_string().contains("hunter2"), "{ec2}");
        let ec2 = shown(asked(), Protocol::Ec2, Side::Request);
        assert_eq!(ec2["instancesSet"], serde_json::json!({"items": ["i-1"]}));
    }
}
