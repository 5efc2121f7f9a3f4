//! Who is to look again, and why.

use super::read::watched;
use crate::controllers;
use crate::records::Alarm;
use futures_util::future::BoxFuture;
use kiln_points::{Metric, Points};
use kiln_service_kit::{Controller, Error, Name, Platform, Scope};
use std::sync::Arc;

/// From now on new data wake the alarms on them, whoever put them there: a call, or a part of kiln that measures.
pub fn start(platform: Arc<Platform>) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(async move {
        let kept = platform.part::<Points>()?;
        // The platform has the points: they must not have it too.
        let platform = Arc::downgrade(&platform);
        let listens = kept.listen(move |metrics| {
            let Some(platform) = platform.upgrade() else { return };
            for metric in metrics {
                if let Err(error) = on_data(&platform, metric) {
                    // It is judged in its next step anyway.
                    tracing::error!(
                        error = error.chain(),
                        name = metric.name,
                        "cannot tell which alarms have new data"
                    );
                }
            }
        });
        match listens {
            true => Ok(()),
            false => Err(Error::internal("somebody else listens for new points already")),
        }
    })
}

/// A metric has new data.
fn on_data(platform: &Platform, metric: &Metric) -> Result<(), Error> {
    let scope = Scope::new(metric.account.as_str(), metric.region.as_str());
    for (name, _) in platform.store().by_key::<Alarm>(&scope, "watches", &watched(metric))? {
        platform.wake(controllers::alarm::MetricAlarms::NAME, Name::new(&scope, name));
    }
    Ok(())
}

/// As what an alarm is looked up by those that look at it.
pub fn child(name: &str) -> String {
    format!("alarm {name}")
}
