//! Who is to look again, and why.

use super::read::watched;
use crate::controllers;
use crate::records::Alarm;
use kiln_points::Metric;
use kiln_service_kit::{Controller, Cx, Error, Name};
use std::collections::BTreeSet;

/// Metrics have new data.
pub fn on_data<'m>(cx: &Cx, metrics: impl Iterator<Item = &'m Metric>) -> Result<(), Error> {
    let mut names = BTreeSet::new();
    for metric in metrics {
        for (name, _) in cx.store().by_key::<Alarm>(cx.scope(), "watches", &watched(metric))? {
            names.insert(name);
        }
    }
    for name in names {
        cx.platform().wake(controllers::alarm::MetricAlarms::NAME, Name::new(cx.scope(), name));
    }
    Ok(())
}

/// As what an alarm is looked up by those that look at it.
pub fn child(name: &str) -> String {
    format!("alarm {name}")
}
