//! Fields of a message with spaces between them. What stands in brackets or double quotes is one field.

use super::cursor::Cursor;
use super::json::{MOST_EXPRESSIONS, too_many_expressions};
use super::value::Comparison;
use super::{DEEPEST, Extracted, Result};

#[derive(Debug, Clone)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Is(Comparison),
}

impl Condition {
    fn holds(&self, field: &str) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(field)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(field)),
            Self::Is(comparison) => comparison.of_text(field),
        }
    }

    fn expressions(&self) -> usize {
        match self {
            Self::All(conditions) | Self::Any(conditions) => conditions.iter().map(Self::expressions).sum(),
            Self::Is(comparison) => usize::from(comparison.is_expression()),
        }
    }
}

#[derive(Debug, Clone)]
struct Field {
    name: String,
    condition: Option<Condition>,
}

#[derive(Debug, Clone)]
pub struct Delimited {
    before: Vec<Field>,
    /// What stands behind the ellipsis; none: there is no ellipsis.
    behind: Option<Vec<Field>>,
}

impl Delimited {
    pub fn parse(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.expect("[")?;
        let mut all = Self { before: vec![], behind: None };
        loop {
            cursor.spaces();
            if cursor.take("...") {
                if all.behind.is_some() {
                    return Err(cursor.bad("there can be one ellipsis"));
                }
                all.behind = Some(vec![]);
            } else {
                let mut name = None;
                let condition = any(cursor, &mut name, 0)?;
                let name = name.ok_or_else(|| cursor.bad("expected the name of a field"))?;
                if all.fields().any(|field| field.name == name) {
                    return Err(cursor.bad(format!("two fields are called {name}")));
                }
                all.behind.as_mut().unwrap_or(&mut all.before).push(Field { name, condition });
            }
            cursor.spaces();
            if cursor.take("]") {
                break;
            }
            cursor.expect(",")?;
        }
        match all.expressions() > MOST_EXPRESSIONS {
            true => Err(too_many_expressions()),
            false => Ok(all),
        }
    }

    fn fields(&self) -> impl Iterator<Item = &Field> {
        self.before.iter().chain(self.behind.iter().flatten())
    }

    pub fn names(&self) -> Vec<String> {
        self.fields().map(|field| field.name.clone()).collect()
    }

    pub fn expressions(&self) -> usize {
        self.fields().filter_map(|field| field.condition.as_ref()).map(Condition::expressions).sum()
    }

    /// The fields of a message by their names, and those that the ellipsis stands for by their numbers; none where the
    /// message is not meant.
    pub fn matches(&self, message: &str) -> Option<Extracted> {
        let texts = split(message);
        let behind = self.behind.as_deref().unwrap_or_default();
        let named = self.before.len() + behind.len();
        let fits = if self.behind.is_some() { texts.len() >= named } else { texts.len() == named };
        if !fits {
            return None;
        }
        let (before, rest) = texts.split_at(self.before.len());
        let (between, after) = rest.split_at(rest.len() - behind.len());
        let pairs = || self.before.iter().zip(before).chain(behind.iter().zip(after));
        let holds = |(field, text): (&Field, &&str)| field.condition.as_ref().is_none_or(|c| c.holds(text));
        if !pairs().all(holds) {
            return None;
        }
        let named = pairs().map(|(field, text)| (format!("${}", field.name), (*text).to_owned()));
        let first = self.before.len() + 1;
        let numbered = between.iter().enumerate().map(|(n, text)| (format!("${}", first + n), (*text).to_owned()));
        Some(named.chain(numbered).collect())
    }
}

/// A field's name alone, or conditions on it, each of which says its name again.
fn any(cursor: &mut Cursor<'_>, name: &mut Option<String>, depth: usize) -> Result<Option<Condition>> {
    let mut conditions = vec![];
    loop {
        let mut all = vec![];
        loop {
            match one(cursor, name, depth)? {
                Some(condition) => all.push(condition),
                None if all.is_empty() && conditions.is_empty() => return Ok(None),
                None => return Err(cursor.bad("expected a comparison")),
            }
            cursor.spaces();
            if !cursor.take("&&") {
                break;
            }
        }
        conditions.push(Condition::All(all));
        if !cursor.take("||") {
            return Ok(Some(Condition::Any(conditions)));
        }
    }
}

fn one(cursor: &mut Cursor<'_>, name: &mut Option<String>, depth: usize) -> Result<Option<Condition>> {
    cursor.spaces();
    if cursor.take("(") {
        if depth == DEEPEST {
            return Err(cursor.bad("too many parentheses"));
        }
        let within = any(cursor, name, depth + 1)?;
        cursor.spaces();
        cursor.expect(")")?;
        return Ok(within);
    }
    let said = cursor.run(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if said.is_empty() {
        return Err(cursor.bad("expected the name of a field"));
    }
    match name {
        Some(known) if known != said => return Err(cursor.bad(format!("{said} is another field than {known}"))),
        _ => *name = Some(said.to_owned()),
    }
    cursor.spaces();
    match cursor.peek() {
        Some('=' | '!' | '<' | '>') => Ok(Some(Condition::Is(Comparison::parse(cursor, ",]")?))),
        _ => Ok(None),
    }
}

/// The fields of a message.
pub fn split(message: &str) -> Vec<&str> {
    let mut fields = vec![];
    let mut rest = message.trim();
    while !rest.is_empty() {
        let closed_by = match rest.as_bytes()[0] {
            b'[' => Some(']'),
            b'"' => Some('"'),
            _ => None,
        };
        let closed = closed_by.and_then(|closed_by| {
            let end = rest[1..].find(closed_by)? + 1;
            // A field ends behind what closes it.
            let behind = &rest[end + 1..];
            (behind.is_empty() || behind.starts_with(char::is_whitespace)).then_some((&rest[1..end], behind))
        });
        let (field, behind) =
            closed.unwrap_or_else(|| rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())));
        fields.push(field);
        rest = behind.trim_start();
    }
    fields
}
