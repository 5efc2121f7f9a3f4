//! The writing walker: a [`Value`] beside its kind, as something serde can write.

use crate::{Kind, Member, StructShape, TimeFormat, Value, scalar};
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// The JSON of a structure. Members that are absent are left out.
pub fn encode(value: &Value, shape: &'static StructShape) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    encode_into(&mut out, value, shape);
    out
}

fn encode_into(out: &mut Vec<u8>, value: &Value, shape: &'static StructShape) {
    let writer = Writer::new(value, Kind::Struct(shape), WriterStyle::Wire);
    serde_json::to_writer(out, &writer).expect("writing a value to memory cannot fail");
}

/// A structure as JSON for logs: sensitive members are replaced by `***`.
pub fn redact(value: &Value, shape: &'static StructShape) -> serde_json::Value {
    let writer = Writer::new(value, Kind::Struct(shape), WriterStyle::Log);
    serde_json::to_value(&writer).expect("a value always has a JSON form")
}

/// For whom it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriterStyle {
    /// Everything.
    Wire,
    /// Without sensitive members.
    Log,
}

/// Writes one value of a kind.
pub(crate) struct Writer<'v> {
    value: &'v Value,
    kind: Kind,
    time: TimeFormat,
    style: WriterStyle,
}

impl<'v> Writer<'v> {
    pub(crate) fn new(value: &'v Value, kind: Kind, style: WriterStyle) -> Self {
        Self { value, kind, time: TimeFormat::Protocol, style }
    }

    fn inner(&self, value: &'v Value, kind: Kind, time: TimeFormat) -> Writer<'v> {
        Writer { value, kind, time, style: self.style }
    }

    fn member<M: SerializeMap>(&self, out: &mut M, member: &Member, value: &'v Value) -> Result<(), M::Error> {
        if member.sensitive && self.style == WriterStyle::Log {
            return out.serialize_entry(member.name, "***");
        }
        out.serialize_entry(member.name, &self.inner(value, (member.kind)(), member.time))
    }
}

impl Serialize for Writer<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match (self.value, self.kind) {
            (Value::Absent, _) => to.serialize_unit(),
            (Value::Bool(b), _) => to.serialize_bool(*b),
            (Value::Int(i), _) => to.serialize_i64(*i),
            (Value::Float(f), _) if f.is_finite() => to.serialize_f64(*f),
            (Value::Float(f), _) => to.serialize_str(&scalar::show_float(*f)),
            (Value::Text(t), _) => to.serialize_str(t),
            (Value::Blob(b), _) => to.collect_str(&Base64Display::new(b, &STANDARD)),
            (Value::Time(t), _) => match self.time {
                TimeFormat::Protocol | TimeFormat::Epoch if t.millis() % 1000 == 0 => {
                    to.serialize_i64(t.epoch_seconds())
                }
                TimeFormat::Protocol | TimeFormat::Epoch => to.serialize_f64(t.epoch_seconds_f64()),
                format => to.serialize_str(&scalar::show_time(*t, format, TimeFormat::Epoch)),
            },
            (Value::List(items), Kind::List(of)) => {
                let mut list = to.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&self.inner(item, of(), self.time))?;
                }
                list.end()
            }
            (Value::Map(entries), Kind::Map(of)) => {
                let mut map = to.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, &self.inner(value, of(), self.time))?;
                }
                map.end()
            }
            (Value::Struct(values), Kind::Struct(shape)) => {
                let mut map = to.serialize_map(None)?;
                for (value, member) in values.iter().zip(shape.members) {
                    if !member.is_left_out(value) {
                        self.member(&mut map, member, value)?;
                    }
                }
                map.end()
            }
            (Value::List(_) | Value::Map(_) | Value::Struct(_), _) => {
                Err(serde::ser::Error::custom("the value is not of the kind its shape says"))
            }
        }
    }
}
