//! The filter pattern language: which log events are meant, and what is taken out of them.
//!
//! ```text
//! ""                                             all
//! ERROR "exit 1" ?WARN -DEBUG %5[0-9]{2}%        terms of the message
//! { $.status >= 500 && $.user.id NOT EXISTS }    members of a message that is JSON
//! [ip, user, ..., status = 4*, bytes > 1000]     fields of a message with spaces between them
//! ```
//! Pure: text in, answer out. Time is linear in the message for every pattern that is taken: expressions go through the
//! crate `regex`, wildcards never go back more than once a star, and nesting ends at [`DEEPEST`]. Source: CloudWatch Logs
//! User Guide, "Filter pattern syntax for metric filters, subscription filters, filter log events, and Live Tail".

mod cursor;
mod delimited;
mod expression;
mod json;
mod selector;
mod terms;
#[cfg(test)]
mod tests;
mod value;
mod wildcard;

pub use selector::Selector;

use cursor::Cursor;
use std::collections::BTreeMap;

/// Parentheses within each other, and members of a JSON selector.
pub const DEEPEST: usize = 32;

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadPattern(pub String);

type Result<T> = std::result::Result<T, BadPattern>;

/// A pattern that can be asked.
#[derive(Debug, Clone)]
pub struct Pattern(Kind);

#[derive(Debug, Clone)]
enum Kind {
    All,
    Terms(terms::Terms),
    Json(json::Json),
    Delimited(delimited::Delimited),
}

/// What a pattern takes out of a message: by the names that a metric filter refers to (`$name`, `$.member`).
pub type Extracted = BTreeMap<String, String>;

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is none; the text says why.
    pub fn parse(text: &str) -> Result<Self> {
        let mut cursor = Cursor::new(text);
        cursor.spaces();
        let kind = match cursor.peek() {
            None => Kind::All,
            Some('{') => Kind::Json(json::Json::parse(&mut cursor)?),
            Some('[') => Kind::Delimited(delimited::Delimited::parse(&mut cursor)?),
            Some(_) => Kind::Terms(terms::Terms::parse(&mut cursor)?),
        };
        cursor.spaces();
        match cursor.peek() {
            None => Ok(Self(kind)),
            Some(c) => Err(cursor.bad(format!("unexpected '{c}'"))),
        }
    }

    /// Whether a message is meant.
    pub fn matches(&self, message: &str) -> bool {
        match &self.0 {
            Kind::All => true,
            Kind::Terms(terms) => terms.matches(message),
            Kind::Json(json) => json.matches(message),
            Kind::Delimited(delimited) => delimited.matches(message).is_some(),
        }
    }

    /// What is taken out of a message; none where it is not meant.
    pub fn extract(&self, message: &str) -> Option<Extracted> {
        match &self.0 {
            Kind::Json(json) => json.extract(message),
            Kind::Delimited(delimited) => delimited.matches(message),
            Kind::All | Kind::Terms(_) => self.matches(message).then(Extracted::new),
        }
    }

    /// Regular expressions in it.
    pub fn expressions(&self) -> usize {
        match &self.0 {
            Kind::All => 0,
            Kind::Terms(terms) => terms.expressions(),
            Kind::Json(json) => json.expressions(),
            Kind::Delimited(delimited) => delimited.expressions(),
        }
    }

    /// Whether messages are read as JSON.
    pub fn is_json(&self) -> bool {
        matches!(self.0, Kind::Json(_))
    }

    /// The names of the fields of a pattern of that kind.
    pub fn fields(&self) -> Option<Vec<String>> {
        match &self.0 {
            Kind::Delimited(delimited) => Some(delimited.names()),
            _ => None,
        }
    }
}

/// A message as JSON, where it is an object or a list.
pub fn json_of(message: &str) -> Option<serde_json::Value> {
    json::read(message)
}
