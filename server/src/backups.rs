//! The backup in hand: what it does now, for whoever waits.

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// The backup that is being made, if one is.
#[derive(Default)]
pub struct Backups {
    pub turn: tokio::sync::Mutex<()>,
    doing: Mutex<String>,
    pub done: AtomicU64,
    pub all: AtomicU64,
}

impl Backups {
    /// What happens now, and how far it is.
    pub fn progress(&self) -> Json {
        let doing = self.doing.lock().clone();
        let (done, all) = (self.done.load(Ordering::Relaxed), self.all.load(Ordering::Relaxed));
        match doing.is_empty() {
            true => Json::Null,
            false => json!({"text": doing, "fraction": done as f64 / all.max(1) as f64}),
        }
    }

    /// Says what happens now.
    pub fn doing(&self, text: impl Into<String>) {
        *self.doing.lock() = text.into();
    }
}

/// Says that nothing happens any more, however that ended.
pub struct Ends<'b>(pub &'b Backups);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.doing("");
    }
}
