//! Terms of a message: all that stand alone are in it, none behind a minus is; of those behind question marks one is.
//!
//! Question marks count only where nothing stands alone ("Match terms in unstructured log events").

use super::cursor::Cursor;
use super::expression::Expression;
use super::{BadPattern, Result};

#[derive(Debug, Clone)]
enum Term {
    Text(String),
    Expression(Expression),
}

impl Term {
    fn is_in(&self, message: &str) -> bool {
        match self {
            Self::Text(text) => message.contains(text.as_str()),
            Self::Expression(expression) => expression.matches(message),
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Terms {
    needed: Vec<Term>,
    optional: Vec<Term>,
    excluded: Vec<Term>,
}

impl Terms {
    pub fn parse(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut terms = Self::default();
        loop {
            cursor.spaces();
            let into = match cursor.peek() {
                None => return Ok(terms),
                Some('?') => &mut terms.optional,
                Some('-') => &mut terms.excluded,
                Some(_) => &mut terms.needed,
            };
            if matches!(cursor.peek(), Some('?' | '-')) {
                cursor.next();
            }
            into.push(term(cursor)?);
        }
    }

    pub fn matches(&self, message: &str) -> bool {
        let is_in = |term: &Term| term.is_in(message);
        let meant = match self.needed.is_empty() && !self.optional.is_empty() {
            true => self.optional.iter().any(is_in),
            false => self.needed.iter().all(is_in),
        };
        meant && !self.excluded.iter().any(is_in)
    }

    pub fn expressions(&self) -> usize {
        let all = self.needed.iter().chain(&self.optional).chain(&self.excluded);
        all.filter(|term| matches!(term, Term::Expression(_))).count()
    }
}

fn term(cursor: &mut Cursor<'_>) -> Result<Term> {
    match cursor.peek() {
        Some('"') => Ok(Term::Text(cursor.quoted()?)),
        Some('%') => Ok(Term::Expression(Expression::parse(cursor)?)),
        _ => {
            let text = cursor.run(|c| !c.is_whitespace());
            match !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_') {
                true => Ok(Term::Text(text.to_owned())),
                false => Err(BadPattern(format!("Invalid filter pattern: Invalid character(s) in term '{text}'"))),
            }
        }
    }
}
