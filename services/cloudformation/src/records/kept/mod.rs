//! JSON that records keep, as its text: what templates and services say of a resource, and what events tell of it.
//!
//! A map of `serde_json` takes a tree node of 632 bytes for its first member, and another for each map in it. A
//! resource's properties are a few hundred bytes as text, are written and compared with every step, and looked into
//! by few. So they are kept as one text that all copies of a record share, and become a tree where they are used:
//!
//! ```text
//! a tree ── From ──▶ KeptJson (its text) ── value() ──▶ a tree of its own
//! record's JSON ── a tree ─▶ KeptJson ── piece by piece ──▶ record's JSON
//! ```
//! A record's JSON is what it would be with trees. The text is the one that `serde_json` writes of the value: maps
//! sorted, no spaces, wherever it came from, so that equal texts are equal values.
//!
//! Turned down: `serde_json`'s `RawValue`. It keeps a text as it was read, in any order, is not read inside tagged
//! enums, and needs a feature that is then everybody's.

mod pass;

use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// A value, kept as the text of its JSON. Copies share the text.
pub struct KeptJson<T = Json> {
    text: Arc<str>,
    of: PhantomData<fn() -> T>,
}

impl<T> KeptJson<T> {
    /// The JSON.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl<T: DeserializeOwned> KeptJson<T> {
    /// The value, read anew from the text: for one use, not for every turn of a loop.
    pub fn value(&self) -> T {
        serde_json::from_str(&self.text).expect("the text was written from such a value")
    }
}

impl<T: Serialize> From<&T> for KeptJson<T> {
    fn from(value: &T) -> Self {
        written(value).expect("a tree of JSON has text keys and can be written")
    }
}

impl<T: Serialize + Default> Default for KeptJson<T> {
    fn default() -> Self {
        Self::from(&T::default())
    }
}

fn written<T: Serialize>(value: &T) -> serde_json::Result<KeptJson<T>> {
    Ok(KeptJson { text: serde_json::to_string(value)?.into(), of: PhantomData })
}

impl<T> Clone for KeptJson<T> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), of: PhantomData }
    }
}

impl<T> PartialEq for KeptJson<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.text, &other.text) || self.text == other.text
    }
}

impl<T> fmt::Debug for KeptJson<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<T> Serialize for KeptJson<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        pass::on(&mut serde_json::Deserializer::from_str(&self.text), to).map_err(S::Error::custom)
    }
}

impl<'de, T: Serialize + Deserialize<'de>> Deserialize<'de> for KeptJson<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        written(&T::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn read(text: &str) -> KeptJson {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn every_kind_of_json_is_written_and_read_as_the_value_itself() {
        for value in [
            json!(null),
            json!(true),
            json!(0),
            json!(-7),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(1.5),
            json!(-0.25),
            json!(1e300),
            json!(""),
            json!("\"quoted\"\n\\ \u{0} grün 🔥"),
            json!([]),
            json!([[], [1, "a", null], {}]),
            json!({}),
            json!({"": {"b": [{"c": {}}], "a": false}, "\"": 1, "é": null}),
        ] {
            let kept = KeptJson::from(&value);
            assert_eq!(kept.text(), value.to_string());
            assert_eq!(kept.value(), value);
            assert_eq!(serde_json::to_string(&kept).unwrap(), value.to_string());
            assert_eq!(serde_json::to_string_pretty(&kept).unwrap(), serde_json::to_string_pretty(&value).unwrap());
            assert_eq!(serde_json::to_value(&kept).unwrap(), value);
            assert_eq!(read(&value.to_string()), kept);
            assert_eq!(serde_json::from_value::<KeptJson>(value).unwrap(), kept);
        }
    }

    #[test]
    fn equal_values_are_equal_however_they_were_written() {
        let kept = KeptJson::from(&json!({"a": [1, {"x": "ü"}], "b": 1.0}));
        assert_eq!(read(" { \"b\" : 1.0e0,\n \"a\" : [ 1 , {\"x\":\"\\u00fc\"} ] } "), kept);
        assert_eq!(kept.clone(), kept);
        for other in [json!({"a": [1, {"x": "ü"}], "b": 1}), json!({"a": [1, {"x": "u"}], "b": 1.0}), json!(null)] {
            assert_ne!(KeptJson::from(&other), kept);
        }
    }

    /// As in any field of a record: none is `null`, and enums that look at a value before they know it pass it on.
    #[test]
    fn it_stands_in_for_a_value_wherever_one_may_be() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        enum Tagged<J> {
            Of { none: Option<J>, some: Option<J>, null: J },
        }
        let some = json!({"b": [1, -2, 2.5], "a": null});
        let value = Tagged::Of { none: None, some: Some(some.clone()), null: Json::Null };
        let kept = Tagged::Of { none: None, some: Some(KeptJson::from(&some)), null: KeptJson::from(&Json::Null) };
        let text = serde_json::to_string(&value).unwrap();
        assert_eq!(serde_json::to_string(&kept).unwrap(), text);
        assert_eq!(serde_json::from_str::<Tagged<KeptJson>>(&text).unwrap(), kept);
    }

    #[test]
    fn what_is_no_such_value_is_not_read() {
        type Texts = KeptJson<BTreeMap<String, String>>;
        let kept: Texts = serde_json::from_str(r#"{"b":"2","a":"1"}"#).unwrap();
        assert_eq!((kept.text(), kept.value().len()), (r#"{"a":"1","b":"2"}"#, 2));
        assert_eq!(Texts::default().text(), "{}");
        assert!(serde_json::from_str::<Texts>(r#"{"a":1}"#).is_err());
        assert!(serde_json::from_str::<KeptJson>(r#"{"a":"#).is_err());
    }
}
