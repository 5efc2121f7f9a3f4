//! GetMetricData. Source: the API Reference, GetMetricData. Points of all results are numbered through in the order of the
//! request; a page has the next so many of them, and its token says with which it goes on.

use crate::errors::{bad_token, validation};
use crate::query::{self, What};
use crate::{label, page};
use kiln_cloudwatch_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Timestamp, operation};

pub const OPERATIONS: &[Operation] = &[operation!(GetMetricData: get_metric_data(GetMetricDataRequest), on everything)];

/// Points of one page.
const MOST: i32 = 100_800;

async fn get_metric_data(cx: &Cx, request: GetMetricDataRequest) -> Result<GetMetricDataResponse, Error> {
    let (from, to) = (request.start_time.millis().div_euclid(1000), (request.end_time.millis() + 999).div_euclid(1000));
    if from >= to {
        return Err(validation("The parameter StartTime must be less than the parameter EndTime."));
    }
    let limit = match request.max_datapoints.unwrap_or(MOST) {
        limit @ 1..=MOST => limit as usize,
        _ => return Err(validation(format!("The parameter MaxDatapoints must be between 1 and {MOST}."))),
    };
    let zone = request.label_options.and_then(|options| options.timezone);
    let zone = zone.map(|zone| {
        label::zone(&zone).ok_or_else(|| validation(format!("The value {zone} for parameter Timezone is invalid.")))
    });
    let zone = zone.transpose()?.unwrap_or(0);
    let first = match &request.next_token {
        None => 0,
        Some(token) => page::read(token).and_then(|place| place.parse::<usize>().ok()).ok_or_else(bad_token)?,
    };
    let descends = request.scan_by.as_deref() != Some("TimestampAscending");
    let queries = query::check(cx, &request.metric_data_queries)?;
    let answered = query::answer(cx, queries, from, to).await?;
    let (mut place, mut rest) = (0usize, limit);
    let mut results = vec![];
    let mut more = false;
    for (checked, all) in answered.results {
        let several = all.len() != 1;
        for series in all {
            let default = match (&checked.what, several) {
                (What::Metric(asked), _) => asked.metric.name.clone(),
                (_, true) => series.label.clone(),
                (_, false) => checked.id.clone(),
            };
            let shown = match (&checked.label, &checked.what, several) {
                (Some(given), What::Expression { .. }, true) if !given.contains("${") => {
                    format!("{given} {}", series.label)
                }
                (given, ..) => label::label(given.as_deref(), &default, &series, zone),
            };
            let length = series.points.len();
            // Which of its points are on this page.
            let skip = first.saturating_sub(place).min(length);
            let take = (length - skip).min(rest);
            place += length;
            rest -= take;
            let complete = skip + take == length;
            more |= !complete;
            let mut points: Vec<(i64, f64)> = match descends {
                true => series.points.into_iter().rev().skip(skip).take(take).collect(),
                false => series.points.into_iter().skip(skip).take(take).collect(),
            };
            let (timestamps, values) =
                points.drain(..).map(|(at, value)| (Timestamp::from_epoch_seconds(at), value)).unzip();
            results.push(MetricDataResult {
                id: Some(checked.id.clone()),
                label: Some(shown),
                timestamps,
                values,
                status_code: Some(if complete { "Complete" } else { "PartialData" }.to_owned()),
                messages: vec![],
            });
        }
    }
    let message = |(code, value)| MessageData { code: Some(code), value: Some(value) };
    Ok(GetMetricDataResponse {
        metric_data_results: results,
        next_token: more.then(|| page::token(&(first + limit).to_string())),
        messages: answered.messages.into_iter().map(message).collect(),
    })
}
