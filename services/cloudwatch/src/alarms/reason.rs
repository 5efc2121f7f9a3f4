//! Why an alarm is in its state, in AWS's words, for people and as JSON.

use super::judge::{Found, Missing};
use super::read::Row;
use crate::records::{MetricAlarm, StateValue};
use kiln_service_kit::Timestamp;
use serde_json::{Value as Json, json};

/// What a new alarm says.
pub const UNCHECKED: &str = "Unchecked: Initial alarm creation";

/// The longest reason, and reason data.
const LONGEST: usize = 1_023;

fn comparison(name: &str) -> &'static str {
    match name {
        "GreaterThanOrEqualToThreshold" => "greater than or equal to",
        "LessThanThreshold" => "less than",
        "LessThanOrEqualToThreshold" => "less than or equal to",
        _ => "greater than",
    }
}

/// Whether a value breaches.
pub fn breaches(of: &MetricAlarm, value: f64) -> bool {
    match of.comparison.as_str() {
        "GreaterThanOrEqualToThreshold" => value >= of.threshold,
        "LessThanThreshold" => value < of.threshold,
        "LessThanOrEqualToThreshold" => value <= of.threshold,
        _ => value > of.threshold,
    }
}

fn s(many: usize) -> &'static str {
    if many == 1 { "" } else { "s" }
}

/// `02/10/19 16:59:00`
fn day_and_time(seconds: i64) -> String {
    let text = Timestamp::from_epoch_seconds(seconds).iso8601();
    match (text.get(2..4), text.get(5..7), text.get(8..10), text.get(11..19)) {
        (Some(year), Some(month), Some(day), Some(time)) => format!("{day}/{month}/{year} {time}"),
        _ => text,
    }
}

/// The reason for a state that is new or goes on.
pub fn text(
    of: &MetricAlarm,
    row: &Row,
    found: &Found,
    state: StateValue,
    before: StateValue,
    missing: Missing,
) -> String {
    let periods = of.evaluation_periods.max(1) as usize;
    if state == StateValue::InsufficientData {
        let (many, were) = (periods, if periods == 1 { "was" } else { "were" });
        return format!("Insufficient Data: {many} datapoint{} {were} unknown.", s(many));
    }
    let filled = |many: usize| {
        let treated = if missing == Missing::Breaching { "[Breaching]" } else { "[NonBreaching]" };
        format!("{many} missing datapoint{} {} treated as {treated}", s(many), if many == 1 { "was" } else { "were" })
    };
    let fills = matches!(missing, Missing::Breaching | Missing::NotBreaching) && found.filled > 0;
    if found.evaluated.is_empty() {
        let text = format!("no datapoints were received for {periods} period{}", s(periods));
        return format!("Threshold Crossed: {text} and {}.", filled(found.filled));
    }
    let seen = || found.evaluated.iter().filter_map(|at| row[*at].as_ref());
    // Those that speak for the state.
    let is_alarm = state == StateValue::Alarm;
    let speaking: Vec<String> = seen()
        .filter(|seen| breaches(of, seen.value) == is_alarm)
        .map(|seen| format!("{:?} ({})", seen.value, day_and_time(seen.start)))
        .collect();
    let many = speaking.len();
    let was = if many == 1 { "was" } else { "were" };
    let not = if is_alarm { "" } else { "not " };
    let needed = of.datapoints_to_alarm.unwrap_or(of.evaluation_periods).max(1) as usize;
    let least = if is_alarm { needed } else { periods - needed + 1 };
    let also = if fills { format!(" and {}", filled(found.filled)) } else { String::new() };
    let mut text = format!(
        "Threshold Crossed: {many} out of the last {periods} datapoints [{}] {was} {not}{} the threshold ({:?}){also} \
         (minimum {least} datapoint{} for {} -> {} transition).",
        speaking.join(", "),
        comparison(&of.comparison),
        of.threshold,
        s(least),
        if is_alarm { "OK" } else { "ALARM" },
        if is_alarm { "ALARM" } else { "OK" },
    );
    let _ = before;
    if text.len() > LONGEST {
        text.truncate(LONGEST);
    }
    text
}

/// `2019-10-01T13:56:40.985+0000`
pub fn time(at: Timestamp) -> String {
    format!("{}+0000", at.iso8601_millis().trim_end_matches('Z'))
}

/// The same as JSON.
pub fn data(of: &MetricAlarm, row: &Row, found: &Found, now: Timestamp) -> String {
    let seen: Vec<_> = found.evaluated.iter().filter_map(|at| row[*at].as_ref()).collect();
    let seconds = |at: i64| time(Timestamp::from_epoch_seconds(at));
    let mut data = json!({"version": "1.0", "queryDate": time(now)});
    let mut put = |name: &str, value: Json| drop(data.as_object_mut().map(|all| all.insert(name.to_owned(), value)));
    if let Some(first) = seen.last() {
        put("startDate", seconds(first.start).into());
    }
    if let Some(metric) = &of.metric {
        if let Some(unit) = &metric.unit {
            put("unit", unit.clone().into());
        }
        put("statistic", metric.stat().into());
    }
    put("period", of.period.into());
    put("recentDatapoints", seen.iter().rev().map(|seen| Json::from(seen.value)).collect());
    put("threshold", of.threshold.into());
    let evaluated = seen.iter().take(20).map(|seen| {
        let mut point = json!({"timestamp": seconds(seen.start), "value": seen.value});
        if let (Some(samples), Some(point)) = (seen.samples, point.as_object_mut()) {
            point.insert("sampleCount".to_owned(), samples.into());
        }
        point
    });
    put("evaluatedDatapoints", evaluated.collect());
    data.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::judge::{Asked, judge};
    use crate::alarms::read::Seen;

    fn alarm(periods: i64, needed: i64) -> MetricAlarm {
        MetricAlarm {
            metric: None,
            metrics: vec![],
            period: 300,
            evaluation_periods: periods,
            datapoints_to_alarm: Some(needed),
            threshold: 50.0,
            comparison: "GreaterThanThreshold".into(),
            treat_missing_data: None,
            low_samples: None,
        }
    }

    fn said(of: &MetricAlarm, values: &[Option<f64>], missing: Missing) -> String {
        // 2 October 2019, 16:49:00.
        let row: Row = values
            .iter()
            .enumerate()
            .map(|(n, value)| value.map(|value| Seen { start: 1_570_034_940 + 300 * n as i64, value, samples: None }))
            .collect();
        let points: Vec<_> = row.iter().map(|seen| seen.as_ref().map(|seen| breaches(of, seen.value))).collect();
        let asked = Asked {
            periods: of.evaluation_periods as usize,
            breaching: of.datapoints_to_alarm.unwrap() as usize,
            missing,
        };
        let found = judge(&points, asked);
        text(of, &row, &found, found.state.expect("a state"), StateValue::Ok, missing)
    }

    #[test]
    fn reasons_are_worded_as_in_the_guide() {
        assert_eq!(
            said(&alarm(1, 1), &[None, None, Some(99.50160229693434)], Missing::Unknown),
            "Threshold Crossed: 1 out of the last 1 datapoints [99.50160229693434 (02/10/19 16:59:00)] was greater than the \
             threshold (50.0) (minimum 1 datapoint for OK -> ALARM transition)."
        );
        assert_eq!(
            said(&alarm(3, 2), &[Some(60.0), Some(1.0), Some(2.5)], Missing::Unknown),
            "Threshold Crossed: 2 out of the last 3 datapoints [2.5 (02/10/19 16:59:00), 1.0 (02/10/19 16:54:00)] were not \
             greater than the threshold (50.0) (minimum 2 datapoints for ALARM -> OK transition)."
        );
        assert_eq!(said(&alarm(1, 1), &[None], Missing::Unknown), "Insufficient Data: 1 datapoint was unknown.");
        assert_eq!(
            said(&alarm(2, 2), &[None, None], Missing::Breaching),
            "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as [Breaching]."
        );
        assert_eq!(
            said(&alarm(2, 1), &[Some(1.0), None], Missing::NotBreaching),
            "Threshold Crossed: 1 out of the last 2 datapoints [1.0 (02/10/19 16:49:00)] was not greater than the threshold \
             (50.0) and 1 missing datapoint was treated as [NonBreaching] (minimum 2 datapoints for ALARM -> OK transition)."
        );
    }
}
