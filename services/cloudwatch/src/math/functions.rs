//! The functions.

use super::frame::Frame;
use super::series::{Reduce, Series, Value};
use super::times;

/// Documented, and not built.
pub const NOT_BUILT: &[&str] =
    &["ANOMALY_DETECTION_BAND", "DB_PERF_INSIGHTS", "INSIGHT_RULE_METRIC", "LAMBDA", "SERVICE_QUOTA"];

/// Those that are built, but SEARCH, which is done before.
pub const BUILT: &[&str] = &[
    "ABS",
    "AVG",
    "CEIL",
    "DATAPOINT_COUNT",
    "DATE",
    "DAY",
    "DIFF",
    "DIFF_TIME",
    "EPOCH",
    "FILL",
    "FIRST",
    "FLOOR",
    "HOUR",
    "IF",
    "LAST",
    "LOG",
    "LOG10",
    "MAX",
    "METRICS",
    "METRIC_COUNT",
    "MIN",
    "MINUTE",
    "MONTH",
    "PERIOD",
    "RATE",
    "REMOVE_EMPTY",
    "RUNNING_SUM",
    "SEARCH",
    "SLICE",
    "SORT",
    "STDDEV",
    "SUM",
    "TIME_SERIES",
    "YEAR",
];

type Answer = Result<Value, String>;

/// What a function of that name gives.
pub fn call(name: &str, arguments: Vec<Value>, frame: &Frame<'_>) -> Answer {
    let reduce = match name {
        "AVG" => Some(Reduce::Average),
        "MIN" => Some(Reduce::Minimum),
        "MAX" => Some(Reduce::Maximum),
        "SUM" => Some(Reduce::Sum),
        "STDDEV" => Some(Reduce::Deviation),
        "DATAPOINT_COUNT" => Some(Reduce::Count),
        _ => None,
    };
    if let Some(reduce) = reduce {
        return match one(name, arguments)? {
            Value::One(series) => {
                let numbers: Vec<f64> = series.points.iter().map(|(_, value)| *value).collect();
                // Of a series without points there is nothing to tell; an empty one goes on.
                Ok(reduce.of(&numbers).map_or(Value::One(Series { points: vec![], ..series }), Value::Number))
            }
            Value::Many(all) => Ok(Value::One(reduce.across(&all))),
            Value::Number(number) if reduce != Reduce::Count => {
                reduce.of(&[number]).map(Value::Number).ok_or_else(String::new)
            }
            _ => Err(wrong(name)),
        };
    }
    match name {
        "ABS" => each_number(name, arguments, f64::abs),
        "CEIL" => each_number(name, arguments, f64::ceil),
        "FLOOR" => each_number(name, arguments, f64::floor),
        "LOG" => each_number(name, arguments, f64::ln),
        "LOG10" => each_number(name, arguments, f64::log10),
        "DIFF" => each(name, arguments, |s| s.steps(|before, now| now.1 - before.1)),
        "DIFF_TIME" => each(name, arguments, |s| s.steps(|before, now| (now.0 - before.0) as f64)),
        "RATE" => each(name, arguments, |s| s.steps(|before, now| (now.1 - before.1) / (now.0 - before.0) as f64)),
        "RUNNING_SUM" => each(name, arguments, running_sum),
        "MINUTE" | "HOUR" | "DAY" | "DATE" | "MONTH" | "YEAR" | "EPOCH" => each(name, arguments, |series| {
            let part = |(at, _): &(i64, f64)| Some((*at, times::part(name, *at)?));
            Series { points: series.points.iter().filter_map(part).collect(), ..series.clone() }
        }),
        "PERIOD" => match one(name, arguments)? {
            Value::One(series) => Ok(Value::Number(series.period as f64)),
            _ => Err(wrong(name)),
        },
        "METRIC_COUNT" => match one(name, arguments)? {
            Value::Many(all) => Ok(Value::Number(all.len() as f64)),
            Value::One(_) => Ok(Value::Number(1.0)),
            _ => Err(wrong(name)),
        },
        "FIRST" | "LAST" => {
            let all = many(name, one(name, arguments)?)?;
            let found = if name == "FIRST" { all.into_iter().next() } else { all.into_iter().next_back() };
            Ok(Value::One(found.unwrap_or_default()))
        }
        "REMOVE_EMPTY" => {
            let mut all = many(name, one(name, arguments)?)?;
            all.retain(|series| !series.points.is_empty());
            Ok(Value::Many(all))
        }
        "TIME_SERIES" => match one(name, arguments)? {
            Value::Number(number) => {
                let points = frame.times(frame.period)?.map(|at| (at, number)).collect();
                Ok(Value::One(Series { period: frame.period, points, ..Series::default() }))
            }
            series @ Value::One(_) => Ok(series),
            _ => Err(wrong(name)),
        },
        "FILL" => fill(arguments, frame),
        "IF" => choose(arguments),
        "SLICE" => slice(arguments),
        "SORT" => sort(arguments),
        other if NOT_BUILT.contains(&other) => Err(format!("the function {other} is not built")),
        other => Err(format!("there is no function {other}")),
    }
}

fn wrong(name: &str) -> String {
    format!("the arguments of {name} are not of the kinds that it takes")
}

fn one(name: &str, arguments: Vec<Value>) -> Answer {
    let [one] = <[Value; 1]>::try_from(arguments).map_err(|_| format!("{name} takes one argument"))?;
    Ok(one)
}

fn many(name: &str, value: Value) -> Result<Vec<Series>, String> {
    match value {
        Value::Many(all) => Ok(all),
        Value::One(series) => Ok(vec![series]),
        _ => Err(wrong(name)),
    }
}

fn each(name: &str, arguments: Vec<Value>, change: impl Fn(&Series) -> Series) -> Answer {
    match one(name, arguments)? {
        Value::One(series) => Ok(Value::One(change(&series))),
        Value::Many(all) => Ok(Value::Many(all.iter().map(change).collect())),
        _ => Err(wrong(name)),
    }
}

fn each_number(name: &str, arguments: Vec<Value>, change: impl Fn(f64) -> f64) -> Answer {
    match arguments.as_slice() {
        [Value::Number(number)] => Ok(Value::Number(change(*number))),
        _ => each(name, arguments, |series| series.map(&change)),
    }
}

fn running_sum(series: &Series) -> Series {
    let mut sum = 0.0;
    let points = series.points.iter().map(|(at, value)| {
        sum += value;
        (*at, sum)
    });
    Series { points: points.collect(), ..series.clone() }
}

fn fill(arguments: Vec<Value>, frame: &Frame<'_>) -> Answer {
    let [what, with] = <[Value; 2]>::try_from(arguments).map_err(|_| "FILL takes two arguments".to_owned())?;
    let filled = |series: &Series| -> Result<Series, String> {
        let mut points = Vec::with_capacity(series.points.len());
        let period = if series.period > 0 { series.period } else { frame.period };
        let mut known = series.points.iter().copied().peekable();
        let mut last: Option<(i64, f64)> = None;
        for at in frame.times(period)? {
            if let Some(point) = known.next_if(|(time, _)| *time == at) {
                points.push(point);
                last = Some(point);
                continue;
            }
            let value = match &with {
                Value::Number(number) => Some(*number),
                Value::One(other) => other.at(at),
                Value::Text(how) if how == "REPEAT" => last.map(|(_, value)| value),
                Value::Text(how) if how == "LINEAR" => match (last, known.peek()) {
                    (Some((from, low)), Some((to, high))) => {
                        Some(low + (high - low) * (at - from) as f64 / (to - from) as f64)
                    }
                    _ => None,
                },
                _ => return Err(wrong("FILL")),
            };
            points.extend(value.map(|value| (at, value)));
        }
        Ok(Series { points, period, ..series.clone() })
    };
    match &what {
        Value::One(series) => Ok(Value::One(filled(series)?)),
        Value::Many(all) => Ok(Value::Many(all.iter().map(filled).collect::<Result<_, _>>()?)),
        _ => Err(wrong("FILL")),
    }
}

/// `IF(condition, then, else)`; without the last there is no value where the condition does not hold.
fn choose(arguments: Vec<Value>) -> Answer {
    let (condition, then, otherwise) = match arguments.as_slice() {
        [condition, then] => (condition, then, None),
        [condition, then, otherwise] => (condition, then, Some(otherwise)),
        _ => return Err("IF takes two or three arguments".to_owned()),
    };
    let at = |value: Option<&Value>, time: i64| match value {
        Some(Value::Number(number)) => Ok(Some(*number)),
        Some(Value::One(series)) => Ok(series.at(time)),
        None => Ok(None),
        Some(_) => Err(wrong("IF")),
    };
    match condition {
        Value::Number(holds) => {
            let chosen = if *holds != 0.0 { Some(then) } else { otherwise };
            Ok(chosen.cloned().unwrap_or_else(|| Value::One(Series::default())))
        }
        Value::One(series) => {
            let mut points = vec![];
            for (time, holds) in &series.points {
                let value = at(if *holds != 0.0 { Some(then) } else { otherwise }, *time)?;
                points.extend(value.map(|value| (*time, value)));
            }
            Ok(Value::One(Series { points, ..series.clone() }))
        }
        _ => Err(wrong("IF")),
    }
}

fn slice(arguments: Vec<Value>) -> Answer {
    let place = |value: &Value| match value {
        Value::Number(number) if *number >= 0.0 && number.fract() == 0.0 => Ok(*number as usize),
        _ => Err(wrong("SLICE")),
    };
    let (all, from, to) = match arguments.as_slice() {
        [Value::Many(all), from] => (all, place(from)?, None),
        [Value::Many(all), from, to] => (all, place(from)?, Some(place(to)?)),
        _ => return Err(wrong("SLICE")),
    };
    // With one place, one series; with two, those from the first up to the second.
    match to {
        None => Ok(all.get(from).cloned().map_or_else(|| Value::Many(vec![]), Value::One)),
        Some(to) => Ok(Value::Many(all.iter().take(to).skip(from).cloned().collect())),
    }
}

fn sort(arguments: Vec<Value>) -> Answer {
    let (all, by, order, most) = match arguments.as_slice() {
        [Value::Many(all), Value::Text(by), Value::Text(order)] => (all, by, order, None),
        [Value::Many(all), Value::Text(by), Value::Text(order), Value::Number(most)] if *most >= 0.0 => {
            (all, by, order, Some(*most as usize))
        }
        _ => return Err(wrong("SORT")),
    };
    let by = match by.as_str() {
        "AVG" => Reduce::Average,
        "MIN" => Reduce::Minimum,
        "MAX" => Reduce::Maximum,
        "SUM" => Reduce::Sum,
        _ => return Err(wrong("SORT")),
    };
    let number = |series: &Series| by.of(&series.points.iter().map(|(_, value)| *value).collect::<Vec<_>>());
    let mut sorted: Vec<(Option<f64>, Series)> = all.iter().map(|series| (number(series), series.clone())).collect();
    let descends = match order.as_str() {
        "ASC" => false,
        "DESC" => true,
        _ => return Err(wrong("SORT")),
    };
    // What has no points stands at the end.
    sorted.sort_by(|(a, _), (b, _)| match (a, b) {
        (Some(a), Some(b)) if descends => b.total_cmp(a),
        (Some(a), Some(b)) => a.total_cmp(b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    let most = most.unwrap_or(sorted.len());
    Ok(Value::Many(sorted.into_iter().take(most).map(|(_, series)| series).collect()))
}
