//! The event about a change of an alarm's state. Source: Amazon CloudWatch User Guide, "Alarm events and EventBridge".

use super::reason::time;
use crate::records::{Alarm, MetricAlarm, State, What};
use kiln_cloudwatch_shapes::{MetricDataQuery, MetricStat};
use kiln_service_kit::{Cx, Error, Happening, Tx};
use serde_json::{Map, Value as Json, json};

/// Says that an alarm has come to the state that it is in now, in the transaction that brings it there.
pub fn changed(tx: &mut Tx<'_>, cx: &Cx, alarm: &Alarm, before: &State) -> Result<(), Error> {
    cx.emit(tx, "aws.cloudwatch", "CloudWatch Alarm State Change", || {
        let mut configuration = match &alarm.what {
            What::Metric(of) => json!({"metrics": metrics(of)}),
            What::Composite(of) => composite(of),
        };
        if let Some(description) = &alarm.description {
            configuration["description"] = description.as_str().into();
        }
        Happening {
            resources: vec![alarm.arn(cx)],
            detail: json!({
                "alarmName": alarm.name,
                "state": state(&alarm.state),
                "previousState": state(before),
                "configuration": configuration,
            }),
        }
    })
}

fn composite(of: &crate::records::Composite) -> Json {
    let mut told = json!({"alarmRule": of.rule});
    if let Some(suppressor) = &of.suppressor {
        told["actionsSuppressor"] = suppressor.as_str().into();
        told["actionsSuppressorWaitPeriod"] = of.wait.into();
        told["actionsSuppressorExtensionPeriod"] = of.extension.into();
    }
    told
}

fn state(state: &State) -> Json {
    let mut told = json!({"value": state.value.text(), "reason": state.reason, "timestamp": time(state.updated)});
    if let Some(data) = &state.reason_data {
        told["reasonData"] = data.as_str().into();
    }
    told
}

fn metrics(of: &MetricAlarm) -> Json {
    let Some(metric) = &of.metric else { return of.metrics.iter().map(query).collect() };
    let dimensions: Map<String, Json> =
        metric.dimensions.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let metric_told = json!({"namespace": metric.namespace, "name": metric.name, "dimensions": dimensions});
    let mut stat = json!({"metric": metric_told, "period": of.period, "stat": metric.stat()});
    if let Some(unit) = &metric.unit {
        stat["unit"] = unit.as_str().into();
    }
    json!([{"id": "m1", "metricStat": stat, "returnData": true}])
}

fn query(query: &MetricDataQuery) -> Json {
    let mut told = json!({"id": query.id, "returnData": query.return_data.unwrap_or(true)});
    for (name, text) in [("expression", &query.expression), ("label", &query.label)] {
        if let Some(text) = text {
            told[name] = text.as_str().into();
        }
    }
    if let Some(MetricStat { metric, period, stat, unit }) = &query.metric_stat {
        let dimensions: Map<String, Json> =
            metric.dimensions.iter().map(|one| (one.name.clone(), one.value.as_str().into())).collect();
        told["metricStat"] = json!({
            "metric": {"namespace": metric.namespace, "name": metric.metric_name, "dimensions": dimensions},
            "period": period, "stat": stat,
        });
        if let Some(unit) = unit {
            told["metricStat"]["unit"] = unit.as_str().into();
        }
    }
    told
}
