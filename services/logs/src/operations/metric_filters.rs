//! Metric filters. Source: CloudWatch Logs API Reference, PutMetricFilter, TestMetricFilter; CloudWatch Logs User Guide,
//! "Filter pattern syntax for metric filters" and "Publishing dimensions with metrics from values in JSON or
//! space-delimited log events".

use crate::errors::{bad_token, invalid, not_there, over_limit};
use crate::names::{of_group, stream_id};
use crate::pattern::{Pattern, Selector};
use crate::records::{LogGroup, MetricFilter as Kept, Transformation};
use crate::targets;
use kiln_logs_shapes::*;
use kiln_service_kit::{Cx, Error, Map, Operation, Target, operation, paginate};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteMetricFilter: delete_metric_filter(DeleteMetricFilterRequest), on |cx, r| targets::group(cx, &r.log_group_name)),
    operation!(DescribeMetricFilters: describe_metric_filters(DescribeMetricFiltersRequest), on |cx, r| match &r.log_group_name {
        Some(name) => targets::group(cx, name),
        None => Ok(Target::new(cx.arn("logs", "log-group::log-stream:"))),
    }),
    operation!(PutMetricFilter: put_metric_filter(PutMetricFilterRequest), on |cx, r| targets::group(cx, &r.log_group_name)),
    operation!(TestMetricFilter: test_metric_filter(TestMetricFilterRequest), on everything),
];

/// Filters of a group, and those of them that have regular expressions.
const MOST: usize = 100;
const MOST_EXPRESSIONS: usize = 5;
const MOST_DIMENSIONS: usize = 3;

pub fn parse(text: &str) -> Result<Pattern, Error> {
    Pattern::parse(text).map_err(|e| invalid(e.to_string()))
}

async fn put_metric_filter(cx: &Cx, request: PutMetricFilterRequest) -> Result<PutMetricFilterResponse, Error> {
    if request.apply_on_transformed_logs == Some(true) {
        return Err(Error::not_built("logs: metric filters on transformed log events"));
    }
    if request.field_selection_criteria.is_some() || !request.emit_system_field_dimensions.is_empty() {
        return Err(Error::not_built("logs: metric filters with fieldSelectionCriteria or emitSystemFieldDimensions"));
    }
    let pattern = parse(&request.filter_pattern)?;
    let [given] = request.metric_transformations.as_slice() else {
        return Err(invalid("A metric filter has one metric transformation."));
    };
    let transformation = transformation(&pattern, given)?;
    let id = stream_id(&request.log_group_name, &request.filter_name);
    cx.store()
        .write::<_, Error>(|tx| {
            tx.get::<LogGroup>(cx.scope(), &request.log_group_name)?.ok_or_else(|| not_there("log group"))?;
            let mut others = tx.list_prefix::<Kept>(cx.scope(), &of_group(&request.log_group_name))?;
            let known = others.iter().position(|(known, _)| **known == *id).map(|at| others.remove(at).1);
            let has_expression = |text: &str| Pattern::parse(text).is_ok_and(|pattern| pattern.expressions() > 0);
            let with = others.iter().filter(|(_, other)| has_expression(&other.pattern)).count();
            if others.len() >= MOST || (pattern.expressions() > 0 && with >= MOST_EXPRESSIONS) {
                return Err(over_limit());
            }
            let filter = Kept {
                name: request.filter_name.clone(),
                group: request.log_group_name.clone(),
                created: known.map_or(tx.now(), |known| known.created),
                pattern: request.filter_pattern.clone(),
                makes: Kept::metric_key(&transformation.namespace, &transformation.metric),
                transformation,
            };
            tx.put_if_changed(cx.scope(), &id, filter)?;
            Ok(())
        })
        .await?;
    Ok(PutMetricFilterResponse {})
}

fn transformation(pattern: &Pattern, given: &MetricTransformation) -> Result<Transformation, Error> {
    let bad = |text: String| invalid(format!("Invalid metric transformation: {text}"));
    let refers = |text: &str| -> Result<(), Error> {
        let known = match pattern.fields() {
            Some(names) => text.strip_prefix('$').is_some_and(|name| names.iter().any(|known| known == name)),
            None => pattern.is_json() && Selector::whole(text).is_ok_and(|selector| !selector.has_wildcard()),
        };
        if known { Ok(()) } else { Err(bad(format!("{text} is no field of the filter pattern"))) }
    };
    let value = &given.metric_value;
    match value.parse::<f64>() {
        Ok(number) if number.is_finite() => {}
        _ => refers(value)?,
    }
    if given.metric_name.is_empty() || given.metric_namespace.is_empty() {
        return Err(bad("metricName and metricNamespace cannot be empty".to_owned()));
    }
    if given.metric_namespace.starts_with("AWS/") {
        return Err(bad(format!("namespace {} is reserved", given.metric_namespace)));
    }
    let dimensions: BTreeMap<String, String> = given.dimensions.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    if dimensions.len() > MOST_DIMENSIONS {
        return Err(bad(format!("a metric filter has at most {MOST_DIMENSIONS} dimensions")));
    }
    if !dimensions.is_empty() && given.default_value.is_some() {
        return Err(bad("a default value and dimensions cannot be specified together".to_owned()));
    }
    dimensions.values().try_for_each(|value| refers(value))?;
    if given.default_value.is_some_and(|value| !value.is_finite()) {
        return Err(bad("the default value is no number".to_owned()));
    }
    Ok(Transformation {
        metric: given.metric_name.clone(),
        namespace: given.metric_namespace.clone(),
        value: value.clone(),
        default: given.default_value,
        dimensions,
        unit: given.unit.clone(),
    })
}

async fn delete_metric_filter(
    cx: &Cx,
    request: DeleteMetricFilterRequest,
) -> Result<DeleteMetricFilterResponse, Error> {
    let id = stream_id(&request.log_group_name, &request.filter_name);
    cx.store()
        .write::<_, Error>(|tx| {
            tx.get::<LogGroup>(cx.scope(), &request.log_group_name)?.ok_or_else(|| not_there("log group"))?;
            tx.get::<Kept>(cx.scope(), &id)?.ok_or_else(|| not_there("metric filter"))?;
            tx.delete::<Kept>(cx.scope(), &id);
            Ok(())
        })
        .await?;
    Ok(DeleteMetricFilterResponse {})
}

async fn describe_metric_filters(
    cx: &Cx,
    request: DescribeMetricFiltersRequest,
) -> Result<DescribeMetricFiltersResponse, Error> {
    let store = cx.store();
    let mut found: Vec<(Arc<str>, Arc<Kept>)> =
        match (&request.log_group_name, &request.metric_name, &request.metric_namespace) {
            (_, Some(_), None) | (_, None, Some(_)) => {
                return Err(invalid("metricName and metricNamespace must be specified together."));
            }
            (Some(group), ..) => {
                crate::names::group(cx, group)?;
                store.list_prefix::<Kept>(cx.scope(), &of_group(group))?
            }
            (None, Some(metric), Some(namespace)) => {
                store.by_key::<Kept>(cx.scope(), Kept::BY_METRIC, &Kept::metric_key(namespace, metric))?
            }
            (None, None, None) => store.list::<Kept>(cx.scope())?,
        };
    if let (Some(metric), Some(namespace)) = (&request.metric_name, &request.metric_namespace) {
        found.retain(|(_, f)| f.transformation.metric == *metric && f.transformation.namespace == *namespace);
    }
    if let (Some(prefix), Some(_)) = (&request.filter_name_prefix, &request.log_group_name) {
        found.retain(|(_, filter)| filter.name.starts_with(prefix.as_str()));
    }
    // By name, and of one name by group.
    let mut keyed: Vec<(String, Arc<Kept>)> =
        found.into_iter().map(|(_, filter)| (format!("{}:{}", filter.name, filter.group), filter)).collect();
    keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    let limit = request.limit.unwrap_or(50) as usize;
    let page = paginate(keyed, |(key, _)| key, request.next_token.as_deref(), limit, bad_token)?;
    let metric_filters = page.items.iter().map(|(_, filter)| shown(filter)).collect();
    Ok(DescribeMetricFiltersResponse { metric_filters, next_token: page.next_token })
}

fn shown(filter: &Kept) -> MetricFilter {
    let Transformation { metric, namespace, value, default, dimensions, unit } = filter.transformation.clone();
    MetricFilter {
        filter_name: Some(filter.name.clone()),
        filter_pattern: Some(filter.pattern.clone()),
        metric_transformations: vec![MetricTransformation {
            metric_name: metric,
            metric_namespace: namespace,
            metric_value: value,
            default_value: default,
            dimensions: dimensions.into_iter().collect::<Map<String>>(),
            unit,
        }],
        creation_time: Some(filter.created.millis()),
        log_group_name: Some(filter.group.clone()),
        ..Default::default()
    }
}

async fn test_metric_filter(_: &Cx, request: TestMetricFilterRequest) -> Result<TestMetricFilterResponse, Error> {
    let pattern = parse(&request.filter_pattern)?;
    let mut matches = vec![];
    for (n, message) in request.log_event_messages.iter().enumerate() {
        if let Some(taken) = pattern.extract(message) {
            matches.push(MetricFilterMatchRecord {
                event_number: Some(n as i64 + 1),
                event_message: Some(message.clone()),
                extracted_values: taken.into_iter().collect(),
            });
        }
    }
    Ok(TestMetricFilterResponse { matches })
}
