//! Values that are read when the page is made, as rows of a metric.

use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use std::fmt;

/// A metric's name, unit and what it says.
pub type Named<'n> = (&'n str, Option<&'n Unit>, &'n str);

/// The labels of a row: names and values.
pub type Labels<'l> = Vec<(&'static str, &'l str)>;

/// Rows of a counter; its name on the page ends in `_total`.
pub fn counter<'l, V: EncodeCounterValue>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, unit, help): Named<'_>,
    rows: impl IntoIterator<Item = (Labels<'l>, V)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, unit, MetricType::Counter)?;
    for (labels, value) in rows {
        match labels.is_empty() {
            true => metric.encode_counter::<NoLabelSet, _, u64>(&value, None)?,
            false => metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)?,
        }
    }
    Ok(())
}

/// Rows of a gauge.
pub fn gauge<'l, V: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, unit, help): Named<'_>,
    rows: impl IntoIterator<Item = (Labels<'l>, V)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    for (labels, value) in rows {
        match labels.is_empty() {
            true => metric.encode_gauge(&value)?,
            false => metric.encode_family(&labels)?.encode_gauge(&value)?,
        }
    }
    Ok(())
}
