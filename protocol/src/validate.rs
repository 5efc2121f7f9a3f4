//! Checks a decoded request against its table, with AWS's wording.
//!
//! The query and JSON protocols report every violation at once; EC2 reports the first, in its own
//! words. Paths are only spelled out for a violation.

use crate::{Error, Kind, Limits, Member, Protocol, StructShape, Value, pattern};
use std::fmt::Write as _;

/// More are counted, but not told.
const MOST_TOLD: usize = 32;

/// Characters of a client token of EC2's.
const MOST_TOKEN: usize = 64;

/// Bytes of a value that a message shows.
const MOST_SHOWN: usize = 512;

/// Checks a structure as a service of that protocol would.
pub fn validate(value: &Value, shape: &'static StructShape, protocol: Protocol) -> Result<(), Error> {
    let mut check = Check { found: vec![], count: 0, ec2: protocol == Protocol::Ec2 };
    check.structure(value, shape, &Path::Root);
    let Check { found, count, ec2 } = check;
    if count == 0 {
        return Ok(());
    }
    if ec2 {
        return found.into_iter().next().map_or(Ok(()), |first| Err(first.ec2()));
    }
    let code = if protocol == Protocol::Query { "ValidationError" } else { "ValidationException" };
    Err(Error::sender(code, message(count, &found)))
}

fn message(count: usize, found: &[Violation]) -> String {
    let mut message = format!("{count} validation error{} detected: ", if count == 1 { "" } else { "s" });
    for (i, violation) in found.iter().enumerate() {
        if i > 0 {
            message.push_str("; ");
        }
        let Violation { shown, path, constraint, .. } = violation;
        let shown = shown.as_deref().map_or(String::new(), |s| format!(" {s}"));
        let _ = write!(message, "Value{shown} at '{path}' failed to satisfy constraint: {constraint}");
    }
    if count > found.len() {
        let _ = write!(message, "; and {} more", count - found.len());
    }
    message
}

/// Where the walk is, as a chain on the stack.
enum Path<'a> {
    Root,
    Member(&'a Path<'a>, &'static Member),
    /// Counted from 1.
    Item(&'a Path<'a>, usize),
    Entry(&'a Path<'a>, &'a str),
}

impl Path<'_> {
    /// `groups.1.member.name`.
    fn show(&self, out: &mut String) {
        match self {
            Path::Root => {}
            Path::Member(up, member) => {
                up.show(out);
                dot(out);
                let mut letters = member.name.chars();
                out.extend(letters.next().map(|c| c.to_ascii_lowercase()));
                out.push_str(letters.as_str());
            }
            Path::Item(up, number) => {
                up.show(out);
                let _ = write!(out, ".{number}.member");
            }
            Path::Entry(up, key) => {
                up.show(out);
                let _ = write!(out, ".{}.member", cut(key));
            }
        }
    }

    /// `Filter.1.Name`: as an ec2 request spells it.
    fn key(&self, out: &mut String) {
        match self {
            Path::Root => {}
            Path::Member(up, member) => {
                up.key(out);
                dot(out);
                out.push_str(member.key);
            }
            Path::Item(up, number) => {
                up.key(out);
                let _ = write!(out, ".{number}");
            }
            Path::Entry(up, key) => {
                up.key(out);
                let _ = write!(out, ".{}", cut(key));
            }
        }
    }
}

fn dot(out: &mut String) {
    if !out.is_empty() {
        out.push('.');
    }
}

/// One demand that is not met.
struct Violation {
    /// `'text'` or `null`; nothing for a sensitive value.
    shown: Option<String>,
    path: String,
    key: String,
    constraint: String,
    missing: bool,
    not_in_enum: bool,
}

impl Violation {
    fn ec2(self) -> Error {
        if self.missing {
            return Error::sender("MissingParameter", format!("The request must contain the parameter {}", self.key));
        }
        let shown = self.shown.unwrap_or_default();
        let value = shown.trim_matches('\'');
        if self.not_in_enum {
            return Error::sender("InvalidParameterValue", format!("Invalid value '{value}' for {}.", self.key));
        }
        let message = format!("Value ({value}) for parameter {} is invalid. {}", self.path, self.constraint);
        Error::sender("InvalidParameterValue", message)
    }
}

struct Check {
    found: Vec<Violation>,
    count: usize,
    ec2: bool,
}

impl Check {
    fn structure(&mut self, value: &Value, shape: &'static StructShape, up: &Path) {
        let Value::Struct(values) = value else { return };
        for (at, member) in shape.members.iter().enumerate() {
            let path = Path::Member(up, member);
            match values.get(at) {
                None | Some(Value::Absent) if member.limits.required && !member.token => {
                    self.missing(&path);
                }
                None | Some(Value::Absent) => {}
                Some(value) => {
                    self.token(value, member, &path);
                    self.limits(value, &member.limits, &path, member.sensitive);
                    self.inner(value, (member.kind)(), member, &path);
                }
            }
        }
    }

    /// EC2's client tokens are "up to 64 ASCII characters", which its model does not say. Source:
    /// "Ensuring idempotency in Amazon EC2 API requests".
    fn token(&mut self, value: &Value, member: &'static Member, path: &Path) {
        let Value::Text(text) = value else { return };
        if self.ec2 && member.name == "ClientToken" && (text.len() > MOST_TOKEN || !text.is_ascii()) {
            let constraint = format!("It must have at most {MOST_TOKEN} ASCII characters.");
            self.violation(Some(value), constraint, path, member.sensitive, false);
        }
    }

    /// What is inside a list, map or structure.
    fn inner(&mut self, value: &Value, kind: Kind, member: &'static Member, path: &Path) {
        match (value, kind) {
            (Value::Struct(_), Kind::Struct(shape)) => self.structure(value, shape, path),
            (Value::List(items), Kind::List(of)) => {
                self.items(value, items.iter(), "Member must satisfy constraint", member, path);
                for (i, item) in items.iter().enumerate() {
                    let path = Path::Item(path, i + 1);
                    if item.is_absent() {
                        self.missing(&path);
                    }
                    self.nested(item, of(), &path);
                }
            }
            (Value::Map(entries), Kind::Map(of)) => {
                self.items(value, entries.values(), "Map value must satisfy constraint", member, path);
                for (key, item) in entries {
                    self.nested(item, of(), &Path::Entry(path, key));
                }
            }
            _ => {}
        }
    }

    /// Below the first level of a list or map only structures carry demands.
    fn nested(&mut self, value: &Value, kind: Kind, path: &Path) {
        match (value, kind) {
            (Value::Struct(_), Kind::Struct(shape)) => self.structure(value, shape, path),
            (Value::List(items), Kind::List(of)) => {
                for (i, item) in items.iter().enumerate() {
                    self.nested(item, of(), &Path::Item(path, i + 1));
                }
            }
            (Value::Map(entries), Kind::Map(of)) => {
                for (key, item) in entries {
                    self.nested(item, of(), &Path::Entry(path, key));
                }
            }
            _ => {}
        }
    }

    /// AWS reports a bad item at its list, with everything demanded of items.
    fn items<'v>(
        &mut self,
        whole: &Value,
        mut items: impl Iterator<Item = &'v Value>,
        lead: &str,
        member: &'static Member,
        path: &Path,
    ) {
        let limits = &member.item_limits;
        let Some(bad) = items.find(|item| !broken(item, limits).is_empty()) else { return };
        let all = demands(bad, limits).join(", ");
        let not_in_enum = !limits.one_of.is_empty();
        // EC2 names the item, the others the list.
        let shown = if self.ec2 { bad } else { whole };
        self.violation(Some(shown), format!("{lead}: [{all}]"), path, member.sensitive, not_in_enum);
    }

    fn limits(&mut self, value: &Value, limits: &'static Limits, path: &Path, sensitive: bool) {
        for demand in broken(value, limits) {
            let not_in_enum = matches!(demand, Demand::OneOf(_));
            self.violation(Some(value), demand.sentence(), path, sensitive, not_in_enum);
        }
    }

    fn missing(&mut self, path: &Path) {
        self.violation(None, "Member must not be null".into(), path, false, false);
    }

    fn violation(
        &mut self,
        value: Option<&Value>,
        constraint: String,
        path: &Path,
        sensitive: bool,
        not_in_enum: bool,
    ) {
        self.count += 1;
        if self.found.len() >= MOST_TOLD {
            return;
        }
        let shown = match value {
            _ if sensitive => None,
            None => Some("null".to_owned()),
            Some(value) => {
                let mut text = String::new();
                show(value, &mut text);
                Some(format!("'{}'", cut(&text)))
            }
        };
        let (mut spelled, mut key) = (String::new(), String::new());
        path.show(&mut spelled);
        path.key(&mut key);
        self.found.push(Violation { shown, path: spelled, key, constraint, missing: value.is_none(), not_in_enum });
    }
}

/// One thing a model demands of a value.
enum Demand {
    Least(&'static str, i64),
    Greatest(&'static str, i64),
    Pattern(&'static str),
    OneOf(&'static [&'static str]),
}

impl Demand {
    fn sentence(&self) -> String {
        match self {
            Demand::Least(what, n) => format!("Member must have {what} greater than or equal to {n}"),
            Demand::Greatest(what, n) => format!("Member must have {what} less than or equal to {n}"),
            Demand::Pattern(p) => {
                // The tables hold the `regex` crate's spelling of what AWS writes as surrogates.
                let p = p.replace(r"\x{10000}-\x{10FFFF}", r"\uD800\uDC00-\uDBFF\uDFFF");
                format!("Member must satisfy regular expression pattern: {p}")
            }
            Demand::OneOf(set) => format!("Member must satisfy enum value set: [{}]", set.join(", ")),
        }
    }
}

/// The size a limit speaks of, and its name.
fn size(value: &Value) -> Option<(f64, &'static str)> {
    Some(match value {
        Value::Text(t) => (t.chars().count() as f64, "length"),
        Value::Blob(b) => (b.len() as f64, "length"),
        Value::List(l) => (l.len() as f64, "length"),
        Value::Map(m) => (m.len() as f64, "length"),
        Value::Int(i) => (*i as f64, "value"),
        Value::Float(f) => (*f, "value"),
        Value::Absent | Value::Bool(_) | Value::Time(_) | Value::Struct(_) => return None,
    })
}

/// What is not met.
fn broken(value: &Value, limits: &Limits) -> Vec<Demand> {
    let mut found = vec![];
    if let Value::Text(text) = value
        && !limits.one_of.is_empty()
        && !limits.one_of.contains(&text.as_str())
    {
        found.push(Demand::OneOf(limits.one_of));
    }
    if (limits.min.is_some() || limits.max.is_some())
        && let Some((size, what)) = size(value)
    {
        if let Some(max) = limits.max.filter(|max| size > *max as f64) {
            found.push(Demand::Greatest(what, max));
        }
        if let Some(min) = limits.min.filter(|min| size < *min as f64) {
            found.push(Demand::Least(what, min));
        }
    }
    if let (Some(pattern), Value::Text(text)) = (limits.pattern, value)
        && !pattern::matches(pattern, text)
    {
        found.push(Demand::Pattern(pattern));
    }
    found
}

/// Everything demanded, met or not.
fn demands(value: &Value, limits: &Limits) -> Vec<String> {
    let what = size(value).map_or("length", |(_, what)| what);
    let one_of = (!limits.one_of.is_empty()).then_some(Demand::OneOf(limits.one_of));
    let max = limits.max.map(|max| Demand::Greatest(what, max));
    let min = limits.min.map(|min| Demand::Least(what, min));
    let pattern = limits.pattern.map(Demand::Pattern);
    [one_of, max, min, pattern].iter().flatten().map(Demand::sentence).collect()
}

/// The way Java prints a value, as far as messages need it.
fn show(value: &Value, out: &mut String) {
    if out.len() > MOST_SHOWN {
        return;
    }
    match value {
        Value::Absent => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(i) => out.push_str(&i.to_string()),
        Value::Float(f) => out.push_str(&crate::scalar::show_float(*f)),
        Value::Text(t) => out.push_str(cut(t)),
        Value::Blob(b) => out.push_str(&format!("{} bytes", b.len())),
        Value::Time(t) => out.push_str(&t.to_string()),
        Value::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                show(item, out);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (i, (key, value)) in entries.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                out.push_str(cut(key));
                out.push('=');
                show(value, out);
            }
            out.push('}');
        }
        // Java prints the class and an address; and a member may be sensitive.
        Value::Struct(_) => out.push_str("{...}"),
    }
}

/// The start of a long text.
fn cut(text: &str) -> &str {
    if text.len() <= MOST_SHOWN {
        return text;
    }
    let mut end = MOST_SHOWN;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
