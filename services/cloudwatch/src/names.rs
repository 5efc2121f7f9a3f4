//! What metrics, namespaces and dimensions may be called, and the form in which they are kept. Source: the API
//! Reference, PutMetricData and Dimension: ASCII without control characters.

use crate::errors::bad_value;
use kiln_cloudwatch_shapes::{Dimension, Metric as MetricShape};
use kiln_points::Metric;
use kiln_service_kit::{Cx, Error, Scope};

/// Refuses what is no text for a name.
pub fn check(what: &str, text: &str) -> Result<(), Error> {
    let plain = text.chars().all(|c| (' '..='~').contains(&c));
    match plain && !text.trim().is_empty() {
        true => Ok(()),
        false => Err(bad_value(format!(
            "The parameter {what} must contain only ASCII characters that can be printed, and one that is no space."
        ))),
    }
}

/// Dimensions in the order of their names; two of one name are refused.
pub fn dimensions(given: &[Dimension]) -> Result<Vec<(String, String)>, Error> {
    let mut dimensions = Vec::with_capacity(given.len());
    for (n, Dimension { name, value }) in given.iter().enumerate() {
        check(&format!("Dimensions.member.{}.Name", n + 1), name)?;
        check(&format!("Dimensions.member.{}.Value", n + 1), value)?;
        if name.starts_with(':') {
            return Err(bad_value(format!("The parameter Dimensions.member.{}.Name must not start with ':'.", n + 1)));
        }
        dimensions.push((name.clone(), value.clone()));
    }
    dimensions.sort();
    match dimensions.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(twice) => {
            Err(bad_value(format!("No repeated dimension names are allowed; {} is there twice.", twice[0].0)))
        }
        None => Ok(dimensions),
    }
}

/// A metric of a scope.
pub fn metric(scope: &Scope, namespace: &str, name: &str, dimensions: Vec<(String, String)>) -> Metric {
    Metric {
        account: scope.account.to_string(),
        region: scope.region.to_string(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        dimensions,
    }
}

/// A metric as a query names it.
pub fn of_shape(cx: &Cx, given: &MetricShape) -> Result<Metric, Error> {
    let (Some(namespace), Some(name)) = (&given.namespace, &given.metric_name) else {
        return Err(crate::errors::validation("A metric must have a Namespace and a MetricName."));
    };
    Ok(metric(cx.scope(), namespace, name, dimensions(&given.dimensions)?))
}

/// The dimensions of a metric as answers have them.
pub fn shapes(dimensions: &[(String, String)]) -> Vec<Dimension> {
    dimensions.iter().map(|(name, value)| Dimension { name: name.clone(), value: value.clone() }).collect()
}
