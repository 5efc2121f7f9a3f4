//! Who keeps calls: once a second, and sooner when many wait.

use super::{CallRecord, Logged};
use crate::Platform;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How often what waits is kept.
const EVERY: Duration = Duration::from_secs(1);

/// How often at most, when many wait.
const LEAST: Duration = Duration::from_millis(250);

/// The task; it ends when this is dropped.
pub struct CallKeeper {
    platform: Arc<Platform>,
    task: JoinHandle<()>,
}

impl Drop for CallKeeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl CallKeeper {
    /// Starts it, on the runtime it is called in.
    pub fn start(platform: Arc<Platform>) -> Self {
        Self { task: tokio::spawn(run(platform.clone())), platform }
    }

    /// Keeps what waits and ends.
    pub async fn finish(self) {
        keep(&self.platform, &mut false).await;
    }
}

async fn run(platform: Arc<Platform>) {
    let mut failing = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = platform.calls().many() => tokio::time::sleep(LEAST).await,
            () = platform.trail().many() => tokio::time::sleep(LEAST).await,
        }
        keep(&platform, &mut failing).await;
    }
}

/// Keeps what waits; while the journal takes none, that is told once.
async fn keep(platform: &Platform, failing: &mut bool) {
    let (history, now) = (platform.history(), platform.clock().now());
    let calls = platform.calls().keep(history, now, CallRecord::MOST_KEPT).await;
    let kept = platform.trail().keep(history, now).await.and(calls);
    if let Err(error) = &kept
        && !*failing
    {
        let error = error as &dyn std::error::Error;
        tracing::error!(error, "finished calls are not kept; of those that come the first wait");
    }
    *failing = kept.is_err();
}
