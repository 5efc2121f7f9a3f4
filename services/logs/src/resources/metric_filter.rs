//! `AWS::Logs::MetricFilter`. Ref gives the name.

use super::{already_there, gone, is_ours, known_text};
use async_trait::async_trait;
use kiln_logs_shapes::*;
use kiln_service_kit::{Cx, Error, Map, Properties, ResourceRequest, ResourceType, Stability, given};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct Filter;

const TYPE: &str = "AWS::Logs::MetricFilter";

#[async_trait]
impl ResourceType for Filter {
    fn type_name(&self) -> &'static str {
        TYPE
    }

    fn serves(&self, property: &str) -> bool {
        !matches!(property, "ApplyOnTransformedLogs" | "EmitSystemFieldDimensions" | "FieldSelectionCriteria")
    }

    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[("ApplyOnTransformedLogs", "false")]
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("FilterName")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let name = request.text("FilterName").unwrap_or_else(|| request.physical_name.clone());
        let group = known_text(&request.properties, "LogGroupName")?;
        // It would be put over one that is somebody else's.
        if let Some(there) = find(cx, &group, &name).await?
            && !is_ours(there.creation_time, request)
        {
            return Err(already_there(TYPE, &name));
        }
        put(cx, &name, request).await?;
        Ok(name)
    }

    async fn update(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        put(cx, name, request).await
    }

    async fn delete(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        let log_group_name = known_text(&request.properties, "LogGroupName")?;
        match cx.call(DeleteMetricFilterRequest { log_group_name, filter_name: name.to_owned() }).await {
            Err(error) if !gone(&error) => Err(error),
            _ => Ok(Stability::Ready),
        }
    }

    async fn exists(&self, cx: &Cx, name: &str, properties: &Json) -> Result<bool, Error> {
        Ok(find(cx, &known_text(properties, "LogGroupName")?, name).await?.is_some())
    }

    async fn read(&self, cx: &Cx, name: &str, known: &Json) -> Result<Option<Properties>, Error> {
        let group = known_text(known, "LogGroupName")?;
        let Some(filter) = find(cx, &group, name).await? else { return Ok(None) };
        let transformation = |one: MetricTransformation| {
            let dimension = |(key, value): (String, String)| json!({"Key": key, "Value": value});
            given(json!({
                "MetricName": one.metric_name,
                "MetricNamespace": one.metric_namespace,
                "MetricValue": one.metric_value,
                "DefaultValue": one.default_value,
                "Dimensions": one.dimensions.into_iter().map(dimension).collect::<Vec<_>>(),
                "Unit": one.unit,
            }))
        };
        let read = Properties::default()
            .with("FilterName", name)
            .with("LogGroupName", group)
            .with("FilterPattern", filter.filter_pattern)
            .with_list("MetricTransformations", filter.metric_transformations.into_iter().map(transformation));
        Ok(Some(read))
    }

    async fn attributes(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::new())
    }
}

fn text(one: &Json, name: &str) -> Option<String> {
    match one.get(name)? {
        Json::String(text) => Some(text.clone()),
        Json::Null => None,
        other => Some(other.to_string()),
    }
}

fn transformation(one: &Json) -> Result<MetricTransformation, Error> {
    let dimensions = one.get("Dimensions").and_then(Json::as_array).into_iter().flatten();
    let dimensions: Map<String> = dimensions.filter_map(|one| Some((text(one, "Key")?, text(one, "Value")?))).collect();
    let default = text(one, "DefaultValue").map(|text| text.parse::<f64>()).transpose();
    Ok(MetricTransformation {
        metric_name: known_text(one, "MetricName")?,
        metric_namespace: known_text(one, "MetricNamespace")?,
        metric_value: text(one, "MetricValue").ok_or_else(|| Error::internal("MetricValue is not known"))?,
        default_value: default.map_err(|e| Error::failed("read DefaultValue", e))?,
        dimensions,
        unit: text(one, "Unit"),
    })
}

async fn put(cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
    let all = request.properties.get("MetricTransformations").and_then(Json::as_array).into_iter().flatten();
    let asked = PutMetricFilterRequest {
        log_group_name: known_text(&request.properties, "LogGroupName")?,
        filter_name: name.to_owned(),
        filter_pattern: known_text(&request.properties, "FilterPattern")?,
        metric_transformations: all.map(transformation).collect::<Result<_, _>>()?,
        ..Default::default()
    };
    cx.call(asked).await.map(drop)
}

async fn find(cx: &Cx, group: &str, name: &str) -> Result<Option<MetricFilter>, Error> {
    let asked = DescribeMetricFiltersRequest {
        log_group_name: Some(group.to_owned()),
        filter_name_prefix: Some(name.to_owned()),
        ..Default::default()
    };
    match cx.call(asked).await {
        Err(error) if gone(&error) => Ok(None),
        answer => Ok(answer?.metric_filters.into_iter().find(|filter| filter.filter_name.as_deref() == Some(name))),
    }
}
