//! The XML walker for rest-xml requests.
//!
//! The body becomes a small tree first (quick-xml does the grammar): members come in any order and
//! flattened lists are scattered. No document type, so no entities but the five of XML.

use crate::bounds::{Budget, MAX_DEPTH};
use crate::{Error, Kind, Map, Member, StructShape, Value, scalar};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// The structure under the root element, whatever that is called.
pub(crate) fn decode(body: &[u8], shape: &'static StructShape) -> Result<Value, Error> {
    let budget = Budget::new();
    let root = tree(body, &budget)?;
    structure(&root, shape, &budget)
}

fn malformed(what: impl std::fmt::Display) -> Error {
    Error::sender("MalformedXML", format!("The XML of the request is not well-formed or not as expected: {what}"))
}

#[derive(Default)]
struct Element {
    name: String,
    /// Of attributes with a prefix (`xsi:type`), the name behind it and the value.
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

fn element(start: &BytesStart, budget: &Budget) -> Result<Element, Error> {
    let take = |values| budget.take(values).map_err(|_| malformed("it holds too many elements"));
    // An element holds about as much as three values.
    take(3)?;
    let mut attributes = vec![];
    for attribute in start.attributes() {
        let attribute = attribute.map_err(malformed)?;
        // What has no prefix, and the names of namespaces, is no member of anything.
        if attribute.key.as_namespace_binding().is_some() || attribute.key.prefix().is_none() {
            continue;
        }
        take(1)?;
        let name = std::str::from_utf8(attribute.key.local_name().into_inner()).map_err(malformed)?.to_owned();
        attributes.push((name, attribute.unescape_value().map_err(malformed)?.into_owned()));
    }
    let name = std::str::from_utf8(start.local_name().into_inner()).map_err(malformed)?.to_owned();
    Ok(Element { name, attributes, ..Element::default() })
}

fn tree(body: &[u8], budget: &Budget) -> Result<Element, Error> {
    let mut reader = Reader::from_reader(body);
    // The first stands for the document.
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().map_err(malformed)? {
            Event::Start(start) if open.len() as u32 > MAX_DEPTH => {
                return Err(malformed(format!("{:?} is nested too deeply", start.local_name())));
            }
            Event::Start(start) => open.push(element(&start, budget)?),
            Event::Empty(start) => {
                let element = element(&start, budget)?;
                if let Some(up) = open.last_mut() {
                    up.children.push(element);
                }
            }
            Event::End(_) => {
                let (Some(closed), Some(up)) = (open.pop(), open.last_mut()) else {
                    return Err(malformed("an element ends that never began"));
                };
                up.children.push(closed);
            }
            Event::Text(text) => add(&mut open, &text.xml_content().map_err(malformed)?),
            Event::CData(data) => add(&mut open, &data.decode().map_err(malformed)?),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().map_err(malformed)? {
                Some(c) => add(&mut open, c.encode_utf8(&mut [0; 4])),
                None => {
                    let name = reference.decode().map_err(malformed)?;
                    let text = quick_xml::escape::resolve_xml_entity(&name);
                    add(&mut open, text.ok_or_else(|| malformed(format!("unknown entity {name}")))?);
                }
            },
            Event::DocType(_) => return Err(malformed("it has a document type")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    match open.pop() {
        Some(document) if open.is_empty() && document.children.len() == 1 => {
            document.children.into_iter().next().ok_or_else(|| malformed("it is empty"))
        }
        _ => Err(malformed("it is not one element")),
    }
}

fn add(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn structure(element: &Element, shape: &'static StructShape, budget: &Budget) -> Result<Value, Error> {
    budget.take(shape.members.len()).map_err(|_| malformed("it holds too many values"))?;
    let mut members = vec![Value::Absent; shape.members.len()];
    for (name, text) in &element.attributes {
        let named = |member: &Member| super::attribute(member).is_some_and(|own| own == name);
        if let Some(at) = shape.members.iter().position(named) {
            let kind = (shape.members[at].kind)();
            members[at] = scalar::read(text, &kind).map_err(|_| malformed(format!("{name} has a wrong value")))?;
        }
    }
    for child in &element.children {
        let Some(at) = shape.members.iter().position(|m| m.element == child.name) else { continue };
        let member = &shape.members[at];
        let flat = member.flattened;
        match ((member.kind)(), &mut members[at]) {
            (Kind::List(of), Value::List(items)) if flat => items.push(value(child, &of(), member, budget)?),
            (Kind::List(of), place) if flat => *place = Value::List(vec![value(child, &of(), member, budget)?]),
            (Kind::Map(of), place) if flat => {
                let mut map = match std::mem::replace(place, Value::Absent) {
                    Value::Map(map) => map,
                    _ => Map::new(),
                };
                entry(child, &of(), member, budget, &mut map)?;
                *place = Value::Map(map);
            }
            (kind, place) => *place = value(child, &kind, member, budget)?,
        }
    }
    Ok(Value::Struct(members))
}

fn entry(
    element: &Element,
    of: &Kind,
    member: &'static Member,
    budget: &Budget,
    map: &mut Map<Value>,
) -> Result<(), Error> {
    let find = |name: &str| element.children.iter().find(|c| c.name == name);
    let key = find(member.map_names.0).ok_or_else(|| malformed("a map entry has no key"))?;
    let value = find(member.map_names.1).map_or(Ok(Value::Absent), |v| value(v, of, member, budget))?;
    map.insert(key.text.clone(), value);
    Ok(())
}

fn value(element: &Element, kind: &Kind, member: &'static Member, budget: &Budget) -> Result<Value, Error> {
    match kind {
        Kind::Struct(shape) => structure(element, shape, budget),
        Kind::List(of) => {
            let items = element.children.iter().filter(|c| c.name == member.item || c.name == "member");
            items.map(|c| value(c, &of(), member, budget)).collect::<Result<_, _>>().map(Value::List)
        }
        Kind::Map(of) => {
            let mut map = Map::new();
            for child in &element.children {
                entry(child, &of(), member, budget, &mut map)?;
            }
            Ok(Value::Map(map))
        }
        scalar => {
            scalar::read(&element.text, scalar).map_err(|_| malformed(format!("{} has a wrong value", element.name)))
        }
    }
}
