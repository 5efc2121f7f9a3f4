//! The reading walker: a serde seed that carries a [`Kind`] where others carry a type.
//!
//! Serde errors are texts, but callers need AWS's. The walker leaves the true error in its
//! [`State`] and gives serde a placeholder.

use crate::bounds::{Budget, MAX_DEPTH};
use crate::{Error, Kind, Map, StructShape, TimeFormat, Value, scalar};
use kiln_clock::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::cell::RefCell;
use std::fmt;

pub(super) fn decode(body: &[u8], shape: &'static StructShape) -> Result<Value, Error> {
    let state = State::new();
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = Reader::new(Kind::Struct(shape), &state).deserialize(&mut json);
    match value.and_then(|v| json.end().map(|()| v)) {
        Ok(Value::Absent) => Err(not_json("the body is null")),
        Ok(value) => Ok(value),
        Err(e) => Err(state.take().unwrap_or_else(|| not_json(e))),
    }
}

/// What is wrong with a text that is no JSON, and where.
fn not_json(what: impl fmt::Display) -> Error {
    Error::sender("SerializationException", format!("The request body is not valid JSON: {what}"))
}

/// What one reading shares.
pub(crate) struct State {
    error: RefCell<Option<Error>>,
    budget: Budget,
}

impl State {
    pub(crate) fn new() -> Self {
        Self { error: RefCell::new(None), budget: Budget::new() }
    }

    /// The error that ended the reading, unless the grammar did.
    pub(crate) fn take(&self) -> Option<Error> {
        self.error.borrow_mut().take()
    }

    fn fail<E: serde::de::Error>(&self, message: impl Into<String>) -> E {
        let error = Error::sender("SerializationException", message);
        let placeholder = E::custom(&error.message);
        *self.error.borrow_mut() = Some(error);
        placeholder
    }

    fn pay<E: serde::de::Error>(&self, count: usize) -> Result<(), E> {
        self.budget.take(count).map_err(|_| self.fail("The request holds too many values"))
    }
}

/// Reads one value of a kind.
pub(crate) struct Reader<'s> {
    kind: Kind,
    time: TimeFormat,
    depth: u32,
    state: &'s State,
}

impl<'s> Reader<'s> {
    pub(crate) fn new(kind: Kind, state: &'s State) -> Self {
        Self { kind, time: TimeFormat::Protocol, depth: 0, state }
    }

    fn inner(&self, kind: Kind, time: TimeFormat) -> Reader<'s> {
        Reader { kind, time, depth: self.depth + 1, state: self.state }
    }

    fn go_deeper<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.depth >= MAX_DEPTH { Err(self.state.fail("The request is nested too deeply")) } else { Ok(()) }
    }

    /// AWS's sentence for a single value where another kind belongs.
    fn mismatch<E: serde::de::Error>(&self, found: &str) -> E {
        self.state.fail(match self.kind {
            Kind::List(_) => "Expected list or null".to_owned(),
            Kind::Map(_) => "Expected map or null".to_owned(),
            Kind::Struct(_) => "Expected null".to_owned(),
            Kind::Text => format!("{found} can not be converted to a String"),
            Kind::Int => format!("{found} can not be converted to an Integer"),
            Kind::Float => format!("{found} can not be converted to a Double"),
            Kind::Bool => format!("{found} can not be converted to a Boolean"),
            Kind::Blob => format!("{found} can not be converted to a Blob"),
            Kind::Time => format!("{found} can not be converted to milliseconds since epoch"),
        })
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value of the operation's model")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Absent)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Absent)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        match self.kind {
            Kind::Bool => Ok(Value::Bool(value)),
            _ => Err(self.mismatch(if value { "TRUE_VALUE" } else { "FALSE_VALUE" })),
        }
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        match self.kind {
            Kind::Int => Ok(Value::Int(value)),
            Kind::Float => Ok(Value::Float(value as f64)),
            Kind::Time => Ok(Value::Time(Timestamp::from_epoch_seconds(value))),
            _ => Err(self.mismatch("NUMBER_VALUE")),
        }
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        /// Up to here every whole float is one integer only.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match self.kind {
            Kind::Float => Ok(Value::Float(value)),
            Kind::Int if value.fract() == 0.0 && value.abs() <= EXACT => Ok(Value::Int(value as i64)),
            Kind::Time if value.abs() < EXACT / 1000.0 => {
                Ok(Value::Time(Timestamp::from_millis((value * 1000.0).round() as i64)))
            }
            _ => Err(self.mismatch("NUMBER_VALUE")),
        }
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        match self.kind {
            Kind::Text => Ok(Value::Text(text.to_owned())),
            Kind::Blob => match scalar::from_base64(text) {
                Some(bytes) => Ok(Value::Blob(bytes)),
                None => Err(self.state.fail("Invalid base64 data")),
            },
            Kind::Float => match text {
                "NaN" | "Infinity" | "-Infinity" => Ok(scalar::read_float(text).map_or(Value::Absent, Value::Float)),
                _ => Err(self.mismatch("STRING_VALUE")),
            },
            Kind::Time if self.time == TimeFormat::Iso8601 || self.time == TimeFormat::Http => {
                Timestamp::parse(text).map(Value::Time).map_err(|_| self.mismatch("STRING_VALUE"))
            }
            Kind::Bool if text.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
            Kind::Bool if text.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
            _ => Err(self.mismatch("STRING_VALUE")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let Kind::List(of) = self.kind else {
            return Err(self.state.fail("Start of list found where not expected"));
        };
        self.go_deeper()?;
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(self.inner(of(), self.time))? {
            self.state.pay(1)?;
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        match self.kind {
            Kind::Struct(shape) => {
                self.go_deeper()?;
                self.state.pay(shape.members.len())?;
                let mut members = vec![Value::Absent; shape.members.len()];
                let mut likely = 0;
                while let Some(key) = from.next_key_seed(MemberName { shape, likely })? {
                    match key {
                        Some(at) => {
                            let member = &shape.members[at];
                            members[at] = from.next_value_seed(self.inner((member.kind)(), member.time))?;
                            likely = at + 1;
                        }
                        None => {
                            from.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Value::Struct(members))
            }
            Kind::Map(of) => {
                self.go_deeper()?;
                let mut map = Map::new();
                while let Some(key) = from.next_key::<String>()? {
                    self.state.pay(2)?;
                    map.insert(key, from.next_value_seed(self.inner(of(), self.time))?);
                }
                Ok(Value::Map(map))
            }
            _ => Err(self.state.fail("Start of structure or map found where not expected.")),
        }
    }
}

/// Looks a key up in the table without keeping it. Clients mostly write members in the model's
/// order, so the one after the last is tried first.
struct MemberName {
    shape: &'static StructShape,
    likely: usize,
}

impl<'de> DeserializeSeed<'de> for MemberName {
    type Value = Option<usize>;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for MemberName {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        if self.shape.members.get(self.likely).is_some_and(|m| m.name == name) {
            return Ok(Some(self.likely));
        }
        Ok(self.shape.find(name).map(|(at, _)| at))
    }
}
