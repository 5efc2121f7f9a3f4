//! Metric filters, asked about events that came in.
//!
//! A filter with a default value says that value for each minute of which events came in and none was meant; once a
//! minute, also when its events come in several batches.

use super::{Series, Values};
use crate::events::{Events, New};
use crate::names::of_group;
use crate::pattern::{Extracted, Pattern, Selector, json_of};
use crate::records::{LogGroup, MetricFilter, Transformation};
use kiln_service_kit::{Cx, Error};
use std::collections::BTreeMap;

/// Metrics with dimensions that one batch can make of one filter. Source: PutMetricFilter: a filter that makes 1,000 in
/// an hour may be disabled.
const MOST: usize = 1_000;

pub fn add(cx: &Cx, group: &LogGroup, new: &[New], values: &mut Values) -> Result<(), Error> {
    let filters = cx.store().list_prefix::<MetricFilter>(cx.scope(), &of_group(&group.name))?;
    if filters.is_empty() {
        return Ok(());
    }
    let events = cx.part::<Events>()?;
    for (id, filter) in filters {
        let unread = |e| Error::failed(format!("read the pattern of metric filter {id}"), e);
        let pattern = Pattern::parse(&filter.pattern).map_err(unread)?;
        // Whether any event of a minute was meant.
        let mut minutes: BTreeMap<i64, bool> = BTreeMap::new();
        let mut made = 0;
        for (at, message) in new {
            let taken = pattern.extract(message);
            *minutes.entry(at.div_euclid(60_000)).or_default() |= taken.is_some();
            let Some(taken) = taken else { continue };
            if let Some((series, value)) = of(&filter.transformation, &taken, message)
                && (series.dimensions.is_empty() || made < MOST)
            {
                made += 1;
                values.add(series, *at, value);
            }
        }
        let Some(default) = filter.transformation.default else { continue };
        for (minute, meant) in minutes {
            if !events.said(cx.scope(), &id, minute, meant) {
                values.add(series(&filter.transformation, vec![]), minute * 60_000, default);
            }
        }
    }
    Ok(())
}

fn series(of: &Transformation, dimensions: Vec<(String, String)>) -> Series {
    let Transformation { metric, namespace, unit, .. } = of.clone();
    Series { namespace, metric, dimensions, unit, fine: false, at: 0 }
}

/// What a message that is meant comes to; nothing where it has no number, or lacks a dimension.
fn of(transformation: &Transformation, taken: &Extracted, message: &str) -> Option<(Series, f64)> {
    let text = |from: &str| match taken.get(from) {
        Some(text) => Some(text.clone()),
        // A member that the pattern does not name.
        None => Selector::whole(from).ok()?.text_of(&json_of(message)?),
    };
    let value = match transformation.value.parse::<f64>() {
        Ok(value) => value,
        Err(_) => text(&transformation.value)?.trim().parse::<f64>().ok().filter(|value| value.is_finite())?,
    };
    let mut dimensions = vec![];
    for (name, from) in &transformation.dimensions {
        let value = text(from).filter(|value| !value.is_empty() && value.len() <= 1_024)?;
        dimensions.push((name.clone(), value));
    }
    Some((series(transformation, dimensions), value))
}
