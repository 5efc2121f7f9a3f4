//! What an alarm sees: the points of its periods, which are windows that move on each minute (each ten seconds where its
//! period is shorter than a minute). Source: the user guide, "Evaluating an alarm".
//!
//! Two rows of windows are read: one that ends with the last minute that is over, and one that ends with the minute that
//! goes on. The second counts only where its newest window breaches already and nothing that comes can undo that: a
//! maximum above, a minimum below, a count, a sum of what is not negative. So an alarm need not wait for the minute's
//! end, and never goes off because a minute has only begun.

use super::judge::MORE;
use crate::errors::{points, validation};
use crate::names;
use crate::query;
use crate::records::{Alarm, MetricAlarm};
use crate::statistic::Statistic;
use kiln_points::{Points, Query, units};
use kiln_service_kit::{Cx, Error};

/// A window's point.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Seconds since 1970.
    pub start: i64,
    pub value: f64,
    /// Samples, where it is a metric's.
    pub samples: Option<f64>,
}

/// A row of windows, oldest first.
pub type Row = Vec<Option<Seen>>;

/// Both rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// Windows that are over.
    pub over: Row,
    /// Windows of which the newest goes on; empty where that one must not count.
    pub going_on: Row,
}

/// Seconds between two looks.
pub fn step(alarm: &MetricAlarm) -> i64 {
    if alarm.period < 60 { 10 } else { 60 }
}

/// Reads what an alarm sees.
pub async fn rows(cx: &Cx, of: &MetricAlarm) -> Result<Rows, Error> {
    let (step, many) = (step(of), of.evaluation_periods + MORE);
    let now = cx.now().millis().div_euclid(1000);
    let over = now - now.rem_euclid(step);
    let Some(metric) = &of.metric else {
        return Ok(Rows { over: expression(cx, of, over, many).await?, going_on: vec![] });
    };
    let statistic = Statistic::parse(metric.stat()).ok_or_else(|| validation("the statistic is none"))?;
    let query = |to: i64| Query {
        metric: names::metric(cx.scope(), &metric.namespace, &metric.name, metric.dimensions.clone()),
        unit: metric.unit.as_deref().and_then(units::number),
        from: to - many * of.period,
        to,
        period: of.period,
        distribution: statistic.needs_distribution(),
    };
    let stays = stays(statistic, &of.comparison);
    let mut queries = vec![query(over)];
    if stays {
        queries.push(query(over + step));
    }
    let read = cx.part::<Points>()?.read(queries).await.map_err(|e| points("read an alarm's points", e))?;
    let mut rows = vec![];
    let mut least = 0.0f64;
    for (n, buckets) in read.into_iter().enumerate() {
        let from = over + n as i64 * step - many * of.period;
        let mut row: Row = vec![None; many as usize];
        let mut buckets = buckets.into_iter().peekable();
        while let Some(mut bucket) = buckets.next() {
            while let Some(more) = buckets.next_if(|next| next.start == bucket.start) {
                bucket.point.add(&more.point);
            }
            least = least.min(bucket.point.least);
            let place = (bucket.start - from) / of.period;
            let (Some(value), Some(place)) =
                (statistic.of(&bucket.point), usize::try_from(place).ok().filter(|p| *p < row.len()))
            else {
                continue;
            };
            row[place] = Some(Seen { start: bucket.start, value, samples: Some(bucket.point.count) });
        }
        rows.push(row);
    }
    let mut rows = rows.into_iter();
    let over = rows.next().unwrap_or_default();
    let going_on = rows.next().filter(|_| statistic != Statistic::Sum || least >= 0.0).unwrap_or_default();
    Ok(Rows { over, going_on })
}

/// Whether what breaches before its time is over goes on to breach.
fn stays(statistic: Statistic, comparison: &str) -> bool {
    match statistic {
        Statistic::Maximum | Statistic::Sum | Statistic::SampleCount => comparison.starts_with("GreaterThan"),
        Statistic::Minimum => comparison.starts_with("LessThan"),
        _ => false,
    }
}

async fn expression(cx: &Cx, of: &MetricAlarm, to: i64, many: i64) -> Result<Row, Error> {
    let from = to - many * of.period;
    let queries = query::check(cx, &of.metrics)?;
    let answered = query::answer(cx, queries, from, to).await?;
    let mut row: Row = vec![None; many as usize];
    for (at, value) in answered.results.into_iter().flat_map(|(_, series)| series).flat_map(|series| series.points) {
        if let Some(place) = usize::try_from((at - from) / of.period).ok().filter(|place| *place < row.len()) {
            row[place] = Some(Seen { start: at, value, samples: None });
        }
    }
    Ok(row)
}

/// What an alarm looks at, as it is looked up by when data come.
pub fn watched(metric: &kiln_points::Metric) -> String {
    let mut text = format!("metric {}|{}", metric.namespace, metric.name);
    for (name, value) in &metric.dimensions {
        text.push_str(&format!("|{name}={value}"));
    }
    text
}

/// The alarm's part on metrics, if it is of that type.
pub fn of(alarm: &Alarm) -> Option<&MetricAlarm> {
    match &alarm.what {
        crate::records::What::Metric(of) => Some(of),
        crate::records::What::Composite(_) => None,
    }
}
