//! PutMetricAlarm. Source: the API Reference, PutMetricAlarm.

use super::tags;
use crate::alarms::judge::Missing;
use crate::alarms::{actions, change, read, told};
use crate::errors::{bad_combination, validation};
use crate::query::{self, What as Queried};
use crate::records::{Alarm, MetricAlarm, OfMetric, What};
use crate::statistic::Statistic;
use crate::targets::alarm;
use crate::{math, names};
use kiln_cloudwatch_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Target, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(PutMetricAlarm: put_metric_alarm(PutMetricAlarmRequest), on |cx, r| given(cx, &r.alarm_name, &r.tags)),
];

/// Queries of one alarm.
const MOST_METRICS: usize = 100;
/// Seconds that an alarm can look back: a day, and a week where its period is an hour or more.
const DAY: i64 = 24 * 3600;

/// An alarm that is given tags.
pub fn given(cx: &Cx, name: &str, tags: &[Tag]) -> Result<Target, Error> {
    Ok(alarm(cx, name)?.given_tags(tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()))))
}

async fn put_metric_alarm(cx: &Cx, request: PutMetricAlarmRequest) -> Result<PutMetricAlarmResponse, Error> {
    refuse(&request)?;
    let (of, watches) = what(cx, &request)?;
    let alarm = Alarm {
        name: request.alarm_name,
        description: request.alarm_description,
        actions_enabled: request.actions_enabled.unwrap_or(true),
        ok_actions: request.ok_actions,
        alarm_actions: request.alarm_actions,
        insufficient_data_actions: request.insufficient_data_actions,
        tags: tags::read(cx, &request.tags)?,
        configured: cx.now(),
        state: change::unchecked(cx),
        watches,
        what: What::Metric(of),
    };
    put(cx, alarm).await?;
    Ok(PutMetricAlarmResponse {})
}

/// Keeps an alarm that is new, or what is new of it: its state and tags stay.
pub async fn put(cx: &Cx, alarm: Alarm) -> Result<(), Error> {
    names::check("AlarmName", &alarm.name).map_err(|error| validation(error.message))?;
    actions::check(&alarm)?;
    cx.store()
        .write(|tx| {
            let before = tx.get::<Alarm>(cx.scope(), &alarm.name)?;
            let (alarm, did) = match before {
                None => (alarm, "created"),
                Some(before) if before.is_composite() != alarm.is_composite() => {
                    return Err(validation(format!("An alarm of the other type has the name {} already.", alarm.name)));
                }
                Some(before) => (Alarm { state: before.state.clone(), tags: before.tags.clone(), ..alarm }, "updated"),
            };
            told::configured(tx, cx, &alarm, did)?;
            let name = alarm.name.clone();
            tx.put(cx.scope(), &name, alarm)?;
            Ok(())
        })
        .await
}

/// What is not built.
fn refuse(request: &PutMetricAlarmRequest) -> Result<(), Error> {
    let not_built = |what: &str| Err(Error::not_built(format!("cloudwatch:PutMetricAlarm with {what}")));
    if request.threshold_metric_id.is_some() {
        return not_built("ThresholdMetricId (anomaly detection)");
    }
    if request.evaluation_criteria.is_some() || request.evaluation_interval.is_some() {
        return not_built("EvaluationCriteria or EvaluationInterval (PromQL)");
    }
    match request.comparison_operator.as_deref() {
        Some(
            operator @ ("LessThanLowerOrGreaterThanUpperThreshold"
            | "LessThanLowerThreshold"
            | "GreaterThanUpperThreshold"),
        ) => not_built(&format!("the ComparisonOperator {operator} (anomaly detection)")),
        _ => Ok(()),
    }
}

fn what(cx: &Cx, request: &PutMetricAlarmRequest) -> Result<(MetricAlarm, Vec<String>), Error> {
    let missing = |what: &str| validation(format!("The parameter {what} is required."));
    let periods = i64::from(request.evaluation_periods.ok_or_else(|| missing("EvaluationPeriods"))?);
    let comparison = request.comparison_operator.clone().ok_or_else(|| missing("ComparisonOperator"))?;
    let threshold = request.threshold.ok_or_else(|| missing("Threshold"))?;
    if !threshold.is_finite() {
        return Err(validation("The parameter Threshold must be a number."));
    }
    let needed = request.datapoints_to_alarm.map(i64::from);
    if needed.is_some_and(|needed| needed > periods) {
        return Err(validation("The parameter DatapointsToAlarm must be less than or equal to EvaluationPeriods."));
    }
    if Missing::parse(request.treat_missing_data.as_deref()).is_none() {
        return Err(validation(
            "The parameter TreatMissingData must be one of breaching, notBreaching, ignore and missing.",
        ));
    }
    let (metric, period, watches) = match (&request.metric_name, request.metrics.is_empty()) {
        (Some(_), true) => one(cx, request)?,
        (None, false) => several(cx, request)?,
        _ => return Err(bad_combination("Exactly one of the parameters MetricName and Metrics must be specified.")),
    };
    if let Some(low) = &request.evaluate_low_sample_count_percentile {
        if !matches!(low.as_str(), "evaluate" | "ignore") {
            return Err(validation("The parameter EvaluateLowSampleCountPercentile must be evaluate or ignore."));
        }
        if metric.as_ref().is_some_and(|metric| metric.extended_statistic.is_none()) {
            return Err(bad_combination("EvaluateLowSampleCountPercentile is for alarms on percentiles only."));
        }
    }
    let most = if period >= 3600 { 7 * DAY } else { DAY };
    if periods.saturating_mul(period) > most {
        let than = if period >= 3600 { "seven days" } else { "a day" };
        return Err(validation(format!(
            "Metrics cannot be checked across more than {than} (EvaluationPeriods * Period must be <= {most})."
        )));
    }
    let of = MetricAlarm {
        metric,
        metrics: request.metrics.clone(),
        period,
        evaluation_periods: periods,
        datapoints_to_alarm: needed,
        threshold,
        comparison,
        treat_missing_data: request.treat_missing_data.clone(),
        low_samples: request.evaluate_low_sample_count_percentile.clone(),
    };
    Ok((of, watches))
}

type Watched = (Option<OfMetric>, i64, Vec<String>);

/// An alarm on one metric.
fn one(cx: &Cx, request: &PutMetricAlarmRequest) -> Result<Watched, Error> {
    let missing = |what: &str| validation(format!("The parameter {what} is required for an alarm on a metric."));
    let namespace = request.namespace.clone().ok_or_else(|| missing("Namespace"))?;
    let name = request.metric_name.clone().unwrap_or_default();
    let period = i64::from(request.period.ok_or_else(|| missing("Period"))?);
    check_period(period)?;
    match (&request.statistic, &request.extended_statistic) {
        (Some(_), None) => {}
        (None, Some(text)) if Statistic::extended(text).is_some() => {}
        (None, Some(text)) => {
            return Err(validation(format!("The value {text} for parameter ExtendedStatistic is not supported.")));
        }
        (Some(_), Some(_)) => {
            return Err(bad_combination(
                "Only one of the parameters Statistic and ExtendedStatistic may be specified.",
            ));
        }
        (None, None) => return Err(missing("Statistic or ExtendedStatistic")),
    }
    let dimensions = names::dimensions(&request.dimensions)?;
    let metric = names::metric(cx.scope(), &namespace, &name, dimensions.clone());
    let of = OfMetric {
        namespace,
        name,
        dimensions,
        statistic: request.statistic.clone(),
        extended_statistic: request.extended_statistic.clone(),
        unit: request.unit.clone(),
    };
    Ok((Some(of), period, vec![read::watched(&metric)]))
}

fn check_period(period: i64) -> Result<(), Error> {
    match matches!(period, 10 | 20 | 30) || (period >= 60 && period % 60 == 0) {
        true => Ok(()),
        false => Err(validation("The parameter Period must be 10, 20, 30 or a multiple of 60.")),
    }
}

/// An alarm on what queries give.
fn several(cx: &Cx, request: &PutMetricAlarmRequest) -> Result<Watched, Error> {
    let other = request.namespace.is_some()
        || request.statistic.is_some()
        || request.extended_statistic.is_some()
        || request.period.is_some()
        || request.unit.is_some()
        || !request.dimensions.is_empty();
    if other {
        return Err(bad_combination(
            "Namespace, Dimensions, Period, Unit, Statistic and ExtendedStatistic must not be specified with Metrics.",
        ));
    }
    if request.metrics.len() > MOST_METRICS {
        return Err(validation(format!("The collection Metrics must not have a size greater than {MOST_METRICS}.")));
    }
    let checked = query::check(cx, &request.metrics)?;
    let shown: Vec<_> = checked.iter().filter(|query| query.shown).collect();
    let [shown] = shown.as_slice() else {
        return Err(validation("Exactly one element of the metrics list should return data."));
    };
    let mut watches = vec![];
    let mut longest = None;
    for query in &checked {
        match &query.what {
            Queried::Metric(asked) => {
                check_period(asked.period)?;
                longest = longest.max(Some(asked.period));
                watches.push(read::watched(&asked.metric));
            }
            Queried::Expression { expression, .. } => {
                let mut calls = vec![];
                math::Expression::calls(expression, &mut calls);
                if calls.contains(&"SEARCH") {
                    return Err(validation("SEARCH is not supported in alarm expressions."));
                }
            }
        }
    }
    let period = match &shown.what {
        Queried::Metric(asked) => asked.period,
        Queried::Expression { period, .. } => period.or(longest).unwrap_or(60),
    };
    check_period(period)?;
    watches.sort();
    watches.dedup();
    Ok((None, period, watches))
}
