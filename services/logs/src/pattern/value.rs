//! What a member or field is compared with, and how.

use super::cursor::Cursor;
use super::expression::Expression;
use super::wildcard::Wildcard;
use super::{BadPattern, Result};
use std::cmp::Ordering;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Equal,
    Different,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    pub fn parse(cursor: &mut Cursor<'_>) -> Option<Self> {
        let known = [
            ("!=", Self::Different),
            (">=", Self::GreaterOrEqual),
            ("<=", Self::LessOrEqual),
            ("=", Self::Equal),
            (">", Self::Greater),
            ("<", Self::Less),
        ];
        known.into_iter().find_map(|(text, operator)| cursor.take(text).then_some(operator))
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Different => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

#[derive(Debug, Clone)]
pub enum Wanted {
    Number(f64),
    Text(Wildcard),
    Expression(Expression),
}

/// What something is compared with.
#[derive(Debug, Clone)]
pub struct Comparison {
    operator: Operator,
    wanted: Wanted,
}

impl Comparison {
    /// The operator and what stands behind it, which ends at one of `ends`.
    pub fn parse(cursor: &mut Cursor<'_>, ends: &str) -> Result<Self> {
        let operator = Operator::parse(cursor).ok_or_else(|| cursor.bad("expected a comparison"))?;
        cursor.spaces();
        let wanted = match cursor.peek() {
            Some('"') => Wanted::Text(Wildcard::new(&cursor.quoted()?)),
            Some('%') => Wanted::Expression(Expression::parse(cursor)?),
            _ => {
                let text = cursor.run(|c| !c.is_whitespace() && !ends.contains(c) && !"&|()\"%=<>!".contains(c));
                match (text, text.parse::<f64>()) {
                    ("", _) => return Err(cursor.bad("expected a value")),
                    // Words that Rust takes for numbers are none here.
                    (_, Ok(number)) if number.is_finite() && !text.starts_with(|c: char| c.is_alphabetic()) => {
                        Wanted::Number(number)
                    }
                    _ => Wanted::Text(Wildcard::new(text)),
                }
            }
        };
        let ordered = !matches!(operator, Operator::Equal | Operator::Different);
        match (ordered, &wanted) {
            (true, Wanted::Text(_) | Wanted::Expression(_)) => {
                Err(BadPattern("Invalid filter pattern: texts can be compared by = and != only".to_owned()))
            }
            _ => Ok(Self { operator, wanted }),
        }
    }

    pub fn is_expression(&self) -> bool {
        matches!(self.wanted, Wanted::Expression(_))
    }

    /// Of a text. One that is no number is none that a number is compared with.
    pub fn of_text(&self, text: &str) -> bool {
        match &self.wanted {
            Wanted::Number(wanted) => match text.parse::<f64>() {
                Ok(number) => self.of_order(number.partial_cmp(wanted)),
                Err(_) => self.operator == Operator::Different,
            },
            Wanted::Text(wanted) => wanted.matches(text) == (self.operator == Operator::Equal),
            Wanted::Expression(wanted) => wanted.matches(text) == (self.operator == Operator::Equal),
        }
    }

    /// Of a JSON text: a number is none.
    pub fn of_json_text(&self, text: &str) -> bool {
        match &self.wanted {
            Wanted::Number(_) => self.operator == Operator::Different,
            _ => self.of_text(text),
        }
    }

    pub fn of_number(&self, number: &serde_json::Number) -> bool {
        match &self.wanted {
            Wanted::Number(wanted) => self.of_order(number.as_f64().and_then(|number| number.partial_cmp(wanted))),
            _ => self.of_text(&number.to_string()),
        }
    }

    fn of_order(&self, order: Option<Ordering>) -> bool {
        order.is_some_and(|order| self.operator.holds(order))
    }
}
