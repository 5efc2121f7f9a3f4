//! The queries of a GetMetricData or an alarm: checked, then read from the points of one moment, then computed.

use crate::errors::{points, validation};
use crate::math::{self, Expression, Frame, Series, Value};
use crate::search::Search;
use crate::statistic::Statistic;
use crate::{names, window};
use kiln_cloudwatch_shapes::MetricDataQuery;
use kiln_points::{Metric, Points, Query, Wanted, units};
use kiln_service_kit::{Cx, Error};
use std::collections::BTreeMap;

/// Queries in one call.
pub const MOST: usize = 500;
/// Points of all of them together.
const MOST_POINTS: i64 = 4_000_000;
/// Points that one series can have: of a level as long as it is kept.
const OF_A_LEVEL: i64 = 22_000;
/// Series that one search gives, and metrics that it looks at.
const MOST_FOUND: usize = 100;
const MOST_LOOKED_AT: usize = 10_000;

/// A query that was checked.
#[derive(Debug, Clone)]
pub struct Checked {
    pub id: String,
    pub label: Option<String>,
    pub shown: bool,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    Metric(Asked),
    Expression { expression: Expression, period: Option<i64> },
}

/// A metric and what of it.
#[derive(Debug, Clone)]
pub struct Asked {
    pub metric: Metric,
    pub period: i64,
    pub statistic: Statistic,
    pub text: String,
    pub unit: Option<u8>,
}

/// What queries gave.
pub struct Answered {
    /// By their ids, in the order of the request: those that are shown.
    pub results: Vec<(Checked, Vec<Series>)>,
    /// What the whole answer has to say.
    pub messages: Vec<(String, String)>,
}

/// Checks queries, all that can be without reading.
pub fn check(cx: &Cx, queries: &[MetricDataQuery]) -> Result<Vec<Checked>, Error> {
    if queries.is_empty() || queries.len() > MOST {
        return Err(validation(format!("The collection MetricDataQueries must have a size between 1 and {MOST}.")));
    }
    let mut all: Vec<Checked> = Vec::with_capacity(queries.len());
    for query in queries {
        let id = &query.id;
        let fits = id.starts_with(|c: char| c.is_ascii_lowercase())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !fits {
            return Err(validation(format!(
                "The value {id} for parameter MetricDataQueries.member.1.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."
            )));
        }
        if all.iter().any(|known| known.id == *id) {
            return Err(validation(format!("The values for parameter id in MetricDataQueries are not unique: {id}.")));
        }
        if query.account_id.as_deref().is_some_and(|account| account != cx.account()) {
            return Err(Error::not_built("cloudwatch: metrics of other accounts (AccountId)"));
        }
        let period = |seconds: i32| {
            let seconds = i64::from(seconds);
            let wrong = || {
                validation(format!("Period must be 1, 5, 10, 20, 30 or a multiple of 60, and {seconds} is not ({id})."))
            };
            window::is_period(seconds).then_some(seconds).ok_or_else(wrong)
        };
        let what = match (&query.metric_stat, &query.expression) {
            (Some(stat), None) => {
                let statistic = Statistic::parse(&stat.stat).ok_or_else(|| {
                    validation(format!("The value {} for parameter Stat of {id} is not a valid statistic.", stat.stat))
                })?;
                What::Metric(Asked {
                    metric: names::of_shape(cx, &stat.metric)?,
                    period: period(stat.period)?,
                    statistic,
                    text: stat.stat.clone(),
                    unit: stat.unit.as_deref().and_then(units::number),
                })
            }
            (None, Some(text)) => {
                if text.trim_start().get(..6).is_some_and(|start| start.eq_ignore_ascii_case("select")) {
                    return Err(Error::not_built("cloudwatch: Metrics Insights queries (SELECT …)"));
                }
                let wrong = |why: String| validation(format!("Error in expression '{id}': {why}"));
                let expression = math::parse(text).map_err(wrong)?;
                let mut calls = vec![];
                expression.calls(&mut calls);
                if let Some(call) = calls.iter().find(|call| math::NOT_BUILT.contains(call)) {
                    return Err(Error::not_built(format!("cloudwatch: the function {call} of metric math")));
                }
                if let Some(call) = calls.iter().find(|call| !math::BUILT.contains(call)) {
                    return Err(wrong(format!("Unsupported function {call}")));
                }
                What::Expression { expression, period: query.period.map(period).transpose()? }
            }
            _ => {
                return Err(validation(format!(
                    "Exactly one of the parameters MetricStat and Expression must be specified for the query {id}."
                )));
            }
        };
        all.push(Checked {
            id: id.clone(),
            label: query.label.clone(),
            shown: query.return_data.unwrap_or(true),
            what,
        });
    }
    order(&all)?;
    Ok(all)
}

/// The expressions, each behind those that it names.
fn order(all: &[Checked]) -> Result<Vec<usize>, Error> {
    // 0: not seen, 1: being looked at, 2: done. By hand, since 500 may name each other in a row.
    let (mut state, mut done) = (vec![0u8; all.len()], vec![]);
    let place: BTreeMap<&str, usize> = all.iter().enumerate().map(|(n, checked)| (checked.id.as_str(), n)).collect();
    for first in 0..all.len() {
        let mut open = vec![(first, false)];
        while let Some((n, behind)) = open.pop() {
            if behind {
                state[n] = 2;
                done.push(n);
                continue;
            }
            match state[n] {
                2 => continue,
                1 => return Err(validation(format!("The expression '{}' names itself, by way of others.", all[n].id))),
                _ => state[n] = 1,
            }
            open.push((n, true));
            let What::Expression { expression, .. } = &all[n].what else { continue };
            let mut names = vec![];
            expression.names(&mut names);
            names.sort_unstable();
            names.dedup();
            for name in names {
                if let Some(&named) = place.get(name) {
                    if state[named] == 1 {
                        return Err(validation(format!(
                            "The expression '{}' names itself, by way of others.",
                            all[n].id
                        )));
                    }
                    open.push((named, false));
                }
            }
        }
    }
    Ok(done)
}

/// Reads and computes. `from` and `to` are seconds; `align` says where the first period of a metric begins.
pub async fn answer(cx: &Cx, queries: Vec<Checked>, from: i64, to: i64) -> Result<Answered, Error> {
    let now = cx.now().millis() / 1000;
    let store = cx.part::<Points>()?;
    let mut messages = vec![];
    // What is asked of the points, in one look: metrics of queries, then what searches found.
    let mut asked: Vec<Asked> = vec![];
    for checked in &queries {
        if let What::Metric(metric) = &checked.what {
            asked.push(metric.clone());
        }
    }
    let own = asked.len();
    let mut searches: Vec<(String, usize)> = vec![];
    for checked in &queries {
        let What::Expression { expression, .. } = &checked.what else { continue };
        for call in searches_of(expression) {
            let key = format!("{call:?}");
            if searches.iter().any(|(known, _)| *known == key) {
                continue;
            }
            let (found, all) = search(cx, &store, call, &checked.id).await?;
            if !all {
                let text =
                    format!("More than {MOST_FOUND} metrics fit a search of {}; the first are shown.", checked.id);
                messages.push(("MaxMetricsExceeded".to_owned(), text));
            }
            searches.push((key, found.len()));
            asked.extend(found);
        }
    }
    let many: i64 = asked.iter().map(|asked| ((to - from) / asked.period).min(OF_A_LEVEL)).sum();
    if many > MOST_POINTS {
        return Err(validation(format!(
            "The queries would have to look at up to {many} points; {MOST_POINTS} are the most."
        )));
    }
    let read = asked.iter().map(|asked| Query {
        metric: asked.metric.clone(),
        unit: asked.unit,
        from: window::start(from, asked.period, now),
        to,
        period: asked.period,
        distribution: asked.statistic.needs_distribution(),
    });
    let found = store.read(read.collect()).await.map_err(|e| points("read metric data", e))?;
    let mut series = asked.iter().zip(found).map(|(asked, buckets)| series(asked, buckets)).collect::<Vec<_>>();
    let mut of_searches = series.split_off(own).into_iter();
    let found: BTreeMap<String, Vec<Series>> =
        searches.into_iter().map(|(key, many)| (key, of_searches.by_ref().take(many).collect())).collect();

    let mut values: BTreeMap<String, Value> = BTreeMap::new();
    let mut metrics = vec![];
    let mut own = series.into_iter();
    for checked in &queries {
        if matches!(checked.what, What::Metric(_)) {
            let series = own.next().unwrap_or_default();
            metrics.push((checked.id.clone(), series.clone()));
            values.insert(checked.id.clone(), Value::One(series));
        }
    }
    let least = asked.iter().map(|asked| asked.period).min().unwrap_or(60);
    for n in order(&queries)? {
        let What::Expression { expression, period } = &queries[n].what else { continue };
        let period = period.unwrap_or(least);
        let frame = Frame {
            values: &values,
            metrics: &metrics,
            found: &found,
            from: window::start(from, period, now),
            to,
            period,
        };
        let id = &queries[n].id;
        let value = math::evaluate(expression, &frame)
            .map_err(|why| validation(format!("Error in expression '{id}': {why}")))?;
        values.insert(id.clone(), value);
    }
    let mut results = vec![];
    for checked in queries.into_iter().filter(|checked| checked.shown) {
        let series = match values.remove(&checked.id) {
            Some(Value::One(series)) => vec![series],
            Some(Value::Many(all)) => all,
            _ => {
                return Err(validation(format!(
                    "Error in expression '{}': the result must be a time series or an array of time series.",
                    checked.id
                )));
            }
        };
        results.push((checked, series));
    }
    Ok(Answered { results, messages })
}

fn series(asked: &Asked, buckets: Vec<kiln_points::Bucket>) -> Series {
    let mut points: Vec<(i64, f64)> = Vec::with_capacity(buckets.len());
    // Where no unit is asked for, what was measured in several is one.
    let mut buckets = buckets.into_iter().peekable();
    while let Some(mut bucket) = buckets.next() {
        while let Some(more) = buckets.next_if(|next| next.start == bucket.start) {
            bucket.point.add(&more.point);
        }
        points.extend(asked.statistic.of(&bucket.point).map(|value| (bucket.start, value)));
    }
    Series {
        label: asked.metric.name.clone(),
        period: asked.period,
        points,
        metric: Some(asked.metric.clone()),
        statistic: asked.text.clone(),
    }
}

fn searches_of(expression: &Expression) -> Vec<&Expression> {
    let mut all = vec![];
    let mut open = vec![expression];
    while let Some(expression) = open.pop() {
        match expression {
            Expression::Call(name, _) if name == "SEARCH" => all.push(expression),
            Expression::Call(_, parts) | Expression::List(parts) => open.extend(parts),
            Expression::Minus(part) => open.push(part),
            Expression::Both(_, left, right) => open.extend([&**left, &**right]),
            Expression::Number(_) | Expression::Text(_) | Expression::Name(_) => {}
        }
    }
    all
}

/// The metrics that a search finds, and whether these are all.
async fn search(cx: &Cx, store: &Points, call: &Expression, id: &str) -> Result<(Vec<Asked>, bool), Error> {
    let wrong = |why: &str| validation(format!("Error in expression '{id}': {why}"));
    let Expression::Call(_, arguments) = call else { return Ok((vec![], true)) };
    let (text, stat, period) = match arguments.as_slice() {
        [Expression::Text(text), Expression::Text(stat)] => (text, stat, 300),
        [Expression::Text(text), Expression::Text(stat), Expression::Number(period)] => (text, stat, *period as i64),
        _ => return Err(wrong("SEARCH takes a search, a statistic and a period")),
    };
    let statistic = Statistic::parse(stat).ok_or_else(|| wrong("SEARCH has no statistic"))?;
    if !window::is_period(period) {
        return Err(wrong("SEARCH has no period"));
    }
    let search = Search::parse(text).map_err(|why| wrong(&why))?;
    let wanted = Wanted {
        account: cx.account().to_owned(),
        region: cx.region().to_owned(),
        namespace: search.schema.as_ref().map(|(namespace, _)| namespace.clone()),
        seen_since: cx.now().millis() / 1000 - 14 * 24 * 3600,
        ..Wanted::default()
    };
    let (mut found, mut after, mut looked) = (vec![], None, 0);
    loop {
        let listed = store.list(wanted.clone(), after, 1_000).await.map_err(|e| points("list metrics", e))?;
        looked += listed.metrics.len();
        for metric in listed.metrics.into_iter().filter(|metric| search.finds(metric)) {
            if found.len() == MOST_FOUND {
                return Ok((found, false));
            }
            found.push(Asked { metric, period, statistic, text: stat.clone(), unit: None });
        }
        match listed.next {
            None => return Ok((found, true)),
            Some(_) if looked >= MOST_LOOKED_AT => return Ok((found, false)),
            next => after = next,
        }
    }
}
