//! What an expression comes to in a row.

use super::query::{Binary, Expr, Field, FieldId, Query};
use super::value::Value;
use serde_json::Value as Json;
use std::borrow::Cow;
use std::cell::OnceCell;

/// An event as a query sees it.
#[derive(Clone, Copy)]
pub struct Seen<'e> {
    pub at: i64,
    pub ingested: i64,
    pub message: &'e str,
    pub stream: &'e str,
    /// `account:group`
    pub log: &'e str,
    /// What its pointer is made of.
    pub ptr: &'e dyn Fn() -> String,
}

/// A row: an event, or what was made of some; and what the query has made.
pub struct Row<'e> {
    pub event: Option<Seen<'e>>,
    pub made: Vec<Option<Value<'e>>>,
    json: OnceCell<Option<Json>>,
}

impl<'e> Row<'e> {
    pub fn of(event: Seen<'e>, fields: usize) -> Self {
        Self { event: Some(event), made: vec![None; fields], json: OnceCell::new() }
    }

    /// What stays of a row when its event is gone.
    pub fn kept(values: Vec<Value<'static>>) -> Row<'static> {
        Row { event: None, made: values.into_iter().map(Some).collect(), json: OnceCell::new() }
    }

    pub fn get<'r>(&'r self, query: &Query, field: FieldId) -> Value<'r> {
        if let Some(made) = self.made.get(field).and_then(Option::as_ref) {
            return made.borrowed();
        }
        let Some(event) = &self.event else { return Value::Null };
        match &query.fields[field] {
            Field::Timestamp => Value::Time(event.at),
            Field::IngestionTime => Value::Time(event.ingested),
            Field::Message => Value::text(event.message),
            Field::LogStream => Value::text(event.stream),
            Field::Log => Value::text(event.log),
            Field::Ptr => Value::text((event.ptr)()),
            Field::Made => Value::Null,
            Field::Found(path) => self.found(event.message, path),
        }
    }

    /// A text that lives as long as the event, where it is the event's own.
    pub fn own_text(&self, query: &Query, field: FieldId) -> Option<&'e str> {
        match (&self.made.get(field).and_then(Option::as_ref), &self.event, &query.fields[field]) {
            (None, Some(event), Field::Message) => Some(event.message),
            (Some(Value::Text(Cow::Borrowed(text))), ..) => Some(text),
            _ => None,
        }
    }

    fn found<'r>(&'r self, message: &str, path: &[String]) -> Value<'r> {
        let json = self.json.get_or_init(|| crate::pattern::json_of(message));
        let Some(json) = json else { return Value::Null };
        match member(json, path) {
            None | Some(Json::Null) => Value::Null,
            Some(Json::String(text)) => Value::text(text.as_str()),
            Some(Json::Bool(truth)) => Value::Truth(*truth),
            Some(Json::Number(number)) => Value::number(number.as_f64()),
            Some(other) => Value::text(other.to_string()),
        }
    }
}

/// A member by its path; names with points in them are tried too.
fn member<'j>(json: &'j Json, path: &[String]) -> Option<&'j Json> {
    let Some((first, rest)) = path.split_first() else { return Some(json) };
    let step = match json {
        Json::Object(members) => members.get(first),
        Json::Array(all) => first.parse::<usize>().ok().and_then(|n| all.get(n)),
        _ => None,
    };
    step.and_then(|step| member(step, rest)).or_else(|| match json {
        Json::Object(members) if !rest.is_empty() => members.get(&path.join(".")),
        _ => None,
    })
}

/// What is the same for all rows.
#[derive(Clone, Copy)]
pub struct Scene<'q> {
    pub query: &'q Query,
    /// Milliseconds since 1970.
    pub now: i64,
}

impl Scene<'_> {
    /// `aggregated`: what the aggregates of the command came to.
    pub fn eval<'r>(&self, expr: &'r Expr, row: &'r Row<'_>, aggregated: &'r [Value<'static>]) -> Value<'r> {
        let of = |expr: &'r Expr| self.eval(expr, row, aggregated);
        match expr {
            Expr::Literal(value) => value.borrowed(),
            Expr::Field(field) => row.get(self.query, *field),
            Expr::Aggregated(n) => aggregated.get(*n).map_or(Value::Null, Value::borrowed),
            Expr::Not(expr) => Value::Truth(!of(expr).is_true()),
            Expr::Minus(expr) => Value::number(of(expr).as_number().map(|number| -number)),
            Expr::Binary(Binary::Or, a, b) => Value::Truth(of(a).is_true() || of(b).is_true()),
            Expr::Binary(Binary::And, a, b) => Value::Truth(of(a).is_true() && of(b).is_true()),
            Expr::Binary(operator, a, b) => binary(*operator, &of(a), &of(b)),
            Expr::Contains(a, b) => {
                let (a, b) = (of(a), of(b));
                let contains = a.as_text().zip(b.as_text()).is_some_and(|(a, b)| a.contains(&*b));
                Value::Truth(contains)
            }
            Expr::Matches(a, regex) => Value::Truth(of(a).as_text().is_some_and(|text| regex.is_match(&text))),
            Expr::In(a, all) => {
                let value = of(a);
                Value::Truth(all.iter().any(|one| equal(&value, &of(one))))
            }
            Expr::Call(function, given) => function.call(given.iter().map(of).collect(), self.now),
            Expr::Floor(expr, period) => time(&of(expr)).map_or(Value::Null, |at| Value::Time(period.floor(at))),
            Expr::Ceil(expr, period) => time(&of(expr)).map_or(Value::Null, |at| Value::Time(period.ceil(at))),
        }
    }
}

fn time(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Time(time) => Some(*time),
        other => other.as_number().map(|millis| millis as i64),
    }
}

fn equal(a: &Value<'_>, b: &Value<'_>) -> bool {
    a.compare(b).is_some_and(std::cmp::Ordering::is_eq)
}

fn binary(operator: Binary, a: &Value<'_>, b: &Value<'_>) -> Value<'static> {
    let compared = |holds: fn(std::cmp::Ordering) -> bool| Value::Truth(a.compare(b).is_some_and(holds));
    let counted = |of: fn(f64, f64) -> f64| {
        let number = a.as_number().zip(b.as_number()).map(|(a, b)| of(a, b));
        Value::number(number.filter(|number| number.is_finite()))
    };
    match operator {
        Binary::Equal => compared(std::cmp::Ordering::is_eq),
        // What is not there is different from everything that is.
        Binary::Different => Value::Truth(a.compare(b).is_none_or(std::cmp::Ordering::is_ne)),
        Binary::Less => compared(std::cmp::Ordering::is_lt),
        Binary::LessOrEqual => compared(std::cmp::Ordering::is_le),
        Binary::Greater => compared(std::cmp::Ordering::is_gt),
        Binary::GreaterOrEqual => compared(std::cmp::Ordering::is_ge),
        Binary::Add => counted(|a, b| a + b),
        Binary::Subtract => counted(|a, b| a - b),
        Binary::Multiply => counted(|a, b| a * b),
        Binary::Divide => counted(|a, b| a / b),
        Binary::Remainder => counted(|a, b| a % b),
        Binary::Power => counted(f64::powf),
        // Answered where neither side is looked at in vain.
        Binary::Or | Binary::And => Value::Null,
    }
}
