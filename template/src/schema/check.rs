//! Are these properties right for their type? All violations at once, and the properties with their scalars made
//! what the type wants (`"80"` becomes 80, 80 becomes `"80"`).
//!
//! Values that are not known yet ([`crate::UNKNOWN`]) pass: they are checked again when the change is made. So do texts with
//! a reference to a secret, whose value nobody sees but the type that is given it.

use serde_json::{Map, Number, Value};

use super::{Kind, Object, Property, ResourceSchema};
use crate::functions::scalar_text;
use crate::lookup::UNKNOWN;
use crate::secret_reference::has_one;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where: `SecurityGroupIngress/0/FromPort`.
    pub path: String,
    /// What, in AWS's words.
    pub message: String,
}

/// Checks resolved properties. `Ok` holds them with their scalars made right.
pub fn check_properties(schema: &ResourceSchema, properties: &Value) -> Result<Value, Vec<Violation>> {
    let mut checker = Checker { schema, path: Vec::new(), violations: Vec::new() };
    if let Value::Object(given) = properties {
        for name in given.keys().filter(|name| schema.read_only.contains(name)) {
            // A read-only property that is also named at creation (a name of one's own) would not be read-only.
            checker.path.push(name.clone());
            checker.add(format!("Encountered unsupported property {name}"));
            checker.path.pop();
        }
    }
    let coerced = checker.value(&schema.properties, properties, "Properties");
    if checker.violations.is_empty() { Ok(coerced) } else { Err(checker.violations) }
}

/// All violations in one text, as a stack event shows them.
pub fn violations_text(violations: &[Violation]) -> String {
    let texts: Vec<&str> = violations.iter().map(|violation| violation.message.as_str()).collect();
    texts.join("; ")
}

struct Checker<'s> {
    schema: &'s ResourceSchema,
    path: Vec<String>,
    violations: Vec<Violation>,
}

impl Checker<'_> {
    fn add(&mut self, message: String) {
        self.violations.push(Violation { path: self.path.join("/"), message });
    }

    fn keyword(&mut self, what: &str) {
        let path = self.path.join("/");
        self.add(format!("#/{path}: {what}"));
    }

    fn value(&mut self, property: &Property, value: &Value, name: &str) -> Value {
        if matches!(value, Value::String(text) if text.contains(UNKNOWN) || has_one(text)) {
            return value.clone();
        }
        let Some(property) = self.schema.follow(property) else {
            return value.clone();
        };
        let coerced = match (&property.kind, value) {
            (Kind::Json | Kind::Ref(_), _) => return value.clone(),
            (Kind::String, _) => scalar_text(value).map(Value::String).ok_or("String"),
            (Kind::Boolean, _) => boolean(value).map(Value::Bool).ok_or("Boolean"),
            (Kind::Integer, _) => integer(value).map(|whole| Value::Number(Number::from(whole))).ok_or("Integer"),
            (Kind::Number, _) => number(value).map(Value::Number).ok_or("Number"),
            (Kind::List { of, unique, .. }, Value::Array(items)) => {
                let list: Vec<Value> = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.within(&index.to_string(), of, item, name))
                    .collect();
                let mut seen = std::collections::HashSet::new();
                let twice = *unique && !list.iter().all(|item| seen.insert(item.to_string()));
                if twice && !crate::is_unknown(value) {
                    self.keyword("array items are not unique");
                }
                Ok(Value::Array(list))
            }
            (Kind::List { .. }, _) => Err("List"),
            (Kind::Map(of), Value::Object(entries)) => Ok(Value::Object(
                entries.iter().map(|(key, item)| (key.clone(), self.within(key, of, item, key))).collect(),
            )),
            (Kind::Map(_), _) => Err("Map"),
            (Kind::Object(object), Value::Object(entries)) => Ok(Value::Object(self.object(object, entries))),
            (Kind::Object(_), _) => {
                self.add(format!("Value of property {name} must be an object"));
                return value.clone();
            }
        };
        match coerced {
            Ok(value) => {
                self.limits(property, &value);
                value
            }
            Err(wanted) => {
                self.add(format!("Value of property {name} must be of type {wanted}"));
                value.clone()
            }
        }
    }

    fn within(&mut self, step: &str, property: &Property, value: &Value, name: &str) -> Value {
        self.path.push(step.to_owned());
        let coerced = self.value(property, value, name);
        self.path.pop();
        coerced
    }

    fn object(&mut self, object: &Object, entries: &Map<String, Value>) -> Map<String, Value> {
        let mut out = Map::new();
        for (key, value) in entries {
            match object.members.get(key) {
                Some(property) => {
                    let coerced = self.within(key, property, value, key);
                    out.insert(key.clone(), coerced);
                }
                None if object.open => {
                    out.insert(key.clone(), value.clone());
                }
                None => {
                    self.path.push(key.clone());
                    self.add(format!("Encountered unsupported property {key}"));
                    self.path.pop();
                }
            }
        }
        for key in object.required.iter().filter(|key| !entries.contains_key(*key)) {
            self.path.push(key.clone());
            self.add(format!("Property {key} cannot be empty"));
            self.path.pop();
        }
        out
    }

    fn limits(&mut self, property: &Property, value: &Value) {
        let count = match value {
            Value::String(text) => Some((text.chars().count() as u64, "Length")),
            Value::Array(items) => Some((items.len() as u64, "Items")),
            _ => None,
        };
        if let Some((count, what)) = count {
            if let Some(least) = property.length.0.filter(|least| count < *least) {
                self.keyword(&format!("expected min{what}: {least}, actual: {count}"));
            }
            if let Some(most) = property.length.1.filter(|most| count > *most) {
                self.keyword(&format!("expected max{what}: {most}, actual: {count}"));
            }
        }
        if let Some(number) = value.as_f64() {
            if let Some(least) = property.range.0.filter(|least| number < *least) {
                self.keyword(&format!("{value} is not greater or equal to {least}"));
            }
            if let Some(most) = property.range.1.filter(|most| number > *most) {
                self.keyword(&format!("{value} is not less or equal to {most}"));
            }
        }
        let Some(text) = scalar_text(value) else { return };
        let fits = |allowed: &String| *allowed == text || (property.any_case && allowed.eq_ignore_ascii_case(&text));
        if !property.allowed.is_empty() && !property.allowed.iter().any(fits) {
            let wanted = property.allowed.join(", ");
            self.keyword(&format!("{text} is not a valid enum value, it must be one of [{wanted}]"));
        }
        if let (Value::String(text), Some(pattern)) = (value, &property.pattern)
            && pattern.regex().is_some_and(|regex| regex.is_match(text) != Ok(true))
        {
            self.keyword(&format!("failed validation constraint for keyword [pattern] ({})", pattern.text));
        }
    }
}

pub(super) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            // 80.0 is a whole number too; beyond 2^53 a float says nothing exact.
            number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15).map(|float| float as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

pub(super) fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => {
            let text = text.trim();
            match text.parse::<i64>() {
                Ok(whole) => Some(Number::from(whole)),
                Err(_) => text.parse::<f64>().ok().and_then(Number::from_f64),
            }
        }
        _ => None,
    }
}
