//! One structure: its fields, their types and what the table says of each.

use super::Generator;
use crate::Result;
use crate::shapes::facts::{Ref, Shape};
use crate::shapes::names;
use crate::shapes::quirks::Quirk;
use std::collections::BTreeSet;

/// Beyond this a limit limits nothing: the greatest integer a JSON number keeps exactly.
const ABSURD: i64 = 1 << 53;

impl Generator<'_> {
    /// A structure for `shape!`. `shape_name` is the model's name, if other structures can hold it.
    pub fn structure(&self, type_name: &str, shape_name: Option<&str>, shape: &Shape, input: bool) -> Result<String> {
        let mut fields = String::new();
        let mut taken = BTreeSet::new();
        for (name, member) in &shape.members.0 {
            let field = names::field_name(name);
            if !taken.insert(field.clone()) {
                return Err(format!("{type_name} would have two fields called {field}"));
            }
            let quirk = self.quirks.of(type_name, name);
            let target = self.model.shape(&member.shape)?;
            let required = input
                && !quirk.optional
                && !member.idempotency_token
                && (quirk.required || shape.required.contains(name));
            let ty = self.field_type(shape_name, member, target, required, &quirk)?;
            let payload = shape.payload.as_ref() == Some(name);
            let any_text = (quirk.no_pattern || quirk.any_value).then(|| {
                let mut freed = target.clone();
                if quirk.no_pattern {
                    freed.pattern = None;
                }
                if quirk.any_value {
                    freed.one_of = Default::default();
                }
                freed
            });
            let target = any_text.as_ref().unwrap_or(target);
            let mut table = self.table(name, member, target, input, required, payload, quirk.any_value)?;
            if quirk.omits_empty {
                table.push_str(".omits_empty()");
            }
            if quirk.keeps_empty {
                table.push_str(".keeps_empty()");
            }
            fields.push_str(&format!("        {field}: {ty} = {table},\n"));
        }
        let root = self.quirks.root(type_name).map(|root| format!(" as {root:?}")).unwrap_or_default();
        if fields.is_empty() {
            return Ok(format!("    pub struct {type_name}{root} {{}}\n"));
        }
        Ok(format!("    pub struct {type_name}{root} {{\n{fields}    }}\n"))
    }

    fn field_type(
        &self,
        owner: Option<&str>,
        member: &Ref,
        target: &Shape,
        required: bool,
        quirk: &Quirk,
    ) -> Result<String> {
        let ty = self.value_type(&member.shape)?;
        let within_itself = match owner {
            Some(owner) if target.kind == "structure" => self.holds(&member.shape, owner)?,
            _ => false,
        };
        Ok(match target.kind.as_str() {
            "list" | "map" if quirk.optional_list => format!("Option<{ty}>"),
            "list" | "map" => ty,
            _ if within_itself => format!("Option<Box<{ty}>>"),
            _ if required => ty,
            _ => format!("Option<{ty}>"),
        })
    }

    fn value_type(&self, name: &str) -> Result<String> {
        let shape = self.model.shape(name)?;
        let of = |r: &Option<Ref>| match r {
            Some(r) => self.value_type(&r.shape),
            None => Err(format!("{name} is a {} of nothing", shape.kind)),
        };
        Ok(match shape.kind.as_str() {
            "string" | "character" => "String".to_string(),
            "integer" => "i32".to_string(),
            "long" => "i64".to_string(),
            "float" | "double" => "f64".to_string(),
            "boolean" => "bool".to_string(),
            "blob" => "Blob".to_string(),
            "timestamp" => "Timestamp".to_string(),
            "list" => format!("Vec<{}>", of(&shape.member)?),
            "map" => format!("Map<{}>", of(&shape.value)?),
            "structure" => self.type_name(name),
            other => return Err(format!("{name} is a {other}, which the generator does not know")),
        })
    }

    /// Whether `outer` holds `inner` directly (not through a list or map), or is it.
    fn holds(&self, outer: &str, inner: &str) -> Result<bool> {
        let mut seen = BTreeSet::new();
        let mut open = vec![outer];
        while let Some(name) = open.pop() {
            if name == inner {
                return Ok(true);
            }
            let shape = self.model.shape(name)?;
            if shape.kind == "structure" && seen.insert(name) {
                open.extend(shape.members.0.iter().map(|(_, r)| r.shape.as_str()));
            }
        }
        Ok(false)
    }

    /// The `member(…)` expression.
    #[expect(clippy::too_many_arguments, reason = "all that is known of one member, in one place")]
    fn table(
        &self,
        name: &str,
        member: &Ref,
        target: &Shape,
        input: bool,
        required: bool,
        payload: bool,
        any_item: bool,
    ) -> Result<String> {
        let mut out = format!("member({name:?})");
        out.push_str(&self.wire_names(name, member, target)?);
        if required {
            out.push_str(".required()");
        }
        if input {
            out.push_str(&self.limits(&member.shape, target, ""));
            let item = target.member.as_ref().or(target.value.as_ref());
            if let Some(item) = item {
                let mut shape = self.model.shape(&item.shape)?.clone();
                if any_item {
                    shape.one_of = Default::default();
                }
                out.push_str(&self.limits(&item.shape, &shape, "item_"));
            }
        }
        out.push_str(&location(name, member, payload)?);
        let item = target.member.as_ref().or(target.value.as_ref());
        let innermost = match item {
            Some(item) => self.model.shape(&item.shape)?,
            None => target,
        };
        let format = member.timestamp_format.as_ref().or(innermost.timestamp_format.as_ref());
        out.push_str(match format.map(String::as_str) {
            None => "",
            Some("iso8601") => ".time(TimeFormat::Iso8601)",
            Some("unixTimestamp") => ".time(TimeFormat::Epoch)",
            Some("rfc822") => ".time(TimeFormat::Http)",
            Some(other) => return Err(format!("{name}: unknown timestamp format {other}")),
        });
        if member.idempotency_token {
            out.push_str(".token()");
        }
        if member.sensitive || target.sensitive || innermost.sensitive {
            out.push_str(".sensitive()");
        }
        Ok(out)
    }

    /// Key, element, item and map names, where they are not what `member` assumes.
    fn wire_names(&self, name: &str, member: &Ref, target: &Shape) -> Result<String> {
        let protocol = self.model.metadata.protocol.as_str();
        if let Some((wire, entry)) = self.quirks.query(&member.shape) {
            let names = entry.map(|(key, value)| format!(".map_names({key:?}, {value:?})")).unwrap_or_default();
            return Ok(format!(".named({wire:?}).flattened(){names}"));
        }
        if !matches!(protocol, "query" | "ec2" | "rest-xml") {
            // rest-json and its kin rename a member by locationName; awsJson never does.
            return Ok(match (&member.location_name, &member.location) {
                (Some(wire), None) if wire != name && protocol == "rest-json" => format!(".named({wire:?})"),
                _ => String::new(),
            });
        }
        let flattened = target.flattened || member.flattened;
        let location_name =
            member.location_name.as_ref().or(target.location_name.as_ref()).filter(|_| member.location.is_none());
        let item = target.member.as_ref().map(|m| (m, self.model.shape(&m.shape)));
        let item_name = match &item {
            Some((m, shape)) => {
                m.location_name.as_ref().or(shape.as_ref().map_err(Clone::clone)?.location_name.as_ref())
            }
            None => None,
        };
        let mut element = location_name.map_or(name, String::as_str);
        let mut key = element.to_string();
        if protocol == "ec2" {
            key = match (&member.query_name, location_name) {
                (Some(query), _) => query.clone(),
                (None, Some(wire)) => {
                    let mut chars = wire.chars();
                    chars.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(chars).collect()
                }
                (None, None) => name.to_string(),
            };
        } else if let (true, Some(item)) = (flattened, item_name) {
            // A flattened list has no wrapper, so its items' name is the only one on the wire.
            element = item;
            key = item.clone();
        }
        let mut out = match (key != name, element != name) {
            (false, false) => String::new(),
            (true, true) if key == element => format!(".named({key:?})"),
            (true, true) => format!(".key({key:?}).element({element:?})"),
            (true, false) => format!(".key({key:?})"),
            (false, true) => format!(".element({element:?})"),
        };
        if let Some(item) = item_name.filter(|i| *i != "member") {
            out.push_str(&format!(".item({item:?})"));
        }
        if flattened {
            out.push_str(".flattened()");
        }
        if let (Some(k), Some(v)) = (&target.key, &target.value) {
            let k = k.location_name.as_deref().unwrap_or("key");
            let v = v.location_name.as_deref().unwrap_or("value");
            if (k, v) != ("key", "value") {
                out.push_str(&format!(".map_names({k:?}, {v:?})"));
            }
        }
        Ok(out)
    }

    /// The demands of a shape; `of` is empty or `item_`.
    fn limits(&self, shape_name: &str, shape: &Shape, of: &str) -> String {
        let mut out = String::new();
        let number = matches!(shape.kind.as_str(), "integer" | "long" | "float" | "double");
        // A length is never below zero anyway.
        if let Some(min) = whole(&shape.min).filter(|min| number || *min > 0).filter(|min| *min >= -ABSURD) {
            out.push_str(&format!(".{of}min({min})"));
        }
        if let Some(max) = whole(&shape.max).filter(|max| *max <= ABSURD) {
            out.push_str(&format!(".{of}max({max})"));
        }
        if let Some(pattern) = &shape.pattern {
            // As the model has it: error messages quote it, and the validator reads its dialect.
            out.push_str(&format!(".{of}pattern({})", literal(pattern)));
            if let Err(e) = kiln_protocol::pattern::compile(pattern) {
                let why = e.to_string();
                let why = why.lines().last().unwrap_or_default();
                self.notes.borrow_mut().insert(format!("{shape_name}'s pattern {pattern} is not checked: {why}"));
            }
        }
        if !shape.one_of.is_empty() {
            self.enums.borrow_mut().insert(shape_name.to_string());
            out.push_str(&format!(".{of}one_of(enums::{})", names::const_name(shape_name)));
        }
        out
    }
}

fn location(name: &str, member: &Ref, payload: bool) -> Result<String> {
    let wire = member.location_name.as_deref().unwrap_or(name);
    Ok(match member.location.as_deref() {
        None if payload => ".location(Location::Payload)".to_string(),
        None => String::new(),
        Some("header") => format!(".location(Location::Header({wire:?}))"),
        Some("headers") => format!(".location(Location::Headers({wire:?}))"),
        Some("querystring") => format!(".location(Location::Query({wire:?}))"),
        Some("uri") => format!(".location(Location::Uri({wire:?}))"),
        Some("statusCode") => ".location(Location::StatusCode)".to_string(),
        Some(other) => return Err(format!("{name}: unknown location {other}")),
    })
}

fn whole(number: &Option<serde_json::Number>) -> Option<i64> {
    let number = number.as_ref()?;
    number.as_i64().or_else(|| number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 9e18).map(|f| f as i64))
}

/// The pattern as a Rust literal, raw where that reads better.
fn literal(pattern: &str) -> String {
    let plain = pattern.chars().all(|c| !c.is_control());
    match (plain && pattern.contains('\\'), pattern.contains('"')) {
        (true, false) => format!("r\"{pattern}\""),
        (true, true) if !pattern.contains("\"#") => format!("r#\"{pattern}\"#"),
        _ => format!("{pattern:?}"),
    }
}
