//! PutMetricData. Source: the API Reference, PutMetricData and MetricDatum; the user guide, "Publish custom metrics".

use crate::errors::{bad_combination, bad_value, missing, points};
use crate::names;
use kiln_cloudwatch_shapes::*;
use kiln_points::{Metric as Kept, Observed, Points, Sample, units};
use kiln_service_kit::{CallerKind, Cx, Error, Operation, Target, operation};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[operation!(PutMetricData: put_metric_data(PutMetricDataRequest),
        on |_, _| Target::everything(), given |_, r| vec![("cloudwatch:namespace", r.namespace.clone())])];

/// Metrics in one call.
const MOST: usize = 1_000;
/// Different values in one datum.
const MOST_VALUES: usize = 150;
/// Seconds before now, two weeks; and after it, two hours.
const OLDEST: i64 = 14 * 24 * 3600;
const NEWEST: i64 = 2 * 3600;
/// Values lie between −2^360 and 2^360.
const GREATEST: f64 = 2.348_542_582_773_833_2e108;

async fn put_metric_data(cx: &Cx, request: PutMetricDataRequest) -> Result<PutMetricDataResponse, Error> {
    let by_service = matches!(cx.caller().kind, CallerKind::Service { .. });
    let namespace = &request.namespace;
    names::check("Namespace", namespace)?;
    if namespace.starts_with("AWS/") && !by_service {
        return Err(bad_value("The value AWS/ for parameter Namespace is invalid."));
    }
    if !request.entity_metric_data.is_empty() || request.strict_entity_validation.is_some() {
        return Err(Error::not_built("cloudwatch:PutMetricData with EntityMetricData or StrictEntityValidation"));
    }
    let data = &request.metric_data;
    if data.is_empty() {
        return Err(missing("The parameter MetricData is required."));
    }
    if data.len() > MOST {
        return Err(bad_value(format!("The collection MetricData must not have a size greater than {MOST}.")));
    }
    let now = cx.now().millis();
    let mut samples = Vec::with_capacity(data.len());
    let mut last: Option<Arc<Kept>> = None;
    for (n, datum) in data.iter().enumerate() {
        let at = format!("MetricData.member.{}", n + 1);
        let time = time(&at, datum, now)?;
        names::check(&format!("{at}.MetricName"), &datum.metric_name)?;
        let metric = names::metric(cx.scope(), namespace, &datum.metric_name, names::dimensions(&datum.dimensions)?);
        let metric = match last.take() {
            Some(known) if *known == metric => known,
            _ => Arc::new(metric),
        };
        last = Some(metric.clone());
        let unit = datum.unit.as_deref().unwrap_or("None");
        let unit = units::number(unit)
            .ok_or_else(|| bad_value(format!("The value {unit} for parameter {at}.Unit is invalid.")))?;
        let fine = match datum.storage_resolution {
            None | Some(60) => false,
            Some(1) => true,
            Some(_) => return Err(bad_value(format!("The parameter {at}.StorageResolution must be 1 or 60."))),
        };
        samples.push(Sample { metric, unit, fine, at: time, observed: observed(&at, datum)? });
    }
    cx.part::<Points>()?.put(samples).await.map_err(|e| points("keep metric data", e))?;
    Ok(PutMetricDataResponse {})
}

/// Seconds since 1970.
fn time(at: &str, datum: &MetricDatum, now: i64) -> Result<i64, Error> {
    let millis = datum.timestamp.map_or(now, |time| time.millis());
    if millis < now - OLDEST * 1000 {
        return Err(bad_value(format!(
            "The parameter {at}.Timestamp must specify a time no more than two weeks in the past."
        )));
    }
    if millis > now + NEWEST * 1000 {
        return Err(bad_value(format!(
            "The parameter {at}.Timestamp must specify a time no more than two hours in the future."
        )));
    }
    Ok(millis.div_euclid(1000))
}

fn observed(at: &str, datum: &MetricDatum) -> Result<Observed, Error> {
    let given = usize::from(datum.value.is_some())
        + usize::from(datum.statistic_values.is_some())
        + usize::from(!datum.values.is_empty());
    if given > 1 {
        return Err(bad_combination(format!(
            "The parameters {at}.Value, {at}.Values and {at}.StatisticValues are mutually exclusive and you have specified more than one."
        )));
    }
    if !datum.counts.is_empty() && datum.values.is_empty() {
        return Err(bad_combination(format!("The parameter {at}.Counts needs {at}.Values.")));
    }
    if let Some(value) = datum.value {
        return Ok(Observed::Values(vec![(number(at, "Value", value)?, 1.0)]));
    }
    if let Some(set) = &datum.statistic_values {
        return statistics(at, set);
    }
    if datum.values.is_empty() {
        return Err(missing(format!(
            "At least one of the parameters {at}.Value, {at}.Values, or {at}.StatisticValues must be specified."
        )));
    }
    if datum.values.len() > MOST_VALUES {
        return Err(bad_value(format!("The collection {at}.Values must not have a size greater than {MOST_VALUES}.")));
    }
    if !datum.counts.is_empty() && datum.counts.len() != datum.values.len() {
        return Err(bad_value(format!("The parameters {at}.Values and {at}.Counts must be of the same size.")));
    }
    let mut values = Vec::with_capacity(datum.values.len());
    for (n, value) in datum.values.iter().enumerate() {
        let count = datum.counts.get(n).copied().unwrap_or(1.0);
        let count = number(at, "Counts", count)?;
        if count < 0.0 {
            return Err(bad_value(format!("The parameter {at}.Counts must not have values less than 0.")));
        }
        let value = number(at, "Values", *value)?;
        if count > 0.0 {
            values.push((value, count));
        }
    }
    match values.is_empty() {
        true => Err(bad_value(format!("The parameter {at}.Counts must have a value greater than 0."))),
        false => Ok(Observed::Values(values)),
    }
}

fn statistics(at: &str, set: &StatisticSet) -> Result<Observed, Error> {
    let count = number(at, "StatisticValues.SampleCount", set.sample_count)?;
    let sum = number(at, "StatisticValues.Sum", set.sum)?;
    let least = number(at, "StatisticValues.Minimum", set.minimum)?;
    let greatest = number(at, "StatisticValues.Maximum", set.maximum)?;
    if count <= 0.0 {
        return Err(bad_value(format!("The parameter {at}.StatisticValues.SampleCount must be greater than 0.")));
    }
    if least > greatest {
        return Err(bad_value(format!(
            "The parameter {at}.StatisticValues.Minimum must not be greater than {at}.StatisticValues.Maximum."
        )));
    }
    Ok(Observed::Set { count, sum, least, greatest })
}

fn number(at: &str, what: &str, number: f64) -> Result<f64, Error> {
    match number.is_finite() && number.abs() <= GREATEST {
        // There is no −0.
        true => Ok(number + 0.0),
        false => Err(bad_value(format!("The value {number} for parameter {at}.{what} is invalid."))),
    }
}
