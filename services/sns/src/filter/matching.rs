//! Whether a message is one that a filter wants. Attributes and bodies are matched alike: attributes are made an object
//! first. Each test is linear in what it looks at.

use super::{Compare, Field, Fields, Filter, Test, in_units};
use serde_json::Value as Json;

impl Filter {
    /// Whether it wants this; `None` is what is no object (a body that is none).
    pub fn matches(&self, object: Option<&Json>) -> bool {
        let Some(object) = object.filter(|json| json.is_object()) else { return false };
        self.fields.matches(Some(object))
    }
}

impl Fields {
    fn matches(&self, value: Option<&Json>) -> bool {
        match value {
            // Of a list of objects one is enough.
            Some(Json::Array(all)) => all.iter().any(|one| self.matches(Some(one))),
            Some(Json::Object(_)) | None => {
                let at = |key: &str| value.and_then(|object| object.get(key));
                self.keys.iter().all(|(key, field)| field.matches(at(key)))
                    && self.any.iter().all(|choices| choices.iter().any(|fields| fields.matches(value)))
            }
            // Not deep enough: what must not be there is not.
            Some(_) => self.matches(None),
        }
    }
}

impl Field {
    fn matches(&self, value: Option<&Json>) -> bool {
        match self {
            Self::Inner(fields) => fields.matches(value),
            Self::Tests(tests) => tests.iter().any(|test| test.matches(value)),
        }
    }
}

impl Test {
    fn matches(&self, value: Option<&Json>) -> bool {
        match (self, value) {
            // Only what ends a path is there.
            (Self::Exists(there), value) => *there == value.is_some_and(|value| !value.is_object()),
            (_, None | Some(Json::Object(_))) => false,
            (_, Some(Json::Array(all))) => all.iter().any(|one| self.matches(Some(one))),
            (_, Some(one)) => self.holds(one),
        }
    }

    /// Of a value that is no list and no object.
    fn holds(&self, value: &Json) -> bool {
        let text = value.as_str();
        match self {
            Self::Text(wanted) => text == Some(wanted),
            Self::Number(wanted) => value.as_f64().and_then(in_units) == Some(*wanted),
            Self::Bool(wanted) => value.as_bool() == Some(*wanted),
            Self::Null => value.is_null(),
            Self::Prefix(start) => text.is_some_and(|text| text.starts_with(start.as_str())),
            Self::Suffix(end) => text.is_some_and(|text| text.ends_with(end.as_str())),
            Self::IgnoreCase(wanted) => text.is_some_and(|text| text.to_lowercase() == *wanted),
            Self::Cidr(block) => {
                text.and_then(|text| text.parse::<std::net::IpAddr>().ok()).is_some_and(|ip| block.contains(&ip))
            }
            Self::Numeric(all) => {
                let number = value.as_f64().and_then(in_units);
                number.is_some_and(|number| all.iter().all(|(compare, bound)| compare.holds(number, *bound)))
            }
            Self::Not(tests) => !tests.iter().any(|test| test.holds(value)),
            Self::Exists(there) => *there,
        }
    }
}

impl Compare {
    fn holds(self, number: i64, bound: i64) -> bool {
        match self {
            Self::Equal => number == bound,
            Self::Less => number < bound,
            Self::LessOrEqual => number <= bound,
            Self::Greater => number > bound,
            Self::GreaterOrEqual => number >= bound,
        }
    }
}
