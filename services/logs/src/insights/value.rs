//! What an expression comes to, how two are compared, and how they are written.

use super::time;
use std::borrow::Cow;
use std::cmp::Ordering;

#[derive(Debug, Clone, PartialEq)]
pub enum Value<'e> {
    /// There is none.
    Null,
    Truth(bool),
    Number(f64),
    /// Milliseconds since 1970.
    Time(i64),
    Text(Cow<'e, str>),
}

impl<'e> Value<'e> {
    pub fn text(text: impl Into<Cow<'e, str>>) -> Self {
        Self::Text(text.into())
    }

    pub fn number(number: Option<f64>) -> Self {
        match number {
            Some(number) if !number.is_nan() => Self::Number(number),
            _ => Self::Null,
        }
    }

    /// The same for as long as `self` is there.
    pub fn borrowed(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Truth(truth) => Value::Truth(*truth),
            Self::Number(number) => Value::Number(*number),
            Self::Time(time) => Value::Time(*time),
            Self::Text(text) => Value::Text(Cow::Borrowed(text)),
        }
    }

    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Truth(truth) => Value::Truth(truth),
            Self::Number(number) => Value::Number(number),
            Self::Time(time) => Value::Time(time),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub fn is_true(&self) -> bool {
        match self {
            Self::Truth(truth) => *truth,
            Self::Number(number) => *number != 0.0,
            Self::Text(text) => text == "true",
            Self::Null | Self::Time(_) => false,
        }
    }

    /// As a number; of a text what it says.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Time(time) => Some(*time as f64),
            Self::Truth(truth) => Some(f64::from(u8::from(*truth))),
            Self::Text(text) => number_of(text),
            Self::Null => None,
        }
    }

    /// As AWS writes it in results; none of what is not there.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null => None,
            Self::Truth(truth) => Some(Cow::Borrowed(if *truth { "1" } else { "0" })),
            Self::Number(number) => Some(Cow::Owned(written(*number))),
            Self::Time(time) => Some(Cow::Owned(time::written(*time))),
            Self::Text(text) => Some(Cow::Borrowed(text)),
        }
    }

    /// About how many bytes it takes.
    pub fn weight(&self) -> usize {
        size_of::<Self>() + if let Self::Text(Cow::Owned(text)) = self { text.len() } else { 0 }
    }

    /// Of a comparison: numbers as such where both are, else texts; none where one is not there.
    pub fn compare(&self, other: &Value<'_>) -> Option<Ordering> {
        if let (Self::Text(a), Value::Text(b)) = (self, other)
            && a == b
        {
            return Some(Ordering::Equal);
        }
        match (self.as_number(), other.as_number()) {
            (Some(a), Some(b)) => a.partial_cmp(&b),
            _ => Some(self.as_text()?.cmp(&other.as_text()?)),
        }
    }

    /// The order of `sort`: what is not there, then texts, then numbers. Texts by their parts, digits as numbers. Source:
    /// CloudWatch Logs User Guide, "sort".
    pub fn order(&self, other: &Value<'_>) -> Ordering {
        let rank = |value: &Value<'_>, number: Option<f64>| match (value.is_null(), number) {
            (true, _) => 0,
            (_, None) => 1,
            (_, Some(_)) => 2,
        };
        let (a, b) = (self.as_number(), other.as_number());
        rank(self, a).cmp(&rank(other, b)).then_with(|| match (a, b) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => natural(&self.as_text().unwrap_or_default(), &other.as_text().unwrap_or_default()),
        })
    }
}

/// The number that a text is; words such as `inf` are none.
fn number_of(text: &str) -> Option<f64> {
    let text = text.trim();
    let first = *text.as_bytes().first()?;
    match first.is_ascii_digit() || b"+-.".contains(&first) {
        true => text.parse().ok().filter(|number: &f64| number.is_finite()),
        false => None,
    }
}

fn written(number: f64) -> String {
    // What is whole has no point, up to where every whole number is one.
    match number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
        true => format!("{}", number as i64),
        false => format!("{number}"),
    }
}

fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (first, second) = match (part(&mut a), part(&mut b)) {
            (Some(first), Some(second)) => (first, second),
            (first, second) => return first.is_some().cmp(&second.is_some()),
        };
        let digits = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
        let order = match digits(first) && digits(second) {
            true => {
                let (x, y) = (first.trim_start_matches('0'), second.trim_start_matches('0'));
                x.len().cmp(&y.len()).then_with(|| x.cmp(y))
            }
            false => first.cmp(second),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// The digits, or what is none, that a text begins with.
fn part<'t>(text: &mut &'t str) -> Option<&'t str> {
    if text.is_empty() {
        return None;
    }
    let digit = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digit).unwrap_or(text.len());
    let (part, rest) = text.split_at(end);
    *text = rest;
    Some(part)
}
