//! rest-json and rest-xml: members in the path, the query, headers and the body.

use crate::{Error, Kind, Location, Map, Member, Protocol, ServiceModel, StructShape, TimeFormat, Value};
use crate::{json, scalar, xml};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// A request, as HTTP gives it.
pub struct RestRequest<'r> {
    /// As sent, still percent-encoded.
    pub path: &'r str,
    /// As sent, without `?`.
    pub query: &'r str,
    pub headers: &'r [(&'r str, &'r str)],
    pub body: &'r [u8],
}

/// The values of a URI pattern's labels in a path, or nothing when the path is another operation's.
/// `{Label}` is one segment, `{Label+}` as many as there are; a query in the pattern is not looked at.
pub fn labels(pattern: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let pattern = pattern.split('?').next().unwrap_or(pattern);
    let wanted: Vec<&'static str> = pattern.trim_start_matches('/').split('/').collect();
    let given: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    let mut found = vec![];
    let mut at = 0;
    for (i, want) in wanted.iter().enumerate() {
        let label = want.strip_prefix('{').and_then(|w| w.strip_suffix('}'));
        let after = wanted.len() - i - 1;
        let take = match label {
            Some(label) if label.ends_with('+') => given.len().checked_sub(at + after).filter(|n| *n > 0)?,
            _ => 1,
        };
        let text = given.get(at..at + take)?.join("/");
        match label {
            Some(_) if text.is_empty() => return None,
            Some(label) => {
                let text = percent_decode_str(&text).decode_utf8().ok()?.into_owned();
                found.push((label.trim_end_matches('+'), text));
            }
            None if text != *want => return None,
            None => {}
        }
        at += take;
    }
    (at == given.len()).then_some(found)
}

/// The input of an operation; `labels` are those of its URI.
pub fn decode(
    protocol: Protocol,
    request: &RestRequest,
    labels: &[(&str, String)],
    shape: &'static StructShape,
) -> Result<Value, Error> {
    let payload = shape.members.iter().position(|m| m.location == Location::Payload);
    let mut members = vec![Value::Absent; shape.members.len()];
    match payload {
        Some(at) if !request.body.is_empty() => {
            members[at] = decode_payload(protocol, request.body, &shape.members[at])?
        }
        Some(_) => {}
        None => {
            if let Value::Struct(body) = decode_body(protocol, request.body, shape)? {
                members = body;
            }
        }
    }
    for (value, member) in members.iter_mut().zip(shape.members) {
        match member.location {
            Location::Body | Location::Payload => continue,
            Location::StatusCode => *value = Value::Absent,
            Location::Uri(label) => {
                let text = labels.iter().find(|(l, _)| *l == label).map(|(_, t)| t.as_str());
                *value = text.map_or(Ok(Value::Absent), |t| single(t, &(member.kind)(), member))?;
            }
            Location::Header(name) => *value = header(request, name, member)?,
            Location::Headers(prefix) => *value = headers(request, prefix),
            Location::Query(name) => *value = query(request.query, name, member, shape)?,
        }
    }
    Ok(Value::Struct(members))
}

fn decode_body(protocol: Protocol, body: &[u8], shape: &'static StructShape) -> Result<Value, Error> {
    match protocol {
        Protocol::RestXml if body.is_empty() => Ok(Value::Absent),
        Protocol::RestXml => xml::decode(body, shape),
        _ => json::decode(body, shape),
    }
}

fn decode_payload(protocol: Protocol, body: &[u8], member: &'static Member) -> Result<Value, Error> {
    match (member.kind)() {
        Kind::Struct(shape) => decode_body(protocol, body, shape),
        Kind::Blob => Ok(Value::Blob(body.to_vec())),
        Kind::Text => match std::str::from_utf8(body) {
            Ok(text) => Ok(Value::Text(text.to_owned())),
            Err(_) => Err(Error::sender("SerializationException", "The request body is not UTF-8")),
        },
        _ => Err(Error::sender("SerializationException", "The request body is not of a known kind")),
    }
}

fn single(text: &str, kind: &Kind, member: &Member) -> Result<Value, Error> {
    scalar::read(text, kind).map_err(|_| {
        let shown = crate::query::shown(text);
        Error::sender("SerializationException", format!("Value '{shown}' of {} has a wrong type", member.name))
    })
}

fn header(request: &RestRequest, name: &str, member: &Member) -> Result<Value, Error> {
    let Some((_, text)) = request.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)) else {
        return Ok(Value::Absent);
    };
    match (member.kind)() {
        Kind::List(of) => {
            let items = text.split(',').map(|item| single(item.trim().trim_matches('"'), &of(), member));
            items.collect::<Result<_, _>>().map(Value::List)
        }
        kind => single(text, &kind, member),
    }
}

fn headers(request: &RestRequest, prefix: &str) -> Value {
    let mut map = Map::new();
    for (name, text) in request.headers {
        if let (Some(start), Some(rest)) = (name.get(..prefix.len()), name.get(prefix.len()..))
            && start.eq_ignore_ascii_case(prefix)
        {
            map.insert(rest.to_owned(), Value::Text((*text).to_owned()));
        }
    }
    if map.is_empty() { Value::Absent } else { Value::Map(map) }
}

fn query(query: &str, name: &str, member: &Member, shape: &StructShape) -> Result<Value, Error> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    match (member.kind)() {
        Kind::List(of) => {
            let items: Vec<_> = pairs.filter(|(n, _)| n == name).map(|(_, t)| single(&t, &of(), member)).collect();
            if items.is_empty() {
                return Ok(Value::Absent);
            }
            items.into_iter().collect::<Result<_, _>>().map(Value::List)
        }
        // A map takes the pairs that no other member names.
        Kind::Map(of) => {
            let mut map = Map::new();
            for (key, text) in pairs.filter(|(key, _)| !is_named(shape, key)) {
                match of() {
                    Kind::List(of) => match map.entry(key.into_owned()).or_insert_with(|| Value::List(vec![])) {
                        Value::List(items) => items.push(single(&text, &of(), member)?),
                        _ => continue,
                    },
                    kind => drop(map.insert(key.into_owned(), single(&text, &kind, member)?)),
                }
            }
            Ok(if map.is_empty() { Value::Absent } else { Value::Map(map) })
        }
        kind => pairs.find(|(n, _)| n == name).map_or(Ok(Value::Absent), |(_, t)| single(&t, &kind, member)),
    }
}

/// Whether a member that is no map takes that query key.
fn is_named(shape: &StructShape, key: &str) -> bool {
    shape
        .members
        .iter()
        .any(|m| matches!(m.location, Location::Query(q) if q == key) && !matches!((m.kind)(), Kind::Map(_)))
}

/// What a REST answer is made of.
pub(crate) struct RestAnswer {
    /// Where a member says it.
    pub status: Option<u16>,
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// Where a payload is neither JSON nor XML.
    pub content_type: Option<&'static str>,
    pub body: Vec<u8>,
}

pub(crate) fn encode(
    protocol: Protocol,
    model: &ServiceModel,
    value: &Value,
    shape: &'static StructShape,
) -> RestAnswer {
    let mut answer = RestAnswer { status: None, headers: vec![], content_type: None, body: vec![] };
    let Value::Struct(values) = value else { return answer };
    let mut in_body = Vec::with_capacity(values.len());
    let mut payload = None;
    for (value, member) in values.iter().zip(shape.members) {
        let mut kept = Value::Absent;
        match (member.location, value) {
            (Location::Payload, _) => payload = Some((value, member)),
            (_, Value::Absent) => {}
            (Location::Body, _) => kept = value.clone(),
            (Location::StatusCode, Value::Int(status)) => answer.status = u16::try_from(*status).ok(),
            (Location::Header(name), _) => answer.headers.push((name.into(), header_text(value, member))),
            (Location::Headers(prefix), Value::Map(map)) => {
                let all = map.iter().map(|(k, v)| (format!("{prefix}{k}").into(), header_text(v, member)));
                answer.headers.extend(all);
            }
            _ => {}
        }
        in_body.push(kept);
    }
    match payload {
        None if protocol == Protocol::RestXml && shape.members.iter().all(|m| m.location != Location::Body) => {}
        None => answer.body = body(protocol, model, shape.root.unwrap_or(shape.name), &Value::Struct(in_body), shape),
        Some((Value::Absent, _)) => {}
        Some((Value::Blob(bytes), _)) => {
            answer.content_type = Some("application/octet-stream");
            answer.body = bytes.clone();
        }
        Some((Value::Text(text), _)) => {
            answer.content_type = Some("text/plain");
            answer.body = text.clone().into_bytes();
        }
        Some((value, member)) => {
            if let Kind::Struct(inner) = (member.kind)() {
                answer.body = body(protocol, model, member.element, value, inner);
            }
        }
    }
    answer
}

fn body(protocol: Protocol, model: &ServiceModel, root: &str, value: &Value, shape: &'static StructShape) -> Vec<u8> {
    if protocol == Protocol::RestJson {
        return json::encode(value, shape);
    }
    let mut writer = xml::Writer::query();
    writer.open_in(root, model.xml_namespace);
    match (value, shape.members) {
        // One text that is the root itself: `<LocationConstraint>eu-west-1</LocationConstraint>`.
        (Value::Struct(values), [only]) if only.element == root => writer.text(&values[0], only.time),
        _ => writer.structure(value, shape),
    }
    writer.close(root);
    writer.into_bytes()
}

fn header_text(value: &Value, member: &Member) -> String {
    match value {
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => i.to_string(),
        Value::Float(f) => scalar::show_float(*f),
        Value::Text(t) => t.clone(),
        Value::Blob(b) => scalar::to_base64(b),
        Value::Time(t) => scalar::show_time(*t, member.time, TimeFormat::Http),
        Value::List(items) => items.iter().map(|i| header_text(i, member)).collect::<Vec<_>>().join(", "),
        Value::Absent | Value::Map(_) | Value::Struct(_) => String::new(),
    }
}
