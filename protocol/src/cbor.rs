//! rpc-v2-cbor bodies (RFC 8949).
//!
//! A walker of its own: the format is small, clients mix definite and indefinite lengths, and the
//! table says what every value must be, so no tree and no other crate is needed.

use crate::bounds::{Budget, MAX_DEPTH};
use crate::{Error, Kind, Map, StructShape, Value};
use kiln_clock::Timestamp;

/// The structure in a body; an empty body is an empty structure.
pub fn decode(body: &[u8], shape: &'static StructShape) -> Result<Value, Error> {
    if body.is_empty() {
        return Ok(Value::Struct(vec![Value::Absent; shape.members.len()]));
    }
    let mut reader = Reader { rest: body, budget: Budget::new() };
    let value = reader.value(&Kind::Struct(shape), 0)?;
    match value {
        Value::Struct(_) if reader.rest.is_empty() => Ok(value),
        _ => Err(bad("the body is not one map")),
    }
}

fn bad(what: &str) -> Error {
    Error::sender("SerializationException", format!("The request body is not valid CBOR: {what}"))
}

const INDEFINITE: u8 = 31;
const BREAK: u8 = 0xff;

struct Reader<'b> {
    rest: &'b [u8],
    budget: Budget,
}

/// The first byte of an item and the number that follows it.
struct Head {
    major: u8,
    info: u8,
    number: u64,
}

impl<'b> Reader<'b> {
    fn pay(&self, count: usize) -> Result<(), Error> {
        self.budget.take(count).map_err(|_| bad("it holds too many values"))
    }

    fn bytes(&mut self, count: u64) -> Result<&'b [u8], Error> {
        let count = usize::try_from(count).map_err(|_| bad("it ends early"))?;
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| bad("it ends early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn head(&mut self) -> Result<Head, Error> {
        let first = self.bytes(1)?[0];
        let (major, info) = (first >> 5, first & 31);
        let number = match info {
            0..=23 => u64::from(info),
            24..=27 => self.bytes(1 << (info - 24))?.iter().fold(0, |n, b| n << 8 | u64::from(*b)),
            INDEFINITE if matches!(major, 2..=5 | 7) => 0,
            _ => return Err(bad("a length is malformed")),
        };
        Ok(Head { major, info, number })
    }

    /// Whether another item follows in a list or map of which `seen` were read.
    fn more(&mut self, head: &Head, seen: u64) -> Result<bool, Error> {
        if head.info != INDEFINITE {
            return Ok(seen < head.number);
        }
        if self.rest.first() == Some(&BREAK) {
            self.rest = &self.rest[1..];
            return Ok(false);
        }
        Ok(true)
    }

    /// Bytes or text, in one piece or several.
    fn string(&mut self, head: &Head) -> Result<Vec<u8>, Error> {
        if head.info != INDEFINITE {
            return self.bytes(head.number).map(<[u8]>::to_vec);
        }
        let mut all = vec![];
        while self.more(head, 0)? {
            let piece = self.head()?;
            if piece.major != head.major || piece.info == INDEFINITE {
                return Err(bad("a piece of a string is malformed"));
            }
            all.extend_from_slice(self.bytes(piece.number)?);
        }
        Ok(all)
    }

    fn text(&mut self, head: &Head) -> Result<String, Error> {
        String::from_utf8(self.string(head)?).map_err(|_| bad("a text is not UTF-8"))
    }

    fn value(&mut self, kind: &Kind, depth: u32) -> Result<Value, Error> {
        if depth > MAX_DEPTH {
            return Err(bad("it is nested too deeply"));
        }
        let head = self.head()?;
        match (head.major, kind) {
            (7, _) if matches!(head.info, 22 | 23) => Ok(Value::Absent),
            (6, Kind::Time) if head.number == 1 => {
                let head = self.head()?;
                let seconds = number(&head).ok_or_else(|| bad("a timestamp is not a number"))?;
                let millis = (seconds * 1000.0).round();
                if millis.abs() > 1e16 {
                    return Err(bad("a timestamp is out of range"));
                }
                Ok(Value::Time(Timestamp::from_millis(millis as i64)))
            }
            (6, _) => self.value(kind, depth + 1),
            (3, Kind::Text) => self.text(&head).map(Value::Text),
            (2, Kind::Blob) => self.string(&head).map(Value::Blob),
            (0 | 1, Kind::Int) => integer(&head).map(Value::Int).ok_or_else(|| bad("an integer is out of range")),
            (0 | 1 | 7, Kind::Float) if number(&head).is_some() => Ok(Value::Float(number(&head).unwrap_or(f64::NAN))),
            (7, Kind::Bool) if matches!(head.info, 20 | 21) => Ok(Value::Bool(head.info == 21)),
            (4, Kind::List(of)) => {
                let mut items = vec![];
                while self.more(&head, items.len() as u64)? {
                    self.pay(1)?;
                    items.push(self.value(&of(), depth + 1)?);
                }
                Ok(Value::List(items))
            }
            (5, Kind::Map(of)) => {
                let (mut map, mut seen) = (Map::new(), 0);
                while self.more(&head, seen)? {
                    self.pay(2)?;
                    let key = self.key()?;
                    map.insert(key, self.value(&of(), depth + 1)?);
                    seen += 1;
                }
                Ok(Value::Map(map))
            }
            (5, Kind::Struct(shape)) => {
                self.pay(shape.members.len())?;
                let mut members = vec![Value::Absent; shape.members.len()];
                let mut seen = 0;
                while self.more(&head, seen)? {
                    let key = self.key()?;
                    match shape.find(&key) {
                        Some((at, member)) => members[at] = self.value(&(member.kind)(), depth + 1)?,
                        None => self.skip(depth + 1)?,
                    }
                    seen += 1;
                }
                Ok(Value::Struct(members))
            }
            _ => Err(bad("a value is not of the type its member has")),
        }
    }

    fn key(&mut self) -> Result<String, Error> {
        let head = self.head()?;
        if head.major != 3 {
            return Err(bad("a key is not a text"));
        }
        self.text(&head)
    }

    fn skip(&mut self, depth: u32) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(bad("it is nested too deeply"));
        }
        let head = self.head()?;
        match head.major {
            2 | 3 => drop(self.string(&head)?),
            4 | 5 => {
                let mut seen = 0;
                while self.more(&head, seen)? {
                    for _ in 0..head.major - 3 {
                        self.skip(depth + 1)?;
                    }
                    seen += 1;
                }
            }
            6 => self.skip(depth + 1)?,
            7 if head.info == INDEFINITE => return Err(bad("a break stands alone")),
            _ => {}
        }
        Ok(())
    }
}

fn integer(head: &Head) -> Option<i64> {
    let number = i64::try_from(head.number).ok()?;
    match head.major {
        0 => Some(number),
        1 => Some(-1 - number),
        _ => None,
    }
}

/// An integer or float as a float.
fn number(head: &Head) -> Option<f64> {
    match (head.major, head.info) {
        (0 | 1, _) => integer(head).map(|i| i as f64),
        (7, 25) => Some(half(head.number as u16)),
        (7, 26) => Some(f64::from(f32::from_bits(head.number as u32))),
        (7, 27) => Some(f64::from_bits(head.number)),
        _ => None,
    }
}

/// A 16-bit float.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

/// The CBOR of a structure. Members that are absent are left out.
pub fn encode(value: &Value, shape: &'static StructShape) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write(&mut out, value, Kind::Struct(shape));
    out
}

/// `{"__type":…,"message":…}` and the error's further members.
pub(crate) fn encode_error(error: &Error) -> Vec<u8> {
    let mut out = vec![];
    write_head(&mut out, 5, 2 + error.fields.len() as u64);
    for (name, text) in [("__type", error.code.as_ref()), ("message", &error.message)] {
        write_text(&mut out, name);
        write_text(&mut out, text);
    }
    for (name, text) in &error.fields {
        write_text(&mut out, name);
        write_text(&mut out, text);
    }
    out
}

fn write(out: &mut Vec<u8>, value: &Value, kind: Kind) {
    match (value, kind) {
        (Value::Bool(b), _) => out.push(0xf4 | u8::from(*b)),
        (Value::Int(i), _) if *i < 0 => write_head(out, 1, i.unsigned_abs() - 1),
        (Value::Int(i), _) => write_head(out, 0, i.unsigned_abs()),
        (Value::Float(f), _) => write_float(out, *f),
        (Value::Text(t), _) => write_text(out, t),
        (Value::Blob(b), _) => {
            write_head(out, 2, b.len() as u64);
            out.extend_from_slice(b);
        }
        (Value::Time(t), _) => {
            out.push(0xc1);
            write_float(out, t.epoch_seconds_f64());
        }
        (Value::List(items), Kind::List(of)) => {
            write_head(out, 4, items.len() as u64);
            items.iter().for_each(|item| write(out, item, of()));
        }
        (Value::Map(entries), Kind::Map(of)) => {
            write_head(out, 5, entries.len() as u64);
            for (key, value) in entries {
                write_text(out, key);
                write(out, value, of());
            }
        }
        (Value::Struct(values), Kind::Struct(shape)) => {
            let given = || values.iter().zip(shape.members).filter(|(v, member)| !member.is_left_out(v));
            write_head(out, 5, given().count() as u64);
            for (value, member) in given() {
                write_text(out, member.name);
                write(out, value, (member.kind)());
            }
        }
        (Value::Absent | Value::List(_) | Value::Map(_) | Value::Struct(_), _) => out.push(0xf6),
    }
}

fn write_head(out: &mut Vec<u8>, major: u8, number: u64) {
    let major = major << 5;
    let bytes = number.to_be_bytes();
    match number {
        0..=23 => out.push(major | number as u8),
        24..=0xff => out.extend_from_slice(&[major | 24, bytes[7]]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend_from_slice(&bytes[6..]);
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&bytes);
        }
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    write_head(out, 3, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn write_float(out: &mut Vec<u8>, float: f64) {
    out.push(0xfb);
    out.extend_from_slice(&float.to_be_bytes());
}
