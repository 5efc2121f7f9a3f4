//! Conditions on members of a message that is JSON.
//!
//! A member that is not there fulfils `NOT EXISTS` only, and one that is an object or a list no comparison.

use super::cursor::Cursor;
use super::selector::Selector;
use super::value::Comparison;
use super::{BadPattern, DEEPEST, Extracted, Result};
use serde_json::Value;

/// Wildcards in the selectors of a pattern.
const MOST_WILDCARDS: usize = 3;
/// Regular expressions in a pattern.
pub const MOST_EXPRESSIONS: usize = 2;

#[derive(Debug, Clone)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Compare(Selector, Comparison),
    IsNull(Selector),
    IsTruth(Selector, bool),
    Exists(Selector, bool),
}

#[derive(Debug, Clone)]
pub struct Json(Condition);

impl Json {
    pub fn parse(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.expect("{")?;
        let all = Self(any(cursor, 0)?);
        cursor.spaces();
        cursor.expect("}")?;
        if all.expressions() > MOST_EXPRESSIONS {
            return Err(too_many_expressions());
        }
        let mut selectors = vec![];
        all.0.selectors(&mut selectors);
        match selectors.iter().filter(|selector| selector.has_wildcard()).count() > MOST_WILDCARDS {
            true => Err(BadPattern(format!(
                "Invalid filter pattern: a pattern can have {MOST_WILDCARDS} selectors with wildcards"
            ))),
            false => Ok(all),
        }
    }

    pub fn matches(&self, message: &str) -> bool {
        read(message).is_some_and(|message| self.0.holds(&message))
    }

    pub fn extract(&self, message: &str) -> Option<Extracted> {
        let message = read(message).filter(|message| self.0.holds(message))?;
        let mut selectors = vec![];
        self.0.selectors(&mut selectors);
        let taken = selectors.into_iter().filter_map(|selector| {
            let text = selector.text_of(&message)?;
            Some((selector.text().to_owned(), text))
        });
        Some(taken.collect())
    }

    pub fn expressions(&self) -> usize {
        self.0.expressions()
    }
}

pub fn too_many_expressions() -> BadPattern {
    BadPattern(format!("Invalid filter pattern: a pattern can have {MOST_EXPRESSIONS} regular expressions"))
}

/// A message that is a JSON object or list. Nesting ends where `serde_json` ends it.
pub fn read(message: &str) -> Option<Value> {
    let start = message.trim_start();
    // Most messages are none, and say so with their first character.
    match start.starts_with(['{', '[']) {
        true => serde_json::from_str(start).ok(),
        false => None,
    }
}

fn any(cursor: &mut Cursor<'_>, depth: usize) -> Result<Condition> {
    let mut conditions = vec![all(cursor, depth)?];
    loop {
        cursor.spaces();
        match cursor.take("||") {
            true => conditions.push(all(cursor, depth)?),
            false => return Ok(one_or(conditions, Condition::Any)),
        }
    }
}

fn all(cursor: &mut Cursor<'_>, depth: usize) -> Result<Condition> {
    let mut conditions = vec![one(cursor, depth)?];
    loop {
        cursor.spaces();
        match cursor.take("&&") {
            true => conditions.push(one(cursor, depth)?),
            false => return Ok(one_or(conditions, Condition::All)),
        }
    }
}

fn one_or(mut conditions: Vec<Condition>, several: impl Fn(Vec<Condition>) -> Condition) -> Condition {
    match conditions.len() {
        1 => conditions.remove(0),
        _ => several(conditions),
    }
}

fn one(cursor: &mut Cursor<'_>, depth: usize) -> Result<Condition> {
    cursor.spaces();
    if cursor.take("(") {
        if depth == DEEPEST {
            return Err(cursor.bad("too many parentheses"));
        }
        let within = any(cursor, depth + 1)?;
        cursor.spaces();
        cursor.expect(")")?;
        return Ok(within);
    }
    let selector = Selector::parse(cursor)?;
    cursor.spaces();
    if cursor.word("IS") {
        cursor.spaces();
        return if cursor.word("NULL") {
            Ok(Condition::IsNull(selector))
        } else if cursor.word("TRUE") {
            Ok(Condition::IsTruth(selector, true))
        } else if cursor.word("FALSE") {
            Ok(Condition::IsTruth(selector, false))
        } else {
            Err(cursor.bad("expected NULL, TRUE or FALSE"))
        };
    }
    if cursor.word("NOT") {
        cursor.spaces();
        return match cursor.word("EXISTS") {
            true => Ok(Condition::Exists(selector, false)),
            false => Err(cursor.bad("expected EXISTS")),
        };
    }
    if cursor.word("EXISTS") {
        return Ok(Condition::Exists(selector, true));
    }
    Ok(Condition::Compare(selector, Comparison::parse(cursor, "}")?))
}

impl Condition {
    fn holds(&self, message: &Value) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(message)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(message)),
            Self::IsNull(selector) => selector.of(message).into_iter().any(Value::is_null),
            Self::IsTruth(selector, wanted) => selector.of(message).into_iter().any(|v| v.as_bool() == Some(*wanted)),
            Self::Exists(selector, wanted) => selector.of(message).is_empty() != *wanted,
            Self::Compare(selector, comparison) => selector.of(message).into_iter().any(|value| match value {
                Value::String(text) => comparison.of_json_text(text),
                Value::Number(number) => comparison.of_number(number),
                Value::Bool(truth) => comparison.of_json_text(if *truth { "true" } else { "false" }),
                Value::Null | Value::Array(_) | Value::Object(_) => false,
            }),
        }
    }

    fn selectors<'c>(&'c self, into: &mut Vec<&'c Selector>) {
        match self {
            Self::All(conditions) | Self::Any(conditions) => {
                conditions.iter().for_each(|condition| condition.selectors(into));
            }
            Self::Compare(selector, _)
            | Self::IsNull(selector)
            | Self::IsTruth(selector, _)
            | Self::Exists(selector, _) => into.push(selector),
        }
    }

    fn expressions(&self) -> usize {
        match self {
            Self::All(conditions) | Self::Any(conditions) => conditions.iter().map(Self::expressions).sum(),
            Self::Compare(_, comparison) => usize::from(comparison.is_expression()),
            _ => 0,
        }
    }
}
