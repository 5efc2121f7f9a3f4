//! An expression's value, from those of the queries that it names.

use super::frame::Frame;
use super::functions;
use super::parse::{Expression, Operator};
use super::series::{Series, Value};

/// Words that stand for themselves where functions take them.
const WORDS: [&str; 8] = ["REPEAT", "LINEAR", "AVG", "MIN", "MAX", "SUM", "ASC", "DESC"];

/// The value of an expression, or what is wrong with it.
pub fn evaluate(expression: &Expression, frame: &Frame<'_>) -> Result<Value, String> {
    match expression {
        Expression::Number(number) => Ok(Value::Number(*number)),
        Expression::Text(text) => Ok(Value::Text(text.clone())),
        Expression::Name(name) => match frame.values.get(name) {
            Some(value) => Ok(value.clone()),
            None if WORDS.contains(&name.as_str()) => Ok(Value::Text(name.clone())),
            None => Err(format!("there is no {name}")),
        },
        Expression::List(parts) => {
            let mut all = vec![];
            for part in parts {
                match evaluate(part, frame)? {
                    Value::One(series) => all.push(series),
                    Value::Many(more) => all.extend(more),
                    _ => return Err("a list has what is no series".to_owned()),
                }
            }
            Ok(Value::Many(all))
        }
        Expression::Minus(part) => match evaluate(part, frame)? {
            Value::Number(number) => Ok(Value::Number(-number)),
            Value::One(series) => Ok(Value::One(series.map(|value| -value))),
            Value::Many(all) => Ok(Value::Many(all.iter().map(|series| series.map(|value| -value)).collect())),
            Value::Text(_) => Err("a text has no sign".to_owned()),
        },
        Expression::Both(operator, left, right) => both(*operator, evaluate(left, frame)?, evaluate(right, frame)?),
        Expression::Call(name, _) if name == "SEARCH" => {
            let found = frame.found.get(&format!("{expression:?}")).cloned();
            found.map(Value::Many).ok_or_else(|| "SEARCH is not allowed here".to_owned())
        }
        Expression::Call(name, arguments) if name == "METRICS" => {
            let part = match arguments.as_slice() {
                [] => "",
                [Expression::Text(part)] => part,
                _ => return Err("METRICS takes nothing, or a text".to_owned()),
            };
            let named = frame.metrics.iter().filter(|(id, _)| id.contains(part));
            Ok(Value::Many(named.map(|(_, series)| series.clone()).collect()))
        }
        Expression::Call(name, arguments) => {
            let arguments = arguments.iter().map(|argument| evaluate(argument, frame)).collect::<Result<_, _>>()?;
            functions::call(name, arguments, frame)
        }
    }
}

fn both(operator: Operator, left: Value, right: Value) -> Result<Value, String> {
    let change = |a: f64, b: f64| number(operator, a, b);
    Ok(match (left, right) {
        (Value::Number(a), Value::Number(b)) => Value::Number(change(a, b)),
        (Value::One(series), Value::Number(b)) => Value::One(series.map(|a| change(a, b))),
        (Value::Number(a), Value::One(series)) => Value::One(series.map(|b| change(a, b))),
        (Value::One(a), Value::One(b)) => Value::One(a.with(&b, change)),
        (Value::Many(all), Value::Number(b)) => Value::Many(all.iter().map(|s| s.map(|a| change(a, b))).collect()),
        (Value::Number(a), Value::Many(all)) => Value::Many(all.iter().map(|s| s.map(|b| change(a, b))).collect()),
        (Value::Many(all), Value::One(b)) => Value::Many(all.iter().map(|a| a.with(&b, change)).collect()),
        (Value::One(a), Value::Many(all)) => {
            let with = |b: &Series| Series { label: b.label.clone(), metric: b.metric.clone(), ..a.with(b, change) };
            Value::Many(all.iter().map(with).collect())
        }
        (Value::Many(a), Value::Many(b)) if a.len() == b.len() => {
            Value::Many(a.iter().zip(&b).map(|(a, b)| a.with(b, change)).collect())
        }
        (Value::Many(_), Value::Many(_)) => return Err("two lists of series are not of one length".to_owned()),
        _ => return Err("an operator stands beside a text".to_owned()),
    })
}

fn number(operator: Operator, a: f64, b: f64) -> f64 {
    let holds = match operator {
        Operator::Plus => return a + b,
        Operator::Minus => return a - b,
        Operator::Times => return a * b,
        Operator::By => return a / b,
        Operator::Power => return a.powf(b),
        Operator::Or => a != 0.0 || b != 0.0,
        Operator::And => a != 0.0 && b != 0.0,
        Operator::Equal => a == b,
        Operator::NotEqual => a != b,
        Operator::Less => a < b,
        Operator::LessOrEqual => a <= b,
        Operator::Greater => a > b,
        Operator::GreaterOrEqual => a >= b,
    };
    f64::from(u8::from(holds))
}
