//! What is asked of one value that ends a path, and how the words of a pattern say it.

use crate::invalid::{InvalidPattern, invalid};
use crate::wildcard::Wildcard;
use kiln_ids::IpNet;
use serde_json::{Map, Number, Value as Json};
use std::net::IpAddr;

/// Bounds of numbers that are compared. Source: the user guide, "Numeric matching".
const GREATEST: f64 = 5.0e9;

/// One test; of several in a field one is enough.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// A string that is this one.
    Text(String),
    /// A number, `true`, `false` or `null`.
    Literal(Json),
    Prefix(String),
    Suffix(String),
    /// All in lower case.
    PrefixIgnoreCase(String),
    SuffixIgnoreCase(String),
    IgnoreCase(String),
    Wildcard(Wildcard),
    Cidr(IpNet),
    /// Millionths, and whether the end itself is within.
    Numeric {
        from: Option<(i64, bool)>,
        to: Option<(i64, bool)>,
    },
    /// It is there, and none of these holds.
    Not(Vec<Test>),
    /// It is there.
    Exists,
    /// There is nothing at its path, anywhere in the event.
    Absent,
}

/// A number in millionths, if it can be compared.
fn millionths(number: &Number) -> Option<i64> {
    let number = number.as_f64()?;
    (-GREATEST..=GREATEST).contains(&number).then(|| (number * 1e6).round() as i64)
}

impl Test {
    /// Whether a value that is neither list nor object holds. Of [`Test::Absent`] the value says nothing.
    pub fn holds(&self, value: &Json) -> bool {
        let text = value.as_str();
        let lower = || text.map(str::to_lowercase);
        match self {
            Self::Text(wanted) => text == Some(wanted),
            Self::Literal(Json::Number(wanted)) => value.as_number().is_some_and(|number| {
                number == wanted || millionths(number).is_some_and(|given| millionths(wanted) == Some(given))
            }),
            Self::Literal(wanted) => value == wanted,
            Self::Prefix(start) => text.is_some_and(|text| text.starts_with(start.as_str())),
            Self::Suffix(end) => text.is_some_and(|text| text.ends_with(end.as_str())),
            Self::PrefixIgnoreCase(start) => lower().is_some_and(|text| text.starts_with(start.as_str())),
            Self::SuffixIgnoreCase(end) => lower().is_some_and(|text| text.ends_with(end.as_str())),
            Self::IgnoreCase(wanted) => lower().is_some_and(|text| text == *wanted),
            Self::Wildcard(wildcard) => text.is_some_and(|text| wildcard.matches(text)),
            Self::Cidr(block) => {
                text.and_then(|text| text.parse::<IpAddr>().ok()).is_some_and(|address| block.contains(&address))
            }
            Self::Numeric { from, to } => value.as_number().and_then(millionths).is_some_and(|number| {
                from.is_none_or(|(bound, within)| number > bound || (within && number == bound))
                    && to.is_none_or(|(bound, within)| number < bound || (within && number == bound))
            }),
            Self::Not(tests) => !tests.iter().any(|test| test.holds(value)),
            Self::Exists => true,
            Self::Absent => false,
        }
    }

    /// A member of a field's list.
    pub fn parse(value: &Json) -> Result<Self, InvalidPattern> {
        match value {
            Json::String(text) => Ok(Self::Text(text.clone())),
            Json::Number(_) | Json::Bool(_) | Json::Null => Ok(Self::Literal(value.clone())),
            Json::Object(members) => Self::of(members),
            Json::Array(_) => Err(invalid("Match value must be String, number, true, false, or null")),
        }
    }

    fn of(members: &Map<String, Json>) -> Result<Self, InvalidPattern> {
        let (word, value) = one(members, "Match expression name not found")?;
        match word {
            "exactly" => Ok(Self::Text(text(value, "exact match pattern must be a string")?)),
            "prefix" => match value {
                Json::Object(inner) => ignore_case(inner, "prefix").map(Self::PrefixIgnoreCase),
                value => Ok(Self::Prefix(text(value, "prefix match pattern must be a string")?)),
            },
            "suffix" => match value {
                Json::Object(inner) => ignore_case(inner, "suffix").map(Self::SuffixIgnoreCase),
                value => Ok(Self::Suffix(text(value, "suffix match pattern must be a string")?)),
            },
            "equals-ignore-case" => {
                let wanted = text(value, "equals-ignore-case match pattern must be a string")?;
                Ok(Self::IgnoreCase(wanted.to_lowercase()))
            }
            "wildcard" => wildcard(&text(value, "wildcard match pattern must be a string")?),
            "cidr" => cidr(&text(value, "prefix match pattern must be a string")?),
            "exists" => match value {
                Json::Bool(true) => Ok(Self::Exists),
                Json::Bool(false) => Ok(Self::Absent),
                _ => Err(invalid("exists match pattern must be either true or false.")),
            },
            "numeric" => match value {
                Json::Array(terms) => numeric(terms),
                _ => Err(invalid("Value of numeric must be an array.")),
            },
            "anything-but" => anything_but(value).map(Self::Not),
            other => Err(invalid(format!("Unrecognized match type {other}"))),
        }
    }
}

fn one<'j>(members: &'j Map<String, Json>, none: &str) -> Result<(&'j str, &'j Json), InvalidPattern> {
    let mut members = members.iter();
    let (word, value) = members.next().ok_or_else(|| invalid(none))?;
    match members.next() {
        None => Ok((word, value)),
        Some(_) => Err(invalid("Only one key allowed in match expression")),
    }
}

fn text(value: &Json, wrong: &str) -> Result<String, InvalidPattern> {
    value.as_str().map(str::to_owned).ok_or_else(|| invalid(wrong))
}

fn ignore_case(inner: &Map<String, Json>, of: &str) -> Result<String, InvalidPattern> {
    match one(inner, "Match expression name not found")? {
        ("equals-ignore-case", value) => {
            Ok(text(value, &format!("equals-ignore-case {of} match pattern must be a string"))?.to_lowercase())
        }
        (other, _) => Err(invalid(format!("Unsupported {of} pattern: {other}"))),
    }
}

fn wildcard(text: &str) -> Result<Test, InvalidPattern> {
    Wildcard::parse(text).map(Test::Wildcard).map_err(invalid)
}

fn cidr(text: &str) -> Result<Test, InvalidPattern> {
    let malformed = || invalid(format!("Malformed CIDR, one '/' required: {text}"));
    let (address, _) = text.split_once('/').ok_or_else(malformed)?;
    address.parse::<IpAddr>().map_err(|_| invalid(format!("Nonstandard IP address: {address}")))?;
    text.parse().map(Test::Cidr).map_err(|_| invalid(format!("Malformed CIDR, mask bits must be an integer: {text}")))
}

/// `anything-but`: values, or one of the words with a value or a list.
fn anything_but(value: &Json) -> Result<Vec<Test>, InvalidPattern> {
    match value {
        Json::String(_) | Json::Number(_) => Ok(vec![but(value)?]),
        Json::Array(values) => {
            let tests = values.iter().map(but).collect::<Result<Vec<_>, _>>()?;
            let texts = tests.iter().filter(|test| matches!(test, Test::Text(_))).count();
            match tests.is_empty() || (texts > 0 && texts < tests.len()) {
                true => Err(invalid(
                    "Inside anything but list, either all values are number or string, mixed type is not supported",
                )),
                false => Ok(tests),
            }
        }
        Json::Object(inner) => {
            let (word, value) = one(inner, "Anything-But expression name not found")?;
            let make: fn(String) -> Result<Test, InvalidPattern> = match word {
                "prefix" => |text| Ok(Test::Prefix(text)),
                "suffix" => |text| Ok(Test::Suffix(text)),
                "equals-ignore-case" => |text| Ok(Test::IgnoreCase(text.to_lowercase())),
                "wildcard" => |text| wildcard(&text),
                other => return Err(invalid(format!("Unsupported anything-but pattern: {other}"))),
            };
            let values = match value {
                Json::Array(values) if !values.is_empty() => values.as_slice(),
                Json::String(_) => std::slice::from_ref(value),
                _ => return Err(invalid(format!("{word} match pattern must be a string"))),
            };
            let each = values.iter().map(|value| {
                let inside = format!("Inside anything-but/{word} list, number|start|null|boolean is not supported.");
                match text(value, &inside)? {
                    empty if empty.is_empty() && word != "equals-ignore-case" => {
                        Err(invalid(format!("Null {word} not allowed")))
                    }
                    text => make(text),
                }
            });
            each.collect()
        }
        _ => Err(invalid("Value of anything-but must be an array or single string/number value.")),
    }
}

fn but(value: &Json) -> Result<Test, InvalidPattern> {
    match value {
        Json::String(text) => Ok(Test::Text(text.clone())),
        Json::Number(_) => Ok(Test::Literal(value.clone())),
        _ => Err(invalid("Inside anything but list, start|null|boolean is not supported.")),
    }
}

/// `[operator, number]`, or two of them that make a range.
fn numeric(terms: &[Json]) -> Result<Test, InvalidPattern> {
    let operator = |term: Option<&Json>| match term {
        Some(Json::String(word)) => Ok(word.clone()),
        Some(other) => Err(invalid(format!("Invalid member in numeric match: {other}"))),
        None => Err(invalid("Invalid member in numeric match: ]")),
    };
    let number = |word: &str, term: Option<&Json>| {
        let word = if word == "=" { "equals" } else { word };
        let number =
            term.and_then(Json::as_number).ok_or_else(|| invalid(format!("Value of {word} must be numeric")))?;
        millionths(number).ok_or_else(|| invalid("Value must be between -5.0E9 and 5.0E9, inclusive"))
    };
    let first = operator(terms.first())?;
    if !matches!(first.as_str(), "=" | "<" | "<=" | ">" | ">=") {
        return Err(invalid(format!("Unrecognized numeric range operator: {first}")));
    }
    let bound = number(&first, terms.get(1))?;
    let (from, to) = match first.as_str() {
        "=" => (Some((bound, true)), Some((bound, true))),
        "<" => (None, Some((bound, false))),
        "<=" => (None, Some((bound, true))),
        greater => {
            let from = Some((bound, greater == ">="));
            match terms.get(2) {
                None => (from, None),
                Some(_) => {
                    let second = match terms.get(2) {
                        Some(Json::String(word)) => word.clone(),
                        other => {
                            let shown = other.map_or_else(String::new, Json::to_string);
                            return Err(invalid(format!("Bad value in numeric range: {shown}")));
                        }
                    };
                    if !matches!(second.as_str(), "<" | "<=") {
                        return Err(invalid(format!("Bad numeric range operator: {second}")));
                    }
                    let top = number(&second, terms.get(3))?;
                    if terms.len() > 4 {
                        return Err(invalid("Too many terms in numeric range expression"));
                    }
                    if bound >= top {
                        return Err(invalid("Bottom must be less than top"));
                    }
                    return Ok(Test::Numeric { from, to: Some((top, second == "<=")) });
                }
            }
        }
    };
    match terms.len() {
        2 => Ok(Test::Numeric { from, to }),
        _ => Err(invalid("Too many elements in numeric expression")),
    }
}
