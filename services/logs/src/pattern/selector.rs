//! Which member of a JSON message: `$.a.b`, `$.list[0]`, `$['a.b']`, `$.list[*]`, `$.*`.

use super::cursor::Cursor;
use super::{DEEPEST, Result};
use serde_json::Value as Json;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(usize),
    Any,
}

/// A selector of members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    steps: Vec<Step>,
    text: String,
}

impl Selector {
    /// Reads one that is all of a text, as metric filters have it.
    pub fn whole(text: &str) -> Result<Self> {
        let mut cursor = Cursor::new(text);
        let selector = Self::parse(&mut cursor)?;
        match cursor.peek() {
            None => Ok(selector),
            Some(c) => Err(cursor.bad(format!("unexpected '{c}'"))),
        }
    }

    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self> {
        let whole = cursor.rest();
        cursor.expect("$")?;
        let mut steps = vec![];
        loop {
            let step = if cursor.take(".*") {
                Step::Any
            } else if cursor.take(".") {
                let name = cursor.run(|c| c.is_alphanumeric() || "_-@:#/".contains(c));
                match name.is_empty() {
                    true => return Err(cursor.bad("expected the name of a member")),
                    false => Step::Member(name.to_owned()),
                }
            } else if cursor.take("[*]") {
                Step::Any
            } else if cursor.take("['") {
                let name = cursor.run(|c| c != '\'').to_owned();
                cursor.expect("']")?;
                Step::Member(name)
            } else if cursor.take("[") {
                let number = cursor.run(|c| c.is_ascii_digit());
                let number = number.parse().map_err(|_| cursor.bad("expected the number of an element"))?;
                cursor.expect("]")?;
                Step::Element(number)
            } else {
                break;
            };
            steps.push(step);
            if steps.len() > DEEPEST {
                return Err(cursor.bad("a selector is too long"));
            }
        }
        let text = whole[..whole.len() - cursor.rest().len()].to_owned();
        match (steps.is_empty(), steps.iter().filter(|step| **step == Step::Any).count()) {
            (true, _) => Err(cursor.bad("expected a selector of a member")),
            (_, 2..) => Err(cursor.bad("a selector can have one wildcard")),
            _ => Ok(Self { steps, text }),
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn has_wildcard(&self) -> bool {
        self.steps.contains(&Step::Any)
    }

    /// What it means in a message: one, several where it has a wildcard, or none.
    pub fn of<'j>(&self, message: &'j Json) -> Vec<&'j Json> {
        let mut found = vec![message];
        for step in &self.steps {
            found = match step {
                Step::Member(name) => found.into_iter().filter_map(|json| json.get(name)).collect(),
                Step::Element(number) => found.into_iter().filter_map(|json| json.get(number)).collect(),
                Step::Any => found.into_iter().flat_map(within).collect(),
            };
        }
        found
    }

    /// The text of what it means, of the first where it means several; none of what is no text, number or truth.
    pub fn text_of(&self, message: &Json) -> Option<String> {
        match self.of(message).first()? {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            Json::Bool(truth) => Some(truth.to_string()),
            Json::Null | Json::Array(_) | Json::Object(_) => None,
        }
    }
}

fn within(json: &Json) -> Vec<&Json> {
    match json {
        Json::Array(all) => all.iter().collect(),
        Json::Object(all) => all.values().collect(),
        _ => vec![],
    }
}
