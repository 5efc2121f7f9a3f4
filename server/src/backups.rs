//! The backup in hand: what it does now, for whoever waits, and that none is made of a kiln that goes down.

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{MutexGuard, watch};

/// The backup that is being made, if one is.
#[derive(Default)]
pub struct Backups {
    turn: tokio::sync::Mutex<()>,
    doing: Mutex<String>,
    pub done: AtomicU64,
    pub all: AtomicU64,
    closed: watch::Sender<bool>,
}

/// Held by who makes one; when it is dropped nothing happens any more, however that ended.
pub struct Turn<'b> {
    backups: &'b Backups,
    _turn: MutexGuard<'b, ()>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.backups.doing("");
    }
}

impl Backups {
    /// The turn of one more.
    ///
    /// # Errors
    /// Another one is being made, or kiln goes down.
    pub fn begin(&self) -> Result<Turn<'_>, String> {
        let turn = self.turn.try_lock().map_err(|_| "another backup is being made".to_owned())?;
        if *self.closed.borrow() {
            return Err(GOES_DOWN.to_owned());
        }
        self.done.store(0, Ordering::Relaxed);
        self.all.store(0, Ordering::Relaxed);
        Ok(Turn { backups: self, _turn: turn })
    }

    /// Does `work`, unless kiln goes down first.
    pub async fn unless_closed<T>(&self, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        let mut closed = self.closed.subscribe();
        tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => Err(GOES_DOWN.to_owned()),
            done = work => done,
        }
    }

    /// Ends the one that is being made and makes none any more.
    pub async fn close(&self) {
        self.closed.send_replace(true);
        drop(self.turn.lock().await);
    }

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

const GOES_DOWN: &str = "kiln goes down: no backup was made";

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use std::sync::Arc;

    #[test]
    fn each_begins_at_nothing() {
        let backups = Backups::default();
        let turn = backups.begin().expect("the first");
        backups.doing("files");
        backups.all.store(10, Ordering::Relaxed);
        backups.done.store(10, Ordering::Relaxed);
        assert_eq!(backups.progress(), json!({"text": "files", "fraction": 1.0}));
        assert!(backups.begin().err().expect("refused").contains("another backup"));
        drop(turn);
        assert_eq!(backups.progress(), Json::Null);
        let _turn = backups.begin().expect("the second");
        backups.doing("the database");
        assert_eq!(backups.progress(), json!({"text": "the database", "fraction": 0.0}));
    }

    #[tokio::test]
    async fn none_is_made_of_a_kiln_that_goes_down() {
        let backups = Arc::new(Backups::default());
        let of_work = backups.clone();
        let work = tokio::spawn(async move {
            let _turn = of_work.begin().expect("the first");
            of_work.unless_closed(pending::<Result<(), String>>()).await
        });
        while backups.begin().is_ok() {
            tokio::task::yield_now().await;
        }
        backups.close().await;
        assert_eq!(work.await.expect("ended"), Err(GOES_DOWN.to_owned()));
        assert_eq!(backups.begin().err(), Some(GOES_DOWN.to_owned()));
    }
}
