//! Facts to schema. Strict: a fact it does not understand is an error, not a silent nothing.

use serde_json::{Map, Value};

use super::{Kind, Object, Pattern, Property, ResourceSchema};

type Loaded<T> = Result<T, String>;

/// One resource type.
pub fn resource(type_name: &str, facts: &Value) -> Loaded<ResourceSchema> {
    let facts = facts.as_object().ok_or("must be an object")?;
    const KNOWN: [&str; 11] = [
        "attributes",
        "conditionalCreateOnly",
        "createOnly",
        "definitions",
        "deleteBeforeCreate",
        "primaryIdentifier",
        "properties",
        "readOnly",
        "required",
        "tags",
        "writeOnly",
    ];
    only(facts, &KNOWN)?;
    let members = facts.get("properties").ok_or("has no properties")?;
    let object = Object { members: properties(members)?, required: texts(facts, "required")?, open: false };
    let definitions = match facts.get("definitions") {
        Some(definitions) => properties(definitions)?,
        None => Default::default(),
    };
    Ok(ResourceSchema {
        type_name: type_name.to_owned(),
        properties: Property { kind: Kind::Object(object), ..Property::default() },
        definitions,
        read_only: texts(facts, "readOnly")?,
        write_only: texts(facts, "writeOnly")?,
        create_only: texts(facts, "createOnly")?,
        conditional_create_only: texts(facts, "conditionalCreateOnly")?,
        primary_identifier: texts(facts, "primaryIdentifier")?,
        attributes: texts(facts, "attributes")?,
        delete_before_create: flag(facts, "deleteBeforeCreate")?,
        tags: match facts.get("tags") {
            None => None,
            Some(Value::String(name)) => Some(name.clone()),
            Some(_) => return Err("tags must be a text".to_owned()),
        },
    })
}

fn only(facts: &Map<String, Value>, known: &[&str]) -> Loaded<()> {
    match facts.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("unknown fact {key}")),
        None => Ok(()),
    }
}

fn properties(facts: &Value) -> Loaded<std::collections::BTreeMap<String, Property>> {
    let facts = facts.as_object().ok_or("properties must be an object")?;
    facts
        .iter()
        .map(|(name, facts)| Ok((name.clone(), property(facts).map_err(|why| format!("{name}: {why}"))?)))
        .collect()
}

fn property(facts: &Value) -> Loaded<Property> {
    let facts = facts.as_object().ok_or("must be an object")?;
    const KNOWN: [&str; 17] = [
        "enum",
        "enumAnyCase",
        "kind",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "of",
        "open",
        "pattern",
        "properties",
        "ref",
        "required",
        "unique",
        "unordered",
    ];
    only(facts, &KNOWN)?;
    let of = || facts.get("of").ok_or_else(|| "has no 'of'".to_owned()).and_then(property).map(Box::new);
    let kind = match facts.get("kind").and_then(Value::as_str) {
        Some("string") => Kind::String,
        Some("integer") => Kind::Integer,
        Some("number") => Kind::Number,
        Some("boolean") => Kind::Boolean,
        Some("json") => Kind::Json,
        Some("map") => Kind::Map(of()?),
        Some("list") => Kind::List { of: of()?, unordered: flag(facts, "unordered")?, unique: flag(facts, "unique")? },
        Some("object") => Kind::Object(Object {
            members: properties(facts.get("properties").ok_or("has no properties")?)?,
            required: texts(facts, "required")?,
            open: flag(facts, "open")?,
        }),
        Some("ref") => Kind::Ref(facts.get("ref").and_then(Value::as_str).ok_or("has no 'ref'")?.to_owned()),
        other => return Err(format!("unknown kind {other:?}")),
    };
    let any_case = texts(facts, "enumAnyCase")?;
    Ok(Property {
        kind,
        any_case: !any_case.is_empty(),
        allowed: if any_case.is_empty() { texts(facts, "enum")? } else { any_case },
        pattern: facts.get("pattern").and_then(Value::as_str).map(Pattern::new),
        range: (float(facts, "minimum")?, float(facts, "maximum")?),
        length: (
            whole(facts, "minLength")?.or(whole(facts, "minItems")?),
            whole(facts, "maxLength")?.or(whole(facts, "maxItems")?),
        ),
    })
}

fn texts(facts: &Map<String, Value>, key: &str) -> Loaded<Vec<String>> {
    match facts.get(key) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| crate::functions::scalar_text(item).ok_or_else(|| format!("{key} must be a list of scalars")))
            .collect(),
        Some(_) => Err(format!("{key} must be a list")),
    }
}

fn flag(facts: &Map<String, Value>, key: &str) -> Loaded<bool> {
    match facts.get(key) {
        None => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => Err(format!("{key} must be true or false")),
    }
}

fn float(facts: &Map<String, Value>, key: &str) -> Loaded<Option<f64>> {
    match facts.get(key) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or_else(|| format!("{key} must be a number")),
    }
}

fn whole(facts: &Map<String, Value>, key: &str) -> Loaded<Option<u64>> {
    match facts.get(key) {
        None => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| format!("{key} must be a whole number")),
    }
}
