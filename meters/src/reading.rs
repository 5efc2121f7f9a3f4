//! One datum of a metric, as a meter reads it.

use kiln_points::{Metric, Observed, Sample, units};
use kiln_service_kit::{Scope, Timestamp};
use std::sync::Arc;

/// Names and values, in any order.
pub type Dimensions = Vec<(&'static str, String)>;

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    pub scope: Scope,
    /// `AWS/…`, or `CWAgent`.
    pub namespace: &'static str,
    pub name: &'static str,
    pub dimensions: Dimensions,
    /// One of CloudWatch's.
    pub unit: &'static str,
    /// Values, and how often each was there; none makes no point.
    pub values: Vec<(f64, f64)>,
}

impl Reading {
    /// As it is kept; `None` where nothing was read.
    pub(crate) fn sample(self, at: Timestamp) -> Option<Sample> {
        if self.values.is_empty() {
            return None;
        }
        let mut dimensions: Vec<(String, String)> =
            self.dimensions.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        dimensions.sort();
        let metric = Metric {
            account: self.scope.account.to_string(),
            region: self.scope.region.to_string(),
            namespace: self.namespace.to_owned(),
            name: self.name.to_owned(),
            dimensions,
        };
        let unit = units::number(self.unit);
        debug_assert!(unit.is_some(), "{} is no unit", self.unit);
        Some(Sample {
            metric: Arc::new(metric),
            unit: unit?,
            fine: false,
            at: at.millis().div_euclid(1000),
            observed: Observed::Values(self.values),
        })
    }
}
