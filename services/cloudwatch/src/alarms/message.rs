//! What a topic is told of a change of state: the documented JSON. Source: the user guide, "Notifying users on alarm
//! changes".

use super::reason::time;
use crate::records::{Alarm, StateValue, What};
use kiln_service_kit::Cx;
use serde_json::{Value as Json, json};

/// Regions by the names that people read.
const REGIONS: [(&str, &str); 20] = [
    ("us-east-1", "US East (N. Virginia)"),
    ("us-east-2", "US East (Ohio)"),
    ("us-west-1", "US West (N. California)"),
    ("us-west-2", "US West (Oregon)"),
    ("ca-central-1", "Canada (Central)"),
    ("eu-central-1", "EU (Frankfurt)"),
    ("eu-west-1", "EU (Ireland)"),
    ("eu-west-2", "EU (London)"),
    ("eu-west-3", "EU (Paris)"),
    ("eu-north-1", "EU (Stockholm)"),
    ("eu-south-1", "EU (Milan)"),
    ("ap-northeast-1", "Asia Pacific (Tokyo)"),
    ("ap-northeast-2", "Asia Pacific (Seoul)"),
    ("ap-northeast-3", "Asia Pacific (Osaka)"),
    ("ap-southeast-1", "Asia Pacific (Singapore)"),
    ("ap-southeast-2", "Asia Pacific (Sydney)"),
    ("ap-south-1", "Asia Pacific (Mumbai)"),
    ("ap-east-1", "Asia Pacific (Hong Kong)"),
    ("sa-east-1", "South America (Sao Paulo)"),
    ("af-south-1", "Africa (Cape Town)"),
];

fn region(code: &str) -> &str {
    REGIONS.iter().find(|(known, _)| *known == code).map_or(code, |(_, name)| name)
}

/// The subject, and the message, of an alarm whose state has changed.
pub fn message(cx: &Cx, alarm: &Alarm, before: StateValue) -> (String, String) {
    let subject = format!("{}: \"{}\" in {}", alarm.state.value.text(), alarm.name, region(cx.region()));
    // As SNS takes them: 100 characters.
    let subject: String = subject.chars().take(99).collect();
    let mut message = json!({
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": cx.account(),
        "AlarmConfigurationUpdatedTimestamp": time(alarm.configured),
        "NewStateValue": alarm.state.value.text(),
        "NewStateReason": alarm.state.reason,
        "StateChangeTime": time(alarm.state.updated),
        "Region": region(cx.region()),
        "AlarmArn": alarm.arn(cx),
        "OldStateValue": before.text(),
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
    });
    let (name, value) = match &alarm.what {
        What::Composite(composite) => ("AlarmRule", composite.rule.clone().into()),
        What::Metric(of) => ("Trigger", trigger(of)),
    };
    if let Some(all) = message.as_object_mut() {
        all.insert(name.to_owned(), value);
    }
    (subject, message.to_string())
}

fn trigger(of: &crate::records::MetricAlarm) -> Json {
    let mut trigger = json!({
        "Period": of.period,
        "EvaluationPeriods": of.evaluation_periods,
        "ComparisonOperator": of.comparison,
        "Threshold": of.threshold,
        "TreatMissingData": of.treat_missing_data.as_deref().unwrap_or("missing"),
        "EvaluateLowSampleCountPercentile": of.low_samples.as_deref().unwrap_or(""),
    });
    let mut put = |name: &str, value: Json| drop(trigger.as_object_mut().map(|all| all.insert(name.to_owned(), value)));
    if let Some(needed) = of.datapoints_to_alarm {
        put("DatapointsToAlarm", needed.into());
    }
    match &of.metric {
        Some(metric) => {
            put("MetricName", metric.name.clone().into());
            put("Namespace", metric.namespace.clone().into());
            put("Unit", metric.unit.clone().into());
            let dimension = |(name, value): &(String, String)| json!({"value": value, "name": name});
            put("Dimensions", metric.dimensions.iter().map(dimension).collect());
            match &metric.statistic {
                Some(statistic) => {
                    put("StatisticType", "Statistic".into());
                    let upper =
                        if statistic == "SampleCount" { "SAMPLE_COUNT".to_owned() } else { statistic.to_uppercase() };
                    put("Statistic", upper.into());
                }
                None => {
                    put("StatisticType", "ExtendedStatistic".into());
                    put("ExtendedStatistic", metric.stat().into());
                }
            }
        }
        None => {
            let metrics: Vec<Json> =
                of.metrics.iter().map(|query| kiln_service_kit::given(kiln_protocol::stored::to_json(query))).collect();
            put("Metrics", metrics.into());
        }
    }
    trigger
}
