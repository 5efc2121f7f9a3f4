//! What is published: text for each protocol, subject, attributes; checked. Source: Amazon SNS API Reference, Publish;
//! Developer Guide, "Amazon SNS message attributes".

use crate::errors::invalid;
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_delivery::Attribute;
use kiln_service_kit::{Error, Map};
use kiln_sns_shapes::MessageAttributeValue;
use serde::de::{MapAccess, Visitor};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// 256 KB, of text and attributes together.
pub const LONGEST: usize = 262_144;
/// Characters of a subject.
const LONGEST_SUBJECT: usize = 100;
const LONGEST_NAME: usize = 256;

/// A message that can be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    text: String,
    /// Texts of their own, by protocol.
    by_protocol: BTreeMap<String, String>,
    pub subject: Option<String>,
    pub attributes: Vec<Attribute>,
    /// Bytes, as they count.
    pub size: usize,
}

impl Message {
    /// Checks what is to be published.
    pub fn new(
        text: String,
        subject: Option<String>,
        structure: Option<&str>,
        attributes: Map<MessageAttributeValue>,
    ) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(invalid("Empty message"));
        }
        if let Some(subject) = &subject {
            check_subject(subject)?;
        }
        let size = text.len() + attributes.iter().map(|(name, value)| size_of(name, value)).sum::<usize>();
        if size > LONGEST {
            return Err(invalid("Message too long"));
        }
        let attributes =
            attributes.into_iter().map(|(name, value)| attribute(name, value)).collect::<Result<_, _>>()?;
        let (text, by_protocol) = match structure {
            None => (text, BTreeMap::new()),
            Some("json") => by_protocol(&text)?,
            Some(_) => return Err(invalid("MessageStructure")),
        };
        Ok(Self { text, by_protocol, subject, attributes, size })
    }

    /// The text for a protocol.
    pub fn text_for(&self, protocol: &str) -> &str {
        self.by_protocol.get(protocol).unwrap_or(&self.text)
    }

    /// The attributes as filters look at them; binary ones are nothing to them.
    pub fn as_object(&self) -> Json {
        let mut object = serde_json::Map::new();
        for Attribute { name, kind, value } in &self.attributes {
            let read = match kind.split('.').next() {
                _ if kind == "String.Array" => serde_json::from_str(value).ok().filter(Json::is_array),
                Some("String") => Some(json!(value)),
                Some("Number") => value.parse::<f64>().ok().map(|number| json!(number)),
                _ => None,
            };
            object.extend(read.map(|read| (name.clone(), read)));
        }
        Json::Object(object)
    }
}

fn check_subject(subject: &str) -> Result<(), Error> {
    let length = subject.chars().count();
    match (1..=LONGEST_SUBJECT).contains(&length) && !subject.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(invalid("Subject")),
    }
}

fn size_of(name: &str, value: &MessageAttributeValue) -> usize {
    let text = value.string_value.as_deref().map_or(0, str::len);
    let bytes = value.binary_value.as_ref().map_or(0, |bytes| bytes.0.len());
    name.len() + value.data_type.len() + text + bytes
}

fn attribute(name: String, value: MessageAttributeValue) -> Result<Attribute, Error> {
    let wrong = |what: String| Error::sender("ParameterValueInvalid", what);
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let lower = name.to_ascii_lowercase();
    let reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    let dots = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(good) || reserved || dots {
        return Err(wrong(format!(
            "The message attribute name '{}' is invalid.",
            kiln_service_kit::one_line(&name, 100)
        )));
    }
    let kind = value.data_type;
    if kind.is_empty() {
        return Err(wrong(format!("The message attribute '{name}' must contain non-empty message attribute type.")));
    }
    let start = kind.split('.').next().unwrap_or_default();
    if !["String", "Number", "Binary"].contains(&start) || kind.len() > LONGEST_NAME || !kind.chars().all(good) {
        let text = "the set of supported type prefixes is Binary, Number, and String.";
        return Err(wrong(format!("The message attribute '{name}' has an invalid message attribute type, {text}")));
    }
    let given = match (start, value.string_value, value.binary_value) {
        ("Binary", None, Some(bytes)) if !bytes.0.is_empty() => STANDARD.encode(bytes.0),
        ("String" | "Number", Some(text), None) if !text.is_empty() => text,
        _ => {
            let text = format!("must contain non-empty message attribute value for message attribute type '{kind}'.");
            return Err(wrong(format!("The message attribute '{name}' {text}")));
        }
    };
    if start == "Number" && !given.trim().parse::<f64>().is_ok_and(f64::is_finite) {
        return Err(wrong(format!("Could not cast message attribute '{name}' value to number.")));
    }
    Ok(Attribute { name, kind, value: given })
}

/// The texts of a message that has one for each protocol: an object with `default`.
fn by_protocol(text: &str) -> Result<(String, BTreeMap<String, String>), Error> {
    let unread = || invalid("Message Structure - JSON message body failed to parse");
    let all: Pairs = serde_json::from_str(text).map_err(|_| unread())?;
    let mut texts = BTreeMap::new();
    let mut names = std::collections::BTreeSet::new();
    for (name, value) in all.0 {
        if !names.insert(name.clone()) {
            return Err(invalid(format_args!("Message Structure - Duplicate key in JSON message body: {name}")));
        }
        // What is no text is as if it were not said.
        if let Json::String(value) = value {
            texts.insert(name, value);
        }
    }
    let default = texts.get("default").cloned();
    let default = default.ok_or_else(|| invalid("Message Structure - No default entry in JSON message body"))?;
    Ok((default, texts))
}

/// The members of an object, also those that stand there twice.
struct Pairs(Vec<(String, Json)>);

impl<'de> serde::Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Pairs;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut all = vec![];
                while let Some(pair) = map.next_entry()? {
                    all.push(pair);
                }
                Ok(Pairs(all))
            }
        }
        from.deserialize_map(Read)
    }
}
