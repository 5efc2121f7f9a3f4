//! `AWS::CloudWatch::Alarm`. Ref gives the name.

use super::{deleted, flag, free_name, integer, items, tags, text, update_tags, with_tags};
use crate::records::{Alarm, arn};
use kiln_cloudwatch_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub struct AlarmType;

const NOT_SERVED: [&str; 3] = ["EvaluationCriteria", "EvaluationInterval", "ThresholdMetricId"];

fn dimensions(json: &Json) -> Vec<Dimension> {
    let dimension = |json: &Json| Dimension {
        name: text(json, "Name").unwrap_or_default(),
        value: text(json, "Value").unwrap_or_default(),
    };
    items(json, "Dimensions").map(dimension).collect()
}

fn queries(json: &Json) -> Vec<MetricDataQuery> {
    let stat = |json: &Json| {
        let metric = json.get("Metric").unwrap_or(&Json::Null);
        MetricStat {
            metric: Metric {
                namespace: text(metric, "Namespace"),
                metric_name: text(metric, "MetricName"),
                dimensions: dimensions(metric),
            },
            period: integer(json, "Period").unwrap_or_default(),
            stat: text(json, "Stat").unwrap_or_default(),
            unit: text(json, "Unit"),
        }
    };
    let query = |json: &Json| MetricDataQuery {
        id: text(json, "Id").unwrap_or_default(),
        metric_stat: json.get("MetricStat").map(stat),
        expression: text(json, "Expression"),
        label: text(json, "Label"),
        return_data: flag(json, "ReturnData"),
        period: integer(json, "Period"),
        account_id: text(json, "AccountId"),
    };
    items(json, "Metrics").map(query).collect()
}

fn put(request: &ResourceRequest, name: &str) -> PutMetricAlarmRequest {
    PutMetricAlarmRequest {
        alarm_name: name.to_owned(),
        alarm_description: request.text("AlarmDescription"),
        actions_enabled: request.boolean("ActionsEnabled"),
        ok_actions: request.texts("OKActions"),
        alarm_actions: request.texts("AlarmActions"),
        insufficient_data_actions: request.texts("InsufficientDataActions"),
        metric_name: request.text("MetricName"),
        namespace: request.text("Namespace"),
        statistic: request.text("Statistic"),
        extended_statistic: request.text("ExtendedStatistic"),
        dimensions: dimensions(&request.properties),
        period: integer(&request.properties, "Period"),
        unit: request.text("Unit"),
        evaluation_periods: integer(&request.properties, "EvaluationPeriods"),
        datapoints_to_alarm: integer(&request.properties, "DatapointsToAlarm"),
        threshold: request.text("Threshold").and_then(|text| text.parse().ok()),
        comparison_operator: request.text("ComparisonOperator"),
        treat_missing_data: request.text("TreatMissingData"),
        evaluate_low_sample_count_percentile: request.text("EvaluateLowSampleCountPercentile"),
        metrics: queries(&request.properties),
        tags: tags(request),
        ..Default::default()
    }
}

#[async_trait]
impl ResourceType for AlarmType {
    fn type_name(&self) -> &'static str {
        "AWS::CloudWatch::Alarm"
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("AlarmName")
    }

    fn serves(&self, property: &str) -> bool {
        !NOT_SERVED.contains(&property)
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let scope = cx.scope();
        let there = |tx: &kiln_service_kit::Tx<'_>, name: &str| Ok(tx.get::<Alarm>(scope, name)?.is_some());
        let name = free_name(cx, request, "AlarmName", there).await?;
        cx.call(put(request, &name)).await?;
        Ok(name)
    }

    async fn update(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        cx.call(PutMetricAlarmRequest { tags: vec![], ..put(request, name) }).await?;
        update_tags(cx, &arn(cx, name), request).await
    }

    async fn delete(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        deleted(cx.call(DeleteAlarmsRequest { alarm_names: vec![name.to_owned()] }).await, "ResourceNotFound")
    }

    async fn read(&self, cx: &Cx, name: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let asked = DescribeAlarmsRequest { alarm_names: vec![name.to_owned()], ..Default::default() };
        let Some(found) = cx.call(asked).await?.metric_alarms.pop() else { return Ok(None) };
        let read = Properties::default()
            .with("AlarmName", name)
            .with("Arn", found.alarm_arn)
            .with("AlarmDescription", found.alarm_description)
            .with("ActionsEnabled", found.actions_enabled)
            .with_list("OKActions", found.ok_actions)
            .with_list("AlarmActions", found.alarm_actions)
            .with_list("InsufficientDataActions", found.insufficient_data_actions)
            .with("MetricName", found.metric_name)
            .with("Namespace", found.namespace)
            .with("Statistic", found.statistic)
            .with("ExtendedStatistic", found.extended_statistic)
            .with_shape("Dimensions", &found.dimensions)
            .with("Period", found.period)
            .with("Unit", found.unit)
            .with("EvaluationPeriods", found.evaluation_periods)
            .with("DatapointsToAlarm", found.datapoints_to_alarm)
            .with("Threshold", found.threshold)
            .with("ComparisonOperator", found.comparison_operator)
            .with("TreatMissingData", found.treat_missing_data)
            .with("EvaluateLowSampleCountPercentile", found.evaluate_low_sample_count_percentile)
            .with_shape("Metrics", &found.metrics);
        Ok(Some(with_tags(cx, &arn(cx, name), read).await?))
    }

    async fn attributes(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok([("Arn".to_owned(), arn(cx, name).into())].into())
    }
}
