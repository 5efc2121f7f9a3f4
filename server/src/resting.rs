//! Lets records rest that nobody reads, so that a kiln which made much holds no more than one that was started anew.

use kiln_service_kit::Store;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// What controllers look at with each full pass, once a minute, does not rest in between.
const EVERY: Duration = Duration::from_secs(120);

/// Goes on for as long as the runtime does.
pub fn start(store: Store) {
    tokio::spawn(async move {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let store = store.clone();
            match tokio::task::spawn_blocking(move || store.rest()).await {
                Ok(0) => {}
                Ok(rested) => tracing::debug!("{rested} records rest"),
                Err(error) => tracing::error!("records do not rest: {error}"),
            }
        }
    });
}
