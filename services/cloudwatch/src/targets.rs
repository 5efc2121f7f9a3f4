//! What calls touch, for policies: alarms and dashboards. Source: Service Authorization Reference, "Actions, resources, and
//! condition keys for Amazon CloudWatch".

use crate::records::{Alarm, Dashboard, arn};
use kiln_service_kit::{Cx, Error, Target};

/// An alarm, by name, with its tags.
pub fn alarm(cx: &Cx, name: &str) -> Result<Target, Error> {
    let target = Target::new(arn(cx, name));
    Ok(match cx.store().get::<Alarm>(cx.scope(), name)? {
        Some(alarm) => target.tagged("cloudwatch", &alarm.tags),
        None => target,
    })
}

/// Each of several.
pub fn alarms(cx: &Cx, names: &[String]) -> Result<Vec<Target>, Error> {
    names.iter().map(|name| alarm(cx, name)).collect()
}

/// A dashboard, by name: they are in no region.
pub fn dashboard(cx: &Cx, name: &str) -> Target {
    Target::new(dashboard_arn(cx, name))
}

pub fn dashboard_arn(cx: &Cx, name: &str) -> String {
    format!("arn:{}:cloudwatch::{}:dashboard/{name}", cx.partition(), cx.account())
}

/// A thing by its ARN, with its tags.
pub fn thing(cx: &Cx, written: &str) -> Result<Target, Error> {
    match Thing::of(cx, written) {
        Some(Thing::Alarm(name)) => alarm(cx, &name),
        Some(Thing::Dashboard(name)) => {
            let target = dashboard(cx, &name);
            Ok(match cx.store().get::<Dashboard>(&cx.global_scope(), &name)? {
                Some(dashboard) => target.tagged("cloudwatch", &dashboard.tags),
                None => target,
            })
        }
        // Refused by the operation itself.
        None => Ok(Target::new(written)),
    }
}

/// What can have tags.
pub enum Thing {
    Alarm(String),
    Dashboard(String),
}

impl Thing {
    /// What an ARN of this account and region names.
    pub fn of(cx: &Cx, arn: &str) -> Option<Self> {
        if let Some(name) = arn.strip_prefix(&cx.arn("cloudwatch", "alarm:")) {
            return Some(Self::Alarm(name.to_owned()));
        }
        arn.strip_prefix(&dashboard_arn(cx, "")).map(|name| Self::Dashboard(name.to_owned()))
    }
}
