//! Generated shapes inside a service's records.
//!
//! Shapes carry no serde derives (compile time); their tables already say how they look as JSON.
//! The stored form is that JSON, by the model's member names: unknown members are skipped and
//! missing ones are absent, so records outlive model updates.
//!
//! ```
//! use kiln_protocol::{member, shape};
//! shape! { pub struct Tag { key: Option<String> = member("Key") } }
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Record {
//!     #[serde(with = "kiln_protocol::stored")]
//!     tag: Tag,
//!     // `default` lets old records lack the field
//!     #[serde(with = "kiln_protocol::stored", default)]
//!     more: Vec<Tag>,
//! }
//! ```

use crate::json::{Reader, State, Writer, WriterStyle};
use crate::{Error, Shape};
use serde::de::{DeserializeSeed, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

/// The JSON of a modelled value, by model names.
pub fn to_json<T: Shape>(value: &T) -> serde_json::Value {
    let value = value.clone().into_value();
    serde_json::to_value(Writer::new(&value, T::kind(), WriterStyle::Wire)).expect("a value always has a JSON form")
}

/// The modelled value in such JSON.
pub fn from_json<T: Shape>(json: serde_json::Value) -> Result<T, Error> {
    let state = State::new();
    match Reader::new(T::kind(), &state).deserialize(json) {
        Ok(value) => T::from_value(value),
        Err(e) => Err(state.take().unwrap_or_else(|| Error::sender("SerializationException", e.to_string()))),
    }
}

/// For `#[serde(with = "kiln_protocol::stored")]` on a shape, or an `Option`, `Vec` or `Map` of shapes.
pub fn serialize<T: Shape, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    let value = value.clone().into_value();
    Writer::new(&value, T::kind(), WriterStyle::Wire).serialize(to)
}

/// For `#[serde(with = "kiln_protocol::stored")]`.
pub fn deserialize<'de, T: Shape, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let state = State::new();
    let value = Reader::new(T::kind(), &state).deserialize(from)?;
    T::from_value(value).map_err(D::Error::custom)
}
