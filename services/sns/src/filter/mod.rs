//! Filter policies: which messages a subscription wants, by their attributes or their body. Read here, matched in
//! `matching.rs`. Source: Amazon SNS Developer Guide, "Amazon SNS subscription filter policies" and "Filter policy
//! constraints".
//!
//! ```text
//! {"store": ["shop"], "price": [{"numeric": [">", 5]}]}     all keys, of each any test
//! {"order": {"kind": ["new"]}}                              nested, of bodies only
//! {"$or": [{"a": [1]}, {"b": [2]}]}                          any of these
//! ```

mod matching;

#[cfg(test)]
mod tests;

use crate::errors::invalid;
use kiln_service_kit::Error;
use serde_json::{Map, Value as Json};

/// The longest filter policy.
const LONGEST: usize = 256 * 1024;
const MOST_KEYS: usize = 5;
/// What the numbers of each key's values, each times its depth, multiply to.
const MOST_COMBINATIONS: u64 = 150;
/// The least and the greatest number, in units of the fifth digit behind the point.
const BOUND: i64 = 1_000_000_000 * UNIT;
const UNIT: i64 = 100_000;
/// How deep a body's policy may go; the JSON reader has a bound of its own.
const DEEPEST: u64 = 100;

/// A policy as it is matched.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    fields: Fields,
    pub on_body: bool,
}

/// All of these hold.
#[derive(Debug, Clone, Default, PartialEq)]
struct Fields {
    keys: Vec<(String, Field)>,
    /// Of each any.
    any: Vec<Vec<Fields>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Field {
    /// Any of these holds of the value, or of one of its elements.
    Tests(Vec<Test>),
    Inner(Fields),
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Text(String),
    Number(i64),
    Bool(bool),
    Null,
    Prefix(String),
    Suffix(String),
    /// In lower case.
    IgnoreCase(String),
    Cidr(kiln_ids::IpNet),
    Numeric(Vec<(Compare, i64)>),
    Exists(bool),
    /// None of these holds.
    Not(Vec<Test>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

fn wrong(what: impl std::fmt::Display) -> Error {
    invalid(format_args!("FilterPolicy: {what}"))
}

impl Filter {
    /// Reads a policy.
    pub fn parse(text: &str, on_body: bool) -> Result<Self, Error> {
        if text.len() > LONGEST {
            return Err(wrong("Filter policy is too large"));
        }
        let json: Json = serde_json::from_str(text).map_err(|_| wrong("failed to parse JSON."))?;
        let Json::Object(json) = json else { return Err(wrong("Filter policy must be an object")) };
        let mut reader = Reader { on_body, keys: 0 };
        let (fields, combinations) = reader.fields(&json, 1)?;
        if combinations > MOST_COMBINATIONS {
            return Err(wrong("Filter policy is too complex"));
        }
        Ok(Self { fields, on_body })
    }
}

struct Reader {
    on_body: bool,
    keys: usize,
}

impl Reader {
    /// The fields of an object, and the combinations that they make.
    fn fields(&mut self, json: &Map<String, Json>, depth: u64) -> Result<(Fields, u64), Error> {
        if depth > DEEPEST {
            return Err(wrong("Filter policy is too complex"));
        }
        let mut fields = Fields::default();
        let mut combinations: u64 = 1;
        for (key, value) in json {
            let made = match value {
                Json::Array(all) if key == "$or" && is_choice(all) => {
                    let mut sum: u64 = 0;
                    let mut choices = vec![];
                    for one in all.iter().filter_map(Json::as_object) {
                        let (inner, made) = self.fields(one, depth)?;
                        sum = sum.saturating_add(made);
                        choices.push(inner);
                    }
                    fields.any.push(choices);
                    sum
                }
                Json::Array(all) => {
                    self.keys += 1;
                    if self.keys > MOST_KEYS {
                        return Err(wrong("Filter policy can not have more than 5 keys"));
                    }
                    if all.is_empty() {
                        return Err(wrong("Empty arrays are not allowed"));
                    }
                    let tests = all.iter().map(test).collect::<Result<Vec<_>, _>>()?;
                    let made = (tests.len() as u64).saturating_mul(depth);
                    fields.keys.push((key.clone(), Field::Tests(tests)));
                    made
                }
                Json::Object(inner) if self.on_body => {
                    if inner.is_empty() {
                        return Err(wrong("Empty objects are not allowed"));
                    }
                    let (inner, made) = self.fields(inner, depth + 1)?;
                    fields.keys.push((key.clone(), Field::Inner(inner)));
                    made
                }
                Json::Object(_) => {
                    return Err(wrong("Filter policy scope MessageAttributes does not support nested filter policy"));
                }
                _ => return Err(wrong(format_args!("\"{key}\" must be an object or an array"))),
            };
            combinations = combinations.saturating_mul(made);
        }
        Ok((fields, combinations))
    }
}

/// Whether `$or` is the operator: at least two objects, and none of them a test.
fn is_choice(all: &[Json]) -> bool {
    let is_fields = |json: &Json| {
        json.as_object().is_some_and(|o| !o.is_empty() && o.keys().all(|key| !OPERATORS.contains(&key.as_str())))
    };
    all.len() >= 2 && all.iter().all(is_fields)
}

const OPERATORS: [&str; 7] = ["anything-but", "prefix", "suffix", "equals-ignore-case", "cidr", "numeric", "exists"];

fn test(json: &Json) -> Result<Test, Error> {
    match json {
        Json::String(text) => Ok(Test::Text(text.clone())),
        Json::Number(_) => number(json, "a number").map(Test::Number),
        Json::Bool(value) => Ok(Test::Bool(*value)),
        Json::Null => Ok(Test::Null),
        Json::Object(one) => match one.iter().next() {
            Some((operator, value)) if one.len() == 1 => by_operator(operator, value),
            _ => Err(wrong("Only one key allowed in match expression")),
        },
        Json::Array(_) => Err(wrong("Match value must be String, number, true, false, or null")),
    }
}

fn by_operator(operator: &str, value: &Json) -> Result<Test, Error> {
    let text = |value: &Json| match value {
        Json::String(text) => Ok(text.clone()),
        _ => Err(wrong(format_args!("{operator} match pattern must be a string"))),
    };
    match operator {
        "prefix" => text(value).map(Test::Prefix),
        "suffix" => text(value).map(Test::Suffix),
        "equals-ignore-case" => text(value).map(|text| Test::IgnoreCase(text.to_lowercase())),
        "cidr" => {
            let text = text(value)?;
            let block = match text.parse::<std::net::IpAddr>() {
                Ok(ip) => Some(ip.into()),
                Err(_) => text.parse().ok(),
            };
            block.map(Test::Cidr).ok_or_else(|| wrong("Malformed CIDR"))
        }
        "exists" => match value {
            Json::Bool(there) => Ok(Test::Exists(*there)),
            _ => Err(wrong("exists match pattern must be either true or false.")),
        },
        "numeric" => numeric(value),
        "anything-but" => anything_but(value),
        other => Err(wrong(format_args!("Unrecognized match type {other}"))),
    }
}

fn anything_but(value: &Json) -> Result<Test, Error> {
    let of_kind = |value: &Json| match value {
        Json::String(_) | Json::Number(_) => test(value),
        _ => Err(wrong("Value of anything-but must be an array or single string/number value.")),
    };
    let tests = match value {
        Json::Array(all) if all.is_empty() => return Err(wrong("Empty arrays are not allowed")),
        Json::Array(all) => {
            let texts = all.iter().filter(|value| value.is_string()).count();
            if texts != 0 && texts != all.len() {
                return Err(wrong(
                    "Inside anything but list, either all values are number or string, mixed type is not supported",
                ));
            }
            all.iter().map(of_kind).collect::<Result<_, _>>()?
        }
        Json::Object(one) => match one.iter().next() {
            Some((operator, value)) if one.len() == 1 && (operator == "prefix" || operator == "suffix") => {
                let all: Vec<&Json> = value.as_array().map_or_else(|| vec![value], |all| all.iter().collect());
                if all.is_empty() {
                    return Err(wrong("Empty arrays are not allowed"));
                }
                all.into_iter().map(|value| by_operator(operator, value)).collect::<Result<_, _>>()?
            }
            _ => return Err(wrong("Unsupported anything-but pattern")),
        },
        one => vec![of_kind(one)?],
    };
    Ok(Test::Not(tests))
}

fn numeric(value: &Json) -> Result<Test, Error> {
    let Json::Array(words) = value else { return Err(wrong("Value of numeric must be an array.")) };
    if words.is_empty() {
        return Err(wrong("Invalid member in numeric match: ]"));
    }
    let mut all = vec![];
    for pair in words.chunks(2) {
        let operator = pair[0].as_str().ok_or_else(|| wrong("Invalid member in numeric match"))?;
        let compare = match operator {
            "=" => Compare::Equal,
            "<" => Compare::Less,
            "<=" => Compare::LessOrEqual,
            ">" => Compare::Greater,
            ">=" => Compare::GreaterOrEqual,
            other => return Err(wrong(format_args!("Unrecognized numeric range operator: {other}"))),
        };
        let bound = pair.get(1).ok_or_else(|| wrong(format_args!("Value of {operator} must be numeric")))?;
        all.push((compare, number(bound, operator)?));
    }
    let lower = |compare: Compare| matches!(compare, Compare::Greater | Compare::GreaterOrEqual);
    let upper = |compare: Compare| matches!(compare, Compare::Less | Compare::LessOrEqual);
    match all[..] {
        [_] => {}
        [(first, least), (second, most)] if lower(first) && upper(second) => {
            if least >= most {
                return Err(wrong("Bottom must be less than top"));
            }
        }
        _ => return Err(wrong("Too many terms in numeric range expression")),
    }
    Ok(Test::Numeric(all))
}

/// A number of a policy, in units.
fn number(json: &Json, of: &str) -> Result<i64, Error> {
    let number = json.as_f64().ok_or_else(|| wrong(format_args!("Value of {of} must be numeric")))?;
    let units = in_units(number).filter(|units| (-BOUND..=BOUND).contains(units));
    units.ok_or_else(|| wrong("Numeric values must be between -1000000000 and 1000000000, with up to five digits of accuracy after the decimal point"))
}

/// A number to the fifth digit behind the point; none where it is too large to be told.
fn in_units(number: f64) -> Option<i64> {
    let units = (number * UNIT as f64).round();
    (units.abs() < 9e18).then_some(units as i64)
}
