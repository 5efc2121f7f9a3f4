//! What becomes of events that came in, as metrics: those of metric filters, those that events bring along, and how much
//! came in. They are put as `logs.amazonaws.com`, by CloudWatch's public operation.
//!
//! The events are kept by then: metrics that cannot be put are told of in the log, and the events stay taken.

mod embedded;
mod filters;

use crate::events::New;
use crate::records::LogGroup;
use kiln_cloudwatch_shapes::{Dimension, MetricDatum, PutMetricDataRequest};
use kiln_service_kit::{Cx, Error, Timestamp};
use std::collections::BTreeMap;

const SERVICE: &str = "logs.amazonaws.com";

/// Data in one call of PutMetricData, and different values in one datum.
const MOST_DATA: usize = 1_000;
const MOST_VALUES: usize = 150;

/// What a value is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    pub namespace: String,
    pub metric: String,
    pub dimensions: Vec<(String, String)>,
    pub unit: Option<String>,
    /// Kept by the second.
    pub fine: bool,
    /// Seconds since 1970, of the minute or second that it falls into.
    pub at: i64,
}

/// Values that are to be put: each, and how often.
#[derive(Debug, Default)]
pub struct Values(BTreeMap<Series, BTreeMap<u64, (f64, f64)>>);

impl Values {
    /// Adds a value; `at` in milliseconds.
    pub fn add(&mut self, mut series: Series, at: i64, value: f64) {
        let each = if series.fine { 1 } else { 60 };
        let seconds = at.div_euclid(1000);
        series.at = seconds - seconds.rem_euclid(each);
        self.0.entry(series).or_default().entry(value.to_bits()).or_insert((value, 0.0)).1 += 1.0;
    }

    fn data(self) -> BTreeMap<String, Vec<MetricDatum>> {
        let mut data: BTreeMap<String, Vec<MetricDatum>> = BTreeMap::new();
        for (series, values) in self.0 {
            let values: Vec<(f64, f64)> = values.into_values().collect();
            for some in values.chunks(MOST_VALUES) {
                let dimension =
                    |(name, value): &(String, String)| Dimension { name: name.clone(), value: value.clone() };
                data.entry(series.namespace.clone()).or_default().push(MetricDatum {
                    metric_name: series.metric.clone(),
                    dimensions: series.dimensions.iter().map(dimension).collect(),
                    timestamp: Some(Timestamp::from_millis(series.at * 1000)),
                    values: some.iter().map(|(value, _)| *value).collect(),
                    counts: some.iter().map(|(_, count)| *count).collect(),
                    unit: series.unit.clone(),
                    storage_resolution: series.fine.then_some(1),
                    ..Default::default()
                });
            }
        }
        data
    }
}

/// Puts what events of a group come to.
pub async fn told(cx: &Cx, group: &LogGroup, new: &[New]) {
    let mut values = Values::default();
    incoming(cx, group, new, &mut values);
    embedded::add(new, &mut values);
    if let Err(error) = filters::add(cx, group, new, &mut values) {
        tracing::error!(error = error.chain(), group = group.name, "metric filters were not asked");
    }
    if let Err(error) = put(cx, values).await {
        tracing::error!(error = error.chain(), group = group.name, "metrics of log events were not put");
    }
}

async fn put(cx: &Cx, values: Values) -> Result<(), Error> {
    let cx = cx.as_service(SERVICE);
    // Of one namespace whatever another's came to.
    let mut failed = Ok(());
    for (namespace, data) in values.data() {
        for some in data.chunks(MOST_DATA) {
            let request =
                PutMetricDataRequest { namespace: namespace.clone(), metric_data: some.to_vec(), ..Default::default() };
            if let Err(error) = cx.call(request).await {
                failed = Err(error);
            }
        }
    }
    failed
}

/// `AWS/Logs`: bytes and events, of the group and of all. Source: CloudWatch Logs User Guide, "Monitoring with CloudWatch
/// metrics".
fn incoming(cx: &Cx, group: &LogGroup, new: &[New], values: &mut Values) {
    let bytes: usize = new.iter().map(|(_, message)| message.len() + 26).sum();
    let now = cx.now().millis();
    for dimensions in [vec![("LogGroupName".to_owned(), group.name.clone())], vec![]] {
        for (metric, value, unit) in
            [("IncomingBytes", bytes as f64, "Bytes"), ("IncomingLogEvents", new.len() as f64, "None")]
        {
            let series = Series {
                namespace: "AWS/Logs".to_owned(),
                metric: metric.to_owned(),
                dimensions: dimensions.clone(),
                unit: Some(unit.to_owned()),
                fine: false,
                at: 0,
            };
            values.add(series, now, value);
        }
    }
}
