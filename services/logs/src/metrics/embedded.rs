//! Metrics that events bring along: the embedded metric format.
//!
//! An event that says that it has some and does not keep to the format has none, as AWS takes it. Source: CloudWatch User
//! Guide, "Specification: Embedded metric format".

use super::{Series, Values};
use crate::events::New;
use serde_json::Value as Json;

const MOST_DIMENSIONS: usize = 30;
const MOST_METRICS: usize = 100;
const MOST_VALUES: usize = 100;

pub fn add(new: &[New], values: &mut Values) {
    for (at, message) in new {
        // Most have none.
        if message.trim_start().starts_with('{')
            && message.contains("\"_aws\"")
            && let Ok(event) = serde_json::from_str::<Json>(message)
        {
            for directive in event["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten() {
                of(&event, directive, *at, values);
            }
        }
    }
}

/// One directive: every metric of it by every set of dimensions.
fn of(event: &Json, directive: &Json, at: i64, values: &mut Values) -> Option<()> {
    let namespace = directive["Namespace"].as_str().filter(|name| !name.is_empty() && !name.starts_with("AWS/"))?;
    let at = event["_aws"]["Timestamp"].as_i64().unwrap_or(at);
    let metrics = directive["Metrics"].as_array().filter(|metrics| metrics.len() <= MOST_METRICS)?;
    let mut sets: Vec<Vec<(String, String)>> = vec![];
    for set in directive["Dimensions"].as_array().into_iter().flatten() {
        let names = set.as_array().filter(|names| names.len() <= MOST_DIMENSIONS)?;
        let mut dimensions = vec![];
        for name in names {
            let name = name.as_str()?;
            dimensions.push((name.to_owned(), event[name].as_str()?.to_owned()));
        }
        sets.push(dimensions);
    }
    if sets.is_empty() {
        sets.push(vec![]);
    }
    for metric in metrics {
        let name = metric["Name"].as_str()?;
        let numbers: Vec<f64> = match &event[name] {
            Json::Number(number) => number.as_f64().into_iter().collect(),
            Json::Array(all) if all.len() <= MOST_VALUES => all.iter().map(Json::as_f64).collect::<Option<_>>()?,
            _ => continue,
        };
        for dimensions in &sets {
            for number in &numbers {
                let series = Series {
                    namespace: namespace.to_owned(),
                    metric: name.to_owned(),
                    dimensions: dimensions.clone(),
                    unit: metric["Unit"].as_str().map(str::to_owned),
                    fine: metric["StorageResolution"].as_i64() == Some(1),
                    at: 0,
                };
                values.add(series, at, *number);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_counts_by_every_set_of_dimensions() {
        let event = r#"{"_aws":{"Timestamp":61000,"CloudWatchMetrics":[{"Namespace":"Shop","Dimensions":[["Site"],["Site","Till"]],
            "Metrics":[{"Name":"Took","Unit":"Milliseconds"},{"Name":"Sold"},{"Name":"Missing"}]}]},
            "Site":"a","Till":"1","Took":[1,2,2],"Sold":3}"#;
        let mut values = Values::default();
        add(&[(5, event.to_owned()), (5, "{\"_aws\":1}".to_owned()), (5, "no JSON".to_owned())], &mut values);
        let data = values.data();
        let shown: Vec<_> = data["Shop"]
            .iter()
            .map(|d| {
                (
                    d.metric_name.as_str(),
                    d.dimensions.len(),
                    d.values.clone(),
                    d.counts.clone(),
                    d.timestamp.map(|at| at.millis()),
                )
            })
            .collect();
        let took = |dimensions| ("Took", dimensions, vec![1.0, 2.0], vec![1.0, 2.0], Some(60_000));
        let sold = |dimensions| ("Sold", dimensions, vec![3.0], vec![1.0], Some(60_000));
        assert_eq!(shown, [sold(1), sold(2), took(1), took(2)]);
    }
}
