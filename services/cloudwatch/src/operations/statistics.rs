//! GetMetricStatistics. Source: the API Reference, GetMetricStatistics.

use crate::errors::{bad_combination, bad_value, missing, points};
use crate::statistic::Statistic;
use crate::{names, window};
use kiln_cloudwatch_shapes::*;
use kiln_points::{Points, Query, units};
use kiln_service_kit::{Cx, Error, Map, Operation, Timestamp, operation};

pub const OPERATIONS: &[Operation] =
    &[operation!(GetMetricStatistics: get_metric_statistics(GetMetricStatisticsRequest), on everything)];

/// Points that one call gives.
const MOST: i64 = 1_440;

async fn get_metric_statistics(
    cx: &Cx,
    request: GetMetricStatisticsRequest,
) -> Result<GetMetricStatisticsResponse, Error> {
    let (from, to) = (request.start_time.millis().div_euclid(1000), (request.end_time.millis() + 999).div_euclid(1000));
    if from >= to {
        return Err(bad_combination("The parameter StartTime must be less than the parameter EndTime."));
    }
    let period = i64::from(request.period);
    if !window::is_period(period) {
        return Err(bad_value("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60."));
    }
    match (request.statistics.is_empty(), request.extended_statistics.is_empty()) {
        (true, true) => {
            return Err(missing("At least one of the parameters Statistics and ExtendedStatistics must be specified."));
        }
        (false, false) => {
            return Err(bad_combination(
                "The parameters Statistics and ExtendedStatistics are mutually exclusive and you have specified both.",
            ));
        }
        _ => {}
    }
    let now = cx.now().millis() / 1000;
    let from = window::start(from, period, now);
    let asked = (to - from + period - 1) / period;
    if asked > MOST {
        return Err(bad_combination(format!(
            "You have requested up to {} datapoints, which exceeds the limit of 1,440. You may reduce the datapoints \
             requested by increasing Period, or decreasing the time range.",
            with_commas(asked)
        )));
    }
    let read = |text: &String| {
        let known = Statistic::extended(text).ok_or_else(|| {
            bad_value(format!("The value {text} for parameter ExtendedStatistics.member.1 is invalid."))
        })?;
        Ok((text.clone(), known))
    };
    let extended: Vec<(String, Statistic)> =
        request.extended_statistics.iter().map(read).collect::<Result<_, Error>>()?;
    let metric =
        names::metric(cx.scope(), &request.namespace, &request.metric_name, names::dimensions(&request.dimensions)?);
    let unit = request.unit.as_deref().and_then(units::number);
    let query = Query { metric, unit, from, to, period, distribution: !extended.is_empty() };
    let found = cx.part::<Points>()?.read(vec![query]).await.map_err(|e| points("read metric data", e))?;
    let wanted = |name: &str| request.statistics.iter().any(|wanted| wanted == name);
    let mut datapoints = vec![];
    for bucket in found.into_iter().flatten() {
        let of = |name: &str, statistic: Statistic| wanted(name).then(|| statistic.of(&bucket.point)).flatten();
        let mut shown: Map<f64> = Map::default();
        for (name, statistic) in &extended {
            if let Some(value) = statistic.of(&bucket.point) {
                shown.insert(name.clone(), value);
            }
        }
        if !extended.is_empty() && shown.is_empty() {
            continue;
        }
        datapoints.push(Datapoint {
            timestamp: Some(Timestamp::from_epoch_seconds(bucket.start)),
            sample_count: of("SampleCount", Statistic::SampleCount),
            average: of("Average", Statistic::Average),
            sum: of("Sum", Statistic::Sum),
            minimum: of("Minimum", Statistic::Minimum),
            maximum: of("Maximum", Statistic::Maximum),
            unit: Some(units::name(bucket.unit).to_owned()),
            extended_statistics: shown,
        });
    }
    Ok(GetMetricStatisticsResponse { label: Some(request.metric_name), datapoints })
}

fn with_commas(number: i64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_written_in_threes() {
        assert_eq!(
            ["1440", "20,160", "1,234,567"].map(|t| t
                .replace(',', "")
                .parse::<i64>()
                .map(super::with_commas)
                .unwrap_or_default()),
            ["1,440", "20,160", "1,234,567"]
        );
    }
}
