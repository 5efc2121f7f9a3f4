//! The neutral form between wire and typed structs.

use kiln_clock::Timestamp;
use std::collections::BTreeMap;

/// String-keyed maps of the models; ordered, so that answers are reproducible.
pub type Map<T> = BTreeMap<String, T>;

/// Bytes that travel base64-encoded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blob(pub Vec<u8>);

/// A decoded value. Members of a structure stand in the order of its [`crate::StructShape`].
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Not given.
    Absent,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Blob(Vec<u8>),
    Time(Timestamp),
    List(Vec<Value>),
    Map(Map<Value>),
    /// Positional: one value per member of the shape.
    Struct(Vec<Value>),
}

impl Value {
    /// Whether the caller left it out.
    pub fn is_absent(&self) -> bool {
        matches!(self, Value::Absent)
    }
    /// The same with empty lists and maps as absent, all the way down. Typed structs cannot tell
    /// the two apart; a request made from one means "not given".
    pub fn without_empty(self) -> Value {
        match self {
            Value::List(items) if items.is_empty() => Value::Absent,
            Value::Map(entries) if entries.is_empty() => Value::Absent,
            Value::List(items) => Value::List(items.into_iter().map(Value::without_empty).collect()),
            Value::Map(entries) => Value::Map(entries.into_iter().map(|(k, v)| (k, v.without_empty())).collect()),
            Value::Struct(members) => Value::Struct(members.into_iter().map(Value::without_empty).collect()),
            other => other,
        }
    }
}
