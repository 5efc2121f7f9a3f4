//! DescribeAlarms and DescribeAlarmsForMetric. Source: the API Reference.

use crate::alarms::read::watched;
use crate::alarms::rule::Rule;
use crate::alarms::wake;
use crate::errors::{bad_combination, bad_token};
use crate::records::{Alarm, Composite, MetricAlarm as Of, StateValue, SuppressedBy, What};
use crate::{names, records};
use kiln_cloudwatch_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation, paginate};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeAlarms: describe_alarms(DescribeAlarmsRequest), on touched),
    operation!(DescribeAlarmsForMetric: describe_alarms_for_metric(DescribeAlarmsForMetricRequest), on everything),
];

/// Alarms on a page.
const PAGE: i32 = 50;

/// Those that are named; else all of them.
fn touched(cx: &Cx, request: &DescribeAlarmsRequest) -> Result<Vec<kiln_service_kit::Target>, Error> {
    match request.alarm_names.is_empty() {
        true => Ok(vec![kiln_service_kit::Target::new(records::arn(cx, "*"))]),
        false => crate::targets::alarms(cx, &request.alarm_names),
    }
}

async fn describe_alarms(cx: &Cx, request: DescribeAlarmsRequest) -> Result<DescribeAlarmsResponse, Error> {
    let store = cx.store();
    let by_family = request.children_of_alarm_name.is_some() || request.parents_of_alarm_name.is_some();
    let others = !request.alarm_names.is_empty()
        || request.alarm_name_prefix.is_some()
        || !request.alarm_types.is_empty()
        || request.state_value.is_some()
        || request.action_prefix.is_some();
    if by_family && (others || (request.children_of_alarm_name.is_some() && request.parents_of_alarm_name.is_some())) {
        return Err(bad_combination(
            "ChildrenOfAlarmName and ParentsOfAlarmName can be specified with MaxRecords and NextToken only.",
        ));
    }
    if !request.alarm_names.is_empty() && request.alarm_name_prefix.is_some() {
        return Err(bad_combination("Only one of the parameters AlarmNames and AlarmNamePrefix may be specified."));
    }
    let mut found: Vec<Arc<Alarm>> = vec![];
    if let Some(name) = &request.children_of_alarm_name {
        if let Some(alarm) = store.get::<Alarm>(cx.scope(), name)?
            && let What::Composite(composite) = &alarm.what
        {
            let children = Rule::parse(&composite.rule).map(|rule| rule.alarms()).unwrap_or_default();
            for child in children {
                found.extend(store.get::<Alarm>(cx.scope(), &child)?);
            }
        }
    } else if let Some(name) = &request.parents_of_alarm_name {
        let above = store.by_key::<Alarm>(cx.scope(), "watches", &wake::child(name))?;
        found.extend(above.into_iter().map(|(_, alarm)| alarm));
    } else if request.alarm_names.is_empty() {
        let prefix = request.alarm_name_prefix.as_deref().unwrap_or("");
        found.extend(store.list_prefix::<Alarm>(cx.scope(), prefix)?.into_iter().map(|(_, alarm)| alarm));
    } else {
        for name in &request.alarm_names {
            found.extend(store.get::<Alarm>(cx.scope(), name)?);
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.dedup_by(|a, b| a.name == b.name);
    }
    let state = request.state_value.as_deref().and_then(StateValue::parse);
    let types = &request.alarm_types;
    found.retain(|alarm| {
        let of_type = match types.is_empty() {
            true => by_family || !alarm.is_composite(),
            false => types.iter().any(|kind| kind == alarm.kind()),
        };
        let actions = || alarm.ok_actions.iter().chain(&alarm.alarm_actions).chain(&alarm.insufficient_data_actions);
        of_type
            && state.is_none_or(|state| state == alarm.state.value)
            && request.action_prefix.as_ref().is_none_or(|prefix| actions().any(|action| action.starts_with(prefix)))
    });
    let limit = request.max_records.unwrap_or(PAGE) as usize;
    let page = paginate(found, |alarm| &alarm.name, request.next_token.as_deref(), limit, bad_token)?;
    let mut response = DescribeAlarmsResponse { next_token: page.next_token, ..Default::default() };
    for alarm in page.items {
        match &alarm.what {
            What::Metric(of) => {
                response.metric_alarms.push(if by_family { brief(cx, &alarm) } else { metric_shape(cx, &alarm, of) })
            }
            What::Composite(of) => response.composite_alarms.push(composite_shape(cx, &alarm, of)),
        }
    }
    Ok(response)
}

/// What is told of the family of an alarm.
fn brief(cx: &Cx, alarm: &Alarm) -> MetricAlarm {
    MetricAlarm {
        alarm_name: Some(alarm.name.clone()),
        alarm_arn: Some(alarm.arn(cx)),
        state_value: Some(alarm.state.value.text().to_owned()),
        state_updated_timestamp: Some(alarm.state.updated),
        ..Default::default()
    }
}

fn metric_shape(cx: &Cx, alarm: &Alarm, of: &Of) -> MetricAlarm {
    let metric = of.metric.as_ref();
    MetricAlarm {
        alarm_name: Some(alarm.name.clone()),
        alarm_arn: Some(alarm.arn(cx)),
        alarm_description: alarm.description.clone(),
        alarm_configuration_updated_timestamp: Some(alarm.configured),
        actions_enabled: Some(alarm.actions_enabled),
        ok_actions: alarm.ok_actions.clone(),
        alarm_actions: alarm.alarm_actions.clone(),
        insufficient_data_actions: alarm.insufficient_data_actions.clone(),
        state_value: Some(alarm.state.value.text().to_owned()),
        state_reason: Some(alarm.state.reason.clone()),
        state_reason_data: alarm.state.reason_data.clone(),
        state_updated_timestamp: Some(alarm.state.updated),
        state_transitioned_timestamp: Some(alarm.state.transitioned),
        metric_name: metric.map(|metric| metric.name.clone()),
        namespace: metric.map(|metric| metric.namespace.clone()),
        statistic: metric.and_then(|metric| metric.statistic.clone()),
        extended_statistic: metric.and_then(|metric| metric.extended_statistic.clone()),
        dimensions: metric.map(|metric| names::shapes(&metric.dimensions)).unwrap_or_default(),
        period: metric.map(|_| of.period as i32),
        unit: metric.and_then(|metric| metric.unit.clone()),
        evaluation_periods: Some(of.evaluation_periods as i32),
        datapoints_to_alarm: of.datapoints_to_alarm.map(|needed| needed as i32),
        threshold: Some(of.threshold),
        comparison_operator: Some(of.comparison.clone()),
        treat_missing_data: of.treat_missing_data.clone(),
        evaluate_low_sample_count_percentile: of.low_samples.clone(),
        metrics: of.metrics.clone(),
        ..Default::default()
    }
}

fn composite_shape(cx: &Cx, alarm: &Alarm, of: &Composite) -> CompositeAlarm {
    let by = of.suppressed.as_ref().map(|suppressed| suppressed.by);
    CompositeAlarm {
        actions_enabled: Some(alarm.actions_enabled),
        alarm_actions: alarm.alarm_actions.clone(),
        alarm_arn: Some(alarm.arn(cx)),
        alarm_configuration_updated_timestamp: Some(alarm.configured),
        alarm_description: alarm.description.clone(),
        alarm_name: Some(alarm.name.clone()),
        alarm_rule: Some(of.rule.clone()),
        insufficient_data_actions: alarm.insufficient_data_actions.clone(),
        ok_actions: alarm.ok_actions.clone(),
        state_reason: Some(alarm.state.reason.clone()),
        state_reason_data: alarm.state.reason_data.clone(),
        state_updated_timestamp: Some(alarm.state.updated),
        state_value: Some(alarm.state.value.text().to_owned()),
        state_transitioned_timestamp: Some(alarm.state.transitioned),
        actions_suppressed_by: by.map(|by| {
            match by {
                SuppressedBy::Alarm => "Alarm",
                SuppressedBy::WaitPeriod => "WaitPeriod",
                SuppressedBy::ExtensionPeriod => "ExtensionPeriod",
            }
            .to_owned()
        }),
        actions_suppressed_reason: by.map(|by| {
            match by {
                SuppressedBy::Alarm => "Actions suppressed by the suppressor alarm",
                SuppressedBy::WaitPeriod => "Actions suppressed by WaitPeriod",
                SuppressedBy::ExtensionPeriod => "Actions suppressed by ExtensionPeriod",
            }
            .to_owned()
        }),
        actions_suppressor: of.suppressor.clone(),
        actions_suppressor_wait_period: of.wait.map(|seconds| seconds as i32),
        actions_suppressor_extension_period: of.extension.map(|seconds| seconds as i32),
    }
}

async fn describe_alarms_for_metric(
    cx: &Cx,
    request: DescribeAlarmsForMetricRequest,
) -> Result<DescribeAlarmsForMetricResponse, Error> {
    let metric =
        names::metric(cx.scope(), &request.namespace, &request.metric_name, names::dimensions(&request.dimensions)?);
    let mut metric_alarms = vec![];
    for (_, alarm) in cx.store().by_key::<Alarm>(cx.scope(), "watches", &watched(&metric))? {
        let What::Metric(of) = &alarm.what else { continue };
        let Some(known) = &of.metric else { continue };
        let same = |wanted: &Option<String>, known: &Option<String>| wanted.is_none() || wanted == known;
        if known.namespace == metric.namespace
            && known.name == metric.name
            && known.dimensions == metric.dimensions
            && same(&request.statistic, &known.statistic)
            && same(&request.extended_statistic, &known.extended_statistic)
            && same(&request.unit, &known.unit)
            && request.period.is_none_or(|period| i64::from(period) == of.period)
        {
            metric_alarms.push(metric_shape(cx, &alarm, of));
        }
    }
    Ok(DescribeAlarmsForMetricResponse { metric_alarms })
}
