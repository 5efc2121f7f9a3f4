//! The XML walker for answers.
//!
//! Written by hand rather than with quick-xml's writer: five functions, no event objects, and the
//! escaping has to drop what XML 1.0 cannot hold anyway.

use super::attribute;
use crate::{Kind, Member, StructShape, TimeFormat, Value, scalar};
use std::fmt::Write as _;

/// Grows an XML document.
pub(crate) struct Writer {
    out: String,
    /// Name of an item of a list that the table says nothing about (a list in a list).
    item: &'static str,
    /// ec2 has no flattened lists in answers, whatever its requests do.
    never_flat: bool,
}

impl Writer {
    pub(crate) fn query() -> Self {
        Self::new("member", false)
    }

    pub(crate) fn ec2() -> Self {
        Self::new("item", true)
    }

    fn new(item: &'static str, never_flat: bool) -> Self {
        let mut out = String::with_capacity(512);
        out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        Self { out, item, never_flat }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out.into_bytes()
    }

    pub(crate) fn open(&mut self, name: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
    }

    /// Opens an element with a namespace; none when that is empty.
    pub(crate) fn open_in(&mut self, name: &str, namespace: &str) {
        if namespace.is_empty() {
            return self.open(name);
        }
        self.out.push('<');
        self.out.push_str(name);
        self.out.push_str(" xmlns=\"");
        escape(&mut self.out, namespace);
        self.out.push_str("\">");
    }

    pub(crate) fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    fn empty(&mut self, name: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push_str("/>");
    }

    /// An element with a text.
    pub(crate) fn leaf(&mut self, name: &str, text: &str) {
        self.open(name);
        escape(&mut self.out, text);
        self.close(name);
    }

    /// The members of a structure, without an element around them.
    pub(crate) fn structure(&mut self, value: &Value, shape: &'static StructShape) {
        if let Value::Struct(values) = value {
            for (value, member) in values.iter().zip(shape.members) {
                if attribute(member).is_none() {
                    self.member(value, member);
                }
            }
        }
    }

    /// Opens an element with the attribute that its structure has (S3's `Grantee`: its type).
    fn open_typed(&mut self, name: &str, attribute: &str, value: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push_str(" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" ");
        self.out.push_str(attribute);
        self.out.push_str("=\"");
        escape(&mut self.out, value);
        self.out.push_str("\">");
    }

    /// One member; nothing when it is absent.
    pub(crate) fn member(&mut self, value: &Value, member: &Member) {
        let name = member.element;
        let flat = member.flattened && !self.never_flat;
        match (value, (member.kind)()) {
            _ if member.is_left_out(value) => {}
            (Value::List(items), Kind::List(of)) if flat => {
                for item in items {
                    self.element(name, item, of(), member);
                }
            }
            (Value::List(items), Kind::List(_)) if items.is_empty() => self.empty(name),
            (Value::List(items), Kind::List(of)) => {
                self.open(name);
                for item in items {
                    self.element(member.item, item, of(), member);
                }
                self.close(name);
            }
            (Value::Map(entries), Kind::Map(_)) if entries.is_empty() && !flat => self.empty(name),
            (Value::Map(entries), Kind::Map(of)) => {
                if !flat {
                    self.open(name);
                }
                let entry = if flat { name } else { "entry" };
                for (key, value) in entries {
                    self.open(entry);
                    self.leaf(member.map_names.0, key);
                    self.element(member.map_names.1, value, of(), member);
                    self.close(entry);
                }
                if !flat {
                    self.close(name);
                }
            }
            (value, kind) => self.element(name, value, kind, member),
        }
    }

    /// An element around a value that is no member itself: an item, a map's value.
    fn element(&mut self, name: &str, value: &Value, kind: Kind, member: &Member) {
        match (value, &kind) {
            (Value::Struct(values), Kind::Struct(shape)) => {
                let typed = shape.members.iter().zip(values).find(|(member, _)| attribute(member).is_some());
                match typed {
                    Some((member, Value::Text(text))) => self.open_typed(name, member.element, text),
                    _ => self.open(name),
                }
            }
            _ => self.open(name),
        }
        match (value, kind) {
            (Value::Absent, _) => {}
            (Value::Struct(_), Kind::Struct(shape)) => self.structure(value, shape),
            (Value::List(items), Kind::List(of)) => {
                for item in items {
                    self.element(self.item, item, of(), member);
                }
            }
            (Value::Map(entries), Kind::Map(of)) => {
                for (key, value) in entries {
                    self.open("entry");
                    self.leaf(member.map_names.0, key);
                    self.element(member.map_names.1, value, of(), member);
                    self.close("entry");
                }
            }
            (value, _) => self.text(value, member.time),
        }
        self.close(name);
    }

    /// A scalar's text.
    pub(crate) fn text(&mut self, value: &Value, time: TimeFormat) {
        match value {
            Value::Bool(b) => self.out.push_str(if *b { "true" } else { "false" }),
            Value::Int(i) => write!(self.out, "{i}").expect("writing to memory cannot fail"),
            Value::Float(f) => self.out.push_str(&scalar::show_float(*f)),
            Value::Text(t) => escape(&mut self.out, t),
            Value::Blob(b) => self.out.push_str(&scalar::to_base64(b)),
            Value::Time(t) => self.out.push_str(&scalar::show_time(*t, time, TimeFormat::Iso8601)),
            Value::Absent | Value::List(_) | Value::Map(_) | Value::Struct(_) => {}
        }
    }
}

/// Text as XML holds it. Characters that XML 1.0 cannot hold in any form are dropped: one stray
/// control character in a console output must not make the whole answer unreadable.
fn escape(out: &mut String, text: &str) {
    // U+FFFE and U+FFFF begin with 0xEF in UTF-8. Nearly every text is plain; looked at to its end without a branch
    // for each byte, which is many bytes at a time.
    let special = |b: u8| matches!(b, b'&' | b'<' | b'>' | b'"' | 0xef) || b < 0x20;
    if !text.bytes().fold(false, |found, byte| found | special(byte)) {
        out.push_str(text);
        return;
    }
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        let instead = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            // A parser would make a line feed of it.
            '\r' => "&#xD;",
            '\t' | '\n' => continue,
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => "",
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        out.push_str(instead);
        plain = at + c.len_utf8();
    }
    out.push_str(&text[plain..]);
}
